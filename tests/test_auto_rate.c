/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rate under loads of many kinds, with fixed seeds: see auto_plant.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/auto_plant.h"

#define BUDGET 1000.0
static const struct auto_budget spans_only = {.spans_per_s = BUDGET};

/* What Poisson's law adds to @rate in the worst of some hundred seconds. */
static double noisy(double rate)
{
	return rate + 4 * sqrt(rate);
}

static void check_budget(const struct plant *p, double allowed, const char *what, double load)
{
	if (p->worst_begun > noisy(1.2 * allowed))
		fail_msg("%s %g: %g flows/s begin at 1/%g, allowed are %g", what, load,
			 p->worst_begun, (double)p->rate.n, allowed);
}

static void check_calm(const struct plant *p, double from_s, const char *what, double load)
{
	unsigned most = plant_changes_a_minute(p, from_s);

	if (most > 2)
		fail_msg("%s %g: %u changes a minute", what, load, most);
}

/* 40 loads from a tenth to 100000 times the budget, many near powers of two. */
static void test_auto_rate_is_calm_under_constant_load(void **state)
{
	static const double near[] = {0.8, 0.81, 0.9, 0.95, 0.99, 1, 1.01, 1.05, 1.1, 1.2};
	static const double at[] = {1, 16, 1024, 65536};
	static const double noises[] = {0, 0.2};

	(void)state;
	for (unsigned i = 0; i < 80; i++) {
		double load = near[i % 10] * at[i / 10 % 4], noise = noises[i / 40];
		struct plant p;

		plant_init(&p, &spans_only, i);
		p.flows_per_s = load * BUDGET;
		p.noise = noise;
		p.phase = i % 10 / 10.0;
		plant_run(&p, 20);
		uint64_t before = p.changes;

		plant_mark(&p);
		plant_run(&p, 900);
		if (p.changes - before > 2)
			fail_msg("load %g, noise %g: %d changes in 15 minutes", load, noise,
				 (int)(p.changes - before));
		check_budget(&p, BUDGET * (1 + noise), "load", load);
		/* and not more is thrown away than must be: at least a third of the budget is used
		 */
		if (load > 1 && load / (double)p.rate.n < 0.33)
			fail_msg("load %g: 1/%g is too rare", load, (double)p.rate.n);
		if (load < 0.8)
			assert_int_equal(p.rate.n, 1);
	}
}

static void test_auto_rate_keeps_the_budget_five_seconds_after_a_step(void **state)
{
	static const double factors[] = {1.25, 1.3, 1.5, 2, 3, 10, 100, 1000, 30000};

	(void)state;
	for (unsigned i = 0; i < 90; i++) {
		double load = factors[i / 10];
		struct plant p;

		plant_init(&p, &spans_only, i);
		p.flows_per_s = 0.5 * BUDGET;
		p.phase = i % 10 / 10.0;
		plant_run(&p, 60);
		assert_int_equal(p.changes, 0);
		p.flows_per_s = load * BUDGET;
		plant_run(&p, 5);
		plant_mark(&p);
		plant_run(&p, 300);
		check_budget(&p, BUDGET, "step to", load);
		check_calm(&p, 70, "step to", load);
		if (p.changes > 4)
			fail_msg("step to %g: %d changes", load, (int)p.changes);
	}
}

/* Flows that end fast: then spans tell the same as flows that begin. */
static void test_auto_rate_keeps_spans_in_the_budget_after_a_step(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct plant p;

		plant_init(&p, &spans_only, i);
		p.life_s = 0.1;
		p.silence_s = 0.5;
		p.flows_per_s = 100;
		p.phase = i / 10.0;
		plant_run(&p, 30);
		p.flows_per_s = 50 * BUDGET;
		plant_run(&p, 5);
		plant_mark(&p);
		plant_run(&p, 120);
		assert_true(p.worst_spans <= noisy(1.2 * BUDGET));
	}
}

