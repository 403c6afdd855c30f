/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/otlp_reference.h"

#include <pb_encode.h>

#include "logs_service.pb.h"
#include "metrics_service.pb.h"
#include "traces_service.pb.h"

/* Each encode_x() is a nanopb callback: *arg is the struct of otlp.h, or a list of them, that the
 * field stands for. */
struct list {
	const void *items;
	size_t len;
	const struct otlp_limits *limits;
};

struct request {
	const struct otlp_source *source;
	struct list list;
};

/* Attributes, and how many of them may be written, their texts how long. */
struct some_attrs {
	const struct otlp_attrs *attrs;
	uint32_t max;
	uint32_t chars;
};

static const struct otlp_limits no_limits = {
	OTLP_NO_LIMIT, OTLP_NO_LIMIT, OTLP_NO_LIMIT, OTLP_NO_LIMIT,
	OTLP_NO_LIMIT, OTLP_NO_LIMIT, OTLP_NO_LIMIT, OTLP_NO_LIMIT,
};

static uint32_t dropped(size_t len, uint32_t max)
{
	return len > max ? (uint32_t)(len - max) : 0;
}

/* Of valid UTF-8: each character has one byte that does not continue another. */
static struct otlp_str shortened(struct otlp_str s, uint32_t chars)
{
	size_t i, n = 0;

	for (i = 0; i < s.len; i++) {
		n += ((uint8_t)s.ptr[i] & 0xc0) != 0x80;
		if (n > chars)
			break;
	}
	s.len = i;
	return s;
}

typedef bool (*encode_fn)(pb_ostream_t *out, const pb_field_t *field, void *const *arg);

static pb_callback_t callback(encode_fn encode, const void *arg)
{
	return (pb_callback_t){.funcs.encode = encode, .arg = (void *)arg};
}

static bool encode_message(pb_ostream_t *out, const pb_field_t *field, const pb_msgdesc_t *desc,
			   const void *msg)
{
	return pb_encode_tag_for_field(out, field) && pb_encode_submessage(out, desc, msg);
}

/* Also if it is empty: as a oneof's member. */
static bool encode_text(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct otlp_str *s = *arg;

	return pb_encode_tag_for_field(out, field) &&
	       pb_encode_string(out, (const pb_byte_t *)s->ptr, s->len);
}

static bool encode_string(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct otlp_str *s = *arg;

	return s->len == 0 || encode_text(out, field, arg);
}

static bool encode_trace_id(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	return pb_encode_tag_for_field(out, field) && pb_encode_string(out, *arg, 16);
}

static bool encode_span_id(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	return pb_encode_tag_for_field(out, field) && pb_encode_string(out, *arg, 8);
}

static bool encode_some_attrs(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct some_attrs *some = *arg;
	size_t i;

	for (i = 0; i < some->attrs->len && i < some->max; i++) {
		const struct otlp_attr *a = &some->attrs->list[i];
		struct otlp_str text;
		KeyValue pair = {.key = callback(encode_string, &a->key), .has_value = true};

		if (a->type == OTLP_STRING) {
			pair.value.which_value = AnyValue_string_value_tag;
			text = shortened(a->value.string, some->chars);
			pair.value.value.string_value = callback(encode_text, &text);
		} else if (a->type == OTLP_BOOL) {
			pair.value.which_value = AnyValue_bool_value_tag;
			pair.value.value.bool_value = a->value.boolean;
		} else if (a->type == OTLP_INT) {
			pair.value.which_value = AnyValue_int_value_tag;
			pair.value.value.int_value = a->value.integer;
		} else {
			pair.value.which_value = AnyValue_double_value_tag;
			pair.value.value.double_value = a->value.number;
		}
		if (!encode_message(out, field, KeyValue_fields, &pair))
			return false;
	}
	return true;
}

static bool encode_attrs(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct some_attrs all = {*arg, OTLP_NO_LIMIT, OTLP_NO_LIMIT};
	const void *all_arg = &all;

	return encode_some_attrs(out, field, (void *const *)&all_arg);
}

