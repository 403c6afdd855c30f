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

#define FLOW_ABI_VERSION 4
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
 * SYN/ACK it is one or the other. A segment train counts once: its last segment alone has the FIN.
 */
enum flow_segment {
	FLOW_SEGMENT_SYN, /* SYN without ACK */
	FLOW_SEGMENT_SYN_ACK,
	FLOW_SEGMENT_FIN,
	FLOW_SEGMENT_RST,
	FLOW_SEGMENT_MAX
};

/* Packets = sum of size[] = kept + not_kept + no_flow + filtered, exactly. Bytes are frame bytes:
 * with the link-layer header, without FCS. */
struct flow_counter {
	__u64 bytes;
	__u64 not_kept; /* packets of flows that sampling rejected; packet mode: packets it skipped
			 */
	__u64 size[FLOW_SIZE_SLOTS];
	__u64 kept; /* packets of flows that sampling kept; packet mode: packets it took */
	__u64 no_flow; /* not IP, or a header cut short: counted, no part of a flow */
	__u64 segments[FLOW_SEGMENT_MAX]; /* of TCP; sampling has no say */
	__u64 filtered; /* packets that --filter leaves out of flows */
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

/* ---- own cost: one per-CPU array, by if_slot * FLOW_HOOK_MAX + hook ---- */

#define FLOW_COST_UNIT_LOG2 30 /* units of 2^-30 s, so that seconds have bounds at powers of two */
#define FLOW_COST_SLOTS 24 /* of these, as FLOW_SIZE_SLOTS of bytes; the last one: all above 4 ms */

/* What our program took for packets that were timed; there are as many as slot[] adds up to. */
struct flow_cost {
	__u64 sum_ns;
	__u64 slot[FLOW_COST_SLOTS];
};

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
	FLOW_STAT_QUOTE_THINNED, /* ICMP errors about kept flows that came too fast for a record each */
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
 *   0        16       32    34    36    37     38       40         44     45   48
 *   | addr 0 | addr 1 |port0|port1|proto|family|if_slot |tunnel_id |tunnel|pad |
 *
 * IPv4 sits in the first 4 bytes of an address, the rest zero. Ports: TCP, UDP, SCTP their
 * ports; fragments and other protocols 0; ICMP and ICMPv6 as Community ID v1 maps them: the
 * message's type and the type that answers it, or, where nothing answers, type | FLOW_ICMP_ONEWAY
 * and code. The flow inside a tunnel has the tunnel's kind and id; which addresses the tunnel runs
 * between does not tell flows apart.
 */
enum flow_tunnel {
	FLOW_TUNNEL_NONE,
	FLOW_TUNNEL_VXLAN,
	FLOW_TUNNEL_GENEVE,
	FLOW_TUNNEL_GRE,
	FLOW_TUNNEL_IPIP, /* any IP in IP */
	FLOW_TUNNEL_MAX
};

struct flow_key {
	__u8 addr[2][16];
	__be16 port[2];
	__u8 proto; /* IP protocol number */
	__u8 family; /* 4 or 6 */
	__u16 if_slot;
	__u32 tunnel_id; /* VNI, or key of GRE; 0: none */
	__u8 tunnel; /* enum flow_tunnel */
	__u8 pad[3];
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
#define FLOW_SAW_ECHO 0x1000 /* ICMP: a request (echo, timestamp, …), not an answer; SCTP: INIT */
#define FLOW_SAW_FRAGMENT 0x2000
#define FLOW_SAW_SEQ 0x4000 /* flow_dir.next_seq is valid */
#define FLOW_SAW_ECT 0x8000 /* IP: ECN-capable */
#define FLOW_SAW_CE 0x10000 /* IP: congestion experienced */
#define FLOW_SAW_END 0x20000 /* SCTP: ABORT or SHUTDOWN COMPLETE */

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
	union { /* in force when the flow was first kept */
		__u64 threshold; /* flow mode: the rejection threshold */
		__u64 interval; /* packet mode: N */
	};
	__u32 generation; /* 0, then one more for each further connection on the tuple */
	__u8 first_from; /* endpoint that sent the first packet */
	__u8 first_hook; /* enum flow_hook where it was seen */
	__u8 is_closed; /* sampling rejected the connection that follows on the tuple */
	__u8 requests; /* HTTP requests told in PAYLOAD records */
};

/* How the TCP segments of one direction came along. Numbers stay at 65535 once they are there. */
struct flow_tcp {
	__u32 ts_val; /* timestamp (RFC 7323) of the segment whose echo is awaited, or was last */
	__u32 ts_us; /* when it was seen, monotonic us, wraps; 0 and 1: none is awaited; bit 0: others
		      * have followed it */
	__u32 srtt_us; /* smoothed time from a segment to its echo: the round trip between here and
			* the receiver; 0: not known */
	__u32 hole_seq; /* start of the piece that was jumped over, see kern/tcp.bpf.h */
	__u16 hole_time; /* when that was, monotonic 64 us, wraps */
	__u16 retransmits; /* segments with nothing new in them */
	__u16 out_of_order; /* segments that filled a hole within half a round trip */
	__u16 zero_windows; /* segments that advertised no room */
};

/* Packet mode: what the samples of one direction stand for, each for the N it was taken at. */
struct flow_estimate {
	__u64 pkts;
	__u64 bytes;
	__u64 max_interval; /* the largest of these N: bounds the error. 0: there are no samples */
};

union flow_detail {
	struct flow_tcp tcp; /* flow mode, TCP; else zero */
	struct flow_estimate estimate; /* packet mode */
};

/* One direction in the flow map: 64 bytes, a cache line of its own. */
struct flow_dir {
	struct flow_totals totals;
	__u32 emit_time; /* of the last record of this direction: monotonic, 2^20 ns, wraps */
	__u32 next_seq; /* TCP: the highest sequence number seen, plus one; see FLOW_SAW_SEQ */
	union flow_detail detail;
};

/* Value of the flow map; the key is a flow_key. With 8 + 48 bytes of the kernel's and 48 of the key
 * it is 256 bytes, which the kernel's allocator has a size for: one byte more would be 512, for each
 * flow. What comes before dir ends with a cache line. That is why the flow's hash is not here. */
struct flow_state {
	struct flow_info info;
	struct flow_dir dir[2]; /* by sending endpoint */
};

enum flow_record_kind {
	FLOW_RECORD_UPDATE, /* totals so far */
	FLOW_RECORD_LAST, /* the last totals of a generation: the next one has begun; a
			   * flow_record_last */
	FLOW_RECORD_STATELESS, /* one packet (or GSO train) of a flow without state: totals[from]
				* are this packet's alone */
	FLOW_RECORD_QUOTE, /* an ICMP error that quotes a packet of this flow, whose sender is from;
			    * info is zero */
	FLOW_RECORD_PAYLOAD, /* the beginning of an HTTP request; a flow_record_payload; totals and
			      * info are zero */
	FLOW_RECORD_MAX
};

/* What makes a packet worth a record beyond its totals. */
enum flow_event {
	FLOW_EVENT_NONE,
	FLOW_EVENT_RETRANSMISSION,
	FLOW_EVENT_OUT_OF_ORDER,
	FLOW_EVENT_ZERO_WINDOW,
	FLOW_EVENT_CONGESTION, /* the first packet of this direction marked CE */
	FLOW_EVENT_MAX
};

/* What an ICMP error says about a flow. */
struct flow_quote {
	__u8 reporter[16]; /* who sent it; as in flow_key */
	__u8 type, code;
	__u8 pad[2];
	__u32 mtu; /* of the next hop, where the message has it; else 0 */
};

/* What user space makes of a PAYLOAD record: the trace that a request belongs to. */
struct flow_context {
	__u8 trace_id[16];
	__u8 span_id[8];
	__u8 flags; /* of W3C Trace Context */
	__u8 pad[7];
};

struct flow_record {
	__u8 version; /* FLOW_ABI_VERSION */
	__u8 kind; /* enum flow_record_kind */
	__u8 from; /* endpoint that sent the packet */
	__u8 hook; /* enum flow_hook that saw it */
	__u8 tcp_flags; /* of this packet */
	__u8 event; /* enum flow_event */
	__u16 event_count; /* how many of them in this direction, this one included */
	__u64 mono_ns; /* when the packet was seen */
	__u64 hash; /* of the flow, keyed and symmetric (flow_hash.h); R = hash & FLOW_R_MASK */
	struct flow_key key;
	struct flow_info info;
	union {
		struct flow_totals totals[2];
		struct flow_quote quote;
		struct flow_context context;
	};
};

struct flow_record_last {
	struct flow_record record;
	union flow_detail detail[2];
};

#define FLOW_PAYLOAD_MAX 1024
#define FLOW_REQUESTS_MAX 32 /* of one connection */
struct flow_record_payload {
	struct flow_record record;
	__u32 len; /* bytes of data, from the first one of the TCP segment on */
	__u32 pad;
	__u8 data[FLOW_PAYLOAD_MAX];
};

/* Size of a record in the ring. 0: no such kind. */
static inline __u32 flow_record_size(__u8 kind)
{
	if (kind == FLOW_RECORD_LAST)
		return sizeof(struct flow_record_last);
	if (kind == FLOW_RECORD_PAYLOAD)
		return sizeof(struct flow_record_payload);
	return kind < FLOW_RECORD_MAX ? sizeof(struct flow_record) : 0;
}

/* ---- which flows there are to be: --filter ---- */

enum filter_op {
	FILTER_PROTO, /* the IP protocol number is @value */
	FILTER_FAMILY, /* 4 or 6: @value */
	FILTER_PORTS, /* one of the ports is in port_low..port_high; fragments and what is not TCP,
		       * UDP or SCTP have none */
	FILTER_NET, /* of family @value, and one of the addresses agrees with @addr in @mask */
	FILTER_OP_MAX
};

#define FILTER_STEPS_MAX 64
#define FILTER_IN 0xfe /* where a step leads if it is the last one: the flow is wanted */
#define FILTER_OUT 0xff

/* A condition, and where to go on: a later step, FILTER_IN or FILTER_OUT. */
struct filter_step {
	__u8 op; /* enum filter_op */
	__u8 value;
	__u8 on_true, on_false;
	__u16 port_low, port_high;
	__u64 addr[2]; /* the bytes of a flow_key's address; zero where @mask is */
	__u64 mask[2];
};

/* Begins at step 0. Conditions fit either endpoint, so both directions of a flow are judged alike.
 */
struct filter_program {
	struct filter_step step[FILTER_STEPS_MAX];
	__u32 len; /* 0: every flow is wanted */
	__u32 pad;
};

/* ---- the mirror for other programs: hash map, key u32 0 ---- */

struct xdp_stats {
	__u64 rx_packets;
	__u64 rx_bytes;
};

_Static_assert(sizeof(struct flow_counter) == 27 * 8, "layout");
_Static_assert(sizeof(struct flow_cost) == 25 * 8, "layout");
_Static_assert(sizeof(struct flow_key) == 48, "layout");
_Static_assert(sizeof(struct flow_totals) == 32, "layout");
_Static_assert(sizeof(struct flow_info) == 24, "layout");
_Static_assert(sizeof(struct flow_tcp) == 24, "layout");
_Static_assert(sizeof(union flow_detail) == 24, "layout");
_Static_assert(sizeof(struct flow_dir) == 64, "layout");
_Static_assert(sizeof(struct flow_state) == 152, "layout");
_Static_assert(sizeof(struct flow_record) == 160, "layout");
_Static_assert(sizeof(struct flow_record_last) == 208, "layout");
_Static_assert(sizeof(struct filter_step) == 40, "layout");
_Static_assert(sizeof(struct filter_program) == 64 * 40 + 8, "layout");
_Static_assert(sizeof(struct flow_record_payload) == 160 + 8 + 1024, "layout");

#endif /* FLOW_ABI_H */
