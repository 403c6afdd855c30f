/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/delta.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/delta_fixture.h"
#include "tests/encode_fixture.h"

static struct otlp_point integer_at(uint64_t start, uint64_t time, int64_t v)
{
	return (struct otlp_point){.start_unix_ns = start, .time_unix_ns = time, .integer = v};
}

/* Applies one point and gives back its turned one. */
static struct otlp_point apply(struct otlp_delta *d, struct otlp_metric m)
{
	struct otlp_metric ret;

	assert_int_equal(m.points_len, 1);
	assert_int_equal(otlp_delta_apply(d, &m, true, &ret), 0);
	assert_int_equal(ret.points_len, 1);
	assert_true(ret.is_delta);
	assert_int_equal(ret.type, m.type);
	assert_int_equal(ret.is_monotonic, m.is_monotonic);
	assert_ptr_equal(ret.name.ptr, m.name.ptr);
	assert_ptr_equal(ret.unit.ptr, m.unit.ptr);
	return ret.points[0];
}

static void check_integer(struct otlp_delta *d, struct otlp_point in, uint64_t start, int64_t v)
{
	struct otlp_point out = apply(d, sum_of(&in, 1));

	assert_int_equal(out.start_unix_ns, start);
	assert_int_equal(out.time_unix_ns, in.time_unix_ns);
	assert_false(out.is_double);
	assert_int_equal(out.integer, v);
}

static void test_delta_of_a_counter_is_its_growth(void **state)
{
	struct otlp_delta *d = delta_of(1);

	(void)state;
	check_integer(d, integer_at(5, 10, 100), 5, 100);
	check_integer(d, integer_at(5, 20, 130), 10, 30);
	check_integer(d, integer_at(5, 30, 130), 20, 0);
	/* more than a double can tell */
	check_integer(d, integer_at(5, 40, INT64_MAX - 1), 30, INT64_MAX - 1 - 130);
	check_integer(d, integer_at(5, 50, INT64_MAX), 40, 1);
	otlp_delta_destroy(d);
}

static void test_delta_of_a_counter_that_fell_is_its_full_value(void **state)
{
	struct otlp_delta *d = delta_of(1);

	(void)state;
	check_integer(d, integer_at(5, 10, 100), 5, 100);
	check_integer(d, integer_at(5, 20, 99), 5, 99);
	check_integer(d, integer_at(5, 30, 101), 20, 2);
	/* a difference that no integer holds */
	check_integer(d, integer_at(5, 40, -2), 5, -2);
	check_integer(d, integer_at(5, 50, INT64_MAX), 5, INT64_MAX);
	otlp_delta_destroy(d);
}

static void test_delta_of_a_counter_with_another_start_is_its_full_value(void **state)
{
	struct otlp_delta *d = delta_of(1);

	(void)state;
	check_integer(d, integer_at(5, 10, 100), 5, 100);
	check_integer(d, integer_at(15, 20, 150), 15, 150);
	check_integer(d, integer_at(15, 30, 160), 20, 10);
	otlp_delta_destroy(d);
}

static void test_delta_never_begins_after_its_time(void **state)
{
	struct otlp_delta *d = delta_of(1);

	(void)state;
	check_integer(d, integer_at(5, 30, 100), 5, 100);
	check_integer(d, integer_at(5, 20, 110), 20, 10);
	check_integer(d, integer_at(5, 25, 111), 20, 1);
	check_integer(d, integer_at(5, 25, 113), 25, 2);
	otlp_delta_destroy(d);
}

static void test_delta_of_doubles_is_a_subtraction(void **state)
{
	struct otlp_point in = {
		.start_unix_ns = 1, .time_unix_ns = 2, .is_double = true, .number = 1.5};
	struct otlp_delta *d = delta_of(1);
	struct otlp_point out;

	(void)state;
	assert_true(apply(d, sum_of(&in, 1)).number == 1.5);
	in.number = 1.75;
	in.time_unix_ns = 3;
	out = apply(d, sum_of(&in, 1));
	assert_true(out.is_double && out.number == 0.25 && out.start_unix_ns == 2);
	in.number = 1.0;
	out = apply(d, sum_of(&in, 1));
	assert_true(out.number == 1.0 && out.start_unix_ns == 1);
	in.number = NAN;
	out = apply(d, sum_of(&in, 1));
	assert_true(isnan(out.number) && out.start_unix_ns == 1);
	in.number = 3.0;
	out = apply(d, sum_of(&in, 1));
	assert_true(out.number == 3.0 && out.start_unix_ns == 1);
	/* the other kind of number: nothing to subtract */
	in.is_double = false;
	in.integer = 7;
	out = apply(d, sum_of(&in, 1));
	assert_true(!out.is_double && out.integer == 7 && out.start_unix_ns == 1);
	otlp_delta_destroy(d);
}

