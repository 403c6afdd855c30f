/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/encode_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/otlp_dump.h"

const struct otlp_source encode_source = {
	.resource = ATTRS(TEXT("service.name", "s")),
	.scope_name = STR("ringspan"),
	.scope_version = STR("1"),
	.schema_url = STR("u"),
};

struct otlp_encoder *encode_encoder(void)
{
	struct otlp_encoder *e;

	assert_int_equal(otlp_encoder_create(&e, &encode_source), 0);
	return e;
}

int encode_add(struct otlp_batch *b, const void *items, size_t i)
{
	if (b->signal == OTLP_TRACES)
		return otlp_batch_add_span(b, (const struct otlp_span *)items + i);
	if (b->signal == OTLP_METRICS)
		return otlp_batch_add_metric(b, (const struct otlp_metric *)items + i);
	return otlp_batch_add_log(b, (const struct otlp_log *)items + i);
}

char *encode_dump(const struct otlp_source *of, const struct otlp_limits *limits,
		  enum otlp_signal signal, const void *items, size_t len)
{
	size_t cap = 8 << 20, i, size;
	uint8_t *data = malloc(cap);
	struct otlp_encoder *e;
	struct otlp_batch b;
	char *dump;

	assert_non_null(data);
	assert_int_equal(otlp_encoder_create(&e, of), 0);
	if (limits)
		otlp_encoder_limit(e, limits);
	assert_int_equal(otlp_batch_begin(&b, e, signal, data, cap), 0);
	for (i = 0; i < len; i++)
		assert_int_equal(encode_add(&b, items, i), 0);
	size = otlp_batch_end(&b);
	assert_int_equal(size, b.len);
	dump = otlp_dump(signal, data, size);
	assert_non_null(dump);
	free(data);
	otlp_encoder_destroy(e);
	return dump;
}

void encode_assert_dump(const struct otlp_limits *limits, enum otlp_signal signal, const void *item,
			const char *expected)
{
	char *dump = encode_dump(&encode_source, limits, signal, item, 1);

	assert_string_equal(dump, expected);
	free(dump);
}

void encode_assert_refused(enum otlp_signal signal, const void *item)
{
	struct otlp_encoder *e = encode_encoder();
	struct otlp_batch b, before;
	uint8_t data[4096];

	assert_int_equal(otlp_batch_begin(&b, e, signal, data, sizeof(data)), 0);
	before = b;
	assert_int_equal(encode_add(&b, item, 0), -EINVAL);
	assert_memory_equal(&b, &before, sizeof(b));
	assert_int_equal(otlp_batch_end(&b), 0);
	otlp_encoder_destroy(e);
}
