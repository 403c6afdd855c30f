/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names as github.com/prometheus/otlptranslator makes them, and both formats, line by line. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/prom_name.h"
#include "user/prom_text.h"

/* The n-th allocation from here on fails; 0: none. */
static unsigned fail_at;
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_realloc(void *p, size_t size)
{
	if (fail_at && !--fail_at)
		return NULL;
	return __real_realloc(p, size);
}

static struct otlp_str str(const char *s)
{
	return (struct otlp_str){s, strlen(s)};
}

enum kind { GAUGE, COUNTER, UPDOWN, HISTOGRAM };

static struct otlp_metric metric(const char *name, const char *unit, enum kind kind)
{
	return (struct otlp_metric){.name = str(name),
				    .unit = str(unit),
				    .description = str("d"),
				    .type = kind == GAUGE	? OTLP_GAUGE
					    : kind == HISTOGRAM ? OTLP_EXP_HISTOGRAM
								: OTLP_SUM,
				    .is_monotonic = kind == COUNTER};
}

/* What the metrics @m look like. */
static const char *text_of(enum prom_format format, const struct otlp_metric *m, size_t len)
{
	static char ret[16384];
	struct prom_text t;
	size_t i;

	prom_text_init(&t, format);
	for (i = 0; i < len; i++)
		prom_text_add(&t, &m[i]);
	assert_int_equal(prom_text_end(&t), 0);
	assert_true(t.len < sizeof(ret));
	memcpy(ret, t.data ? t.data : "", t.len);
	ret[t.len] = '\0';
	prom_text_reset(&t);
	return ret;
}

static void test_prom_text_names_are_those_of_prometheus(void **state)
{
	static const struct {
		const char *name, *unit;
		enum kind kind;
		const char *family, *shown_unit;
	} cases[] = {
		{"xdp.packets.total", "{packet}", COUNTER, "xdp_packets", ""},
		{"xdp.bytes.total", "By", COUNTER, "xdp_bytes", "bytes"},
		{"xdp.packets.rate", "{packet}/s", GAUGE, "xdp_packets_rate_per_second",
		 "per_second"},
		{"xdp.packet.size", "By", HISTOGRAM, "xdp_packet_size_bytes", "bytes"},
		{"xdp.tcp.segments", "{segment}", COUNTER, "xdp_tcp_segments", ""},
		{"ringspan.packet.duration", "s", HISTOGRAM, "ringspan_packet_duration_seconds",
		 "seconds"},
		{"ringspan.ring.pressure", "1", GAUGE, "ringspan_ring_pressure_ratio", "ratio"},
		{"ringspan.process.cpu.time", "s", COUNTER, "ringspan_process_cpu_time_seconds",
		 "seconds"},
		{"ringspan.queue.bytes", "By", GAUGE, "ringspan_queue_bytes", "bytes"},
		{"ringspan.export.sent", "By", COUNTER, "ringspan_export_sent_bytes", "bytes"},
		{"otel.sdk.exporter.span.inflight", "{span}", UPDOWN,
		 "otel_sdk_exporter_span_inflight", ""},
		/* the rules, one by one */
		{"total.a.total", "", COUNTER, "a", ""},
		{"a.total", "", UPDOWN, "a_total", ""},
		{"a", "1", UPDOWN, "a", ""},
		{"a.ratio.b", "1", GAUGE, "a_b_ratio", "ratio"},
		{"a", "1", COUNTER, "a", ""},
		{"a.bytes.b", "By", GAUGE, "a_bytes_b", ""},
		{"a", "By/s", GAUGE, "a_bytes_per_second", "bytes_per_second"},
		{"a.second", "By/s", GAUGE, "a_second_bytes_per_second", "bytes_per_second"},
		{"a", "m/{x}", GAUGE, "a_meters", "meters"},
		{"a", " % ", GAUGE, "a_percent", "percent"},
		{"a", "packet", COUNTER, "a_packet", "packet"},
		{"a", "x-y--z", GAUGE, "a_x_y_z", "x_y_z"},
		{"a", "KiBy/mo", GAUGE, "a_kibibytes_per_month", "kibibytes_per_month"},
		{"a..b__c-d", "", GAUGE, "a_b_c_d", ""},
		{"1a", "", GAUGE, "_1a", ""},
		{"a:b\xc3\xa4 c", "", GAUGE, "a:b_c", ""},
	};
	struct prom_name n;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct otlp_metric m = metric(cases[i].name, cases[i].unit, cases[i].kind);

		assert_int_equal(prom_name_metric(&m, &n), 0);
		assert_string_equal(n.family, cases[i].family);
		assert_string_equal(n.unit, cases[i].shown_unit);
		assert_int_equal(n.is_counter, cases[i].kind == COUNTER);
	}
}

