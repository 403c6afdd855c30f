/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers that come before the request is over: a request larger than any socket buffer meets a
 * server that does not read it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "tests/http_client.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct otlp_http_attempt post_large_to(const struct fault_step *step, size_t len,
					      bool *ret_next_is_ok)
{
	size_t size = 16 << 20;
	uint8_t *large = calloc(1, size);
	struct otlp_http_profile *p = client_profile(false, 10000);
	struct fault *f = fault_start(0, step, len);
	struct otlp_http *h = client(fault_url(f));
	struct otlp_http_attempt a;

	otlp_http_post(h, p, large, size, &a);
	if (ret_next_is_ok)
		*ret_next_is_ok = post(h).answer.kind == OTLP_ANSWER_OK;
	otlp_http_destroy(h);
	otlp_http_profile_destroy(p);
	fault_stop(f);
	free(large);
	return a;
}

/* As real servers refuse what is too large: they answer, read nothing more, and close later. */
static void test_http_early_413_is_read_while_sending(void **state)
{
	static const struct fault_step step = {
		.bytes = "HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"
			 "too large",
		.head_only = true,
		.end = FAULT_HANG};
	uint64_t start = now_ms();
	struct otlp_http_attempt a = post_large_to(&step, 1, NULL);

	(void)state;
	assert_int_equal(a.answer.kind, OTLP_ANSWER_REFUSED);
	assert_int_equal(a.answer.status, 413);
	assert_string_equal(a.answer.text, "too large");
	assert_true(now_ms() - start < 5000);
}

/* And keeps the connection as it says: but it is half a request on, and cannot be. */
static void test_http_early_answer_ends_the_connection(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
		 .head_only = true,
		 .pace_ms = 500,
		 .end = FAULT_RESET},
	};
	bool next_is_ok = false;
	struct otlp_http_attempt a = post_large_to(steps, 1, &next_is_ok);

	(void)state;
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_int_equal(a.answer.status, 503);
	assert_true(next_is_ok);
}

/* Nor while the server still does not read: nothing may be sent behind half a request. */
static void test_http_half_a_request_is_never_continued(void **state)
{
	static const struct fault_step step = {
		.bytes = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
		.head_only = true,
		.end = FAULT_HANG};
	size_t size = 16 << 20;
	uint8_t *large = calloc(1, size);
	struct otlp_http_profile *p = client_profile(false, 10000);
	struct fault *f = fault_start(0, &step, 1);
	struct otlp_http *h = client(fault_url(f));
	struct otlp_http_attempt a;

	(void)state;
	otlp_http_post(h, p, large, size, &a);
	free(large); /* no longer needed by anybody */
	assert_int_equal(a.answer.status, 503);
	assert_int_equal(post_for(h, 300).connects, 1);
	otlp_http_destroy(h);
	otlp_http_profile_destroy(p);
	fault_stop(f);
}

/* Closed in the middle of sending without a word: an ordinary loss. */
static void test_http_close_while_sending_is_retried(void **state)
{
	static const struct fault_step step = {.head_only = true, .end = FAULT_CLOSE};
	struct otlp_http_attempt a = post_large_to(&step, 1, NULL);

	(void)state;
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_int_equal(a.answer.status, 0);
	assert_string_equal(a.answer.text,
			    "the connection was closed before the answer was complete");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_early_413_is_read_while_sending),
		cmocka_unit_test(test_http_early_answer_ends_the_connection),
		cmocka_unit_test(test_http_half_a_request_is_never_continued),
		cmocka_unit_test(test_http_close_while_sending_is_retried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
