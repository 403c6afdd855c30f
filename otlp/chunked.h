/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * chunked - takes the chunked transfer coding (RFC 9112, section 7.1) off a body, piece by piece.
 * Pure.
 */
#ifndef OTLP_CHUNKED_H
#define OTLP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

struct otlp_chunked {
	int state;
	uint64_t left; /* bytes of this chunk, or its size while that is being read */
	unsigned digits; /* of the size */
	size_t line_len; /* of the trailer line being read */
	size_t overhead; /* bytes of extensions and trailers so far: bounded */
};

void otlp_chunked_init(struct otlp_chunked *c);

/* Decodes @data in place. 0: the body goes on; 1: it is complete, *used bytes of @data belonged to
 * it; -EBADMSG. *ret_len bytes of payload now stand at @data. */
int otlp_chunked_feed(struct otlp_chunked *c, uint8_t *data, size_t len, size_t *ret_len,
		      size_t *used);

#endif /* OTLP_CHUNKED_H */
