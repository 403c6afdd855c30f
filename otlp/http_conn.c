/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * There are two operations at most, one that reads and one that writes; they are cancelled only to
 * close.
 *
 * The head of the answer is read while the request is still being written: a server that refuses a
 * request by its size answers early and takes the rest no more, and a failed write makes nng close
 * the connection with whatever the server had said.
 *
 * nng tries the first address of a name only; its http4 and http6 schemes reach the others. Of its
 * HTTP only connections and the writing of requests are used: its reader of heads holds 8 KiB, and
 * wants no tab in a field.
 */
#include "otlp/http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <nng/nng.h>
#include <nng/supplemental/http/http.h>
#include <nng/supplemental/tls/tls.h>

#include "otlp/http_op.h"

#define INTERIM_MAX 32 /* 1xx heads before an answer */
#define WRITE_END_MS 200 /* that the end of a write may be told later than the answer to it */
#define EXPLAIN_MS 3000

struct otlp_http_conn {
	struct otlp_url url;
	struct otlp_tls_files files; /* paths, owned */
	nng_tls_config *tls; /* NULL: http */
	struct otlp_http_wait wait;
	struct otlp_http_op rd, wr; /* rd also dials */
	nng_http_conn *conn; /* NULL: closed */
	nng_http_req *req; /* being written, or just written */
	struct otlp_head head; /* of the answer */
	bool has_head; /* wholly */
	uint8_t buf[8192]; /* what came with the head */
	size_t buf_at, buf_len;
	bool is_answered; /* some of a head came */
	bool is_sent; /* all of the request */
	int interims;
};

/* ---- create, destroy ---- */

static int copy_path(const char **ret, const char *path)
{
	*ret = path ? strdup(path) : NULL;
	return path && !*ret ? -ENOMEM : 0;
}

static int init_tls(struct otlp_http_conn *c, const char **why)
{
	struct otlp_tls_pem pem;
	int rv, err = otlp_tls_read(&pem, &c->files, why);

	if (err)
		return err;
	rv = nng_tls_config_alloc(&c->tls, NNG_TLS_MODE_CLIENT);
	if (!rv)
		rv = nng_tls_config_server_name(c->tls, c->url.host);
	if (!rv)
		rv = nng_tls_config_auth_mode(c->tls, NNG_TLS_AUTH_MODE_REQUIRED);
	if (!rv)
		rv = nng_tls_config_ca_chain(c->tls, pem.ca, NULL);
	if (!rv && pem.cert)
		rv = nng_tls_config_own_cert(c->tls, pem.cert, pem.key, NULL);
	otlp_tls_wipe(&pem);
	return rv ? -ENOMEM : 0; /* all else was tried */
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
	    (err = otlp_http_op_init(&c->wr))) {
		*why = err == -ENOMEM ? *why : "out of file descriptors";
		goto fail;
	}
	err = -ENOMEM;
	if (copy_path(&c->files.ca, files->ca) || copy_path(&c->files.cert, files->cert) ||
	    copy_path(&c->files.key, files->key))
		goto fail;
	err = url->is_tls ? init_tls(c, why) : otlp_tls_pair(files, why);
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
	if (c->tls)
		nng_tls_config_free(c->tls);
	otlp_http_op_reset(&c->rd);
	otlp_http_op_reset(&c->wr);
	otlp_http_wait_reset(&c->wait);
	free((char *)(uintptr_t)c->files.ca);
	free((char *)(uintptr_t)c->files.cert);
	free((char *)(uintptr_t)c->files.key);
	free(c);
}

void otlp_http_conn_set_timeout(struct otlp_http_conn *c, uint32_t timeout_ms)
{
	c->wait.deadline_mono_ms = timeout_ms ? otlp_http_wait_now_mono_ms() + timeout_ms : 0;
}

/* ---- open, close ---- */

/* A client object per connection: one that was cancelled while dialling cannot be used again. */
static int dial(struct otlp_http_conn *c, const char *text, bool is_tls)
{
	nng_http_client *client = NULL;
	nng_url *url = NULL;
	int err = otlp_http_op_errno(nng_url_parse(&url, text));

	if (err)
		return err;
	err = otlp_http_op_errno(nng_http_client_alloc(&client, url));
	nng_url_free(url);
	if (err)
		return err;
	if (is_tls)
		err = otlp_http_op_errno(nng_http_client_set_tls(client, c->tls));
	if (!err)
		err = otlp_http_wait_check(&c->wait);
	if (!err) {
		nng_http_client_connect(client, otlp_http_op_begin(&c->rd));
		err = otlp_http_op_finish(&c->wait, &c->rd);
		otlp_http_op_cancel(&c->rd);
		if (nng_aio_result(c->rd.aio) == 0)
			c->conn = nng_aio_get_output(c->rd.aio, 0);
	}
	nng_http_client_free(client);
	return err;
}

/* What may be tried in turn for a name; the first failure is the one that is told. For localhost
 * no resolver is asked: which address it names first says nothing about who listens. */
