/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow - the programs: count every packet, keep one flow in N, pass everything.
 *
 *   packet ─► parse ─► count ─► hash ≥ threshold? ─► flow state ─► record
 *                        │              │ no: counted as not kept, unless the threshold rose and its
 *                        │              │ flow has state from before: then it goes on, whole
 *                        └ exact, per CPU
 *
 * In packet mode "is it a sample?" stands where the hash is compared.
 *
 * The path of a packet that is not kept stays small: nothing of it is gathered. The kept path is a
 * function of its own that parses again; keeping a tuple alive for every packet costs more.
 * Whatever happens, the verdict is "go on".
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "kern/cost.bpf.h"
#include "kern/count.bpf.h"
#include "kern/filter.bpf.h"
#include "kern/flow_abi.h"
#include "kern/flow_hash.h"
#include "kern/maps.bpf.h"
#include "kern/parse.bpf.h"
#include "kern/payload.bpf.h"
#include "kern/quote.bpf.h"
#include "kern/sample.bpf.h"
#include "kern/state.bpf.h"
#include "kern/tunnel.bpf.h"

char flow_license[] SEC("license") = "Dual BSD/GPL";

/* Frames up to this length are linear in any driver we know of; a longer one is asked for its true
 * length, since data_end - data ends at its first fragment. */
#define LINEAR_SURE 1536

static __always_inline __u64 flow_hash(const struct pkt_buff *buff, const struct pkt *p)
{
	struct pkt_ports ports = pkt_ports(buff, p);
	__u64 a[2], b[2];

	if (p->net == FLOW_NET_IPV4) {
		struct iphdr *ip = buff->data + p->l3;

		if ((void *)(ip + 1) > buff->end)
			return 0;
		return hash_flow(hash_word4(p->proto, ip->saddr, ports.source),
				 hash_word4(p->proto, ip->daddr, ports.dest), site_key);
	} else {
		struct ipv6hdr *ip = buff->data + p->l3;

		if ((void *)(ip + 1) > buff->end)
			return 0;
		__builtin_memcpy(a, &ip->saddr, 16);
		__builtin_memcpy(b, &ip->daddr, 16);
		return hash_flow(hash_word6(p->proto, a[0], a[1], ports.source, site_key),
				 hash_word6(p->proto, b[0], b[1], ports.dest, site_key), site_key);
	}
}

static __always_inline void flow_count_segment(struct flow_counter *c, __u32 flags)
{
	if (flags & FLOW_TCP_SYN)
		c->segments[flags & FLOW_TCP_ACK ? FLOW_SEGMENT_SYN_ACK : FLOW_SEGMENT_SYN]++;
	if (flags & FLOW_TCP_FIN)
		c->segments[FLOW_SEGMENT_FIN]++;
	if (flags & FLOW_TCP_RST)
		c->segments[FLOW_SEGMENT_RST]++;
}

enum flow_keeping {
	FLOW_NOT_KEPT,
	FLOW_KEPT,
	FLOW_KEPT_IF_KNOWN /* below the threshold, but its flow may have begun before it rose; or
			    * from the middle of a connection that was judged by a higher one,
			    * unless it is known: to be counted by flow_count_late */
};

/* Packet mode: what of a packet or train is taken; flow_keep_samples() puts it on its flow. */
static __always_inline enum flow_keeping flow_count_samples(struct flow_counter *c, __u32 pkts)
{
	__u32 taken = sample_take(pkts);

	c->not_kept += pkts - taken;
	if (!taken)
		return FLOW_NOT_KEPT;
	c->kept += taken;
	return FLOW_KEPT;
}

/* Whether the packet is from the middle of a connection. Of other transports no packet tells. */
static __always_inline bool flow_is_midway(const struct pkt_buff *b, const struct pkt *p)
{
	return p->transport == FLOW_TRANSPORT_TCP && !p->is_fragment &&
	       !(pkt_tcp_turn(b, p) & FLOW_TCP_SYN);
}

/* Counts; says whether the packet belongs to a kept flow, and then its hash. @p is what is on the
 * link, and counted; @in is whose flow it is: of a tunnel that is looked into the packet inside,
 * else the same. */
