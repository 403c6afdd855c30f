/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http - POSTs to one server (scheme, host and port) over one kept-alive connection.
 *
 * One thread at a time, except otlp_http_abort(): any thread. Connects when there is something to
 * send. Never plain text for an https URL.
 */
#ifndef OTLP_HTTP_H
#define OTLP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otlp/answer.h"
#include "otlp/http_conn.h"

#define OTLP_HTTP_ANSWER_MAX (4u << 20) /* bytes of a response body; more is refused */

struct otlp_http;

struct otlp_http_opts {
	const struct otlp_url *url; /* the origin counts, the path does not; copied */
	const struct otlp_http_header *headers; /* added to each request; copied */
	size_t headers_len;
	const char *user_agent; /* NULL: the library's own */
	const char *ca_file; /* https: PEM file of those who are trusted; NULL: the system's */
	bool gzip; /* request bodies */
};

/* 0 and *ret set; -EINVAL: a header cannot be sent, *why says which rule it breaks; -ENOENT: no
 * usable CA file, *why; -ENOMEM. */
int otlp_http_create(struct otlp_http **ret, const struct otlp_http_opts *opts, const char **why);
void otlp_http_destroy(struct otlp_http *h); /* NULL is allowed */

struct otlp_http_request {
	const char *path; /* request target */
	const uint8_t *data;
	size_t size;
	uint32_t timeout_ms; /* connecting, sending and the whole answer; 0: no limit */
};

struct otlp_http_attempt {
	struct otlp_answer answer; /* without a status: RETRY, the text says what went wrong */
	size_t sent_bytes; /* of the body, after compression */
	unsigned connects; /* connections opened */
	bool is_aborted;
};

/* One attempt; blocks. A kept-alive connection that the server has closed meanwhile is replaced
 * once without a word. Retries nothing else. */
void otlp_http_post(struct otlp_http *h, const struct otlp_http_request *r,
		    struct otlp_http_attempt *ret);

/* Ends the attempt under way, and all later ones before they begin. */
void otlp_http_abort(struct otlp_http *h);

#endif /* OTLP_HTTP_H */
