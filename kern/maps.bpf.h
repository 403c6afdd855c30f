/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps - what the programs share with each other and with user space.
 *
 * Each watched interface has its own instance of the programs, with its own constants; the maps and
 * the knobs are the first instance's, reused by the others.
 */
#ifndef KERN_MAPS_BPF_H
#define KERN_MAPS_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "kern/flow_abi.h"
#include "kern/parse.bpf.h"

/* Constants of an instance, fixed at load. */
const volatile __u32 if_slot;
const volatile bool if_is_l3; /* no link-layer header */
const volatile bool
	if_is_looped; /* loopback: each packet passes twice, flows take the receive side */
const volatile bool trace_links; /* tell the beginning of HTTP requests */
const volatile bool decap; /* flows of tunnelled packets are those inside */
const volatile __u32 ring_count = 1;
const volatile __u64 site_key[4];

/* The knobs that move while running: aligned words, so a reader never sees half of one. Flows are
 * begun from the threshold on. After it rose, flows that began below it are alive: sample_before is
 * 1 + the lowest threshold that one of them began under; 0: there are none. sample_ceiling is the
 * highest threshold that was in force before, so far; 0: there was no other. A connection whose
 * beginning was not seen may have been judged by it, and is judged by it again: else some of those
 * that were rejected, and that the kept ones stand for, would come in on top of them. */
volatile __u64 sample_threshold;
volatile __u64 sample_before;
volatile __u64 sample_ceiling;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOW_COUNTERS_PER_IF); /* times the interfaces, set at load */
	__type(key, __u32);
	__type(value, struct flow_counter);
} flow_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_stats);
} flow_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOW_MAX_WORKERS);
	__type(key, __u32);
	__type(value, struct flow_ring_stats);
} ring_stats SEC(".maps");

/* Never an LRU map: that forgets silently. Not preallocated: a flow costs memory only while it
 * lives, at the same speed (kernel 6.1 and later). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* set at load */
	__type(key, struct flow_key);
	__type(value, struct flow_state);
} flow_states SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* workers, set at load */
	__type(key, __u32);
	__array(values, struct ring);
} flow_rings SEC(".maps");

/* Headers of a buffer whose linear part does not hold them, or that may be a tunnel's. */
struct headers_copy {
	__u8 data[PKT_HEADERS_MAX + 64];
	__u64 hash; /* of their flow, once counted */
	struct pkt inner; /* what the tunnel carries */
	__u32 len; /* of data */
	bool is_tunnel; /* inner is valid */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct headers_copy);
} headers_copies SEC(".maps");

static __always_inline void stat_add(enum flow_stat which, __u64 n)
{
	struct flow_stats *s;
	__u32 zero = 0;

	s = bpf_map_lookup_elem(&flow_stats, &zero);
	if (s)
		s->stat[which] += n;
}

#endif /* KERN_MAPS_BPF_H */
