/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_otlp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/flow_names.h"

/*
 * The points of one metric at a time are laid out in one scratch area, made for the call: metrics
 * leave every few seconds. Sums appear once they are not zero, except ringspan.losses: an alert
 * must be able to tell "nothing lost" from "nothing known".
 */

#define POINT_ATTRS 4
#define SIGNALS OTLP_SIGNAL_MAX

struct writer {
	const struct flow_otlp_snapshot *s;
	flow_otlp_metric_fn emit;
	void *ctx;
	struct otlp_point *points; /* cap of them */
	struct otlp_attr *attrs; /* POINT_ATTRS for each point */
	uint64_t (*buckets)[FLOW_SIZE_SLOTS]; /* one for each interface and direction */
	size_t cap;
	size_t len;
};

static const char *const directions[FLOW_HOOK_MAX] = {
	[FLOW_RECEIVE] = "receive",
	[FLOW_TRANSMIT] = "transmit",
};
static const char *const types[FLOW_NET_MAX] = {
	[FLOW_NET_OTHER] = "other",
	[FLOW_NET_IPV4] = "ipv4",
	[FLOW_NET_IPV6] = "ipv6",
};
static const char *const transports[FLOW_TRANSPORT_MAX] = {
	[FLOW_TRANSPORT_OTHER] = "other",   [FLOW_TRANSPORT_TCP] = "tcp",
	[FLOW_TRANSPORT_UDP] = "udp",	    [FLOW_TRANSPORT_ICMP] = "icmp",
	[FLOW_TRANSPORT_ICMPV6] = "icmpv6", [FLOW_TRANSPORT_SCTP] = "sctp",
};
static const char *const signals[SIGNALS] = {
	[OTLP_TRACES] = "traces",
	[OTLP_METRICS] = "metrics",
	[OTLP_LOGS] = "logs",
};

/* ---- points ---- */

static struct otlp_point *point_begin(struct writer *w)
{
	struct otlp_point *p = &w->points[w->len];

	*p = (struct otlp_point){
		.attrs = {&w->attrs[w->len * POINT_ATTRS], 0},
		.start_unix_ns = w->s->start_unix_ns,
		.time_unix_ns = w->s->time_unix_ns,
	};
	w->len++;
	return p;
}

static void point_attr(struct writer *w, struct otlp_str key, const char *value)
{
	struct otlp_point *p = &w->points[w->len - 1];
	struct otlp_attr *a = &w->attrs[(w->len - 1) * POINT_ATTRS + p->attrs.len++];

	a->key = key;
	a->type = OTLP_STRING;
	a->value.string = (struct otlp_str){value, strlen(value)};
}

static void add_count(struct writer *w, struct otlp_str key, const char *value, uint64_t count)
{
	point_begin(w)->integer = count;
	point_attr(w, key, value);
}

/* Hands out the metric of the points so far; without points there is none. */
static int metric_end(struct writer *w, struct otlp_str name, const char *unit,
		      enum otlp_metric_type type, const char *description)
{
	struct otlp_metric m = {
		.name = name,
		.description = {description, strlen(description)},
		.unit = {unit, strlen(unit)},
		.type = type,
		.is_monotonic = type == OTLP_SUM,
		.points = w->points,
		.points_len = w->len,
	};
	size_t i;

	if (type == OTLP_GAUGE) {
		for (i = 0; i < w->len; i++)
			w->points[i].start_unix_ns = 0;
	}
	w->len = 0;
	return m.points_len ? w->emit(w->ctx, &m) : 0;
}

static int single_count(struct writer *w, struct otlp_str name, const char *unit,
			enum otlp_metric_type type, const char *description, uint64_t value)
{
	point_begin(w)->integer = value;
	return metric_end(w, name, unit, type, description);
}

static int single_number(struct writer *w, struct otlp_str name, const char *unit,
			 enum otlp_metric_type type, const char *description, double value)
{
	struct otlp_point *p = point_begin(w);