static void test_auto_rate_comes_back_within_a_minute(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		double factor = i % 2 ? 100 : 10;
		struct plant p;

		plant_init(&p, &spans_only, i);
		p.flows_per_s = 0.3 * BUDGET;
		p.phase = i / 2 % 10 / 10.0;
		p.silence_s = i < 20 ? 2 : 30;
		p.life_s = i < 20 ? 1 : 20;
		plant_run(&p, 60);
		p.flows_per_s *= factor;
		plant_run(&p, i % 4 < 2 ? 5 : 100); /* a burst, and a long one */
		assert_in_range(p.rate.n, factor * 0.3, factor * 0.3 * 4);
		p.flows_per_s /= factor;
		plant_run(&p, 70);
		if (p.rate.n != 1)
			fail_msg("case %u: still 1/%d", i, (int)p.rate.n);
		plant_run(&p, 600); /* and stays, although flows are met in their middle */
		assert_int_equal(p.rate.n, 1);
		if (p.changes > 8)
			fail_msg("case %u: %d changes", i, (int)p.changes);
	}
}

/* The spans of a burst's first second come half a minute later, when there is nothing to do. */
static void test_auto_rate_is_not_moved_by_spans_that_come_late(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p, &spans_only, 7);
	p.flows_per_s = 100;
	p.silence_s = 30;
	p.life_s = 0.1;
	plant_run(&p, 60);
	p.flows_per_s = 50000;
	plant_run(&p, 10);
	uint64_t rises = p.rises;

	plant_mark(&p);
	plant_run(&p, 60);
	assert_true(p.worst_spans > 10 * BUDGET); /* they do come */
	assert_int_equal(p.rises, rises);
}

static void test_auto_rate_does_not_swing_with_the_load(void **state)
{
	static const double periods[] = {20, 60, 120, 300};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		double period = periods[i / 2], mean = i % 2 ? 1 : 40;
		struct plant p;

		plant_init(&p, &spans_only, i);
		p.noise = 0.2;
		for (unsigned s = 0; s < 2400; s++) {
			p.flows_per_s = mean * BUDGET * (1 + 0.8 * sin(2 * M_PI * s / period));
			plant_run(&p, 1);
		}
		if (period < 100)
			check_calm(&p, 120, "sine of period", period);
		/* slower, by nine times up and down: not for long */
		if (p.changes > 24)
			fail_msg("period %g: %d changes in 40 minutes", period, (int)p.changes);
	}
}

static void test_auto_rate_small_budgets_are_not_moved_by_chance(void **state)
{
	static const double budgets[] = {1, 5, 20};

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct auto_budget b = {.spans_per_s = budgets[i % 3]};
		double load = i < 6 ? 0.7 : 11;
		struct plant p;

		plant_init(&p, &b, i);
		p.flows_per_s = load * b.spans_per_s;
		plant_run(&p, 60);
		uint64_t before = p.changes;

		plant_run(&p, 1200);
		if (p.changes - before > 4)
			fail_msg("budget %g: %d changes in 20 minutes", b.spans_per_s,
				 (int)(p.changes - before));
		assert_true(load / (double)p.rate.n < 1.4);
	}
}

static void test_auto_rate_without_budget_stays(void **state)
{
	static const struct auto_budget none = {0};
	struct plant p;

	(void)state;
	plant_init(&p, &none, 1);
	p.flows_per_s = 1e6;
	p.cpu_idle = 3;
	plant_run(&p, 300);
	assert_int_equal(p.rate.n, 1);
	auto_rate_init(&p.rate, &none, 4096);
	plant_run(&p, 120);
	assert_int_equal(p.rate.n, 1); /* nothing forbids more */
}

