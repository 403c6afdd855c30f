/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/otlp_samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 64
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* All memory hangs on one list. */
struct chunk {
	struct chunk *next;
	_Alignas(16) uint8_t data[];
};

struct otlp_samples {
	uint64_t state;
	struct chunk *chunks;
};

/* splitmix64 */
static uint64_t next(struct otlp_samples *s)
{
	uint64_t z = s->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static size_t below(struct otlp_samples *s, size_t n)
{
	return next(s) % n;
}

static bool chance(struct otlp_samples *s, size_t n)
{
	return below(s, n) == 0;
}

/* Of any length in bits, 0 included: each size of a varint as often. */
static uint64_t number(struct otlp_samples *s)
{
	size_t bits = below(s, 65);

	return bits == 0 ? 0 : next(s) >> (64 - bits);
}

static void *keep(struct otlp_samples *s, size_t n, size_t size)
{
	struct chunk *c = calloc(1, sizeof(*c) + n * size);

	if (!c)
		abort();
	c->next = s->chunks;
	s->chunks = c;
	return c->data;
}

static struct otlp_str text(struct otlp_samples *s, size_t min)
{
	static const char *const letters[] = {"a", "Z", "0", ".", "/", "é", "ß", "\u07ff",
					      "\u0800", "€", "\ud7ff", "\ue000", "\U00010000",
					      "😀", "\U0010ffff", "\x7f"};
	size_t max = chance(s, 50) ? 40000 : chance(s, 10) ? 300 : 24;
	size_t n = min + below(s, max), i;
	size_t choice = chance(s, 3) ? LENGTH(letters) : 5;
	char *p = keep(s, n * 4 + 1, 1);
	struct otlp_str ret = {.ptr = p};

	for (i = 0; i < n; i++)
		p = stpcpy(p, letters[below(s, choice)]);
	ret.len = (size_t)(p - ret.ptr);
	return ret;
}

/* Keys are unique within a list, as OTLP demands. */
static struct otlp_attrs attrs(struct otlp_samples *s)
{
	struct otlp_attrs ret = {.len = chance(s, 20) ? 128 : below(s, 16)};
	struct otlp_attr *list = keep(s, ret.len, sizeof(*list));
	size_t i;

	for (i = 0; i < ret.len; i++) {
		char *key = keep(s, KEY_SIZE, 1);

		snprintf(key, KEY_SIZE, "%s%.*s.%zu", chance(s, 10) ? "ключ" : "key",
			 (int)below(s, 20), "....................", i);
		list[i].key = (struct otlp_str){key, strlen(key)};
		list[i].type = (enum otlp_value_type)below(s, 4);
		if (list[i].type == OTLP_STRING)
			list[i].value.string = text(s, 0);
		else if (list[i].type == OTLP_BOOL)
			list[i].value.boolean = chance(s, 2);
		else if (list[i].type == OTLP_INT)
			list[i].value.integer = (int64_t)number(s);
		else
			list[i].value.number = (double)(int64_t)number(s) / 8;
	}
	ret.list = list;
	return ret;
}

static void id(struct otlp_samples *s, uint8_t *p, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		p[i] = (uint8_t)next(s);
}

static void fill_events(struct otlp_samples *s, struct otlp_span *span)
{
	size_t len = chance(s, 3) ? below(s, 5) : 0, i;
	struct otlp_event *events = keep(s, len, sizeof(*events));

	for (i = 0; i < len; i++) {
		events[i].time_unix_ns = number(s);
		events[i].name = text(s, 1);
		events[i].attrs = attrs(s);
	}
	span->events = events;
	span->events_len = len;
	span->events_dropped = chance(s, 4) ? (uint32_t)below(s, 70000) : 0;
}

static void fill_links(struct otlp_samples *s, struct otlp_span *span)
{
	size_t len = chance(s, 3) ? below(s, 3) : 0, i;
	struct otlp_link *links = keep(s, len, sizeof(*links));

	for (i = 0; i < len; i++) {
		id(s, links[i].trace_id, sizeof(links[i].trace_id));
		id(s, links[i].span_id, sizeof(links[i].span_id));
		links[i].trace_state = text(s, 0);
		links[i].attrs = attrs(s);
		links[i].flags = (uint32_t)number(s) & 0x3ff;
	}
	span->links = links;
	span->links_len = len;
}

static void fill_span(struct otlp_samples *s, struct otlp_span *span)
{
	id(s, span->trace_id, sizeof(span->trace_id));
	id(s, span->span_id, sizeof(span->span_id));
	id(s, span->parent_span_id, sizeof(span->parent_span_id));
	span->has_parent = chance(s, 2);
	span->trace_state = chance(s, 2) ? OTLP_STR("ot=th:fd70a") : OTLP_STR("");
	span->name = text(s, 1);
	span->kind = (enum otlp_span_kind)(1 + below(s, 3));
	span->flags = (uint32_t)number(s) & 0x3ff;
	span->start_unix_ns = next(s) >> 2;
	span->end_unix_ns = span->start_unix_ns + below(s, 1000);
	span->attrs = attrs(s);
	span->status = (enum otlp_status)below(s, 3);
	if (span->status == OTLP_STATUS_ERROR && chance(s, 2))
		span->status_message = text(s, 0);

	fill_events(s, span);
	fill_links(s, span);
}

static void fill_histogram(struct otlp_samples *s, struct otlp_exp_histogram *h)
{
	uint64_t *buckets = keep(s, 64, sizeof(*buckets));
	size_t i;

	h->buckets = buckets;
	h->buckets_len = chance(s, 4) ? 0 : 1 + below(s, 63);
	h->zero_count = number(s) >> 8;
	h->count = h->zero_count;
	for (i = 0; i < h->buckets_len; i++) {
		buckets[i] = number(s) >> 8;
		h->count += buckets[i];
	}
	h->sum = chance(s, 4) ? 0 : (double)(number(s) >> 8);
	h->scale = (int32_t)below(s, 31) - 10;
	h->offset = chance(s, 4) ? 0 : (int32_t)next(s);
}

static void fill_exemplars(struct otlp_samples *s, struct otlp_point *point)
{
	size_t len = chance(s, 3) ? below(s, 4) : 0, i;
	struct otlp_exemplar *exemplars = keep(s, len, sizeof(*exemplars));

	for (i = 0; i < len; i++) {
		exemplars[i].time_unix_ns = number(s);
		exemplars[i].is_double = chance(s, 2);
		exemplars[i].integer = (int64_t)number(s);
		exemplars[i].number = (double)(int64_t)number(s) / 16;
		exemplars[i].has_trace = chance(s, 2);
		id(s, exemplars[i].trace_id, sizeof(exemplars[i].trace_id));
		id(s, exemplars[i].span_id, sizeof(exemplars[i].span_id));
	}
	point->exemplars = exemplars;
	point->exemplars_len = len;
}

static void fill_metric(struct otlp_samples *s, struct otlp_metric *metric)
{
	struct otlp_point *points;
	size_t i;

	metric->name = text(s, 1);
	metric->description = text(s, 0);
	metric->unit = chance(s, 2) ? OTLP_STR("{packet}") : OTLP_STR("");
	metric->type = (enum otlp_metric_type)below(s, 3);
	metric->is_monotonic = chance(s, 2);
	metric->is_delta = chance(s, 2);
	metric->points_len = 1 + below(s, 8);
	points = keep(s, metric->points_len, sizeof(*points));
	for (i = 0; i < metric->points_len; i++) {
		points[i].attrs = attrs(s);
		points[i].time_unix_ns = 1 + (next(s) >> 1);
		if (metric->type != OTLP_GAUGE)
			points[i].start_unix_ns = below(s, points[i].time_unix_ns);
		points[i].is_double = chance(s, 2);
		points[i].integer = (int64_t)number(s);
		points[i].number = (double)(int64_t)number(s) / 16;
		fill_histogram(s, &points[i].histogram);
		fill_exemplars(s, &points[i]);
	}
	metric->points = points;
}

static void fill_log(struct otlp_samples *s, struct otlp_log *log)
{
	static const enum otlp_severity severities[] = {OTLP_SEVERITY_DEBUG, OTLP_SEVERITY_INFO,
							OTLP_SEVERITY_WARN, OTLP_SEVERITY_ERROR};

	log->time_unix_ns = number(s);
	log->observed_unix_ns = number(s);
	log->severity = severities[below(s, LENGTH(severities))];
	log->severity_text = chance(s, 2) ? OTLP_STR("WARN") : OTLP_STR("");
	log->body = text(s, 0);
	log->event_name = chance(s, 2) ? OTLP_STR("flow.end") : OTLP_STR("");
	log->attrs = attrs(s);
	log->has_trace = chance(s, 2);
	id(s, log->trace_id, sizeof(log->trace_id));
	id(s, log->span_id, sizeof(log->span_id));
	log->flags = (uint32_t)below(s, 256);
}

struct otlp_samples *otlp_samples_create(uint64_t seed)
{
	struct otlp_samples *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->state = seed;
	return s;
}

void otlp_samples_destroy(struct otlp_samples *s)
{
	struct chunk *c, *after;

	for (c = s->chunks; c; c = after) {
		after = c->next;
		free(c);
	}
	free(s);
}

const struct otlp_source *otlp_samples_source(struct otlp_samples *s)
{
	struct otlp_source *source = keep(s, 1, sizeof(*source));

	source->resource = attrs(s);
	source->scope_name = text(s, 0);
	source->scope_version = text(s, 0);
	if (chance(s, 2))
		source->schema_url = OTLP_STR("https://opentelemetry.io/schemas/1.44.0");
	return source;
}

static uint32_t limit(struct otlp_samples *s, size_t most)
{
	return chance(s, 3) ? OTLP_NO_LIMIT : (uint32_t)below(s, most + 1);
}

const struct otlp_limits *otlp_samples_limits(struct otlp_samples *s)
{
	struct otlp_limits *limits = keep(s, 1, sizeof(*limits));

	*limits = (struct otlp_limits){
		.attrs = limit(s, 130),
		.value_chars = limit(s, 30),
		.events = limit(s, 4),
		.links = limit(s, 2),
		.event_attrs = limit(s, 16),
		.link_attrs = limit(s, 16),
		.log_attrs = limit(s, 16),
		.log_value_chars = limit(s, 30),
	};
	return limits;
}

const void *otlp_samples_items(struct otlp_samples *s, enum otlp_signal signal, size_t len)
{
	struct otlp_span *spans;
	struct otlp_metric *metrics;
	struct otlp_log *logs;
	size_t i;

	switch (signal) {
	case OTLP_TRACES:
		spans = keep(s, len, sizeof(*spans));
		for (i = 0; i < len; i++)
			fill_span(s, &spans[i]);
		return spans;
	case OTLP_METRICS:
		metrics = keep(s, len, sizeof(*metrics));
		for (i = 0; i < len; i++)
			fill_metric(s, &metrics[i]);
		return metrics;
	default:
		logs = keep(s, len, sizeof(*logs));
		for (i = 0; i < len; i++)
			fill_log(s, &logs[i]);
		return logs;
	}
}
