/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/chunked.h"

/* Feeds pieces of @piece bytes, each in memory of exactly its length. Returns the last result;
 * *ret_used counts over all pieces. */
static int decode(const char *text, size_t len, size_t piece, char *out, size_t *ret_len,
		  size_t *ret_used)
{
	struct otlp_chunked c;
	int err = 0;

	otlp_chunked_init(&c);
	*ret_len = *ret_used = 0;
	for (size_t at = 0; at < len && err == 0; at += piece) {
		size_t n = len - at < piece ? len - at : piece, got = 0, used = 0;
		uint8_t *copy = malloc(n);

		memcpy(copy, text + at, n);
		err = otlp_chunked_feed(&c, copy, n, &got, &used);
		if (err >= 0) {
			memcpy(out + *ret_len, copy, got);
			*ret_len += got;
			*ret_used += used;
		}
		free(copy);
	}
	return err;
}

static void test_chunked_decodes_however_it_is_cut(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"0\r\n\r\n", ""},
		{"3\r\nabc\r\n0\r\n\r\n", "abc"},
		{"3;name=value\r\nabc\r\nA ; x=\"y z\"\r\n0123456789\r\n000;last\r\n\r\n",
		 "abc0123456789"},
		{"1\r\na\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", "a"},
		{"2\nab\n0\n\n", "ab"},
		{"0000000000000f\r\n0123456789abcde\r\n0\r\n\r\n", "0123456789abcde"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = strlen(cases[i].text);
		char text[200], out[200];

		memcpy(text, cases[i].text, size);
		memcpy(text + size, "next", 4);
		for (size_t piece = 1; piece <= size + 4; piece++) {
			size_t len, used;

			assert_int_equal(decode(text, size + 4, piece, out, &len, &used), 1);
			assert_int_equal(used, size);
			assert_int_equal(len, strlen(cases[i].want));
			assert_memory_equal(out, cases[i].want, len);
		}
		for (size_t cut = 0; cut < size; cut++) {
			size_t len, used;

			assert_int_equal(decode(text, cut, 1, out, &len, &used), 0);
			assert_int_equal(used, cut);
		}
	}
}

static void test_chunked_refuses_what_is_not(void **state)
{
	static const char *const cases[] = {
		"\r\n",		"g\r\n",	   ";x\r\n",
		"-1\r\n",	"<html>",	   "1\r\nab",
		"1\r\na\rb",	"1\r\na0\r\n\r\n", "10000000000000000\r\n",
		"0x1\r\na\r\n", "1\r\na\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len, used;
		char out[200];

		assert_int_equal(decode(cases[i], strlen(cases[i]), 1, out, &len, &used), -EBADMSG);
		assert_int_equal(decode(cases[i], strlen(cases[i]), 99, out, &len, &used),
				 -EBADMSG);
	}
}

static void test_chunked_ends_endless_overhead(void **state)
{
	static const char *const heads[] = {"1;", "0\r\n"};
	size_t size = 200000;
	char *text = malloc(size), *out = malloc(size);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t len, used;

		memset(text, 'x', size);
		memcpy(text, heads[i], strlen(heads[i]));
		assert_int_equal(decode(text, size, 4096, out, &len, &used), -EBADMSG);
	}
	free(text);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunked_decodes_however_it_is_cut),
		cmocka_unit_test(test_chunked_refuses_what_is_not),
		cmocka_unit_test(test_chunked_ends_endless_overhead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
