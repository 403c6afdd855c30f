/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_events - what happened to a flow, until the report that tells it: a private part of
 * flow_table.
 *
 * Most flows have no events, so a flow holds but an index; the notes are in a pool that all flows
 * of a table share, in memory that is touched only as they come. Both bounds, the pool's and the
 * flow's, are counted where they cut something off. Pure; one thread.
 */
#ifndef USER_FLOW_EVENTS_H
#define USER_FLOW_EVENTS_H

#include "user/flow_table.h"

/* Of a flow's notes between two reports, at most so many are of single segments and requests: there
 * is always room to tell of a reset or an ICMP error. */
#define FLOW_NOTES_OF_SEGMENTS 12

struct flow_event_node;

struct flow_events {
	struct flow_event_node *nodes; /* the first @used have been in use */
	uint32_t cap, used;
	uint32_t free; /* list of those given back: index plus one; 0: none */
	struct flow_event_stats stats;
};

/* Room for a quarter as many notes as flows, an ICMP error taking two. -ENOMEM. */
int flow_events_init(struct flow_events *e, size_t max_flows);
void flow_events_reset(struct flow_events *e); /* zeroed, or half-built, is allowed */

/* Something happened to @f: kept in the order of time, or counted as left out. @f NULL: to a flow
 * that is not known, or not any more. */
void flow_events_add(struct flow_events *e, struct flow *f, const struct flow_note *note);
void flow_events_late(struct flow_events *e); /* to a generation that is over, or not known yet */

/* The notes of @f in the order of time, no longer in the pool; returns how many. Sets *ret_dropped
 * to how many more there were. */
unsigned flow_events_take(struct flow_events *e, struct flow *f,
			  struct flow_note ret[FLOW_NOTES_MAX], uint32_t *ret_dropped);

#endif /* USER_FLOW_EVENTS_H */
