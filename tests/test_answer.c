/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/answer.h"

#define NOW INT64_C(1700000000) /* Tue, 14 Nov 2023 22:13:20 GMT */
#define PROTOBUF "application/x-protobuf"

static struct otlp_answer read_answer(unsigned status, const char *type, const char *body,
				      size_t len)
{
	struct otlp_response r = {.status = status, .content_type = type, .len = len};
	struct otlp_answer a;
	uint8_t *copy = malloc(len ? len : 1); /* exactly as long: a read beyond is seen */

	memcpy(copy, body, len);
	r.body = copy;
	otlp_answer_read(&a, &r, NOW);
	free(copy);
	return a;
}

static void test_answer_status_decides(void **state)
{
	(void)state;
	for (unsigned status = 100; status < 600; status++) {
		struct otlp_answer a = read_answer(status, NULL, "", 0);
		enum otlp_answer_kind want = OTLP_ANSWER_REFUSED;

		if (status / 100 == 2)
			want = OTLP_ANSWER_OK;
		if (status == 429 || status == 502 || status == 503 || status == 504)
			want = OTLP_ANSWER_RETRY;
		assert_int_equal(a.kind, want);
		assert_int_equal(a.status, status);
		if (status / 100 == 3)
			assert_non_null(strstr(a.text, "give the final URL"));
		else
			assert_string_equal(a.text, "");
	}
}

