/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * emit - a record into the ring of the worker that owns the flow.
 *
 * The top 8 bits of the hash choose the worker, the low 56 the sampling: independent. Never wakes
 * the reader, which drains by the clock: a wake-up costs more than all the rest.
 */
#ifndef KERN_EMIT_BPF_H
#define KERN_EMIT_BPF_H

#include "kern/maps.bpf.h"

/* Room for one record of @size (a constant) bytes, counted as submitted: the caller must submit it.
 * NULL: full, counted. */
static __always_inline void *emit_reserve(__u64 hash, __u32 size)
{
	__u32 worker = ((hash >> 56) * ring_count) >> 8;
	struct flow_ring_stats *stats;
	void *r = NULL;
	void *ring;

	stats = bpf_map_lookup_elem(&ring_stats, &worker);
	if (!stats)
		return NULL;
	ring = bpf_map_lookup_elem(&flow_rings, &worker);
	if (ring)
		r = bpf_ringbuf_reserve(ring, size, 0);
	if (!r) {
		stats->lost_full++;
		return NULL;
	}
	stats->submitted++;
	return r;
}

/* What was reserved is not needed: takes its place in the count back. The caller discards it. */
static __always_inline void emit_undo(__u64 hash)
{
	__u32 worker = ((hash >> 56) * ring_count) >> 8;
	struct flow_ring_stats *stats = bpf_map_lookup_elem(&ring_stats, &worker);

	if (stats)
		stats->submitted--;
}

static __always_inline void emit_submit(void *r)
{
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

/* Times that need not be exact: a shift instead of a division for each packet. */
#define EMIT_TIME_SHIFT 20 /* units of 2^20 ns */
#define EMIT_SECOND (1000000000 >> EMIT_TIME_SHIFT)

/* When a flow's packet is worth a record: the first four, each doubling, each that opens or closes
 * a connection, and otherwise at most one a second or an eighth of the flow's age. A segment train
 * counts all its packets at once, so "doubled" means that the highest bit of the total moved. */
static __always_inline bool emit_is_due(__u64 before, __u64 after, __u8 tcp_flags, __u32 since,
					__u32 age)
{
	__u32 gap = age / 8 > EMIT_SECOND ? age / 8 : EMIT_SECOND;

	return before < 4 || (before ^ after) > before ||
	       (tcp_flags & (FLOW_TCP_SYN | FLOW_TCP_FIN | FLOW_TCP_RST)) || since >= gap;
}

#endif /* KERN_EMIT_BPF_H */
