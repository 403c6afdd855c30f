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
 * comes in between is counted in. A segment train is one packet here.
 */
#ifndef KERN_COST_BPF_H
#define KERN_COST_BPF_H

#include "kern/count.bpf.h"
#include "kern/maps.bpf.h"

#define COST_SECOND_NS 1000000000LL

/* The packet that was timed last: read for each packet, written once or twice a tick, and so shared
 * by all CPUs and interfaces. Here and not in a variable of the programs, since their stack is
 * full; two CPUs that time a packet at once lose one of the two. */
volatile __u64 cost_tick[FLOW_HOOK_MAX]; /* at which it came */
volatile __u64 cost_start_ns[FLOW_HOOK_MAX]; /* moved on by what reading the clock takes */
volatile __u64 cost_cpu[FLOW_HOOK_MAX]; /* that has it in hand, plus 1; 0: none */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOW_HOOK_MAX); /* times the interfaces, set at load */
	__type(key, __u32);
	__type(value, struct flow_cost);
} flow_costs SEC(".maps");

/* Apart, since it is rare. */
__noinline int cost_start(__u32 hook, __u64 tick)
{
	__u64 before;

	hook &= 1; /* as it is, but the verifier does not know */
	cost_tick[hook] = tick;
	cost_cpu[hook] = bpf_get_smp_processor_id() + 1;
	before = bpf_ktime_get_ns();
	cost_start_ns[hook] = 2 * bpf_ktime_get_ns() - before;
	return 0;
}

/* To be called first. */
static __always_inline void cost_begin(enum flow_hook hook)
{
	__u64 tick = bpf_jiffies64();

	if (__builtin_expect(tick != cost_tick[hook], 0))
		cost_start(hook, tick);
}

__noinline int cost_note(__u32 hook)
{
	__u32 index = if_slot * FLOW_HOOK_MAX + hook, slot;
	__s64 ns = bpf_ktime_get_ns() - cost_start_ns[hook & 1];
	struct flow_cost *c;

	if (cost_cpu[hook & 1] != bpf_get_smp_processor_id() + 1)
		return 0; /* another packet */
	cost_cpu[hook & 1] = 0;
	c = bpf_map_lookup_elem(&flow_costs, &index);
	if (!c)
		return 0;
	if (ns < 1)
		ns = 1; /* quicker than the clock tells */
	c->sum_ns += ns;
	if (ns > COST_SECOND_NS)
		ns = COST_SECOND_NS;
	/* rounded up, so that what is above a bound stays above it */
	slot = count_log2_slot((((__u64)ns << FLOW_COST_UNIT_LOG2) + COST_SECOND_NS - 1) /
			       (__u64)COST_SECOND_NS);
	c->slot[slot < FLOW_COST_SLOTS ? slot : FLOW_COST_SLOTS - 1]++;
	return 0;
}

/* To be called last. */
static __always_inline void cost_end(enum flow_hook hook)
{
	if (__builtin_expect(cost_cpu[hook] != 0, 0))
		cost_note(hook);
}

#endif /* KERN_COST_BPF_H */
