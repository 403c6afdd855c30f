/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_abi - what the BPF programs and user space share: records, counters, limits.
 *
 * All integers are host byte order unless the type says __be. All times are CLOCK_MONOTONIC
 * nanoseconds. Padding is explicit and zero. A change of any layout changes FLOW_ABI_VERSION.
 */
#ifndef FLOW_ABI_H
#define FLOW_ABI_H

#include <linux/types.h>

#define FLOW_ABI_VERSION 2
#define FLOW_MAX_IFS 32 /* interfaces one process can watch */
#define FLOW_MAX_WORKERS 32 /* ring buffers, one a worker */

/* R, the low 56 bits of the flow hash, is compared with the rejection threshold. */
#define FLOW_R_MASK 0x00ffffffffffffffULL

enum flow_hook { FLOW_RECEIVE, FLOW_TRANSMIT, FLOW_HOOK_MAX };

enum flow_net {
	FLOW_NET_OTHER, /* not IP: ARP, LLDP, a cut link-layer header, … */
	FLOW_NET_IPV4,
	FLOW_NET_IPV6,
	FLOW_NET_MAX
};

enum flow_transport {
	FLOW_TRANSPORT_OTHER,
	FLOW_TRANSPORT_TCP,
	FLOW_TRANSPORT_UDP,
	FLOW_TRANSPORT_ICMP,
	FLOW_TRANSPORT_ICMPV6,
	FLOW_TRANSPORT_SCTP,
	FLOW_TRANSPORT_MAX
};

/* ---- exact counters: one per-CPU array ---- */

/* Slot of the size histogram of a frame of v bytes: ceil(log2 v); 1 is slot 0, 2 slot 1, 3..4
 * slot 2, 65..128 slot 7, 1025..2048 slot 11. Slot s is OTLP bucket s-1 at scale 0. */
#define FLOW_SIZE_SLOTS 18 /* the last one takes all above 64 KiB */

/* Segments that open or end a connection. One that carries FIN and RST counts in both; of SYN and
 * SYN/ACK it is one or the other. A segment train counts once: its last segment alone has the FIN. */
enum flow_segment {
	FLOW_SEGMENT_SYN, /* SYN without ACK */
	FLOW_SEGMENT_SYN_ACK,
	FLOW_SEGMENT_FIN,
	FLOW_SEGMENT_RST,
	FLOW_SEGMENT_MAX
};

/* Packets = sum of size[] = kept + not_kept + no_flow, exactly. Bytes are frame bytes: with the
 * link-layer header, without FCS. */
struct flow_counter {
	__u64 bytes;
	__u64 not_kept; /* packets of flows that sampling rejected */
	__u64 size[FLOW_SIZE_SLOTS];
	__u64 kept; /* packets of flows that sampling kept */
	__u64 no_flow; /* not IP, or a header cut short: counted, no part of a flow */
	__u64 segments[FLOW_SEGMENT_MAX]; /* of TCP; sampling has no say */
};

static inline __u64 flow_counter_pkts(const struct flow_counter *c)
{
	__u64 pkts = 0;
	int slot;

	for (slot = 0; slot < FLOW_SIZE_SLOTS; slot++)
		pkts += c->size[slot];
	return pkts;
}

#define FLOW_COUNTERS_PER_IF (FLOW_HOOK_MAX * FLOW_NET_MAX * FLOW_TRANSPORT_MAX)

/* Index into the counter map. */
static inline __u32 flow_counter_index(__u32 if_slot, __u32 hook, __u32 net, __u32 transport)
{
	return ((if_slot * FLOW_HOOK_MAX + hook) * FLOW_NET_MAX + net) * FLOW_TRANSPORT_MAX +
	       transport;
}

/* ---- what went wrong or was decided in the kernel: one per-CPU array of one element ---- */

enum flow_stat {
	FLOW_STAT_STATE_FULL, /* flows' packets without state: flow map full (-E2BIG) */
	FLOW_STAT_STATE_NOMEM, /* same: no memory (-ENOMEM) */
	FLOW_STAT_STATE_BUSY, /* same: bucket busy (-EBUSY) */
	FLOW_STAT_STATE_OTHER, /* same: any other error */
	FLOW_STAT_STATELESS_LOST, /* of those packets: their record found no room either */
	FLOW_STAT_NEXT_GEN, /* a SYN started the next connection on a tuple */
	FLOW_STAT_NEXT_GEN_LOST, /* it could not: no room in the ring; it goes on the old one */
	FLOW_STAT_GSO_DODGY, /* buffers whose segment count had to be computed */
	FLOW_STAT_MAX
};

struct flow_stats {
	__u64 stat[FLOW_STAT_MAX];
};

/* Per ring, a per-CPU array indexed by worker. Attempted = submitted + lost_full. */
struct flow_ring_stats {
	__u64 submitted; /* records */
	__u64 lost_full; /* records that found no room */
};

