/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pace - when to try again after failures: exponential backoff with jitter (OTLP 1.x, sections
 * OTLP/HTTP Throttling and All Other Responses). Pure; times are monotonic nanoseconds.
 */
#ifndef OTLP_PACE_H
#define OTLP_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct otlp_pace_opts {
	uint32_t first_ms; /* the first wait, before jitter of half to one and a half */
	uint32_t max_ms; /* the longest wait, with jitter */
};

/* Zeroed: all is well. */
struct otlp_pace {
	bool is_down; /* the last attempt failed */
	uint64_t due_mono_ns; /* next attempt */
	uint64_t failed_mono_ns; /* last failure that counted */
	double backoff_ms;
};

/* An attempt that began at @began failed at @now. Those that were under way together count as one
 * failure. The next waits at least @least_ms. Returns for how long, in ms. */
uint64_t otlp_pace_fail(struct otlp_pace *p, const struct otlp_pace_opts *opts,
			uint64_t began_mono_ns, uint64_t now_mono_ns, uint64_t least_ms,
			uint64_t *random);
void otlp_pace_reset(struct otlp_pace *p);

#endif /* OTLP_PACE_H */
