/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/head.h"

/* Feeds pieces of @piece bytes, each in memory of exactly its length. */
static int feed(struct otlp_head *h, const char *text, size_t len, size_t piece, size_t *ret_used)
{
	int end = 0;

	otlp_head_init(h);
	*ret_used = 0;
	for (size_t at = 0; at < len && !end; at += piece) {
		size_t n = len - at < piece ? len - at : piece, used = 0;
		uint8_t *copy = malloc(n);

		memcpy(copy, text + at, n);
		end = otlp_head_feed(h, copy, n, &used);
		*ret_used += used;
		free(copy);
	}
	return end;
}

static void assert_field(const struct otlp_head *h, enum otlp_field field, const char *want)
{
	const char *value = otlp_head_field(h, field);

	if (want)
		assert_string_equal(value, want);
	else
		assert_null(value);
}

static void test_head_is_read_however_it_is_cut(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
		bool is_http11;
		const char *length, *connection, *location;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\n\r\n", 200, true, NULL, NULL, NULL},
		{"HTTP/1.0 503 \r\nContent-Length: 7\r\n\r\n", 503, false, "7", NULL, NULL},
		{"HTTP/1.1 204\nCONTENT-LENGTH:0\n\n", 204, true, "0", NULL, NULL},
		{"HTTP/1.1 200 a b c\r\nX: y\r\nconnection: \t close \t\r\nX-Content-Length: "
		 "9\r\nCon: x\r\n"
		 "Content-Length2: 9\r\n\r\n",
		 200, true, NULL, "close", NULL},
		{"HTTP/1.1 301 x\r\nContent-Length: 1\r\nConnection: a\r\nLocation: /p:q\r\n"
		 "Connection: b, c\r\nContent-length: 2\r\n\r\n",
		 301, true, "1, 2", "a, b, c", "/p:q"},
		{"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", 200, true, "", NULL, NULL},
		{"HTTP/1.1 200 OK\r\nContent-Length:\r\nContent-Length: 3\r\n\r\n", 200, true,
		 ", 3", NULL, NULL},
		{"HTTP/1.9 999 \xc3\xa4\r\nServer: \xff\t\x80\r\n\r\n", 999, true, NULL, NULL,
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = strlen(cases[i].text), used;
		struct otlp_head h;
		char text[400];

		memcpy(text, cases[i].text, size);
		memcpy(text + size, "\nnext", 5);
		for (size_t piece = 1; piece <= size + 5; piece++) {
			assert_int_equal(feed(&h, text, size + 5, piece, &used), 1);
			assert_int_equal(used, size);
			assert_int_equal(h.status, cases[i].status);
			assert_int_equal(h.is_http11, cases[i].is_http11);
			assert_field(&h, OTLP_FIELD_CONTENT_LENGTH, cases[i].length);
			assert_field(&h, OTLP_FIELD_CONNECTION, cases[i].connection);
			assert_field(&h, OTLP_FIELD_LOCATION, cases[i].location);
			assert_field(&h, OTLP_FIELD_RETRY_AFTER, NULL);
		}
		for (size_t cut = 0; cut < size; cut++) {
			assert_int_equal(feed(&h, text, cut, 1, &used), 0);
			assert_int_equal(used, cut);
		}
	}
}

static void test_head_knows_all_its_fields(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nConnection: 1\r\nContent-Encoding: 2\r\n"
				   "Content-Length: 3\r\nContent-Type: 4\r\nLocation: 5\r\n"
				   "Retry-After: 6\r\nTransfer-Encoding: 7\r\n\r\n";
	struct otlp_head h;
	size_t used;

	(void)state;
	assert_int_equal(feed(&h, text, sizeof(text) - 1, 999, &used), 1);
	for (unsigned f = 0; f < OTLP_FIELD_MAX; f++) {
		char want[] = {(char)('1' + f), '\0'};

		assert_field(&h, f, want);
	}
}

static void test_head_refuses_what_is_none(void **state)
{
	static const char *const cases[] = {
		"\r\n",
		"<html>\r\n",
		"SSH-2.0-OpenSSH\r\n",
		"HTTP/2 200 OK\r\n",
		"HTTP/2.0 200 OK\r\n",
		"http/1.1 200 OK\r\n",
		"HTTP/1.x 200 OK\r\n",
		"HTTP/1.1  200 OK\r\n",
		"HTTP/1.1\t200 OK\r\n",
		"HTTP/1.1 20 OK\r\n",
		"HTTP/1.1 2000 OK\r\n",
		"HTTP/1.1 099 OK\r\n",
		"HTTP/1.1 200OK\r\n",
		"HTTP/1.1 -20 OK\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n",
		"HTTP/1.1 200 OK\r\n: x\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n",
		"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 1\r\n",
		"HTTP/1.1 200 OK\r\nA: \x01\r\n",
		"HTTP/1.1 200 OK\r\nA: \x7f\r\n",
	};
	static const char nul[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\0\r\n";
	struct otlp_head h;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t piece = 1; piece < 99; piece += 97)
			assert_int_equal(feed(&h, cases[i], strlen(cases[i]), piece, &used),
					 -EBADMSG);
	assert_int_equal(feed(&h, nul, sizeof(nul) - 1, 1, &used), -EBADMSG);
}

