/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/encode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/otlp_dump.h"
#include "tests/otlp_reference.h"
#include "tests/otlp_samples.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ATTRS(...)                                                                                 \
	{                                                                                          \
		.list = (struct otlp_attr[]){__VA_ARGS__},                                         \
		.len = sizeof((struct otlp_attr[]){__VA_ARGS__}) / sizeof(struct otlp_attr),       \
	}
/* OTLP_STR() is no constant inside another literal. */
#define STR(literal) {literal, sizeof(literal) - 1}
#define TEXT(name, text) {.key = STR(name), OTLP_STRING, .value.string = STR(text)}

/* What ringspan's own spans and points look like, all members set. */
static const struct otlp_source source = {
	.resource = ATTRS(TEXT("service.name", "s")),
	.scope_name = OTLP_STR("ringspan"),
	.scope_version = OTLP_STR("1"),
	.schema_url = OTLP_STR("u"),
};
#define HEAD_DUMP(items) "1{1{1{1'service.name'2{1's'}}}2{1{1'ringspan'2'1'}" items "3'u'}3'u'}"

static const struct otlp_event event = {
	.time_unix_ns = 0x10,
	.name = OTLP_STR("reset"),
	.attrs = ATTRS(TEXT("k", "")),
};
static const struct otlp_link link_to = {
	.trace_id = {1},
	.span_id = {2},
	.trace_state = OTLP_STR("x=y"),
	.attrs = ATTRS(TEXT("l", "m")),
	.flags = 0x101,
};
static const struct otlp_span full_span = {
	.trace_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	.span_id = {1, 2, 3, 4, 5, 6, 7, 8},
	.parent_span_id = {9},
	.has_parent = true,
	.trace_state = OTLP_STR("ot=th:fd70a"),
	.name = OTLP_STR("tcp https"),
	.kind = OTLP_SPAN_CLIENT,
	.flags = 0x301,
	.start_unix_ns = 0x1122334455667788,
	.end_unix_ns = 0x1122334455667789,
	.attrs = ATTRS(TEXT("source.address", "192.0.2.1"),
		       {.key = STR("t"), OTLP_BOOL, .value.boolean = true},
		       {.key = STR("f"), OTLP_BOOL, .value.boolean = false},
		       {.key = STR("z"), OTLP_INT, .value.integer = 0},
		       {.key = STR("min"), OTLP_INT, .value.integer = INT64_MIN},
		       {.key = STR("d"), OTLP_DOUBLE, .value.number = 1.5},
		       {.key = STR("d0"), OTLP_DOUBLE, .value.number = 0}),
	.events = &event,
	.events_len = 1,
	.links = &link_to,
	.links_len = 1,
	.status = OTLP_STATUS_ERROR,
	.status_message = OTLP_STR("refused"),
};
static const struct otlp_span root_span = {
	.trace_id = {[15] = 1},
	.span_id = {[7] = 1},
	.name = OTLP_STR("udp"),
	.status_message = OTLP_STR("not an error, so not written"),
};
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
static const struct otlp_log full_log = {
	.time_unix_ns = 3,
	.observed_unix_ns = 4,
	.severity = OTLP_SEVERITY_WARN,
	.body = OTLP_STR("body"),
	.event_name = OTLP_STR("flow.end"),
	.attrs = ATTRS(TEXT("a", "b")),
	.has_trace = true,
	.trace_id = {1},
	.span_id = {2},
	.flags = 1,
};

static bool malloc_fails;
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
	return malloc_fails ? NULL : __real_malloc(size);
}

static struct otlp_encoder *encoder_for(const struct otlp_source *of)
{
	struct otlp_encoder *e;

	assert_int_equal(otlp_encoder_create(&e, of), 0);
	return e;
}

static int add_item(struct otlp_batch *b, const void *items, size_t i)
{
	if (b->signal == OTLP_TRACES)
		return otlp_batch_add_span(b, (const struct otlp_span *)items + i);
	if (b->signal == OTLP_METRICS)
		return otlp_batch_add_metric(b, (const struct otlp_metric *)items + i);
	return otlp_batch_add_log(b, (const struct otlp_log *)items + i);
}

