/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/encode_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct otlp_point number_points[] = {
	{.attrs = ATTRS(TEXT("a", "b")), .start_unix_ns = 1, .time_unix_ns = 2, .integer = 0},
	{.time_unix_ns = 2, .is_double = true, .number = 1.5},
};
static const struct otlp_metric sum = {
	.name = OTLP_STR("xdp.packets.total"),
	.description = OTLP_STR("about"),
	.unit = OTLP_STR("{packet}"),
	.type = OTLP_SUM,
	.is_monotonic = true,
	.points = number_points,
	.points_len = 2,
};
static void test_encode_metric_writes_sums_and_gauges(void **state)
{
	struct otlp_metric gauge = {
		.name = OTLP_STR("g"), .points = number_points, .points_len = 2};

	(void)state;
	encode_assert_dump(
		NULL, OTLP_METRICS, &sum,
		HEAD_DUMP("2{1'xdp.packets.total'2'about'3'{packet}'"
			  "7{1{2:1 3:2 6:0 7{1'a'2{1'b'}}}1{3:2 4:3ff8000000000000 }2:2 3:1 }}"));
	encode_assert_dump(
		NULL, OTLP_METRICS, &gauge,
		HEAD_DUMP("2{1'g'5{1{3:2 6:0 7{1'a'2{1'b'}}}1{3:2 4:3ff8000000000000 }}}"));
}

static void test_encode_metric_writes_exponential_histograms(void **state)
{
	const uint64_t buckets[] = {1, 0, 300};
	struct otlp_point points[] = {
		{.attrs = ATTRS(TEXT("a", "b")),
		 .start_unix_ns = 1,
		 .time_unix_ns = 2,
		 .histogram = {.count = 303,
			       .sum = 1.5,
			       .scale = -1,
			       .zero_count = 2,
			       .offset = -3,
			       .buckets = buckets,
			       .buckets_len = 3}},
		{.time_unix_ns = 2},
	};
	struct otlp_metric metric = {.name = OTLP_STR("h"),
				     .type = OTLP_EXP_HISTOGRAM,
				     .points = points,
				     .points_len = 2};

	(void)state;
	encode_assert_dump(
		NULL, OTLP_METRICS, &metric,
		HEAD_DUMP("2{1'h'10{1{1{1'a'2{1'b'}}2:1 3:2 4:12f 5:3ff8000000000000 6:-1 7:2 "
			  "8{1:-3 2:1 2:0 2:300 }}1{3:2 5:0 }2:2 }}"));
}

static void test_encode_metric_says_that_it_is_delta(void **state)
{
	struct otlp_metric delta = sum;
	struct otlp_point point = {.time_unix_ns = 2};

	(void)state;
	delta.is_delta = true;
	delta.points = &point;
	delta.points_len = 1;
	encode_assert_dump(NULL, OTLP_METRICS, &delta,
			   HEAD_DUMP("2{1'xdp.packets.total'2'about'3'{packet}'"
				     "7{1{3:2 6:0 }2:1 3:1 }}"));
	delta.type = OTLP_EXP_HISTOGRAM;
	encode_assert_dump(NULL, OTLP_METRICS, &delta,
			   HEAD_DUMP("2{1'xdp.packets.total'2'about'3'{packet}'"
				     "10{1{3:2 5:0 }2:1 }}"));
	delta.type = OTLP_GAUGE;
	encode_assert_dump(NULL, OTLP_METRICS, &delta,
			   HEAD_DUMP("2{1'xdp.packets.total'2'about'3'{packet}'5{1{3:2 6:0 }}}"));
}

static const struct otlp_exemplar exemplars[] = {
	{.time_unix_ns = 0x10,
	 .integer = -1,
	 .number = 7,
	 .has_trace = true,
	 .trace_id = {[15] = 1},
	 .span_id = {2}},
	{.is_double = true, .integer = 7, .number = 1.5, .trace_id = {3}, .span_id = {4}},
};
#define EXEMPLARS_DUMP(tag)                                                                        \
	tag "{2:10 4=0200000000000000 5=00000000000000000000000000000001 6:ffffffffffffffff }" tag \
	    "{3:3ff8000000000000 }"

static void test_encode_metric_writes_exemplars(void **state)
{
	struct otlp_point point = {.time_unix_ns = 2, .exemplars = exemplars, .exemplars_len = 2};
	struct otlp_metric metric = {
		.name = OTLP_STR("m"), .type = OTLP_SUM, .points = &point, .points_len = 1};

	(void)state;
	encode_assert_dump(NULL, OTLP_METRICS, &metric,
			   HEAD_DUMP("2{1'm'7{1{3:2 " EXEMPLARS_DUMP("5") "6:0 }2:2 }}"));
	metric.type = OTLP_EXP_HISTOGRAM;
	encode_assert_dump(NULL, OTLP_METRICS, &metric,
			   HEAD_DUMP("2{1'm'10{1{3:2 5:0 " EXEMPLARS_DUMP("11") "}2:2 }}"));
	metric.type = OTLP_GAUGE;
	encode_assert_dump(NULL, OTLP_METRICS, &metric, HEAD_DUMP("2{1'm'5{1{3:2 6:0 }}}"));
}

static void test_encode_metric_is_refused_if_it_breaks_a_rule(void **state)
{
	const struct otlp_point timeless = {.integer = 1};
	const struct otlp_point backwards = {.start_unix_ns = 2, .time_unix_ns = 1};
	const struct otlp_point miscounted = {.time_unix_ns = 1, .histogram.count = 1};
	const struct otlp_exemplar nowhere = {.has_trace = true, .trace_id = {1}};
	const struct otlp_point pointless = {
		.time_unix_ns = 1, .exemplars = &nowhere, .exemplars_len = 1};
	struct otlp_metric metric = sum;

	(void)state;
	metric.points_len = 0;
	encode_assert_refused(OTLP_METRICS, &metric);
	metric.points_len = 1;
	metric.points = &timeless;
	encode_assert_refused(OTLP_METRICS, &metric);
	metric.points = &backwards;
	encode_assert_refused(OTLP_METRICS, &metric);
	metric.type = OTLP_EXP_HISTOGRAM;
	metric.points = &miscounted;
	encode_assert_refused(OTLP_METRICS, &metric);
	metric.points = &pointless;
	encode_assert_refused(OTLP_METRICS, &metric);
	metric = sum;
	metric.name.len = 0;
	encode_assert_refused(OTLP_METRICS, &metric);
}

static void test_encode_metric_counts_points_as_items(void **state)
{
	struct otlp_encoder *e = encode_encoder();
	struct otlp_batch b;
	uint8_t data[1024];

	(void)state;
	assert_int_equal(otlp_batch_begin(&b, e, OTLP_METRICS, data, sizeof(data)), 0);
	assert_int_equal(otlp_batch_add_metric(&b, &sum), 0);
	assert_int_equal(otlp_batch_add_metric(&b, &sum), 0);
	assert_int_equal(b.items, 2 * sum.points_len);
	otlp_encoder_destroy(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_metric_writes_sums_and_gauges),
		cmocka_unit_test(test_encode_metric_writes_exponential_histograms),
		cmocka_unit_test(test_encode_metric_says_that_it_is_delta),
		cmocka_unit_test(test_encode_metric_writes_exemplars),
		cmocka_unit_test(test_encode_metric_is_refused_if_it_breaks_a_rule),
		cmocka_unit_test(test_encode_metric_counts_points_as_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
