/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * clock - monotonic time, and its offset to UTC, re-measured so that a step is noticed.
 *
 * One object a thread. A flow keeps the offset of its first record, so a step bends no trace.
 */
#ifndef USER_CLOCK_H
#define USER_CLOCK_H

#include <stdint.h>

struct clock_sync {
	int64_t offset_ns;  /* unix = mono + offset */
	uint64_t steps;     /* changes of more than 1 ms seen so far */
	int64_t last_step_ns;
	uint64_t next_mono_ns; /* when to measure again */
};

uint64_t clock_mono_ns(void);

void clock_sync_init(struct clock_sync *c);
/* Measures when a second has passed; returns 1 if the wall clock stepped, else 0. */
int clock_sync_update(struct clock_sync *c, uint64_t now_mono_ns);

#endif /* USER_CLOCK_H */