	p->is_double = true;
	p->number = value;
	return metric_end(w, name, unit, type, description);
}

/* ---- xdp.* ---- */

/* All classes of one interface and direction, added up. */
static void add_up(const struct flow_counter *counters, size_t if_slot, unsigned hook,
		   struct flow_counter *ret)
{
	const struct flow_counter *c = &counters[flow_counter_index(if_slot, hook, 0, 0)];
	int i, slot;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < FLOW_NET_MAX * FLOW_TRANSPORT_MAX; i++) {
		ret->bytes += c[i].bytes;
		for (slot = 0; slot < FLOW_SIZE_SLOTS; slot++)
			ret->size[slot] += c[i].size[slot];
	}
}

/* Packets, or with @is_bytes bytes, of each combination that has been seen. */
static void add_totals(struct writer *w, bool is_bytes)
{
	size_t i, per_hook = FLOW_NET_MAX * FLOW_TRANSPORT_MAX;

	for (i = 0; i < w->s->interfaces * FLOW_COUNTERS_PER_IF; i++) {
		const struct flow_counter *c = &w->s->counters[i];
		uint64_t pkts = flow_counter_pkts(c);

		if (!pkts)
			continue;
		point_begin(w)->integer = is_bytes ? c->bytes : pkts;
		point_attr(w, NAME_INTERFACE, w->s->if_names[i / FLOW_COUNTERS_PER_IF]);
		point_attr(w, NAME_IO_DIRECTION, directions[i / per_hook % FLOW_HOOK_MAX]);
		point_attr(w, NAME_TYPE, types[i / FLOW_TRANSPORT_MAX % FLOW_NET_MAX]);
		point_attr(w, NAME_TRANSPORT, transports[i % FLOW_TRANSPORT_MAX]);
	}
}

static void add_rates(struct writer *w)
{
	struct flow_counter now, before;
	struct otlp_point *p;
	unsigned hook;
	size_t i;

	if (!w->s->previous || !w->s->elapsed_ns)
		return;
	for (i = 0; i < w->s->interfaces; i++) {
		for (hook = 0; hook < FLOW_HOOK_MAX; hook++) {
			add_up(w->s->counters, i, hook, &now);
			add_up(w->s->previous, i, hook, &before);
			p = point_begin(w);
			p->is_double = true;
			p->number = (flow_counter_pkts(&now) - flow_counter_pkts(&before)) * 1e9 /
				    w->s->elapsed_ns;
			point_attr(w, NAME_INTERFACE, w->s->if_names[i]);
			point_attr(w, NAME_IO_DIRECTION, directions[hook]);
		}
	}
}

/* Kernel slot s holds sizes up to 2^s and above 2^(s-1): OTLP's bucket s-1 at scale 0. */
static void add_sizes(struct writer *w)
{
	struct otlp_exp_histogram *h;
	struct flow_counter sum;
	unsigned hook, first, end;
	uint64_t *buckets;
	size_t i;

	for (i = 0; i < w->s->interfaces; i++) {
		for (hook = 0; hook < FLOW_HOOK_MAX; hook++) {
			add_up(w->s->counters, i, hook, &sum);
			if (!flow_counter_pkts(&sum))
				continue;
			for (first = 0; !sum.size[first];)
				first++;
			for (end = FLOW_SIZE_SLOTS; !sum.size[end - 1];)
				end--;
			buckets = w->buckets[i * FLOW_HOOK_MAX + hook];
			memcpy(buckets, sum.size, sizeof(sum.size));
			h = &point_begin(w)->histogram;
			h->count = flow_counter_pkts(&sum);
			h->sum = sum.bytes;
			h->offset = (int32_t)first - 1;
			h->buckets = buckets + first;
			h->buckets_len = end - first;
			point_attr(w, NAME_INTERFACE, w->s->if_names[i]);
			point_attr(w, NAME_IO_DIRECTION, directions[hook]);
		}
	}
}