/* A request as text, of items that must all be taken. */
static char *dump_of(const struct otlp_source *of, enum otlp_signal signal, const void *items,
		     size_t len)
{
	size_t cap = 8 << 20, i, size;
	struct otlp_encoder *e = encoder_for(of);
	uint8_t *data = malloc(cap);
	struct otlp_batch b;
	char *dump;

	assert_non_null(data);
	assert_int_equal(otlp_batch_begin(&b, e, signal, data, cap), 0);
	for (i = 0; i < len; i++)
		assert_int_equal(add_item(&b, items, i), 0);
	size = otlp_batch_end(&b);
	assert_int_equal(size, b.len);
	dump = otlp_dump(signal, data, size);
	assert_non_null(dump);
	free(data);
	otlp_encoder_destroy(e);
	return dump;
}

static void assert_dump(enum otlp_signal signal, const void *item, const char *expected)
{
	char *dump = dump_of(&source, signal, item, 1);

	assert_string_equal(dump, expected);
	free(dump);
}

static void test_encode_writes_every_field_of_a_span(void **state)
{
	(void)state;
	assert_dump(OTLP_TRACES, &full_span,
		    HEAD_DUMP("2{1=0102030405060708090a0b0c0d0e0f10 2=0102030405060708 "
			      "3'ot=th:fd70a'4=0900000000000000 5'tcp https'6:3 "
			      "7:1122334455667788 8:1122334455667789 "
			      "9{1'source.address'2{1'192.0.2.1'}}9{1't'2{2:1 }}9{1'f'2{2:0 }}"
			      "9{1'z'2{3:0 }}9{1'min'2{3:-9223372036854775808 }}"
			      "9{1'd'2{4:3ff8000000000000 }}9{1'd0'2{4:0 }}"
			      "11{1:10 2'reset'3{1'k'2{1''}}}"
			      "13{1=01000000000000000000000000000000 2=0200000000000000 3'x=y'"
			      "4{1'l'2{1'm'}}6:101 }15{2'refused'3:2 }16:301 }"));
}

static void test_encode_leaves_out_what_is_zero(void **state)
{
	struct otlp_span ok_span = root_span;

	(void)state;
	assert_dump(OTLP_TRACES, &root_span,
		    HEAD_DUMP("2{1=00000000000000000000000000000001 2=0000000000000001 5'udp'}"));
	ok_span.status = OTLP_STATUS_OK;
	assert_dump(OTLP_TRACES, &ok_span,
		    HEAD_DUMP("2{1=00000000000000000000000000000001 2=0000000000000001 5'udp'"
			      "15{3:1 }}"));
}

static void test_encode_writes_sums_and_gauges(void **state)
{
	struct otlp_metric gauge = {.name = OTLP_STR("g"), .points = number_points, .points_len = 2};

	(void)state;
	assert_dump(OTLP_METRICS, &sum,
		    HEAD_DUMP("2{1'xdp.packets.total'2'about'3'{packet}'"
			      "7{1{2:1 3:2 6:0 7{1'a'2{1'b'}}}1{3:2 4:3ff8000000000000 }2:2 3:1 }}"));
	assert_dump(OTLP_METRICS, &gauge,
		    HEAD_DUMP("2{1'g'5{1{3:2 6:0 7{1'a'2{1'b'}}}1{3:2 4:3ff8000000000000 }}}"));
}

static void test_encode_writes_exponential_histograms(void **state)
{
	const uint64_t buckets[] = {1, 0, 300};
	struct otlp_point points[] = {
		{.attrs = ATTRS(TEXT("a", "b")), .start_unix_ns = 1, .time_unix_ns = 2,
		 .histogram = {.count = 303, .sum = 1.5, .scale = -1, .zero_count = 2, .offset = -3,
			       .buckets = buckets, .buckets_len = 3}},
		{.time_unix_ns = 2},
	};
	struct otlp_metric metric = {.name = OTLP_STR("h"), .type = OTLP_EXP_HISTOGRAM,
				     .points = points, .points_len = 2};

	(void)state;
	assert_dump(OTLP_METRICS, &metric,
		    HEAD_DUMP("2{1'h'10{1{1{1'a'2{1'b'}}2:1 3:2 4:12f 5:3ff8000000000000 6:-1 7:2 "
			      "8{1:-3 2:1 2:0 2:300 }}1{3:2 5:0 }2:2 }}"));
}

