/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_estimate.h"

#include <math.h>

/*
 * The sum of N over c samples, each taken with probability 1/N, has at most the variance sum(N^2),
 * which is at most E max(N). So the 95 % error of the estimate E is at most 1.96 sqrt(max(N) / E);
 * where N was the same all the time that is 1.96 / sqrt(c). The number of samples alone would not
 * do: a thousand at 1/1 and then ten at 1/1000 tell little more than the ten.
 */
static double estimate_error(uint64_t estimated, uint64_t max_interval)
{
	if (!estimated || max_interval <= 1)
		return 0;
	return 1.96 * sqrt((double)max_interval / (double)estimated);
}

struct flow_sampled flow_sampled(const struct flow *f, const struct flow_report *r, unsigned from)
{
	struct flow_counts taken = {f->totals[from].pkts, f->totals[from].bytes};
	struct flow_counts estimated = {r->estimate[from].pkts, r->estimate[from].bytes};

	if (r->kind == FLOW_REPORT_INTERVAL) {
		taken.pkts -= f->reported[from].pkts;
		taken.bytes -= f->reported[from].bytes;
		estimated.pkts -= r->estimate_before[from].pkts;
		estimated.bytes -= r->estimate_before[from].bytes;
	}
	return (struct flow_sampled){
		taken, estimated, estimate_error(estimated.pkts, r->estimate[from].max_interval)};
}

bool flow_is_whole(const struct flow_report *r)
{
	return r->estimate[0].max_interval <= 1 && r->estimate[1].max_interval <= 1;
}
