/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * state - exact totals of kept flows, and the records that tell of them.
 *
 * Totals are added atomically: two CPUs may carry the same flow. A tuple can carry one connection
 * after another within seconds; a SYN with another sequence number on one that is over starts the
 * next generation: the old totals leave in a record of their own, and counting starts again.
 */
#ifndef KERN_STATE_BPF_H
#define KERN_STATE_BPF_H

#include <linux/errno.h>

#include "kern/emit.bpf.h"
#include "kern/maps.bpf.h"
#include "kern/sample.bpf.h"
#include "kern/tcp.bpf.h"

/* One packet (or segment train) of a kept flow. */
struct state_pkt {
	struct flow_key key;
	__u64 hash;
	union { /* as in flow_info */
		__u64 threshold; /* in force for a flow that begins with it */
		__u64 interval; /* what each of its packets stands for */
	};
	__u64 mono_ns;
	__u32 pkts;
	__u32 bytes;
	__u32 seq; /* TCP */
	__u32 flags; /* as flow_totals.flags, this packet's */
	__u8 from;
	__u8 hook;
	struct tcp_seg seg; /* TCP */
};

/* Room of a CPU's own for the packet that it is at: programs do not interrupt each other, and the
 * stack has no room for more. */
struct state_scratch {
	struct state_pkt sp;
	struct flow_state fresh; /* of a flow that begins */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state_scratch);
} state_scratches SEC(".maps");

static __always_inline struct state_scratch *state_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&state_scratches, &zero);
}

static __always_inline bool state_addr_less(const __u8 *a, const __u8 *b)
{
	const __be32 *x = (const __be32 *)a, *y = (const __be32 *)b;
	int i;

#pragma unroll
	for (i = 0; i < 4; i++) {
		if (x[i] != y[i])
			return bpf_ntohl(x[i]) < bpf_ntohl(y[i]);
	}
	return false;
}

static __always_inline bool state_addr_equal(const __u8 *a, const __u8 *b)
{
	const __be32 *x = (const __be32 *)a, *y = (const __be32 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]));
}

/* Puts the endpoints in canonical order; @sp->key holds source, destination on entry. */
static __always_inline void state_canonicalise(struct state_pkt *sp)
{
	struct flow_key *k = &sp->key;
	__be16 port;
	int i;

	sp->from = 0;
	if (state_addr_less(k->addr[0], k->addr[1]))
		return;
	if (state_addr_equal(k->addr[0], k->addr[1]) &&
	    bpf_ntohs(k->port[0]) <= bpf_ntohs(k->port[1]))
		return;
	sp->from = 1;
	port = k->port[0];
	k->port[0] = k->port[1];
	k->port[1] = port;
#pragma unroll
	for (i = 0; i < 4; i++) {
		__be32 *x = (__be32 *)k->addr[0] + i, *y = (__be32 *)k->addr[1] + i;
		__be32 word = *x;

		*x = *y;
		*y = word;
	}
}

/* Reads what a flow's packet says. False only if the verifier's bounds fail: it was parsed once. */
static __always_inline bool state_read(const struct pkt_buff *b, const struct pkt *p,
				       struct state_pkt *sp)
{
	struct flow_key *k = &sp->key;
	struct pkt_ports ports = pkt_ports(b, p);
	struct pkt_tcp *tcp;
	struct pkt_icmp *icmp;
	__u32 off = p->l4, ecn;

