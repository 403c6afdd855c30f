/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * otel.sdk.*: the export path by the names that OpenTelemetry gave such metrics (semantic
 * conventions, "OpenTelemetry SDK metrics"), so that dashboards for SDKs show ringspan, too.
 *
 * What they call an exporter is a destination's sender; the processor before it is what batches
 * requests for it and its queue. An item is the processor's until it is sent for the first time, so
 * one that a full queue dropped was never exported: it counts as processed, with error.type.
 */
#include <stdio.h>

#include "user/flow_names.h"
#include "user/metric_writer.h"

#define NAME_CAP 40

struct component {
	struct otlp_str exported, inflight;
	struct otlp_str queue_size, queue_capacity, processed; /* empty: has no processor */
	const char *unit;
	const char *exporter, *processor; /* otel.component.type */
};

static const struct component components[OTLP_SIGNAL_MAX] = {
	[OTLP_TRACES] = {SDK_NAME("exporter.span.exported"), SDK_NAME("exporter.span.inflight"),
			 SDK_NAME("processor.span.queue.size"),
			 SDK_NAME("processor.span.queue.capacity"),
			 SDK_NAME("processor.span.processed"), "{span}", "otlp_http_span_exporter",
			 "batching_span_processor"},
	/* readers of metrics have no queue */
	[OTLP_METRICS] = {.exported = SDK_NAME("exporter.metric_data_point.exported"),
			  .inflight = SDK_NAME("exporter.metric_data_point.inflight"),
			  .unit = "{data_point}",
			  .exporter = "otlp_http_metric_exporter"},
	[OTLP_LOGS] = {SDK_NAME("exporter.log.exported"), SDK_NAME("exporter.log.inflight"),
		       SDK_NAME("processor.log.queue.size"),
		       SDK_NAME("processor.log.queue.capacity"),
		       SDK_NAME("processor.log.processed"), "{log_record}",
		       "otlp_http_log_exporter", "batching_log_processor"},
};

/* The names of the components, each used by many points. */
struct names {
	char exporter[LEDGER_DESTINATIONS][OTLP_SIGNAL_MAX][NAME_CAP];
	char processor[LEDGER_DESTINATIONS][OTLP_SIGNAL_MAX][NAME_CAP];
};

static void names_init(struct names *n)
{
	size_t d, s;

	for (d = 0; d < LEDGER_DESTINATIONS; d++) {
		for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
			snprintf(n->exporter[d][s], NAME_CAP, "%s/%zu", components[s].exporter, d);
			snprintf(n->processor[d][s], NAME_CAP, "%s/%zu",
				 components[s].processor ? components[s].processor : "", d);
		}
	}
}

static bool is_exported(const struct ledger *l, size_t d, size_t s)
{
	return l->target[d][s].label &&
	       (s != OTLP_LOGS || l->has_logs || l->signal[d][s].submitted);
}

static struct otlp_point *add_exporter(struct metric_writer *w, const struct names *n, size_t d,
				       size_t s)
{
	const struct otlp_target_info *to = &w->s->ledger->target[d][s];
	struct otlp_point *p = metric_point(w);

	metric_attr(w, NAME_COMPONENT_TYPE, components[s].exporter);
	metric_attr(w, NAME_COMPONENT_NAME, n->exporter[d][s]);
	metric_attr(w, NAME_SERVER_ADDRESS, to->server_address);
	metric_attr_int(w, NAME_SERVER_PORT, to->server_port);
	return p;
}

static struct otlp_point *add_processor(struct metric_writer *w, const struct names *n, size_t d,
					size_t s)
{
	struct otlp_point *p = metric_point(w);

	metric_attr(w, NAME_COMPONENT_TYPE, components[s].processor);
	metric_attr(w, NAME_COMPONENT_NAME, n->processor[d][s]);
	return p;
}

static int emit_exported(struct metric_writer *w, const struct names *n, size_t s)
{
	const struct metric_about exported = {
		components[s].exported, components[s].unit, METRIC_COUNTER,
		"Items whose export has finished, successfully or with error.type"};
	const struct metric_about inflight = {components[s].inflight, components[s].unit,
					      METRIC_UPDOWN, "Items being exported"};
	const struct ledger *l = w->s->ledger;
	const struct otlp_signal_stats *st;
	unsigned reason;
	size_t d;
	int err;

	for (d = 0; d < l->destinations_len; d++) {
		if (!is_exported(l, d, s))
			continue;
		st = &l->signal[d][s];
		add_exporter(w, n, d, s)->integer = (int64_t)st->exported;
		if (st->rejected) {
			add_exporter(w, n, d, s)->integer = (int64_t)st->rejected;
			metric_attr(w, NAME_ERROR_TYPE, "rejected");
		}
		for (reason = 0; reason < OTLP_DROP_MAX; reason++) {
			if (!st->dropped[reason] ||
			    (reason == OTLP_DROP_QUEUE_FULL && components[s].processor))
				continue;
			add_exporter(w, n, d, s)->integer = (int64_t)st->dropped[reason];
			metric_attr(w, NAME_ERROR_TYPE, otlp_drop_reason_name(reason));
		}
	}
	err = metric_end(w, &exported);
	if (err)
		return err;
	for (d = 0; d < l->destinations_len; d++)
		if (is_exported(l, d, s))
			add_exporter(w, n, d, s)->integer = (int64_t)l->signal[d][s].in_flight;
	return metric_end(w, &inflight);
}

