/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The exporter in a program of its own: sends one span to the URL given, says what became of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sys/random.h>

#include "otlp/exporter.h"

int main(int argc, char **argv)
{
	struct otlp_attr who = {.key = OTLP_STR("service.name"),
				.type = OTLP_STRING,
				.value.string = OTLP_STR("example")};
	struct otlp_source source = {.resource = {&who, 1},
				     .scope_name = OTLP_STR("send_one_span")};
	struct otlp_destination to = {.target[OTLP_TRACES].url = argc > 1 ? argv[1] : NULL};
	struct otlp_exporter_opts opts = {.destinations = &to, .destinations_len = 1};
	struct otlp_span span = {.name = OTLP_STR("hello"),
				 .kind = OTLP_SPAN_INTERNAL,
				 .flags = OTLP_FLAG_SAMPLED | OTLP_FLAG_REMOTE_KNOWN};
	struct otlp_exporter *exporter;
	struct otlp_encoder *encoder;
	struct otlp_signal_stats stats;
	char error[OTLP_ERROR_CAP] = "give a URL, such as http://localhost:4318/v1/traces";
	uint8_t *data = malloc(4096);
	struct otlp_batch batch;
	struct timespec now;
	size_t size;

	clock_gettime(CLOCK_REALTIME, &now);
	span.end_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	span.start_unix_ns = span.end_unix_ns - 1000000;
	if (!data || getrandom(span.trace_id, 16, 0) != 16 || getrandom(span.span_id, 8, 0) != 8)
		return 1;
	if (!to.target[OTLP_TRACES].url || otlp_exporter_create(&exporter, &opts, error)) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	if (otlp_encoder_create(&encoder, &source))
		return 1;
	otlp_batch_begin(&batch, encoder, OTLP_TRACES, data, 4096);
	otlp_batch_add_span(&batch, &span);
	size = otlp_batch_end(&batch);
	otlp_exporter_submit(exporter, OTLP_TRACES, data, size, batch.items);
	otlp_exporter_stop(exporter, 5000);
	otlp_exporter_stats(exporter, 0, OTLP_TRACES, &stats);
	printf("sent %d span, dropped %d\n", (int)stats.exported,
	       (int)(stats.submitted - stats.exported));
	otlp_exporter_destroy(exporter);
	otlp_encoder_destroy(encoder);
	return stats.exported == 1 ? 0 : 1;
}