	k->proto = p->proto;
	k->tunnel = p->tunnel;
	k->tunnel_id = p->tunnel_id;
	k->if_slot = if_slot;
	k->port[0] = ports.source;
	k->port[1] = ports.dest;
	if (p->net == FLOW_NET_IPV4) {
		struct iphdr *ip = b->data + p->l3;

		if ((void *)(ip + 1) > b->end)
			return false;
		k->family = 4;
		ecn = tcp_ecn_flags(ip->tos);
		*(__be32 *)k->addr[0] = ip->saddr;
		*(__be32 *)k->addr[1] = ip->daddr;
	} else {
		struct ipv6hdr *ip = b->data + p->l3;

		if ((void *)(ip + 1) > b->end)
			return false;
		k->family = 6;
		ecn = tcp_ecn_flags(ip->flow_lbl[0] >> 4);
		__builtin_memcpy(k->addr[0], &ip->saddr, 16);
		__builtin_memcpy(k->addr[1], &ip->daddr, 16);
	}
	if (p->is_fragment) {
		sp->flags = FLOW_SAW_FRAGMENT;
	} else if (p->transport == FLOW_TRANSPORT_TCP && off <= PKT_HEADERS_MAX) {
		tcp = b->data + off;
		if ((void *)(tcp + 1) > b->end)
			return false;
		sp->seq = bpf_ntohl(tcp->seq);
		sp->flags = tcp->flags;
		if (tcp->flags & FLOW_TCP_SYN)
			sp->flags |= FLOW_SAW_ISN |
				     (tcp->flags & FLOW_TCP_ACK ? FLOW_SAW_SYNACK : FLOW_SAW_SYN);
		if (p->ip_end == PKT_LENGTH_UNKNOWN || p->ip_end > off + (tcp->offset >> 4) * 4)
			sp->flags |= FLOW_SAW_DATA;
		tcp_read(b, p, tcp, b->skb ? b->skb->len : sp->bytes, &sp->seg);
	} else if ((p->transport == FLOW_TRANSPORT_ICMP || p->transport == FLOW_TRANSPORT_ICMPV6) &&
		   off <= PKT_HEADERS_MAX) {
		icmp = b->data + off;
		if ((void *)(icmp + 1) > b->end)
			return false;
		if (pkt_icmp_asks(icmp->type, p->transport == FLOW_TRANSPORT_ICMPV6))
			sp->flags = FLOW_SAW_ECHO;
	} else if (p->transport == FLOW_TRANSPORT_SCTP) {
		sp->flags = pkt_sctp_turn(b, p);
	}
	sp->flags |= ecn;
	state_canonicalise(sp);
	return true;
}

static __always_inline void state_fill_info(struct flow_info *info, const struct state_pkt *sp)
{
	info->first_mono_ns = sp->mono_ns;
	info->threshold = sp->threshold;
	info->generation = 0;
	info->first_from = sp->from;
	info->first_hook = sp->hook;
	info->is_closed = info->requests = 0;
}

static __always_inline void state_fill_head(struct flow_record *r, const struct state_pkt *sp,
					    enum flow_record_kind kind)
{
	r->version = FLOW_ABI_VERSION;
	r->kind = kind;
	r->from = sp->from;
	r->hook = sp->hook;
	r->tcp_flags = sp->key.proto == IPPROTO_TCP ? (__u8)sp->flags : 0;
	r->event = FLOW_EVENT_NONE;
	r->event_count = 0;
	r->mono_ns = sp->mono_ns;
	r->hash = sp->hash;
	r->key = sp->key;
}

/* The flow's entry, made if need be; NULL: it has none, counted by reason. */
static __always_inline struct flow_state *state_find(struct state_scratch *scratch)
{
	const struct state_pkt *sp = &scratch->sp;
	struct flow_state *st = bpf_map_lookup_elem(&flow_states, &sp->key);
	int err; /* the map functions of kernels before 6.4 return one: the upper half is not
		    defined */

	if (st)
		return st;
	__builtin_memset(&scratch->fresh, 0, sizeof(scratch->fresh));
	state_fill_info(&scratch->fresh.info, sp);
	/* another CPU may be first: whoever inserted, both count on the one entry there is */
	err = bpf_map_update_elem(&flow_states, &sp->key, &scratch->fresh, BPF_NOEXIST);
	if (!err || err == -EEXIST) {
		st = bpf_map_lookup_elem(&flow_states, &sp->key);
		if (st)
			return st;
	}
	stat_add(err == -E2BIG	  ? FLOW_STAT_STATE_FULL
		 : err == -ENOMEM ? FLOW_STAT_STATE_NOMEM
		 : err == -EBUSY  ? FLOW_STAT_STATE_BUSY
				  : FLOW_STAT_STATE_OTHER,
		 sp->pkts);
	return NULL;
}

