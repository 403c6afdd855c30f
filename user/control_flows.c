/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A table may hold hundreds of thousands of flows, and a worker stands still while they are looked
 * through: so only the best are kept, in a heap whose top is the worst of them.
 */
#include "user/control_flows.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "user/clock.h"
#include "user/flow_facts.h"
#include "user/flow_id.h"
#include "user/flow_service.h"
#include "user/flow_text.h"
#include "user/ip_text.h"
#include "user/json.h"

struct control_flow {
	uint64_t value; /* more comes first */
	struct flow_counts counts[2]; /* by endpoint; packet mode: estimated */
	struct flow flow;
};

struct control_flows {
	const struct probe *probe;
	const struct control_request *request;
	bool by_packets; /* packet mode: what is shown is estimated */
	uint64_t now_mono_ns;
	uint64_t seen, fitting;
	struct control_flow *heap; /* room for request->limit */
	size_t len;
};

/* Interfaces by their names of now. */
static int flows_resolve(const struct probe *probe, struct control_filter *f,
			 char why[CONTROL_WHY_CAP])
{
	size_t i, slot;

	for (i = 0; i < f->len; i++) {
		if (f->words[i].kind != CONTROL_FILTER_INTERFACE)
			continue;
		for (slot = 0; slot < probe_interfaces(probe); slot++)
			if (!strcmp(probe_interface_name(probe, slot), f->words[i].name))
				break;
		if (slot == probe_interfaces(probe)) {
			snprintf(why, CONTROL_WHY_CAP,
				 "filter: '%s' is no address, network, port or transport, and no "
				 "interface that is watched",
				 f->words[i].name);
			return -EINVAL;
		}
		f->words[i].if_slot = (uint16_t)slot;
	}
	return 0;
}

int control_flows_create(struct control_flows **ret, const struct probe *probe,
			 struct control_request *r, char why[CONTROL_WHY_CAP])
{
	struct probe_sampling sampling;
	struct control_flows *f;
	int err = flows_resolve(probe, &r->filter, why);

	if (err)
		return err;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->probe = probe;
	f->request = r;
	f->now_mono_ns = clock_mono_ns();
	probe_sampling(probe, &sampling);
	f->by_packets = sampling.mode == OPTIONS_SAMPLE_PACKET;
	f->heap = calloc(r->limit, sizeof(*f->heap));
	if (!f->heap) {
		free(f);
		return -ENOMEM;
	}
	*ret = f;
	return 0;
}

void control_flows_destroy(struct control_flows *f)
{
	free(f->heap);
	free(f);
}

/* ---- the best ---- */

/* From totals. What the kernel's estimate is nobody asks for each flow of a table. */
static void flows_count(const struct control_flows *f, struct control_flow *c)
{
	uint64_t each = f->by_packets ? c->flow.info.interval : 1;
	int d;

	for (d = 0; d < 2; d++)
		c->counts[d] = (struct flow_counts){c->flow.totals[d].pkts * each,
						    c->flow.totals[d].bytes * each};
}

static uint64_t flows_value(const struct control_flows *f, const struct control_flow *c)
{
	switch (f->request->sort) {
	case CONTROL_BY_PACKETS:
		return c->counts[0].pkts + c->counts[1].pkts;
	case CONTROL_BY_BYTES:
		return c->counts[0].bytes + c->counts[1].bytes;
	case CONTROL_BY_AGE:
		return UINT64_MAX - c->flow.info.first_mono_ns;
	}
	return 0;
}

/* Puts @new where the hole is, from the top down. */
static void heap_sink(struct control_flow *heap, size_t len, const struct control_flow *new)
{
	size_t hole = 0, child;

	while ((child = 2 * hole + 1) < len) {
		if (child + 1 < len && heap[child + 1].value < heap[child].value)
			child++;
		if (heap[child].value >= new->value)
			break;
		heap[hole] = heap[child];
		hole = child;
	}
	heap[hole] = *new;
}

static void heap_rise(struct control_flow *heap, size_t hole, const struct control_flow *new)
{
	for (; hole && heap[(hole - 1) / 2].value > new->value; hole = (hole - 1) / 2)
		heap[hole] = heap[(hole - 1) / 2];
	heap[hole] = *new;
}

void control_flows_see(void *ctx, const struct flow *flow)
{
	struct control_flows *f = ctx;
	struct control_flow new;

	f->seen++;
	if (!control_filter_fits(&f->request->filter, &flow->key))
		return;
	f->fitting++;
	new.flow = *flow;
	flows_count(f, &new);
	new.value = flows_value(f, &new);
	if (f->len == f->request->limit && new.value <= f->heap[0].value)
		return;
	if (f->len == f->request->limit)
		heap_sink(f->heap, f->len, &new);
	else
		heap_rise(f->heap, f->len++, &new);
}

static int compare(const void *a, const void *b)
{
	const struct control_flow *x = a, *y = b;

	return x->value < y->value ? 1 : x->value > y->value ? -1 : 0;
}

/* What records told may be some time old. */
static void flows_refresh(const struct control_flows *f, struct control_flow *c)
{
	struct flow *flow = &c->flow;
	struct flow_state st;
	int d;

	if (flow->is_incomplete || probe_flow_peek(f->probe, &flow->key, &st) ||
	    st.info.first_mono_ns != flow->info.first_mono_ns)
		return;
	for (d = 0; d < 2; d++)
		flow->totals[d] = st.dir[d].totals;
	flows_count(f, c);
	for (d = 0; d < 2 && f->by_packets; d++)
		c->counts[d] = (struct flow_counts){st.dir[d].detail.estimate.pkts,
						    st.dir[d].detail.estimate.bytes};
}

