/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * quote - an ICMP error tells of the packet that it was sent for: a record for that packet's flow.
 *
 *   | IP of the reporter | type code sum | MTU | IP of the quoted packet | its first 8 bytes or
 * more
 *
 * Only flows with state are told of. The error itself is a flow's packet like any other. Anybody
 * can send such errors at any rate; so each of QUOTE_SLOTS sets of flows gets one record in
 * QUOTE_GAP_MS.
 */
#ifndef KERN_QUOTE_BPF_H
#define KERN_QUOTE_BPF_H

#include "kern/emit.bpf.h"
#include "kern/maps.bpf.h"
#include "kern/parse.bpf.h"
#include "kern/state.bpf.h"

#define QUOTE_SLOTS 4096 /* a power of two */
#define QUOTE_GAP_MS 10
#define QUOTE_HEADER 8 /* bytes of an ICMP error before the quoted packet */

/* When a flow of the slot was last told of: monotonic ms, wraps. Two CPUs may both be the first. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, QUOTE_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} quote_times SEC(".maps");

struct quote_icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 unused;
	__be16 mtu; /* ICMPv6: the lower half of 32 bits */
};

/* Both hooks read through helpers: the quoted headers may lie anywhere. */
struct quote_reader {
	void *ctx;
	bool is_skb;
	__u32 end;
};

static __always_inline bool quote_load(const struct quote_reader *rd, __u32 off, void *to,
				       __u32 size)
{
	if (off + size > rd->end)
		return false; /* by the IP length it is padding */
	return !(rd->is_skb ? bpf_skb_load_bytes(rd->ctx, off, to, size)
			    : bpf_xdp_load_bytes(rd->ctx, off, to, size));
}