static bool encode_events(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct list *list = *arg;
	const struct otlp_limits *limits = list->limits;
	const struct otlp_event *event = list->items;
	size_t i;

	for (i = 0; i < list->len && i < limits->events; i++, event++) {
		struct some_attrs some = {&event->attrs, limits->event_attrs, limits->value_chars};
		Span_Event msg = {
			.time_unix_nano = event->time_unix_ns,
			.name = callback(encode_string, &event->name),
			.attributes = callback(encode_some_attrs, &some),
			.dropped_attributes_count = dropped(event->attrs.len, some.max),
		};

		if (!encode_message(out, field, Span_Event_fields, &msg))
			return false;
	}
	return true;
}

static bool encode_links(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct list *list = *arg;
	const struct otlp_limits *limits = list->limits;
	const struct otlp_link *link = list->items;
	size_t i;

	for (i = 0; i < list->len && i < limits->links; i++, link++) {
		struct some_attrs some = {&link->attrs, limits->link_attrs, limits->value_chars};
		Span_Link msg = {
			.trace_id = callback(encode_trace_id, link->trace_id),
			.span_id = callback(encode_span_id, link->span_id),
			.trace_state = callback(encode_string, &link->trace_state),
			.attributes = callback(encode_some_attrs, &some),
			.dropped_attributes_count = dropped(link->attrs.len, some.max),
			.flags = link->flags,
		};

		if (!encode_message(out, field, Span_Link_fields, &msg))
			return false;
	}
	return true;
}

static bool encode_spans(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct list *list = *arg;
	const struct otlp_limits *limits = list->limits;
	const struct otlp_span *span = list->items;
	size_t i;

	for (i = 0; i < list->len; i++, span++) {
		struct list events = {span->events, span->events_len, limits};
		struct list links = {span->links, span->links_len, limits};
		struct some_attrs some = {&span->attrs, limits->attrs, limits->value_chars};
		Span msg = {
			.trace_id = callback(encode_trace_id, span->trace_id),
			.span_id = callback(encode_span_id, span->span_id),
			.trace_state = callback(encode_string, &span->trace_state),
			.name = callback(encode_string, &span->name),
			.kind = (Span_SpanKind)span->kind,
			.start_time_unix_nano = span->start_unix_ns,
			.end_time_unix_nano = span->end_unix_ns,
			.attributes = callback(encode_some_attrs, &some),
			.dropped_attributes_count = dropped(span->attrs.len, some.max),
			.events = callback(encode_events, &events),
			.dropped_events_count =
				dropped(span->events_len, limits->events) + span->events_dropped,
			.links = callback(encode_links, &links),
			.dropped_links_count = dropped(span->links_len, limits->links),
			.has_status = span->status != OTLP_STATUS_UNSET,
			.status.code = (Status_StatusCode)span->status,
			.flags = span->flags,
		};

		if (span->has_parent)
			msg.parent_span_id = callback(encode_span_id, span->parent_span_id);
		if (span->status == OTLP_STATUS_ERROR)
			msg.status.message = callback(encode_string, &span->status_message);
		if (!encode_message(out, field, Span_fields, &msg))
			return false;
	}
	return true;
}

static bool encode_exemplars(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct otlp_point *point = *arg;
	size_t i;

	for (i = 0; i < point->exemplars_len; i++) {
		const struct otlp_exemplar *x = &point->exemplars[i];
		Exemplar msg = {.time_unix_nano = x->time_unix_ns};

		if (x->is_double) {
			msg.which_value = Exemplar_as_double_tag;
			msg.value.as_double = x->number;
		} else {
			msg.which_value = Exemplar_as_int_tag;
			msg.value.as_int = x->integer;
		}
		if (x->has_trace) {
			msg.span_id = callback(encode_span_id, x->span_id);
			msg.trace_id = callback(encode_trace_id, x->trace_id);
		}
		if (!encode_message(out, field, Exemplar_fields, &msg))
			return false;
	}
	return true;
}

