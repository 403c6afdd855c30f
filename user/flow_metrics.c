/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdp.*: what passed the links. A class appears once it is not zero.
 */
#include "user/flow_otlp.h"

#include <errno.h>
#include <string.h>

#include "user/flow_names.h"
#include "user/metric_writer.h"

/* At most so many points has a metric of ringspan itself: the reasons of all losses. */
#define SELF_POINTS (LEDGER_ROWS_MAX * (OTLP_DROP_MAX + 1) + 16)

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
static const char *const flags[FLOW_SEGMENT_MAX] = {
	[FLOW_SEGMENT_SYN] = "syn",
	[FLOW_SEGMENT_SYN_ACK] = "syn_ack",
	[FLOW_SEGMENT_FIN] = "fin",
	[FLOW_SEGMENT_RST] = "rst",
};

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

/* Hangs it on the last point begun; the value is the caller's to set. */
static struct otlp_exemplar *add_exemplar(struct metric_writer *w, const struct exemplar *from)
{
	struct otlp_point *p = &w->points[w->len - 1];
	struct otlp_exemplar *x = &w->exemplars[w->len - 1];

	*x = (struct otlp_exemplar){.time_unix_ns = from->time_unix_ns, .has_trace = true};
	memcpy(x->trace_id, from->trace_id, sizeof(x->trace_id));
	memcpy(x->span_id, from->span_id, sizeof(x->span_id));
	p->exemplars = x;
	p->exemplars_len = 1;
	return x;
}

/* A span may seem to end in the future: it keeps its time when the wall clock steps back. And an
 * endpoint's packets may pass in both directions (both ends send from the address :: while they
 * look for one of their own): then its flow has more of them than were counted here. */
static bool is_usable(const struct metric_writer *w, const struct exemplar *x,
		      const struct flow_counter *counted)
{
	return x && x->end_mono_ns && x->time_unix_ns <= w->s->time_unix_ns &&
	       x->pkts <= flow_counter_pkts(counted) && x->bytes <= counted->bytes;
}

/* Packets, or with @is_bytes bytes, of each combination that has been seen. */
static void add_totals(struct metric_writer *w, bool is_bytes)
{
	size_t i, per_hook = FLOW_NET_MAX * FLOW_TRANSPORT_MAX;

	for (i = 0; i < w->s->interfaces * FLOW_COUNTERS_PER_IF; i++) {
		const struct flow_counter *c = &w->s->counters[i];
		const struct exemplar *x = w->s->exemplars ? &w->s->exemplars[i] : NULL;
		uint64_t pkts = flow_counter_pkts(c);

		if (!pkts)
			continue;
		metric_point(w)->integer = is_bytes ? c->bytes : pkts;
		metric_link(w, i / FLOW_COUNTERS_PER_IF, i / per_hook % FLOW_HOOK_MAX);
		metric_attr(w, NAME_TYPE, types[i / FLOW_TRANSPORT_MAX % FLOW_NET_MAX]);
		metric_attr(w, NAME_TRANSPORT, transports[i % FLOW_TRANSPORT_MAX]);
		if (is_usable(w, x, c))
			add_exemplar(w, x)->integer = (int64_t)(is_bytes ? x->bytes : x->pkts);
	}
}

static void add_rates(struct metric_writer *w)
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
			p = metric_point(w);
			p->is_double = true;
			p->number = (flow_counter_pkts(&now) - flow_counter_pkts(&before)) * 1e9 /
				    w->s->elapsed_ns;
			metric_link(w, i, hook);
		}
	}
}

/* The kernel's slot of a size: ceil(log2 v). */
static unsigned size_slot(uint64_t bytes)
{
	unsigned slot = bytes < 2 ? 0 : 64 - (unsigned)__builtin_clzll(bytes - 1);

	return slot < FLOW_SIZE_SLOTS ? slot : FLOW_SIZE_SLOTS - 1;
}