static void test_prom_text_names_that_cannot_be_are_left_out(void **state)
{
	static char lengthy[PROM_NAME_CAP + 1];
	struct otlp_metric m = metric("...", "", GAUGE);
	struct otlp_point p = {.integer = 1};
	struct prom_name n;
	struct prom_text t;

	(void)state;
	assert_int_not_equal(prom_name_metric(&m, &n), 0);
	memset(lengthy, 'x', PROM_NAME_CAP);
	m.name = str(lengthy);
	assert_int_not_equal(prom_name_metric(&m, &n), 0);
	m = metric("a", lengthy, GAUGE);
	assert_int_not_equal(prom_name_metric(&m, &n), 0);
	m.points = &p;
	m.points_len = 1;
	prom_text_init(&t, PROM_TEXT);
	prom_text_add(&t, &m);
	m = metric("b", "", COUNTER);
	m.is_delta = true;
	prom_text_add(&t, &m);
	assert_int_equal(t.skipped, 2);
	assert_int_equal(t.len, 0);
	prom_text_reset(&t);
}

static void test_prom_text_labels_are_named_and_joined(void **state)
{
	static const char *const names[][2] = {{"a.b-c", "a_b_c"}, {"1x", "key_1x"},
					       {"_x", "key_x"},	   {".x", "key_x"},
					       {"__x", "__x"},	   {"\xc3\xa4x", "key_x"}};
	struct otlp_attr attrs[] = {
		{.key = OTLP_STR("a.b"), .value.string = OTLP_STR("1")},
		{.key = OTLP_STR("c"), .type = OTLP_INT, .value.integer = -2},
		{.key = OTLP_STR("..."), .value.string = OTLP_STR("no name")},
		{.key = OTLP_STR("a_b"), .value.string = OTLP_STR("3")},
		{.key = OTLP_STR("d"), .type = OTLP_BOOL, .value.boolean = true},
		{.key = OTLP_STR("e"), .type = OTLP_DOUBLE, .value.number = 0.1}};
	struct otlp_point p = {.attrs = {attrs, 6}, .integer = 5};
	struct otlp_metric m = metric("x", "", GAUGE);
	char label[PROM_NAME_CAP];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(prom_name_label(str(names[i][0]), label), 0);
		assert_string_equal(label, names[i][1]);
	}
	m.points = &p;
	m.points_len = 1;
	assert_string_equal(text_of(PROM_TEXT, &m, 1),
			    "# HELP x d\n# TYPE x gauge\n"
			    "x{a_b=\"1;3\",c=\"-2\",d=\"true\",e=\"0.1\"} 5\n");
}

static void test_prom_text_counters_differ_by_format(void **state)
{
	struct otlp_exemplar x = {.time_unix_ns = 1500000000123456789,
				  .integer = 7,
				  .has_trace = true,
				  .trace_id = {0xab, [15] = 1},
				  .span_id = {0xcd, [7] = 2}};
	struct otlp_point p = {.integer = 9,
			       .start_unix_ns = 1400000000000000005,
			       .exemplars = &x,
			       .exemplars_len = 1};
	struct otlp_metric m = metric("xdp.bytes.total", "By", COUNTER);

	(void)state;
	m.points = &p;
	m.points_len = 1;
	assert_string_equal(text_of(PROM_TEXT, &m, 1), "# HELP xdp_bytes_total d\n"
						       "# TYPE xdp_bytes_total counter\n"
						       "xdp_bytes_total 9\n");
	assert_string_equal(text_of(PROM_OPENMETRICS, &m, 1),
			    "# TYPE xdp_bytes counter\n# UNIT xdp_bytes bytes\n"
			    "# HELP xdp_bytes d\n"
			    "xdp_bytes_total 9 # {trace_id=\"ab000000000000000000000000000001\","
			    "span_id=\"cd00000000000002\"} 7 1500000000.123456789\n"
			    "xdp_bytes_created 1400000000.000000005\n# EOF\n");
	m.is_monotonic = false; /* then it is a gauge, which has neither */
	assert_string_equal(text_of(PROM_OPENMETRICS, &m, 1),
			    "# TYPE xdp_bytes_total gauge\n"
			    "# HELP xdp_bytes_total d\nxdp_bytes_total 9\n# EOF\n");
}

