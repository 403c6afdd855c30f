/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/encode_fixture.h"

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

/* What ringspan's own spans and points look like, all members set. */
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
static const struct otlp_log full_log = {
	.time_unix_ns = 3,
	.observed_unix_ns = 4,
	.severity = OTLP_SEVERITY_WARN,
	.severity_text = OTLP_STR("WARN"),
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

static void test_encode_writes_every_field_of_a_span(void **state)
{
	(void)state;
	encode_assert_dump(
		NULL, OTLP_TRACES, &full_span,
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
	encode_assert_dump(
		NULL, OTLP_TRACES, &root_span,
		HEAD_DUMP("2{1=00000000000000000000000000000001 2=0000000000000001 5'udp'}"));
	ok_span.status = OTLP_STATUS_OK;
	encode_assert_dump(
		NULL, OTLP_TRACES, &ok_span,
		HEAD_DUMP("2{1=00000000000000000000000000000001 2=0000000000000001 5'udp'"
			  "15{3:1 }}"));
}

static void test_encode_writes_logs(void **state)
{
	const struct otlp_log bare = {.severity = OTLP_SEVERITY_INFO, .trace_id = {1}};

	(void)state;
	encode_assert_dump(NULL, OTLP_LOGS, &full_log,
			   HEAD_DUMP("2{1:3 2:13 3'WARN'5{1'body'}6{1'a'2{1'b'}}8:1 "
				     "9=01000000000000000000000000000000 10=0200000000000000 11:4 "
				     "12'flow.end'}"));
	encode_assert_dump(NULL, OTLP_LOGS, &bare, HEAD_DUMP("2{2:9 }"));
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
		const struct otlp_limits *limits = seed < 12 ? NULL : otlp_samples_limits(s);
		size_t size = otlp_reference_encode(of, limits, signal, items, 40, data, cap);
		char *expected = otlp_dump(signal, data, size);
		char *dump = encode_dump(of, limits, signal, items, 40);

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

		assert_int_equal(encode_add(&b, items, i), 0);
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
		assert_int_equal(encode_add(&b, items, i), expected);
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
	struct otlp_encoder *e = encode_encoder();
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
	const struct otlp_exemplar exemplar = {
		.time_unix_ns = 1, .has_trace = true, .trace_id = {1}, .span_id = {2}};
	const struct otlp_point number = {.attrs = ATTRS(TEXT("a", "b")),
					  .time_unix_ns = 2,
					  .exemplars = &exemplar,
					  .exemplars_len = 1};
	struct otlp_metric metrics[] = {
		{.name = STR("sum"), .type = OTLP_SUM, .points = &number, .points_len = 1},
		{.name = STR("h"), .type = OTLP_EXP_HISTOGRAM, .points = &point, .points_len = 1},
	};

	(void)state;
	spans[2].attrs = (struct otlp_attrs){odd, 2};
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
		dump = encode_dump(&encode_source, NULL, OTLP_LOGS, logs, 2);
		assert_non_null(strstr(dump, "12'flow.end'}2{1:3 2:13 3'WARN'5{1'body'}"));
		free(dump);
		check_capacities(OTLP_LOGS, logs, 1, 8);
	}
	free(body);
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
		encode_assert_refused(OTLP_TRACES, &bad[i]);
	bad[0] = full_span;
	bad[0].attrs = (struct otlp_attrs){&keyless, 1};
	encode_assert_refused(OTLP_TRACES, &bad[0]);
}

static void test_encode_refuses_logs_that_break_a_rule(void **state)
{
	struct otlp_log log = full_log;

	(void)state;
	memset(log.span_id, 0, sizeof(log.span_id));
	encode_assert_refused(OTLP_LOGS, &log);
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
			dump = encode_dump(&encode_source, NULL, OTLP_LOGS, &log, 1);
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
	struct otlp_encoder *e = encode_encoder();
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

static void test_encode_refuses_a_useless_source(void **state)
{
	struct otlp_attr keyless = {.type = OTLP_STRING};
	const struct otlp_source bad = {.resource = {&keyless, 1}};
	struct otlp_encoder *e = NULL;

	(void)state;
	assert_int_equal(otlp_encoder_create(&e, &bad), -EINVAL);
	malloc_fails = true;
	assert_int_equal(otlp_encoder_create(&e, &encode_source), -ENOMEM);
	malloc_fails = false;
	assert_null(e);
	otlp_encoder_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_writes_every_field_of_a_span),
		cmocka_unit_test(test_encode_leaves_out_what_is_zero),
		cmocka_unit_test(test_encode_writes_logs),
		cmocka_unit_test(test_encode_equals_the_reference),
		cmocka_unit_test(test_encode_stays_within_any_capacity),
		cmocka_unit_test(test_encode_gives_long_items_a_long_length),
		cmocka_unit_test(test_encode_refuses_spans_that_break_a_rule),
		cmocka_unit_test(test_encode_refuses_logs_that_break_a_rule),
		cmocka_unit_test(test_encode_repairs_text_wherever_it_stands),
		cmocka_unit_test(test_encode_empty_batch_is_no_request),
		cmocka_unit_test(test_encode_refuses_a_useless_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