/* The newest flow whose mean packet is of a size that the histogram has counted. */
static void add_size_exemplar(struct metric_writer *w, size_t if_slot, unsigned hook,
			      const struct flow_counter *sum)
{
	const struct exemplar *x, *newest = NULL;
	size_t i;

	if (!w->s->exemplars)
		return;
	x = &w->s->exemplars[flow_counter_index((__u32)if_slot, hook, 0, 0)];
	for (i = 0; i < FLOW_NET_MAX * FLOW_TRANSPORT_MAX; i++, x++)
		if (is_usable(w, x, sum) && sum->size[size_slot(x->bytes / x->pkts)] &&
		    (!newest || x->end_mono_ns > newest->end_mono_ns))
			newest = x;
	if (newest)
		add_exemplar(w, newest)->integer = (int64_t)(newest->bytes / newest->pkts);
}

static void add_sizes(struct metric_writer *w)
{
	struct flow_counter sum;
	unsigned hook;
	size_t i;

	for (i = 0; i < w->s->interfaces; i++) {
		for (hook = 0; hook < FLOW_HOOK_MAX; hook++) {
			add_up(w->s->counters, i, hook, &sum);
			if (metric_link_slots(w, i, hook, sum.size, FLOW_SIZE_SLOTS, 0, sum.bytes))
				add_size_exemplar(w, i, hook, &sum);
		}
	}
}

/* All flags of a direction from its first TCP packet on: a rate needs the zero before the flood. */
static void add_segments(struct metric_writer *w, size_t if_slot, unsigned hook)
{
	uint64_t count[FLOW_SEGMENT_MAX] = {}, pkts = 0;
	const struct flow_counter *c;
	unsigned net, flag;

	for (net = 0; net < FLOW_NET_MAX; net++) {
		c = &w->s->counters[flow_counter_index((__u32)if_slot, hook, net,
						       FLOW_TRANSPORT_TCP)];
		pkts += flow_counter_pkts(c);
		for (flag = 0; flag < FLOW_SEGMENT_MAX; flag++)
			count[flag] += c->segments[flag];
	}
	for (flag = 0; pkts && flag < FLOW_SEGMENT_MAX; flag++) {
		metric_point(w)->integer = (int64_t)count[flag];
		metric_link(w, if_slot, hook);
		metric_attr(w, NAME_TCP_FLAG, flags[flag]);
	}
}

static int emit_segments(struct metric_writer *w)
{
	static const struct metric_about about = {
		NAME_XDP_SEGMENTS, "{segment}", METRIC_COUNTER,
		"TCP segments that open or end a connection, all of them, whatever is sampled"};
	unsigned hook;
	size_t i;

	for (i = 0; i < w->s->interfaces; i++)
		for (hook = 0; hook < FLOW_HOOK_MAX; hook++)
			add_segments(w, i, hook);
	return metric_end(w, &about);
}

static int emit_links(struct metric_writer *w)
{
	static const struct metric_about packets = {NAME_XDP_PACKETS, "{packet}", METRIC_COUNTER,
						    "Packets seen, all of them"};
	static const struct metric_about bytes = {
		NAME_XDP_BYTES, "By", METRIC_COUNTER,
		"Bytes of the frames seen, with the link-layer header"};
	static const struct metric_about rate = {NAME_XDP_RATE, "{packet}/s", METRIC_GAUGE,
						 "Packets a second over the last interval"};
	static const struct metric_about size = {NAME_XDP_SIZE, "By", METRIC_HISTOGRAM,
						 "Sizes of the frames seen"};
	int err;

	add_totals(w, false);
	err = metric_end(w, &packets);
	if (err)
		return err;
	add_totals(w, true);
	err = metric_end(w, &bytes);
	if (err)
		return err;
	add_rates(w);
	err = metric_end(w, &rate);
	if (err)
		return err;
	add_sizes(w);
	err = metric_end(w, &size);
	return err ? err : emit_segments(w);
}

int flow_otlp_metrics(struct flow_otlp *o, const struct flow_otlp_snapshot *s,
		      flow_otlp_metric_fn emit, void *ctx)
{
	struct metric_writer w;
	int err;

	(void)o;
	err = metric_writer_init(&w, s, s->interfaces * FLOW_COUNTERS_PER_IF + SELF_POINTS, emit,
				 ctx);
	if (err)
		return err;
	err = emit_links(&w);
	if (!err)
		err = self_metrics(&w);
	if (!err)
		err = sdk_metrics(&w);
	metric_writer_reset(&w);
	return err ? err : series_metrics(s, emit, ctx);
}
