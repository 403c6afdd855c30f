/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One family after the other, each whole, as both formats demand. The formats differ in the name
 * that a counter's family has, in the order and the escapes of what is said about a family, and in
 * what only OpenMetrics can say: units, start times, exemplars.
 *
 * A classic histogram is a series for each bound. So that a rate knows the zero before the first
 * value, the bounds that values of a unit usually need are there from the start.
 */
#include "user/prom_text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/prom_name.h"
#include "user/utf8.h"

#define BOUND_CAP 32
#define LABELS_OF_EXEMPLAR 128 /* characters, names and values: OpenMetrics 1.0, "Exemplars" */

_Static_assert(sizeof("trace_idspan_id") - 1 + 32 + 16 <= LABELS_OF_EXEMPLAR, "ids fit");

/* Bounds of a histogram: le = 2^(i / 2^scale), i from low to high. */
struct bounds {
	int32_t low, high;
};

void prom_text_init(struct prom_text *t, enum prom_format format)
{
	*t = (struct prom_text){.format = format};
}

void prom_text_reset(struct prom_text *t)
{
	free(t->data);
	*t = (struct prom_text){.format = t->format};
}

/* ---- pieces ---- */

static void put(struct prom_text *t, const void *data, size_t len)
{
	size_t cap = t->cap ? t->cap : 16384;
	char *more;

	while (cap - t->len < len)
		cap *= 2;
	if (cap != t->cap && !t->is_short) {
		more = realloc(t->data, cap);
		t->is_short = !more;
		t->data = more ? more : t->data;
		t->cap = more ? cap : t->cap;
	}
	if (t->is_short)
		return;
	memcpy(t->data + t->len, data, len);
	t->len += len;
}