/* A packet that no entry counts: it is its own record. */
static __always_inline void state_emit_stateless(const struct state_pkt *sp)
{
	struct flow_record *r = emit_reserve(sp->hash, sizeof(*r));
	struct flow_totals *t;

	if (!r) {
		stat_add(FLOW_STAT_STATELESS_LOST, sp->pkts);
		return;
	}
	state_fill_head(r, sp, FLOW_RECORD_STATELESS);
	state_fill_info(&r->info, sp);
	__builtin_memset(r->totals, 0, sizeof(r->totals));
	t = &r->totals[sp->from & 1];
	t->pkts = sp->pkts;
	t->bytes = sp->bytes;
	t->last_mono_ns = sp->mono_ns;
	t->isn = sp->flags & FLOW_SAW_ISN ? sp->seq : 0;
	t->flags = sp->flags;
	emit_submit(r);
}

/* @event: a tcp_event(). */
static __always_inline void state_emit(const struct flow_state *st, const struct state_pkt *sp,
				       __u32 event)
{
	struct flow_record *r = emit_reserve(sp->hash, sizeof(*r));

	if (!r)
		return; /* costs detail only: the totals stay in the map */
	state_fill_head(r, sp, FLOW_RECORD_UPDATE);
	r->event = event;
	r->event_count = event >> 16;
	r->info = st->info;
	r->totals[0] = st->dir[0].totals;
	r->totals[1] = st->dir[1].totals;
	emit_submit(r);
}

/* Whether the connection on this entry is over, or was never answered. */
static __always_inline bool state_is_over(const struct flow_state *st, __u8 from)
{
	__u32 own = st->dir[from & 1].totals.flags, other = st->dir[(from & 1) ^ 1].totals.flags;

	return ((own | other) & FLOW_TCP_RST) || (own & other & FLOW_TCP_FIN) ||
	       ((own & FLOW_SAW_SYN) && !(own & FLOW_TCP_ACK) &&
		!st->dir[(from & 1) ^ 1].totals.pkts);
}

/* Packet mode: what the samples stand for, in place of what segments would tell. */
static __always_inline void state_estimate(struct flow_estimate *e, const struct state_pkt *sp)
{
	__sync_fetch_and_add(&e->pkts, sp->pkts * sp->interval);
	__sync_fetch_and_add(&e->bytes, sp->bytes * sp->interval);
	if (e->max_interval < sp->interval)
		e->max_interval = sp->interval;
}

static __always_inline void state_move_estimate(struct flow_estimate *to,
						struct flow_estimate *from)
{
	to->pkts = __sync_lock_test_and_set(&from->pkts, 0);
	to->bytes = __sync_lock_test_and_set(&from->bytes, 0);
	to->max_interval = from->max_interval;
}

/* The old totals leave in one record; the entry counts from zero. Without room for the record
 * nothing is reset: the new connection goes on the old one's account, counted. */
static __always_inline void state_next_generation(struct flow_state *st, const struct state_pkt *sp)
{
	__u32 generation = st->info.generation;
	struct flow_record_last *last;
	struct flow_record *r;
	int i;

	last = emit_reserve(sp->hash, sizeof(*last));
	if (!last) {
		stat_add(FLOW_STAT_NEXT_GEN_LOST, 1);
		return;
	}
	r = &last->record;
	state_fill_head(r, sp, FLOW_RECORD_LAST);
	r->info = st->info;
	r->info.generation = generation;
	last->detail[0] = st->dir[0].detail;
	last->detail[1] = st->dir[1].detail;
	if (__sync_val_compare_and_swap(&st->info.generation, generation, generation + 1) !=
	    generation) {
		/* a second SYN on another CPU was first, and tells it */
		bpf_ringbuf_discard(last, BPF_RB_NO_WAKEUP);
		emit_undo(sp->hash);
		return;
	}
#pragma unroll
	for (i = 0; i < 2; i++) {
		struct flow_totals *t = &st->dir[i].totals;

		r->totals[i].pkts = __sync_lock_test_and_set(&t->pkts, 0);
		r->totals[i].bytes = __sync_lock_test_and_set(&t->bytes, 0);
		r->totals[i].last_mono_ns = __sync_lock_test_and_set(&t->last_mono_ns, 0);
		r->totals[i].isn = t->isn;
		r->totals[i].flags = __sync_lock_test_and_set(&t->flags, 0);
		t->isn = 0;
		if (sample_packets)
			state_move_estimate(&last->detail[i].estimate, &st->dir[i].detail.estimate);
		__builtin_memset(&st->dir[i].detail, 0, sizeof(st->dir[i].detail));
	}
	st->info.first_mono_ns = sp->mono_ns;
	st->info.threshold = sp->threshold;
	st->info.first_from = sp->from;
	st->info.first_hook = sp->hook;
	st->info.is_closed = st->info.requests = 0;
	emit_submit(last);
	stat_add(FLOW_STAT_NEXT_GEN, 1);
}

