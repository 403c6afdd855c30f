/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_wheel.h"

#include <string.h>

/*
 * A slot is a doubly linked list through the pool; a bit for each slot lets the wheel step over
 * empty ones. The current slot may receive flows that are overdue, and none is ever put behind it,
 * so the flows in slot (tick + n) % SLOTS come out at exactly tick + n.
 */

#define SLOT_MASK (FLOW_WHEEL_SLOTS - 1)

void flow_wheel_init(struct flow_wheel *w)
{
	w->tick = 0;
	memset(w->occupied, 0, sizeof(w->occupied));
	memset(w->head, 0xff, sizeof(w->head));
}

void flow_wheel_insert(struct flow_wheel *w, struct flow *flows, uint32_t i, uint64_t due_tick)
{
	struct flow *f = &flows[i];
	uint32_t slot;

	if (due_tick < w->tick)
		due_tick = w->tick;
	if (due_tick > w->tick + SLOT_MASK)
		due_tick = w->tick + SLOT_MASK;
	slot = due_tick & SLOT_MASK;
	f->slot = slot;
	f->prev = FLOW_NONE;
	f->next = w->head[slot];
	if (f->next != FLOW_NONE)
		flows[f->next].prev = i;
	w->head[slot] = i;
	w->occupied[slot / 64] |= 1ULL << (slot % 64);
}

void flow_wheel_remove(struct flow_wheel *w, struct flow *flows, uint32_t i)
{
	struct flow *f = &flows[i];

	if (f->next != FLOW_NONE)
		flows[f->next].prev = f->prev;
	if (f->prev != FLOW_NONE)
		flows[f->prev].next = f->next;
	else
		w->head[f->slot] = f->next;
	if (w->head[f->slot] == FLOW_NONE)
		w->occupied[f->slot / 64] &= ~(1ULL << (f->slot % 64));
}

uint64_t flow_wheel_due(const struct flow_wheel *w, const struct flow *f)
{
	return w->tick + ((f->slot - w->tick) & SLOT_MASK);
}

uint32_t flow_wheel_peek(const struct flow_wheel *w, uint64_t tick, uint64_t *ret_tick)
{
	uint64_t end = w->tick + FLOW_WHEEL_SLOTS, bits;
	uint32_t slot;

	while (tick < end) {
		slot = tick & SLOT_MASK;
		bits = w->occupied[slot / 64] >> (slot % 64);
		if (!bits) {
			tick += 64 - slot % 64;
			continue;
		}
		tick += __builtin_ctzll(bits);
		if (tick >= end)
			break;
		*ret_tick = tick;
		return w->head[tick & SLOT_MASK];
	}
	return FLOW_NONE;
}

uint32_t flow_wheel_next(struct flow_wheel *w, uint64_t tick)
{
	uint64_t found = 0;
	uint32_t i = flow_wheel_peek(w, w->tick, &found);

	if (i != FLOW_NONE && found <= tick) {
		w->tick = found;
		return i;
	}
	if (tick > w->tick)
		w->tick = tick;
	return FLOW_NONE;
}