static void test_encode_writes_logs(void **state)
{
	const struct otlp_log bare = {.severity = OTLP_SEVERITY_INFO, .trace_id = {1}};

	(void)state;
	assert_dump(OTLP_LOGS, &full_log,
		    HEAD_DUMP("2{1:3 2:13 5{1'body'}6{1'a'2{1'b'}}8:1 "
			      "9=01000000000000000000000000000000 10=0200000000000000 11:4 "
			      "12'flow.end'}"));
	assert_dump(OTLP_LOGS, &bare, HEAD_DUMP("2{2:9 }"));
}

static void test_encode_equals_the_reference(void **state)
{
	const size_t cap = 8 << 20;
	uint8_t *data = malloc(cap);
	uint64_t seed;

	(void)state;
	assert_non_null(data);
	for (seed = 0; seed < 24; seed++) {
		enum otlp_signal signal = (enum otlp_signal)(seed % OTLP_SIGNAL_MAX);
		struct otlp_samples *s = otlp_samples_create(seed);
		const struct otlp_source *of = otlp_samples_source(s);
		const void *items = otlp_samples_items(s, signal, 40);
		size_t size = otlp_reference_encode(of, signal, items, 40, data, cap);
		char *expected = otlp_dump(signal, data, size);
		char *dump = dump_of(of, signal, items, 40);

		assert_true(size > 0);
		assert_non_null(expected);
		if (strcmp(dump, expected) != 0)
			fail_msg("seed %llu differs", (unsigned long long)seed);
		free(dump);
		free(expected);
		otlp_samples_destroy(s);
	}
	free(data);
}

/* @cap bytes that end where the memory ends. */
struct guarded {
	uint8_t *map;
	size_t size;
};

static uint8_t *guarded_at(const struct guarded *g, size_t cap)
{
	assert_true(cap <= g->size);
	return g->map + g->size - cap;
}

static struct guarded guarded_create(size_t cap)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct guarded g = {.size = (cap + page) / page * page};

	g.map = mmap(NULL, g.size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(g.map, MAP_FAILED);
	assert_int_equal(mprotect(g.map + g.size, page, PROT_NONE), 0);
	return g;
}

static void guarded_destroy(struct guarded *g)
{
	munmap(g->map, g->size + (size_t)sysconf(_SC_PAGESIZE));
}

/* What a request of the items takes: sizes[0] the head, sizes[i + 1] item i. Returns the sum. */
static size_t measure(const struct otlp_encoder *e, enum otlp_signal signal, const void *items,
		      size_t len, size_t *sizes)
{
	const size_t cap = 1 << 20;
	uint8_t *data = malloc(cap);
	struct otlp_batch b;
	size_t i;

	assert_non_null(data);
	assert_int_equal(otlp_batch_begin(&b, e, signal, data, cap), 0);
	sizes[0] = b.len;
	for (i = 0; i < len; i++) {
		size_t before = b.len;

		assert_int_equal(add_item(&b, items, i), 0);
		sizes[i + 1] = b.len - before;
	}
	free(data);
	return b.len;
}

/* A batch of exactly this capacity takes what fits, tells what does not, and stays whole. */
static void check_capacity(const struct otlp_encoder *e, enum otlp_signal signal, const void *items,
			   size_t len, const size_t *sizes, uint8_t *data, size_t cap)
{
	struct otlp_batch b, before;
	uint8_t *copy;
	size_t i;

	if (cap < sizes[0]) {
		assert_int_equal(otlp_batch_begin(&b, e, signal, data, cap), -ENOSPC);
		return;
	}
	copy = malloc(cap);
	assert_non_null(copy);
	assert_int_equal(otlp_batch_begin(&b, e, signal, data, cap), 0);
	for (i = 0; i < len; i++) {
		size_t size = sizes[i + 1];
		int expected = b.len + size <= cap   ? 0
			       : sizes[0] + size > cap ? -EMSGSIZE
						       : -ENOSPC;

		before = b;
		memcpy(copy, data, b.len);
		assert_int_equal(add_item(&b, items, i), expected);
		if (expected == 0)
			continue;
		assert_memory_equal(&b, &before, sizeof(b));
		assert_memory_equal(data, copy, b.len);
	}
	free(copy);
	if (b.items) {
		size_t size = otlp_batch_end(&b);
		char *dump = otlp_dump(signal, data, size);

		assert_true(size <= cap);
		assert_non_null(dump);
		free(dump);
	}
}

