/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ring is drained by the clock: a reader that sleeps between drains costs less and gets more
 * through than one that polls or is woken, because it leaves the ring's cache lines alone. Records
 * are copied out in groups, so that the table can prefetch a group before it works on it.
 */
#include "user/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "user/clock.h"
#include "user/flow_log.h"
#include "user/flow_otlp.h"
#include "user/log.h"
#include "user/ring.h"
#include "user/traceparent.h"

#define WORKER_GROUP 32 /* records handed to the table at once */
#define WORKER_DRAIN 16384 /* records before the table's timers get their turn */
#define WORKER_SLEEP_MIN_NS 200000 /* under load */
#define WORKER_SLEEP_MAX_NS 4000000 /* the ring must hold a burst this long */
#define WORKER_DRAINS 32 /* for a full ring; each of them wakes a processor up, for some us */
#define WORKER_ADVANCE_NS 10000000 /* timers */
#define WORKER_ADVANCE_FLOWS 2048
#define WORKER_SPARE_FLOWS 64 /* four standard deviations of a small share */
#define WORKER_SWEEP_FLOWS 1024 /* of the map, before the ring gets its turn */
#define WORKER_SWEEP_REST 8 /* times as long as a sweep took */
#define WORKER_SECOND_NS 1000000000ULL
#define WORKER_PUBLISH_NS 50000000
#define WORKER_ITEM_BYTES 1024 /* a span is half of it */
#define WORKER_BATCH_BYTES_MIN (64 * 1024)

struct worker {
	struct worker_opts opts;
	pthread_t thread;
	bool is_started;
	atomic_bool stop;

	struct ring *ring;
	struct flow_table *table;
	struct flow_otlp *otlp;
	struct clock_sync clock;
	uint64_t now_mono_ns;

	struct flow_record_last group[WORKER_GROUP]; /* the largest that the table takes */
	const struct flow_record *group_ptrs[WORKER_GROUP];
	size_t group_len;
	uint64_t sleep_ns; /* after the last one */

	struct outbox *spans, *logs; /* NULL: nobody takes them */
	struct exemplars *exemplars; /* NULL: not wanted, or no spans to point to */
	struct flow_log log;

	uint64_t lost_seen; /* records this ring had lost at the last sweep */
	uint64_t swept; /* flows of the map looked at, over all sweeps */
	struct worker_stats stats;

	pthread_mutex_t published_lock; /* guards the copy that others read, and what they ask */
	struct worker_stats published;
	struct worker_ask *ask; /* NULL: none */
	atomic_bool is_asked; /* the same, to be looked at without the lock */
	pthread_cond_t answered;
};

/* What another thread wants done here; on its stack. */
struct worker_ask {
	flow_table_fn fn; /* for each flow; NULL: flush */
	void *ctx;
};

static void worker_export(struct worker *w, const struct flow *f, const struct flow_report *r,
			  const struct otlp_span *span)
{
	const struct otlp_log *log;

	if (w->spans && !outbox_add_span(w->spans, span, w->now_mono_ns) && w->exemplars &&
	    r->kind == FLOW_REPORT_ROOT)
		exemplars_note(w->exemplars, f, r, span);
	if (!w->logs)
		return;
	log = flow_log_connection(&w->log, span, w->now_mono_ns + w->clock.offset_ns);
	if (log)
		outbox_add_log(w->logs, log, w->now_mono_ns);
}

static void worker_export_handshake(struct worker *w, const struct flow *f,
				    const struct flow_report *r)
{
	const struct otlp_span *span = flow_otlp_handshake(
	    w->otlp, f, r, probe_interface_name(w->opts.probe, f->key.if_slot));

	if (span)
		outbox_add_span(w->spans, span, w->now_mono_ns);
}

static void worker_report(void *ctx, struct flow *f, const struct flow_report *r)
{
	struct worker *w = ctx;
	bool is_streamed = r->is_final && stream_is_wanted(w->opts.stream);
	const struct otlp_span *span;
	char line[512];

	if (w->opts.series)
		flow_series_add(w->opts.series, f,
				probe_interface_name(w->opts.probe, f->key.if_slot));
	if (!w->spans && !w->logs && !w->opts.console && !is_streamed)
		return;
	span = flow_otlp_span(w->otlp, f, r, probe_interface_name(w->opts.probe, f->key.if_slot));
	w->stats.spans_made += w->spans || w->opts.console;
	if (w->opts.console) {
		flow_otlp_line(span, line, sizeof(line));
		console_span(w->opts.console, line, w->now_mono_ns);
	}
	if (is_streamed)
		stream_publish(w->opts.stream, span);
	worker_export(w, f, r, span);
	if (w->spans)
		worker_export_handshake(w, f, r);
}