/* An INIT after the association on this entry ended. Of ICMP nothing ever ends. */
static __always_inline bool state_is_next_sctp(const struct flow_state *st,
					       const struct state_pkt *sp)
{
	return (sp->flags & FLOW_SAW_ECHO) &&
	       ((st->dir[0].totals.flags | st->dir[1].totals.flags) & FLOW_SAW_END);
}

/* Whether the packet is the first one seen of another connection than the entry's. */
static __always_inline bool state_is_next(const struct flow_state *st, const struct state_pkt *sp)
{
	const struct flow_totals *t = &st->dir[sp->from & 1].totals;

	return st->info.is_closed || state_is_next_sctp(st, sp) ||
	       ((sp->flags & FLOW_SAW_SYN) && (!(t->flags & FLOW_SAW_ISN) || t->isn != sp->seq) &&
		state_is_over(st, sp->from));
}

/* The entry of a packet that can only go on with a flow that is kept: the threshold rejects it, but
 * the flow may have begun before it rose; or it is from the middle of a connection, and the
 * threshold was higher once. What follows on the tuple is not kept; should the threshold fall
 * again, it is the next generation all the same. */
static __always_inline struct flow_state *state_find_late(const struct state_pkt *sp)
{
	struct flow_state *st = bpf_map_lookup_elem(&flow_states, &sp->key);

	if (!st)
		return NULL;
	if (!state_is_next(st, sp))
		return st;
	if (!st->info.is_closed)
		st->info.is_closed = 1;
	return NULL;
}

/* What of a packet is worth a record of its own, before the totals take it in: a tcp_event(). */
static __always_inline __u32 state_event(struct flow_state *st, struct state_pkt *sp)
{
	__u32 known = st->dir[sp->from & 1].totals.flags, event = 0;

	if (sp->seg.is_sound)
		event = tcp_account(st, &sp->seg, sp->from, sp->pkts, sp->mono_ns);
	if (!event && (sp->flags & ~known & FLOW_SAW_CE))
		event = tcp_event(FLOW_EVENT_CONGESTION, 1);
	return event;
}

/* Accounts one packet of a kept flow; @st is its entry, NULL: it has none. */
static __always_inline void state_account(struct flow_state *st, struct state_pkt *sp)
{
	__u8 tcp_flags = sp->key.proto == IPPROTO_TCP ? (__u8)sp->flags
			 : sp->flags & FLOW_SAW_END   ? FLOW_TCP_FIN /* as good as one */
						      : 0;
	__u32 now = sp->mono_ns >> EMIT_TIME_SHIFT, age, event = 0;
	struct flow_dir *d;
	__u64 before;

	if (!st) {
		state_emit_stateless(sp);
		return;
	}
	d = &st->dir[sp->from & 1];
	if (state_is_next(st, sp))
		state_next_generation(st, sp);
	if (!sample_packets)
		event = state_event(st, sp);
	if ((sp->flags & FLOW_SAW_ISN) && !(d->totals.flags & FLOW_SAW_ISN))
		d->totals.isn = sp->seq;
	if ((d->totals.flags & sp->flags) != sp->flags)
		__sync_fetch_and_or(&d->totals.flags, sp->flags);
	before = __sync_fetch_and_add(&d->totals.pkts, sp->pkts);
	__sync_fetch_and_add(&d->totals.bytes, sp->bytes);
	d->totals.last_mono_ns = sp->mono_ns;
	if (sample_packets)
		state_estimate(&d->detail.estimate, sp);

	age = (sp->mono_ns - st->info.first_mono_ns) >> EMIT_TIME_SHIFT;
	if (!event &&
	    !emit_is_due(before, before + sp->pkts, tcp_flags, now - d->emit_time, age))
		return;
	d->emit_time = now;
	state_emit(st, sp, event);
}

#endif /* KERN_STATE_BPF_H */