static void test_answer_redirect_says_where_without_the_query(void **state)
{
	struct otlp_response r = {.status = 308, .location = "https://n/v1?token=s#t"};
	char far[2000];
	struct otlp_answer a;

	(void)state;
	otlp_answer_read(&a, &r, NOW);
	assert_int_equal(a.kind, OTLP_ANSWER_REFUSED);
	assert_non_null(strstr(a.text, "the server names https://n/v1"));
	assert_null(strstr(a.text, "token"));
	memset(far, 'x', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	r.location = far;
	otlp_answer_read(&a, &r, NOW);
	assert_int_equal(strlen(a.text), sizeof(a.text) - 1);
	r.location = "";
	otlp_answer_read(&a, &r, NOW);
	assert_null(strstr(a.text, "names"));
}

static void test_answer_reads_partial_success(void **state)
{
	/* partial_success { rejected 3, message "bad ids" } */
	static const char partial[] = "\x0a\x0b\x08\x03\x12\x07"
				      "bad ids";
	static const char rejected[] = "\x0a\x03\x08\xac\x02";
	static const char warning[] = "\x0a\x04\x12\x02hm";
	static const char unknown[] = "\x12\x01x\x0a\x07\x1a\x01y\x08\x02\x20\x05";
	static const char negative[] = "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
	struct otlp_answer a = read_answer(200, PROTOBUF, partial, sizeof(partial) - 1);

	(void)state;
	assert_int_equal(a.kind, OTLP_ANSWER_PARTIAL);
	assert_int_equal(a.rejected, 3);
	assert_string_equal(a.text, "bad ids");
	a = read_answer(200, PROTOBUF "; x=y", rejected, sizeof(rejected) - 1);
	assert_int_equal(a.kind, OTLP_ANSWER_PARTIAL);
	assert_int_equal(a.rejected, 300);
	a = read_answer(200, "Application/X-Protobuf", warning, sizeof(warning) - 1);
	assert_int_equal(a.kind, OTLP_ANSWER_PARTIAL);
	assert_int_equal(a.rejected, 0);
	assert_string_equal(a.text, "hm");
	a = read_answer(200, PROTOBUF, unknown, sizeof(unknown) - 1);
	assert_int_equal(a.rejected, 2);
	a = read_answer(200, PROTOBUF, unknown, 9); /* cut short: a warning */
	assert_int_equal(a.kind, OTLP_ANSWER_PARTIAL);
	assert_int_equal(a.rejected, 0);
	assert_string_not_equal(a.text, "");
	a = read_answer(200, PROTOBUF, negative, sizeof(negative) - 1);
	assert_int_equal(a.rejected, 0);
}

static void test_answer_empty_partial_is_success(void **state)
{
	(void)state;
	assert_int_equal(read_answer(200, PROTOBUF, "\x0a\x00", 2).kind, OTLP_ANSWER_OK);
	assert_int_equal(read_answer(200, PROTOBUF, "\x0a\x02\x08\x00", 4).kind, OTLP_ANSWER_OK);
	assert_int_equal(read_answer(200, PROTOBUF, "", 0).kind, OTLP_ANSWER_OK);
}

static void test_answer_ignores_other_types(void **state)
{
	static const char *const types[] = {NULL,
					    "",
					    "text/html",
					    "application/json",
					    "application/x-protobuffer",
					    "application/x-proto"};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(read_answer(200, types[i], "\x0a\x02\x08\x09", 4).kind,
				 OTLP_ANSWER_OK);
}

static void test_answer_shows_status_message(void **state)
{
	static const char body[] = "\x08\x03\x12\x0bmissing\nid\x01";
	struct otlp_answer a = read_answer(400, PROTOBUF, body, sizeof(body) - 1);

	(void)state;
	assert_int_equal(a.kind, OTLP_ANSWER_REFUSED);
	assert_string_equal(a.text, "missing id");
}

static void test_answer_shortens_and_cleans_text(void **state)
{
	static const char html[] = "\r\n <html>\t<b>Bad\x1b[31m  gateway</b>\xc3\xa4</html> \n";
	struct otlp_answer a = read_answer(502, "text/html", html, sizeof(html) - 1);
	char big[5000];

	(void)state;
	assert_string_equal(a.text, "<html> <b>Bad [31m gateway</b>?"
				    "?</html>");
	memset(big, 'x', sizeof(big));
	for (size_t len = 0; len < 400; len++) {
		a = read_answer(500, NULL, big, len);
		assert_true(strlen(a.text) <= len + 3 && strlen(a.text) < sizeof(a.text));
	}
	assert_string_equal(a.text + strlen(a.text) - 4, "x...");
	a = read_answer(500, NULL, "\0\0", 2);
	assert_string_equal(a.text, "");
}

static void test_answer_reads_retry_after(void **state)
{
	static const struct {
		const char *value;
		uint64_t want_ms;
	} cases[] = {
		{NULL, 0},
		{"0", 0},
		{"7", 7000},
		{"120", 120000},
		{"99999999999999999999999", 24 * 3600 * 1000},
		{"Tue, 14 Nov 2023 22:14:20 GMT", 60000},
		{"Tue, 14 Nov 2023 22:13:20 GMT", 0},
		{"Tue, 14 Nov 2000 22:14:20 GMT", 0},
		{"Fri, 14 Nov 2053 22:14:20 GMT", 24 * 3600 * 1000},
		{"Tue, 14 Nov 2023 22:14:20 CET", 0},
		{"Tue, 14 ovD 2023 22:14:20 GMT", 0},
		{"Tue, 14 No 2023 22:14:20 GMT", 0},
		{"Fri, 00 Nov 2053 22:14:20 GMT", 0},
		{"Fri, 32 Nov 2053 22:14:20 GMT", 0},
		{"Fri, 14 Nov 2053 24:14:20 GMT", 0},
		{"Fri, 14 Nov 2053 22:60:20 GMT", 0},
		{"Fri, 14 Nov 2053 22:14:61 GMT", 0},
		{"Fri, 14 Nov 2053 -1:14:20 GMT", 0},
		{"Friday, 14-Nov-53 22:14:20 GMT", 0},
		{"Fri Nov 14 22:14:20 2053", 0},
		{"soon", 0},
		{"7 s", 0},
		{"-7", 0},
		{"1.5", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct otlp_response r = {.status = 503, .retry_after = cases[i].value};
		struct otlp_answer a;

		otlp_answer_read(&a, &r, NOW);
		assert_int_equal(a.kind, OTLP_ANSWER_RETRY);
		assert_int_equal(a.retry_after_ms, cases[i].want_ms);
	}
}

/* Whatever comes, it is read within bounds (the address sanitizer looks on) and classified. */
static void test_answer_survives_any_body(void **state)
{
	static const char partial[] = "\x0a\x0b\x08\x03\x12\x07"
				      "bad ids";
	uint32_t random = 1;
	char body[64];

	(void)state;
	for (size_t len = 0; len < sizeof(partial) - 1; len++)
		for (unsigned status = 200; status <= 400; status += 200)
			read_answer(status, PROTOBUF, partial, len);
	for (unsigned i = 0; i < 100000; i++) {
		size_t len = i % sizeof(body);
		unsigned status = i & 1 ? 200 : 400;
		struct otlp_answer a;

		for (size_t at = 0; at < len; at++) {
			random = random * 1664525 + 1013904223;
			body[at] = i % 3 ? (char)(random >> 24) : "\x0a\x08\x12\x7f"[random >> 30];
		}
		a = read_answer(status, PROTOBUF, body, len);
		assert_true(strlen(a.text) < sizeof(a.text));
		assert_true(status == 200 ? a.kind <= OTLP_ANSWER_PARTIAL
					  : a.kind == OTLP_ANSWER_REFUSED);
	}
}

static void test_answer_does_not_read_compressed_bodies(void **state)
{
	struct otlp_response r = {.status = 200,
				  .content_type = PROTOBUF,
				  .content_encoding = "gzip",
				  .body = (const uint8_t *)"\x1f\x8b",
				  .len = 2};
	struct otlp_answer a;

	(void)state;
	otlp_answer_read(&a, &r, NOW);
	assert_int_equal(a.kind, OTLP_ANSWER_PARTIAL);
	assert_int_equal(a.rejected, 0);
	assert_string_not_equal(a.text, "");
	r.status = 400;
	otlp_answer_read(&a, &r, NOW);
	assert_int_equal(a.kind, OTLP_ANSWER_REFUSED);
	assert_string_equal(a.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_status_decides),
		cmocka_unit_test(test_answer_redirect_says_where_without_the_query),
		cmocka_unit_test(test_answer_reads_partial_success),
		cmocka_unit_test(test_answer_empty_partial_is_success),
		cmocka_unit_test(test_answer_ignores_other_types),
		cmocka_unit_test(test_answer_shows_status_message),
		cmocka_unit_test(test_answer_shortens_and_cleans_text),
		cmocka_unit_test(test_answer_reads_retry_after),
		cmocka_unit_test(test_answer_survives_any_body),
		cmocka_unit_test(test_answer_does_not_read_compressed_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
