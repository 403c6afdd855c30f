/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdp.flow.*: what flows carried, by the attributes that were asked for. One reading makes all
 * three metrics, so that they fit each other.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/flow_names.h"
#include "user/flow_series.h"
#include "user/flow_service.h"
#include "user/ip_text.h"
#include "user/metric_writer.h"

#define SUBNET_CAP (IP_TEXT_CAP + 4)
#define READ_AT_ONCE 512 /* entries: workers wait meanwhile */

/* What the key of an entry says in text. */
struct texts {
	char address[2][IP_TEXT_CAP];
	char subnet[2][SUBNET_CAP];
};

struct reading {
	struct metric_writer w;
	const struct flow_series_opts *opts;
	struct flow_series_one *list;
	struct texts *texts;
	size_t len;
	struct flow_series_rest rest;
};

static bool wants(const struct reading *r, enum flow_attr attr)
{
	return r->opts->attrs & FLOW_ATTR_BIT(attr);
}

static void write_texts(const struct reading *r, const struct flow_series_key *k, struct texts *ret)
{
	unsigned bits = r->opts->subnet_bits[k->family == 6], i, end;
	uint8_t subnet[16];

	for (end = 0; end < 2; end++) {
		ip_text(k->family, k->addr[end], ret->address[end]);
		for (i = 0; i < 16; i++)
			subnet[i] = i < bits / 8 ? k->addr[end][i] : 0;
		if (bits % 8)
			subnet[bits / 8] = k->addr[end][bits / 8] & (uint8_t) ~(0xff >> bits % 8);
		i = (unsigned)ip_text(k->family, subnet, ret->subnet[end]);
		snprintf(ret->subnet[end] + i, SUBNET_CAP - i, "/%u", bits);
	}
}

static void add_key(struct reading *r, const struct flow_series_one *one, struct texts *t)
{
	static const enum flow_attr addresses[] = {FLOW_ATTR_SOURCE_ADDRESS,
						   FLOW_ATTR_DESTINATION_ADDRESS};
	static const enum flow_attr subnets[] = {FLOW_ATTR_SOURCE_SUBNET,
						 FLOW_ATTR_DESTINATION_SUBNET};
	const struct flow_series_key *k = &one->key;
	unsigned end;

	if (wants(r, FLOW_ATTR_TYPE))
		metric_attr(&r->w, NAME_TYPE, k->family == 6 ? "ipv6" : "ipv4");
	if (wants(r, FLOW_ATTR_TRANSPORT))
		metric_attr(&r->w, NAME_TRANSPORT,
			    flow_service_transport(k->proto, k->proto == IPPROTO_ICMPV6 ? 6 : 4));
	if (k->has_server_port)
		metric_attr_int(&r->w, NAME_SERVER_PORT, k->server_port);
	for (end = 0; end < 2; end++)
		if (wants(r, subnets[end]))
			metric_attr(&r->w, flow_attr_name(subnets[end]), t->subnet[end]);
	for (end = 0; end < 2; end++)
		if (wants(r, addresses[end]))
			metric_attr(&r->w, flow_attr_name(addresses[end]), t->address[end]);
	if (k->tenant)
		metric_attr(&r->w, NAME_TENANT, tenant_map_name(r->opts->tenants, k->tenant));
}

static void add_point(struct reading *r, size_t i, const char *direction, uint64_t value)
{
	const struct flow_series_one *one = &r->list[i];

	metric_point(&r->w)->integer = (int64_t)value;
	metric_attr(&r->w, NAME_INTERFACE, r->w.s->if_names[one->key.if_slot]);
	if (direction)
		metric_attr(&r->w, NAME_IO_DIRECTION, direction);
	add_key(r, one, &r->texts[i]);
}

static int end_with_rest(struct reading *r, const struct metric_about *about, uint64_t rest)
{
	if (rest) {
		metric_point(&r->w)->integer = (int64_t)rest;
		metric_attr_bool(&r->w, NAME_OVERFLOW, true);
	}
	return metric_end(&r->w, about);
}

static int emit_counts(struct reading *r, bool is_bytes)
{
	static const char *const directions[FLOW_HOOK_MAX] = {
		[FLOW_RECEIVE] = "receive",
		[FLOW_TRANSMIT] = "transmit",
	};
	static const struct metric_about packets = {
		NAME_FLOW_PACKETS, "{packet}", METRIC_COUNTER,
		"Packets of flows; estimated where not all flows are kept"};
	static const struct metric_about bytes = {
		NAME_FLOW_BYTES, "By", METRIC_COUNTER,
		"Frame bytes of flows; estimated where not all flows are kept"};
	bool has_direction = wants(r, FLOW_ATTR_IO_DIRECTION);
	unsigned hook;
	size_t i;

	for (i = 0; i < r->len; i++)
		for (hook = 0; hook < FLOW_HOOK_MAX; hook++)
			if (r->list[i].has[hook])
				add_point(r, i, has_direction ? directions[hook] : NULL,
					  is_bytes ? r->list[i].counts[hook].bytes
						   : r->list[i].counts[hook].pkts);
	return end_with_rest(r, is_bytes ? &bytes : &packets,
			     is_bytes ? r->rest.counts.bytes : r->rest.counts.pkts);
}

static int emit_flows(struct reading *r)
{
	static const struct metric_about about = {
		NAME_FLOW_COUNT, "{flow}", METRIC_COUNTER,
		"Flows, with their first report; estimated where not all are kept"};
	size_t i;

	for (i = 0; i < r->len; i++)
		if (r->list[i].has_flows)
			add_point(r, i, NULL, r->list[i].flows);
	return end_with_rest(r, &about, r->rest.flows);
}

static int emit_own(struct reading *r, size_t len)
{
	static const struct metric_about held = {NAME_SERIES_HELD, "{series}", METRIC_GAUGE,
						 "Series of xdp.flow.packets, without overflow"};
	static const struct metric_about overflowed = {
		NAME_SERIES_OVERFLOWED, "{report}", METRIC_COUNTER,
		"Reports of flows that went to the overflow series of xdp.flow.*"};
	int err = metric_single(&r->w, &held, len);

	return err ? err : metric_single(&r->w, &overflowed, r->rest.reports);
}

int series_metrics(const struct flow_otlp_snapshot *s, flow_otlp_metric_fn emit, void *ctx)
{
	struct reading r = {};
	int err = -ENOMEM;
	size_t i, cap, n;

	if (!s->series)
		return 0;
	r.opts = flow_series_opts(s->series);
	cap = r.opts->cap;
	r.list = calloc(cap, sizeof(*r.list));
	r.texts = calloc(cap, sizeof(*r.texts));
	if (!r.list || !r.texts)
		goto out;
	do {
		n = cap - r.len < READ_AT_ONCE ? cap - r.len : READ_AT_ONCE;
		n = flow_series_read(s->series, r.len, r.list + r.len, n);
		r.len += n;
	} while (n == READ_AT_ONCE);
	flow_series_rest(s->series, &r.rest);
	for (i = 0; i < r.len; i++)
		write_texts(&r, &r.list[i].key, &r.texts[i]);
	/* of an entry both directions may be there */
	err = metric_writer_init(&r.w, s, 2 * r.len + 1, emit, ctx);
	if (err)
		goto out;
	err = emit_counts(&r, false);
	if (!err)
		err = emit_counts(&r, true);
	if (!err)
		err = emit_flows(&r);
	if (!err)
		err = emit_own(&r, flow_series_len(s->series));
	metric_writer_reset(&r.w);
out:
	free(r.texts);
	free(r.list);
	return err;
}
