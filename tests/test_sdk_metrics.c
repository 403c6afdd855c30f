/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/metrics_world.h"

#define SPAN_EXPORTER                                                                              \
	"otel.component.type=otlp_http_span_exporter,"                                             \
	"otel.component.name=otlp_http_span_exporter/0,server.address=a,server.port=4318"
#define SPAN_PROCESSOR                                                                             \
	"otel.component.type=batching_span_processor,"                                             \
	"otel.component.name=batching_span_processor/0"

static void test_sdk_metrics_names_tell_the_export(void **state)
{
	struct world *w = *state;
	struct otlp_signal_stats *traces = &w->ledger.signal[0][OTLP_TRACES];

	world_destination(w, 0, "a", 4318);
	*traces = (struct otlp_signal_stats){
		.submitted = 120,
		.exported = 60,
		.rejected = 7,
		.queued = 30,
		.in_flight = 10,
		.dropped = {[OTLP_DROP_QUEUE_FULL] = 12, [OTLP_DROP_REFUSED] = 11}};
	w->ledger.outbox[OTLP_TRACES] =
		(struct outbox_stats){.made = 130, .waiting = 6, .unencodable = 3, .unsent = 1};
	w->ledger.signal[0][OTLP_METRICS].dropped[OTLP_DROP_QUEUE_FULL] = 5;
	world_dump(w);
	world_assert_has(w, "otel.sdk.exporter.span.exported {span} sum{" SPAN_EXPORTER "} 60\n");
	world_assert_has(w, "otel.sdk.exporter.span.exported {span} sum{" SPAN_EXPORTER
			    ",error.type=rejected} 7\n");
	world_assert_has(w, "otel.sdk.exporter.span.exported {span} sum{" SPAN_EXPORTER
			    ",error.type=refused} 11\n");
	assert_null(strstr(w->dump.text, SPAN_EXPORTER ",error.type=queue_full"));
	assert_null(strstr(w->dump.text, "error.type=shutdown"));
	world_assert_has(w,
			 "otel.sdk.exporter.span.inflight {span} updown{" SPAN_EXPORTER "} 10\n");
	world_assert_has(w, "otel.sdk.processor.span.queue.size {span} updown{" SPAN_PROCESSOR
			    "} 26\n");
	assert_null(strstr(w->dump.text, "queue.capacity {span}"));
	world_assert_has(w,
			 "otel.sdk.processor.span.processed {span} sum{" SPAN_PROCESSOR "} 78\n");
	world_assert_has(w, SPAN_PROCESSOR ",error.type=queue_full} 12\n");
	world_assert_has(w, SPAN_PROCESSOR ",error.type=unencodable} 3\n");
	world_assert_has(w, SPAN_PROCESSOR ",error.type=unsent} 1\n");
	/* readers of metrics have no queue: the exporter's */
	world_assert_has(w, "otel.sdk.exporter.metric_data_point.exported {data_point} sum{"
			    "otel.component.type=otlp_http_metric_exporter,"
			    "otel.component.name=otlp_http_metric_exporter/0,server.address=a,"
			    "server.port=4318,error.type=queue_full} 5\n");
	assert_null(strstr(w->dump.text, "processor.metric"));
	world_assert_has(w, "otel.sdk.exporter.log.inflight {log_record} updown{"
			    "otel.component.type=otlp_http_log_exporter,");
	world_assert_has(w, "otel.sdk.processor.log.queue.size {log_record} updown{"
			    "otel.component.type=batching_log_processor,"
			    "otel.component.name=batching_log_processor/0} 0\n");
	w->snapshot.queue_items[OTLP_TRACES] = 2048;
	w->ledger.has_logs = false;
	w->ledger.target[0][OTLP_LOGS].label = NULL;
	world_dump(w);
	world_assert_has(w, "otel.sdk.processor.span.queue.capacity {span} updown{" SPAN_PROCESSOR
			    "} 2048\n");
	assert_null(strstr(w->dump.text, "sdk.exporter.log"));
	assert_null(strstr(w->dump.text, "signal=logs"));
}

static void test_sdk_metrics_durations_are_a_histogram(void **state)
{
	struct world *w = *state;
	struct otlp_durations *d = &w->ledger.signal[0][OTLP_TRACES].durations;

	world_destination(w, 0, "a", 4318);
	world_dump(w);
	assert_null(strstr(w->dump.text, "operation.duration"));
	d->buckets[10] = 3; /* (2^-10, 2^-9] s */
	d->buckets[12] = 1;
	d->count = 4;
	d->sum_s = 0.0125;
	world_dump(w);
	world_assert_has(w, "otel.sdk.exporter.operation.duration s histogram{" SPAN_EXPORTER
			    "} scale 0 count 4 sum 0.0125 offset -10 buckets 3 0 1\n");
	d->buckets[0] = d->buckets[OTLP_DURATION_BUCKETS - 1] = 1;
	d->count = 6;
	world_dump(w);
	world_assert_has(w, "count 6 sum 0.0125 offset -20 buckets 1 0 0");
}

static void test_sdk_metrics_tell_destinations_apart(void **state)
{
	struct world *w = *state;
	unsigned d;

	for (d = 0; d < LEDGER_DESTINATIONS; d++) {
		world_destination(w, d, d ? "b" : "a", (uint16_t)(4318 + d));
		w->ledger.signal[d][OTLP_TRACES].dropped[OTLP_DROP_REFUSED] = 20 + d;
		w->ledger.signal[d][OTLP_TRACES].exported = 40 + d;
		w->ledger.signal[d][OTLP_LOGS].queued = 60 + d;
		/* as many points as there can be */
		memset(w->ledger.signal[d][OTLP_METRICS].dropped, 1,
		       sizeof(w->ledger.signal[d][OTLP_METRICS].dropped));
	}
	world_dump(w);
	world_assert_has(w,
			 "ringspan.losses {item} sum{stage=spans_otlp,reason=refused,destination=1,"
			 "server.address=a} 20\n");
	world_assert_has(w,
			 "ringspan.losses {item} sum{stage=spans_otlp,reason=refused,destination=8,"
			 "server.address=b} 27\n");
	world_assert_has(w, "ringspan.losses {item} sum{stage=spans,reason=unsent} 0\n");
	world_assert_has(w,
			 "ringspan.spans {span} sum{stage=exported,destination=2,server.address=b} "
			 "41\n");
	world_assert_has(w, "ringspan.queue.items {item} gauge{signal=logs,destination=3,"
			    "server.address=b} 62\n");
	world_assert_has(w, "otlp_http_span_exporter/7,server.address=b,server.port=4325} 47\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sdk_metrics_names_tell_the_export, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_sdk_metrics_durations_are_a_histogram,
						world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_sdk_metrics_tell_destinations_apart,
						world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
