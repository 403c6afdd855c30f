/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * link_rates - packets and bytes of each interface so far, and a second: for people. Part of meter.
 */
#ifndef USER_LINK_RATES_H
#define USER_LINK_RATES_H

#include "user/console.h"
#include "user/probe.h"

struct link_rates {
	const struct probe *probe; /* borrowed */
	struct flow_counter *shown; /* when it was measured last */
	uint64_t shown_mono_ns;
	struct console_rates last[FLOW_MAX_IFS];
};

int link_rates_init(struct link_rates *r, const struct probe *probe, uint64_t now_mono_ns);
void link_rates_reset(struct link_rates *r);

/* From the counters @now, as probe_read_counters() gives them. False: too soon after the last time.
 */
bool link_rates_measure(struct link_rates *r, const struct flow_counter *now, uint64_t now_mono_ns);

/* The counts of @now, the rates that were measured last. */
void link_rates_read(const struct link_rates *r, const struct flow_counter *now,
		     struct console_rates ret[FLOW_MAX_IFS]);

#endif /* USER_LINK_RATES_H */
