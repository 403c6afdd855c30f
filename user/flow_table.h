/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_table - the flows one worker is watching: records in, reports out.
 *
 * Fixed capacity, memory touched only as flows arrive, no clock, no I/O, no locks: the caller
 * passes the time, reaches the kernel's flow map through two callbacks, and keeps each table on
 * one thread. The kernel's state is the truth: records only say that there is something to know,
 * and the last totals are taken from the map when a flow ends.
 */
#ifndef USER_FLOW_TABLE_H
#define USER_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/flow_abi.h"

/* IPFIX flowEndReason (RFC 5102 5.11.3), in words: see flow_end_reason_name(). */
enum flow_end_reason {
	FLOW_IDLE_TIMEOUT,
	FLOW_ACTIVE_TIMEOUT, /* goes on: an interval, not an end */
	FLOW_END_DETECTED,   /* TCP: RST, FIN both ways, or the next connection on the tuple */
	FLOW_FORCED_END,     /* ringspan stops */
	FLOW_LACK_OF_RESOURCES,
	FLOW_END_REASON_MAX
};

struct flow_counts {
	uint64_t pkts;
	uint64_t bytes;
};

/* When the segments of a TCP handshake were seen: units of 16 ns after the flow's first packet, plus
 * one; 0: not, or later than a minute. See flow_handshake_times(). Of other transports only synack
 * is in use: see flow_answer_time(). */
struct flow_handshake {
	uint32_t syn; /* the first SYN, */
	uint32_t synack; /* the first answer to it (others: the first packet the other way), */
	uint32_t ack; /* and the first acknowledgement of that one */
};

/* One flow: a connection, or what passed between two endpoints until it fell silent. What a record
 * touches comes first. */
struct flow {
	struct flow_key key;
	uint64_t hash;
	struct flow_info info; /* first time, threshold in force, generation, first sender */
	struct flow_totals totals[2]; /* by endpoint, the newest known */
	uint8_t initiator;        /* endpoint that is the source: the opener where known, else the
				   * first one seen */
	bool initiator_known;     /* SYN, SYN/ACK or an ICMP request told it */
	bool is_incomplete;       /* without kernel state at some time: totals from records alone */
	bool awaits_last;         /* private: the next generation was seen before the end of this */
	uint32_t reports;         /* so far */
	struct flow_handshake handshake;
	uint8_t tag_bits;         /* more of the tag below */
	uint8_t events_len;       /* since the last report; private to flow_events, as what follows */
	uint16_t events_dropped;  /* more of them, for which there was no room */
	struct flow_counts reported[2]; /* as of the last report; zero before the first */
	int64_t clock_offset_ns;  /* unix = mono + this, fixed at the first record */
	uint64_t report_mono_ns;  /* end of the last report; 0: nothing reported yet */
	uint64_t tag;             /* the reporter's own, kept between reports; 0 at first */
	uint32_t events;          /* private: the newest of them in their pool, plus one; 0: none */
	uint8_t icmp_type;        /* the last ICMP error about this flow; 0: there was none */
	uint8_t icmp_code;
	uint16_t slot;            /* private, as what follows: the timing wheel's */
	uint32_t next, prev;
	uint64_t active_tick;     /* when the next interval report is due */
};
/* 100,000 of them fit into 40 MB with all that belongs to them. */
_Static_assert(sizeof(struct flow) == 248, "memory");

/* What happened to a flow at one moment. */
enum flow_note_kind {
	FLOW_NOTE_RETRANSMISSION = FLOW_EVENT_RETRANSMISSION,
	FLOW_NOTE_OUT_OF_ORDER = FLOW_EVENT_OUT_OF_ORDER,
	FLOW_NOTE_ZERO_WINDOW = FLOW_EVENT_ZERO_WINDOW,
	FLOW_NOTE_CONGESTION = FLOW_EVENT_CONGESTION,
	FLOW_NOTE_RESET = FLOW_EVENT_MAX, /* a segment with RST */
	FLOW_NOTE_ICMP, /* an ICMP error came that quotes one of its packets */
	FLOW_NOTE_LINK, /* an HTTP request that belongs to a trace of its application */
	FLOW_NOTE_MAX
};

struct flow_note {
	uint64_t mono_ns;
	uint8_t kind; /* enum flow_note_kind */
	uint8_t from; /* endpoint that sent the packet; ICMP: the packet that is quoted */
	uint16_t count; /* retransmissions, out of order, zero windows: how many in this direction
			 * so far, this one included */
	union { /* else zero */
		struct flow_quote quote; /* ICMP */
		struct flow_context context; /* LINK */
	};
};
#define FLOW_NOTES_MAX 16 /* between two reports */

enum flow_report_kind {
	FLOW_REPORT_ROOT,     /* the first of this flow; the only one of a short flow */
	FLOW_REPORT_INTERVAL, /* a further one, the flow goes on */
	FLOW_REPORT_END       /* the last one of a flow that had a root before */
};