static int worker_peek(void *ctx, const struct flow_key *key, struct flow_state *ret)
{
	return probe_flow_peek(((struct worker *)ctx)->opts.probe, key, ret);
}

static int worker_take(void *ctx, const struct flow_key *key, struct flow_state *ret)
{
	return probe_flow_take(((struct worker *)ctx)->opts.probe, key, ret);
}

static void worker_end_group(struct worker *w)
{
	if (w->group_len)
		flow_table_add(w->table, w->group_ptrs, w->group_len, w->clock.offset_ns);
	w->group_len = 0;
}

/* What is asked of a request is which trace it belongs to; the rest is forgotten here. */
static bool worker_read_request(const struct flow_record_payload *p, struct flow_record *ret)
{
	struct traceparent t;

	if (p->len > sizeof(p->data) || !traceparent_find(p->data, p->len, &t))
		return false;
	*ret = p->record;
	memcpy(ret->context.trace_id, t.trace_id, sizeof(t.trace_id));
	memcpy(ret->context.span_id, t.span_id, sizeof(t.span_id));
	ret->context.flags = t.flags;
	return true;
}

static void worker_record(void *ctx, const void *data, size_t size)
{
	const struct flow_record *r = data;
	struct worker *w = ctx;

	if (size < sizeof(*r) || r->version != FLOW_ABI_VERSION ||
	    size != flow_record_size(r->kind)) {
		w->stats.records_strangers++;
	} else {
		w->stats.records_consumed++;
		if (r->kind != FLOW_RECORD_PAYLOAD)
			memcpy(&w->group[w->group_len++], r, size);
		else if (worker_read_request(data, &w->group[w->group_len].record))
			w->group_len++;
		if (w->group_len == WORKER_GROUP)
			worker_end_group(w);
	}
}

/* Returns how many records there were. */
static size_t worker_drain(struct worker *w)
{
	size_t records = ring_drain(w->ring, WORKER_DRAIN, worker_record, w);

	worker_end_group(w);
	return records;
}

/* The ring fills up meanwhile: a sweep of a million flows that let it would lose what makes the next
 * one necessary, for ever. */
static void worker_adopt(void *ctx, uint64_t hash, const struct flow_key *key,
			 const struct flow_state *s)
{
	struct worker *w = ctx;

	(void)s;
	if (((hash >> 56) * w->opts.options->workers) >> 8 == w->opts.index)
		flow_table_adopt(w->table, hash, key, w->clock.offset_ns);
	if (++w->swept % WORKER_SWEEP_FLOWS == 0)
		worker_drain(w);
}

/* If records were lost, flows may be in the map that nobody told us of. Returns when to look again. */
static uint64_t worker_sweep_if_lost(struct worker *w)
{
	uint64_t begun_ns = w->now_mono_ns, rest_ns;
	struct flow_ring_stats ring;

	if (probe_read_ring_stats(w->opts.probe, w->opts.index, &ring) ||
	    ring.lost_full == w->lost_seen)
		return begun_ns + WORKER_SECOND_NS;
	w->lost_seen = ring.lost_full;
	probe_flow_each(w->opts.probe, worker_adopt, w);
	w->now_mono_ns = clock_mono_ns();
	rest_ns = (w->now_mono_ns - begun_ns) * WORKER_SWEEP_REST;
	return w->now_mono_ns + (rest_ns > WORKER_SECOND_NS ? rest_ns : WORKER_SECOND_NS);
}

static void worker_publish(struct worker *w)
{
	flow_table_stats(w->table, &w->stats.table);
	outbox_stats(w->spans, &w->stats.spans);
	outbox_stats(w->logs, &w->stats.logs);
	w->stats.clock_steps = w->clock.steps;
	if (w->exemplars)
		exemplars_publish(w->exemplars);
	pthread_mutex_lock(&w->published_lock);
	w->published = w->stats;
	pthread_mutex_unlock(&w->published_lock);
}

/* Under the lock, so that whoever asked and lost patience cannot go away in the middle. */
static void worker_answer(struct worker *w)
{
	struct worker_ask *ask;

	pthread_mutex_lock(&w->published_lock);
	ask = w->ask;
	if (ask && ask->fn) {
		flow_table_each(w->table, ask->fn, ask->ctx);
	} else if (ask) {
		outbox_flush(w->spans);
		outbox_flush(w->logs);
	}
	w->ask = NULL;
	atomic_store(&w->is_asked, false);
	pthread_cond_signal(&w->answered);
	pthread_mutex_unlock(&w->published_lock);
}