/* ---- words ---- */

struct flow_words {
	char addr[2][IP_TEXT_CAP]; /* source, destination */
	char end[2][IP_TEXT_CAP + 10]; /* with the port */
	uint16_t port[2];
	bool has_ports;
	struct flow_counts counts[2];
	uint64_t samples[2], interval;
	const char *transport, *if_name;
	double age_s, idle_s;
};

static double seconds_since(uint64_t now_mono_ns, uint64_t then_mono_ns)
{
	return now_mono_ns > then_mono_ns ? (double)(now_mono_ns - then_mono_ns) / 1e9 : 0;
}

static void flows_say(const struct control_flows *f, struct control_flow *c, struct flow_words *w)
{
	struct flow *flow = &c->flow;
	const struct flow_key *k = &flow->key;
	int d, end;

	flow_find_initiator(flow);
	w->transport = flow_service_transport(k->proto, k->family);
	w->if_name = probe_interface_name(f->probe, k->if_slot);
	w->has_ports = !strcmp(w->transport, "tcp") || !strcmp(w->transport, "udp") ||
		       !strcmp(w->transport, "sctp");
	for (d = 0; d < 2; d++) {
		end = flow->initiator ^ d;
		w->counts[d] = c->counts[end];
		w->samples[d] = flow->totals[end].pkts;
		w->port[d] = ntohs(k->port[end]);
		ip_text(k->family, k->addr[end], w->addr[d]);
		if (w->has_ports)
			snprintf(w->end[d], sizeof(w->end[d]), k->family == 6 ? "[%s]:%u" : "%s:%u",
				 w->addr[d], w->port[d]);
		else
			snprintf(w->end[d], sizeof(w->end[d]), "%s", w->addr[d]);
	}
	w->interval = f->by_packets ? flow->info.interval : flow_id_interval(flow->info.threshold);
	w->age_s = seconds_since(f->now_mono_ns, flow->info.first_mono_ns);
	w->idle_s = seconds_since(f->now_mono_ns, flow_last_mono_ns(flow));
}

static void flows_write_text(const struct control_flows *f, struct control_flow *c, FILE *out)
{
	char age[32], bytes[2][32], pkts[2][32];
	struct flow_words w;
	int d;

	flows_say(f, c, &w);
	for (d = 0; d < 2; d++) {
		flow_text_bytes(w.counts[d].bytes, bytes[d], sizeof(bytes[d]));
		snprintf(pkts[d], sizeof(pkts[d]), "%s%" PRIu64, f->by_packets ? "~" : "",
			 w.counts[d].pkts);
	}
	flow_text_duration((uint64_t)(w.age_s * 1e9), age, sizeof(age));
	fprintf(out, "%-6s %-22s %-22s %-10s %10s %9s %10s %9s %12s %6.1f s 1/%" PRIu64 "\n",
		w.transport, w.end[0], w.end[1], w.if_name, pkts[0], bytes[0], pkts[1], bytes[1],
		age, w.idle_s, w.interval);
}

static void flows_write_json(const struct control_flows *f, struct control_flow *c, struct json *j)
{
	static const char *const ends[] = {"source", "destination"};
	struct flow_words w;
	int d;

	flows_say(f, c, &w);
	json_open_object(j, NULL);
	json_add_text(j, "interface", w.if_name);
	json_add_text(j, "transport", w.transport);
	for (d = 0; d < 2; d++) {
		json_open_object(j, ends[d]);
		json_add_text(j, "address", w.addr[d]);
		if (w.has_ports)
			json_add_uint(j, "port", w.port[d]);
		json_add_uint(j, f->by_packets ? "packets_estimated" : "packets", w.counts[d].pkts);
		json_add_uint(j, f->by_packets ? "bytes_estimated" : "bytes", w.counts[d].bytes);
		if (f->by_packets)
			json_add_uint(j, "packets_sampled", w.samples[d]);
		json_close(j);
	}
	json_add_bool(j, "initiator_known", c->flow.initiator_known);
	json_add_bool(j, "incomplete", c->flow.is_incomplete);
	json_add_number(j, "age_seconds", w.age_s);
	json_add_number(j, "idle_seconds", w.idle_s);
	json_add_uint(j, "sampling_interval", w.interval);
	json_close(j);
}

void control_flows_write(struct control_flows *f, FILE *out)
{
	struct json j;
	size_t i;

	for (i = 0; i < f->len; i++) {
		flows_refresh(f, &f->heap[i]);
		f->heap[i].value = flows_value(f, &f->heap[i]);
	}
	qsort(f->heap, f->len, sizeof(*f->heap), compare);
	if (!f->request->json) {
		fprintf(out, "%zu of %" PRIu64 " flows", f->len, f->seen);
		if (f->request->filter.len)
			fprintf(out, ", %" PRIu64 " fit the filter", f->fitting);
		fprintf(out, "\n%-6s %-22s %-22s %-10s %10s %9s %10s %9s %12s %8s %s\n", "proto",
			"source", "destination", "interface", "packets", "bytes", "reverse",
			"bytes", "age", "idle", "rate");
		for (i = 0; i < f->len; i++)
			flows_write_text(f, &f->heap[i], out);
		return;
	}
	json_init(&j, out);
	json_open_object(&j, NULL);
	json_add_uint(&j, "held", f->seen);
	json_add_uint(&j, "fitting", f->fitting);
	json_open_array(&j, "flows");
	for (i = 0; i < f->len; i++)
		flows_write_json(f, &f->heap[i], &j);
	json_close(&j);
	json_close(&j);
	fputc('\n', out);
}
