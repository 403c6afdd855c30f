/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "metrics.pb.h"
#include "otlp/encode_item.h"

/* Metrics are exempt from the attribute limits. */
static void put_point_attrs(struct item *it, uint32_t tag, const struct otlp_point *point)
{
	item_put_attrs(it, tag, &point->attrs, OTLP_NO_LIMIT, OTLP_NO_LIMIT);
}

static void put_exemplars(struct item *it, uint32_t tag, const struct otlp_point *point)
{
	const struct otlp_exemplar *x, *end = point->exemplars + point->exemplars_len;
	size_t opened;

	for (x = point->exemplars; x < end; x++) {
		opened = wire_open(&it->w, tag);
		item_put_fixed64(it, Exemplar_time_unix_nano_tag, x->time_unix_ns);
		if (x->is_double)
			wire_fixed64(&it->w, Exemplar_as_double_tag, item_double_bits(x->number));
		else
			wire_fixed64(&it->w, Exemplar_as_int_tag, (uint64_t)x->integer);
		if (x->has_trace) {
			item_put_id(it, Exemplar_span_id_tag, x->span_id, sizeof(x->span_id));
			item_put_id(it, Exemplar_trace_id_tag, x->trace_id, sizeof(x->trace_id));
		}
		wire_close(&it->w, opened);
	}
}

/* A gauge's point has neither a start nor exemplars. */
static void put_number_point(struct item *it, uint32_t tag, const struct otlp_point *point,
			     bool is_sum)
{
	size_t opened = wire_open(&it->w, tag);

	item_put_fixed64(it, NumberDataPoint_start_time_unix_nano_tag,
			 is_sum ? point->start_unix_ns : 0);
	item_put_fixed64(it, NumberDataPoint_time_unix_nano_tag, point->time_unix_ns);
	if (point->is_double)
		wire_fixed64(&it->w, NumberDataPoint_as_double_tag,
			     item_double_bits(point->number));
	else
		wire_fixed64(&it->w, NumberDataPoint_as_int_tag, (uint64_t)point->integer);
	put_point_attrs(it, NumberDataPoint_attributes_tag, point);
	if (is_sum)
		put_exemplars(it, NumberDataPoint_exemplars_tag, point);
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
	item_put_varint(it, ExponentialHistogramDataPoint_Buckets_offset_tag,
			wire_zigzag(h->offset));
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

	put_point_attrs(it, ExponentialHistogramDataPoint_attributes_tag, point);
	item_put_fixed64(it, ExponentialHistogramDataPoint_start_time_unix_nano_tag,
			 point->start_unix_ns);
	item_put_fixed64(it, ExponentialHistogramDataPoint_time_unix_nano_tag, point->time_unix_ns);
	item_put_fixed64(it, ExponentialHistogramDataPoint_count_tag, h->count);
	wire_fixed64(&it->w, ExponentialHistogramDataPoint_sum_tag, item_double_bits(h->sum));
	item_put_varint(it, ExponentialHistogramDataPoint_scale_tag, wire_zigzag(h->scale));
	item_put_fixed64(it, ExponentialHistogramDataPoint_zero_count_tag, h->zero_count);
	put_buckets(it, h);
	put_exemplars(it, ExponentialHistogramDataPoint_exemplars_tag, point);
	wire_close(&it->w, opened);
}

static void put_metric_data(struct item *it, const struct otlp_metric *metric)
{
	const uint32_t temporality =
		metric->is_delta ? AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
				 : AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE;
	const struct otlp_point *point, *end = metric->points + metric->points_len;
	size_t opened;

	switch (metric->type) {
	case OTLP_GAUGE:
		opened = wire_open(&it->w, Metric_gauge_tag);
		for (point = metric->points; point < end; point++)
			put_number_point(it, Gauge_data_points_tag, point, false);
		wire_close(&it->w, opened);
		break;
	case OTLP_SUM:
		opened = wire_open(&it->w, Metric_sum_tag);
		for (point = metric->points; point < end; point++)
			put_number_point(it, Sum_data_points_tag, point, true);
		item_put_varint(it, Sum_aggregation_temporality_tag, temporality);
		item_put_varint(it, Sum_is_monotonic_tag, metric->is_monotonic);
		wire_close(&it->w, opened);
		break;
	case OTLP_EXP_HISTOGRAM:
		opened = wire_open(&it->w, Metric_exponential_histogram_tag);
		for (point = metric->points; point < end; point++)
			put_histogram_point(it, point);
		item_put_varint(it, ExponentialHistogram_aggregation_temporality_tag, temporality);
		wire_close(&it->w, opened);
		break;
	}
}

void item_put_metric(struct item *it, const struct otlp_metric *metric)
{
	size_t opened = wire_open(&it->w, ScopeMetrics_metrics_tag), i;

	it->is_invalid |= metric->points_len == 0;
	for (i = 0; i < metric->points_len; i++)
		it->is_invalid |= metric->points[i].time_unix_ns == 0 ||
				  metric->points[i].time_unix_ns < metric->points[i].start_unix_ns;
	item_put_name(it, Metric_name_tag, metric->name);
	item_put_string(it, Metric_description_tag, metric->description);
	item_put_string(it, Metric_unit_tag, metric->unit);
	put_metric_data(it, metric);
	wire_close(&it->w, opened);
}
