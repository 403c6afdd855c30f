/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_estimate - packet mode: what samples say, and how well (design 4). Pure.
 */
#ifndef USER_FLOW_ESTIMATE_H
#define USER_FLOW_ESTIMATE_H

#include "user/flow_table.h"

/* One direction of a report: of an interval what is new in it, else all since the beginning. */
struct flow_sampled {
	struct flow_counts taken; /* the samples */
	struct flow_counts estimated; /* what they stand for */
	double error; /* relative, 95 %, of the packets estimated; 0: every packet was taken */
};

/* Of endpoint @from of @f; @r is a report in packet mode. */
struct flow_sampled flow_sampled(const struct flow *f, const struct flow_report *r, unsigned from);

/* Whether all samples so far were taken at 1/1: then nothing of the flow was left out. */
bool flow_is_whole(const struct flow_report *r);

#endif /* USER_FLOW_ESTIMATE_H */
