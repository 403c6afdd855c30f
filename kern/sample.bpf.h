/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sample - packet mode: one packet in N, on average; which one, nobody can foresee.
 *
 * Each CPU counts down to its next sample. The gap from one sample to the next is uniform in
 * 1..2N-1, so that traffic with a rhythm cannot fall in step with it; N = 1 takes every packet. A
 * packet costs a lookup and a subtraction; random numbers are drawn when a sample is taken.
 *
 * Why it is unbiased: the first wait is not a gap, but what is left of one at a moment that knows
 * nothing of it. Its law, with r the packets until the sample, that one included, is P(r > m) =
 * sum(P(gap > k), k >= m) / N = (2N-m)(2N-1-m) / (2N (2N-1)): that of 1 + the smaller of two
 * numbers, uniform in 0..2N-1 and in 0..2N-2. From then on each packet, the very first one too, is
 * taken with probability exactly 1/N and stands for N packets. When N changes the wait is drawn
 * anew, in the same way for the new N: as if one had begun at this packet, whatever was before. To
 * stretch what was left would not do: its law depends on more than its mean (at N = 1 it is always
 * 1). So the change takes effect at once, with the packets before it right by the old N, those
 * after it by the new one. Only who changes N in answer to single samples would bend the sum, by
 * less than one gap for each change.
 */
#ifndef KERN_SAMPLE_BPF_H
#define KERN_SAMPLE_BPF_H

#include "kern/maps.bpf.h"

const volatile bool sample_packets; /* packet mode; fixed at load */
volatile __u64 sample_interval; /* N in force, 1..2^31; moves while running */

/* One CPU's. */
struct sample_state {
	__u64 left; /* packets until the next sample, that one included */
	__u64 interval; /* N that it was drawn for; 0: not begun */
	__u64 random; /* 0: to be seeded */
	__u64 taken; /* samples in the packet or train that was looked at last, */
	__u64 pkts; /* and its packets after the last one of them */
	__u64 pad[3]; /* a cache line */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample_state);
} sample_states SEC(".maps");

static __always_inline struct sample_state *sample_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sample_states, &zero);
}

/* Uniform in 0..@n-1 for n up to 2^32: the high half of splitmix64's next number times n. */
static __always_inline __u64 sample_below(__u64 *random, __u64 n)
{
	__u64 x = *random += 0x9E3779B97F4A7C15ULL;

	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
	x ^= x >> 31;
	return ((x >> 32) * n + (((x & 0xffffffff) * n) >> 32)) >> 32;
}

static __always_inline __u64 sample_gap(__u64 *random, __u64 interval)
{
	return 1 + sample_below(random, 2 * interval - 1);
}

/* What is left of a gap at a moment that knows nothing of it. */
static __always_inline __u64 sample_first(__u64 *random, __u64 interval)
{
	__u64 a = sample_below(random, 2 * interval), b = sample_below(random, 2 * interval - 1);

	return 1 + (a < b ? a : b);
}

/* Takes the next sample of the packets at hand, if there is one among them. It works on the map's
 * value, which no verifier follows step by step. */
static long sample_step(__u32 step, void *ctx)
{
	struct sample_state *s = sample_here();

	(void)step;
	(void)ctx;
	if (!s || s->left > s->pkts)
		return 1;
	s->pkts -= s->left;
	s->left = sample_gap(&s->random, s->interval);
	s->taken++;
	return 0;
}

/* A sample is due, or the interval is another one. Apart, since it is rare. */
static __noinline __u32 sample_due(__u32 pkts)
{
	struct sample_state *s = sample_here();
	__u64 interval = sample_interval;

	if (!s)
		return 0;
	if (!interval)
		interval = 1;
	if (!s->random)
		s->random = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
	if (s->interval != interval)
		s->left = sample_first(&s->random, interval);
	s->interval = interval;
	s->pkts = pkts;
	s->taken = 0;
	sample_step(0, NULL);
	if (s->left <= s->pkts)
		bpf_loop(pkts, sample_step, NULL, 0);
	s->left -= s->pkts;
	return s->taken;
}

/* How many of @pkts packets are samples. */
static __always_inline __u32 sample_take(__u32 pkts)
{
	struct sample_state *s = sample_here();

	if (!s)
		return 0;
	if (s->interval == sample_interval && s->left > pkts) {
		s->left -= pkts;
		return 0;
	}
	return sample_due(pkts);
}

#endif /* KERN_SAMPLE_BPF_H */
