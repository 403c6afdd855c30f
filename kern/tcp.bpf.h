/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcp - how the segments of a kept connection came along: sent again, out of order, without room
 * for more, and after which time their echo came back.
 *
 * What a direction sent is known by the highest sequence number alone. A segment with nothing
 * beyond it was there before, or is late: late by less than half a round trip since a piece was
 * jumped over, it was overtaken on its way; later, its sender found it lost, which takes a whole
 * one. Neither is a keep-alive, nor the probe of a closed window, which repeats one octet.
 *
 * Of the pieces that were jumped over, the oldest one that is young is remembered: what fills it
 * makes the next one the oldest, and young again. So a row of overtaken segments without a known
 * round trip may be cut short, and a doubled segment behind such a piece be taken for an overtaken
 * one. (Where tests/kern_tcp_tshark.sh found tshark wrong: it goes by the time since the highest
 * segment, so it takes a segment sent again soon after others for an overtaken one.)
 *
 * The round trip comes from timestamps (RFC 7323): of each value that a direction sends only the
 * first segment is timed, since an echo is that of the first.
 *
 * Two CPUs may be at one direction at once. Nothing is locked: a number may miss one, and whatever
 * anybody sends, a wrong number is the worst that comes of it.
 */
#ifndef KERN_TCP_BPF_H
#define KERN_TCP_BPF_H

#include "kern/flow_abi.h"
#include "kern/maps.bpf.h"
#include "kern/parse.bpf.h"

#define TCP_FAR (1u << 30) /* the largest window: what is further off belongs elsewhere */
#define TCP_HALF_TRIP_US 3000 /* while not known */
#define TCP_SAMPLE_MAX_US 60000000
#define TCP_COUNT_MAX 65535
#define TCP_STAMP_LAYOUT bpf_htonl(0x0101080a) /* no-operation twice, then the timestamps */

/* flow_tcp.ts_us: bit 0 says that other timestamps have followed the one it is about. */
#define TCP_FOLLOWED 1u

/* A segment, or a train of them. */
struct tcp_seg {
	__u32 payload; /* bytes of data */
	__u32 seq;
	__u32 ts_val, ts_ecr; /* both 0: it has none in the usual layout */
	__u16 window;
	__u8 flags; /* FLOW_TCP_… */
	bool is_sound; /* its lengths agree; else nothing is concluded from it */
};

struct tcp_stamp {
	__be32 layout;
	__be32 val;
	__be32 ecr;
};

/* Bytes of the buffer that the IP packet takes, from the buffer's begin on; 0: its lengths do not
 * agree. Only a train too large for the length field has 0 in it. */
static __always_inline __u32 tcp_ip_end(const struct pkt *p, __u32 buffer_bytes)
{
	if (p->ip_end == PKT_LENGTH_UNKNOWN || p->ip_end == p->l3)
		return buffer_bytes > p->l3 + 65535 ? buffer_bytes : 0;
	return p->ip_end <= buffer_bytes ? p->ip_end : 0;
}

/* @tcp lies in @b, whole; @buffer_bytes: of all of the packet, linear or not. */
static __always_inline void tcp_read(const struct pkt_buff *b, const struct pkt *p,
				     const struct pkt_tcp *tcp, __u32 buffer_bytes,
				     struct tcp_seg *ret)
{
	__u32 header = (tcp->offset >> 4) * 4, end = tcp_ip_end(p, buffer_bytes);
	struct tcp_stamp *stamp = (void *)(tcp + 1);

	ret->seq = bpf_ntohl(tcp->seq);
	ret->flags = tcp->flags;
	ret->window = bpf_ntohs(tcp->window);
	if (header < sizeof(*tcp) || p->l4 + header > end)
		return;
	ret->payload = end - p->l4 - header;
	ret->is_sound = true;
	if (header >= sizeof(*tcp) + sizeof(*stamp) && (void *)(stamp + 1) <= b->end &&
	    stamp->layout == TCP_STAMP_LAYOUT) {
		ret->ts_val = bpf_ntohl(stamp->val);
		ret->ts_ecr = bpf_ntohl(stamp->ecr);
	}
}