/* At 1/N a quiet link shows hardly any flow. */
static void test_auto_rate_few_flows_do_not_keep_it_from_coming_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct plant p;

		plant_init(&p, &spans_only, i);
		p.life_s = 0.1;
		p.phase = i % 10 / 10.0;
		p.flows_per_s = 100;
		plant_run(&p, 30);
		p.flows_per_s = i < 10 ? 40 * BUDGET : 4000 * BUDGET;
		plant_run(&p, 20);
		p.flows_per_s = i < 10 ? 100 : 0;
		plant_run(&p, i < 10 ? 35 : 50);
		if (p.rate.n != 1)
			fail_msg("case %u: still 1/%g", i, (double)p.rate.n);
	}
}

static void test_auto_rate_handshakes_count_as_spans(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p, &spans_only, 3);
	p.spans_per_flow = 2;
	p.flows_per_s = 0.8 * BUDGET;
	plant_run(&p, 120);
	assert_int_equal(p.rate.n, 2);
	plant_mark(&p);
	plant_run(&p, 60);
	assert_true(p.worst_spans < noisy(1.1 * BUDGET));
}

/* Flows of 20 s with a record each second: after a rise the records go on for that long. */
static void test_auto_rate_records_that_go_on_do_not_make_it_overshoot(void **state)
{
	static const struct auto_budget b = {.records_per_s = 5000};
	struct plant p;

	(void)state;
	plant_init(&p, &b, 4);
	p.life_s = 20;
	p.records_per_s = 1;
	p.flows_per_s = 1000; /* 24000 records/s: 1/8 is right */
	plant_run(&p, 240);
	assert_in_range(p.n_max, 8, 32);
	assert_int_equal(p.rate.n, 8);
	check_calm(&p, 60, "records", 0);
	plant_mark(&p);
	plant_run(&p, 300);
	assert_true(p.worst_records < 1.2 * b.records_per_s);
}

static void test_auto_rate_records_of_short_flows_are_in_the_budget_in_five_seconds(void **state)
{
	static const struct auto_budget b = {.records_per_s = 5000};

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct plant p;

		plant_init(&p, &b, i);
		p.life_s = 0.2;
		p.flows_per_s = 500;
		p.phase = i / 10.0;
		plant_run(&p, 30);
		p.flows_per_s = 50000;
		plant_run(&p, 5);
		plant_mark(&p);
		plant_run(&p, 60);
		if (p.worst_records > 1.2 * b.records_per_s)
			fail_msg("phase %g: %g records/s", p.phase, p.worst_records);
		assert_in_range(p.rate.n, 40, 128);
		p.flows_per_s = 500;
		plant_run(&p, 60);
		assert_int_equal(p.rate.n, 1);
	}
}

static void test_auto_rate_keeps_the_cpu_budget(void **state)
{
	static const struct auto_budget b = {.cpu_cores = 0.25};

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct plant p;

		plant_init(&p, &b, i);
		p.life_s = 0.5;
		p.cpu_idle = 0.02;
		p.cpu_per_flow = 10e-6;
		p.cpu_per_record = 2e-6;
		p.flows_per_s = 1000;
		p.phase = i / 10.0;
		plant_run(&p, 30);
		assert_int_equal(p.rate.n, 1);
		p.flows_per_s = 200000; /* 3.6 cores */
		plant_run(&p, 5);
		plant_mark(&p);
		plant_run(&p, 300);
		if (p.worst_cpu > 1.2 * b.cpu_cores)
			fail_msg("phase %g: %g cores", p.phase, p.worst_cpu);
		assert_in_range(p.rate.n, 16, 32);
		check_calm(&p, 40, "cpu", 0);
		assert_true(p.changes <= 4);
		p.flows_per_s = 1000;
		plant_run(&p, 60);
		assert_int_equal(p.rate.n, 1);
	}
}

static void test_auto_rate_is_not_raised_for_cpu_time_of_something_else(void **state)
{
	static const struct auto_budget b = {.cpu_cores = 0.25};
	struct plant p;

	(void)state;
	plant_init(&p, &b, 5);
	p.cpu_idle = 0.8;
	p.flows_per_s = 2000;
	plant_run(&p, 600);
	assert_true(p.n_max <= 64);
}