struct flow_report {
	enum flow_report_kind kind;
	enum flow_end_reason reason; /* FLOW_ACTIVE_TIMEOUT: the flow goes on */
	bool is_final;               /* no report of this flow follows */
	uint64_t start_mono_ns;      /* ROOT, END: the flow's first packet; INTERVAL: where the last
				      * report ended */
	uint64_t end_mono_ns;        /* last packet known; never before the start */
	const union flow_detail *detail; /* flow mode: of both directions, as the kernel has it;
					  * NULL: unknown */
	/* Packet mode: what the samples of both directions stand for, from the flow's beginning on,
	 * and as it was in the last report. NULL: flow mode. */
	const struct flow_estimate *estimate, *estimate_before;
	const struct flow_note *notes; /* what happened since the last report, in order of time; one
					* may be of before this one's start, or, of ICMP, of after
					* its end */
	uint32_t notes_len;
	uint32_t notes_dropped; /* more that happened, and found no room */
};

struct flow_table_ops {
	/* The kernel's state of @key: copied (peek), or copied and removed (take). 0; -ENOENT. */
	int (*peek)(void *ctx, const struct flow_key *key, struct flow_state *ret);
	int (*take)(void *ctx, const struct flow_key *key, struct flow_state *ret);
	/* A report; flow->totals minus flow->reported is what is new since the last one. May set
	 * flow->tag; @f is valid only during the call. */
	void (*report)(void *ctx, struct flow *f, const struct flow_report *r);
	void *ctx;
};

struct flow_table_opts {
	size_t max_flows;           /* at least 1 */
	uint64_t active_timeout_ns; /* a flow this long unreported gets an interval report */
	uint64_t idle_timeout_ns;   /* silence that ends a flow: all but established TCP */
	uint64_t tcp_idle_timeout_ns; /* same for TCP that carried packets both ways */
	uint64_t linger_ns; /* silence after a TCP end before the state is taken; 2 s: the kernel
			     * may still hold the element it looked up */
	bool by_packets;    /* packet mode: totals are of samples, info.interval is N */
};

struct flow_table;

/* 0 and *ret set, or -EINVAL, -ENOMEM. Free with flow_table_destroy(). */
int flow_table_create(struct flow_table **ret, const struct flow_table_opts *opts,
		      const struct flow_table_ops *ops);
void flow_table_destroy(struct flow_table *t); /* NULL is allowed; reports nothing */

/* Accounts @n records (version and size already checked; a LAST one is a flow_record_last; a
 * PAYLOAD one is but its head, with the context), prefetching in batches of 32. @clock_offset_ns is
 * used for flows that begin here. A full table ends the flow nearest to its timeout with
 * FLOW_LACK_OF_RESOURCES to make room. */
void flow_table_add(struct flow_table *t, const struct flow_record *const *records, size_t n,
		    int64_t clock_offset_ns);

/* Takes up a flow found in the kernel's map, if it is not known: its records were lost. @hash: of
 * @key. */
void flow_table_adopt(struct flow_table *t, uint64_t hash, const struct flow_key *key,
		      int64_t clock_offset_ns);

/* Reports what is due at @now_mono_ns: timeouts, ends, intervals. Handles at most @budget flows;
 * returns how many, so that the caller can drain the ring in between. */
size_t flow_table_advance(struct flow_table *t, uint64_t now_mono_ns, size_t budget);

/* Ends all flows: FLOW_END_DETECTED for those that had ended, FLOW_FORCED_END for the others. */
void flow_table_finish(struct flow_table *t);

/* seen = reported + held + all the others. */
struct flow_event_stats {
	uint64_t seen; /* what records told of */
	uint64_t reported;
	uint64_t held; /* for the next reports */
	uint64_t flow_limit; /* left out: more than FLOW_NOTES_MAX between two reports */
	uint64_t no_flow; /* ICMP errors about a flow that is not, or no longer, known */
	uint64_t pool_full; /* lost: too many at once, over all flows */
	uint64_t late; /* lost: of a generation that had ended, or whose predecessor had not */
};

struct flow_table_stats {
	uint64_t flows_begun;
	uint64_t flows_ended;    /* final reports made */
	uint64_t flows_held;     /* = begun - ended */
	uint64_t reports;        /* spans asked for, all kinds */
	uint64_t pkts_ended;     /* packets in final reports */
	uint64_t pkts_held;      /* packets known of flows held */
	uint64_t records;        /* taken by flow_table_add */
	uint64_t records_late;   /* of those: of a generation that had ended already */
	uint64_t flows_adopted;
	uint64_t flows_incomplete; /* ended flows whose totals came from records alone */
	uint64_t flows_evicted;  /* ended by FLOW_LACK_OF_RESOURCES */
	struct flow_event_stats events;
};
void flow_table_stats(const struct flow_table *t, struct flow_table_stats *ret);

/* Calls @fn for each flow, in no order, with what is known of it; the kernel may know more. */
typedef void (*flow_table_fn)(void *ctx, const struct flow *f);
void flow_table_each(const struct flow_table *t, flow_table_fn fn, void *ctx);

const char *flow_end_reason_name(enum flow_end_reason r); /* "idle timeout", … */

#endif /* USER_FLOW_TABLE_H */
