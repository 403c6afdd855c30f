/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A span as a line of JSON: what stands there, whatever the texts hold, and that it reads back. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/flow_otlp.h"
#include "user/span_json.h"

static const struct otlp_attr attrs[] = {
	{.key = OTLP_STR("source.address"), .value.string = OTLP_STR("10.0.0.1")},
	{.key = OTLP_STR("a.nasty"),
	 .value.string = OTLP_STR("q\"b\\n\nz\0e\x1b[1m\xff\xc3\xa9\xf0\x9f\x90\xb1\xc3")},
	{.key = OTLP_STR("an.int"), .type = OTLP_INT, .value.integer = INT64_MIN},
	{.key = OTLP_STR("a.max"), .type = OTLP_INT, .value.integer = INT64_MAX},
	{.key = OTLP_STR("a.double"), .type = OTLP_DOUBLE, .value.number = 0.25},
	{.key = OTLP_STR("a.bool"), .type = OTLP_BOOL, .value.boolean = true},
};
static const struct otlp_event event = {1, OTLP_STR("a \"name\""), {attrs, 1}};

static const struct otlp_span sample = {
	.trace_id = {1, 2, 0xff},
	.span_id = {0xab},
	.name = OTLP_STR("tcp https"),
	.kind = OTLP_SPAN_SERVER,
	.start_unix_ns = 1769860800000000007,
	.end_unix_ns = 1769860801500000008,
	.attrs = {attrs, sizeof(attrs) / sizeof(*attrs)},
	.events = &event,
	.events_len = 1,
	.status = OTLP_STATUS_ERROR,
	.status_message = OTLP_STR("connection refused"),
};

/* From malloc. */
static char *written(const struct otlp_span *span, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);
	struct json j;

	json_init(&j, out);
	json_open_object(&j, NULL);
	span_json_write(&j, span);
	json_add_uint(&j, "seq", 7);
	json_close(&j);
	fputc('\n', out);
	fclose(out);
	return text;
}

static void test_span_json_is_one_flat_line(void **state)
{
	size_t len;
	char *text = written(&sample, &len);

	(void)state;
	assert_string_equal(
		text,
		"{\"time\":\"2026-01-31T12:00:00.000000007Z\",\"duration\":1.500000001,"
		"\"name\":\"tcp https\",\"kind\":\"server\","
		"\"trace_id\":\"0102ff00000000000000000000000000\","
		"\"span_id\":\"ab00000000000000\",\"status\":\"error\","
		"\"message\":\"connection refused\",\"source.address\":\"10.0.0.1\","
		"\"a.nasty\":\"q\\\"b\\\\n\\u000az\\u0000e\\u001b[1m\\ufffd\xc3\xa9\xf0\x9f\x90\xb1"
		"\\ufffd\",\"an.int\":-9223372036854775808,\"a.max\":9223372036854775807,"
		"\"a.double\":0.25,\"a.bool\":true,"
		"\"events\":[{\"time\":\"1970-01-01T00:00:00.000000001Z\",\"name\":\"a "
		"\\\"name\\\"\","
		"\"source.address\":\"10.0.0.1\"}],\"seq\":7}\n");
	free(text);
}

static void test_span_json_reads_back(void **state)
{
	static const char nasty[] = "q\"b\\n\nz\0e\x1b[1m\xef\xbf\xbd\xc3\xa9\xf0\x9f\x90\xb1"
				    "\xef\xbf\xbd";
	struct span_json got;
	size_t len;
	char *text = written(&sample, &len), before[512], after[512];

	(void)state;
	assert_int_equal(span_json_read(&got, text, len), 0);
	assert_int_equal(got.seq, 7);
	assert_true(got.span.start_unix_ns == sample.start_unix_ns);
	assert_true(got.span.end_unix_ns == sample.end_unix_ns);
	assert_int_equal(got.span.status, OTLP_STATUS_ERROR);
	assert_int_equal(got.span.attrs.len, 6);
	assert_int_equal(got.attrs[1].value.string.len, sizeof(nasty) - 1);
	assert_memory_equal(got.attrs[1].value.string.ptr, nasty, sizeof(nasty) - 1);
	assert_true(got.attrs[2].value.integer == INT64_MIN);
	assert_true(got.attrs[3].value.integer == INT64_MAX);
	assert_true(got.attrs[4].value.number == 0.25 && got.attrs[5].value.boolean);
	flow_otlp_line(&sample, before, sizeof(before));
	flow_otlp_line(&got.span, after, sizeof(after));
	assert_string_equal(before, after);
	free(text);
}

static void test_span_json_refuses_what_is_cut_or_broken(void **state)
{
	static const char *const bad[] = {
		"\n",
		"{}\n",
		"[]\n",
		"{\"name\":\"a\"}x\n",
		"{\"name\":\"a\",}\n",
		"{\"name\":\"\\ud800\"}\n",
		"{\"name\":\"\\q\"}\n",
		"{\"name\":\"a\",\"x.y\":1-}\n",
		"{\"name\":\"a\",\"time\":\"now\"}\n",
		"{\"name\":\"a\",\"x.y\":99999999999999999999}\n",
	};
	struct span_json got;
	size_t len, cut, i;
	char *text = written(&sample, &len), *copy;

	(void)state;
	for (cut = 1; cut < len - 1; cut++) {
		copy = malloc(cut + 1); /* its own size, so that reading beyond is seen */
		memcpy(copy, text, cut);
		copy[cut] = '\n';
		assert_int_equal(span_json_read(&got, copy, cut + 1), -EINVAL);
		free(copy);
	}
	free(text);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		copy = strdup(bad[i]);
		if (span_json_read(&got, copy, strlen(copy)) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		free(copy);
	}
	assert_int_equal(span_json_read(&got, NULL, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span_json_is_one_flat_line),
		cmocka_unit_test(test_span_json_reads_back),
		cmocka_unit_test(test_span_json_refuses_what_is_cut_or_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
