/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Linked with --wrap=clock_gettime: the clocks are ours. Every reading takes some time, and that is
 * all that moves them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "user/clock.h"

#define SECOND 1000000000LL
#define TRUE_OFFSET (1700000000LL * SECOND)

static struct {
	int64_t mono_ns;
	int64_t offset_ns;
	unsigned readings;
	int64_t cost_ns[16]; /* of the reading of that number since the last reset; else 20 */
} fake;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t cost = fake.readings < 16 ? fake.cost_ns[fake.readings] : 0, now;

	fake.readings++;
	fake.mono_ns += cost ? cost : 20;
	now = fake.mono_ns + (id == CLOCK_REALTIME ? fake.offset_ns : 0);
	ts->tv_sec = now / SECOND;
	ts->tv_nsec = now % SECOND;
	return 0;
}

static int reset(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.mono_ns = 5 * SECOND;
	fake.offset_ns = TRUE_OFFSET;
	return 0;
}

/* A second later, with readings that take what the test has set. */
static int update_later(struct clock_sync *c)
{
	fake.mono_ns += SECOND + 1000;
	fake.readings = 0;
	return clock_sync_update(c, (uint64_t)fake.mono_ns);
}

static void assert_offset_within(const struct clock_sync *c, int64_t expected, int64_t error)
{
	assert_in_range(c->offset_ns - expected + error, 0, 2 * error);
}

static void test_clock_mono_is_the_monotonic_clock(void **state)
{
	(void)state;
	assert_int_equal(clock_mono_ns(), 5 * SECOND + 20);
}

static void test_clock_offset_is_that_of_the_clocks(void **state)
{
	struct clock_sync c;

	(void)state;
	clock_sync_init(&c);
	assert_offset_within(&c, TRUE_OFFSET, 20);
	assert_int_equal(c.steps, 0);
}

static void test_clock_takes_the_narrowest_of_three_brackets(void **state)
{
	struct clock_sync c;

	(void)state;
	/* preempted between the readings, each time on another side; only the second is good */
	fake.cost_ns[1] = 400000;
	fake.cost_ns[8] = 900000;
	clock_sync_init(&c);
	assert_offset_within(&c, TRUE_OFFSET, 20);
}

static void test_clock_wall_time_is_that_of_the_middle(void **state)
{
	struct clock_sync c;
	int i;

	(void)state;
	for (i = 0; i < 9; i += 3)
		fake.cost_ns[i + 1] = fake.cost_ns[i + 2] = 3000;
	clock_sync_init(&c);
	assert_offset_within(&c, TRUE_OFFSET, 20);
}

static void test_clock_is_measured_once_a_second(void **state)
{
	struct clock_sync c;

	(void)state;
	clock_sync_init(&c);
	fake.readings = 0;
	fake.offset_ns += 5 * SECOND;
	assert_int_equal(clock_sync_update(&c, (uint64_t)(fake.mono_ns + SECOND / 2)), 0);
	assert_int_equal(fake.readings, 0);
	assert_int_equal(clock_sync_update(&c, (uint64_t)(fake.mono_ns + SECOND)), 1);
	assert_int_equal(fake.readings, 9);
	assert_int_equal(clock_sync_update(&c, (uint64_t)(fake.mono_ns + SECOND)), 0);
	assert_int_equal(fake.readings, 9);
}

static void test_clock_step_is_counted_and_taken(void **state)
{
	struct clock_sync c;

	(void)state;
	clock_sync_init(&c);
	fake.offset_ns -= 3600 * SECOND;
	assert_int_equal(update_later(&c), 1);
	assert_offset_within(&c, TRUE_OFFSET - 3600 * SECOND, 20);
	assert_int_equal(c.steps, 1);
	assert_in_range(c.last_step_ns + 3600 * SECOND + 40, 0, 80);
	assert_int_equal(update_later(&c), 0);
	fake.offset_ns += 1100000;
	assert_int_equal(update_later(&c), 1);
	assert_int_equal(c.steps, 2);
}

static void test_clock_drift_is_followed_and_no_step(void **state)
{
	struct clock_sync c;
	int i;

	(void)state;
	clock_sync_init(&c);
	for (i = 0; i < 10; i++) {
		fake.offset_ns += 900000;
		assert_int_equal(update_later(&c), 0);
	}
	assert_offset_within(&c, TRUE_OFFSET + 9000000, 20);
	assert_int_equal(c.steps, 0);
}

/* All three brackets torn open by 8 ms, on one side: no step, and the good offset stays. */
static void test_clock_busy_machine_is_no_step(void **state)
{
	struct clock_sync c;

	(void)state;
	clock_sync_init(&c);
	fake.cost_ns[1] = fake.cost_ns[4] = fake.cost_ns[7] = 8000000;
	assert_int_equal(update_later(&c), 0);
	assert_offset_within(&c, TRUE_OFFSET, 20);
	/* but a real step shows through */
	fake.offset_ns += 60 * SECOND;
	assert_int_equal(update_later(&c), 1);
	assert_offset_within(&c, TRUE_OFFSET + 60 * SECOND, 4000040);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_clock_mono_is_the_monotonic_clock, reset),
	    cmocka_unit_test_setup(test_clock_offset_is_that_of_the_clocks, reset),
	    cmocka_unit_test_setup(test_clock_takes_the_narrowest_of_three_brackets, reset),
	    cmocka_unit_test_setup(test_clock_wall_time_is_that_of_the_middle, reset),
	    cmocka_unit_test_setup(test_clock_is_measured_once_a_second, reset),
	    cmocka_unit_test_setup(test_clock_step_is_counted_and_taken, reset),
	    cmocka_unit_test_setup(test_clock_drift_is_followed_and_no_step, reset),
	    cmocka_unit_test_setup(test_clock_busy_machine_is_no_step, reset),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
