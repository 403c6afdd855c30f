/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_growth.h"

#include "user/flow_id.h"

struct flow_growth flow_growth(const struct flow *f)
{
	uint64_t n = f->info.threshold ? flow_id_interval(f->info.threshold) : 1;
	struct flow_growth ret = {.flows = f->reports ? 0 : n};
	unsigned i;

	for (i = 0; i < 2; i++) {
		ret.counts[i].pkts = (f->totals[i].pkts - f->reported[i].pkts) * n;
		ret.counts[i].bytes = (f->totals[i].bytes - f->reported[i].bytes) * n;
	}
	return ret;
}