static int open_as(struct otlp_http_conn *c, bool is_tls)
{
	static const char *const any[][2] = {{"", NULL}, {"4", NULL}, {"6", NULL}};
	static const char *const local[][2] = {{"", "127.0.0.1"}, {"", "[::1]"}};
	const struct otlp_url *u = &c->url;
	bool is_local = !strcmp(u->host, "localhost"), is_ipv6 = strchr(u->host, ':');
	const char *const(*try)[2] = is_local ? local : any;
	struct in_addr ipv4;
	bool is_literal = is_ipv6 || inet_pton(AF_INET, u->host, &ipv4) == 1;
	size_t tries = is_local ? 2 : is_literal ? 1 : 3;
	int first = 0;

	c->is_answered = false;
	c->buf_at = c->buf_len = 0;
	for (size_t i = 0; i < tries; i++) {
		const char *host = try[i][1] ? try[i][1] : u->host;
		char text[300];
		int err;

		snprintf(text, sizeof(text), is_ipv6 ? "http%s%s://[%s]:%u/" : "http%s%s://%s:%u/",
			 is_tls ? "s" : "", try[i][0], host, u->port);
		err = dial(c, text, is_tls);
		if (err == 0 || err == -ETIMEDOUT || err == -ECANCELED)
			return err;
		if (i == 0)
			first = err;
	}
	return first;
}

int otlp_http_conn_open(struct otlp_http_conn *c)
{
	return open_as(c, c->tls);
}

/*
 * nng waits in close for a write that is still in flight, and a TLS write that waits for the
 * handshake is ended only from the read side: a read that is cancelled takes the whole connection
 * down, and the write with it. So the read goes first, and if there is none, one is begun.
 */
void otlp_http_conn_close(struct otlp_http_conn *c)
{
	uint8_t byte;
	nng_iov iov = {.iov_buf = &byte, .iov_len = 1};

	if (!c->conn)
		return;
	if (c->wr.is_begun && !c->rd.is_begun) {
		nng_aio_set_iov(c->rd.aio, 1, &iov);
		nng_http_conn_read(c->conn, otlp_http_op_begin(&c->rd));
	}
	otlp_http_op_cancel(&c->rd);
	otlp_http_op_cancel(&c->wr);
	nng_http_conn_close(c->conn);
	c->conn = NULL;
	if (c->req)
		nng_http_req_free(c->req);
	c->req = NULL;
}

bool otlp_http_conn_is_open(const struct otlp_http_conn *c)
{
	return c->conn;
}

/* ---- the exchange ---- */

static int build(nng_http_req *req, const struct otlp_http_conn *c,
		 const struct otlp_http_message *m)
{
	char length[24];
	int rv;

	snprintf(length, sizeof(length), "%zu", m->size);
	if ((rv = nng_http_req_set_method(req, "POST")) ||
	    (rv = nng_http_req_set_uri(req, m->path)) ||
	    (rv = nng_http_req_set_header(req, "Host", c->url.authority)))
		return rv;
	for (size_t i = 0; i < m->headers_len; i++) {
		rv = nng_http_req_set_header(req, m->headers[i].name, m->headers[i].value);
		if (rv)
			return rv;
	}
	if (m->encoding && (rv = nng_http_req_set_header(req, "Content-Encoding", m->encoding)))
		return rv;
	rv = nng_http_req_set_data(req, m->data, m->size);
	return rv ? rv : nng_http_req_set_header(req, "Content-Length", length);
}

/* The close_notify of TLS is to nng a refused connection. */
static int end_of(int err)
{
	return err == -ECONNREFUSED ? -EPIPE : err;
}

static void begin_head(struct otlp_http_conn *c)
{
	nng_iov iov = {.iov_buf = c->buf, .iov_len = sizeof(c->buf)};

	nng_aio_set_iov(c->rd.aio, 1, &iov);
	nng_http_conn_read(c->conn, otlp_http_op_begin(&c->rd));
}

/* 0 with has_head set or not yet set. 101 was not asked for and is taken as final. */
static int step_head(struct otlp_http_conn *c)
{
	int err;

	if (c->has_head || !otlp_http_op_take(&c->rd, &err))
		return 0;
	if (err)
		return end_of(err);
	c->buf_at = 0;
	c->buf_len = nng_aio_count(c->rd.aio);
	if (c->buf_len == 0)
		return -EPIPE;
	while (c->buf_at < c->buf_len) {
		size_t used;
		int end =
			otlp_head_feed(&c->head, c->buf + c->buf_at, c->buf_len - c->buf_at, &used);

		if (c->head.status)
			c->is_answered = true;
		if (end < 0)
			return -EPROTO;
		c->buf_at += used;
		c->has_head = end && (c->head.status >= 200 || c->head.status == 101);
		if (c->has_head)
			return 0;
		if (end && c->interims++ == INTERIM_MAX)
			return -EPROTO;
		if (end)
			otlp_head_init(&c->head);
	}
	begin_head(c);
	return 0;
}

/* Takes note of the end of the write, if it has come. */
static int step_write(struct otlp_http_conn *c)
{
	int err;

	if (!otlp_http_op_take(&c->wr, &err))
		return 0;
	c->is_sent = !err;
	return end_of(err);
}

