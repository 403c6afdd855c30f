/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * filter - whether a packet's flow is one that --filter wants.
 *
 * The program is a constant of the instance: without one the verifier removes all of this.
 */
#ifndef KERN_FILTER_BPF_H
#define KERN_FILTER_BPF_H

#include "kern/flow_abi.h"
#include "kern/parse.bpf.h"

const volatile struct filter_program filter;

/* What conditions are about. */
struct filter_pkt {
	__u64 addr[2][2]; /* as in flow_key */
	struct pkt_ports ports; /* host order */
	__u8 proto;
	__u8 family;
	bool has_ports;
	__u8 pad;
};

static __always_inline bool filter_is_inside(const volatile struct filter_step *s,
					     const __u64 *addr)
{
	return !(((addr[0] & s->mask[0]) ^ s->addr[0]) | ((addr[1] & s->mask[1]) ^ s->addr[1]));
}

static __always_inline bool filter_is_true(const volatile struct filter_step *s,
					   const struct filter_pkt *p)
{
	__u16 low, high;

	switch (s->op) {
	case FILTER_PROTO:
		return p->proto == s->value;
	case FILTER_FAMILY:
		return p->family == s->value;
	case FILTER_PORTS:
		low = s->port_low;
		high = s->port_high;
		return p->has_ports && ((p->ports.source >= low && p->ports.source <= high) ||
					(p->ports.dest >= low && p->ports.dest <= high));
	case FILTER_NET:
		return p->family == s->value &&
		       (filter_is_inside(s, p->addr[0]) || filter_is_inside(s, p->addr[1]));
	}
	return false;
}

/* FILTER_IN or FILTER_OUT. Global, and with the first step as an argument: so the verifier takes
 * each step for any one, and goes through the loop once instead of along every path of the program.
 */
__noinline __u32 filter_run(const struct filter_pkt *p, __u32 at)
{
	const volatile struct filter_step *s;
	int i;

	if (!p)
		return FILTER_OUT;
	for (i = 0; i < FILTER_STEPS_MAX && at < FILTER_STEPS_MAX; i++) {
		s = &filter.step[at];
		at = filter_is_true(s, p) ? s->on_true : s->on_false;
	}
	return at;
}

/* Only for pkts that are a flow's. */
static __always_inline bool filter_wants(const struct pkt_buff *b, const struct pkt *p)
{
	struct filter_pkt fp = {.proto = p->proto};

	if (p->net == FLOW_NET_IPV4) {
		struct iphdr *ip = b->data + p->l3;

		if ((void *)(ip + 1) > b->end)
			return false;
		fp.family = 4;
		*(__be32 *)fp.addr[0] = ip->saddr;
		*(__be32 *)fp.addr[1] = ip->daddr;
	} else {
		struct ipv6hdr *ip = b->data + p->l3;

		if ((void *)(ip + 1) > b->end)
			return false;
		fp.family = 6;
		__builtin_memcpy(fp.addr[0], &ip->saddr, 16);
		__builtin_memcpy(fp.addr[1], &ip->daddr, 16);
	}
	if (!p->is_fragment &&
	    (p->transport == FLOW_TRANSPORT_TCP || p->transport == FLOW_TRANSPORT_UDP ||
	     p->transport == FLOW_TRANSPORT_SCTP)) {
		fp.ports = pkt_ports(b, p);
		fp.ports.source = bpf_ntohs(fp.ports.source);
		fp.ports.dest = bpf_ntohs(fp.ports.dest);
		fp.has_ports = true;
	}
	return filter_run(&fp, 0) == FILTER_IN;
}

#endif /* KERN_FILTER_BPF_H */
