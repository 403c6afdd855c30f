/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/encode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common.pb.h"
#include "logs.pb.h"
#include "logs_service.pb.h"
#include "metrics_service.pb.h"
#include "otlp/encode_item.h"
#include "resource.pb.h"
#include "trace.pb.h"
#include "traces_service.pb.h"

/*
 * Why not nanopb's encoder: it learns a message's length by encoding it, so a leaf under six levels
 * is visited seven times. Here each leaf is written once. The two outer lengths, which grow with
 * each item, have four bytes, filled in by otlp_batch_end(); a request of any signal is
 *
 *     0A LLLL  resource  schema_url  12 LLLL  scope  schema_url  12 LL item  12 LL item ...
 *     |        '- ResourceSpans      |        '- ScopeSpans      |     '- Span
 *     '- ExportTraceServiceRequest            open[0] -'                  '- open[1]
 *
 * up to the first item always the same bytes: the head, made by otlp_encoder_create(). An attribute
 * has its sizes computed and is written in one go; other messages have their length reserved and
 * patched (wire.h).
 */
#define REQUEST_BODY 5 /* where the content of ResourceSpans begins: a key of one byte, LLLL */

_Static_assert((int)ExportTraceServiceRequest_resource_spans_tag ==
			       (int)ExportMetricsServiceRequest_resource_metrics_tag &&
		       (int)ExportTraceServiceRequest_resource_spans_tag ==
			       (int)ExportLogsServiceRequest_resource_logs_tag &&
		       ResourceSpans_resource_tag == ResourceMetrics_resource_tag &&
		       ResourceSpans_resource_tag == ResourceLogs_resource_tag &&
		       ResourceSpans_scope_spans_tag == ResourceMetrics_scope_metrics_tag &&
		       ResourceSpans_scope_spans_tag == ResourceLogs_scope_logs_tag &&
		       ResourceSpans_schema_url_tag == ResourceMetrics_schema_url_tag &&
		       ResourceSpans_schema_url_tag == ResourceLogs_schema_url_tag &&
		       ScopeSpans_scope_tag == ScopeMetrics_scope_tag &&
		       ScopeSpans_scope_tag == ScopeLogs_scope_tag &&
		       ScopeSpans_schema_url_tag == ScopeMetrics_schema_url_tag &&
		       ScopeSpans_schema_url_tag == ScopeLogs_schema_url_tag,
	       "one head serves all signals");

struct otlp_encoder {
	struct otlp_limits limits;
	size_t scope_body; /* where the content of ScopeSpans begins in the head */
	size_t head_size;
	uint8_t head[];
};

static size_t at_most(size_t len, uint32_t limit)
{
	return len < limit ? len : limit;
}

static void put_event(struct item *it, const struct otlp_event *event,
		      const struct otlp_limits *limits)
{
	size_t opened = wire_open(&it->w, Span_events_tag);
	uint32_t dropped;

	item_put_fixed64(it, Span_Event_time_unix_nano_tag, event->time_unix_ns);
	item_put_name(it, Span_Event_name_tag, event->name);
	dropped = item_put_attrs(it, Span_Event_attributes_tag, &event->attrs, limits->event_attrs,
				 limits->value_chars);
	item_put_varint(it, Span_Event_dropped_attributes_count_tag, dropped);
	wire_close(&it->w, opened);
}

static void put_link(struct item *it, const struct otlp_link *link,
		     const struct otlp_limits *limits)
{
	size_t opened = wire_open(&it->w, Span_links_tag);
	uint32_t dropped;

	item_put_id(it, Span_Link_trace_id_tag, link->trace_id, sizeof(link->trace_id));
	item_put_id(it, Span_Link_span_id_tag, link->span_id, sizeof(link->span_id));
	item_put_string(it, Span_Link_trace_state_tag, link->trace_state);
	dropped = item_put_attrs(it, Span_Link_attributes_tag, &link->attrs, limits->link_attrs,
				 limits->value_chars);
	item_put_varint(it, Span_Link_dropped_attributes_count_tag, dropped);
	item_put_fixed32(it, Span_Link_flags_tag, link->flags);
	wire_close(&it->w, opened);
}