/* What left the processor for the exporter, and is done with. What is being sent is not among it: a
 * counter must not fall when that goes back to wait. */
static uint64_t processed(const struct otlp_signal_stats *st)
{
	return st->submitted - st->queued - st->dropped[OTLP_DROP_QUEUE_FULL];
}

static int emit_processed(struct metric_writer *w, const struct names *n, size_t s)
{
	const struct metric_about about = {
		components[s].processed, components[s].unit, METRIC_COUNTER,
		"Items that went through the exporter, or were dropped with error.type"};
	const struct ledger *l = w->s->ledger;
	size_t d, i;

	for (d = 0; d < l->destinations_len; d++) {
		const struct {
			const char *error_type;
			uint64_t count;
		} lost[] = {
			{otlp_drop_reason_name(OTLP_DROP_QUEUE_FULL),
			 l->signal[d][s].dropped[OTLP_DROP_QUEUE_FULL]},
			{"unencodable", l->outbox[s].unencodable},
			{"unsent", l->outbox[s].unsent},
		};

		if (!is_exported(l, d, s))
			continue;
		add_processor(w, n, d, s)->integer = (int64_t)processed(&l->signal[d][s]);
		for (i = 0; i < sizeof(lost) / sizeof(*lost); i++) {
			if (!lost[i].count)
				continue;
			add_processor(w, n, d, s)->integer = (int64_t)lost[i].count;
			metric_attr(w, NAME_ERROR_TYPE, lost[i].error_type);
		}
	}
	return metric_end(w, &about);
}

static int emit_processor(struct metric_writer *w, const struct names *n, size_t s)
{
	const struct metric_about size = {components[s].queue_size, components[s].unit,
					  METRIC_UPDOWN, "Items waiting to be exported"};
	const struct metric_about capacity = {components[s].queue_capacity, components[s].unit,
					      METRIC_UPDOWN, "Items that may wait"};
	const struct ledger *l = w->s->ledger;
	const struct otlp_signal_stats *st;
	size_t d;
	int err;

	for (d = 0; d < l->destinations_len; d++) {
		st = &l->signal[d][s];
		if (is_exported(l, d, s))
			add_processor(w, n, d, s)->integer =
				(int64_t)(l->outbox[s].waiting + st->queued - st->in_flight);
	}
	err = metric_end(w, &size);
	if (err)
		return err;
	/* queues are bounded in bytes; in items only if somebody asked for that */
	for (d = 0; w->s->queue_items[s] && d < l->destinations_len; d++)
		if (is_exported(l, d, s))
			add_processor(w, n, d, s)->integer = (int64_t)w->s->queue_items[s];
	err = metric_end(w, &capacity);
	return err ? err : emit_processed(w, n, s);
}

static int emit_durations(struct metric_writer *w, const struct names *n)
{
	static const struct metric_about about = {SDK_NAME("exporter.operation.duration"), "s",
						  METRIC_HISTOGRAM,
						  "Time from connecting to the end of the answer"};
	const struct ledger *l = w->s->ledger;
	struct otlp_exp_histogram *h;
	unsigned first, end;
	size_t d, s;

	for (d = 0; d < l->destinations_len; d++) {
		for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
			const struct otlp_durations *took = &l->signal[d][s].durations;

			if (!is_exported(l, d, s) || !took->count)
				continue;
			for (first = 0; !took->buckets[first];)
				first++;
			for (end = OTLP_DURATION_BUCKETS; !took->buckets[end - 1];)
				end--;
			h = &add_exporter(w, n, d, s)->histogram;
			h->count = took->count;
			h->sum = took->sum_s;
			h->offset = (int32_t)first + OTLP_DURATION_OFFSET;
			h->buckets = took->buckets + first;
			h->buckets_len = end - first;
		}
	}
	return metric_end(w, &about);
}

int sdk_metrics(struct metric_writer *w)
{
	struct names n;
	size_t s;
	int err = 0;

	names_init(&n);
	for (s = 0; !err && s < OTLP_SIGNAL_MAX; s++) {
		err = emit_exported(w, &n, s);
		if (!err && components[s].processor)
			err = emit_processor(w, &n, s);
	}
	return err ? err : emit_durations(w, &n);
}
