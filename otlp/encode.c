/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/encode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common.pb.h"
#include "logs.pb.h"
#include "logs_service.pb.h"
#include "metrics.pb.h"
#include "metrics_service.pb.h"
#include "otlp/wire.h"
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
 * patched (wire.h). proto3: a scalar that is zero is left out, a set member of a oneof never.
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
	size_t scope_body; /* where the content of ScopeSpans begins in the head */
	size_t head_size;
	uint8_t head[];
};

/* One item being appended. */
struct item {
	struct wire w;
	bool is_invalid; /* it breaks a MUST; the rest is still measured, and thrown away */
};

static bool is_zero(const uint8_t *id, size_t size)
{
	uint8_t bits = 0;

	while (size)
		bits |= id[--size];
	return bits == 0;
}

static void put_id(struct item *it, uint32_t tag, const uint8_t *id, size_t size)
{
	it->is_invalid |= is_zero(id, size);
	wire_bytes(&it->w, tag, id, size);
}

static void put_string(struct item *it, uint32_t tag, struct otlp_str s)
{
	if (s.len)
		wire_string(&it->w, tag, s);
}

static void put_name(struct item *it, uint32_t tag, struct otlp_str s)
{
	it->is_invalid |= s.len == 0;
	wire_string(&it->w, tag, s);
}

static void put_fixed64(struct item *it, uint32_t tag, uint64_t v)
{
	if (v)
		wire_fixed64(&it->w, tag, v);
}

static void put_fixed32(struct item *it, uint32_t tag, uint32_t v)
{
	if (v)
		wire_fixed32(&it->w, tag, v);
}

static void put_varint(struct item *it, uint32_t tag, uint64_t v)
{
	if (v)
		wire_varint(&it->w, tag, v);
}

static uint64_t double_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

/*
 * One attribute as field @tag; the sizes are named by what they are the size of:
 *
 *     tag pair  0A key key...  12 any  0A text text...
 */
struct attr_sizes {
	size_t key;
	size_t text; /* OTLP_STRING only */
	size_t any;
	size_t pair;
	size_t all;
};

static inline struct attr_sizes attr_sizes(uint32_t tag, const struct otlp_attr *a, size_t key,
					   size_t text)
{
	struct attr_sizes n = {.key = key, .text = text};

	switch (a->type) {
	case OTLP_STRING:
		n.any = 1 + wire_length_size(text) + text;
		break;
	case OTLP_BOOL:
		n.any = 1 + 1;
		break;
	case OTLP_INT:
		n.any = 1 + wire_varint_size((uint64_t)a->value.integer);
		break;
	case OTLP_DOUBLE:
		n.any = 1 + 8;
		break;
	}
	n.pair = 1 + wire_length_size(key) + key + 1 + wire_length_size(n.any) + n.any;
	n.all = wire_varint_size(wire_key(tag, WIRE_BYTES)) + wire_length_size(n.pair) + n.pair;
	return n;
}

/* Copies text; what it returns is tested with WIRE_HIGH_BITS. */
typedef uint64_t (*copy_fn)(uint8_t *p, struct otlp_str s);

static inline __attribute__((always_inline)) uint64_t
put_attr_at(uint8_t *p, uint32_t tag, const struct otlp_attr *a, const struct attr_sizes *n,
	    copy_fn copy)
{
	uint64_t bits;

	p = wire_put_varint(p, wire_key(tag, WIRE_BYTES));
	p = wire_put_varint(p, n->pair);
	*p++ = wire_key(KeyValue_key_tag, WIRE_BYTES);
	p = wire_put_varint(p, n->key);
	bits = copy(p, a->key);
	p += n->key;
	*p++ = wire_key(KeyValue_value_tag, WIRE_BYTES);
	p = wire_put_varint(p, n->any);
	switch (a->type) {
	case OTLP_STRING:
		*p++ = wire_key(AnyValue_string_value_tag, WIRE_BYTES);
		p = wire_put_varint(p, n->text);
		bits |= copy(p, a->value.string);
		break;
	case OTLP_BOOL:
		*p++ = wire_key(AnyValue_bool_value_tag, WIRE_VARINT);
		*p = a->value.boolean;
		break;
	case OTLP_INT:
		*p++ = wire_key(AnyValue_int_value_tag, WIRE_VARINT);
		wire_put_varint(p, (uint64_t)a->value.integer);
		break;
	case OTLP_DOUBLE:
		*p++ = wire_key(AnyValue_double_value_tag, WIRE_FIXED64);
		wire_put_fixed64(p, double_bits(a->value.number));
		break;
	}
	return bits;
}

