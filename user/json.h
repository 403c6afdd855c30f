/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * json - writes JSON (RFC 8259) to a stream, as one line, in the order of the calls.
 *
 * Inside an object every value has a key, inside an array none has (NULL). What was opened must be
 * closed. Text that is no UTF-8 is made so; a number that JSON cannot say is null. Errors of the
 * stream stay in the stream.
 */
#ifndef USER_JSON_H
#define USER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out; /* borrowed */
	unsigned depth;
	uint32_t has_items; /* a bit for each depth, of which there are at most 31 */
	uint32_t is_array; /* the same */
};

void json_init(struct json *j, FILE *out);

void json_open_object(struct json *j, const char *key);
void json_open_array(struct json *j, const char *key);
void json_close(struct json *j); /* the innermost one */

void json_add_text(struct json *j, const char *key, const char *text); /* NULL text: null */
/* @len bytes of anything. */
void json_add_string(struct json *j, const char *key, const char *text, size_t len);
void json_add_uint(struct json *j, const char *key, uint64_t value);
void json_add_int(struct json *j, const char *key, int64_t value);
/* Nanoseconds as seconds, exactly: 1.500000000 */
void json_add_seconds(struct json *j, const char *key, uint64_t ns);
void json_add_number(struct json *j, const char *key, double value);
void json_add_bool(struct json *j, const char *key, bool value);

#endif /* USER_JSON_H */