static bool encode_number_points(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct otlp_metric *metric = *arg;
	size_t i;

	for (i = 0; i < metric->points_len; i++) {
		const struct otlp_point *point = &metric->points[i];
		NumberDataPoint msg = {
			.start_time_unix_nano = point->start_unix_ns,
			.time_unix_nano = point->time_unix_ns,
			.attributes = callback(encode_attrs, &point->attrs),
		};

		if (metric->type != OTLP_GAUGE)
			msg.exemplars = callback(encode_exemplars, point);
		if (point->is_double) {
			msg.which_value = NumberDataPoint_as_double_tag;
			msg.value.as_double = point->number;
		} else {
			msg.which_value = NumberDataPoint_as_int_tag;
			msg.value.as_int = point->integer;
		}
		if (!encode_message(out, field, NumberDataPoint_fields, &msg))
			return false;
	}
	return true;
}

static bool write_buckets(pb_ostream_t *out, const struct otlp_exp_histogram *h)
{
	size_t i;

	for (i = 0; i < h->buckets_len; i++)
		if (!pb_encode_varint(out, h->buckets[i]))
			return false;
	return true;
}

static bool encode_buckets(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	pb_ostream_t sizing = PB_OSTREAM_SIZING;

	return write_buckets(&sizing, *arg) && pb_encode_tag(out, PB_WT_STRING, field->tag) &&
	       pb_encode_varint(out, sizing.bytes_written) && write_buckets(out, *arg);
}

static bool encode_histogram_points(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct otlp_metric *metric = *arg;
	size_t i;

	for (i = 0; i < metric->points_len; i++) {
		const struct otlp_point *point = &metric->points[i];
		const struct otlp_exp_histogram *h = &point->histogram;
		ExponentialHistogramDataPoint msg = {
			.attributes = callback(encode_attrs, &point->attrs),
			.start_time_unix_nano = point->start_unix_ns,
			.time_unix_nano = point->time_unix_ns,
			.count = h->count,
			.has_sum = true,
			.sum = h->sum,
			.scale = h->scale,
			.zero_count = h->zero_count,
			.has_positive = h->buckets_len > 0,
			.positive.offset = h->offset,
			.positive.bucket_counts = callback(encode_buckets, h),
			.exemplars = callback(encode_exemplars, point),
		};

		if (!encode_message(out, field, ExponentialHistogramDataPoint_fields, &msg))
			return false;
	}
	return true;
}

static AggregationTemporality temporality(const struct otlp_metric *metric)
{
	return metric->is_delta ? AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
				: AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE;
}

static bool encode_gauge(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	Gauge msg = {.data_points = callback(encode_number_points, *arg)};

	return encode_message(out, field, Gauge_fields, &msg);
}

static bool encode_sum(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct otlp_metric *metric = *arg;
	Sum msg = {
		.data_points = callback(encode_number_points, metric),
		.aggregation_temporality = temporality(metric),
		.is_monotonic = metric->is_monotonic,
	};

	return encode_message(out, field, Sum_fields, &msg);
}

static bool encode_histogram(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct otlp_metric *metric = *arg;
	ExponentialHistogram msg = {
		.data_points = callback(encode_histogram_points, metric),
		.aggregation_temporality = temporality(metric),
	};

	return encode_message(out, field, ExponentialHistogram_fields, &msg);
}

static bool encode_metrics(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct list *list = *arg;
	const struct otlp_metric *metric = list->items;
	size_t i;

	for (i = 0; i < list->len; i++, metric++) {
		Metric msg = {
			.name = callback(encode_string, &metric->name),
			.description = callback(encode_string, &metric->description),
			.unit = callback(encode_string, &metric->unit),
		};

		if (metric->type == OTLP_GAUGE) {
			msg.which_data = Metric_gauge_tag;
			msg.data.gauge = callback(encode_gauge, metric);
		} else if (metric->type == OTLP_SUM) {
			msg.which_data = Metric_sum_tag;
			msg.data.sum = callback(encode_sum, metric);
		} else {
			msg.which_data = Metric_exponential_histogram_tag;
			msg.data.exponential_histogram = callback(encode_histogram, metric);
		}
		if (!encode_message(out, field, Metric_fields, &msg))
			return false;
	}
	return true;
}

