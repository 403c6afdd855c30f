/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/options_run.h"
#include "user/options_budget.h"

static void test_options_budget_default_is_auto(void **state)
{
	(void)state;
	check_runs("-i a", "n=1 threshold=0 th=0\nauto=1 budget=1000,200000,0.5,0.5\n");
	check_runs("-i a --sample auto", "auto=1 budget=1000,200000,0.5,0.5\n");
	check_runs("-i a --sample 1/7", "auto=0 ");
	check_runs("-i a --sample 1/7 --sample auto", "n=7 ");
	check_runs("-i a --sample 1/7 --sample auto", "auto=1 ");
}

static void test_options_budget_takes_what_a_person_types(void **state)
{
	static const struct {
		const char *text;
		struct auto_budget b;
	} good[] = {
		{"1000spans/s,200000records/s,25%cpu,50%ring", {1000, 200000, 0.25, 0.5}},
		{"200 spans/s", {200, 200000, 0.5, 0.5}},
		{"200k records/s, 1 %cpu", {1000, 200000, 0.01, 0.5}},
		{"2.5k spans/s", {2500, 200000, 0.5, 0.5}},
		{"1Mrecords/s", {1000, 1000000, 0.5, 0.5}},
		{"150%cpu,100% ring", {1000, 200000, 1.5, 1}},
		{"12.5% cpu", {1000, 200000, 0.125, 0.5}},
		{"0spans/s,0records/s,0%cpu,0%ring", {0, 0, 0, 0}},
		{"10%ring,5spans/s", {5, 200000, 0.5, 0.1}},
	};
	char why[OPTIONS_WHY_CAP];
	struct auto_budget b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		options_budget_default(&b);
		assert_int_equal(options_budget_parse(good[i].text, &b, why), 0);
		assert_true(b.spans_per_s == good[i].b.spans_per_s);
		assert_true(b.records_per_s == good[i].b.records_per_s);
		assert_true(b.cpu_cores == good[i].b.cpu_cores);
		assert_true(b.ring_share == good[i].b.ring_share);
	}
	check_runs("-i a --budget 500spans/s,25%cpu", "budget=500,200000,0.25,0.5\n");
}

static void test_options_budget_says_what_is_wrong(void **state)
{
	static const char *const bad[] = {
		"",
		"spans/s",
		"1000",
		"1000 spans",
		"x spans/s",
		"-5spans/s",
		"1e3spans/s",
		"10spans/s,",
		",10spans/s",
		"10%",
		"10%cpux",
		"10cpu",
		"10%ring 5%cpu",
		"1.2345spans/s",
		".5%cpu",
		"nan spans/s",
		"inf%cpu",
		"0x10spans/s",
		"1000spans/s;rm",
		"10,5%cpu",
		"1.spans/s",
		"1kkrecords/s",
		"10%%cpu",
		"10spans/srecords/s",
	};
	char why[OPTIONS_WHY_CAP], many[400];
	struct auto_budget b = {1, 2, 3, 4};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(options_budget_parse(bad[i], &b, why), -EINVAL);
		assert_non_null(strstr(why, "1000spans/s"));
	}
	memset(many, '1', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	assert_int_equal(options_budget_parse(many, &b, why), -EINVAL);
	assert_int_equal(options_budget_parse("5spans/s,5spans/s", &b, why), -EINVAL);
	assert_non_null(strstr(why, "spans/s is there twice"));
	assert_int_equal(options_budget_parse("101%ring", &b, why), -EINVAL);
	assert_non_null(strstr(why, "at most 100%ring"));
	assert_int_equal(options_budget_parse("0.5spans/s", &b, why), -EINVAL);
	assert_non_null(strstr(why, "at least 1spans/s"));
	assert_int_equal(options_budget_parse("9999999999spans/s", &b, why), -EINVAL);
	assert_true(b.spans_per_s == 1 && b.records_per_s == 2 && b.cpu_cores == 3 &&
		    b.ring_share == 4);
	check_refused("-i a --budget 10things/s", "--budget '10things/s'", "no part of a budget");
	check_refused("-i a --budget=", "--budget ''", "no part of a budget");
}

static void test_options_budget_is_for_auto(void **state)
{
	(void)state;
	check_refused("-i a --sample 1/2 --budget 10spans/s", "--budget '10spans/s'",
		      "fixed --sample");
	check_refused("-i a --budget 10spans/s --sample 50%", "--budget", "leave one of them out");
	check_runs("-i a --budget 10spans/s --sample auto", "auto=1 budget=10,");
}

static void test_options_budget_rate_is_a_share_or_auto(void **state)
{
	char why[OPTIONS_WHY_CAP];
	bool is_auto = false;
	uint64_t n = 5;

	(void)state;
	assert_int_equal(options_parse_rate("auto", &is_auto, &n, why), 0);
	assert_true(is_auto && n == 5);
	assert_int_equal(options_parse_rate("1/9", &is_auto, &n, why), 0);
	assert_true(!is_auto && n == 9);
	is_auto = true;
	assert_int_equal(options_parse_rate("automatic", &is_auto, &n, why), -EINVAL);
	assert_true(is_auto && n == 9);
	check_runs("ctl sample auto", "request=sample auto top=0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_options_budget_default_is_auto, clear_environment),
		cmocka_unit_test_setup(test_options_budget_takes_what_a_person_types,
				       clear_environment),
		cmocka_unit_test_setup(test_options_budget_says_what_is_wrong, clear_environment),
		cmocka_unit_test_setup(test_options_budget_is_for_auto, clear_environment),
		cmocka_unit_test_setup(test_options_budget_rate_is_a_share_or_auto,
				       clear_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
