/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http - POSTs to one server (scheme, host and port) over one kept-alive connection.
 *
 * An otlp_http: one thread at a time, except otlp_http_abort(): any thread. Connects when there is
 * something to send. Never plain text for an https URL. Any number of them run side by side, and
 * may share profiles.
 */
#ifndef OTLP_HTTP_H
#define OTLP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otlp/answer.h"
#include "otlp/http_conn.h"

#define OTLP_HTTP_ANSWER_MAX (4u << 20) /* bytes of a response body, unpacked; more is refused */

struct otlp_http;

struct otlp_http_opts {
	const struct otlp_url *url; /* the origin counts, the path does not; copied */
	const char *ca_file; /* https: PEM file of those who are trusted; NULL: the system's */
	const char *cert_file; /* https: PEM, our own certificate with its chain; NULL: none */
	const char *key_file; /* PEM, not encrypted; both or none */
};

/* 0 and *ret set; -EINVAL: a certificate without key, or the reverse; -ENOENT, -EACCES, another
 * -errno, or -EBADMSG: a file cannot be read or used. *why: a sentence (static text) that names
 * which file it is, not its path, and what is wrong. -ENOMEM. */
int otlp_http_create(struct otlp_http **ret, const struct otlp_http_opts *opts, const char **why);
void otlp_http_destroy(struct otlp_http *h); /* NULL is allowed */

/* What all requests to one URL have in common. Immutable: any number of threads. */
struct otlp_http_profile;

struct otlp_http_profile_opts {
	const char *path; /* request target */
	const struct otlp_http_header *headers; /* added to each request; copied; values secret */
	size_t headers_len;
	const char *user_agent; /* NULL: the library's own */
	bool gzip; /* request bodies */
	uint32_t timeout_ms; /* connecting, sending and the whole answer; 0: no limit */
};

/* 0 and *ret set; -EINVAL: a header cannot be sent, *why (static text) says which rule it breaks;
 * -ENOMEM. */
int otlp_http_profile_create(struct otlp_http_profile **ret,
			     const struct otlp_http_profile_opts *opts, const char **why);
void otlp_http_profile_destroy(struct otlp_http_profile *p); /* NULL is allowed; wipes values */

struct otlp_http_attempt {
	struct otlp_answer answer; /* without a status: RETRY, the text says what went wrong */
	size_t sent_bytes; /* of the body, after compression */
	unsigned connects; /* connections opened */
	bool is_aborted;
};

/* One attempt; blocks. A kept-alive connection that the server has closed meanwhile is replaced
 * once without a word. Retries nothing else. */
void otlp_http_post(struct otlp_http *h, const struct otlp_http_profile *p, const uint8_t *data,
		    size_t size, struct otlp_http_attempt *ret);

/* Ends the attempt under way, and all later ones before they begin. */
void otlp_http_abort(struct otlp_http *h);

#endif /* OTLP_HTTP_H */