static struct otlp_point histogram_at(uint64_t time, int32_t offset, const uint64_t *buckets,
				      size_t len)
{
	struct otlp_exp_histogram h = {
		.offset = offset, .buckets = buckets, .buckets_len = len, .zero_count = time};
	size_t i;

	h.count = h.zero_count;
	for (i = 0; i < len; i++)
		h.count += buckets[i];
	h.sum = (double)h.count * 2;
	return (struct otlp_point){.start_unix_ns = 1, .time_unix_ns = time, .histogram = h};
}

static void check_histogram(struct otlp_delta *d, struct otlp_point in, uint64_t start,
			    uint64_t zero_count, const uint64_t *buckets)
{
	struct otlp_point out = apply(d, histogram_of(&in, 1));
	uint64_t count = zero_count;
	size_t i;

	assert_int_equal(out.start_unix_ns, start);
	assert_int_equal(out.histogram.zero_count, zero_count);
	assert_int_equal(out.histogram.offset, in.histogram.offset);
	assert_int_equal(out.histogram.scale, in.histogram.scale);
	assert_int_equal(out.histogram.buckets_len, in.histogram.buckets_len);
	for (i = 0; i < in.histogram.buckets_len; i++) {
		assert_int_equal(out.histogram.buckets[i], buckets[i]);
		count += buckets[i];
	}
	assert_int_equal(out.histogram.count, count);
	assert_true(out.histogram.sum == 2.0 * (double)count);
}
#define BUCKETS(...)                                                                               \
	(const uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)
#define WANT(...) ((const uint64_t[]){__VA_ARGS__})

static void test_delta_of_histograms_is_bucket_by_bucket(void **state)
{
	struct otlp_delta *d = delta_of(1);

	(void)state;
	check_histogram(d, histogram_at(10, 3, BUCKETS(1, 2, 3)), 1, 10, WANT(1, 2, 3));
	check_histogram(d, histogram_at(20, 3, BUCKETS(1, 5, 3)), 10, 10, WANT(0, 3, 0));
	/* the range grows at both ends, then shrinks where it was empty */
	check_histogram(d, histogram_at(30, 1, BUCKETS(0, 7, 1, 6, 3, 9)), 20, 10,
			WANT(0, 7, 0, 1, 0, 9));
	check_histogram(d, histogram_at(40, 2, BUCKETS(7, 1, 6, 3, 9)), 30, 10,
			WANT(0, 0, 0, 0, 0));
	check_histogram(d, histogram_at(40, 2, BUCKETS(7, 1, 6, 3, 9)), 40, 0, WANT(0, 0, 0, 0, 0));
	otlp_delta_destroy(d);
}

static void test_delta_of_histograms_that_fell_is_their_full_value(void **state)
{
	struct otlp_delta *d = delta_of(1);
	struct otlp_point in;

	(void)state;
	check_histogram(d, histogram_at(10, 0, BUCKETS(5, 5)), 1, 10, WANT(5, 5));
	/* a bucket fell, though the count did not */
	check_histogram(d, histogram_at(20, 0, BUCKETS(4, 50)), 1, 20, WANT(4, 50));
	/* a bucket that was not empty is gone, at either end */
	check_histogram(d, histogram_at(30, 1, BUCKETS(60)), 1, 30, WANT(60));
	check_histogram(d, histogram_at(40, 0, BUCKETS(1, 60)), 30, 10, WANT(1, 0));
	check_histogram(d, histogram_at(50, 0, BUCKETS(80)), 1, 50, WANT(80));
	/* the zero count fell */
	in = histogram_at(20, 0, BUCKETS(800));
	in.time_unix_ns = 60;
	check_histogram(d, in, 1, 20, WANT(800));
	check_histogram(d, histogram_at(70, 0, BUCKETS(800)), 60, 50, WANT(0));
	/* begun anew */
	in = histogram_at(80, 0, BUCKETS(900));
	in.start_unix_ns = 75;
	check_histogram(d, in, 75, 80, WANT(900));
	otlp_delta_destroy(d);
}