static void put_status(struct item *it, const struct otlp_span *span)
{
	size_t opened;

	if (span->status == OTLP_STATUS_UNSET)
		return;
	opened = wire_open(&it->w, Span_status_tag);
	if (span->status == OTLP_STATUS_ERROR)
		item_put_string(it, Status_message_tag, span->status_message);
	item_put_varint(it, Status_code_tag, span->status);
	wire_close(&it->w, opened);
}

static void put_span(struct item *it, const struct otlp_span *span,
		     const struct otlp_limits *limits)
{
	size_t opened = wire_open(&it->w, ScopeSpans_spans_tag), i;
	size_t events = at_most(span->events_len, limits->events);
	size_t links = at_most(span->links_len, limits->links);
	uint32_t dropped;

	it->is_invalid |= span->end_unix_ns < span->start_unix_ns;
	item_put_id(it, Span_trace_id_tag, span->trace_id, sizeof(span->trace_id));
	item_put_id(it, Span_span_id_tag, span->span_id, sizeof(span->span_id));
	item_put_string(it, Span_trace_state_tag, span->trace_state);
	if (span->has_parent)
		item_put_id(it, Span_parent_span_id_tag, span->parent_span_id,
			    sizeof(span->parent_span_id));
	item_put_name(it, Span_name_tag, span->name);
	item_put_varint(it, Span_kind_tag, span->kind);
	item_put_fixed64(it, Span_start_time_unix_nano_tag, span->start_unix_ns);
	item_put_fixed64(it, Span_end_time_unix_nano_tag, span->end_unix_ns);
	dropped = item_put_attrs(it, Span_attributes_tag, &span->attrs, limits->attrs,
				 limits->value_chars);
	item_put_varint(it, Span_dropped_attributes_count_tag, dropped);
	for (i = 0; i < events; i++)
		put_event(it, &span->events[i], limits);
	item_put_varint(it, Span_dropped_events_count_tag,
			(uint32_t)(span->events_len - events + span->events_dropped));
	for (i = 0; i < links; i++)
		put_link(it, &span->links[i], limits);
	item_put_varint(it, Span_dropped_links_count_tag, span->links_len - links);
	put_status(it, span);
	item_put_fixed32(it, Span_flags_tag, span->flags);
	wire_close(&it->w, opened);
}

static void put_log(struct item *it, const struct otlp_log *log, const struct otlp_limits *limits)
{
	size_t opened = wire_open(&it->w, ScopeLogs_log_records_tag), body;
	uint32_t dropped;

	item_put_fixed64(it, LogRecord_time_unix_nano_tag, log->time_unix_ns);
	item_put_varint(it, LogRecord_severity_number_tag, log->severity);
	item_put_string(it, LogRecord_severity_text_tag, log->severity_text);
	if (log->body.len) {
		body = wire_open(&it->w, LogRecord_body_tag);
		wire_string(&it->w, AnyValue_string_value_tag, log->body);
		wire_close(&it->w, body);
	}
	dropped = item_put_attrs(it, LogRecord_attributes_tag, &log->attrs, limits->log_attrs,
				 limits->log_value_chars);
	item_put_varint(it, LogRecord_dropped_attributes_count_tag, dropped);
	item_put_fixed32(it, LogRecord_flags_tag, log->flags);
	if (log->has_trace) {
		item_put_id(it, LogRecord_trace_id_tag, log->trace_id, sizeof(log->trace_id));
		item_put_id(it, LogRecord_span_id_tag, log->span_id, sizeof(log->span_id));
	}
	item_put_fixed64(it, LogRecord_observed_time_unix_nano_tag, log->observed_unix_ns);
	item_put_string(it, LogRecord_event_name_tag, log->event_name);
	wire_close(&it->w, opened);
}

