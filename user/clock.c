/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CLOCK_MONOTONIC and CLOCK_REALTIME are slewed together, so their offset moves only when the wall
 * clock is set, when it synchronises first, at a leap second or over a suspend. One reading of the
 * two scatters by the time between the calls; with the wall clock read between two monotonic
 * readings the error is at most half their distance, and the narrowest of three is good to about
 * 10 ns. A bracket that was torn open by the scheduler cannot pass for a step: its own width is
 * allowed for.
 */
#include "user/clock.h"

#include <stdlib.h>
#include <time.h>

#define CLOCK_PERIOD_NS 1000000000ULL
#define CLOCK_STEP_NS 1000000LL /* smaller changes are no step */
#define CLOCK_READINGS 3

static uint64_t clock_read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

/* The offset, and how far off it may be. */
static int64_t clock_measure(int64_t *ret_error_ns)
{
	uint64_t before, real, after, narrowest = UINT64_MAX;
	int64_t offset = 0;
	int i;

	for (i = 0; i < CLOCK_READINGS; i++) {
		before = clock_read_ns(CLOCK_MONOTONIC);
		real = clock_read_ns(CLOCK_REALTIME);
		after = clock_read_ns(CLOCK_MONOTONIC);
		if (after - before < narrowest) {
			narrowest = after - before;
			offset = (int64_t)(real - (before + narrowest / 2));
		}
	}
	*ret_error_ns = (int64_t)(narrowest / 2);
	return offset;
}

void clock_sync_init(struct clock_sync *c)
{
	int64_t error_ns;

	*c = (struct clock_sync){.offset_ns = clock_measure(&error_ns)};
	c->next_mono_ns = clock_mono_ns() + CLOCK_PERIOD_NS;
}

int clock_sync_update(struct clock_sync *c, uint64_t now_mono_ns)
{
	int64_t offset, change, error_ns;

	if (now_mono_ns < c->next_mono_ns)
		return 0;
	c->next_mono_ns = now_mono_ns + CLOCK_PERIOD_NS;
	offset = clock_measure(&error_ns);
	change = offset - c->offset_ns;
	if (llabs(change) <= CLOCK_STEP_NS + error_ns) {
		if (error_ns < CLOCK_STEP_NS)
			c->offset_ns = offset;
		return 0;
	}
	c->offset_ns = offset;
	c->steps++;
	c->last_step_ns = change;
	return 1;
}
