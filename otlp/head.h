/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * head - the head of an HTTP/1 response (RFC 9112, sections 4 and 5), piece by piece. Keeps the
 * fields that matter here and allocates nothing. Pure.
 */
#ifndef OTLP_HEAD_H
#define OTLP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTLP_HEAD_MAX 65536u /* bytes of a head */

enum otlp_field {
	OTLP_FIELD_CONNECTION,
	OTLP_FIELD_CONTENT_ENCODING,
	OTLP_FIELD_CONTENT_LENGTH,
	OTLP_FIELD_CONTENT_TYPE,
	OTLP_FIELD_LOCATION,
	OTLP_FIELD_RETRY_AFTER,
	OTLP_FIELD_TRANSFER_ENCODING,
	OTLP_FIELD_MAX
};

struct otlp_head {
	unsigned status; /* 0: not yet read */
	bool is_http11; /* or later, else 1.0 */
	char line[600]; /* being read */
	size_t line_len; /* may be more than there is room for: the line is cut */
	size_t size; /* so far */
	bool has[OTLP_FIELD_MAX];
	char value[OTLP_FIELD_MAX][512];
};

void otlp_head_init(struct otlp_head *h);

/* 0: the head goes on; 1: it is complete, *used bytes of @data belonged to it; -EBADMSG. */
int otlp_head_feed(struct otlp_head *h, const uint8_t *data, size_t len, size_t *used);

/* The value, of several the list of them; NULL: absent. Lives as long as the head. */
const char *otlp_head_field(const struct otlp_head *h, enum otlp_field field);

#endif /* OTLP_HEAD_H */