/* ---- flows ---- */

/*
 * The canonical tuple: endpoint 0 is the smaller one (address bytes, then port), so that both
 * directions share a key.
 *
 *   0        16       32    34    36    37      38       40
 *   | addr 0 | addr 1 |port0|port1|proto|family|if_slot |
 *
 * IPv4 sits in the first 4 bytes of an address, the rest zero. Ports: TCP, UDP, SCTP their
 * ports; fragments and other protocols 0; ICMP and ICMPv6 as Community ID v1 maps them: the
 * message's type and the type that answers it, or, where nothing answers, type | FLOW_ICMP_ONEWAY
 * and code.
 */
struct flow_key {
	__u8 addr[2][16];
	__be16 port[2];
	__u8 proto; /* IP protocol number */
	__u8 family; /* 4 or 6 */
	__u16 if_slot;
};
#define FLOW_ICMP_ONEWAY 0x8000 /* set in the (host order) port that holds the type */

/* Bits of flow_totals.flags: the low 8 are the TCP flags seen, or-ed. */
#define FLOW_TCP_FIN 0x01
#define FLOW_TCP_SYN 0x02
#define FLOW_TCP_RST 0x04
#define FLOW_TCP_PSH 0x08
#define FLOW_TCP_ACK 0x10
#define FLOW_SAW_SYN 0x100 /* SYN without ACK: this endpoint opened the connection */
#define FLOW_SAW_SYNACK 0x200 /* SYN with ACK: this endpoint accepted it */
#define FLOW_SAW_ISN 0x400 /* isn is valid */
#define FLOW_SAW_DATA 0x800 /* a segment with payload */
#define FLOW_SAW_ECHO 0x1000 /* ICMP: a request (echo, timestamp, …), not an answer */
#define FLOW_SAW_FRAGMENT 0x2000

/* Exact totals of one direction: packets sent by one endpoint. */
struct flow_totals {
	__u64 pkts;
	__u64 bytes; /* frame bytes, as in flow_counter */
	__u64 last_mono_ns; /* 0: no packet in this direction */
	__u32 isn; /* TCP: sequence number of the SYN or SYN/ACK; see FLOW_SAW_ISN */
	__u32 flags;
};

struct flow_info {
	__u64 first_mono_ns; /* first packet of this generation */
	__u64 hash; /* the keyed symmetric hash; R = hash & FLOW_R_MASK */
	__u64 threshold; /* rejection threshold in force when the flow was first kept */
	__u32 generation; /* 0, then one more for each further connection on the tuple */
	__u8 first_from; /* endpoint that sent the first packet */
	__u8 first_hook; /* enum flow_hook where it was seen */
	__u8 is_closed; /* sampling rejected the connection that follows on the tuple */
	__u8 pad;
};

/* One direction in the flow map: 64 bytes, a cache line of its own. */
struct flow_dir {
	struct flow_totals totals;
	__u32 emit_ms; /* monotonic ms of the last record of this direction, wraps */
	__u32 pad32;
	__u64 pad64[3];
};

/* Value of the flow map; the key is a flow_key. 48 (kernel) + 40 + 160 + 8 fill 256 bytes. */
struct flow_state {
	struct flow_info info;
	struct flow_dir dir[2]; /* by sending endpoint */
};

enum flow_record_kind {
	FLOW_RECORD_UPDATE, /* totals so far */
	FLOW_RECORD_LAST, /* the last totals of a generation: the next one has begun */
	FLOW_RECORD_STATELESS, /* one packet (or GSO train) of a flow without state: totals[from]
				* are this packet's alone */
};

struct flow_record {
	__u8 version; /* FLOW_ABI_VERSION */
	__u8 kind; /* enum flow_record_kind */
	__u8 from; /* endpoint that sent the packet */
	__u8 hook; /* enum flow_hook that saw it */
	__u8 tcp_flags; /* of this packet */
	__u8 pad[3];
	__u64 mono_ns; /* when the packet was seen */
	struct flow_key key;
	struct flow_info info;
	struct flow_totals totals[2];
};

/* ---- the mirror for other programs: hash map, key u32 0 ---- */

struct xdp_stats {
	__u64 rx_packets;
	__u64 rx_bytes;
};

_Static_assert(sizeof(struct flow_counter) == 26 * 8, "layout");
_Static_assert(sizeof(struct flow_key) == 40, "layout");
_Static_assert(sizeof(struct flow_totals) == 32, "layout");
_Static_assert(sizeof(struct flow_info) == 32, "layout");
_Static_assert(sizeof(struct flow_dir) == 64, "layout");
_Static_assert(sizeof(struct flow_state) == 160, "layout");
_Static_assert(sizeof(struct flow_record) == 152, "layout");

#endif /* FLOW_ABI_H */
