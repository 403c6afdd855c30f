/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * traceparent - the trace context that an HTTP/1 request in plain text carries (W3C Trace Context,
 * level 1, section 3.2). Pure; reads bytes that strangers wrote.
 */
#ifndef USER_TRACEPARENT_H
#define USER_TRACEPARENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct traceparent {
	uint8_t trace_id[16]; /* not all zero */
	uint8_t span_id[8]; /* not all zero */
	uint8_t flags; /* bit 0: sampled */
};

/* @text: the beginning of a request, which may be cut anywhere. False if its header has no
 * traceparent, more than one, one that the specification tells to ignore, or the cut is before the
 * end of that line. */
bool traceparent_find(const uint8_t *text, size_t len, struct traceparent *ret);

#endif /* USER_TRACEPARENT_H */