static void test_prom_text_is_escaped_and_always_utf8(void **state)
{
	static const char nasty[] = "a\\b\"c\nd\xff\xc3\xa4\x00z";
	struct otlp_attr attr = {.key = OTLP_STR("k"), .value.string = {nasty, sizeof(nasty) - 1}};
	struct otlp_point p = {.attrs = {&attr, 1}};
	struct otlp_metric m = metric("x", "", GAUGE);
	const char *text;

	(void)state;
	m.points = &p;
	m.points_len = 1;
	m.description = OTLP_STR("q\"\\\n\xc0");
	text = text_of(PROM_TEXT, &m, 1);
	assert_string_equal(text,
			    "# HELP x q\"\\\\\\n\xef\xbf\xbd\n# TYPE x gauge\nx{k=\"a\\\\b\\\"c\\nd"
			    "\xef\xbf\xbd\xc3\xa4\xef\xbf\xbdz\"} 0\n");
	text = text_of(PROM_OPENMETRICS, &m, 1);
	assert_non_null(strstr(text, "# HELP x q\\\"\\\\\\n\xef\xbf\xbd\n"));
}

static void test_prom_text_numbers_read_back(void **state)
{
	static const double numbers[] = {0.1, 1.0 / 3, 1e300, 5e-324, 123456789, -2.5};
	struct otlp_point p = {.is_double = true};
	struct otlp_metric m = metric("x", "", GAUGE);
	size_t i;

	(void)state;
	m.points = &p;
	m.points_len = 1;
	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		p.number = numbers[i];
		assert_true(strtod(strrchr(text_of(PROM_TEXT, &m, 1), ' '), NULL) == numbers[i]);
	}
	p.number = 0.1;
	assert_non_null(strstr(text_of(PROM_TEXT, &m, 1), "\nx 0.1\n"));
	p.number = INFINITY;
	assert_non_null(strstr(text_of(PROM_TEXT, &m, 1), "\nx +Inf\n"));
	p.number = -INFINITY;
	assert_non_null(strstr(text_of(PROM_TEXT, &m, 1), "\nx -Inf\n"));
	p.number = NAN;
	assert_non_null(strstr(text_of(PROM_TEXT, &m, 1), "\nx NaN\n"));
}

/* Bucket i of OTLP at scale 0 is (2^i, 2^(i+1)]: up to and with le. */
static void test_prom_text_histograms_are_classic(void **state)
{
	const uint64_t buckets[] = {3, 0, 4}, others[] = {1};
	struct otlp_exemplar x = {.time_unix_ns = 1000000000, .integer = 8};
	struct otlp_attr attr = {.key = OTLP_STR("k"), .value.string = OTLP_STR("v")};
	struct otlp_point p[] = {{.attrs = {&attr, 1},
				  .start_unix_ns = 2000000000,
				  .histogram = {9, 40.5, 0, 2, 2, buckets, 3},
				  .exemplars = &x,
				  .exemplars_len = 1},
				 {.histogram = {1, 2, 0, 0, 0, others, 1}}};
	struct otlp_metric m = metric("x", "{y}", HISTOGRAM);

	(void)state;
	m.points = p;
	m.points_len = 2;
	assert_string_equal(
		text_of(PROM_OPENMETRICS, &m, 1),
		"# TYPE x histogram\n# HELP x d\n"
		"x_bucket{k=\"v\",le=\"2.0\"} 2\nx_bucket{k=\"v\",le=\"4.0\"} 2\n"
		"x_bucket{k=\"v\",le=\"8.0\"} 5 # {} 8 1.000000000\n"
		"x_bucket{k=\"v\",le=\"16.0\"} 5\nx_bucket{k=\"v\",le=\"32.0\"} 9\n"
		"x_bucket{k=\"v\",le=\"+Inf\"} 9\nx_sum{k=\"v\"} 40.5\nx_count{k=\"v\"} 9\n"
		"x_created{k=\"v\"} 2.000000000\n"
		"x_bucket{le=\"2.0\"} 1\nx_bucket{le=\"4.0\"} 1\nx_bucket{le=\"8.0\"} 1\n"
		"x_bucket{le=\"16.0\"} 1\nx_bucket{le=\"32.0\"} 1\nx_bucket{le=\"+Inf\"} 1\n"
		"x_sum 2\nx_count 1\n# EOF\n");
	x.integer = 9; /* above 8: one bucket on */
	assert_non_null(strstr(text_of(PROM_OPENMETRICS, &m, 1), "le=\"16.0\"} 5 # {} 9 1."));
	x.integer = 1000;
	assert_non_null(strstr(text_of(PROM_OPENMETRICS, &m, 1), "le=\"+Inf\"} 9 # {} 1000 1."));
	assert_null(strstr(text_of(PROM_TEXT, &m, 1), "#  {"));
}