static int emit_links(struct writer *w)
{
	int err;

	add_totals(w, false);
	err = metric_end(w, NAME_XDP_PACKETS, "{packet}", OTLP_SUM, "Packets seen, all of them");
	if (err)
		return err;
	add_totals(w, true);
	err = metric_end(w, NAME_XDP_BYTES, "By", OTLP_SUM,
			 "Bytes of the frames seen, with the link-layer header");
	if (err)
		return err;
	add_rates(w);
	err = metric_end(w, NAME_XDP_RATE, "{packet}/s", OTLP_GAUGE,
			 "Packets a second over the last interval");
	if (err)
		return err;
	add_sizes(w);
	return metric_end(w, NAME_XDP_SIZE, "By", OTLP_EXP_HISTOGRAM, "Sizes of the frames seen");
}

/* ---- ringspan.* ---- */

static void add_loss(struct writer *w, const char *stage, const char *reason, uint64_t count)
{
	add_count(w, NAME_STAGE, stage, count);
	point_attr(w, NAME_REASON, reason);
}

static int emit_losses(struct writer *w)
{
	const struct ledger *l = w->s->ledger;
	const __u64 *kern = l->kern.stat;
	struct ledger_row rows[LEDGER_ROWS_MAX];
	unsigned len = ledger_rows(l, rows), row, i;

	for (row = 0; row < len; row++)
		for (i = 0; i < rows[row].lost_len; i++)
			add_loss(w, rows[row].stage, rows[row].lost[i].reason,
				 rows[row].lost[i].count);
	/* nothing is missing from a sum for these: a flow is told of packet by packet, or two
	 * connections as one */
	add_loss(w, "flow_state", "map_full", kern[FLOW_STAT_STATE_FULL]);
	add_loss(w, "flow_state", "no_memory", kern[FLOW_STAT_STATE_NOMEM]);
	add_loss(w, "flow_state", "busy", kern[FLOW_STAT_STATE_BUSY]);
	add_loss(w, "flow_state", "other", kern[FLOW_STAT_STATE_OTHER]);
	add_loss(w, "generations", "ring_full", kern[FLOW_STAT_NEXT_GEN_LOST]);
	return metric_end(w, NAME_LOSSES, "{item}", OTLP_SUM,
			  "What was lost, by stage and reason; all reasons always");
}

static int emit_packets_and_records(struct writer *w)
{
	const struct ledger *l = w->s->ledger;
	int err;

	add_count(w, NAME_STAGE, "seen", l->pkts_seen);
	add_count(w, NAME_STAGE, "kept", l->pkts_kept);
	add_count(w, NAME_STAGE, "not_kept", l->pkts_not_kept);
	add_count(w, NAME_STAGE, "no_flow", l->pkts_no_flow);
	err = metric_end(w, NAME_PACKETS, "{packet}", OTLP_SUM,
			 "Packets: seen = kept + not_kept + no_flow");
	if (err)
		return err;
	add_count(w, NAME_STAGE, "submitted", l->records_submitted);
	add_count(w, NAME_STAGE, "consumed", l->records_consumed);
	add_count(w, NAME_STAGE, "strangers", l->records_strangers);
	add_count(w, NAME_STAGE, "lost", l->records_lost);
	err = metric_end(w, NAME_RECORDS, "{record}", OTLP_SUM,
			 "Ring records: submitted = consumed + strangers + held; lost: no room");
	if (err)
		return err;
	return single_count(w, NAME_RECORDS_HELD, "{record}", OTLP_GAUGE,
			    "Records waiting in the rings", l->records_held);
}