/* The ECN bits of an IP packet as flags of its direction. */
static __always_inline __u32 tcp_ecn_flags(__u8 traffic_class)
{
	switch (traffic_class & 3) {
	case 0:
		return 0;
	case 3:
		return FLOW_SAW_ECT | FLOW_SAW_CE;
	}
	return FLOW_SAW_ECT;
}

/* An event and its number in one scalar; 0: none. */
static __always_inline __u32 tcp_event(enum flow_event event, __u32 count)
{
	return event | count << 16;
}

/* Counts @pkts more, and says so where the number reached a power of two: @event, else @other. */
static __always_inline __u32 tcp_count(__u16 *number, __u32 pkts, enum flow_event event,
				       __u32 other)
{
	__u32 before = *number, after = before + pkts;

	if (after > TCP_COUNT_MAX || after < before)
		after = TCP_COUNT_MAX;
	*number = after;
	return (before ^ after) > before ? tcp_event(event, after) : other;
}

/* ---- sequence numbers ---- */

/* Whether what was jumped over is younger than half a round trip. */
static __always_inline bool tcp_hole_is_young(const struct flow_tcp *own,
					      const struct flow_tcp *other, __u32 now_us)
{
	__u32 limit_us = (own->srtt_us + other->srtt_us) / 2;
	__u16 age = (now_us >> 6) - own->hole_time;

	if ((!own->srtt_us || !other->srtt_us) && limit_us < TCP_HALF_TRIP_US)
		limit_us = TCP_HALF_TRIP_US; /* what is known is one side of it */
	return own->hole_seq && age <= limit_us >> 6;
}

/* A segment with nothing new in it. */
static __always_inline __u32 tcp_account_old(struct flow_dir *d, const struct flow_tcp *other,
					     const struct tcp_seg *seg, __u32 end, __u32 pkts,
					     __u32 now_us, __u32 event)
{
	struct flow_tcp *own = &d->detail.tcp;

	if (!(seg->flags & FLOW_TCP_FIN) && seg->payload <= 1 && seg->seq == d->next_seq - 1)
		return event; /* keep-alive, or another probe of a closed window */
	/* what ends the row overtook others; one octet before a hole may be a window probe's */
	if (end == d->next_seq || (__s32)(seg->seq - own->hole_seq) < -1 ||
	    !tcp_hole_is_young(own, other, now_us))
		return tcp_count(&own->retransmits, pkts, FLOW_EVENT_RETRANSMISSION, event);
	if ((__s32)(seg->seq - own->hole_seq) <= 0) {
		own->hole_seq = end; /* holes behind it are younger */
		own->hole_time = now_us >> 6;
	}
	return tcp_count(&own->out_of_order, pkts, FLOW_EVENT_OUT_OF_ORDER, event);
}

/* SYN and SYN/ACK. One with another number than the connection's begins what we do not know, or is
 * forged: the next segment tells where the numbers are. */
static __always_inline __u32 tcp_account_syn(struct flow_dir *d, const struct tcp_seg *seg,
					     __u32 pkts, __u32 event)
{
	__u32 kind = seg->flags & FLOW_TCP_ACK ? FLOW_SAW_SYNACK : FLOW_SAW_SYN;
	__u32 known = d->totals.flags;

	if (!(known & FLOW_SAW_ISN)) {
		d->next_seq = seg->seq + 1 + seg->payload;
		__sync_fetch_and_or(&d->totals.flags, FLOW_SAW_SEQ);
		return event;
	}
	if (seg->seq != d->totals.isn) {
		__sync_fetch_and_and(&d->totals.flags, ~FLOW_SAW_SEQ);
		return event;
	}
	if (!(known & kind)) /* both ends opened it: a SYN, and then a SYN/ACK */
		return event;
	return tcp_count(&d->detail.tcp.retransmits, pkts, FLOW_EVENT_RETRANSMISSION, event);
}

