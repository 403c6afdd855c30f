/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http_conn - a connection to one origin: bytes and heads go through it under one total deadline.
 * The door to nng.
 *
 * One thread at a time, except otlp_http_conn_abort(): any thread. All operations block and return
 * 0 or: -ETIMEDOUT the deadline; -ECANCELED aborted; -ECONNREFUSED; -EADDRNOTAVAIL the name cannot
 * be resolved; -EPIPE closed by the server; -EPROTO not HTTP/1; -EKEYREJECTED TLS; -ENOMEM; other
 * -errno. What fails leaves the connection closed or good only to be closed.
 */
#ifndef OTLP_HTTP_CONN_H
#define OTLP_HTTP_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otlp/head.h"
#include "otlp/tls_check.h"
#include "otlp/url.h"

struct otlp_http_conn;

struct otlp_http_header {
	const char *name;
	const char *value;
};

/* Connects to nobody yet. @files: read for https only, but always to be complete; copied. 0,
 * -ENOMEM, or the error of otlp_tls_check() and *why. */
int otlp_http_conn_create(struct otlp_http_conn **ret, const struct otlp_url *url,
			  const struct otlp_tls_files *files, const char **why);
void otlp_http_conn_destroy(struct otlp_http_conn *c); /* NULL is allowed */

/* Time for all that follows, from now; 0: no limit. */
void otlp_http_conn_set_timeout(struct otlp_http_conn *c, uint32_t timeout_ms);

int otlp_http_conn_open(struct otlp_http_conn *c);
/* Ends what is under way. Closed already is allowed. */
void otlp_http_conn_close(struct otlp_http_conn *c);
bool otlp_http_conn_is_open(const struct otlp_http_conn *c);

struct otlp_http_message {
	const char *path;
	const struct otlp_http_header *headers; /* without Host, Content-Encoding and
						 * Content-Length; the last of a name counts */
	size_t headers_len;
	const char *encoding; /* Content-Encoding; NULL: none */
	const uint8_t *data;
	size_t size;
};
/* Sends the whole of it, or what the server wanted of it before it answered. The data must stay
 * until release or close. */
int otlp_http_conn_post(struct otlp_http_conn *c, const struct otlp_http_message *m);

/* The head of the answer, past interim (1xx) ones. *ret lives till the next post. */
int otlp_http_conn_read_head(struct otlp_http_conn *c, const struct otlp_head **ret);
/* Whether some of a head came since the last post began. */
bool otlp_http_conn_is_answered(const struct otlp_http_conn *c);

/* At least one byte of what follows the head; -EPIPE at the end of the stream. */
int otlp_http_conn_read(struct otlp_http_conn *c, uint8_t *buf, size_t cap, size_t *ret_len);

/* The exchange is over. Keeps the connection for the next one if the request has left wholly and
 * nothing came beyond the answer, else closes it. */
void otlp_http_conn_release(struct otlp_http_conn *c);

/* Why TLS failed, in words, after -EKEYREJECTED or -EPIPE. 0, or -ENODATA: it did not. */
int otlp_http_conn_explain(const struct otlp_http_conn *c, char *text, size_t cap);

/* Ends the operation under way, and all later ones before they begin. */
void otlp_http_conn_abort(struct otlp_http_conn *c);

#endif /* OTLP_HTTP_CONN_H */