static bool encode_logs(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct list *list = *arg;
	const struct otlp_limits *limits = list->limits;
	const struct otlp_log *log = list->items;
	size_t i;

	for (i = 0; i < list->len; i++, log++) {
		struct some_attrs some = {&log->attrs, limits->log_attrs, limits->log_value_chars};
		LogRecord msg = {
			.time_unix_nano = log->time_unix_ns,
			.observed_time_unix_nano = log->observed_unix_ns,
			.severity_number = (SeverityNumber)log->severity,
			.severity_text = callback(encode_string, &log->severity_text),
			.has_body = log->body.len > 0,
			.body.which_value = AnyValue_string_value_tag,
			.body.value.string_value = callback(encode_text, &log->body),
			.attributes = callback(encode_some_attrs, &some),
			.dropped_attributes_count = dropped(log->attrs.len, some.max),
			.flags = log->flags,
			.event_name = callback(encode_string, &log->event_name),
		};

		if (log->has_trace) {
			msg.trace_id = callback(encode_trace_id, log->trace_id);
			msg.span_id = callback(encode_span_id, log->span_id);
		}
		if (!encode_message(out, field, LogRecord_fields, &msg))
			return false;
	}
	return true;
}

static InstrumentationScope scope_of(const struct otlp_source *source)
{
	return (InstrumentationScope){.name = callback(encode_string, &source->scope_name),
				      .version = callback(encode_string, &source->scope_version)};
}

static bool encode_scope_spans(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct request *r = *arg;
	ScopeSpans msg = {.has_scope = true,
			  .scope = scope_of(r->source),
			  .spans = callback(encode_spans, &r->list),
			  .schema_url = callback(encode_string, &r->source->schema_url)};

	return encode_message(out, field, ScopeSpans_fields, &msg);
}

static bool encode_scope_metrics(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct request *r = *arg;
	ScopeMetrics msg = {.has_scope = true,
			    .scope = scope_of(r->source),
			    .metrics = callback(encode_metrics, &r->list),
			    .schema_url = callback(encode_string, &r->source->schema_url)};

	return encode_message(out, field, ScopeMetrics_fields, &msg);
}

static bool encode_scope_logs(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	const struct request *r = *arg;
	ScopeLogs msg = {.has_scope = true,
			 .scope = scope_of(r->source),
			 .log_records = callback(encode_logs, &r->list),
			 .schema_url = callback(encode_string, &r->source->schema_url)};

	return encode_message(out, field, ScopeLogs_fields, &msg);
}

/* ResourceMetrics and ResourceLogs are the same but for the scopes: the head of encode.c asserts
 * that their field numbers are. */
static bool encode_resource(pb_ostream_t *out, const pb_field_t *field, const struct request *r,
			    encode_fn encode_scope)
{
	ResourceSpans msg = {
		.has_resource = true,
		.resource.attributes = callback(encode_attrs, &r->source->resource),
		.scope_spans = callback(encode_scope, r),
		.schema_url = callback(encode_string, &r->source->schema_url),
	};

	return encode_message(out, field, ResourceSpans_fields, &msg);
}

static bool encode_resource_spans(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	return encode_resource(out, field, *arg, encode_scope_spans);
}

static bool encode_resource_metrics(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	return encode_resource(out, field, *arg, encode_scope_metrics);
}

static bool encode_resource_logs(pb_ostream_t *out, const pb_field_t *field, void *const *arg)
{
	return encode_resource(out, field, *arg, encode_scope_logs);
}

size_t otlp_reference_encode(const struct otlp_source *source, const struct otlp_limits *limits,
			     enum otlp_signal signal, const void *items, size_t len, uint8_t *data,
			     size_t cap)
{
	struct request r = {source, {items, len, limits ? limits : &no_limits}};
	ExportTraceServiceRequest traces = {.resource_spans = callback(encode_resource_spans, &r)};
	ExportMetricsServiceRequest metrics = {.resource_metrics =
						       callback(encode_resource_metrics, &r)};
	ExportLogsServiceRequest logs = {.resource_logs = callback(encode_resource_logs, &r)};
	pb_ostream_t out = pb_ostream_from_buffer(data, cap);
	bool ok;

	if (signal == OTLP_TRACES)
		ok = pb_encode(&out, ExportTraceServiceRequest_fields, &traces);
	else if (signal == OTLP_METRICS)
		ok = pb_encode(&out, ExportMetricsServiceRequest_fields, &metrics);
	else
		ok = pb_encode(&out, ExportLogsServiceRequest_fields, &logs);
	return ok ? out.bytes_written : 0;
}