/* Of any length if it does not matter; where to go is cut; all else that is too long is refused. */
static void test_head_bounds_what_it_keeps(void **state)
{
	static const struct {
		const char *name;
		int wide_ok, wider_ok;
	} cases[] = {
		{"X-Any", 1, 1},
		{"Location", 1, 1},
		{"Content-Length", 1, -EBADMSG},
		{"Content-Type", 1, -EBADMSG},
	};
	char text[5000];
	struct otlp_head h;
	size_t used;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		for (int width = 505; width < 620; width++) {
			int len =
				snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s: %0*d\r\n\r\n",
					 cases[i].name, width, 0);

			assert_int_equal(feed(&h, text, (size_t)len, 7, &used),
					 width > 511 ? cases[i].wider_ok : cases[i].wide_ok);
			if (i == 1)
				assert_int_equal(strlen(otlp_head_field(&h, OTLP_FIELD_LOCATION)),
						 width < 511 ? width : 511);
		}
	}
	/* The sum of several counts, too. */
	snprintf(text, sizeof(text),
		 "HTTP/1.1 200 OK\r\nConnection: %0300d\r\nConnection: %0300d\r\n", 0, 0);
	assert_int_equal(feed(&h, text, strlen(text), 99, &used), -EBADMSG);
	for (int width = 508; width <= 509; width++) {
		int len = snprintf(text, sizeof(text),
				   "HTTP/1.1 200 OK\r\nConnection: %0*d\r\nConnection: x\r\n\r\n",
				   width, 0);

		assert_int_equal(feed(&h, text, (size_t)len, 99, &used),
				 width == 508 ? 1 : -EBADMSG);
	}
	snprintf(text, sizeof(text), "HTTP/1.1 200 %04000d\r\n\r\n", 0);
	assert_int_equal(feed(&h, text, strlen(text), 99, &used), 1);
}

static void test_head_ends_without_end(void **state)
{
	static const char *const parts[] = {"x", "A: b\r\n"};
	struct otlp_head h;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t fed = 0, used;
		int end;

		otlp_head_init(&h);
		assert_int_equal(
			otlp_head_feed(&h, (const uint8_t *)"HTTP/1.1 200 OK\r\n", 17, &used), 0);
		do {
			end = otlp_head_feed(&h, (const uint8_t *)parts[i], strlen(parts[i]),
					     &used);
			fed += strlen(parts[i]);
		} while (end == 0 && fed < 200000);
		assert_int_equal(end, -EBADMSG);
		assert_true(fed > OTLP_HEAD_MAX - 100 && fed < OTLP_HEAD_MAX + 100);
	}
}

/* Whatever comes, it is read within bounds (the address sanitizer looks on). */
static void test_head_survives_any_bytes(void **state)
{
	static const char *const pieces[] = {"HTTP/1.1 200 OK\r\n",
					     "Content-Length:",
					     "Location: ",
					     "\r\n",
					     ": ",
					     " \t",
					     "0123456789",
					     "\r"};
	uint32_t random = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char text[2000];
		size_t len = i & 1 ? 17 : 0, used;
		struct otlp_head h;

		memcpy(text, pieces[0], len);
		while (len < sizeof(text) - 20 && random % 61) {
			const char *part = pieces[random >> 8 & 7];

			random = random * 1664525 + 1013904223;
			if (random >> 30)
				len += (size_t)sprintf(text + len, "%s", part);
			else
				text[len++] = (char)(random >> 16);
		}
		random = random * 1664525 + 1013904223;
		assert_in_range(feed(&h, text, len, 1 + i % 50, &used) + EBADMSG, 0, EBADMSG + 1);
		assert_true(used <= len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_is_read_however_it_is_cut),
		cmocka_unit_test(test_head_knows_all_its_fields),
		cmocka_unit_test(test_head_refuses_what_is_none),
		cmocka_unit_test(test_head_bounds_what_it_keeps),
		cmocka_unit_test(test_head_ends_without_end),
		cmocka_unit_test(test_head_survives_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
