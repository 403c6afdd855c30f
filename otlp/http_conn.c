/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * At most one read and one write are under way, by nng's TCP; TLS, where there is some, stands
 * between them and what is read and written here. They are cancelled only to close.
 *
 * The head of the answer is read while the request is still being written: a server that refuses a
 * request by its size answers early, takes the rest no more and resets the connection, and nng ends
 * both directions then, with whatever the server had said.
 *
 * nng tries the first address of a name only; its tcp4 and tcp6 schemes reach the others.
 */
#include "otlp/http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <nng/nng.h>

#include "otlp/http_op.h"
#include "otlp/tls.h"

#define INTERIM_MAX 32 /* 1xx heads before an answer */
#define LAST_WRITE_MS 200 /* for a write whose end may be told later than the answer to it */

struct otlp_http_conn {
	struct otlp_url url;
	struct otlp_tls *tls; /* NULL: http */
	struct otlp_http_wait wait;
	struct otlp_http_op rd, wr; /* rd also dials */
	nng_aio *now; /* for what can be written without waiting */
	nng_stream *stream; /* NULL: closed */
	int rd_err, wr_err; /* how its directions ended; 0: not yet */
	char *request; /* head of the request; has secrets */
	nng_iov unsent[2]; /* of the request: rest of its head, rest of its body */
	struct otlp_head head; /* of the answer */
	bool has_head; /* wholly */
	bool is_answered; /* some of a head came */
	int interims;
	uint8_t buf[8192]; /* what came and is not yet read */
	size_t buf_at, buf_len;
};

/* ---- create, destroy ---- */

static int init_tls(struct otlp_http_conn *c, const struct otlp_tls_files *files, const char **why)
{
	struct otlp_tls_pem pem;
	int err = otlp_tls_check(&pem, files, why);

	if (err)
		return err;
	err = otlp_tls_create(&c->tls, &pem, c->url.host);
	otlp_tls_wipe(&pem);
	return err;
}

int otlp_http_conn_create(struct otlp_http_conn **ret, const struct otlp_url *url,
			  const struct otlp_tls_files *files, const char **why)
{
	struct otlp_http_conn *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	*why = "out of memory";
	if (!c)
		return err;
	c->url = *url;
	c->rd.done_fd = c->wr.done_fd = -1;
	if ((err = otlp_http_wait_init(&c->wait)) || (err = otlp_http_op_init(&c->rd)) ||
	    (err = otlp_http_op_init(&c->wr)) ||
	    (err = nng_aio_alloc(&c->now, NULL, NULL) ? -ENOMEM : 0)) {
		*why = err == -ENOMEM ? *why : "out of file descriptors";
		goto fail;
	}
	err = url->is_tls ? init_tls(c, files, why) : otlp_tls_pair(files, why);
	if (err)
		goto fail;
	*ret = c;
	return 0;
fail:
	otlp_http_conn_destroy(c);
	return err;
}

void otlp_http_conn_destroy(struct otlp_http_conn *c)
{
	if (!c)
		return;
	otlp_http_conn_close(c);
	otlp_tls_destroy(c->tls);
	otlp_http_op_reset(&c->rd);
	otlp_http_op_reset(&c->wr);
	if (c->now)
		nng_aio_free(c->now);
	otlp_http_wait_reset(&c->wait);
	free(c);
}

void otlp_http_conn_set_timeout(struct otlp_http_conn *c, uint32_t timeout_ms)
{
	c->wait.deadline_mono_ms = timeout_ms ? otlp_http_wait_now_mono_ms() + timeout_ms : 0;
}

/* ---- open, close ---- */

/* A dialer per connection: one that was cancelled while dialling cannot be used again. */
static int dial(struct otlp_http_conn *c, const char *text)
{
	nng_stream_dialer *dialer = NULL;
	int err = otlp_http_op_errno(nng_stream_dialer_alloc(&dialer, text));

	if (err)
		return err;
	err = otlp_http_wait_check(&c->wait);
	if (!err) {
		nng_stream_dialer_dial(dialer, otlp_http_op_begin(&c->rd));
		err = otlp_http_op_finish(&c->wait, &c->rd);
		otlp_http_op_cancel(&c->rd);
		if (nng_aio_result(c->rd.aio) == 0)
			c->stream = nng_aio_get_output(c->rd.aio, 0);
	}
	nng_stream_dialer_free(dialer);
	return err;
}

/* What may be tried in turn; the first failure is the one that is told. For localhost no resolver is
 * asked: which address it names first says nothing about who listens. nng's resolver, which sees
 * addresses, too, has no IPv4 where the host has none but 127.0.0.1: mapped into IPv6 it has. */