static void test_auto_rate_rises_at_once_when_records_are_lost(void **state)
{
	static const struct auto_budget none = {0};
	struct plant p;

	(void)state;
	plant_init(&p, &none, 6);
	p.life_s = 0.2;
	p.ring_records = 20000;
	p.drained_per_s = 100000;
	p.flows_per_s = 5000;
	plant_run(&p, 30);
	assert_int_equal(p.rate.n, 1);
	p.flows_per_s = 250000; /* a million records/s */
	plant_run(&p, 1.3);
	assert_true(p.rate.n > 1);
	assert_int_equal(p.last_why, AUTO_LOST);
	plant_run(&p, 4);
	double lost = p.lost;

	plant_run(&p, 200);
	assert_true(p.lost <= lost);
	assert_in_range(p.rate.n, 10, 64);
	plant_run(&p, 1200); /* now and then it tries: never for long */
	assert_true(p.lost - lost < 0.01 * p.records);
	check_calm(&p, 60, "losses", 0);
	p.flows_per_s = 5000;
	plant_run(&p, 300);
	assert_int_equal(p.rate.n, 1);
}

static void test_auto_rate_rises_before_a_ring_is_full(void **state)
{
	static const struct auto_budget b = {.ring_share = 0.5};
	struct plant p;

	(void)state;
	plant_init(&p, &b, 6);
	p.life_s = 0.2;
	p.ring_records = 400000;
	p.drained_per_s = 50000;
	p.flows_per_s = 25000; /* 100000 records/s: full after 8 s */
	plant_run(&p, 600);
	assert_true(p.lost == 0);
	assert_in_range(p.rate.n, 2, 8);
	check_calm(&p, 60, "ring", 0);
}

/* Connections that go on for hours cost their intervals, whatever N is now. */
static void test_auto_rate_intervals_of_old_flows_raise_it_slowly(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p, &spans_only, 8);
	p.life_s = 36000;
	p.flows_per_s = 10;
	p.kept[0] = p.kept[1] = 60000; /* 2000 spans/s */
	plant_run(&p, 1200);
	assert_true(p.rate.n > 1);
	assert_true(p.n_max <= 64);
	assert_int_equal(p.last_why, AUTO_SPANS);
	check_calm(&p, 0, "intervals", 0);
}

/* Flows that live for minutes: the right N follows from their intervals, too. */
static void test_auto_rate_finds_a_place_for_long_flows(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p, &spans_only, 9);
	p.life_s = 120;
	p.flows_per_s = 1500; /* 1500 spans of ends and as many intervals a second at 1/1 */
	plant_run(&p, 1800);
	plant_mark(&p);
	plant_run(&p, 900);
	assert_true(p.worst_spans < noisy(1.2 * BUDGET));
	assert_in_range(p.rate.n, 2, 8);
	check_calm(&p, 10, "long flows", 0);
}

/* On a busy link everything that is there seems to begin in the first seconds. */
static void test_auto_rate_flows_that_were_there_before_the_start_do_not_count(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p, &spans_only, 10);
	p.life_s = 60;
	p.flows_per_s = 200;
	p.rejected[0] = p.rejected[1] = 6000;
	plant_run(&p, 300);
	assert_int_equal(p.changes, 0);
}

static void test_auto_rate_goes_on_from_any_rate(void **state)
{
	static const uint64_t rates[] = {1, 3, 100, 1000, 1 << 20, 2147483648};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct plant p;

		plant_init(&p, &spans_only, i);
		auto_rate_init(&p.rate, &spans_only, rates[i]);
		p.flows_per_s = 100;
		plant_run(&p, 120);
		if (p.rate.n != 1)
			fail_msg("from 1/%g: still 1/%g", (double)rates[i], (double)p.rate.n);
		auto_rate_init(&p.rate, &spans_only, rates[i]);
		p.flows_per_s = 1e10;
		plant_run(&p, 60);
		assert_true(p.rate.n >= AUTO_N_MAX);
	}
}