/* Either way has failed, and nng ends the other; one of them knows the true reason. An answer that
 * came all the same counts. */
static int end_post(struct otlp_http_conn *c, int err)
{
	while (c->wr.is_begun || c->rd.is_begun) {
		int other = otlp_http_op_await(&c->wait, &c->rd, &c->wr);

		if (other)
			return other;
		other = step_head(c);
		if (!other)
			other = step_write(c);
		if (other == -EKEYREJECTED || (other && err == -EPIPE))
			err = other;
	}
	return c->has_head ? 0 : err;
}

int otlp_http_conn_post(struct otlp_http_conn *c, const struct otlp_http_message *m)
{
	int err = otlp_http_op_errno(nng_http_req_alloc(&c->req, NULL));

	if (err)
		return err;
	err = otlp_http_op_errno(build(c->req, c, m));
	if (!err)
		err = otlp_http_wait_check(&c->wait);
	if (err)
		return err;
	c->has_head = c->is_answered = c->is_sent = false;
	c->interims = 0;
	otlp_head_init(&c->head);
	begin_head(c);
	nng_http_conn_write_req(c->conn, c->req, otlp_http_op_begin(&c->wr));
	while (c->wr.is_begun && !c->has_head) {
		err = otlp_http_op_await(&c->wait, &c->rd, &c->wr);
		if (err)
			return err;
		err = step_head(c);
		if (!err)
			err = step_write(c);
		if (err)
			return end_post(c, err);
	}
	return 0;
}

int otlp_http_conn_read_head(struct otlp_http_conn *c, const struct otlp_head **ret)
{
	int err = 0;

	while (!err && !c->has_head) {
		err = otlp_http_op_await(&c->wait, &c->rd, NULL);
		if (!err)
			err = step_head(c);
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
	nng_iov iov = {.iov_buf = buf, .iov_len = cap};
	int err = otlp_http_wait_check(&c->wait);

	*ret_len = 0;
	if (err)
		return err;
	if (c->buf_at < c->buf_len) {
		*ret_len = c->buf_len - c->buf_at < cap ? c->buf_len - c->buf_at : cap;
		memcpy(buf, c->buf + c->buf_at, *ret_len);
		c->buf_at += *ret_len;
		return 0;
	}
	nng_aio_set_iov(c->rd.aio, 1, &iov);
	nng_http_conn_read(c->conn, otlp_http_op_begin(&c->rd));
	err = end_of(otlp_http_op_finish(&c->wait, &c->rd));
	if (err)
		return err;
	*ret_len = nng_aio_count(c->rd.aio);
	return *ret_len ? 0 : -EPIPE;
}

void otlp_http_conn_release(struct otlp_http_conn *c)
{
	struct pollfd done = {.fd = c->wr.done_fd, .events = POLLIN};

	if (c->wr.is_begun)
		poll(&done, 1, WRITE_END_MS);
	step_write(c);
	if (c->is_sent && c->buf_at == c->buf_len) {
		nng_http_req_free(c->req);
		c->req = NULL;
	} else {
		otlp_http_conn_close(c);
	}
}

/* ---- TLS ---- */

static int send_plain(void *ctx, const uint8_t *data, size_t len)
{
	struct otlp_http_conn *c = ctx;
	nng_iov iov = {.iov_buf = (void *)(uintptr_t)data, .iov_len = len};
	int err = c->conn ? otlp_http_wait_check(&c->wait) : -EPIPE;

	if (err)
		return err;
	nng_aio_set_iov(c->wr.aio, 1, &iov);
	nng_http_conn_write_all(c->conn, otlp_http_op_begin(&c->wr));
	err = otlp_http_op_finish(&c->wait, &c->wr);
	if (err)
		otlp_http_conn_close(c); /* the data is not ours */
	return err;
}

static int recv_plain(void *ctx, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct otlp_http_conn *c = ctx;
	int err = c->conn ? otlp_http_conn_read(c, buf, cap, ret_len) : -EPIPE;

	if (err)
		otlp_http_conn_close(c);
	return err;
}

int otlp_http_conn_explain_tls(struct otlp_http_conn *c, char *text, size_t cap)
{
	const struct otlp_tls_io io = {.ctx = c, .send = send_plain, .recv = recv_plain};
	uint64_t deadline = c->wait.deadline_mono_ms,
		 most = otlp_http_wait_now_mono_ms() + EXPLAIN_MS;
	struct otlp_tls_pem pem;
	const char *why;
	int err;

	otlp_http_conn_close(c);
	if (!deadline || deadline > most)
		c->wait.deadline_mono_ms = most;
	err = otlp_tls_read(&pem, &c->files, &why);
	if (!err) {
		err = open_as(c, false);
		if (!err)
			err = otlp_tls_explain(&pem, c->url.host, &io, text, cap);
		otlp_tls_wipe(&pem);
	}
	otlp_http_conn_close(c);
	c->wait.deadline_mono_ms = deadline;
	if (err && otlp_http_wait_check(&c->wait) == -ECANCELED)
		err = -ECANCELED;
	return err;
}

void otlp_http_conn_abort(struct otlp_http_conn *c)
{
	otlp_http_wait_abort(&c->wait);
}
