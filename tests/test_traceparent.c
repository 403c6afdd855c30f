/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/traceparent.h"

/* The example of the specification. */
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define GOOD "00-" TRACE "-" SPAN "-01"

/* On the heap, exactly as long as it is: reading beyond it is found. */
static bool find(const char *text, size_t len, struct traceparent *ret)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool is_found;

	memcpy(copy, text, len);
	is_found = traceparent_find(copy, len, ret);
	free(copy);
	return is_found;
}

static bool finds(const char *fields)
{
	struct traceparent t;
	char text[1024];
	int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);

	return find(text, len, &t);
}

static void test_traceparent_reads_the_example_of_the_specification(void **state)
{
	static const uint8_t trace[16] = {0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6,
					  0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36};
	static const uint8_t span[8] = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7};
	static const char text[] =
		"POST /x HTTP/1.1\r\nHost: a\r\ntraceparent: " GOOD "\r\nA: b\r\n\r\nbody\n";
	struct traceparent t;

	(void)state;
	assert_true(find(text, sizeof(text) - 1, &t));
	assert_memory_equal(t.trace_id, trace, 16);
	assert_memory_equal(t.span_id, span, 8);
	assert_int_equal(t.flags, 1);
}

static void test_traceparent_knows_what_to_accept(void **state)
{
	static const char *const good[] = {
		"traceparent: " GOOD "\r\n",
		"Traceparent:" GOOD "\r\n",
		"TRACEPARENT:\t " GOOD " \t\r\n",
		"traceparent: " GOOD "\n", /* a bare line feed, as most servers take it */
		"traceparent: cc-" TRACE "-" SPAN "-01\r\n", /* a later version */
		"traceparent: cc-" TRACE "-" SPAN "-01-what-comes\r\n",
		"traceparent: 00-" TRACE "-" SPAN "-ff\r\n",
		"xtraceparent: 1\r\ntraceparent: " GOOD "\r\ntracestate: a=b\r\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!finds(good[i]))
			fail_msg("not found: %s", good[i]);
}

static void test_traceparent_knows_what_to_ignore(void **state)
{
	static const char *const bad[] = {
		"",
		"tracestate: a=b\r\n",
		"traceparent " GOOD "\r\n",
		"traceparent: \r\n",
		"traceparent:\r\n",
		"traceparent: " GOOD "0\r\n",
		"traceparent: " GOOD "-0\r\n", /* version 00 has nothing more */
		"traceparent: cc-" TRACE "-" SPAN "-01.what\r\n",
		"traceparent: ff-" TRACE "-" SPAN "-01\r\n",
		"traceparent: 00-" TRACE "-" SPAN "-1\r\n",
		"traceparent: 00-" TRACE "-" SPAN "-0g\r\n",
		"traceparent: 0G-" TRACE "-" SPAN "-01\r\n",
		"traceparent: 00-4BF92f3577b34da6a3ce929d0e0e4736-" SPAN "-01\r\n",
		"traceparent: 00-00000000000000000000000000000000-" SPAN "-01\r\n",
		"traceparent: 00-" TRACE "-0000000000000000-01\r\n",
		"traceparent: 00_" TRACE "-" SPAN "-01\r\n",
		"traceparent: 00-" TRACE "_" SPAN "-01\r\n",
		"traceparent: 00-" TRACE "-" SPAN "_01\r\n",
		"traceparent: " GOOD "\r\ntraceparent: " GOOD "\r\n",
		"traceparent: bad\r\ntraceparent: " GOOD "\r\n",
		"\r\ntraceparent: " GOOD "\r\n", /* in the body */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (finds(bad[i]))
			fail_msg("found: %s", bad[i]);
}

static void test_traceparent_needs_its_whole_line(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\ntraceparent: " GOOD "\r\nHost: a\r\n\r\n";
	size_t need = strstr(text, "Host") - text, len;
	struct traceparent t;

	(void)state;
	for (len = 0; len < sizeof(text); len++)
		assert_int_equal(find(text, len, &t), len >= need);
	/* the request line is none of the fields */
	assert_false(find("traceparent: " GOOD "\r\n\r\n", 70, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traceparent_reads_the_example_of_the_specification),
		cmocka_unit_test(test_traceparent_knows_what_to_accept),
		cmocka_unit_test(test_traceparent_knows_what_to_ignore),
		cmocka_unit_test(test_traceparent_needs_its_whole_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
