/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http_conn - a connection to one origin: bytes and heads go through it under one total deadline.
 * The door to nng.
 *
 * One thread at a time, except otlp_http_conn_abort(): any thread. All operations block and return
 * 0 or: -ETIMEDOUT the deadline; -ECANCELED aborted; -ECONNREFUSED; -EADDRNOTAVAIL the name cannot
 * be resolved; -EPIPE closed by the server; -EPROTO not HTTP/1; -EKEYREJECTED TLS; -ENOMEM; other
 * -errno.
 */
#ifndef OTLP_HTTP_CONN_H
#define OTLP_HTTP_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otlp/url.h"

struct otlp_http_conn;

struct otlp_http_header {
	const char *name;
	const char *value;
};

/* Connects to nobody yet. @ca_file: PEM file, NULL: the system's; read for https only. 0, -ENOMEM,
 * or -ENOENT and *why. */
int otlp_http_conn_create(struct otlp_http_conn **ret, const struct otlp_url *url,
			  const char *ca_file, const char **why);
void otlp_http_conn_destroy(struct otlp_http_conn *c); /* NULL is allowed */

/* Time for all that follows, from now; 0: no limit. */
void otlp_http_conn_set_timeout(struct otlp_http_conn *c, uint32_t timeout_ms);

int otlp_http_conn_open(struct otlp_http_conn *c);
/* Ends what is under way; buffers that were given may be freed only then. Closed already is
 * allowed. */
void otlp_http_conn_close(struct otlp_http_conn *c);
bool otlp_http_conn_is_open(const struct otlp_http_conn *c);

struct otlp_http_message {
	const char *path;
	const struct otlp_http_header *headers; /* without Host and Content-Length; the last of a
						 * name counts */
	size_t headers_len;
	const uint8_t *data;
	size_t size;
};
/* Sends the whole of it; closes on failure. */
int otlp_http_conn_post(struct otlp_http_conn *c, const struct otlp_http_message *m);

/* The head of the answer, past interim (1xx) ones. Fails with *ret_begun set if some of it came. */
int otlp_http_conn_read_head(struct otlp_http_conn *c, unsigned *ret_status, bool *ret_begun);
bool otlp_http_conn_is_http11(const struct otlp_http_conn *c);
/* Of the head last read; NULL: absent. Valid till the next one is read. */
const char *otlp_http_conn_header(const struct otlp_http_conn *c, const char *name);

/* At least one byte of what follows the head; -EPIPE at the end of the stream. */
int otlp_http_conn_read(struct otlp_http_conn *c, uint8_t *buf, size_t cap, size_t *ret_len);

/* Ends the operation under way, and all later ones before they begin. */
void otlp_http_conn_abort(struct otlp_http_conn *c);

#endif /* OTLP_HTTP_CONN_H */