static void test_delta_of_histograms_follows_a_coarser_scale(void **state)
{
	struct otlp_delta *d = delta_of(1);
	struct otlp_point in;

	(void)state;
	/* indexes -3..2 are -2 -1 -1 0 0 1 at half the scale */
	check_histogram(d, histogram_at(10, -3, BUCKETS(1, 2, 3, 4, 5, 6)), 1, 10,
			WANT(1, 2, 3, 4, 5, 6));
	in = histogram_at(20, -2, BUCKETS(1, 5, 19, 6));
	in.histogram.scale = -1;
	check_histogram(d, in, 10, 10, WANT(0, 0, 10, 0));
	/* finer: not to be told apart */
	in = histogram_at(30, -2, BUCKETS(9, 9, 9, 9));
	in.histogram.scale = 0;
	check_histogram(d, in, 1, 30, WANT(9, 9, 9, 9));
	in.histogram.scale = INT32_MIN;
	in = histogram_at(40, -1, BUCKETS(18, 18));
	in.histogram.scale = INT32_MIN;
	check_histogram(d, in, 30, 10, WANT(0, 0));
	in = histogram_at(50, -1, BUCKETS(18, 18));
	in.histogram.scale = INT32_MAX;
	check_histogram(d, in, 1, 50, WANT(18, 18));
	/* the highest index is halved away to 0 as well */
	in = histogram_at(60, INT32_MAX - 1, BUCKETS(18, 18));
	check_histogram(d, in, 1, 60, WANT(18, 18));
	in = histogram_at(70, 0, BUCKETS(36));
	in.histogram.scale = -40;
	check_histogram(d, in, 60, 10, WANT(0));
	in = histogram_at(80, INT32_MIN, BUCKETS(36));
	in.histogram.scale = INT32_MIN;
	check_histogram(d, in, 1, 80, WANT(36));
	otlp_delta_destroy(d);
}

static void assert_unchanged(struct otlp_delta *d, const struct otlp_metric *m, bool sums)
{
	struct otlp_metric ret;

	memset(&ret, 0xa5, sizeof(ret));
	assert_int_equal(otlp_delta_apply(d, m, sums, &ret), 0);
	assert_memory_equal(&ret, m, sizeof(ret));
}

static void test_delta_turns_only_what_is_asked_for(void **state)
{
	struct otlp_point point = integer_at(1, 2, 3);
	struct otlp_metric m = sum_of(&point, 1), ret;
	struct otlp_delta *d = delta_of(2);

	(void)state;
	assert_unchanged(d, &m, false);
	m.is_monotonic = false;
	assert_unchanged(d, &m, true);
	m.is_monotonic = true;
	m.is_delta = true;
	assert_unchanged(d, &m, true);
	m.is_delta = false;
	m.type = OTLP_GAUGE;
	assert_unchanged(d, &m, true);
	m.type = OTLP_EXP_HISTOGRAM;
	assert_int_equal(otlp_delta_apply(d, &m, false, &ret), 0);
	assert_true(ret.is_delta);
	otlp_delta_destroy(d);
}

static void test_delta_knows_a_series_by_name_and_attributes(void **state)
{
	const struct otlp_attr a = TEXT("a", "1"), b = TEXT("b", "2");
	const struct otlp_attr number = {.key = STR("a"), OTLP_INT, .value.integer = 1};
	const struct otlp_attr other = {.key = STR("a"), OTLP_INT, .value.integer = 2};
	const struct otlp_attr yes = {.key = STR("a"), OTLP_BOOL, .value.boolean = true};
	const struct otlp_attr half = {.key = STR("a"), OTLP_DOUBLE, .value.number = 0.5};
	const struct otlp_attr lists[][2] = {
		{a, b},
		{b, a},
		{a},
		{number},
		{other},
		{yes},
		{half},
		{TEXT("a1", "")},
		{TEXT("a", "1b")},
		{{.key = STR("a"), .value.string = STR("1b\0002")}},
		{{.key = STR("a"), OTLP_INT, .value.integer = 0x3fe0000000000000}}, /* 0.5 */
		{{.key = STR("a"), OTLP_INT, .value.integer = 0x10001}},
		{{.key = STR("a"), OTLP_DOUBLE, .value.number = 0.25}},
		{TEXT("a", "a text that is longer than everything that a key had room for so far: "
			   "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789")},
	};
	const size_t lens[] = {2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	struct otlp_delta *d = delta_of(100);
	struct otlp_point in = integer_at(1, 2, 7), out;
	struct otlp_metric m;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(lists); i++) {
		in.attrs = (struct otlp_attrs){lists[i], lens[i]};
		out = apply(d, sum_of(&in, 1));
		/* the second list is the first one in another order */
		assert_int_equal(out.integer, i == 1 ? 0 : 7);
		assert_ptr_equal(out.attrs.list, lists[i]);
		assert_int_equal(out.attrs.len, lens[i]);
	}
	m = sum_of(&in, 1);
	m.name = OTLP_STR("ma");
	assert_int_equal(apply(d, m).integer, 7);
	assert_int_equal(apply(d, m).integer, 0);
	/* of one name, but no longer a sum */
	m.type = OTLP_EXP_HISTOGRAM;
	in.histogram.zero_count = in.histogram.count = 3;
	out = apply(d, m);
	assert_int_equal(out.histogram.count, 3);
	assert_int_equal(out.start_unix_ns, 1);
	otlp_delta_destroy(d);
}