static __always_inline enum flow_keeping flow_count(const struct pkt_buff *b, const struct pkt *p,
						    const struct pkt *in, enum flow_hook hook,
						    __u32 pkts, __u64 bytes, __u64 *ret_hash)
{
	__u32 index = flow_counter_index(if_slot, hook, p->net, p->transport);
	__u32 turn = pkt_tcp_turn(b, p); /* now: later more registers would outlive its call */
	struct flow_counter *c;
	__u64 r;

	quote_check(b, in, hook); /* before the lookup: the programs' stack is full */
	c = bpf_map_lookup_elem(&flow_counters, &index);
	if (!c)
		return FLOW_NOT_KEPT;
	c->bytes += bytes;
	c->size[count_size_slot(pkts > 1 ? bytes / pkts : bytes)] += pkts;
	if (__builtin_expect(turn, 0))
		flow_count_segment(c, turn);
	if (!p->is_flow || (if_is_looped && hook == FLOW_TRANSMIT)) {
		c->no_flow += pkts;
		return FLOW_NOT_KEPT;
	}
	if (filter.len && !filter_wants(b, in)) {
		c->filtered += pkts;
		return FLOW_NOT_KEPT;
	}
	if (sample_packets) {
		if (!flow_count_samples(c, pkts))
			return FLOW_NOT_KEPT;
		*ret_hash = flow_hash(b, in);
		return FLOW_KEPT;
	}
	*ret_hash = flow_hash(b, in);
	r = *ret_hash & FLOW_R_MASK;
	if (r < sample_threshold) {
		if (r >= sample_before - 1) /* never while it is 0 */
			return FLOW_KEPT_IF_KNOWN;
		c->not_kept += pkts;
		return FLOW_NOT_KEPT;
	}
	if (r < sample_ceiling && flow_is_midway(b, in))
		return FLOW_KEPT_IF_KNOWN;
	c->kept += pkts;
	return FLOW_KEPT;
}

static __always_inline void flow_count_late(const struct pkt *p, enum flow_hook hook, __u32 pkts,
					    bool is_kept)
{
	__u32 index = flow_counter_index(if_slot, hook, p->net, p->transport);
	struct flow_counter *c = bpf_map_lookup_elem(&flow_counters, &index);

	if (c && is_kept)
		c->kept += pkts;
	else if (c)
		c->not_kept += pkts;
}

/* Where a packet to be kept was seen: a function of its own takes no more than five arguments. */
#define WHERE_HOOK 1 /* enum flow_hook */
#define WHERE_LATE 2 /* only if its flow is known */

static __always_inline __u32 flow_where(enum flow_hook hook, enum flow_keeping keeping)
{
	return hook | (keeping == FLOW_KEPT_IF_KNOWN ? WHERE_LATE : 0);
}

/* Packet mode: of the packet or train only the samples count, each for the N it was drawn by. */
static __always_inline void flow_keep_samples(struct state_pkt *sp)
{
	const struct sample_state *s = sample_here();

	if (!s || !sp->pkts)
		return;
	sp->bytes = (__u64)sp->bytes * s->taken / sp->pkts;
	sp->pkts = s->taken;
	sp->interval = s->interval;
}

/* Flow mode: the threshold that the flow was held against, should it begin with this packet. */
static __always_inline __u64 flow_threshold(const struct state_pkt *sp)
{
	__u64 r = sp->hash & FLOW_R_MASK, threshold = sample_threshold, ceiling = sample_ceiling;

	if (r < threshold) /* it rose this moment */
		return sample_before - 1;
	if (ceiling > threshold && ceiling <= r && sp->key.proto == IPPROTO_TCP &&
	    !(sp->flags & (FLOW_TCP_SYN | FLOW_SAW_FRAGMENT)))
		return ceiling;
	return threshold;
}

