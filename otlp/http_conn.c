/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every operation (connect, write, read a head, read some bytes) is one operation of the same
 * nng_aio. Its callback writes to one eventfd, abort to another, and the thread that began the
 * operation polls both for what is left of the time. So it is always this thread that cancels:
 * nng 1.5.2 lets a cancellation by another thread, or by its own timeout, run on into a connection
 * that was meanwhile closed and freed.
 *
 * nng tries the first address of a name only; its http4 and http6 schemes reach the others.
 */
#include "otlp/http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <nng/nng.h>
#include <nng/supplemental/http/http.h>
#include <nng/supplemental/tls/tls.h>

#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#define INTERIM_MAX 32 /* 1xx heads before an answer */

struct otlp_http_conn {
	struct otlp_url url;
	nng_tls_config *tls; /* NULL: http */
	nng_aio *aio;
	int done_fd; /* readable when the operation of aio has ended */
	int abort_fd; /* readable for good once aborted */
	nng_aio *drain; /* see end_write() */
	nng_http_res *res;
	nng_http_conn *conn; /* NULL: closed */
	uint64_t deadline_mono_ms; /* 0: none */
};

static uint64_t now_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int to_errno(int rv)
{
	switch (rv) {
	case 0:
		return 0;
	case NNG_ETIMEDOUT:
		return -ETIMEDOUT;
	case NNG_ECANCELED:
		return -ECANCELED;
	case NNG_ECONNREFUSED:
		return -ECONNREFUSED;
	case NNG_ECONNSHUT:
	case NNG_ECONNRESET:
	case NNG_ECONNABORTED:
	case NNG_ECLOSED:
		return -EPIPE;
	case NNG_EPROTO:
		return -EPROTO;
	case NNG_EADDRINVAL:
	case NNG_EAGAIN:
		return -EADDRNOTAVAIL;
	case NNG_EUNREACHABLE:
		return -EHOSTUNREACH;
	case NNG_ECRYPTO:
	case NNG_EPEERAUTH:
		return -EKEYREJECTED;
	case NNG_ENOMEM:
		return -ENOMEM;
	default:
		if (rv > NNG_ESYSERR && rv < NNG_ESYSERR + 4096)
			return -(rv - NNG_ESYSERR);
		/* What getaddrinfo() calls EAI_… is negative. */
		return rv < NNG_ESYSERR && rv > NNG_ESYSERR - 4096 ? -EADDRNOTAVAIL : -EIO;
	}
}

static void on_done(void *arg)
{
	struct otlp_http_conn *c = arg;

	eventfd_write(c->done_fd, 1);
}

/* For poll(): up, so that a wait never ends before the deadline. */
static int time_left_ms(const struct otlp_http_conn *c)
{
	uint64_t now = now_mono_ms();

	if (!c->deadline_mono_ms)
		return -1;
	if (now >= c->deadline_mono_ms)
		return 0;
	return c->deadline_mono_ms - now < INT_MAX ? (int)(c->deadline_mono_ms - now) : INT_MAX;
}

/* Whether an operation may begin. */
static int begin(const struct otlp_http_conn *c)
{
	struct pollfd aborted = {.fd = c->abort_fd, .events = POLLIN};

	if (poll(&aborted, 1, 0) > 0)
		return -ECANCELED;
	return time_left_ms(c) == 0 ? -ETIMEDOUT : 0;
}

/* Waits for the operation that was begun. */
static int finish(struct otlp_http_conn *c)
{
	struct pollfd fds[] = {{.fd = c->done_fd, .events = POLLIN},
			       {.fd = c->abort_fd, .events = POLLIN}};
	eventfd_t count;
	int n, rv;

	do
		n = poll(fds, 2, time_left_ms(c));
	while (n < 0 && errno == EINTR);
	if (!fds[0].revents)
		nng_aio_cancel(c->aio);
	nng_aio_wait(c->aio);
	eventfd_read(c->done_fd, &count);
	rv = nng_aio_result(c->aio);
	if (rv == NNG_ECANCELED && !fds[1].revents)
		return -ETIMEDOUT;
	return to_errno(rv);
}

static int init_tls(struct otlp_http_conn *c, const char *ca_file, const char **why)
{
	int rv = nng_tls_config_alloc(&c->tls, NNG_TLS_MODE_CLIENT);

	if (!rv)
		rv = nng_tls_config_server_name(c->tls, c->url.host);
	if (!rv)
		rv = nng_tls_config_auth_mode(c->tls, NNG_TLS_AUTH_MODE_REQUIRED);
	if (rv)
		return -ENOMEM;
	if (nng_tls_config_ca_file(c->tls, ca_file ? ca_file : CA_FILE)) {
		*why = ca_file ? "the CA file cannot be read"
			       : "https needs the CA certificates of the system (" CA_FILE "), and "
				 "they cannot be read: install ca-certificates";
		return -ENOENT;
	}
	return 0;
}

int otlp_http_conn_create(struct otlp_http_conn **ret, const struct otlp_url *url,
			  const char *ca_file, const char **why)
{
	struct otlp_http_conn *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	*why = "out of memory";
	if (!c)
		return -ENOMEM;
	c->url = *url;
	c->done_fd = eventfd(0, EFD_CLOEXEC);
	c->abort_fd = eventfd(0, EFD_CLOEXEC);
	if (c->done_fd < 0 || c->abort_fd < 0) {
		*why = "out of file descriptors";
		err = -errno;
		goto fail;
	}
	if (nng_aio_alloc(&c->aio, on_done, c) || nng_aio_alloc(&c->drain, NULL, NULL) ||
	    nng_http_res_alloc(&c->res))
		goto fail;
	err = url->is_tls ? init_tls(c, ca_file, why) : 0;
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
	if (c->res)
		nng_http_res_free(c->res);
	if (c->drain)
		nng_aio_free(c->drain);
	if (c->aio)
		nng_aio_free(c->aio);
	if (c->done_fd >= 0)
		close(c->done_fd);
	if (c->abort_fd >= 0)
		close(c->abort_fd);
	free(c);
}

