/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/delta.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/encode_fixture.h"

#define NO_FAILURE SIZE_MAX

/* Allocations that still succeed. */
static size_t memory_left = NO_FAILURE;
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static bool memory_fails(void)
{
	if (memory_left == NO_FAILURE)
		return false;
	return memory_left == 0 || memory_left-- == 0;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return memory_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return memory_fails() ? NULL : __real_reallocarray(p, n, size);
}

static struct otlp_delta *delta_of(size_t series_max)
{
	struct otlp_delta *d;

	assert_int_equal(otlp_delta_create(&d, series_max), 0);
	return d;
}

static struct otlp_metric sum_of(const struct otlp_point *points, size_t len)
{
	return (struct otlp_metric){.name = OTLP_STR("m"),
				    .unit = OTLP_STR("By"),
				    .type = OTLP_SUM,
				    .is_monotonic = true,
				    .points = points,
				    .points_len = len};
}

static struct otlp_metric histogram_of(const struct otlp_point *points, size_t len)
{
	return (struct otlp_metric){.name = OTLP_STR("h"),
				    .type = OTLP_EXP_HISTOGRAM,
				    .points = points,
				    .points_len = len};
}

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

#define SERIES 300
/* Many series whose truth is kept beside: integers, doubles, histograms that widen and coarsen. */
struct truth {
	struct otlp_point point; /* cumulative */
	uint64_t buckets[64]; /* by index + 32 */
	uint64_t sent_count; /* the sum of what came out */
	int64_t sent;
	double sent_sum;
	uint64_t sent_until;
};

static struct truth truths[2][SERIES];
static struct otlp_attr truth_attrs[SERIES][2];

static void grow_truth(struct truth *t, uint64_t now, size_t i)
{
	size_t grown = (size_t)rand() % 3;

	if (t->point.start_unix_ns == 0 || rand() % 20 == 0) {
		*t = (struct truth){.point.start_unix_ns = now - 1, .sent_until = now - 1};
	}
	t->point.time_unix_ns = now;
	t->point.attrs = (struct otlp_attrs){truth_attrs[i], 2};
	if (rand() % 2) {
		struct otlp_attr first = truth_attrs[i][0];

		truth_attrs[i][0] = truth_attrs[i][1];
		truth_attrs[i][1] = first;
	}
	t->point.integer += rand() % 3 ? rand() : 0;
	for (; grown; grown--)
		t->buckets[8 + rand() % 48] += 1 + (uint64_t)rand() % 100;
}

/* The histogram of what is in the buckets, as tight as it happens to be. */
static void fill_histogram(struct truth *t)
{
	size_t from = 0, to = 64, i;
	struct otlp_exp_histogram *h = &t->point.histogram;

	while (from < to && t->buckets[from] == 0 && rand() % 30)
		from++;
	while (to > from && t->buckets[to - 1] == 0 && rand() % 30)
		to--;
	h->offset = (int32_t)from - 32;
	h->buckets = t->buckets + from;
	h->buckets_len = to - from;
	h->count = h->zero_count;
	for (i = from; i < to; i++)
		h->count += t->buckets[i];
	h->sum = (double)h->count * 3;
}

static void check_truth(struct truth *t, const struct otlp_point *out, bool is_histogram)
{
	uint64_t count = out->histogram.zero_count;
	size_t i;

	assert_int_equal(out->start_unix_ns, t->sent_until);
	t->sent_until = out->time_unix_ns;
	if (!is_histogram) {
		t->sent += out->integer;
		assert_true(out->integer >= 0);
		assert_int_equal(t->sent, t->point.integer);
		return;
	}
	for (i = 0; i < out->histogram.buckets_len; i++)
		count += out->histogram.buckets[i];
	assert_int_equal(count, out->histogram.count);
	t->sent_count += count;
	t->sent_sum += out->histogram.sum;
	assert_int_equal(t->sent_count, t->point.histogram.count);
	assert_true(t->sent_sum == t->point.histogram.sum);
}

/* Whatever happens, failed allocations too: what came out adds up to what went in, and windows
 * join. */
static void test_delta_adds_up_to_what_is_cumulative(void **state)
{
	struct otlp_delta *d = delta_of(2 * SERIES);
	struct otlp_encoder *e = encode_encoder();
	static struct otlp_point points[SERIES];
	static uint8_t data[1 << 20];
	char names[SERIES][8];
	struct otlp_metric m, ret;
	struct otlp_batch b;
	size_t failures = 0;
	uint64_t now;
	size_t i;

	(void)state;
	srand(7);
	for (i = 0; i < SERIES; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		truth_attrs[i][0] = (struct otlp_attr){
			.key = OTLP_STR("name"), .value.string = {names[i], strlen(names[i])}};
		truth_attrs[i][1] = (struct otlp_attr){
			.key = OTLP_STR("i"), OTLP_INT, .value.integer = (int64_t)(i % 7)};
	}
	for (now = 10; now < 300; now++) {
		bool is_histogram = rand() % 2;
		struct truth *all = truths[is_histogram];
		size_t len = 1 + (size_t)rand() % SERIES;
		int err;

		for (i = 0; i < len; i++) {
			grow_truth(&all[i], now, i);
			if (is_histogram)
				fill_histogram(&all[i]);
			points[i] = all[i].point;
		}
		m = is_histogram ? histogram_of(points, len) : sum_of(points, len);
		memory_left = rand() % 2 ? (size_t)rand() % 20 : NO_FAILURE;
		err = otlp_delta_apply(d, &m, true, &ret);
		memory_left = NO_FAILURE;
		failures += err == -ENOMEM;
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(otlp_delta_apply(d, &m, true, &ret), 0);
		}
		assert_int_equal(ret.points_len, len);
		for (i = 0; i < len; i++)
			check_truth(&all[i], &ret.points[i], is_histogram);
		assert_int_equal(otlp_batch_begin(&b, e, OTLP_METRICS, data, sizeof(data)), 0);
		assert_int_equal(otlp_batch_add_metric(&b, &ret), 0);
	}
	assert_true(failures > 5);
	otlp_encoder_destroy(e);
	otlp_delta_destroy(d);
}

static void test_delta_survives_any_failed_allocation(void **state)
{
	const struct otlp_attr attr = TEXT("a", "1");
	struct otlp_point point = histogram_at(10, 0, BUCKETS(1, 2));
	struct otlp_metric m = histogram_of(&point, 1), ret;
	struct otlp_delta *d = NULL;
	size_t n;

	(void)state;
	point.attrs = (struct otlp_attrs){&attr, 1};
	for (n = 0; n < 2; n++) {
		memory_left = n;
		assert_int_equal(otlp_delta_create(&d, 1), -ENOMEM);
		memory_left = NO_FAILURE;
		assert_null(d);
	}
	d = delta_of(1);
	for (n = 0;; n++) {
		int err;

		memory_left = n;
		err = otlp_delta_apply(d, &m, true, &ret);
		memory_left = NO_FAILURE;
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		otlp_delta_destroy(d);
		d = delta_of(1);
	}
	assert_int_equal(n, 7);
	otlp_delta_destroy(d);
	otlp_delta_destroy(NULL);
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
		cmocka_unit_test(test_delta_adds_up_to_what_is_cumulative),
		cmocka_unit_test(test_delta_survives_any_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
