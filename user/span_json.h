/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * span_json - a span as one flat line of JSON, for people and programs, and back. Pure.
 *
 *	{"time":"2026-01-31T12:00:00.123456789Z","duration":0.250000000,"name":"tcp https",
 *	 "kind":"client","trace_id":"…","span_id":"…","parent_span_id":"…","trace_state":"…",
 *	 "status":"error","message":"…", each attribute under its name,
 *	 "events":[{"time":"…","name":"…", attributes}],"links":[{"trace_id":"…", …}]}
 *
 * What a span does not have is left out, but status, which is "unset" then. Attribute names have
 * dots and so never meet the others. Times have nanoseconds; the duration is in seconds. Integers
 * are written as integers, whatever their size.
 */
#ifndef USER_SPAN_JSON_H
#define USER_SPAN_JSON_H

#include "otlp/otlp.h"
#include "user/json.h"

/* The members, into an object that is open. */
void span_json_write(struct json *j, const struct otlp_span *span);

#define SPAN_JSON_ATTRS_MAX 96

/* What was read; @span and what it points to live here. */
struct span_json {
	struct otlp_span span; /* without events and links */
	struct otlp_attr attrs[SPAN_JSON_ATTRS_MAX]; /* keys with a dot, of plain values */
	uint64_t seq; /* the member "seq"; 0: there is none */
};

/* Reads a line of @len bytes, which it rewrites: texts stay there. 0, or -EINVAL: it is no such
 * line. Attributes beyond the room are left out. */
int span_json_read(struct span_json *ret, char *text, size_t len);

#endif /* USER_SPAN_JSON_H */
