/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cost - how long our program takes for a packet: about one of them a timer tick and hook is timed,
 * from its first instruction to its last, everything in between included.
 *
 * The kernel's own statistics would add some 60 ns to each packet. Here a packet pays for reading
 * the tick (inlined, no call), a comparison, and a branch at the end; only the first one that a
 * hook sees after the tick moved pays for the clock. The clock's own time is measured with it, by
 * two readings in a row, and taken off.
 *
 * Which packets are timed bends the figure upwards: the first one after a tick finds colder caches
 * than its followers; of a burst the beginning counts more than the rest; and an interrupt that
 * comes in between is counted in. A segment train is one packet here. CPUs that see the same tick
 * at the same moment may each time a packet: harmless.
 */
#ifndef KERN_COST_BPF_H
#define KERN_COST_BPF_H

#include "kern/count.bpf.h"
#include "kern/maps.bpf.h"

/* The tick at which a packet was timed last: read for each packet, written once a tick, and so
 * shared by all CPUs and interfaces. */
volatile __u64 cost_ticks[FLOW_HOOK_MAX];

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOW_HOOK_MAX); /* times the interfaces, set at load */
	__type(key, __u32);
	__type(value, struct flow_cost);
} flow_costs SEC(".maps");

/* When the packet began, moved on by what reading the clock takes. Apart, since it is rare; and a
 * global function, so that the verifier knows nothing of its result and needs not follow the
 * program twice. */
__noinline __u64 cost_start(__u32 hook, __u64 tick)
{
	__u64 before;

	cost_ticks[hook & 1] = tick;
	before = bpf_ktime_get_ns();
	return 2 * bpf_ktime_get_ns() - before;
}

/* To be called first. What cost_end() wants: 0: this packet is not timed. */
static __always_inline __u64 cost_begin(enum flow_hook hook)
{
	__u64 tick = bpf_jiffies64();

	if (__builtin_expect(tick == cost_ticks[hook], 1))
		return 0;
	return cost_start(hook, tick);
}

__noinline int cost_note(__u32 hook, __u64 start)
{
	__u32 index = if_slot * FLOW_HOOK_MAX + hook;
	struct flow_cost *c = bpf_map_lookup_elem(&flow_costs, &index);
	__s64 ns = bpf_ktime_get_ns() - start;
	__u32 slot;

	if (!c)
		return 0;
	if (ns < 1)
		ns = 1; /* quicker than the clock tells */
	slot = count_log2_slot(ns > 0xffffffff ? 0xffffffff : ns);
	c->sum_ns += ns;
	c->slot[slot < FLOW_COST_SLOTS ? slot : FLOW_COST_SLOTS - 1]++;
	return 0;
}

/* To be called last. */
static __always_inline void cost_end(enum flow_hook hook, __u64 start)
{
	if (__builtin_expect(start, 0))
		cost_note(hook, start);
}

#endif /* KERN_COST_BPF_H */
