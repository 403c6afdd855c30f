/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_wheel - which flows are to be looked at next: one turn of a timing wheel.
 *
 * Insert and remove cost the same however many flows there are, and nothing is ever scanned. What
 * is due later than one turn waits in the farthest slot and is handed out early: the owner looks
 * again and puts it back. Flows are linked by their index in the owner's pool. Pure; one thread.
 */
#ifndef USER_FLOW_WHEEL_H
#define USER_FLOW_WHEEL_H

#include <stdint.h>

#include "user/flow_table.h"

#define FLOW_TICK_NS 50000000ULL
#define FLOW_WHEEL_SLOTS 2048 /* of a tick each: 102 s a turn; a power of two */
#define FLOW_NONE UINT32_MAX

struct flow_wheel {
	uint64_t tick; /* every earlier slot is empty */
	uint64_t occupied[FLOW_WHEEL_SLOTS / 64]; /* a bit for each slot that has flows */
	uint32_t head[FLOW_WHEEL_SLOTS];
};

void flow_wheel_init(struct flow_wheel *w);

/* Puts flow @i, which is in no slot, where it comes out at @due_tick or before. */
void flow_wheel_insert(struct flow_wheel *w, struct flow *flows, uint32_t i, uint64_t due_tick);
void flow_wheel_remove(struct flow_wheel *w, struct flow *flows, uint32_t i);

/* When flow @i comes out. */
uint64_t flow_wheel_due(const struct flow_wheel *w, const struct flow *f);

/* The next flow that comes out at @tick or before, left in its slot; FLOW_NONE: none, and the wheel
 * has turned to @tick. */
uint32_t flow_wheel_next(struct flow_wheel *w, uint64_t tick);

/* The first flow of the slot that comes next, from @tick on (at most a turn ahead); FLOW_NONE: no
 * flow there. Sets *ret_tick to the slot's. */
uint32_t flow_wheel_peek(const struct flow_wheel *w, uint64_t tick, uint64_t *ret_tick);

#endif /* USER_FLOW_WHEEL_H */