static __always_inline void flow_keep(const struct pkt_buff *b, const struct pkt *p,
				      const struct pkt *in, __u32 where, __u64 hash, __u32 pkts,
				      __u32 bytes)
{
	struct state_scratch *scratch = state_scratch();
	enum flow_hook hook = where & WHERE_HOOK;
	struct flow_state *st = NULL;
	struct state_pkt *sp;
	bool is_read;

	if (!scratch)
		return;
	sp = &scratch->sp;
	__builtin_memset(sp, 0, sizeof(*sp));
	sp->hash = hash;
	sp->pkts = pkts;
	sp->bytes = bytes;
	sp->hook = hook;
	is_read = p->is_flow && state_read(b, in, sp);
	if (where & WHERE_LATE) {
		if (is_read)
			st = state_find_late(sp);
		flow_count_late(p, hook, pkts, st);
		if (!st)
			return;
	}
	if (!is_read)
		return;
	if (sample_packets)
		flow_keep_samples(sp);
	else
		sp->threshold = flow_threshold(sp);
	sp->mono_ns = bpf_ktime_get_ns();
	if (!st)
		st = state_find(scratch);
	state_account(st, sp);
	if (trace_links && st)
		payload_tell(b, in, sp, st);
}

static __always_inline struct pkt_buff flow_buff_xdp(struct xdp_md *ctx)
{
	return (struct pkt_buff){
		.data = (void *)(long)ctx->data, .end = (void *)(long)ctx->data_end, .xdp = ctx};
}

static __always_inline struct pkt_buff flow_buff_skb(struct __sk_buff *skb)
{
	return (struct pkt_buff){
		.data = (void *)(long)skb->data, .end = (void *)(long)skb->data_end, .skb = skb};
}

/* Global functions, so that the verifier sees them once and not on every path that leads to them.
 */
__noinline int flow_keep_xdp(struct xdp_md *ctx, __u32 where, __u64 hash, __u32 bytes)
{
	struct pkt_buff b = flow_buff_xdp(ctx);
	struct pkt p;

	pkt_parse(&b, if_is_l3, &p);
	flow_keep(&b, &p, &p, where, hash, 1, bytes);
	return 0;
}

__noinline int flow_keep_tc(struct __sk_buff *skb, __u32 where, __u64 hash, __u32 pkts, __u32 bytes)
{
	struct pkt_buff b = flow_buff_skb(skb);
	struct pkt p;

	pkt_parse(&b, if_is_l3, &p);
	flow_keep(&b, &p, &p, where, hash, pkts, bytes);
	return 0;
}

/* A copy of the headers, for a buffer in which they are not linear, or may be a tunnel's; @copy is
 * this CPU's. */
static __always_inline void flow_copy(struct headers_copy *copy, struct __sk_buff *skb,
				      struct xdp_md *ctx, __u32 frame_len)
{
	__u32 len = frame_len - 1;
	long err;

	barrier_var(len);
	if (len > sizeof(copy->data) - 1)
		len = sizeof(copy->data) - 1;
	err = skb ? bpf_skb_load_bytes(skb, 0, copy->data, len + 1)
		  : bpf_xdp_load_bytes(ctx, 0, copy->data, len + 1);
	copy->len = err ? 0 : len + 1;
	copy->is_tunnel = false;
}

static __always_inline struct headers_copy *flow_copy_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&headers_copies, &zero);
}

static __always_inline struct pkt_buff flow_buff_copy(struct headers_copy *copy,
						      struct __sk_buff *skb, struct xdp_md *ctx)
{
	__u32 len = copy->len;

	if (len > sizeof(copy->data))
		len = 0;
	return (struct pkt_buff){
		.data = copy->data, .end = copy->data + len, .skb = skb, .xdp = ctx};
}

/* Whose flow the packet is: what is inside a tunnel, if there is one that is to be looked into. */
static __always_inline struct pkt flow_inner(const struct headers_copy *copy, const struct pkt *p)
{
	struct pkt in = *p;

	if (decap && copy->is_tunnel) {
		in = copy->inner;
		/* as they are, but the verifier does not know */
		in.l3 &= PKT_HEADERS_MAX - 1;
		in.l4 &= PKT_HEADERS_MAX - 1;
	}
	return in;
}

static __always_inline int flow_count_copied(struct headers_copy *copy, const struct pkt_buff *b,
					     enum flow_hook hook, __u32 pkts, __u32 bytes)
{
	enum flow_keeping keeping;
	struct pkt p, in;
	__u64 hash = 0;

