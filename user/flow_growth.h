/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_growth - how much traffic one report of a flow stands for. Pure.
 *
 * A flow that was kept stands for itself and for those that were not: what is new in it since its
 * last report counts as often as flows there were for each that was kept, by the rate in force when
 * this one was. A sum of these is never computed again with another rate. At 1/1 it is exact, else
 * an unbiased estimate.
 */
#ifndef USER_FLOW_GROWTH_H
#define USER_FLOW_GROWTH_H

#include "user/flow_table.h"

struct flow_growth {
	struct flow_counts counts[2]; /* by sending endpoint */
	uint64_t flows; /* with the first report of a flow */
};

/* To be asked for during the report, before f->reported moves on. */
struct flow_growth flow_growth(const struct flow *f);

#endif /* USER_FLOW_GROWTH_H */