/* So that the next drain finds as much as one should, if records go on coming at this rate; but at
 * most twice as long as before, since no rate is for ever. */
static void worker_sleep(struct worker *w, size_t records)
{
	size_t aim = w->opts.options->ring_bytes / (sizeof(struct flow_record) * WORKER_DRAINS);
	uint64_t ns = records > aim / 2 ? w->sleep_ns * aim / records : 2 * w->sleep_ns;
	struct timespec ts = {0};

	w->sleep_ns = ns < WORKER_SLEEP_MIN_NS	 ? WORKER_SLEEP_MIN_NS
		      : ns > WORKER_SLEEP_MAX_NS ? WORKER_SLEEP_MAX_NS
						 : ns;
	ts.tv_nsec = (long)w->sleep_ns;
	nanosleep(&ts, NULL);
}

static void *worker_main(void *arg)
{
	uint64_t advance_ns = 0, publish_ns = 0, sweep_ns = 0;
	struct worker *w = arg;
	size_t records, due;

	prctl(PR_SET_NAME, "ringspan-worker");
	prctl(PR_SET_TIMERSLACK, 10000UL);
	while (!atomic_load(&w->stop)) {
		w->now_mono_ns = clock_mono_ns();
		clock_sync_update(&w->clock, w->now_mono_ns);
		records = worker_drain(w);
		due = 0;
		if (w->now_mono_ns >= advance_ns) {
			due = flow_table_advance(w->table, w->now_mono_ns, WORKER_ADVANCE_FLOWS);
			if (due < WORKER_ADVANCE_FLOWS)
				advance_ns = w->now_mono_ns + WORKER_ADVANCE_NS;
		}
		outbox_tick(w->spans, w->now_mono_ns);
		outbox_tick(w->logs, w->now_mono_ns);
		if (w->now_mono_ns >= sweep_ns)
			sweep_ns = worker_sweep_if_lost(w);
		if (w->now_mono_ns >= publish_ns) {
			worker_publish(w);
			publish_ns = w->now_mono_ns + WORKER_PUBLISH_NS;
		}
		if (atomic_load(&w->is_asked))
			worker_answer(w);
		if (records >= WORKER_DRAIN || due >= WORKER_ADVANCE_FLOWS)
			continue;
		worker_sleep(w, records);
	}
	/* the programs are detached: what there is now is all there will be */
	while (worker_drain(w) >= WORKER_DRAIN)
		;
	probe_flow_each(w->opts.probe, worker_adopt, w);
	flow_table_finish(w->table);
	outbox_flush(w->spans);
	outbox_flush(w->logs);
	worker_publish(w);
	return NULL;
}

/* Flows of one worker's table. It has those whose hash begins with so many of 256 bytes; chance deals
 * out a few more to one than to another, and flows that found no room in the kernel's map come on
 * top of it. */
static size_t worker_max_flows(const struct options *o)
{
	size_t bytes = (256 + o->workers - 1) / o->workers;
	size_t share = (size_t)o->max_flows * bytes / 256 + 1;

	return share + share / 8 + (o->workers > 1 ? WORKER_SPARE_FLOWS : 0);
}

static int worker_create_table(struct worker *w)
{
	const struct options *o = w->opts.options;
	struct flow_table_opts opts = {
	    .max_flows = worker_max_flows(o),
	    .active_timeout_ns = o->active_timeout_ms * 1000000ULL,
	    .idle_timeout_ns = o->idle_timeout_ms * 1000000ULL,
	    .tcp_idle_timeout_ns = o->tcp_idle_timeout_ms * 1000000ULL,
	    .linger_ns = 2000000000ULL,
	    .by_packets = o->sample_mode == OPTIONS_SAMPLE_PACKET,
	};
	struct flow_table_ops ops = {
	    .peek = worker_peek, .take = worker_take, .report = worker_report, .ctx = w};

	return flow_table_create(&w->table, &opts, &ops);
}

static int worker_create_outbox(struct worker *w, struct outbox **ret, enum otlp_signal signal)
{
	const struct options_batch *batch = &w->opts.options->batch[signal];
	struct outbox_opts opts = {
	    .encoder = w->opts.encoder,
	    .exporter = w->opts.exporter,
	    .signal = signal,
	    .max_items = batch->max_items,
	    .max_bytes = batch->max_items * WORKER_ITEM_BYTES,
	    .delay_ms = batch->delay_ms,
	};

	if (opts.max_bytes < WORKER_BATCH_BYTES_MIN)
		opts.max_bytes = WORKER_BATCH_BYTES_MIN;
	if (opts.max_bytes > OTLP_REQUEST_BYTES)
		opts.max_bytes = OTLP_REQUEST_BYTES;
	return outbox_create(ret, &opts);
}