static __attribute__((noinline, cold)) void put_attr_repaired(struct wire *w, uint32_t tag,
							      const struct otlp_attr *a,
							      struct otlp_str text)
{
	struct attr_sizes n =
		attr_sizes(tag, a, wire_repaired_size(a->key), wire_repaired_size(text));
	uint8_t *p = wire_reserve(w, n.all);

	if (p)
		put_attr_at(p, tag, a, &n, wire_repair_text);
}

static void put_attrs(struct item *it, uint32_t tag, const struct otlp_attrs *attrs)
{
	const struct otlp_attr *a;

	for (a = attrs->list; a < attrs->list + attrs->len; a++) {
		struct otlp_str text = a->type == OTLP_STRING ? a->value.string : OTLP_STR("");
		struct attr_sizes n = attr_sizes(tag, a, a->key.len, text.len);
		uint8_t *p = wire_reserve(&it->w, n.all);

		it->is_invalid |= a->key.len == 0;
		if (p && !(put_attr_at(p, tag, a, &n, wire_copy_text) & WIRE_HIGH_BITS))
			continue;
		if (wire_is_utf8(a->key) && wire_is_utf8(text))
			continue;
		wire_unreserve(&it->w, p, n.all);
		put_attr_repaired(&it->w, tag, a, text);
	}
}

static void put_event(struct item *it, const struct otlp_event *event)
{
	size_t opened = wire_open(&it->w, Span_events_tag);

	put_fixed64(it, Span_Event_time_unix_nano_tag, event->time_unix_ns);
	put_name(it, Span_Event_name_tag, event->name);
	put_attrs(it, Span_Event_attributes_tag, &event->attrs);
	wire_close(&it->w, opened);
}

static void put_link(struct item *it, const struct otlp_link *link)
{
	size_t opened = wire_open(&it->w, Span_links_tag);

	put_id(it, Span_Link_trace_id_tag, link->trace_id, sizeof(link->trace_id));
	put_id(it, Span_Link_span_id_tag, link->span_id, sizeof(link->span_id));
	put_string(it, Span_Link_trace_state_tag, link->trace_state);
	put_attrs(it, Span_Link_attributes_tag, &link->attrs);
	put_fixed32(it, Span_Link_flags_tag, link->flags);
	wire_close(&it->w, opened);
}

static void put_status(struct item *it, const struct otlp_span *span)
{
	size_t opened;

	if (span->status == OTLP_STATUS_UNSET)
		return;
	opened = wire_open(&it->w, Span_status_tag);
	if (span->status == OTLP_STATUS_ERROR)
		put_string(it, Status_message_tag, span->status_message);
	put_varint(it, Status_code_tag, span->status);
	wire_close(&it->w, opened);
}

static void put_span(struct item *it, const struct otlp_span *span)
{
	size_t opened = wire_open(&it->w, ScopeSpans_spans_tag), i;

	it->is_invalid |= span->end_unix_ns < span->start_unix_ns;
	put_id(it, Span_trace_id_tag, span->trace_id, sizeof(span->trace_id));
	put_id(it, Span_span_id_tag, span->span_id, sizeof(span->span_id));
	put_string(it, Span_trace_state_tag, span->trace_state);
	if (span->has_parent)
		put_id(it, Span_parent_span_id_tag, span->parent_span_id,
		       sizeof(span->parent_span_id));
	put_name(it, Span_name_tag, span->name);
	put_varint(it, Span_kind_tag, span->kind);
	put_fixed64(it, Span_start_time_unix_nano_tag, span->start_unix_ns);
	put_fixed64(it, Span_end_time_unix_nano_tag, span->end_unix_ns);
	put_attrs(it, Span_attributes_tag, &span->attrs);
	for (i = 0; i < span->events_len; i++)
		put_event(it, &span->events[i]);
	for (i = 0; i < span->links_len; i++)
		put_link(it, &span->links[i]);
	put_status(it, span);
	put_fixed32(it, Span_flags_tag, span->flags);
	wire_close(&it->w, opened);
}

