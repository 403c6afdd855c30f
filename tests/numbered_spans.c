/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/numbered_spans.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES 4096

struct otlp_encoder *numbered_encoder(void)
{
	const struct otlp_source source = {.scope_name = OTLP_STR("queue_load")};
	struct otlp_encoder *e;

	if (otlp_encoder_create(&e, &source))
		abort();
	return e;
}

uint8_t *numbered_spans(const struct otlp_encoder *e, uint64_t first, size_t *ret_size)
{
	uint8_t *data = malloc(BATCH_BYTES);
	struct otlp_batch batch;

	if (!data || otlp_batch_begin(&batch, e, OTLP_TRACES, data, BATCH_BYTES))
		abort();
	for (uint64_t n = first; n < first + NUMBERED_SPANS; n++) {
		char name[32];
		struct otlp_span span = {
			.name = {name, (size_t)snprintf(name, sizeof(name), "%" PRIu64, n)},
			.kind = OTLP_SPAN_INTERNAL,
			.start_unix_ns = n,
			.end_unix_ns = n,
		};

		memset(span.trace_id, 1, sizeof(span.trace_id));
		memcpy(span.span_id, &n, sizeof(span.span_id));
		if (otlp_batch_add_span(&batch, &span))
			abort();
	}
	*ret_size = otlp_batch_end(&batch);
	return data;
}