void otlp_http_conn_set_timeout(struct otlp_http_conn *c, uint32_t timeout_ms)
{
	c->deadline_mono_ms = timeout_ms ? now_mono_ms() + timeout_ms : 0;
}

/* A client object per connection: one that was cancelled while dialling cannot be used again. */
static int dial(struct otlp_http_conn *c, const char *text)
{
	nng_http_client *client = NULL;
	nng_url *url = NULL;
	int err = to_errno(nng_url_parse(&url, text));

	if (err)
		return err;
	err = to_errno(nng_http_client_alloc(&client, url));
	nng_url_free(url);
	if (err)
		return err;
	if (c->tls)
		err = to_errno(nng_http_client_set_tls(client, c->tls));
	if (!err)
		err = begin(c);
	if (!err) {
		nng_http_client_connect(client, c->aio);
		err = finish(c);
		if (!err)
			c->conn = nng_aio_get_output(c->aio, 0);
	}
	nng_http_client_free(client);
	return err;
}

/* What may be tried in turn for a name; the first failure is the one that is told. For localhost
 * no resolver is asked: which address it names first says nothing about who listens. */
int otlp_http_conn_open(struct otlp_http_conn *c)
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

	for (size_t i = 0; i < tries; i++) {
		const char *host = try[i][1] ? try[i][1] : u->host;
		char text[300];
		int err;

		snprintf(text, sizeof(text), is_ipv6 ? "http%s%s://[%s]:%u/" : "http%s%s://%s:%u/",
			 u->is_tls ? "s" : "", try[i][0], host, u->port);
		err = dial(c, text);
		if (err == 0 || err == -ETIMEDOUT || err == -ECANCELED)
			return err;
		if (i == 0)
			first = err;
	}
	return first;
}

void otlp_http_conn_close(struct otlp_http_conn *c)
{
	if (c->conn)
		nng_http_conn_close(c->conn);
	c->conn = NULL;
}

bool otlp_http_conn_is_open(const struct otlp_http_conn *c)
{
	return c->conn;
}

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
	rv = nng_http_req_set_data(req, m->data, m->size);
	return rv ? rv : nng_http_req_set_header(req, "Content-Length", length);
}

/*
 * nng waits in close for a write that is still in flight, and a TLS write that waits for the
 * handshake is ended only from the read side: a read that is cancelled takes the whole connection
 * down, and the write with it. (Only to be done while no other read is under way.)
 */
static void end_write(struct otlp_http_conn *c)
{
	uint8_t byte;
	nng_iov iov = {.iov_buf = &byte, .iov_len = 1};

	if (!c->tls)
		return;
	nng_aio_set_iov(c->drain, 1, &iov);
	nng_http_conn_read(c->conn, c->drain);
	nng_aio_cancel(c->drain);
	nng_aio_wait(c->drain);
}

int otlp_http_conn_post(struct otlp_http_conn *c, const struct otlp_http_message *m)
{
	nng_http_req *req;
	int err = to_errno(nng_http_req_alloc(&req, NULL));

	if (err)
		return err;
	err = to_errno(build(req, c, m));
	if (!err)
		err = begin(c);
	if (!err) {
		nng_http_conn_write_req(c->conn, req, c->aio);
		err = finish(c);
	}
	if (err) {
		/* Before what it may still read is freed. */
		end_write(c);
		otlp_http_conn_close(c);
	}
	nng_http_req_free(req);
	return err;
}

/* 101 was not asked for and is taken as final. */
int otlp_http_conn_read_head(struct otlp_http_conn *c, unsigned *ret_status, bool *ret_begun)
{
	*ret_begun = false;
	for (int i = 0; i <= INTERIM_MAX; i++) {
		int err;

		nng_http_res_reset(c->res);
		nng_http_res_set_status(c->res, 0);
		err = begin(c);
		if (err)
			return err;
		nng_http_conn_read_res(c->conn, c->res, c->aio);
		err = finish(c);
		*ret_status = nng_http_res_get_status(c->res);
		if (*ret_status)
			*ret_begun = true;
		if (err)
			return err;
		if (strncmp(nng_http_res_get_version(c->res), "HTTP/1.", 7) != 0)
			return -EPROTO;
		if (*ret_status >= 200 || *ret_status == 101)
			return 0;
	}
	return -EPROTO;
}

bool otlp_http_conn_is_http11(const struct otlp_http_conn *c)
{
	return !strcmp(nng_http_res_get_version(c->res), "HTTP/1.1");
}

const char *otlp_http_conn_header(const struct otlp_http_conn *c, const char *name)
{
	return nng_http_res_get_header(c->res, name);
}

int otlp_http_conn_read(struct otlp_http_conn *c, uint8_t *buf, size_t cap, size_t *ret_len)
{
	nng_iov iov = {.iov_buf = buf, .iov_len = cap};
	int err = begin(c);

	*ret_len = 0;
	if (err)
		return err;
	nng_aio_set_iov(c->aio, 1, &iov);
	nng_http_conn_read(c->conn, c->aio);
	err = finish(c);
	if (err)
		return err;
	*ret_len = nng_aio_count(c->aio);
	return *ret_len ? 0 : -EPIPE;
}

void otlp_http_conn_abort(struct otlp_http_conn *c)
{
	eventfd_write(c->abort_fd, 1);
}