static void test_delta_leaves_out_series_beyond_its_most(void **state)
{
	const struct otlp_attr attrs[] = {TEXT("a", "1"), TEXT("a", "2"), TEXT("a", "3")};
	struct otlp_point points[3];
	struct otlp_delta *d = delta_of(2);
	struct otlp_metric m = sum_of(points, 3), ret;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		points[i] = integer_at(1, 2, 10 * (int64_t)(i + 1));
		points[i].attrs = (struct otlp_attrs){&attrs[i], 1};
	}
	m.points = &points[2];
	m.points_len = 1;
	assert_int_equal(otlp_delta_apply(d, &m, true, &ret), 0);
	m.points = points;
	m.points_len = 3;
	assert_int_equal(otlp_delta_apply(d, &m, true, &ret), -ENOSPC);
	assert_int_equal(ret.points_len, 2);
	assert_int_equal(ret.points[0].integer, 10);
	assert_int_equal(ret.points[1].integer, 0);
	assert_ptr_equal(ret.points[1].attrs.list, &attrs[2]);
	/* nothing at all is left */
	m.points = &points[1];
	m.points_len = 1;
	assert_int_equal(otlp_delta_apply(d, &m, true, &ret), -ENOSPC);
	assert_int_equal(ret.points_len, 0);
	otlp_delta_destroy(d);
	d = delta_of(0);
	assert_int_equal(otlp_delta_apply(d, &m, true, &ret), -ENOSPC);
	assert_int_equal(ret.points_len, 0);
	m.points_len = 0;
	assert_int_equal(otlp_delta_apply(d, &m, true, &ret), 0);
	assert_int_equal(ret.points_len, 0);
	otlp_delta_destroy(d);
}

static void test_delta_keeps_exemplars(void **state)
{
	const struct otlp_exemplar exemplar = {.time_unix_ns = 2};
	struct otlp_point in = integer_at(1, 2, 7), out;
	struct otlp_delta *d = delta_of(1);

	(void)state;
	in.exemplars = &exemplar;
	in.exemplars_len = 1;
	apply(d, sum_of(&in, 1));
	out = apply(d, sum_of(&in, 1));
	assert_ptr_equal(out.exemplars, &exemplar);
	assert_int_equal(out.exemplars_len, 1);
	otlp_delta_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delta_of_a_counter_is_its_growth),
		cmocka_unit_test(test_delta_of_a_counter_that_fell_is_its_full_value),
		cmocka_unit_test(test_delta_of_a_counter_with_another_start_is_its_full_value),
		cmocka_unit_test(test_delta_never_begins_after_its_time),
		cmocka_unit_test(test_delta_of_doubles_is_a_subtraction),
		cmocka_unit_test(test_delta_of_histograms_is_bucket_by_bucket),
		cmocka_unit_test(test_delta_of_histograms_that_fell_is_their_full_value),
		cmocka_unit_test(test_delta_of_histograms_follows_a_coarser_scale),
		cmocka_unit_test(test_delta_turns_only_what_is_asked_for),
		cmocka_unit_test(test_delta_knows_a_series_by_name_and_attributes),
		cmocka_unit_test(test_delta_leaves_out_series_beyond_its_most),
		cmocka_unit_test(test_delta_keeps_exemplars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