static void test_prom_text_bounds_are_there_before_values(void **state)
{
	const uint64_t buckets[] = {1, 1};
	struct otlp_point p = {
		.histogram = {.count = 2, .offset = 16, .buckets = buckets, .buckets_len = 2}};
	struct otlp_metric m = metric("x", "By", HISTOGRAM);
	const char *text;
	int i;

	(void)state;
	m.points = &p;
	m.points_len = 1;
	text = text_of(PROM_TEXT, &m, 1);
	for (i = 0; i <= 18; i++) {
		char line[64];

		snprintf(line, sizeof(line), "x_bytes_bucket{le=\"%ld.0\"} %d\n", 1L << i,
			 i < 17 ? 0 : i - 16);
		assert_non_null(strstr(text, line));
	}
	assert_null(strstr(text, "524288.0"));
	m.unit = OTLP_STR("s");
	assert_non_null(strstr(text_of(PROM_TEXT, &m, 1), "le=\"6.103515625e-05\"} 0\n"));
	p.histogram.scale = 1; /* bounds 2^(i/2), only where something is */
	text = text_of(PROM_TEXT, &m, 1);
	assert_non_null(strstr(text, "le=\"512.0\"} 2\n"));
	assert_null(strstr(text, "le=\"256.0\""));
	assert_non_null(strstr(text, "le=\"362.03867196751236\"} 1\n"));
}

static void test_prom_text_says_who_speaks(void **state)
{
	struct otlp_attr attr = {.key = OTLP_STR("service.name"), .value.string = OTLP_STR("s")};
	struct prom_text t;

	(void)state;
	prom_text_init(&t, PROM_TEXT);
	prom_text_source(&t, (struct otlp_attrs){&attr, 1});
	assert_memory_equal(t.data + t.len - 32, "\ntarget_info{service_name=\"s\"} 1\n" + 1, 32);
	assert_non_null(memmem(t.data, t.len, "# TYPE target_info gauge\n", 25));
	prom_text_reset(&t);
	prom_text_init(&t, PROM_OPENMETRICS);
	prom_text_source(&t, (struct otlp_attrs){&attr, 1});
	assert_non_null(memmem(t.data, t.len, "# TYPE target info\n", 19));
	prom_text_reset(&t);
}

static void test_prom_text_without_memory_says_so(void **state)
{
	struct otlp_point p = {.integer = 1};
	struct otlp_metric m = metric("x", "", GAUGE);
	struct prom_text t;
	unsigned n, i;

	(void)state;
	m.points = &p;
	m.points_len = 1;
	for (n = 1; n <= 2; n++) {
		fail_at = n;
		prom_text_init(&t, PROM_TEXT);
		for (i = 0; i < 2000; i++)
			prom_text_add(&t, &m);
		assert_int_not_equal(prom_text_end(&t), 0);
		prom_text_reset(&t);
	}
	fail_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prom_text_names_are_those_of_prometheus),
		cmocka_unit_test(test_prom_text_names_that_cannot_be_are_left_out),
		cmocka_unit_test(test_prom_text_labels_are_named_and_joined),
		cmocka_unit_test(test_prom_text_counters_differ_by_format),
		cmocka_unit_test(test_prom_text_is_escaped_and_always_utf8),
		cmocka_unit_test(test_prom_text_numbers_read_back),
		cmocka_unit_test(test_prom_text_histograms_are_classic),
		cmocka_unit_test(test_prom_text_bounds_are_there_before_values),
		cmocka_unit_test(test_prom_text_says_who_speaks),
		cmocka_unit_test(test_prom_text_without_memory_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
