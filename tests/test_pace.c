/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "otlp/pace.h"

#define MS UINT64_C(1000000)

static const struct otlp_pace_opts opts = {.first_ms = 1000, .max_ms = 30000};

static void test_pace_backs_off_with_jitter_up_to_the_longest_wait(void **state)
{
	uint64_t random = 1, sum_ms[20] = {0};

	(void)state;
	for (unsigned run = 0; run < 2000; run++) {
		struct otlp_pace p = {0};
		uint64_t now = 5000 * MS;

		for (unsigned i = 0; i < 20; i++) {
			double base = 1000;
			uint64_t wait;

			for (unsigned k = 0; k < i && base < 20000; k++)
				base *= 1.5;
			if (base > 20000)
				base = 20000;
			wait = otlp_pace_fail(&p, &opts, now, now, 0, &random);
			assert_in_range(wait, (uint64_t)(base / 2) - 1, (uint64_t)(base * 1.5) + 1);
			assert_in_range(p.due_mono_ns, now + wait * MS, now + (wait + 1) * MS);
			now = p.due_mono_ns;
			sum_ms[i] += wait;
		}
	}
	/* Uniform: the mean is the backoff itself, within 3 %. */
	assert_in_range(sum_ms[0] / 2000, 970, 1030);
	assert_in_range(sum_ms[19] / 2000, 19400, 20600);
}

static void test_pace_waits_at_least_as_long_as_the_server_asks(void **state)
{
	struct otlp_pace p = {0};
	uint64_t random = 7;

	(void)state;
	assert_int_equal(otlp_pace_fail(&p, &opts, 0, 10, 90000, &random), 90000);
	assert_int_equal(p.due_mono_ns, 10 + 90000 * MS);
}

/* Ten requests that were under way when the server went away are one failure. */
static void test_pace_counts_failures_of_one_moment_once(void **state)
{
	struct otlp_pace p = {0};
	uint64_t random = 7, due;

	(void)state;
	otlp_pace_fail(&p, &opts, 100, 200, 0, &random);
	due = p.due_mono_ns;
	for (unsigned i = 0; i < 9; i++)
		assert_true(otlp_pace_fail(&p, &opts, 100 + i, 201 + i, 0, &random) <= 1500);
	assert_in_range(p.due_mono_ns, due - 1, due + 1);
	assert_true(p.backoff_ms == 1500);
	otlp_pace_fail(&p, &opts, due, due + 1, 0, &random);
	assert_true(p.backoff_ms == 2250);
	otlp_pace_reset(&p);
	assert_false(p.is_down);
	assert_int_equal(p.due_mono_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pace_backs_off_with_jitter_up_to_the_longest_wait),
		cmocka_unit_test(test_pace_waits_at_least_as_long_as_the_server_asks),
		cmocka_unit_test(test_pace_counts_failures_of_one_moment_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
