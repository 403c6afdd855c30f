/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_otlp - flows → spans, counters → metrics: the only place that knows attribute names.
 *
 * One object a thread; spans and attributes it hands out live in it until its next call.
 */
#ifndef USER_FLOW_OTLP_H
#define USER_FLOW_OTLP_H

#include "kern/flow_abi.h"
#include "otlp/encode.h"
#include "otlp/otlp.h"
#include "user/auto_rate.h"
#include "user/exemplars.h"
#include "user/flow_series.h"
#include "user/flow_table.h"
#include "user/ledger.h"
#include "user/pull_request.h"
#include "user/tenant_map.h"

struct flow_otlp;

struct flow_otlp_opts {
	uint64_t site_key[4]; /* trace ids: hosts that share it agree */
	uint64_t active_timeout_ns;
	const struct tenant_map *tenants; /* borrowed; NULL: spans have none */
};

/* 0 and *ret set, -ENOMEM. Free with flow_otlp_destroy(). */
int flow_otlp_create(struct flow_otlp **ret, const struct flow_otlp_opts *opts);
void flow_otlp_destroy(struct flow_otlp *o); /* NULL is allowed */

/* The span of one report (design 5). Uses and sets f->tag (the root's span id). @if_name is the
 * interface's current name. The span is valid until the next call on @o. */
const struct otlp_span *flow_otlp_span(struct flow_otlp *o, struct flow *f,
				       const struct flow_report *r, const char *if_name);

/* The handshake of a connection, as a child of its root: to be asked for right after
 * flow_otlp_span() has made that root. NULL: the report is another one, or some part of the
 * handshake was not seen, or may have been left out by packet mode. Valid until the next call on @o; then the root is not any more. */
const struct otlp_span *flow_otlp_handshake(struct flow_otlp *o, const struct flow *f,
					    const struct flow_report *r, const char *if_name);

/* One line for a person from such a span: time, name, endpoints, both directions' packets and
 * bytes, duration, how it ended. No newline; always NUL-terminated; returns its length. */
size_t flow_otlp_line(const struct otlp_span *span, char *ret, size_t cap);

/* What the metrics of one moment are made of. */
struct flow_otlp_snapshot {
	uint64_t start_unix_ns; /* of all sums: first load */
	uint64_t time_unix_ns;
	size_t interfaces;
	const char *const *if_names;
	const struct flow_counter *counters;  /* interfaces x FLOW_COUNTERS_PER_IF */
	const struct flow_counter *previous;  /* the same, one interval ago; NULL at first: no rates */
	uint64_t elapsed_ns;                  /* since @previous */
	const struct flow_cost *costs; /* interfaces x FLOW_HOOK_MAX; NULL: not known */
	const struct exemplar *exemplars; /* one a counter, new since the last time; NULL: none */
	const struct ledger *ledger;
	size_t queue_items[OTLP_SIGNAL_MAX]; /* limit of the exporter's queues; 0: bytes alone */
	uint64_t sample_n;
	uint64_t sample_changes; /* so often another one */
	const struct auto_budget *budget; /* NULL: the rate is fixed */
	const double *budget_used; /* shares, by enum auto_item */
	double cpu_seconds;   /* user + system, of this process */
	uint64_t rss_bytes;
	double ring_pressure; /* fullest ring, 0..1 */
	struct flow_series *series; /* NULL: no metrics of flows */
	const struct tenant_map *tenants; /* whose names links may have; NULL: none */
	const struct pull_stats *pull; /* NULL: nobody may fetch metrics */
};

/* Calls @emit for each metric, xdp.*, ringspan.* and otel.sdk.*; a metric is valid during the call. Stops at
 * the first error of @emit and returns it; else 0. */
typedef int (*flow_otlp_metric_fn)(void *ctx, const struct otlp_metric *m);
int flow_otlp_metrics(struct flow_otlp *o, const struct flow_otlp_snapshot *s,
		      flow_otlp_metric_fn emit, void *ctx);

#endif /* USER_FLOW_OTLP_H */
