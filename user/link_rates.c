/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/link_rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int link_rates_init(struct link_rates *r, const struct probe *probe, uint64_t now_mono_ns)
{
	*r = (struct link_rates){.probe = probe, .shown_mono_ns = now_mono_ns};
	r->shown = calloc(probe_interfaces(probe) * FLOW_COUNTERS_PER_IF, sizeof(*r->shown));
	return r->shown ? 0 : -ENOMEM;
}

void link_rates_reset(struct link_rates *r)
{
	free(r->shown);
	r->shown = NULL;
}

/* Packets and bytes of one direction of one interface. */
static void sum(const struct flow_counter *counters, size_t slot, enum flow_hook hook,
		uint64_t *ret_pkts, uint64_t *ret_bytes)
{
	__u32 first = flow_counter_index(slot, hook, 0, 0), i;

	*ret_pkts = *ret_bytes = 0;
	for (i = first; i < first + FLOW_NET_MAX * FLOW_TRANSPORT_MAX; i++) {
		*ret_pkts += flow_counter_pkts(&counters[i]);
		*ret_bytes += counters[i].bytes;
	}
}

static void count(const struct link_rates *r, const struct flow_counter *counters, size_t slot,
		  struct console_rates *ret)
{
	ret->if_name = probe_interface_name(r->probe, slot);
	sum(counters, slot, FLOW_RECEIVE, &ret->rx_pkts, &ret->rx_bytes);
	sum(counters, slot, FLOW_TRANSMIT, &ret->tx_pkts, &ret->tx_bytes);
}

bool link_rates_measure(struct link_rates *r, const struct flow_counter *now, uint64_t now_mono_ns)
{
	double seconds = (double)(now_mono_ns - r->shown_mono_ns) / 1e9;
	size_t len = probe_interfaces(r->probe), i;
	struct console_rates before;

	if (seconds < 0.1)
		return false;
	for (i = 0; i < len; i++) {
		struct console_rates *last = &r->last[i];

		count(r, r->shown, i, &before);
		count(r, now, i, last);
		last->rx_pps = (double)(last->rx_pkts - before.rx_pkts) / seconds;
		last->rx_bps = (double)(last->rx_bytes - before.rx_bytes) * 8 / seconds;
		last->tx_pps = (double)(last->tx_pkts - before.tx_pkts) / seconds;
		last->tx_bps = (double)(last->tx_bytes - before.tx_bytes) * 8 / seconds;
	}
	memcpy(r->shown, now, len * FLOW_COUNTERS_PER_IF * sizeof(*now));
	r->shown_mono_ns = now_mono_ns;
	return true;
}

void link_rates_read(const struct link_rates *r, const struct flow_counter *now,
		     struct console_rates ret[FLOW_MAX_IFS])
{
	size_t i;

	memcpy(ret, r->last, sizeof(r->last));
	for (i = 0; i < probe_interfaces(r->probe); i++)
		count(r, now, i, &ret[i]);
}