int otlp_http_conn_open(struct otlp_http_conn *c)
{
	static const char *const name[][3] = {{"tcp", ""}, {"tcp4", ""}, {"tcp6", ""}, {}};
	static const char *const ipv4[][3] = {{"tcp", ""}, {"tcp", "::ffff:"}, {}};
	static const char *const ipv6[][3] = {{"tcp", ""}, {}};
	static const char *const local[][3] = {
		{"tcp", "", "127.0.0.1"}, {"tcp", "", "::1"}, {"tcp", "::ffff:", "127.0.0.1"}, {}};
	const struct otlp_url *u = &c->url;
	const char *const(*try)[3] = name; /* scheme, what stands before the host, the host */
	struct in_addr addr;
	int first = 0;

	c->is_answered = false;
	c->buf_at = c->buf_len = 0;
	c->rd_err = c->wr_err = 0;
	if (c->tls && otlp_tls_restart(c->tls))
		return -ENOMEM;
	if (!strcmp(u->host, "localhost"))
		try = local;
	else if (strchr(u->host, ':'))
		try = ipv6;
	else if (inet_pton(AF_INET, u->host, &addr) == 1)
		try = ipv4;
	for (size_t i = 0; try[i][0]; i++) {
		const char *host = try[i][2] ? try[i][2] : u->host;
		bool is_ipv6 = try[i][1][0] || strchr(host, ':');
		char text[300];
		int err;

		snprintf(text, sizeof(text), "%s://%s%s%s%s:%u", try[i][0], is_ipv6 ? "[" : "",
			 try[i][1], host, is_ipv6 ? "]" : "", u->port);
		err = dial(c, text);
		if (err == 0 || err == -ETIMEDOUT || err == -ECANCELED)
			return err;
		if (i == 0)
			first = err;
	}
	return first;
}

static void forget_request(struct otlp_http_conn *c)
{
	if (c->request)
		explicit_bzero(c->request, strlen(c->request));
	free(c->request);
	c->request = NULL;
	c->unsent[0].iov_len = c->unsent[1].iov_len = 0;
}

void otlp_http_conn_close(struct otlp_http_conn *c)
{
	if (c->stream) {
		otlp_http_op_cancel(&c->rd);
		otlp_http_op_cancel(&c->wr);
		nng_stream_close(c->stream);
		nng_stream_free(c->stream);
		c->stream = NULL;
	}
	forget_request(c);
}

bool otlp_http_conn_is_open(const struct otlp_http_conn *c)
{
	return c->stream;
}

/* ---- bytes ---- */

static void advance(nng_iov *iov, size_t len)
{
	iov->iov_buf = (uint8_t *)iov->iov_buf + len;
	iov->iov_len -= len;
}

static nng_iov *next_unsent(struct otlp_http_conn *c)
{
	return c->unsent[0].iov_len ? &c->unsent[0] : c->unsent[1].iov_len ? &c->unsent[1] : NULL;
}

static bool is_sent(struct otlp_http_conn *c)
{
	const uint8_t *at;

	return !next_unsent(c) && !c->wr.is_begun && !c->wr_err &&
	       (!c->tls || otlp_tls_waiting(c->tls, &at) == 0);
}

/* What is to be written next, as nng wants it: how many pieces. */
static unsigned next_write(struct otlp_http_conn *c, nng_iov iov[2])
{
	nng_iov *unsent = next_unsent(c);
	const uint8_t *at;

	if (c->tls) {
		iov[0].iov_len = otlp_tls_waiting(c->tls, &at);
		iov[0].iov_buf = (void *)(uintptr_t)at;
		return iov[0].iov_len > 0;
	}
	iov[0] = c->unsent[0].iov_len ? c->unsent[0] : c->unsent[1];
	iov[1] = c->unsent[1];
	return unsent ? (unsigned)(&c->unsent[2] - unsent) : 0;
}

static void count_written(struct otlp_http_conn *c, size_t len)
{
	size_t part;

	if (c->tls) {
		otlp_tls_sent(c->tls, len);
		return;
	}
	for (size_t i = 0; i < 2; i++, len -= part) {
		part = len < c->unsent[i].iov_len ? len : c->unsent[i].iov_len;
		advance(&c->unsent[i], part);
	}
}

static void write_later(struct otlp_http_conn *c, nng_iov *iov, unsigned len)
{
	nng_aio_set_iov(c->wr.aio, len, iov);
	nng_stream_send(c->stream, otlp_http_op_begin(&c->wr));
}

