/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * answer - what a response to an export request means (OTLP 1.x, sections OTLP/HTTP Response and
 * Failures). Pure.
 */
#ifndef OTLP_ANSWER_H
#define OTLP_ANSWER_H

#include <stddef.h>
#include <stdint.h>

enum otlp_answer_kind {
	OTLP_ANSWER_OK,
	OTLP_ANSWER_PARTIAL, /* taken, but some items were rejected, or the server warns */
	OTLP_ANSWER_RETRY, /* send the same bytes again later */
	OTLP_ANSWER_REFUSED /* final: do not send again */
};

struct otlp_answer {
	enum otlp_answer_kind kind;
	unsigned status; /* of HTTP; 0: no answer came */
	uint64_t retry_after_ms; /* with RETRY; 0: the server named none */
	uint64_t rejected; /* items, with PARTIAL */
	char text[200]; /* why, printable ASCII; may be empty */
};

struct otlp_response {
	unsigned status;
	const char *content_type; /* header values; NULL: absent */
	const char *content_encoding;
	const char *retry_after;
	const char *location; /* of a redirect */
	const uint8_t *body;
	size_t len;
};

/* Never fails: what cannot be understood in a body is left out. @now_unix_s is for dates. */
void otlp_answer_read(struct otlp_answer *ret, const struct otlp_response *r, int64_t now_unix_s);

/* The first line's worth of @text, spaces folded, anything not printable replaced. */
void otlp_answer_set_text(struct otlp_answer *a, const void *text, size_t len);

#endif /* OTLP_ANSWER_H */
