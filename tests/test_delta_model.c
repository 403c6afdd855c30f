/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/delta.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/delta_fixture.h"
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
static void test_delta_model_adds_up_to_what_is_cumulative(void **state)
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

static void test_delta_model_survives_any_failed_allocation(void **state)
{
	const struct otlp_attr attr = TEXT("a", "1");
	const uint64_t buckets[] = {1, 2};
	struct otlp_point point = {.time_unix_ns = 10,
				   .histogram = {.count = 3, .buckets = buckets, .buckets_len = 2}};
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
		cmocka_unit_test(test_delta_model_adds_up_to_what_is_cumulative),
		cmocka_unit_test(test_delta_model_survives_any_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
