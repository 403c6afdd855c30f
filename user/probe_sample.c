/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rate while running. A threshold that rises would cut flows that are kept already; so the
 * programs are told how low the thresholds were that flows which are alive began under, and look
 * for the state of whatever is between. That costs a lookup for each such packet, so it ends when
 * the last of these flows has: the flow map is looked through for them, at most a fiftieth of the
 * time.
 *
 * A threshold that falls would let flows in from their middle on which had been rejected; the kept
 * ones stand for them already. So the programs are told the highest threshold so far. Nothing ever
 * says that the last rejected flow has ended, so this one stays.
 */
#include <stdatomic.h>

#include "flow.skel.h"
#include "user/clock.h"
#include "user/probe_impl.h"

#define SAMPLE_LOOK_NS 2000000000ULL
#define SAMPLE_LOOK_SHARE 50

/* The lowest threshold that a flow may have begun under. */
static uint64_t sampling_floor(const struct probe *p)
{
	uint64_t threshold = p->maps->bss->sample_threshold, before = p->maps->bss->sample_before;

	return before && before - 1 < threshold ? before - 1 : threshold;
}

void probe_sampling(const struct probe *p, struct probe_sampling *ret)
{
	*ret = (struct probe_sampling){
		.mode = p->o->sample_mode,
		.n = p->sample_n,
		.threshold = p->maps->bss->sample_threshold,
		.floor = sampling_floor(p),
	};
}

/* In an order in which no packet can see a threshold that rose, or fell, without what was before.
 */
static void sampling_write(struct probe *p, uint64_t threshold, uint64_t floor)
{
	if (floor < threshold)
		p->maps->bss->sample_before = floor + 1;
	if (p->maps->bss->sample_ceiling < p->maps->bss->sample_threshold)
		p->maps->bss->sample_ceiling = p->maps->bss->sample_threshold;
	atomic_thread_fence(memory_order_seq_cst);
	p->maps->bss->sample_threshold = threshold;
	atomic_thread_fence(memory_order_seq_cst);
	if (floor >= threshold)
		p->maps->bss->sample_before = 0;
}

void probe_set_sampling(struct probe *p, uint64_t n)
{
	uint64_t threshold;
	char th[15];

	p->sample_n = n;
	if (p->o->sample_mode == OPTIONS_SAMPLE_PACKET) {
		p->maps->bss->sample_interval = n;
		return;
	}
	options_sample_threshold(n, &threshold, th);
	sampling_write(p, threshold, sampling_floor(p));
	p->sample_look_mono_ns = clock_mono_ns() + SAMPLE_LOOK_NS;
}

/* What the programs' lookups are for: flows that the present threshold would reject. */
struct sampling_look {
	uint64_t threshold, lowest;
};

static void sampling_see(void *ctx, uint64_t hash, const struct flow_key *key,
			 const struct flow_state *s)
{
	struct sampling_look *look = ctx;

	(void)key;
	if ((hash & FLOW_R_MASK) < look->threshold && !s->info.is_closed &&
	    s->info.threshold < look->lowest)
		look->lowest = s->info.threshold;
}

void probe_tick_sampling(struct probe *p)
{
	struct sampling_look look = {p->maps->bss->sample_threshold,
				     p->maps->bss->sample_threshold};
	uint64_t begun_ns = clock_mono_ns(), took_ns;

	if (!p->maps->bss->sample_before || begun_ns < p->sample_look_mono_ns)
		return;
	if (!probe_flow_each(p, sampling_see, &look))
		sampling_write(p, look.threshold, look.lowest);
	took_ns = clock_mono_ns() - begun_ns;
	p->sample_look_mono_ns = begun_ns + SAMPLE_LOOK_NS + SAMPLE_LOOK_SHARE * took_ns;
}
