/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/otlp_dump.h"
#include "user/outbox.h"

#define MS UINT64_C(1000000)
#define REQUESTS 64

/* ---- an exporter that keeps what it is given ---- */

static struct {
	bool takes;
	int err; /* what submit answers */
	struct {
		enum otlp_signal signal;
		uint8_t *data;
		size_t size, items;
	} got[REQUESTS];
	size_t len;
	uint64_t items;
	bool malloc_fails;
} to;

bool __wrap_otlp_exporter_takes(const struct otlp_exporter *x, enum otlp_signal signal);
uint8_t *__wrap_otlp_exporter_buffer(struct otlp_exporter *x, size_t size);
int __wrap_otlp_exporter_submit(struct otlp_exporter *x, enum otlp_signal signal, uint8_t *data,
				size_t size, size_t items);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

bool __wrap_otlp_exporter_takes(const struct otlp_exporter *x, enum otlp_signal signal)
{
	(void)x;
	(void)signal;
	return to.takes;
}

uint8_t *__wrap_otlp_exporter_buffer(struct otlp_exporter *x, size_t size)
{
	(void)x;
	return malloc(size);
}

int __wrap_otlp_exporter_submit(struct otlp_exporter *x, enum otlp_signal signal, uint8_t *data,
				size_t size, size_t items)
{
	(void)x;
	if (to.err)
		return to.err;
	assert_true(to.len < REQUESTS);
	to.got[to.len].signal = signal;
	to.got[to.len].data = data;
	to.got[to.len].size = size;
	to.got[to.len++].items = items;
	to.items += items;
	return 0;
}

void *__wrap_malloc(size_t size)
{
	return to.malloc_fails ? NULL : __real_malloc(size);
}

static struct otlp_encoder *encoder;
static int exporter; /* only its address counts */

static int setup(void **state)
{
	const struct otlp_source source = {.scope_name = OTLP_STR("test")};

	(void)state;
	memset(&to, 0, sizeof(to));
	to.takes = true;
	return otlp_encoder_create(&encoder, &source);
}

static int teardown(void **state)
{
	(void)state;
	otlp_encoder_destroy(encoder);
	while (to.len)
		free(to.got[--to.len].data);
	return 0;
}

static struct outbox *outbox_of(enum otlp_signal signal, size_t max_items, size_t max_bytes,
				uint32_t delay_ms)
{
	struct outbox_opts opts = {
		encoder, (struct otlp_exporter *)&exporter, signal, max_items, max_bytes, delay_ms};
	struct outbox *o;

	assert_int_equal(outbox_create(&o, &opts), 0);
	return o;
}

/* made = submitted + waiting + unencodable + unsent, at every moment. */
static struct outbox_stats stats_of(struct outbox *o)
{
	struct outbox_stats s;

	outbox_stats(o, &s);
	assert_int_equal(s.made, to.items + s.waiting + s.unencodable + s.unsent);
	return s;
}

static const struct otlp_span span = {
	.trace_id = {1},
	.span_id = {2},
	.name = OTLP_STR("tcp"),
	.kind = OTLP_SPAN_INTERNAL,
};

static void assert_request(size_t i, enum otlp_signal signal, const char *part, size_t times)
{
	char *dump = otlp_dump(signal, to.got[i].data, to.got[i].size), *p;
	size_t seen = 0;

	assert_non_null(dump);
	for (p = dump; (p = strstr(p, part)); p++)
		seen++;
	assert_int_equal(seen, times);
	assert_int_equal(to.got[i].signal, signal);
	free(dump);
}

/* ---- when a request leaves ---- */

static void test_outbox_sends_when_there_are_enough(void **state)
{
	struct outbox *o = outbox_of(OTLP_TRACES, 3, 65536, 1000);
	int i;

	(void)state;
	for (i = 0; i < 7; i++) {
		assert_int_equal(outbox_add_span(o, &span, 0), 0);
		assert_int_equal(stats_of(o).waiting, (i + 1) % 3);
	}
	assert_int_equal(to.len, 2);
	assert_int_equal(to.got[0].items, 3);
	assert_request(0, OTLP_TRACES, "5'tcp'", 3);
	outbox_flush(o);
	assert_int_equal(to.len, 3);
	assert_request(2, OTLP_TRACES, "5'tcp'", 1);
	assert_int_equal(stats_of(o).waiting, 0);
	outbox_destroy(o);
}

