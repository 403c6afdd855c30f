/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_life - one flow from its first packet to its last report: a private part of flow_table.
 *
 * Says what new totals mean for what is known, when a flow is due, and how it ends. Flows are named
 * by their index @i in the pool.
 */
#ifndef USER_FLOW_LIFE_H
#define USER_FLOW_LIFE_H

#include "user/flow_events.h"
#include "user/flow_index.h"
#include "user/flow_table.h"
#include "user/flow_wheel.h"

/* Of an incomplete flow, beside the pool: touched by such flows only. */
struct flow_rest {
	struct flow_counts base[2]; /* not in the kernel's totals */
	uint64_t state_mono_ns; /* which kernel state: its first packet */
	bool has_state; /* there is one, and its totals are in the flow's */
	struct flow_estimate estimate[2]; /* packet mode: of the base */
};

struct flow_table {
	struct flow_table_opts opts;
	struct flow_table_ops ops;
	struct flow *flows; /* the pool; the first @used have been in use */
	struct flow_rest *rest;
	/* Packet mode: as of the last report of a flow that goes on, touched by such flows only;
	 * else NULL. */
	struct flow_estimate (*estimated)[2];
	uint32_t hand; /* where the search for a flow to evict goes on */
	uint32_t used;
	uint32_t free; /* list of those given back, last first */
	uint64_t active_ticks;
	struct flow_index index;
	struct flow_wheel wheel;
	union flow_detail detail[2]; /* of the flow at hand, for its next report */
	bool has_detail;
	struct flow_events events;
	struct flow_table_stats stats;
};

static inline uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The first wheel tick at or after a time. */
static inline uint64_t tick_after(uint64_t mono_ns)
{
	return mono_ns / FLOW_TICK_NS + (mono_ns % FLOW_TICK_NS != 0);
}

/* Makes the entry the flow that @info begins; key and place stay. */
void flow_renew(struct flow_table *t, struct flow *f, const struct flow_info *info);

/* How long a flow in this state may be silent. */
uint64_t flow_patience(const struct flow_table *t, const struct flow *f);

/* When the flow's silence is too long; when it is to be looked at, for that or for an interval. */
uint64_t flow_deadline(const struct flow_table *t, const struct flow *f);
uint64_t flow_due_tick(const struct flow_table *t, const struct flow *f);

/* Whatever makes the deadline come earlier must hasten the flow; the rest waits until it comes out
 * of the wheel. */
void flow_schedule(struct flow_table *t, uint32_t i, uint64_t due_tick);
void flow_hasten(struct flow_table *t, uint32_t i);

/* Something newer than this generation was seen, but not its end: wait for that a while. */
void flow_await_last(struct flow_table *t, uint32_t i, uint64_t now_mono_ns);

/* The flow is, or was, without kernel state; @state_mono_ns tells which state its totals are of, by
 * its first packet: later ones add to it. */
void flow_mark_incomplete(struct flow_table *t, uint32_t i, uint64_t state_mono_ns, bool has_state);

/* Which kernel state the totals are of, by its first packet. */
uint64_t flow_state_known(const struct flow_table *t, uint32_t i);

/* Whether totals with this @info are the flow's: of the kernel state known or of one that came
 * after it, and of the present generation or a newer one. Prepares to add to the former state's. */
bool flow_accepts(struct flow_table *t, uint32_t i, const struct flow_info *info);
/* The same for a state that was found in the map just now: nothing else will report it. */
bool flow_accepts_truth(struct flow_table *t, uint32_t i, const struct flow_info *info);

/* Takes in totals of the flow's generation. @is_truth: read from the map just now; otherwise they
 * may be older than what is known. What was reported is never taken back. */
void flow_merge(struct flow_table *t, uint32_t i, const struct flow_info *info,
		const struct flow_totals totals[2], bool is_truth);

/* The kernel's detail of the flow that is reported next. */
void flow_know_detail(struct flow_table *t, const union flow_detail *dir0,
		      const union flow_detail *dir1);

/* Packet mode: samples that no kernel state counts, each for @interval packets. */
void flow_estimate_add(struct flow_estimate *e, uint64_t pkts, uint64_t bytes, uint64_t interval);

void flow_report(struct flow_table *t, uint32_t i, enum flow_end_reason reason);

/* The last report. The entry is the caller's to remove or renew. */
void flow_end(struct flow_table *t, uint32_t i, enum flow_end_reason reason);
void flow_remove(struct flow_table *t, uint32_t i);

/* The generation known is over; the entry goes on as a newer one. */
void flow_succeed(struct flow_table *t, uint32_t i, const struct flow_info *info,
		  const struct flow_totals totals[2], bool is_truth);

/* Takes the kernel's state, makes the last report and removes the flow. A connection that began on
 * the tuple in this very moment is ended too if @is_stopping, else it goes on, without state. */
void flow_conclude(struct flow_table *t, uint32_t i, enum flow_end_reason reason, bool is_stopping);

#endif /* USER_FLOW_LIFE_H */