static void put_number_point(struct item *it, uint32_t tag, const struct otlp_point *point,
			     uint64_t start_unix_ns)
{
	size_t opened = wire_open(&it->w, tag);

	put_fixed64(it, NumberDataPoint_start_time_unix_nano_tag, start_unix_ns);
	put_fixed64(it, NumberDataPoint_time_unix_nano_tag, point->time_unix_ns);
	if (point->is_double)
		wire_fixed64(&it->w, NumberDataPoint_as_double_tag, double_bits(point->number));
	else
		wire_fixed64(&it->w, NumberDataPoint_as_int_tag, (uint64_t)point->integer);
	put_attrs(it, NumberDataPoint_attributes_tag, &point->attrs);
	wire_close(&it->w, opened);
}

/* Packed: one field, all counts as varints one behind the other. */
static void put_buckets(struct item *it, const struct otlp_exp_histogram *h)
{
	size_t size = 0, opened, packed, i;
	uint64_t count = h->zero_count;
	uint8_t *p;

	for (i = 0; i < h->buckets_len; i++) {
		size += wire_varint_size(h->buckets[i]);
		count += h->buckets[i];
	}
	it->is_invalid |= count != h->count;
	if (size == 0)
		return;
	opened = wire_open(&it->w, ExponentialHistogramDataPoint_positive_tag);
	put_varint(it, ExponentialHistogramDataPoint_Buckets_offset_tag, wire_zigzag(h->offset));
	packed = wire_open(&it->w, ExponentialHistogramDataPoint_Buckets_bucket_counts_tag);
	p = wire_reserve(&it->w, size);
	for (i = 0; p && i < h->buckets_len; i++)
		p = wire_put_varint(p, h->buckets[i]);
	wire_close(&it->w, packed);
	wire_close(&it->w, opened);
}

static void put_histogram_point(struct item *it, const struct otlp_point *point)
{
	const struct otlp_exp_histogram *h = &point->histogram;
	size_t opened = wire_open(&it->w, ExponentialHistogram_data_points_tag);

	put_attrs(it, ExponentialHistogramDataPoint_attributes_tag, &point->attrs);
	put_fixed64(it, ExponentialHistogramDataPoint_start_time_unix_nano_tag,
		    point->start_unix_ns);
	put_fixed64(it, ExponentialHistogramDataPoint_time_unix_nano_tag, point->time_unix_ns);
	put_fixed64(it, ExponentialHistogramDataPoint_count_tag, h->count);
	wire_fixed64(&it->w, ExponentialHistogramDataPoint_sum_tag, double_bits(h->sum));
	put_varint(it, ExponentialHistogramDataPoint_scale_tag, wire_zigzag(h->scale));
	put_fixed64(it, ExponentialHistogramDataPoint_zero_count_tag, h->zero_count);
	put_buckets(it, h);
	wire_close(&it->w, opened);
}

