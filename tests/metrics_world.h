/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics_world - a snapshot to make metrics of, and the metrics as lines of text, one a point:
 * "name unit kind{key=value,…} value".
 */
#ifndef TESTS_METRICS_WORLD_H
#define TESTS_METRICS_WORLD_H

#include "user/flow_otlp.h"

struct dump {
	char text[131072];
	size_t len;
	int fail_after; /* emit fails at this metric, 0: never */
	int metrics;
};

struct world {
	struct flow_otlp *o;
	struct flow_counter counters[2 * FLOW_COUNTERS_PER_IF];
	struct flow_counter previous[2 * FLOW_COUNTERS_PER_IF];
	const char *names[2];
	struct exemplar exemplars[2 * FLOW_COUNTERS_PER_IF];
	struct ledger ledger;
	struct flow_otlp_snapshot snapshot;
	struct dump dump;
};

/* Group or test fixtures: *state is the world, of two interfaces, all zero. */
int world_setup(void **state);
int world_teardown(void **state);

/* One packet of @bytes, as the kernel counts it. */
void world_count(struct flow_counter *counters, unsigned if_slot, unsigned hook, unsigned net,
		 unsigned transport, uint32_t bytes);

/* Destinations 0..@d there are, and this is the last one's address. */
void world_destination(struct world *w, unsigned d, const char *address, uint16_t port);

/* Makes the metrics: all of them as text in w->dump. */
const char *world_dump(struct world *w);
void world_assert_has(struct world *w, const char *lines);

/* What flow_otlp_metrics() is to call; @ctx is a struct dump. */
int world_emit(void *ctx, const struct otlp_metric *m);

#endif /* TESTS_METRICS_WORLD_H */