static void test_outbox_sends_when_the_first_has_waited(void **state)
{
	struct outbox *o = outbox_of(OTLP_TRACES, 100, 65536, 50);

	(void)state;
	outbox_add_span(o, &span, 10 * MS);
	outbox_add_span(o, &span, 59 * MS);
	outbox_tick(o, 60 * MS - 1);
	assert_int_equal(to.len, 0);
	outbox_tick(o, 60 * MS);
	assert_int_equal(to.len, 1);
	assert_int_equal(to.got[0].items, 2);
	/* the next one waits as long again */
	outbox_add_span(o, &span, 100 * MS);
	outbox_tick(o, 149 * MS);
	assert_int_equal(to.len, 1);
	outbox_tick(o, 150 * MS);
	assert_int_equal(to.len, 2);
	outbox_tick(o, 500 * MS); /* nothing: no empty requests */
	outbox_flush(o);
	assert_int_equal(to.len, 2);
	outbox_destroy(o);
}

static void test_outbox_sends_when_full_and_loses_nothing(void **state)
{
	struct outbox *o = outbox_of(OTLP_TRACES, 0, 300, 1000);
	size_t i;

	(void)state;
	for (i = 0; i < 50; i++)
		assert_int_equal(outbox_add_span(o, &span, 0), 0);
	outbox_flush(o);
	assert_true(to.len > 5);
	for (i = 0; i < to.len; i++) {
		assert_true(to.got[i].size <= 300);
		assert_request(i, OTLP_TRACES, "5'tcp'", to.got[i].items);
	}
	assert_int_equal(to.items, 50);
	assert_int_equal(stats_of(o).made, 50);
	outbox_destroy(o);
}

/* ---- what is lost is counted ---- */

static void test_outbox_counts_what_breaks_a_rule(void **state)
{
	struct outbox *o = outbox_of(OTLP_TRACES, 0, 300, 1000);
	struct otlp_span bad = span, large = span;
	char text[400];

	(void)state;
	memset(bad.trace_id, 0, sizeof(bad.trace_id));
	memset(text, 'x', sizeof(text));
	large.name = (struct otlp_str){text, sizeof(text)};
	assert_int_equal(outbox_add_span(o, &span, 0), 0);
	assert_int_equal(outbox_add_span(o, &bad, 0), -EINVAL);
	assert_int_equal(outbox_add_span(o, &large, 0), -EMSGSIZE);
	assert_int_equal(outbox_add_span(o, &span, 0), 0);
	assert_int_equal(stats_of(o).unencodable, 2);
	outbox_flush(o);
	outbox_lose(o, 5);
	assert_int_equal(stats_of(o).unencodable, 7);
	assert_int_equal(stats_of(o).made, 9);
	assert_int_equal(to.items, 2);
	outbox_destroy(o);

	/* not even the resource fits */
	o = outbox_of(OTLP_TRACES, 0, 4, 1000);
	assert_int_equal(outbox_add_span(o, &span, 0), -EMSGSIZE);
	to.items = 0;
	assert_int_equal(stats_of(o).unencodable, 1);
	outbox_destroy(o);
}

static void test_outbox_counts_what_cannot_be_sent(void **state)
{
	struct outbox *o = outbox_of(OTLP_TRACES, 2, 65536, 1000);

	(void)state;
	to.malloc_fails = true; /* no buffer */
	assert_int_equal(outbox_add_span(o, &span, 0), -ENOMEM);
	to.malloc_fails = false;
	assert_int_equal(stats_of(o).unsent, 1);
	to.err = -ESHUTDOWN;
	outbox_add_span(o, &span, 0);
	outbox_add_span(o, &span, 0);
	assert_int_equal(stats_of(o).unsent, 3);
	to.err = 0;
	outbox_add_span(o, &span, 0);
	to.malloc_fails = true; /* no copy to hand over */
	outbox_flush(o);
	to.malloc_fails = false;
	assert_int_equal(stats_of(o).unsent, 4);
	outbox_add_span(o, &span, 0);
	outbox_flush(o);
	assert_int_equal(to.items, 1);
	assert_int_equal(stats_of(o).made, 5);
	outbox_destroy(o);
}

/* ---- other signals ---- */

