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

/* Bytes, or with K, M, G, T. */
int options_value_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes,
		       char *why);

/* 64 hexadecimal digits in a file. Warns in the log if others may read it. */
int options_value_site_key(const char *path, uint64_t ret[4], char *why);

/* http://host[:port][/path] or https://…; a query only if @has_query allows it. */
int options_value_url(const char *url, bool has_query, char *why);

/* Whether two valid URLs without query name the same place. */
bool options_value_url_same(const char *a, const char *b);

/* What may be shown of a URL, valid or not: no user or password, no query. */
#define OPTIONS_URL_SHOWN_CAP 101
const char *options_value_url_shown(const char *url, char buf[OPTIONS_URL_SHOWN_CAP]);

/* %XX → byte, in place. NUL and broken sequences are errors. */
int options_value_percent_decode(char *text);

/* A file that holds certificates or a key in PEM: there and readable. */
int options_value_file(const char *path, char *why);

#endif /* USER_OPTIONS_VALUE_H */