static int emit_flows_and_spans(struct writer *w)
{
	const struct ledger *l = w->s->ledger;
	int err;

	add_count(w, NAME_STAGE, "begun", l->flows_begun);
	add_count(w, NAME_STAGE, "ended", l->flows_ended);
	add_count(w, NAME_STAGE, "adopted", l->flows_adopted);
	add_count(w, NAME_STAGE, "incomplete", l->flows_incomplete);
	add_count(w, NAME_STAGE, "evicted", l->flows_evicted);
	err = metric_end(w, NAME_FLOWS, "{flow}", OTLP_SUM, "Kept flows: begun = ended + held");
	if (err)
		return err;
	err = single_count(w, NAME_FLOWS_HELD, "{flow}", OTLP_GAUGE, "Kept flows going on",
			   l->flows_held);
	if (err)
		return err;
	add_count(w, NAME_STAGE, "made", l->spans_made);
	add_count(w, NAME_STAGE, "exported", l->signal[OTLP_TRACES].exported);
	return metric_end(w, NAME_SPANS, "{span}", OTLP_SUM, "Spans of flows");
}

static int emit_queues(struct writer *w)
{
	const struct ledger *l = w->s->ledger;
	unsigned s;
	int err;

	if (!l->has_otlp)
		return 0;
	for (s = 0; s < SIGNALS; s++)
		add_count(w, NAME_SIGNAL, signals[s], l->signal[s].queued);
	err = metric_end(w, NAME_QUEUE_ITEMS, "{item}", OTLP_GAUGE, "Items waiting to be exported");
	if (err)
		return err;
	for (s = 0; s < SIGNALS; s++)
		add_count(w, NAME_SIGNAL, signals[s], l->signal[s].queued_bytes);
	return metric_end(w, NAME_QUEUE_BYTES, "By", OTLP_GAUGE,
			  "Encoded bytes waiting to be exported");
}

static int emit_process(struct writer *w)
{
	const struct flow_otlp_snapshot *s = w->s;
	int err;

	err = single_number(w, NAME_RING_PRESSURE, "1", OTLP_GAUGE,
			    "How full the fullest ring was, 0 to 1", s->ring_pressure);
	if (err)
		return err;
	err = single_count(w, NAME_RATE_IN_FORCE, "{flow}", OTLP_GAUGE, "One flow in N is kept",
			   s->sample_n);
	if (err)
		return err;
	err = single_number(w, NAME_CPU_TIME, "s", OTLP_SUM, "CPU time of ringspan",
			    s->cpu_seconds);
	if (err)
		return err;
	err = single_count(w, NAME_MEMORY, "By", OTLP_GAUGE, "Resident memory of ringspan",
			   s->rss_bytes);
	if (err)
		return err;
	return single_count(w, NAME_CLOCK_STEPS, "{step}", OTLP_SUM,
			    "Steps of the wall clock noticed", s->ledger->clock_steps);
}

int flow_otlp_metrics(struct flow_otlp *o, const struct flow_otlp_snapshot *s,
		      flow_otlp_metric_fn emit, void *ctx)
{
	static int (*const parts[])(struct writer * w) = {
		emit_links,  emit_packets_and_records,
		emit_losses, emit_flows_and_spans,
		emit_queues, emit_process,
	};
	struct writer w = {.s = s, .emit = emit, .ctx = ctx};
	int err = -ENOMEM;
	size_t i;

	(void)o;
	/* the classes of all interfaces, or the losses */
	w.cap = s->interfaces * FLOW_COUNTERS_PER_IF + 64;
	w.points = calloc(w.cap, sizeof(*w.points));
	w.attrs = calloc(w.cap * POINT_ATTRS, sizeof(*w.attrs));
	w.buckets = calloc(s->interfaces * FLOW_HOOK_MAX + 1, sizeof(*w.buckets));
	if (!w.points || !w.attrs || !w.buckets)
		goto out;
	for (i = 0, err = 0; !err && i < sizeof(parts) / sizeof(*parts); i++)
		err = parts[i](&w);
out:
	free(w.buckets);
	free(w.attrs);
	free(w.points);
	return err;
}