static void test_outbox_counts_points_of_metrics(void **state)
{
	struct outbox *o = outbox_of(OTLP_METRICS, 0, 65536, 0);
	const struct otlp_point points[] = {
		{.time_unix_ns = 1}, {.time_unix_ns = 1}, {.integer = 1}};
	struct otlp_metric metric = {
		.name = OTLP_STR("m"), .type = OTLP_SUM, .points = points, .points_len = 2};

	(void)state;
	assert_int_equal(outbox_add_metric(o, &metric, 0), 0);
	assert_int_equal(stats_of(o).waiting, 2);
	metric.points_len = 3; /* one without a time */
	assert_int_equal(outbox_add_metric(o, &metric, 0), -EINVAL);
	assert_int_equal(stats_of(o).unencodable, 3);
	outbox_flush(o);
	assert_int_equal(to.got[0].items, 2);
	assert_request(0, OTLP_METRICS, "1'm'", 1);
	outbox_destroy(o);
}

static void test_outbox_spreads_a_large_metric_over_requests(void **state)
{
	struct outbox *o = outbox_of(OTLP_METRICS, 0, 1000, 1000);
	struct otlp_attr attrs[41];
	struct otlp_point points[41];
	struct otlp_metric metric = {.name = OTLP_STR("m"), .type = OTLP_GAUGE, .points = points,
				     .points_len = 41};
	char text[2000];
	size_t i;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (i = 0; i < 41; i++) {
		/* the 18th fits no request */
		attrs[i] = (struct otlp_attr){.key = OTLP_STR("k"), .type = OTLP_STRING,
					      .value.string = {text, i == 17 ? 2000 : 60}};
		points[i] = (struct otlp_point){.attrs = {&attrs[i], 1}, .time_unix_ns = 1 + i};
	}
	assert_int_equal(outbox_add_metric(o, &metric, 0), -EMSGSIZE);
	assert_int_equal(stats_of(o).made, 41);
	assert_int_equal(stats_of(o).unencodable, 1);
	outbox_flush(o);
	assert_int_equal(to.items, 40);
	assert_true(to.len >= 5 && to.len <= 20);
	for (i = 0; i < to.len; i++)
		assert_true(to.got[i].size <= 1000);
	outbox_destroy(o);
}

static void test_outbox_sends_logs(void **state)
{
	struct outbox *o = outbox_of(OTLP_LOGS, 2, 65536, 0);
	const struct otlp_log log = {.severity = OTLP_SEVERITY_WARN, .body = OTLP_STR("b")};

	(void)state;
	outbox_add_log(o, &log, 5);
	outbox_tick(o, 5); /* no delay: at once */
	assert_int_equal(to.len, 1);
	assert_request(0, OTLP_LOGS, "5{1'b'}", 1);
	outbox_destroy(o);
}

static void test_outbox_is_none_where_nobody_takes_the_signal(void **state)
{
	struct outbox_opts opts = {.encoder = encoder, .signal = OTLP_TRACES};
	struct outbox *o = (struct outbox *)&exporter;
	struct outbox_stats s = {.made = 1};

	(void)state;
	assert_int_equal(outbox_create(&o, &opts), 0); /* no exporter */
	assert_null(o);
	to.takes = false;
	assert_null(outbox_of(OTLP_TRACES, 1, 1000, 0));
	outbox_tick(NULL, 1);
	outbox_flush(NULL);
	outbox_destroy(NULL);
	outbox_stats(NULL, &s);
	assert_int_equal(s.made, 0);
}

/* What is not sent at the end is nobody's leak. */
static void test_outbox_can_be_destroyed_with_items(void **state)
{
	struct outbox *o = outbox_of(OTLP_TRACES, 0, 65536, 1000);

	(void)state;
	outbox_add_span(o, &span, 0);
	outbox_destroy(o);
	assert_int_equal(to.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_outbox_sends_when_there_are_enough, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_outbox_sends_when_the_first_has_waited, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_outbox_sends_when_full_and_loses_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_outbox_counts_what_breaks_a_rule, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_outbox_counts_what_cannot_be_sent, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_outbox_counts_points_of_metrics, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_outbox_spreads_a_large_metric_over_requests,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_outbox_sends_logs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outbox_is_none_where_nobody_takes_the_signal,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_outbox_can_be_destroyed_with_items, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
