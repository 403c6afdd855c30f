/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * worker - one thread: ring → flow_table → flow_otlp → outbox, console and stream.
 *
 * Workers share nothing with each other: own ring, table, outboxes, clock.
 */
#ifndef USER_WORKER_H
#define USER_WORKER_H

#include "otlp/encode.h"
#include "otlp/exporter.h"
#include "user/console.h"
#include "user/exemplars.h"
#include "user/flow_series.h"
#include "user/flow_table.h"
#include "user/options.h"
#include "user/outbox.h"
#include "user/probe.h"
#include "user/stream.h"

struct worker;

struct worker_opts {
	unsigned index; /* which ring, and which share of the flows: 0..workers-1 */
	const struct options *options;
	struct probe *probe;
	const struct otlp_encoder *encoder; /* NULL: no OTLP */
	struct otlp_exporter *exporter;     /* NULL: no OTLP */
	struct console *console;            /* NULL: no console */
	struct flow_series *series;         /* of all workers; NULL: nobody wants it */
	struct stream *stream;              /* NULL: none */
};

/* Starts the thread. All that @opts points to must outlive it. 0 and *ret set, or -errno. */
int worker_start(struct worker **ret, const struct worker_opts *opts);

/* After probe_detach(): drains the ring, takes all flows out of the map, hands the last batch to
 * the exporter, ends the thread. The counts stay readable. */
void worker_stop(struct worker *w);
void worker_destroy(struct worker *w); /* NULL is allowed; stops */

struct worker_stats {
	struct flow_table_stats table;
	uint64_t records_consumed;
	uint64_t records_strangers; /* wrong size or version */
	uint64_t spans_made; /* for OTLP, the console or both */
	struct outbox_stats spans, logs; /* made for OTLP */
	uint64_t clock_steps;
};
/* A consistent reading, at most 100 ms old while the worker runs. Any thread. */
void worker_stats(struct worker *w, struct worker_stats *ret);

/* Asks the worker's thread; one asks at a time, any other thread. 0 when it has been done, which
 * takes some milliseconds; -ETIMEDOUT: not done by @deadline_mono_ns, and it will not be. */

/* Hands what is batched to the exporter. */
int worker_flush(struct worker *w, uint64_t deadline_mono_ns);
/* Calls @fn for each flow of the table, on the worker's thread, which it holds up. */
int worker_each_flow(struct worker *w, flow_table_fn fn, void *ctx, uint64_t deadline_mono_ns);

/* Puts into @into (one for each link counter) what is newer: flows of spans that went to the
 * exporter. Any thread. */
void worker_exemplars(struct worker *w, struct exemplar *into);

#endif /* USER_WORKER_H */