	pkt_parse(b, if_is_l3, &p);
	if (decap && tunnel_may(b, &p)) {
		if (b->skb)
			tunnel_find_skb(b->skb, p.l4, p.proto, tunnel_end(&p));
		else
			tunnel_find_xdp(b->xdp, p.l4, p.proto, tunnel_end(&p));
	}
	in = flow_inner(copy, &p);
	keeping = flow_count(b, &p, &in, hook, pkts, bytes, &hash);
	copy->hash = hash;
	return keeping;
}

static __always_inline void flow_keep_copied(struct headers_copy *copy, const struct pkt_buff *b,
					     __u32 where, __u32 pkts, __u32 bytes)
{
	struct pkt p, in;

	pkt_parse(b, if_is_l3, &p);
	in = flow_inner(copy, &p);
	flow_keep(b, &p, &in, where, copy->hash, pkts, bytes);
}

/* The same way on such a copy, in two functions: one would need more stack than is left. */
__noinline int flow_count_copy(struct __sk_buff *skb, enum flow_hook hook, __u32 pkts, __u32 bytes)
{
	struct headers_copy *copy = flow_copy_get();
	struct pkt_buff b;

	if (!copy)
		return 0;
	flow_copy(copy, skb, NULL, skb->len);
	b = flow_buff_copy(copy, skb, NULL);
	return flow_count_copied(copy, &b, hook, pkts, bytes);
}

__noinline int flow_keep_copy(struct __sk_buff *skb, __u32 where, __u32 pkts, __u32 bytes)
{
	struct headers_copy *copy = flow_copy_get();
	struct pkt_buff b;

	if (!copy || !skb) /* not told, the compiler takes XDP's way for possible */
		return 0;
	b = flow_buff_copy(copy, skb, NULL);
	flow_keep_copied(copy, &b, where, pkts, bytes);
	return 0;
}

__noinline int flow_count_copy_xdp(struct xdp_md *ctx, __u32 bytes)
{
	struct headers_copy *copy = flow_copy_get();
	struct pkt_buff b;

	if (!copy)
		return 0;
	flow_copy(copy, NULL, ctx, bytes);
	b = flow_buff_copy(copy, NULL, ctx);
	return flow_count_copied(copy, &b, FLOW_RECEIVE, 1, bytes);
}

__noinline int flow_keep_copy_xdp(struct xdp_md *ctx, __u32 where, __u32 bytes)
{
	struct headers_copy *copy = flow_copy_get();
	struct pkt_buff b;

	if (!copy)
		return 0;
	b = flow_buff_copy(copy, NULL, ctx);
	flow_keep_copied(copy, &b, where, 1, bytes);
	return 0;
}

/* The headers of the packet inside a tunnel, all that is before them included. 0: no tunnel, or a
 * train of datagrams with a tunnel's headers in each: then the packet inside the first one ends
 * before the buffer does. */
__noinline int flow_inner_header(struct __sk_buff *skb, __u32 l4, __u32 proto, __u32 end)
{
	struct headers_copy *copy = flow_copy_get();
	__u32 at;

	if (!copy)
		return 0;
	flow_copy(copy, skb, NULL, skb->len);
	if (!tunnel_find_skb(skb, l4, proto, end))
		return 0;
	at = copy->inner.ip_end;
	if (at != copy->inner.l3 && at < skb->len)
		return 0;
	at = copy->inner.l4;
	if (copy->inner.transport != FLOW_TRANSPORT_TCP || at > PKT_HEADERS_MAX)
		return at + 8;
	return at + (copy->data[at + 12] >> 4) * 4;
}

/* Length of all headers that each segment of a train repeats. */
static __always_inline __u32 flow_header_bytes(struct __sk_buff *skb, const struct pkt_buff *b,
					       const struct pkt *p)
{
	__u32 inner;
	__u8 offset;

	if (tunnel_may(b, p)) {
		inner = flow_inner_header(skb, p->l4, p->proto, tunnel_end(p));
		if (inner)
			return inner;
	}
	if (p->transport == FLOW_TRANSPORT_TCP &&
	    !bpf_skb_load_bytes(skb, p->l4 + 12, &offset, sizeof(offset)))
		return p->l4 + (offset >> 4) * 4;
	return p->l4 + 8;
}

