/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/metric_writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/flow_names.h"

int metric_writer_init(struct metric_writer *w, const struct flow_otlp_snapshot *s, size_t points,
		       flow_otlp_metric_fn emit, void *ctx)
{
	*w = (struct metric_writer){.s = s, .emit = emit, .ctx = ctx, .cap = points};
	w->points = calloc(w->cap, sizeof(*w->points));
	w->attrs = calloc(w->cap * METRIC_POINT_ATTRS, sizeof(*w->attrs));
	w->exemplars = calloc(w->cap, sizeof(*w->exemplars));
	w->buckets = calloc(s->interfaces * FLOW_HOOK_MAX + 1, sizeof(*w->buckets));
	if (w->points && w->attrs && w->exemplars && w->buckets)
		return 0;
	metric_writer_reset(w);
	return -ENOMEM;
}

void metric_writer_reset(struct metric_writer *w)
{
	free(w->buckets);
	free(w->exemplars);
	free(w->attrs);
	free(w->points);
	*w = (struct metric_writer){0};
}

struct otlp_point *metric_point(struct metric_writer *w)
{
	struct otlp_point *p = &w->points[w->len];

	assert(w->len < w->cap);
	*p = (struct otlp_point){
		.attrs = {&w->attrs[w->len * METRIC_POINT_ATTRS], 0},
		.start_unix_ns = w->s->start_unix_ns,
		.time_unix_ns = w->s->time_unix_ns,
	};
	w->len++;
	return p;
}

static struct otlp_attr *add(struct metric_writer *w, struct otlp_str key,
			     enum otlp_value_type type)
{
	struct otlp_point *p = &w->points[w->len - 1];
	struct otlp_attr *a = &w->attrs[(w->len - 1) * METRIC_POINT_ATTRS + p->attrs.len++];

	assert(p->attrs.len <= METRIC_POINT_ATTRS);
	a->key = key;
	a->type = type;
	return a;
}

void metric_attr(struct metric_writer *w, struct otlp_str key, const char *value)
{
	add(w, key, OTLP_STRING)->value.string = (struct otlp_str){value, strlen(value)};
}

void metric_attr_int(struct metric_writer *w, struct otlp_str key, int64_t value)
{
	add(w, key, OTLP_INT)->value.integer = value;
}

void metric_attr_bool(struct metric_writer *w, struct otlp_str key, bool value)
{
	add(w, key, OTLP_BOOL)->value.boolean = value;
}

void metric_interface(struct metric_writer *w, size_t if_slot)
{
	const char *name = w->s->if_names[if_slot];
	uint32_t tenant = w->s->tenants ? tenant_map_interface(w->s->tenants, name) : 0;

	metric_attr(w, NAME_INTERFACE, name);
	if (tenant)
		metric_attr(w, NAME_TENANT, tenant_map_name(w->s->tenants, tenant));
}

void metric_link(struct metric_writer *w, size_t if_slot, enum flow_hook hook)
{
	metric_interface(w, if_slot);
	metric_attr(w, NAME_IO_DIRECTION, hook == FLOW_RECEIVE ? "receive" : "transmit");
}

bool metric_link_slots(struct metric_writer *w, size_t if_slot, enum flow_hook hook,
		       const __u64 *slots, unsigned slots_len, int unit_log2, double sum)
{
	uint64_t *buckets = w->buckets[if_slot * FLOW_HOOK_MAX + hook];
	struct otlp_exp_histogram *h;
	unsigned first = 0, s;

	assert(slots_len <= METRIC_SLOTS);
	while (slots_len && !slots[slots_len - 1])
		slots_len--;
	if (!slots_len)
		return false;
	while (!slots[first])
		first++;
	h = &metric_point(w)->histogram;
	for (s = first; s < slots_len; s++) {
		buckets[s] = slots[s];
		h->count += slots[s];
	}
	h->sum = sum;
	h->offset = (int32_t)first - 1 + unit_log2;
	h->buckets = buckets + first;
	h->buckets_len = slots_len - first;
	metric_link(w, if_slot, hook);
	return true;
}

void metric_count(struct metric_writer *w, struct otlp_str key, const char *value, uint64_t count)
{
	metric_point(w)->integer = (int64_t)count;
	metric_attr(w, key, value);
}

int metric_end(struct metric_writer *w, const struct metric_about *about)
{
	static const enum otlp_metric_type types[] = {
		[METRIC_GAUGE] = OTLP_GAUGE,
		[METRIC_COUNTER] = OTLP_SUM,
		[METRIC_UPDOWN] = OTLP_SUM,
		[METRIC_HISTOGRAM] = OTLP_EXP_HISTOGRAM,
	};
	struct otlp_metric m = {
		.name = about->name,
		.description = {about->description, strlen(about->description)},
		.unit = {about->unit, strlen(about->unit)},
		.type = types[about->kind],
		.is_monotonic = about->kind == METRIC_COUNTER,
		.points = w->points,
		.points_len = w->len,
	};
	size_t i;

	if (m.type == OTLP_GAUGE) {
		for (i = 0; i < w->len; i++)
			w->points[i].start_unix_ns = 0;
	}
	w->len = 0;
	return m.points_len ? w->emit(w->ctx, &m) : 0;
}

int metric_single(struct metric_writer *w, const struct metric_about *about, uint64_t value)
{
	metric_point(w)->integer = (int64_t)value;
	return metric_end(w, about);
}

int metric_single_number(struct metric_writer *w, const struct metric_about *about, double value)
{
	struct otlp_point *p = metric_point(w);

	p->is_double = true;
	p->number = value;
	return metric_end(w, about);
}

void metric_destination(struct metric_writer *w, unsigned destination, const char *server_address)
{
	if (w->s->ledger->destinations_len < 2)
		return;
	metric_attr_int(w, NAME_DESTINATION, destination);
	metric_attr(w, NAME_SERVER_ADDRESS, server_address);
}