static __always_inline bool quote_is_error(__u8 type, bool is_v6)
{
	if (is_v6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static __always_inline __u32 quote_mtu(const struct quote_icmp *icmp, bool is_v6)
{
	if (is_v6)
		return icmp->type == 2 ? (__u32)bpf_ntohs(icmp->unused) << 16 | bpf_ntohs(icmp->mtu)
				       : 0;
	return icmp->type == 3 && icmp->code == 4 ? bpf_ntohs(icmp->mtu) : 0;
}

/* Reads the quoted IP header at @off into @k, source first. Returns where its payload begins; 0:
 * there is no such header. */
static __always_inline __u32 quote_read_ip(const struct quote_reader *rd, __u32 off, bool is_v6,
					   struct flow_key *k, bool *ret_is_fragment)
{
	__u8 head[10]; /* up to the protocol of IPv4, which is the longer one */
	__be16 piece;
	__u64 walk;

	if (!quote_load(rd, off, head, sizeof(head)))
		return 0;
	if (is_v6) {
		if (head[0] >> 4 != 6 || !quote_load(rd, off + 8, k->addr, sizeof(k->addr)))
			return 0;
		k->family = 6;
		walk = pkt_walk(rd->ctx, rd->is_skb, off + sizeof(struct ipv6hdr), head[6]);
		if (!(walk & PKT_WALK_OK))
			return 0;
		k->proto = walk;
		*ret_is_fragment = walk & PKT_WALK_FRAGMENT;
		return (walk >> 8) & (PKT_HEADERS_MAX - 1);
	}
	if (head[0] >> 4 != 4 || (head[0] & 15) < 5 ||
	    !quote_load(rd, off + 12, k->addr[0], sizeof(__be32)) ||
	    !quote_load(rd, off + 16, k->addr[1], sizeof(__be32)))
		return 0;
	__builtin_memcpy(&piece, head + 6, sizeof(piece));
	k->family = 4;
	k->proto = head[9];
	*ret_is_fragment = piece & bpf_htons(0x3fff);
	return off + (head[0] & 15) * 4;
}

/* The ports of the quoted packet, as pkt_ports() has them for the packet itself. */
static __always_inline bool quote_read_ports(const struct quote_reader *rd, __u32 off,
					     struct flow_key *k)
{
	bool is_v6 = k->family == 6;
	union {
		struct pkt_ports ports;
		struct pkt_icmp icmp;
	} head;
	__u32 need, transport;

	transport = pkt_transport(k->proto, is_v6 ? FLOW_NET_IPV6 : FLOW_NET_IPV4, &need);
	if (transport == FLOW_TRANSPORT_OTHER)
		return true;
	if (!quote_load(rd, off, &head, sizeof(head)))
		return false;
	if (transport == FLOW_TRANSPORT_ICMP || transport == FLOW_TRANSPORT_ICMPV6)
		head.ports = pkt_icmp_ports(&head.icmp, is_v6);
	k->port[0] = head.ports.source;
	k->port[1] = head.ports.dest;
	return true;
}

/* Whether the flow's turn has come for a record. */
static __always_inline bool quote_is_due(__u64 hash, __u32 now_ms)
{
	__u32 slot = hash & (QUOTE_SLOTS - 1);
	__u32 *last = bpf_map_lookup_elem(&quote_times, &slot);

	if (!last || now_ms - *last < QUOTE_GAP_MS)
		return false;
	*last = now_ms;
	return true;
}

static __always_inline void quote_emit(const struct quote_reader *rd, __u32 l3,
				       const struct quote_icmp *icmp, const struct state_pkt *sp)
{
	bool is_v6 = sp->key.family == 6;
	struct flow_record *r;
	__u8 reporter[16] = {};

	if (is_v6 ? !quote_load(rd, l3 + 8, reporter, 16) : !quote_load(rd, l3 + 12, reporter, 4))
		return;
	r = emit_reserve(sp->hash, sizeof(*r));
	if (!r)
		return; /* costs detail only */
	state_fill_head(r, sp, FLOW_RECORD_QUOTE);
	r->tcp_flags = 0;
	__builtin_memset(&r->info, 0, sizeof(r->info));
	__builtin_memset(r->totals, 0, sizeof(r->totals));
	__builtin_memcpy(r->quote.reporter, reporter, sizeof(reporter));
	r->quote.type = icmp->type;
	r->quote.code = icmp->code;
	r->quote.mtu = quote_mtu(icmp, is_v6);
	emit_submit(r);
}

/* What a packet of ICMP is, in one argument. */
#define QUOTE_HOOK 1 /* enum flow_hook */
#define QUOTE_V6 2
#define QUOTE_TUNNEL_SHIFT 2 /* enum flow_tunnel that it is in */

static __always_inline int quote_tell(void *ctx, bool is_skb, __u64 at, __u32 end, __u32 what,
				      __u32 tunnel_id)
{
	struct quote_reader rd = {.ctx = ctx, .is_skb = is_skb, .end = end};
	__u32 l3 = at & (PKT_HEADERS_MAX - 1), l4 = (at >> 16) & 0xffff, off;
	bool is_v6 = what & QUOTE_V6, is_fragment = false;
	struct state_scratch *scratch = state_scratch();
	struct flow_state *st;
	struct quote_icmp icmp;
	struct state_pkt *sp;

	if (!scratch || l4 > PKT_HEADERS_MAX || !quote_load(&rd, l4, &icmp, sizeof(icmp)))
		return 0;
	sp = &scratch->sp;
	__builtin_memset(sp, 0, sizeof(*sp));
	sp->hook = what & QUOTE_HOOK;
	off = quote_read_ip(&rd, l4 + QUOTE_HEADER, is_v6, &sp->key, &is_fragment);
	if (!off || (!is_fragment && !quote_read_ports(&rd, off, &sp->key)))
		return 0;
	sp->key.if_slot = if_slot;
	sp->key.tunnel = what >> QUOTE_TUNNEL_SHIFT;
	sp->key.tunnel_id = tunnel_id;
	state_canonicalise(sp);
	st = bpf_map_lookup_elem(&flow_states, &sp->key);
	if (!st || st->info.is_closed)
		return 0;
	sp->hash = hash_key(&sp->key, site_key);
	sp->mono_ns = bpf_ktime_get_ns();
	if (quote_is_due(sp->hash, sp->mono_ns / 1000000))
		quote_emit(&rd, l3, &icmp, sp);
	else
		stat_add(FLOW_STAT_QUOTE_THINNED, 1);
	return 0;
}

__noinline int quote_tell_xdp(struct xdp_md *ctx, __u64 at, __u32 end, __u32 what, __u32 tunnel_id)
{
	return quote_tell(ctx, false, at, end, what, tunnel_id);
}

__noinline int quote_tell_skb(struct __sk_buff *skb, __u64 at, __u32 end, __u32 what,
			      __u32 tunnel_id)
{
	return quote_tell(skb, true, at, end, what, tunnel_id);
}

/* By its type, read where the headers are: most ICMP is none, and pays for no call. */
static __always_inline bool quote_may(const struct pkt_buff *b, const struct pkt *p)
{
	struct pkt_icmp *icmp = b->data + p->l4;

	return p->l4 <= PKT_HEADERS_MAX && (void *)(icmp + 1) <= b->end &&
	       quote_is_error(icmp->type, p->transport == FLOW_TRANSPORT_ICMPV6);
}

/* For each packet: tells if it is an ICMP error that quotes. */
static __always_inline void quote_check(const struct pkt_buff *b, const struct pkt *p,
					enum flow_hook hook)
{
	__u32 what =
		hook | (p->net == FLOW_NET_IPV6 ? QUOTE_V6 : 0) | p->tunnel << QUOTE_TUNNEL_SHIFT;
	__u64 at = p->l3 | (__u64)p->l4 << 16;

	if (!pkt_is_icmp(p) || p->is_fragment || !p->is_flow ||
	    (if_is_looped && hook == FLOW_TRANSMIT) || !quote_may(b, p))
		return;
	if (b->skb)
		quote_tell_skb(b->skb, at, p->ip_end, what, p->tunnel_id);
	else
		quote_tell_xdp(b->xdp, at, p->ip_end, what, p->tunnel_id);
}

#endif /* KERN_QUOTE_BPF_H */