/* The head into @it; returns where the content of ScopeSpans begins. */
static size_t put_head(struct item *it, const struct otlp_source *source)
{
	size_t opened, scope_body;

	wire_open4(&it->w, ExportTraceServiceRequest_resource_spans_tag);
	opened = wire_open(&it->w, ResourceSpans_resource_tag);
	item_put_attrs(it, Resource_attributes_tag, &source->resource, OTLP_NO_LIMIT,
		       OTLP_NO_LIMIT);
	wire_close(&it->w, opened);
	item_put_string(it, ResourceSpans_schema_url_tag, source->schema_url);
	scope_body = wire_open4(&it->w, ResourceSpans_scope_spans_tag);
	opened = wire_open(&it->w, ScopeSpans_scope_tag);
	item_put_string(it, InstrumentationScope_name_tag, source->scope_name);
	item_put_string(it, InstrumentationScope_version_tag, source->scope_version);
	wire_close(&it->w, opened);
	item_put_string(it, ScopeSpans_schema_url_tag, source->schema_url);
	return scope_body;
}

static void item_init(struct item *it, uint8_t *start, size_t cap)
{
	*it = (struct item){.w = {.start = start, .p = start, .end = start + cap}};
}

int otlp_encoder_create(struct otlp_encoder **ret, const struct otlp_source *source)
{
	struct otlp_encoder *e;
	uint8_t none[1];
	struct item it;
	size_t size;

	item_init(&it, none, 0);
	put_head(&it, source);
	size = wire_size(&it.w);
	if (it.is_invalid || size > WIRE_MSG_MAX)
		return -EINVAL;
	e = malloc(sizeof(*e) + size);
	if (!e)
		return -ENOMEM;
	/* every limit: none */
	memset(&e->limits, 0xff, sizeof(e->limits));
	item_init(&it, e->head, size);
	e->scope_body = put_head(&it, source);
	e->head_size = size;
	*ret = e;
	return 0;
}

void otlp_encoder_destroy(struct otlp_encoder *e)
{
	free(e);
}

void otlp_encoder_limit(struct otlp_encoder *e, const struct otlp_limits *limits)
{
	e->limits = *limits;
}

int otlp_batch_begin(struct otlp_batch *b, const struct otlp_encoder *e, enum otlp_signal signal,
		     uint8_t *data, size_t cap)
{
	if (cap > WIRE_MSG_MAX)
		cap = WIRE_MSG_MAX;
	if (cap < e->head_size)
		return -ENOSPC;
	memcpy(data, e->head, e->head_size);
	*b = (struct otlp_batch){.signal = signal,
				 .data = data,
				 .cap = cap,
				 .len = e->head_size,
				 .open = {e->scope_body, e->head_size},
				 .limits = e->limits};
	return 0;
}

static void batch_item(const struct otlp_batch *b, struct item *it)
{
	item_init(it, b->data + b->len, b->cap - b->len);
}

/* Keeps what was appended, unless it is incomplete or invalid. */
static int batch_keep(struct otlp_batch *b, const struct item *it, size_t items)
{
	size_t size = wire_size(&it->w);

	if (it->is_invalid)
		return -EINVAL;
	if (it->w.missing)
		return size > b->cap - b->open[1] ? -EMSGSIZE : -ENOSPC;
	b->len += size;
	b->items += items;
	return 0;
}

int otlp_batch_add_span(struct otlp_batch *b, const struct otlp_span *span)
{
	struct item it;

	assert(b->signal == OTLP_TRACES);
	batch_item(b, &it);
	put_span(&it, span, &b->limits);
	return batch_keep(b, &it, 1);
}

int otlp_batch_add_metric(struct otlp_batch *b, const struct otlp_metric *metric)
{
	struct item it;

	assert(b->signal == OTLP_METRICS);
	batch_item(b, &it);
	item_put_metric(&it, metric);
	return batch_keep(b, &it, metric->points_len);
}

int otlp_batch_add_log(struct otlp_batch *b, const struct otlp_log *log)
{
	struct item it;

	assert(b->signal == OTLP_LOGS);
	batch_item(b, &it);
	put_log(&it, log, &b->limits);
	return batch_keep(b, &it, 1);
}

size_t otlp_batch_end(struct otlp_batch *b)
{
	size_t scope_body = b->open[0];

	if (b->items == 0)
		return 0;
	wire_patch4(b->data + REQUEST_BODY, b->len - REQUEST_BODY);
	wire_patch4(b->data + scope_body, b->len - scope_body);
	return b->len;
}