/* What the kernel takes at once, it takes in this thread: nng sends when it is asked to, and what
 * it could not send is taken back. Without a callback its other threads have no part in it. False:
 * it took not all. */
static bool write_now(struct otlp_http_conn *c, nng_iov *iov, unsigned len)
{
	size_t size = iov[0].iov_len + (len == 2 ? iov[1].iov_len : 0), sent;
	int rv;

	nng_aio_set_iov(c->now, len, iov);
	nng_stream_send(c->stream, c->now);
	nng_aio_cancel(c->now);
	nng_aio_wait(c->now);
	rv = nng_aio_result(c->now);
	sent = rv ? 0 : nng_aio_count(c->now);
	if (rv && rv != NNG_ECANCELED)
		c->wr_err = otlp_http_op_errno(rv);
	count_written(c, sent);
	return sent == size;
}

/* -EKEYREJECTED; -EAGAIN: no more room for it now. */
static int encrypt(struct otlp_http_conn *c)
{
	nng_iov *unsent;
	int err = 0;

	while (c->tls && !err && (unsent = next_unsent(c))) {
		size_t len;

		err = otlp_tls_write(c->tls, unsent->iov_buf, unsent->iov_len, &len);
		advance(unsent, len);
	}
	return err;
}

/* Writes what can be written, and begins to write the rest. -EKEYREJECTED. */
static int push(struct otlp_http_conn *c)
{
	bool goes_on = true;
	int err;

	do {
		nng_iov iov[2];
		unsigned len;

		err = encrypt(c);
		if (c->wr.is_begun || c->wr_err)
			break;
		len = next_write(c, iov);
		if (len == 0)
			break;
		if (!goes_on)
			write_later(c, iov, len);
		goes_on = goes_on && write_now(c, iov, len);
	} while (!c->wr.is_begun);
	return err == -EAGAIN ? 0 : err;
}

static void take_write(struct otlp_http_conn *c)
{
	int err;

	if (!otlp_http_op_take(&c->wr, &err))
		return;
	c->wr_err = err;
	count_written(c, err ? 0 : nng_aio_count(c->wr.aio));
}

static void pull(struct otlp_http_conn *c)
{
	nng_iov iov = {.iov_buf = c->buf, .iov_len = sizeof(c->buf)};
	uint8_t *at;

	if (c->rd.is_begun)
		return;
	if (c->tls) {
		iov.iov_len = otlp_tls_room(c->tls, &at);
		iov.iov_buf = at;
	}
	nng_aio_set_iov(c->rd.aio, 1, &iov);
	nng_stream_recv(c->stream, otlp_http_op_begin(&c->rd));
}

static void take_read(struct otlp_http_conn *c)
{
	size_t len;
	int err;

	if (!otlp_http_op_take(&c->rd, &err))
		return;
	len = err ? 0 : nng_aio_count(c->rd.aio);
	if (len == 0) {
		c->rd_err = err ? err : -EPIPE;
	} else if (c->tls) {
		otlp_tls_received(c->tls, len);
	} else {
		c->buf_at = 0;
		c->buf_len = len;
	}
}

/* 0: there is something in buf; -EAGAIN: a read is under way. */
static int fill(struct otlp_http_conn *c)
{
	int err = -EAGAIN;

	if (c->buf_at < c->buf_len)
		return 0;
	if (c->tls) {
		c->buf_at = 0;
		err = otlp_tls_read(c->tls, c->buf, sizeof(c->buf), &c->buf_len);
	}
	if (err != -EAGAIN)
		return err;
	if (c->rd_err)
		return c->rd_err;
	pull(c);
	return -EAGAIN;
}

/* Waits till something was carried. A write that failed is told by the end of the read: the answer
 * may be there all the same. */
static int turn(struct otlp_http_conn *c)
{
	int err = otlp_http_wait_check(&c->wait);

	if (!err)
		err = otlp_http_op_await(&c->wait, &c->rd, &c->wr);
	if (err)
		return err;
	take_read(c);
	take_write(c);
	return 0;
}

/* ---- the exchange ---- */

/* Of one name the last counts. */
static bool is_overruled(const struct otlp_http_message *m, size_t i)
{
	for (size_t later = i + 1; later < m->headers_len; later++)
		if (!strcasecmp(m->headers[i].name, m->headers[later].name))
			return true;
	return false;
}