static void check_capacities(enum otlp_signal signal, const void *items, size_t len, size_t last)
{
	struct otlp_encoder *e = encoder_for(&source);
	size_t sizes[8], full = measure(e, signal, items, len, sizes), cap;
	struct guarded g = guarded_create(full);

	for (cap = full > last ? full - last : 0; cap <= full; cap++)
		check_capacity(e, signal, items, len, sizes, guarded_at(&g, cap), cap);
	guarded_destroy(&g);
	otlp_encoder_destroy(e);
}

static void test_encode_stays_within_any_capacity(void **state)
{
	struct otlp_attr odd[] = {TEXT("bad\xff", "worse\xc3"), TEXT("good", "€")};
	struct otlp_span spans[] = {full_span, root_span, root_span};
	struct otlp_log logs[] = {full_log, {.time_unix_ns = 1}, {.event_name = STR("bad\xff\xff")}};
	const uint64_t buckets[] = {1, 1 << 20};
	struct otlp_point point = {.time_unix_ns = 1,
				   .histogram = {.count = 1 + (1 << 20), .buckets = buckets,
						 .buckets_len = 2}};
	struct otlp_metric metrics[] = {sum, sum};

	(void)state;
	spans[2].attrs = (struct otlp_attrs){odd, 2};
	metrics[1].type = OTLP_EXP_HISTOGRAM;
	metrics[1].points = &point;
	metrics[1].points_len = 1;
	check_capacities(OTLP_TRACES, spans, 3, SIZE_MAX);
	check_capacities(OTLP_METRICS, metrics, 2, SIZE_MAX);
	check_capacities(OTLP_LOGS, logs, 3, SIZE_MAX);
}

static void test_encode_gives_long_items_a_long_length(void **state)
{
	char *body = malloc(20000);
	struct otlp_log logs[2] = {full_log, full_log};
	size_t len;

	(void)state;
	assert_non_null(body);
	memset(body, 'x', 20000);
	for (len = 16270; len < 16400; len++) {
		char *dump;

		logs[0].body = (struct otlp_str){body, len};
		dump = dump_of(&source, OTLP_LOGS, logs, 2);
		assert_non_null(strstr(dump, "12'flow.end'}2{1:3 2:13 5{1'body'}"));
		free(dump);
		check_capacities(OTLP_LOGS, logs, 1, 8);
	}
	free(body);
}

static void assert_refused(enum otlp_signal signal, const void *item)
{
	struct otlp_encoder *e = encoder_for(&source);
	struct otlp_batch b, before;
	uint8_t data[4096];

	assert_int_equal(otlp_batch_begin(&b, e, signal, data, sizeof(data)), 0);
	before = b;
	assert_int_equal(add_item(&b, item, 0), -EINVAL);
	assert_memory_equal(&b, &before, sizeof(b));
	assert_int_equal(otlp_batch_end(&b), 0);
	otlp_encoder_destroy(e);
}

static void test_encode_refuses_spans_that_break_a_rule(void **state)
{
	const struct otlp_event nameless = {.time_unix_ns = 1};
	const struct otlp_link nowhere = {.trace_id = {1}};
	struct otlp_attr keyless = {.type = OTLP_INT};
	struct otlp_span bad[7];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(bad); i++)
		bad[i] = full_span;
	memset(bad[0].trace_id, 0, sizeof(bad[0].trace_id));
	memset(bad[1].span_id, 0, sizeof(bad[1].span_id));
	memset(bad[2].parent_span_id, 0, sizeof(bad[2].parent_span_id));
	bad[3].name.len = 0;
	bad[4].end_unix_ns = bad[4].start_unix_ns - 1;
	bad[5].events = &nameless;
	bad[6].links = &nowhere;
	for (i = 0; i < LENGTH(bad); i++)
		assert_refused(OTLP_TRACES, &bad[i]);
	bad[0] = full_span;
	bad[0].attrs = (struct otlp_attrs){&keyless, 1};
	assert_refused(OTLP_TRACES, &bad[0]);
}

