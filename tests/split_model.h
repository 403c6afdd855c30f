/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * split_model - what test_split compares with: byte strings, and a second reader of requests that
 * shares no line with otlp/split. Assertions are cmocka's.
 */
#ifndef TESTS_SPLIT_MODEL_H
#define TESTS_SPLIT_MODEL_H

#include "otlp/otlp.h"

/* A growing byte string. */
struct bytes {
	uint8_t *p;
	size_t len;
	size_t cap;
};

void bytes_add(struct bytes *b, const void *data, size_t size);
void bytes_add_varint(struct bytes *b, uint64_t v);
void bytes_add_message(struct bytes *b, uint32_t tag, const struct bytes *body);

/* The way to the items: the letter of a field's number at each depth. */
extern const char *const flat_paths[OTLP_SIGNAL_MAX][6];

/* The items of a request, each with all that stands around it, as one byte string. */
struct flat {
	enum otlp_signal signal;
	size_t limit;
	struct bytes around; /* the item: tag and other fields of each message */
	size_t around_size; /* bytes that these need in a piece */
	struct bytes out;
	size_t items;
	size_t too_large;
};

/* Adds what is in a request, without what exceeds the limit; false: it is none. */
bool flat_add(struct flat *f, const uint8_t *data, size_t size);
void flat_free(struct flat *f);

#endif /* TESTS_SPLIT_MODEL_H */