static __always_inline __u32 tcp_account_seq(struct flow_dir *d, const struct flow_tcp *other,
					     const struct tcp_seg *seg, __u32 pkts, __u32 now_us,
					     __u32 event)
{
	__u32 end = seg->seq + seg->payload + (seg->flags & FLOW_TCP_FIN ? 1 : 0);
	__u32 ahead = seg->seq - d->next_seq;
	struct flow_tcp *own = &d->detail.tcp;

	if (!(d->totals.flags & FLOW_SAW_SEQ)) {
		d->next_seq = end;
		__sync_fetch_and_or(&d->totals.flags, FLOW_SAW_SEQ);
	} else if (ahead + TCP_FAR > 2 * TCP_FAR) {
		d->next_seq = end;
	} else if ((__s32)(end - d->next_seq) > 0) {
		if ((__s32)ahead > 0 && !tcp_hole_is_young(own, other, now_us)) {
			own->hole_seq = d->next_seq;
			own->hole_time = now_us >> 6;
		}
		d->next_seq = end;
	} else if (end != seg->seq) {
		return tcp_account_old(d, other, seg, end, pkts, now_us, event);
	}
	return event;
}

/* ---- timestamps ---- */

/* Of the segments that go one way: begins to wait for an echo. */
static __always_inline void tcp_stamp_send(struct flow_dir *d, const struct flow_dir *other,
					   const struct tcp_seg *seg, __u32 now_us)
{
	struct flow_tcp *own = &d->detail.tcp;
	__u32 sent_us = own->ts_us;
	bool is_newer = !own->ts_val || (__s32)(seg->ts_val - own->ts_val) > 0;

	if (sent_us > TCP_FOLLOWED && now_us - sent_us <= TCP_SAMPLE_MAX_US) {
		if (seg->ts_val != own->ts_val && !(sent_us & TCP_FOLLOWED))
			own->ts_us = sent_us | TCP_FOLLOWED;
		return;
	}
	if (seg->ts_val == own->ts_val && sent_us <= TCP_FOLLOWED)
		return;
	/* the peer echoes an empty segment too, if it has something to send */
	if (!seg->payload && !(other->totals.flags & FLOW_SAW_DATA))
		return;
	own->ts_val = seg->ts_val;
	own->ts_us = 0;
	/* after others, and in the middle of a connection, it may not be the first of its value */
	if (seg->payload && is_newer && !sent_us && (d->totals.flags & FLOW_SAW_SEQ))
		own->ts_us = (now_us & ~TCP_FOLLOWED) ?: 2;
}

/* Of the segments that go the other way: what they echo. */
static __always_inline void tcp_stamp_echo(struct flow_tcp *sender, const struct tcp_seg *seg,
					   __u32 now_us)
{
	__u32 sent_us = sender->ts_us, sample_us = now_us - (sent_us & ~TCP_FOLLOWED);
	__s32 newer = seg->ts_ecr - sender->ts_val;

	if (sent_us <= TCP_FOLLOWED || !(seg->flags & FLOW_TCP_ACK) || newer < 0)
		return;
	sender->ts_us = newer ? TCP_FOLLOWED : sent_us & TCP_FOLLOWED;
	if (newer || sample_us > TCP_SAMPLE_MAX_US)
		return;
	sender->srtt_us = sender->srtt_us ? (7 * sender->srtt_us + sample_us) / 8 : sample_us;
	if (!sender->srtt_us)
		sender->srtt_us = 1;
}

/* One segment of a kept flow, before the totals take it in. Returns a tcp_event(). A global
 * function, so that the verifier sees it once. */
__noinline __u32 tcp_account(struct flow_state *st, struct tcp_seg *seg, __u32 from, __u32 pkts,
			     __u64 mono_ns)
{
	__u32 now_us = mono_ns / 1000, event = 0;
	struct flow_dir *d, *other;

	if (!st || !seg || !seg->is_sound || (seg->flags & FLOW_TCP_RST))
		return 0;
	d = &st->dir[from & 1];
	other = &st->dir[(from & 1) ^ 1];
	if (seg->flags & FLOW_TCP_SYN)
		return tcp_account_syn(d, seg, pkts, 0);
	if (!seg->window && !(seg->flags & FLOW_TCP_FIN))
		event = tcp_count(&d->detail.tcp.zero_windows, pkts, FLOW_EVENT_ZERO_WINDOW, 0);
	if (seg->ts_val || seg->ts_ecr) {
		tcp_stamp_echo(&other->detail.tcp, seg, now_us);
		tcp_stamp_send(d, other, seg, now_us);
	}
	return tcp_account_seq(d, &other->detail.tcp, seg, pkts, now_us, event);
}

#endif /* KERN_TCP_BPF_H */