static int worker_create_outboxes(struct worker *w)
{
	const struct options *o = w->opts.options;
	int err = worker_create_outbox(w, &w->spans, OTLP_TRACES);

	if (!err && o->has_logs)
		err = worker_create_outbox(w, &w->logs, OTLP_LOGS);
	if (!err && w->spans && o->exemplars != OPTIONS_EXEMPLARS_ALWAYS_OFF)
		err = exemplars_create(&w->exemplars, probe_interfaces(w->opts.probe) *
							  FLOW_COUNTERS_PER_IF);
	return err;
}

int worker_start(struct worker **ret, const struct worker_opts *opts)
{
	struct flow_otlp_opts otlp = {
	    .active_timeout_ns = opts->options->active_timeout_ms * 1000000ULL,
	    .tenants = opts->options->tenants,
	};
	struct worker *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	size_t i;
	int err;

	if (!w)
		return -ENOMEM;
	w->opts = *opts;
	pthread_mutex_init(&w->published_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->answered, &attr);
	pthread_condattr_destroy(&attr);
	for (i = 0; i < WORKER_GROUP; i++)
		w->group_ptrs[i] = &w->group[i].record;
	clock_sync_init(&w->clock);
	memcpy(otlp.site_key, opts->options->site_key, sizeof(otlp.site_key));
	err = worker_create_table(w);
	if (err)
		goto fail;
	err = flow_otlp_create(&w->otlp, &otlp);
	if (err)
		goto fail;
	err = worker_create_outboxes(w);
	if (err)
		goto fail;
	err = ring_open(&w->ring, probe_ring_fd(opts->probe, opts->index), opts->options->ring_bytes);
	if (err)
		goto fail;
	err = -pthread_create(&w->thread, NULL, worker_main, w);
	if (err)
		goto fail;
	w->is_started = true;
	*ret = w;
	return 0;
fail:
	worker_destroy(w);
	return err;
}

void worker_stop(struct worker *w)
{
	if (!w->is_started)
		return;
	atomic_store(&w->stop, true);
	pthread_join(w->thread, NULL);
	w->is_started = false;
}

void worker_destroy(struct worker *w)
{
	if (!w)
		return;
	worker_stop(w);
	ring_close(w->ring);
	flow_table_destroy(w->table);
	flow_otlp_destroy(w->otlp);
	outbox_destroy(w->spans);
	outbox_destroy(w->logs);
	exemplars_destroy(w->exemplars);
	pthread_mutex_destroy(&w->published_lock);
	pthread_cond_destroy(&w->answered);
	free(w);
}

void worker_stats(struct worker *w, struct worker_stats *ret)
{
	pthread_mutex_lock(&w->published_lock);
	*ret = w->published;
	pthread_mutex_unlock(&w->published_lock);
}

static int worker_ask(struct worker *w, struct worker_ask *ask, uint64_t deadline_mono_ns)
{
	struct timespec until = {.tv_sec = (time_t)(deadline_mono_ns / WORKER_SECOND_NS),
				 .tv_nsec = (long)(deadline_mono_ns % WORKER_SECOND_NS)};
	int err = 0;

	pthread_mutex_lock(&w->published_lock);
	w->ask = ask;
	atomic_store(&w->is_asked, true);
	while (w->ask && !err)
		err = pthread_cond_timedwait(&w->answered, &w->published_lock, &until);
	err = w->ask ? -ETIMEDOUT : 0;
	w->ask = NULL;
	atomic_store(&w->is_asked, false);
	pthread_mutex_unlock(&w->published_lock);
	return err;
}

int worker_flush(struct worker *w, uint64_t deadline_mono_ns)
{
	struct worker_ask ask = {};

	return worker_ask(w, &ask, deadline_mono_ns);
}

int worker_each_flow(struct worker *w, flow_table_fn fn, void *ctx, uint64_t deadline_mono_ns)
{
	struct worker_ask ask = {.fn = fn, .ctx = ctx};

	return worker_ask(w, &ask, deadline_mono_ns);
}

void worker_exemplars(struct worker *w, struct exemplar *into)
{
	if (w->exemplars)
		exemplars_collect(w->exemplars, into);
}
