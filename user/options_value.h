/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_value - the text of one option or variable → a value in range. Part of options.
 *
 * All return 0, or -EINVAL and @why says what is wrong and what is right; then *ret is untouched.
 */
#ifndef USER_OPTIONS_VALUE_H
#define USER_OPTIONS_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/options.h"

int options_value_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret, char *why);

/* Seconds with at most three decimals. */
int options_value_seconds(const char *text, uint32_t min_ms, uint32_t max_ms, uint32_t *ret_ms,
			  char *why);

/* Bytes, or with K, M, G: a power of two, at least a page, at most 1 GiB. */
int options_value_ring(const char *text, uint32_t *ret_bytes, char *why);

/* 64 hexadecimal digits in a file. Warns in the log if others may read it. */
int options_value_site_key(const char *path, uint64_t ret[4], char *why);

/* http://host[:port][/path] or https://…; a query only if @has_query allows it. */
int options_value_url(const char *url, bool has_query, char *why);

/* %XX → byte, in place. NUL and broken sequences are errors. */
int options_value_percent_decode(char *text);

#endif /* USER_OPTIONS_VALUE_H */
