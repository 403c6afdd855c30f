/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_tcp.h"

#include <netinet/in.h>

/* Longer than any delayed acknowledgement; the first retransmissions come within. */
#define SILENCE_NS 3000000000ULL

const struct flow_tcp *flow_tcp_detail(const struct flow *f, const struct flow_report *r,
				       uint8_t endpoint)
{
	return r->detail && f->key.proto == IPPROTO_TCP ? &r->detail[endpoint & 1].tcp : NULL;
}

/* Whether @endpoint was left alone: it sent again what the other side never answered. */
static bool is_left_alone(const struct flow *f, const struct flow_report *r, uint8_t endpoint)
{
	const struct flow_totals *own = &f->totals[endpoint], *other = &f->totals[!endpoint];
	const struct flow_tcp *tcp = flow_tcp_detail(f, r, endpoint);

	return r->reason == FLOW_IDLE_TIMEOUT && other->pkts && tcp && tcp->retransmits &&
	       own->last_mono_ns > other->last_mono_ns &&
	       own->last_mono_ns - other->last_mono_ns >= SILENCE_NS;
}

const char *flow_tcp_state(const struct flow *f, const struct flow_report *r)
{
	uint32_t fwd = f->totals[f->initiator].flags, rev = f->totals[!f->initiator].flags;
	uint32_t all = fwd | rev;

	if (fwd & rev & FLOW_TCP_FIN)
		return "closed";
	if (all & FLOW_TCP_RST)
		return (fwd & FLOW_SAW_SYN) && (rev & FLOW_TCP_RST) && !(rev & FLOW_SAW_SYNACK) &&
				       !(all & FLOW_SAW_DATA)
			       ? "refused"
			       : "reset";
	if (all & FLOW_TCP_FIN)
		return "half-closed";
	if (!(all & (FLOW_SAW_SYN | FLOW_SAW_SYNACK)))
		return "mid-stream";
	if (!(fwd & FLOW_TCP_ACK) && !(all & FLOW_SAW_SYNACK))
		return "syn sent";
	if ((!(fwd & FLOW_TCP_ACK) && !(rev & FLOW_SAW_DATA)) || is_left_alone(f, r, 0) ||
	    is_left_alone(f, r, 1))
		return "half-open";
	return "established";
}