/* In one allocation, so that no copy of a secret is left behind. */
static int build(struct otlp_http_conn *c, const struct otlp_http_message *m)
{
	size_t cap = strlen(m->path) + strlen(c->url.authority) + 200, len;

	for (size_t i = 0; i < m->headers_len; i++)
		cap += strlen(m->headers[i].name) + strlen(m->headers[i].value) + 4;
	c->request = malloc(cap);
	if (!c->request)
		return -ENOMEM;
	len = (size_t)snprintf(c->request, cap, "POST %s HTTP/1.1\r\nHost: %s\r\n", m->path,
			       c->url.authority);
	for (size_t i = 0; i < m->headers_len; i++)
		if (!is_overruled(m, i))
			len += (size_t)snprintf(c->request + len, cap - len, "%s: %s\r\n",
						m->headers[i].name, m->headers[i].value);
	if (m->encoding)
		len += (size_t)snprintf(c->request + len, cap - len, "Content-Encoding: %s\r\n",
					m->encoding);
	len += (size_t)snprintf(c->request + len, cap - len, "Content-Length: %zu\r\n\r\n",
				m->size);
	c->unsent[0] = (nng_iov){.iov_buf = c->request, .iov_len = len};
	c->unsent[1] = (nng_iov){.iov_buf = (void *)(uintptr_t)m->data, .iov_len = m->size};
	return 0;
}

/* 0 with has_head set or not yet set. 101 was not asked for and is taken as final. */
static int step_head(struct otlp_http_conn *c)
{
	while (!c->has_head) {
		size_t used;
		int end = fill(c);

		if (end)
			return end == -EAGAIN ? 0 : end;
		end = otlp_head_feed(&c->head, c->buf + c->buf_at, c->buf_len - c->buf_at, &used);
		if (c->head.status)
			c->is_answered = true;
		if (end < 0)
			return -EPROTO;
		c->buf_at += used;
		c->has_head = end && (c->head.status >= 200 || c->head.status == 101);
		if (end && !c->has_head) {
			if (c->interims++ == INTERIM_MAX)
				return -EPROTO;
			otlp_head_init(&c->head);
		}
	}
	return 0;
}

/* So that the server learns by an alert what was not to our liking. */
static void say_last(struct otlp_http_conn *c)
{
	struct pollfd done = {.fd = c->wr.done_fd, .events = POLLIN};

	push(c);
	if (c->wr.is_begun)
		poll(&done, 1, LAST_WRITE_MS);
}

static int step(struct otlp_http_conn *c)
{
	int err = step_head(c);

	if (!err)
		err = push(c);
	if (err == -EKEYREJECTED)
		say_last(c);
	return err;
}

int otlp_http_conn_post(struct otlp_http_conn *c, const struct otlp_http_message *m)
{
	int err;

	forget_request(c);
	c->has_head = c->is_answered = false;
	c->interims = 0;
	otlp_head_init(&c->head);
	err = build(c, m);
	if (!err)
		err = step(c);
	while (!err && !c->has_head && !is_sent(c)) {
		err = turn(c);
		if (!err)
			err = step(c);
	}
	return err;
}

int otlp_http_conn_read_head(struct otlp_http_conn *c, const struct otlp_head **ret)
{
	int err = step(c);

	while (!err && !c->has_head) {
		err = turn(c);
		if (!err)
			err = step(c);
	}
	*ret = &c->head;
	return err;
}

bool otlp_http_conn_is_answered(const struct otlp_http_conn *c)
{
	return c->is_answered;
}

int otlp_http_conn_read(struct otlp_http_conn *c, uint8_t *buf, size_t cap, size_t *ret_len)
{
	int err = otlp_http_wait_check(&c->wait);

	*ret_len = 0;
	while (!err && (err = fill(c)) == -EAGAIN) {
		err = push(c);
		if (!err)
			err = turn(c);
	}
	if (err)
		return err;
	*ret_len = c->buf_len - c->buf_at < cap ? c->buf_len - c->buf_at : cap;
	memcpy(buf, c->buf + c->buf_at, *ret_len);
	c->buf_at += *ret_len;
	return 0;
}

void otlp_http_conn_release(struct otlp_http_conn *c)
{
	struct pollfd done = {.fd = c->wr.done_fd, .events = POLLIN};

	if (c->wr.is_begun)
		poll(&done, 1, LAST_WRITE_MS);
	take_write(c);
	if (is_sent(c) && c->buf_at == c->buf_len && !c->rd_err)
		forget_request(c);
	else
		otlp_http_conn_close(c);
}

int otlp_http_conn_explain(const struct otlp_http_conn *c, char *text, size_t cap)
{
	return c->tls ? otlp_tls_explain(c->tls, text, cap) : -ENODATA;
}

void otlp_http_conn_abort(struct otlp_http_conn *c)
{
	otlp_http_wait_abort(&c->wait);
}
