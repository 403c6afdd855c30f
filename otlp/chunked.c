/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 *   size [;extension] CRLF  payload CRLF  …  0 [;extension] CRLF  [trailer CRLF]… CRLF
 *
 * A state per place in that picture, a byte a step; payload is moved in runs. A bare LF is taken
 * for CRLF. What carries no payload is bounded in sum, so that an endless extension ends.
 */
#include "otlp/chunked.h"

#include <errno.h>
#include <string.h>

#define OVERHEAD_MAX 65536u

enum {
	SIZE,
	EXTENSION, /* up to the LF */
	PAYLOAD,
	PAYLOAD_CR,
	PAYLOAD_LF,
	TRAILER,
	DONE
};

void otlp_chunked_init(struct otlp_chunked *c)
{
	memset(c, 0, sizeof(*c));
}

static int hex_digit(uint8_t b)
{
	if (b >= '0' && b <= '9')
		return b - '0';
	if ((b | 0x20) >= 'a' && (b | 0x20) <= 'f')
		return (b | 0x20) - 'a' + 10;
	return -1;
}

static int size_ends(struct otlp_chunked *c)
{
	if (c->digits == 0)
		return -EBADMSG;
	c->state = c->left ? PAYLOAD : TRAILER;
	c->digits = 0;
	c->line_len = 0;
	return 0;
}

static int step_size(struct otlp_chunked *c, uint8_t b)
{
	int digit = hex_digit(b);

	if (digit >= 0) {
		if (++c->digits > 15)
			return -EBADMSG;
		c->left = c->left << 4 | (uint64_t)digit;
		return 0;
	}
	if (b == '\n')
		return size_ends(c);
	if (b != '\r' && b != ';' && b != ' ' && b != '\t')
		return -EBADMSG;
	c->state = EXTENSION;
	return 0;
}

/* Any byte that is not payload. */
static int step(struct otlp_chunked *c, uint8_t b)
{
	switch (c->state) {
	case SIZE:
		return step_size(c, b);
	case EXTENSION:
		if (b == '\n')
			return size_ends(c);
		return ++c->overhead > OVERHEAD_MAX ? -EBADMSG : 0;
	case PAYLOAD_CR:
		if (b == '\r') {
			c->state = PAYLOAD_LF;
			return 0;
		}
		/* fall through */
	case PAYLOAD_LF:
		c->state = SIZE;
		return b == '\n' ? 0 : -EBADMSG;
	case TRAILER:
		if (b == '\n') {
			if (c->line_len == 0)
				c->state = DONE;
			c->line_len = 0;
		} else if (b != '\r') {
			c->line_len++;
		}
		return ++c->overhead > OVERHEAD_MAX ? -EBADMSG : 0;
	default:
		return -EBADMSG;
	}
}

int otlp_chunked_feed(struct otlp_chunked *c, uint8_t *data, size_t len, size_t *ret_len,
		      size_t *used)
{
	size_t at = 0, out = 0;

	while (at < len && c->state != DONE) {
		if (c->state == PAYLOAD) {
			size_t run = len - at < c->left ? len - at : (size_t)c->left;

			memmove(data + out, data + at, run);
			at += run;
			out += run;
			c->left -= run;
			if (c->left == 0)
				c->state = PAYLOAD_CR;
		} else if (step(c, data[at++])) {
			return -EBADMSG;
		}
	}
	*ret_len = out;
	*used = at;
	return c->state == DONE;
}
