/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_index - flow key → index into a pool of flows, by the kernel's keyed hash.
 *
 * Open addressing, linear probing, at most half full, deletion by shifting back: no tombstones, so
 * its speed does not depend on its history. A slot is 8 bytes:
 *
 *   0      4       8
 *   | tag  | entry |    tag: 32 bits of the hash, whose low bits are the home slot;
 *                       entry: pool index + 1, 0 is a free slot
 *
 * so that a lookup touches one line here and then, nearly always, only the right flow. Inline: a
 * batch of lookups is interleaved by the caller.
 */
#ifndef USER_FLOW_INDEX_H
#define USER_FLOW_INDEX_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/flow_wheel.h"

struct flow_index_slot {
	uint32_t tag;
	uint32_t entry;
};

struct flow_index {
	struct flow_index_slot *slots;
	uint32_t mask;
	uint32_t len; /* slots in use */
};

#define FLOW_INDEX_FIRST 4096 /* slots at the start */

/* -ENOMEM. */
static inline int flow_index_init(struct flow_index *x)
{
	x->slots = calloc(FLOW_INDEX_FIRST, sizeof(*x->slots));
	x->mask = FLOW_INDEX_FIRST - 1;
	x->len = 0;
	return x->slots ? 0 : -ENOMEM;
}

static inline void flow_index_reset(struct flow_index *x)
{
	free(x->slots);
	x->slots = NULL;
}

/* The hash is the same on every interface, and sampling and sharding have used up its high bits. */
static inline uint32_t flow_index_tag(uint64_t hash, uint16_t if_slot)
{
	return ((hash ^ (uint64_t)if_slot << 40) * 0x9E3779B97F4A7C15ULL) >> 32;
}

static inline void flow_index_prefetch(const struct flow_index *x, uint32_t tag)
{
	__builtin_prefetch(&x->slots[tag & x->mask]);
}

/* The flow that a lookup of @tag will look at first; a hint. */
static inline void flow_index_prefetch_flow(const struct flow_index *x, const struct flow *flows,
					    uint32_t tag)
{
	struct flow_index_slot s = x->slots[tag & x->mask];
	const char *f;

	if (!s.entry)
		return;
	f = (const char *)&flows[s.entry - 1];
	__builtin_prefetch(f, 1);
	__builtin_prefetch(f + 64, 1);
	__builtin_prefetch(f + 128, 1);
}

static inline uint32_t flow_index_find(const struct flow_index *x, const struct flow *flows,
				       uint32_t tag, const struct flow_key *key)
{
	uint32_t at = tag & x->mask;

	for (; x->slots[at].entry; at = (at + 1) & x->mask) {
		if (x->slots[at].tag == tag &&
		    !memcmp(&flows[x->slots[at].entry - 1].key, key, sizeof(*key)))
			return x->slots[at].entry - 1;
	}
	return FLOW_NONE;
}

static inline void flow_index_insert(struct flow_index *x, uint32_t tag, uint32_t i)
{
	uint32_t at = tag & x->mask;

	while (x->slots[at].entry)
		at = (at + 1) & x->mask;
	x->slots[at].tag = tag;
	x->slots[at].entry = i + 1;
	x->len++;
}

/* Room for one more, the table staying at most half full: it doubles when it must. It is not made
 * for the most flows from the start, since entries are spread all over it: a few thousand would
 * touch every page. -ENOMEM: it cannot grow and is too full to go on; before that it only gets
 * slower. */
static inline int flow_index_make_room(struct flow_index *x)
{
	struct flow_index old = *x;
	uint32_t at;

	if (2 * ((uint64_t)x->len + 1) <= (uint64_t)x->mask + 1)
		return 0;
	x->slots = calloc(2 * ((size_t)old.mask + 1), sizeof(*x->slots));
	if (!x->slots) {
		*x = old;
		return x->len < x->mask - x->mask / 8 ? 0 : -ENOMEM;
	}
	x->mask = 2 * old.mask + 1;
	x->len = 0;
	for (at = 0; at <= old.mask; at++)
		if (old.slots[at].entry)
			flow_index_insert(x, old.slots[at].tag, old.slots[at].entry - 1);
	free(old.slots);
	return 0;
}

/* @i is there, under @tag. */
static inline void flow_index_remove(struct flow_index *x, uint32_t tag, uint32_t i)
{
	uint32_t hole = tag & x->mask, at;

	while (x->slots[hole].entry != i + 1)
		hole = (hole + 1) & x->mask;
	for (at = (hole + 1) & x->mask; x->slots[at].entry; at = (at + 1) & x->mask) {
		/* may this one move into the hole, or is its home behind it? */
		if (((at - x->slots[at].tag) & x->mask) < ((at - hole) & x->mask))
			continue;
		x->slots[hole] = x->slots[at];
		hole = at;
	}
	x->slots[hole].entry = 0;
	x->len--;
}

#endif /* USER_FLOW_INDEX_H */
