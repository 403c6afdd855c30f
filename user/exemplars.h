/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exemplars - the newest span that counted into each series of the link counters, so that a point
 * of a metric can name it.
 *
 * Series are numbered as flow_counter_index() does. One thread notes and publishes, any thread
 * collects; one lock inside, held for a copy of what has changed.
 */
#ifndef USER_EXEMPLARS_H
#define USER_EXEMPLARS_H

#include <stddef.h>
#include <stdint.h>

#include "otlp/otlp.h"
#include "user/flow_table.h"

/* What one direction of one flow put into its series; packet mode: the estimate of it. */
struct exemplar {
	uint64_t end_mono_ns; /* of the span, and what is newer is told by this; 0: there is none */
	uint64_t time_unix_ns; /* the same moment */
	uint64_t pkts, bytes;
	uint8_t trace_id[16];
	uint8_t span_id[8];
};

struct exemplars;

/* For the series 0..@series-1. 0 and *ret set, -ENOMEM. */
int exemplars_create(struct exemplars **ret, size_t series);
void exemplars_destroy(struct exemplars *e); /* NULL is allowed */

/* @span of @r was handed to the exporter and tells all of @f that is known: both directions are
 * noted in the series that their packets were counted in. */
void exemplars_note(struct exemplars *e, const struct flow *f, const struct flow_report *r,
		    const struct otlp_span *span);

/* Makes what was noted visible to exemplars_collect(). */
void exemplars_publish(struct exemplars *e);

/* Puts the newer of each series into @into, which holds others' (or zeros). */
void exemplars_collect(struct exemplars *e, struct exemplar *into);

/* The series that counts what endpoint @from of @f sends. */
size_t exemplars_series(const struct flow *f, unsigned from);

#endif /* USER_EXEMPLARS_H */