static void put_metric_data(struct item *it, const struct otlp_metric *metric)
{
	const uint32_t cumulative = AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE;
	const struct otlp_point *point, *end = metric->points + metric->points_len;
	size_t opened;

	switch (metric->type) {
	case OTLP_GAUGE:
		opened = wire_open(&it->w, Metric_gauge_tag);
		for (point = metric->points; point < end; point++)
			put_number_point(it, Gauge_data_points_tag, point, 0);
		wire_close(&it->w, opened);
		break;
	case OTLP_SUM:
		opened = wire_open(&it->w, Metric_sum_tag);
		for (point = metric->points; point < end; point++)
			put_number_point(it, Sum_data_points_tag, point, point->start_unix_ns);
		put_varint(it, Sum_aggregation_temporality_tag, cumulative);
		put_varint(it, Sum_is_monotonic_tag, metric->is_monotonic);
		wire_close(&it->w, opened);
		break;
	case OTLP_EXP_HISTOGRAM:
		opened = wire_open(&it->w, Metric_exponential_histogram_tag);
		for (point = metric->points; point < end; point++)
			put_histogram_point(it, point);
		put_varint(it, ExponentialHistogram_aggregation_temporality_tag, cumulative);
		wire_close(&it->w, opened);
		break;
	}
}

static void put_metric(struct item *it, const struct otlp_metric *metric)
{
	size_t opened = wire_open(&it->w, ScopeMetrics_metrics_tag), i;

	it->is_invalid |= metric->points_len == 0;
	for (i = 0; i < metric->points_len; i++)
		it->is_invalid |= metric->points[i].time_unix_ns == 0 ||
				  metric->points[i].time_unix_ns < metric->points[i].start_unix_ns;
	put_name(it, Metric_name_tag, metric->name);
	put_string(it, Metric_description_tag, metric->description);
	put_string(it, Metric_unit_tag, metric->unit);
	put_metric_data(it, metric);
	wire_close(&it->w, opened);
}

static void put_log(struct item *it, const struct otlp_log *log)
{
	size_t opened = wire_open(&it->w, ScopeLogs_log_records_tag), body;

	put_fixed64(it, LogRecord_time_unix_nano_tag, log->time_unix_ns);
	put_varint(it, LogRecord_severity_number_tag, log->severity);
	if (log->body.len) {
		body = wire_open(&it->w, LogRecord_body_tag);
		wire_string(&it->w, AnyValue_string_value_tag, log->body);
		wire_close(&it->w, body);
	}
	put_attrs(it, LogRecord_attributes_tag, &log->attrs);
	put_fixed32(it, LogRecord_flags_tag, log->flags);
	if (log->has_trace) {
		put_id(it, LogRecord_trace_id_tag, log->trace_id, sizeof(log->trace_id));
		put_id(it, LogRecord_span_id_tag, log->span_id, sizeof(log->span_id));
	}
	put_fixed64(it, LogRecord_observed_time_unix_nano_tag, log->observed_unix_ns);
	put_string(it, LogRecord_event_name_tag, log->event_name);
	wire_close(&it->w, opened);
}

/* The head into @it; returns where the content of ScopeSpans begins. */
static size_t put_head(struct item *it, const struct otlp_source *source)
{
	size_t opened, scope_body;

	wire_open4(&it->w, ExportTraceServiceRequest_resource_spans_tag);
	opened = wire_open(&it->w, ResourceSpans_resource_tag);
	put_attrs(it, Resource_attributes_tag, &source->resource);
	wire_close(&it->w, opened);
	put_string(it, ResourceSpans_schema_url_tag, source->schema_url);
	scope_body = wire_open4(&it->w, ResourceSpans_scope_spans_tag);
	opened = wire_open(&it->w, ScopeSpans_scope_tag);
	put_string(it, InstrumentationScope_name_tag, source->scope_name);
	put_string(it, InstrumentationScope_version_tag, source->scope_version);
	wire_close(&it->w, opened);
	put_string(it, ScopeSpans_schema_url_tag, source->schema_url);
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
				 .open = {e->scope_body, e->head_size}};
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
	put_span(&it, span);
	return batch_keep(b, &it, 1);
}

int otlp_batch_add_metric(struct otlp_batch *b, const struct otlp_metric *metric)
{
	struct item it;

	assert(b->signal == OTLP_METRICS);
	batch_item(b, &it);
	put_metric(&it, metric);
	return batch_keep(b, &it, metric->points_len);
}

int otlp_batch_add_log(struct otlp_batch *b, const struct otlp_log *log)
{
	struct item it;

	assert(b->signal == OTLP_LOGS);
	batch_item(b, &it);
	put_log(&it, log);
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