static void put_text(struct prom_text *t, const char *text)
{
	put(t, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void putf(struct prom_text *t, const char *fmt, ...)
{
	char text[64]; /* numbers only */
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	put_text(t, text);
}

/* The shortest text that reads as @v again. */
static void print_number(char *ret, size_t cap, double v)
{
	int digits;

	if (isnan(v))
		snprintf(ret, cap, "NaN");
	else if (isinf(v))
		snprintf(ret, cap, v > 0 ? "+Inf" : "-Inf");
	else
		for (digits = 15; digits <= 17; digits++) {
			snprintf(ret, cap, "%.*g", digits, v);
			if (strtod(ret, NULL) == v)
				break;
		}
}

static void put_number(struct prom_text *t, double v)
{
	char text[BOUND_CAP];

	print_number(text, sizeof(text), v);
	put_text(t, text);
}

static void put_seconds(struct prom_text *t, uint64_t unix_ns)
{
	putf(t, "%" PRIu64 ".%09" PRIu64, unix_ns / 1000000000, unix_ns % 1000000000);
}

/* Text between quotes, or after "HELP". A NUL ends a text for some parsers: it goes, as bytes do
 * that are no UTF-8. */
static void put_escaped(struct prom_text *t, struct otlp_str s, bool has_quotes)
{
	const unsigned char *p = (const unsigned char *)s.ptr, *end = p + s.len;
	size_t len;

	for (; p < end; p += len) {
		len = utf8_len(p, (size_t)(end - p));
		if (!len || !*p) {
			put_text(t, "\xef\xbf\xbd");
			len = 1;
		} else if (*p == '\\') {
			put_text(t, "\\\\");
		} else if (*p == '\n') {
			put_text(t, "\\n");
		} else if (*p == '"' && has_quotes) {
			put_text(t, "\\\"");
		} else {
			put(t, p, len);
		}
	}
}

/* ---- labels ---- */

static void put_value(struct prom_text *t, const struct otlp_attr *a)
{
	switch (a->type) {
	case OTLP_STRING:
		put_escaped(t, a->value.string, true);
		break;
	case OTLP_BOOL:
		put_text(t, a->value.boolean ? "true" : "false");
		break;
	case OTLP_INT:
		putf(t, "%" PRId64, a->value.integer);
		break;
	case OTLP_DOUBLE:
		put_number(t, a->value.number);
		break;
	}
}

static bool is_labelled(const struct otlp_attr *a, const char *label)
{
	char other[PROM_NAME_CAP];

	return !prom_name_label(a->key, other) && !strcmp(label, other);
}

/* A label is there once: attributes that get the same name share it, their values one after the
 * other. @le: a bucket's bound, or NULL. */
static void put_labels(struct prom_text *t, struct otlp_attrs attrs, const char *le)
{
	char label[PROM_NAME_CAP];
	const char *before = "{";
	size_t i, k;

	for (i = 0; i < attrs.len; i++) {
		if (prom_name_label(attrs.list[i].key, label))
			continue;
		for (k = 0; k < i && !is_labelled(&attrs.list[k], label); k++)
			;
		if (k < i)
			continue;
		put_text(t, before);
		put_text(t, label);
		put_text(t, "=\"");
		put_value(t, &attrs.list[i]);
		for (k = i + 1; k < attrs.len; k++) {
			if (!is_labelled(&attrs.list[k], label))
				continue;
			put_text(t, ";");
			put_value(t, &attrs.list[k]);
		}
		put_text(t, "\"");
		before = ",";
	}
	if (le) {
		put_text(t, before);
		put_text(t, "le=\"");
		put_text(t, le);
		put_text(t, "\"");
		before = ",";
	}
	if (*before == ',')
		put_text(t, "}");
}

/* ---- lines ---- */

static void put_about(struct prom_text *t, const char *what, const char *name, const char *says)
{
	put_text(t, what);
	put_text(t, name);
	put_text(t, " ");
	put_text(t, says);
	put_text(t, "\n");
}

static void put_help(struct prom_text *t, const char *name, struct otlp_str help)
{
	put_text(t, "# HELP ");
	put_text(t, name);
	put_text(t, " ");
	put_escaped(t, help, t->format == PROM_OPENMETRICS);
	put_text(t, "\n");
}

static void begin_series(struct prom_text *t, const struct prom_name *n, const char *suffix,
			 struct otlp_attrs attrs, const char *le)
{
	put_text(t, n->family);
	put_text(t, suffix);
	put_labels(t, attrs, le);
	put_text(t, " ");
}

static void put_hex(struct prom_text *t, const uint8_t *id, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		putf(t, "%02x", id[i]);
}

/* Ends a line; @x: its exemplar, or NULL. */
static void end_series(struct prom_text *t, const struct otlp_exemplar *x)
{
	if (x && t->format == PROM_OPENMETRICS) {
		put_text(t, " # {");
		if (x->has_trace) {
			put_text(t, "trace_id=\"");
			put_hex(t, x->trace_id, sizeof(x->trace_id));
			put_text(t, "\",span_id=\"");
			put_hex(t, x->span_id, sizeof(x->span_id));
			put_text(t, "\"");
		}
		put_text(t, "} ");
		if (x->is_double)
			put_number(t, x->number);
		else
			putf(t, "%" PRId64, x->integer);
		put_text(t, " ");
		put_seconds(t, x->time_unix_ns);
	}
	put_text(t, "\n");
}

static void put_created(struct prom_text *t, const struct prom_name *n, const struct otlp_point *p)
{
	if (t->format != PROM_OPENMETRICS || !p->start_unix_ns)
		return;
	begin_series(t, n, "_created", p->attrs, NULL);
	put_seconds(t, p->start_unix_ns);
	put_text(t, "\n");
}

static void put_point(struct prom_text *t, const struct prom_name *n, const struct otlp_point *p)
{
	begin_series(t, n, n->is_counter ? "_total" : "", p->attrs, NULL);
	if (p->is_double)
		put_number(t, p->number);
	else
		putf(t, "%" PRId64, p->integer);
	end_series(t,
		   n->is_counter && p->exemplars_len ? &p->exemplars[p->exemplars_len - 1] : NULL);
	if (n->is_counter)
		put_created(t, n, p);
}

/* ---- histograms ---- */

/* Those that all points of a metric have. */
static struct bounds bounds_of(const struct otlp_metric *m)
{
	static const struct {
		struct otlp_str unit;
		struct bounds at_scale_0;
	} usual[] = {
		{OTLP_STR("By"), {0, 16}}, /* a packet */
		{OTLP_STR("s"), {-24, 6}}, /* 60 ns to a minute */
	};
	struct bounds b = {0, 0};
	bool is_first = true;
	size_t i;

	for (i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		if (m->points->histogram.scale == 0 && usual[i].unit.len == m->unit.len &&
		    !memcmp(usual[i].unit.ptr, m->unit.ptr, m->unit.len)) {
			b = usual[i].at_scale_0;
			is_first = false;
		}
	}
	for (i = 0; i < m->points_len; i++) {
		const struct otlp_exp_histogram *h = &m->points[i].histogram;
		int32_t low = h->offset + 1, high = h->offset + (int32_t)h->buckets_len;

		if (!h->buckets_len)
			continue;
		if (is_first || low < b.low)
			b.low = low;
		if (is_first || high > b.high)
			b.high = high;
		is_first = false;
	}
	return b;
}

/* Canonical, so that bounds are the same text everywhere: "16.0". */
static double print_bound(char ret[BOUND_CAP], int32_t i, int32_t scale)
{
	double bound = exp2(ldexp(i, -scale));

	print_number(ret, BOUND_CAP - 2, bound);
	if (!strpbrk(ret, ".enN"))
		strcat(ret, ".0");
	return bound;
}

/* The exemplar that belongs into a bucket: above @low, up to @high. */
static const struct otlp_exemplar *exemplar_in(const struct otlp_point *p, double low, double high)
{
	const struct otlp_exemplar *ret = NULL, *x;
	double value;

	for (x = p->exemplars; x < p->exemplars + p->exemplars_len; x++) {
		value = x->is_double ? x->number : (double)x->integer;
		if (value > low && value <= high)
			ret = x;
	}
	return ret;
}

static void put_histogram(struct prom_text *t, const struct prom_name *n,
			  const struct otlp_point *p, struct bounds b)
{
	const struct otlp_exp_histogram *h = &p->histogram;
	uint64_t so_far = h->zero_count;
	double bound, before = -INFINITY;
	char le[BOUND_CAP];
	int32_t i, bucket;

	for (i = b.low; i <= b.high; i++, before = bound) {
		bucket = i - 1 - h->offset;
		if (bucket >= 0 && (size_t)bucket < h->buckets_len)
			so_far += h->buckets[bucket];
		bound = print_bound(le, i, h->scale);
		begin_series(t, n, "_bucket", p->attrs, le);
		putf(t, "%" PRIu64, so_far);
		end_series(t, exemplar_in(p, before, bound));
	}
	begin_series(t, n, "_bucket", p->attrs, "+Inf");
	putf(t, "%" PRIu64, h->count);
	end_series(t, exemplar_in(p, before, INFINITY));
	begin_series(t, n, "_sum", p->attrs, NULL);
	put_number(t, h->sum);
	end_series(t, NULL);
	begin_series(t, n, "_count", p->attrs, NULL);
	putf(t, "%" PRIu64, h->count);
	end_series(t, NULL);
	put_created(t, n, p);
}

/* ---- families ---- */

void prom_text_add(struct prom_text *t, const struct otlp_metric *m)
{
	static const char *const types[] = {
		[OTLP_GAUGE] = "gauge", [OTLP_SUM] = "gauge", [OTLP_EXP_HISTOGRAM] = "histogram"};
	char shown[PROM_NAME_CAP + sizeof("_total")];
	bool is_open = t->format == PROM_OPENMETRICS;
	struct bounds b = {0, 0};
	struct prom_name n;
	size_t i;

	if (m->is_delta || prom_name_metric(m, &n)) {
		t->skipped++;
		return;
	}
	snprintf(shown, sizeof(shown), "%s%s", n.family, n.is_counter && !is_open ? "_total" : "");
	if (!is_open)
		put_help(t, shown, m->description);
	put_about(t, "# TYPE ", shown, n.is_counter ? "counter" : types[m->type]);
	if (is_open && *n.unit)
		put_about(t, "# UNIT ", shown, n.unit);
	if (is_open)
		put_help(t, shown, m->description);
	if (m->type == OTLP_EXP_HISTOGRAM)
		b = bounds_of(m);
	for (i = 0; i < m->points_len; i++)
		if (m->type == OTLP_EXP_HISTOGRAM)
			put_histogram(t, &n, &m->points[i], b);
		else
			put_point(t, &n, &m->points[i]);
}

void prom_text_source(struct prom_text *t, struct otlp_attrs resource)
{
	bool is_open = t->format == PROM_OPENMETRICS;
	const char *family = is_open ? "target" : "target_info";

	if (!is_open)
		put_help(t, family, OTLP_STR("Target metadata"));
	put_about(t, "# TYPE ", family, is_open ? "info" : "gauge");
	if (is_open)
		put_help(t, family, OTLP_STR("Target metadata"));
	put_text(t, "target_info");
	put_labels(t, resource, NULL);
	put_text(t, " 1\n");
}

int prom_text_end(struct prom_text *t)
{
	if (t->format == PROM_OPENMETRICS)
		put_text(t, "# EOF\n");
	return t->is_short ? -ENOMEM : 0;
}
