/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * encode_fixture - what the tests of the encoder share: short ways to write items down, and
 * requests as text (otlp_dump.h).
 */
#ifndef TESTS_ENCODE_FIXTURE_H
#define TESTS_ENCODE_FIXTURE_H

#include "otlp/encode.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ATTRS(...)                                                                                 \
	{                                                                                          \
		.list = (struct otlp_attr[]){__VA_ARGS__},                                         \
		.len = sizeof((struct otlp_attr[]){__VA_ARGS__}) / sizeof(struct otlp_attr),       \
	}
/* OTLP_STR() is no constant inside another literal. */
#define STR(literal)                                                                               \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}
#define TEXT(name, text)                                                                           \
	{                                                                                          \
		.key = STR(name), OTLP_STRING, .value.string = STR(text)                           \
	}

/* What HEAD_DUMP() is the head of. */
extern const struct otlp_source encode_source;
#define HEAD_DUMP(items) "1{1{1{1'service.name'2{1's'}}}2{1{1'ringspan'2'1'}" items "3'u'}3'u'}"

/* An encoder of encode_source; aborts the test on failure. */
struct otlp_encoder *encode_encoder(void);
/* Adds @items[i], which is of the batch's signal. */
int encode_add(struct otlp_batch *b, const void *items, size_t i);
/* A request as text, of items that must all be taken; limits may be NULL. The caller frees it. */
char *encode_dump(const struct otlp_source *of, const struct otlp_limits *limits,
		  enum otlp_signal signal, const void *items, size_t len);
/* One item of encode_source. */
void encode_assert_dump(const struct otlp_limits *limits, enum otlp_signal signal, const void *item,
			const char *expected);
/* The item is refused, and the batch stays empty. */
void encode_assert_refused(enum otlp_signal signal, const void *item);

#endif /* TESTS_ENCODE_FIXTURE_H */
