/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "otlp/http_op.h"

static void test_http_op_ends_begins_and_takes_once(void **state)
{
	struct otlp_http_wait w = {0};
	struct otlp_http_op op = {0};
	int result = 1;

	(void)state;
	assert_int_equal(otlp_http_wait_init(&w), 0);
	assert_int_equal(otlp_http_op_init(&op), 0);
	assert_false(otlp_http_op_take(&op, &result)); /* none was begun */
	nng_sleep_aio(0, otlp_http_op_begin(&op));
	assert_int_equal(otlp_http_op_await(&w, &op, NULL), 0);
	assert_true(op.is_begun);
	assert_true(otlp_http_op_take(&op, &result));
	assert_int_equal(result, 0);
	assert_false(otlp_http_op_take(&op, &result));
	otlp_http_op_cancel(&op); /* nothing to end */
	otlp_http_op_reset(&op);
	otlp_http_wait_reset(&w);
}

static void test_http_op_is_left_at_the_deadline(void **state)
{
	struct otlp_http_wait w = {0};
	struct otlp_http_op op = {0}, other = {0};
	uint64_t start = otlp_http_wait_now_mono_ms();

	(void)state;
	assert_int_equal(otlp_http_wait_init(&w), 0);
	assert_int_equal(otlp_http_op_init(&op), 0);
	assert_int_equal(otlp_http_op_init(&other), 0);
	assert_int_equal(otlp_http_wait_check(&w), 0);
	w.deadline_mono_ms = start + 50;
	assert_int_equal(otlp_http_wait_check(&w), 0);
	nng_sleep_aio(60000, otlp_http_op_begin(&op));
	nng_sleep_aio(60000, otlp_http_op_begin(&other));
	assert_int_equal(otlp_http_op_await(&w, &op, &other), -ETIMEDOUT);
	assert_true(otlp_http_wait_now_mono_ms() - start >= 50);
	/* And it is past for all that would follow. */
	assert_int_equal(otlp_http_wait_check(&w), -ETIMEDOUT);
	assert_int_equal(otlp_http_op_finish(&w, &op), -ETIMEDOUT);
	assert_true(op.is_begun);
	otlp_http_op_cancel(&op);
	assert_false(op.is_begun);
	otlp_http_op_cancel(&other);
	assert_true(otlp_http_wait_now_mono_ms() - start < 10000);
	otlp_http_op_reset(&op);
	otlp_http_op_reset(&other);
	otlp_http_wait_reset(&w);
}

static void test_http_op_abort_is_for_good(void **state)
{
	struct otlp_http_wait w = {0};
	struct otlp_http_op op = {0};

	(void)state;
	assert_int_equal(otlp_http_wait_init(&w), 0);
	assert_int_equal(otlp_http_op_init(&op), 0);
	otlp_http_wait_abort(&w);
	nng_sleep_aio(60000, otlp_http_op_begin(&op));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(otlp_http_op_finish(&w, &op), -ECANCELED);
		assert_int_equal(otlp_http_wait_check(&w), -ECANCELED);
	}
	otlp_http_op_cancel(&op);
	otlp_http_op_reset(&op);
	otlp_http_wait_reset(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_op_ends_begins_and_takes_once),
		cmocka_unit_test(test_http_op_is_left_at_the_deadline),
		cmocka_unit_test(test_http_op_abort_is_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