/* How many packets on the wire a buffer stands for, and their bytes. */
static __always_inline __u32 flow_wire_pkts(struct __sk_buff *skb, const struct pkt_buff *b,
					    enum flow_hook hook, const struct pkt *p,
					    __u64 *ret_bytes)
{
	__u32 pkts = skb->gso_segs > 1 ? skb->gso_segs : 1;
	__u64 bytes = skb->len;
	__u32 header;

	if (skb->gso_size && p->is_flow) {
		header = flow_header_bytes(skb, b, p);
		if (skb->gso_segs == 0 && skb->len > header) { /* made by a guest or a tun device */
			pkts = (skb->len - header + skb->gso_size - 1) / skb->gso_size;
			stat_add(FLOW_STAT_GSO_DODGY, 1);
		}
		bytes += (__u64)(pkts - 1) * header;
	}
	if (hook == FLOW_TRANSMIT && skb->wire_len > bytes)
		bytes = skb->wire_len; /* the stack's own sum knows tunnels too */
	if (skb->vlan_present) /* the tag is beside the buffer, and on the wire in each packet */
		bytes += 4 * (__u64)pkts;
	*ret_bytes = bytes;
	return pkts;
}

static __always_inline void flow_watch_tc(struct __sk_buff *skb, enum flow_hook hook)
{
	struct pkt_buff b = flow_buff_skb(skb);
	enum flow_keeping keeping;
	__u64 bytes, hash;
	struct pkt p;
	__u32 pkts;

	pkt_parse(&b, if_is_l3, &p);
	pkts = flow_wire_pkts(skb, &b, hook, &p, &bytes);
	if ((!p.is_flow && b.data + skb->len > b.end) || (decap && tunnel_may(&b, &p))) {
		keeping = flow_count_copy(skb, hook, pkts, bytes);
		if (keeping)
			flow_keep_copy(skb, flow_where(hook, keeping), pkts, bytes);
		return;
	}
	keeping = flow_count(&b, &p, &p, hook, pkts, bytes, &hash);
	if (keeping)
		flow_keep_tc(skb, flow_where(hook, keeping), hash, pkts, bytes);
}

static __always_inline void flow_watch_xdp(struct xdp_md *ctx)
{
	struct pkt_buff b = flow_buff_xdp(ctx);
	__u32 bytes = b.end - b.data;
	enum flow_keeping keeping;
	struct pkt p;
	__u64 hash;

	pkt_parse(&b, if_is_l3, &p);
	if (p.ip_end > bytes || bytes > LINEAR_SURE)
		bytes = bpf_xdp_get_buff_len(ctx);
	if (decap && tunnel_may(&b, &p)) {
		keeping = flow_count_copy_xdp(ctx, bytes);
		if (keeping)
			flow_keep_copy_xdp(ctx, flow_where(FLOW_RECEIVE, keeping), bytes);
		return;
	}
	keeping = flow_count(&b, &p, &p, FLOW_RECEIVE, 1, bytes, &hash);
	if (keeping)
		flow_keep_xdp(ctx, flow_where(FLOW_RECEIVE, keeping), hash, bytes);
}

SEC("xdp.frags")
int ringspan_xdp(struct xdp_md *ctx)
{
	cost_begin(FLOW_RECEIVE);
	flow_watch_xdp(ctx);
	cost_end(FLOW_RECEIVE);
	return XDP_PASS;
}

SEC("tc")
int ringspan_tc_rx(struct __sk_buff *skb)
{
	cost_begin(FLOW_RECEIVE);
	flow_watch_tc(skb, FLOW_RECEIVE);
	cost_end(FLOW_RECEIVE);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int ringspan_tc_tx(struct __sk_buff *skb)
{
	cost_begin(FLOW_TRANSMIT);
	flow_watch_tc(skb, FLOW_TRANSMIT);
	cost_end(FLOW_TRANSMIT);
	return TC_ACT_UNSPEC;
}
