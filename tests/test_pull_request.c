/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "user/pull_request.h"

static struct pull_request parse(const char *text)
{
	size_t len = pull_request_head(text, strlen(text));
	struct pull_request ret;

	assert_int_equal(len, strlen(text));
	pull_request_parse(&ret, text, len);
	return ret;
}

static void test_pull_request_ends_with_an_empty_line(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text) - 4; i++)
		assert_int_equal(pull_request_head(text, i), 0);
	assert_int_equal(pull_request_head(text, sizeof(text) - 1), sizeof(text) - 4);
	assert_int_equal(pull_request_head("a\n\nb", 4), 3);
}

static void test_pull_request_names_a_page(void **state)
{
	static const struct {
		const char *target;
		enum pull_page page;
	} cases[] = {{"/", PULL_INDEX},
		     {"/metrics", PULL_METRICS},
		     {"/metrics?x=/y", PULL_METRICS},
		     {"http://h:9101/metrics", PULL_METRICS},
		     {"HTTP://h", PULL_INDEX},
		     {"/healthz", PULL_HEALTH},
		     {"/readyz", PULL_READY},
		     {"/metrics/", PULL_NOT_FOUND},
		     {"/metric", PULL_NOT_FOUND},
		     {"/Metrics", PULL_NOT_FOUND},
		     {"/%6detrics", PULL_NOT_FOUND},
		     {"/x%41", PULL_NOT_FOUND},
		     {"*", PULL_NOT_FOUND}};
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pull_request r;

		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nhost:h\r\n\r\n", cases[i].target);
		r = parse(text);
		assert_int_equal(r.refused, 0);
		assert_int_equal(r.page, cases[i].page);
		assert_true(r.keeps_alive && !r.is_head);
	}
	assert_true(parse("HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n").is_head);
}

static void test_pull_request_refuses_what_is_none(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
	} cases[] = {
		{"GET / HTTP/1.1\r\n\r\n", 400}, /* no host */
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"GET / HTTP/1.0\r\n\r\n", 0},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"GET / HTTP/1.11\r\nHost: a\r\n\r\n", 400},
		{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /\r\nHost: a\r\n\r\n", 400},
		{"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400}, /* a line that goes on */
		{"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400},
		{"get / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(parse(cases[i].text).refused, cases[i].status);
}

static void test_pull_request_says_whether_another_follows(void **state)
{
	static const struct {
		const char *field;
		bool keeps;
	} cases[] = {{"Connection: keep-alive", true}, {"Connection: x, Close", false},
		     {"Connection: closed", true},     {"Content-Length: 0", true},
		     {"Content-Length: 5", false},     {"Transfer-Encoding: chunked", false}};
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n",
			 cases[i].field);
		assert_int_equal(parse(text).keeps_alive, cases[i].keeps);
	}
	assert_false(parse("GET / HTTP/1.0\r\n\r\n").keeps_alive);
	assert_false(parse("GET / HTTP/1.1\r\n\r\n").keeps_alive); /* who knows what comes next */
}

#define OPEN "application/openmetrics-text"

static void test_pull_request_chooses_the_format(void **state)
{
	static const struct {
		const char *accept;
		bool is_open;
	} cases[] = {
		{"", false},
		{"*/*", false},
		{"text/html", false},
		{OPEN, true},
		{"APPLICATION/OpenMetrics-Text; Version=\"1.0.0\"", true},
		{OPEN "; version=0.0.1", false},
		{OPEN ";version=2.0.0", false},
		{OPEN ";q=0", false},
		{OPEN ";q=0.000", false},
		{OPEN ";q=0.5,text/plain", false},
		{OPEN ";q=0.5,text/plain;q=0.4", true},
		{OPEN ";q=0.5,text/plain;q=0.500", false},
		{OPEN ";q=0.501,text/plain;q=0.5", true},
		{OPEN ";q=0.5,*/*", false},
		{"application/*;q=0.9,*/*;q=0.1", true},
		{"application/*," OPEN ";q=0.1,text/*;q=0.2", false},
		{OPEN ";q=nonsense", false},
		{OPEN ";q=2", false},
		{OPEN ";q=1.0", true},
		{"text/plain;version=1.0.0;q=0.9," OPEN ";q=0.5", true},
		{",,;=/,;" OPEN, false},
		/* what Prometheus 3 sends */
		{OPEN
		 ";version=1.0.0;escaping=allow-utf-8;q=0.6," OPEN ";version=0.0.1;q=0.5,"
		 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;"
		 "q=0.3,*/*;q=0.2",
		 true},
	};
	char text[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text),
			 "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: %s\r\n\r\n", cases[i].accept);
		if (parse(text).wants_openmetrics != cases[i].is_open)
			fail_msg("%s", cases[i].accept);
	}
	/* several lines are one list */
	assert_true(parse("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/plain;q=0.1\r\nAccept: " OPEN
			  ";q=0.2\r\n\r\n")
			    .wants_openmetrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pull_request_ends_with_an_empty_line),
		cmocka_unit_test(test_pull_request_names_a_page),
		cmocka_unit_test(test_pull_request_refuses_what_is_none),
		cmocka_unit_test(test_pull_request_says_whether_another_follows),
		cmocka_unit_test(test_pull_request_chooses_the_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