static void test_encode_refuses_metrics_and_logs_that_break_a_rule(void **state)
{
	const struct otlp_point timeless = {.integer = 1};
	const struct otlp_point backwards = {.start_unix_ns = 2, .time_unix_ns = 1};
	const struct otlp_point miscounted = {.time_unix_ns = 1, .histogram.count = 1};
	struct otlp_metric metric = sum;
	struct otlp_log log = full_log;

	(void)state;
	metric.points_len = 0;
	assert_refused(OTLP_METRICS, &metric);
	metric.points_len = 1;
	metric.points = &timeless;
	assert_refused(OTLP_METRICS, &metric);
	metric.points = &backwards;
	assert_refused(OTLP_METRICS, &metric);
	metric.type = OTLP_EXP_HISTOGRAM;
	metric.points = &miscounted;
	assert_refused(OTLP_METRICS, &metric);
	metric = sum;
	metric.name.len = 0;
	assert_refused(OTLP_METRICS, &metric);
	memset(log.span_id, 0, sizeof(log.span_id));
	assert_refused(OTLP_LOGS, &log);
}

/* Of any length, so that each step of copying sees the fault. */
static void test_encode_repairs_text_wherever_it_stands(void **state)
{
	char in[40], out[64], *dump, *want;
	struct otlp_str text = {in, 0};
	struct otlp_attr attr = {.type = OTLP_STRING};
	struct otlp_log log = {.attrs = {&attr, 1}};
	size_t i;

	(void)state;
	for (text.len = 1; text.len < sizeof(in); text.len++) {
		for (i = 0; i < text.len; i++) {
			memset(in, 'x', text.len);
			in[i] = '\x80';
			snprintf(out, sizeof(out), "%.*s\xef\xbf\xbd%.*s", (int)i, in,
				 (int)(text.len - i - 1), in + i + 1);
			log.body = log.event_name = attr.key = attr.value.string = text;
			dump = dump_of(&source, OTLP_LOGS, &log, 1);
			assert_true(asprintf(&want, HEAD_DUMP("2{5{1'%s'}6{1'%s'2{1'%s'}}12'%s'}"),
					     out, out, out, out) > 0);
			assert_string_equal(dump, want);
			free(want);
			free(dump);
		}
	}
}

static void test_encode_empty_batch_is_no_request(void **state)
{
	struct otlp_encoder *e = encoder_for(&source);
	struct otlp_batch b;
	uint8_t data[256];
	int signal;

	(void)state;
	for (signal = 0; signal < OTLP_SIGNAL_MAX; signal++) {
		assert_int_equal(otlp_batch_begin(&b, e, signal, data, sizeof(data)), 0);
		assert_int_equal(otlp_batch_end(&b), 0);
	}
	otlp_encoder_destroy(e);
}

static void test_encode_counts_points_as_items(void **state)
{
	struct otlp_encoder *e = encoder_for(&source);
	struct otlp_batch b;
	uint8_t data[1024];

	(void)state;
	assert_int_equal(otlp_batch_begin(&b, e, OTLP_METRICS, data, sizeof(data)), 0);
	assert_int_equal(otlp_batch_add_metric(&b, &sum), 0);
	assert_int_equal(otlp_batch_add_metric(&b, &sum), 0);
	assert_int_equal(b.items, 2 * sum.points_len);
	otlp_encoder_destroy(e);
}

static void test_encode_refuses_a_useless_source(void **state)
{
	struct otlp_attr keyless = {.type = OTLP_STRING};
	const struct otlp_source bad = {.resource = {&keyless, 1}};
	struct otlp_encoder *e = NULL;

	(void)state;
	assert_int_equal(otlp_encoder_create(&e, &bad), -EINVAL);
	malloc_fails = true;
	assert_int_equal(otlp_encoder_create(&e, &source), -ENOMEM);
	malloc_fails = false;
	assert_null(e);
	otlp_encoder_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_writes_every_field_of_a_span),
		cmocka_unit_test(test_encode_leaves_out_what_is_zero),
		cmocka_unit_test(test_encode_writes_sums_and_gauges),
		cmocka_unit_test(test_encode_writes_exponential_histograms),
		cmocka_unit_test(test_encode_writes_logs),
		cmocka_unit_test(test_encode_equals_the_reference),
		cmocka_unit_test(test_encode_stays_within_any_capacity),
		cmocka_unit_test(test_encode_gives_long_items_a_long_length),
		cmocka_unit_test(test_encode_refuses_spans_that_break_a_rule),
		cmocka_unit_test(test_encode_refuses_metrics_and_logs_that_break_a_rule),
		cmocka_unit_test(test_encode_repairs_text_wherever_it_stands),
		cmocka_unit_test(test_encode_empty_batch_is_no_request),
		cmocka_unit_test(test_encode_counts_points_as_items),
		cmocka_unit_test(test_encode_refuses_a_useless_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