static void test_auto_rate_ignores_readings_that_follow_at_once(void **state)
{
	struct auto_load load = {0};
	enum auto_reason why;
	struct auto_rate a;

	(void)state;
	auto_rate_init(&a, &spans_only, 1);
	assert_int_equal(auto_rate_step(&a, 5000000000, &load, &why), 1);
	assert_int_equal(auto_rate_step(&a, 9000000000, &load, &why), 1);
	load.flows_begun = 1000; /* in a tenth of a second; within the budget of a second */
	assert_int_equal(auto_rate_step(&a, 9100000000, &load, &why), 1);
	assert_int_equal(auto_rate_step(&a, 10000000000, &load, &why), 1);
	assert_int_equal(why, AUTO_NONE);
	load.flows_begun = 9000;
	assert_int_equal(auto_rate_step(&a, 11000000000, &load, &why), 16);
	assert_int_equal(why, AUTO_SPANS);
}

static void test_auto_rate_says_what_is_used(void **state)
{
	static const struct auto_budget b = {2000, 8000, 0.5, 0};
	double used[AUTO_ITEMS];
	struct plant p;

	(void)state;
	plant_init(&p, &b, 1);
	p.is_even = true;
	p.flows_per_s = 1000;
	p.cpu_idle = 0.125;
	plant_run(&p, 30);
	auto_rate_used(&p.rate, used);
	assert_int_equal(round(100 * used[AUTO_ITEM_SPANS]), 50);
	assert_int_equal(round(100 * used[AUTO_ITEM_RECORDS]), 50);
	assert_int_equal(round(100 * used[AUTO_ITEM_CPU]), 25);
	assert_int_equal(used[AUTO_ITEM_RING], 0);
	assert_string_equal(auto_item_name(AUTO_ITEM_RING), "ring");
	assert_string_equal(auto_reason_name(AUTO_EASED), "eased");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auto_rate_is_calm_under_constant_load),
		cmocka_unit_test(test_auto_rate_keeps_the_budget_five_seconds_after_a_step),
		cmocka_unit_test(test_auto_rate_keeps_spans_in_the_budget_after_a_step),
		cmocka_unit_test(test_auto_rate_comes_back_within_a_minute),
		cmocka_unit_test(test_auto_rate_is_not_moved_by_spans_that_come_late),
		cmocka_unit_test(test_auto_rate_does_not_swing_with_the_load),
		cmocka_unit_test(test_auto_rate_small_budgets_are_not_moved_by_chance),
		cmocka_unit_test(test_auto_rate_without_budget_stays),
		cmocka_unit_test(test_auto_rate_few_flows_do_not_keep_it_from_coming_back),
		cmocka_unit_test(test_auto_rate_handshakes_count_as_spans),
		cmocka_unit_test(test_auto_rate_records_that_go_on_do_not_make_it_overshoot),
		cmocka_unit_test(
			test_auto_rate_records_of_short_flows_are_in_the_budget_in_five_seconds),
		cmocka_unit_test(test_auto_rate_keeps_the_cpu_budget),
		cmocka_unit_test(test_auto_rate_is_not_raised_for_cpu_time_of_something_else),
		cmocka_unit_test(test_auto_rate_rises_at_once_when_records_are_lost),
		cmocka_unit_test(test_auto_rate_rises_before_a_ring_is_full),
		cmocka_unit_test(test_auto_rate_intervals_of_old_flows_raise_it_slowly),
		cmocka_unit_test(test_auto_rate_finds_a_place_for_long_flows),
		cmocka_unit_test(
			test_auto_rate_flows_that_were_there_before_the_start_do_not_count),
		cmocka_unit_test(test_auto_rate_goes_on_from_any_rate),
		cmocka_unit_test(test_auto_rate_ignores_readings_that_follow_at_once),
		cmocka_unit_test(test_auto_rate_says_what_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
