/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/pace.h"

#define MS UINT64_C(1000000) /* ns */

/* Uniform in 0.5..1.5. xorshift64: it need only differ between hosts. */
static double jitter(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return 0.5 + (double)(*random >> 11) / (double)(UINT64_C(1) << 53);
}

uint64_t otlp_pace_fail(struct otlp_pace *p, const struct otlp_pace_opts *opts,
			uint64_t began_mono_ns, uint64_t now_mono_ns, uint64_t least_ms,
			uint64_t *random)
{
	double wait_ms = 0;

	if (!p->is_down || began_mono_ns >= p->failed_mono_ns) {
		if (!p->is_down)
			p->backoff_ms = opts->first_ms;
		if (p->backoff_ms > opts->max_ms / 1.5)
			p->backoff_ms = opts->max_ms / 1.5;
		wait_ms = p->backoff_ms * jitter(random);
		p->backoff_ms *= 1.5;
		p->failed_mono_ns = now_mono_ns;
	} else if (p->due_mono_ns > now_mono_ns) {
		wait_ms = (double)(p->due_mono_ns - now_mono_ns) / (double)MS;
	}
	if (wait_ms < (double)least_ms)
		wait_ms = (double)least_ms;
	p->is_down = true;
	p->due_mono_ns = now_mono_ns + (uint64_t)(wait_ms * (double)MS);
	return (uint64_t)wait_ms;
}

void otlp_pace_reset(struct otlp_pace *p)
{
	*p = (struct otlp_pace){0};
}
