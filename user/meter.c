/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All numbers of a moment are read together; sums start when the programs were loaded. Metrics go
 * out as one request, unless it would be larger than a server is sure to take. Of losses there is
 * at most one log record per reason and interval.
 */
#include "user/meter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "otlp/delta.h"
#include "user/clock.h"
#include "user/flow_log.h"
#include "user/flow_otlp.h"
#include "user/link_rates.h"
#include "user/log.h"

#define METER_REQUEST_BYTES (1024 * 1024)
#define METER_LOGS_BYTES (64 * 1024)
#define METER_SELF_SERIES 2048 /* of ringspan itself, with all destinations and reasons */

struct meter {
	struct meter_opts opts;
	struct flow_otlp *otlp;
	struct clock_sync clock;
	uint64_t start_unix_ns;
	uint64_t exported_mono_ns;
	size_t counters_len;
	struct flow_counter *now; /* read in this tick */
	struct link_rates rates; /* over the last second */
	struct flow_counter *exported; /* at the last export */
	struct flow_cost costs[FLOW_MAX_IFS * FLOW_HOOK_MAX];
	struct outbox *points, *logs; /* NULL: nobody takes them */
	struct otlp_delta *delta; /* NULL: all cumulative */
	struct flow_series *series; /* NULL: nobody wants it */
	struct exemplar *newest; /* one for each counter: of all workers */
	uint64_t *told_mono_ns; /* end of the last one that left, the same way */
	struct flow_log log;
	struct ledger logged; /* whose losses have been logged */
	uint64_t now_mono_ns;
	uint64_t sampling_changes;
	bool has_budget;
	struct auto_budget budget;
	double budget_used[AUTO_ITEMS];
	bool is_final; /* everything upstream has stopped */
	struct scrape *scrape; /* NULL: nobody may fetch metrics */
	enum scrape_state state;
};

static int meter_create_series(struct meter *m)
{
	const struct options *o = m->opts.options;
	struct flow_series_opts opts = {
	    .attrs = o->metric_attrs,
	    .subnet_bits = {o->subnet_bits[0], o->subnet_bits[1]},
	    .cap = o->metric_cap,
	    .tenants = o->tenants,
	};

	return (m->points || o->metrics_listen) && o->metric_attrs ? flow_series_create(&m->series, &opts) : 0;
}

static int meter_create_export(struct meter *m)
{
	const struct options *o = m->opts.options;
	struct outbox_opts points = {
	    .encoder = m->opts.encoder,
	    .exporter = m->opts.exporter,
	    .signal = OTLP_METRICS,
	    .max_bytes = METER_REQUEST_BYTES,
	};
	struct outbox_opts logs = points;
	size_t series = o->metric_attrs ? 3 * ((size_t)o->metric_cap + 1) + 1 : 0;
	int err = outbox_create(&m->points, &points);

	logs.signal = OTLP_LOGS;
	logs.max_items = o->batch[OTLP_LOGS].max_items;
	logs.max_bytes = METER_LOGS_BYTES;
	logs.delay_ms = o->batch[OTLP_LOGS].delay_ms;
	if (!err && o->has_logs)
		err = outbox_create(&m->logs, &logs);
	if (!err && m->points && o->temporality != OPTIONS_CUMULATIVE)
		err = otlp_delta_create(&m->delta,
					3 * m->counters_len + METER_SELF_SERIES + series);
	return err ? err : meter_create_series(m);
}

int meter_create(struct meter **ret, const struct meter_opts *opts)
{
	struct flow_otlp_opts otlp = {};
	struct meter *m = calloc(1, sizeof(*m));
	int err = -ENOMEM;

	if (!m)
		return err;
	m->opts = *opts;
	clock_sync_init(&m->clock);
	m->exported_mono_ns = clock_mono_ns();
	m->start_unix_ns = m->exported_mono_ns + m->clock.offset_ns;
	m->counters_len = probe_interfaces(opts->probe) * FLOW_COUNTERS_PER_IF;
	m->now = calloc(m->counters_len, sizeof(*m->now));
	m->exported = calloc(m->counters_len, sizeof(*m->exported));
	m->newest = calloc(m->counters_len, sizeof(*m->newest));
	m->told_mono_ns = calloc(m->counters_len, sizeof(*m->told_mono_ns));
	if (!m->now || !m->exported || !m->newest || !m->told_mono_ns)
		goto fail;
	err = link_rates_init(&m->rates, opts->probe, m->exported_mono_ns);
	if (!err)
		err = flow_otlp_create(&m->otlp, &otlp);
	if (!err)
		err = meter_create_export(m);
	if (err)
		goto fail;
	*ret = m;
	return 0;
fail:
	meter_destroy(m);
	return err;
}

void meter_destroy(struct meter *m)
{
	if (!m)
		return;
	flow_otlp_destroy(m->otlp);
	outbox_destroy(m->points);
	outbox_destroy(m->logs);
	otlp_delta_destroy(m->delta);
	flow_series_destroy(m->series);
	scrape_close(m->scrape);
	free(m->newest);
	free(m->told_mono_ns);
	free(m->now);
	link_rates_reset(&m->rates);
	free(m->exported);
	free(m);
}

void meter_rates(const struct meter *m, struct console_rates ret[FLOW_MAX_IFS])
{
	link_rates_read(&m->rates, m->now, ret);
}

static void meter_show(struct meter *m, const struct ledger *l)
{
	struct console_status status = {
	    .interfaces = m->rates.last,
	    .interfaces_len = probe_interfaces(m->opts.probe),
	    .flows_held = l->flows_held,
	    .flows_ended = l->flows_ended,
	    .lost = ledger_lost(l),
	};

	console_status(m->opts.console, &status);
}

/* What cannot be encoded is counted by the outbox; the other metrics leave nevertheless. */
static int meter_emit(void *ctx, const struct otlp_metric *metric)
{
	struct meter *m = ctx;
	struct otlp_metric delta;
	int err;

	if (m->delta) {
		err = otlp_delta_apply(m->delta, metric,
				       m->opts.options->temporality == OPTIONS_DELTA, &delta);
		if (err && err != -ENOSPC)
			return err;
		if (err)
			outbox_lose(m->points, metric->points_len - delta.points_len);
		if (!delta.points_len)
			return 0;
		metric = &delta;
	}
	outbox_add_metric(m->points, metric, m->now_mono_ns);
	return 0;
}

static void meter_collect_exemplars(struct meter *m)
{
	unsigned w;

	memset(m->newest, 0, m->counters_len * sizeof(*m->newest));
	for (w = 0; w < m->opts.options->workers; w++)
		worker_exemplars(m->opts.workers[w], m->newest);
}

/* Leaves spans that are newer than those that the last export pointed to. */
static void meter_drop_told_exemplars(struct meter *m)
{
	size_t i;

	for (i = 0; i < m->counters_len; i++) {
		if (m->newest[i].end_mono_ns <= m->told_mono_ns[i])
			m->newest[i].end_mono_ns = 0;
		else
			m->told_mono_ns[i] = m->newest[i].end_mono_ns;
	}
}

static uint64_t meter_rss_bytes(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

double meter_cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

double meter_ring_pressure(const struct meter *m)
{
	double fullest = 0, share;
	unsigned w;

	for (w = 0; w < m->opts.options->workers; w++) {
		share = probe_ring_share(m->opts.probe, w);
		if (share > fullest)
			fullest = share;
	}
	return fullest;
}

/* The numbers of this moment. @names is filled, and belongs to it. */
static void meter_snapshot(struct meter *m, const struct ledger *l, const char *names[FLOW_MAX_IFS],
			   struct flow_otlp_snapshot *ret)
{
	struct probe_sampling sampling;
	size_t i;

	*ret = (struct flow_otlp_snapshot){
	    .start_unix_ns = m->start_unix_ns,
	    .time_unix_ns = m->now_mono_ns + m->clock.offset_ns,
	    .interfaces = probe_interfaces(m->opts.probe),
	    .if_names = names,
	    .counters = m->now,
	    .previous = m->exported,
	    .elapsed_ns = m->now_mono_ns - m->exported_mono_ns,
	    .costs = probe_read_costs(m->opts.probe, m->costs) ? NULL : m->costs,
	    .exemplars = m->newest,
	    .ledger = l,
	    .cpu_seconds = meter_cpu_seconds(),
	    .rss_bytes = meter_rss_bytes(),
	    .ring_pressure = meter_ring_pressure(m),
	    .series = m->series,
	    .tenants = m->opts.options->tenants,
	    .pull = scrape_stats(m->scrape),
	};
	probe_sampling(m->opts.probe, &sampling);
	ret->sample_n = sampling.n;
	ret->sample_changes = m->sampling_changes;
	ret->budget = m->has_budget ? &m->budget : NULL;
	ret->budget_used = m->budget_used;
	for (i = 0; i < ret->interfaces; i++)
		names[i] = probe_interface_name(m->opts.probe, i);
	for (i = 0; i < OTLP_SIGNAL_MAX; i++)
		ret->queue_items[i] = m->opts.options->batch[i].queue_items;
}

static void meter_export_metrics(struct meter *m, const struct flow_otlp_snapshot *s)
{
	struct outbox_stats before, after;
	int err;

	meter_drop_told_exemplars(m);
	outbox_stats(m->points, &before);
	err = flow_otlp_metrics(m->otlp, s, meter_emit, m);
	outbox_stats(m->points, &after);
	if (err)
		log_warn("some metrics are missing: %s", strerror(-err));
	if (after.unencodable > before.unencodable)
		log_warn("%llu points of metrics could not be encoded",
			 (unsigned long long)(after.unencodable - before.unencodable));
	outbox_flush(m->points);
}

/* One record for each reason for which something was lost since the last interval. */
static void meter_log_losses(struct meter *m, const struct ledger *l)
{
	struct ledger_growth lost[LEDGER_GROWTH_MAX];
	unsigned len = ledger_growths(&m->logged, l, lost), i;
	uint64_t now_unix_ns = m->now_mono_ns + m->clock.offset_ns;

	for (i = 0; i < len; i++)
		outbox_add_log(m->logs, flow_log_loss(&m->log, &lost[i], now_unix_ns),
			       m->now_mono_ns);
	m->logged = *l;
}

static void meter_on_clock_step(struct meter *m)
{
	int64_t step_ns = m->clock.last_step_ns;

	log_warn("the wall clock stepped by %lld ms: flows that began before keep their time",
		 (long long)(step_ns / 1000000));
	if (m->logs)
		outbox_add_log(m->logs,
			       flow_log_clock_step(&m->log, step_ns,
						   m->now_mono_ns + m->clock.offset_ns),
			       m->now_mono_ns);
}

void meter_note_sampling(struct meter *m, uint64_t before, uint64_t n, const char *reason,
			 const char *because)
{
	bool by_packets = m->opts.options->sample_mode == OPTIONS_SAMPLE_PACKET;
	uint64_t now_ns = clock_mono_ns();

	m->sampling_changes++;
	log_info("sampling changed from 1 %s in %llu to 1 in %llu: %s",
		 by_packets ? "packet" : "flow", (unsigned long long)before, (unsigned long long)n,
		 because);
	if (m->logs)
		outbox_add_log(m->logs,
			       flow_log_sampling(&m->log, by_packets, before, n, reason, because,
						 now_ns + m->clock.offset_ns),
			       now_ns);
}

void meter_note_budget(struct meter *m, const struct auto_budget *b, const double *used)
{
	m->has_budget = b;
	if (!b)
		return;
	m->budget = *b;
	memcpy(m->budget_used, used, sizeof(m->budget_used));
}

struct flow_series *meter_series(struct meter *m)
{
	return m ? m->series : NULL;
}

void meter_flush(struct meter *m)
{
	outbox_flush(m->logs);
}

/* Metrics, to those who fetch them, and at the end of an interval to the exporter. */
static void meter_hand_out(struct meter *m, const struct ledger *l, bool is_interval)
{
	const char *names[FLOW_MAX_IFS];
	struct flow_otlp_snapshot s;

	meter_snapshot(m, l, names, &s);
	meter_collect_exemplars(m);
	scrape_make(m->scrape, m->otlp, &s, m->now_mono_ns, is_interval);
	if (!is_interval)
		return;
	if (m->points)
		meter_export_metrics(m, &s);
	if (m->logs)
		meter_log_losses(m, l);
	memcpy(m->exported, m->now, m->counters_len * sizeof(*m->now));
	m->exported_mono_ns = m->now_mono_ns;
}

int meter_listen(struct meter *m)
{
	struct ledger l;
	int err = scrape_open(&m->scrape, m->opts.options, m->opts.probe);

	if (err || !m->scrape)
		return err;
	m->now_mono_ns = clock_mono_ns();
	meter_ledger(m, &l);
	meter_hand_out(m, &l, false);
	scrape_tick(m->scrape, m->state, &l, m->now_mono_ns);
	return 0;
}

void meter_set_state(struct meter *m, enum scrape_state state)
{
	struct ledger l;

	m->state = state;
	if (!m->scrape)
		return;
	meter_ledger(m, &l);
	scrape_tick(m->scrape, state, &l, clock_mono_ns());
}

void meter_tick(struct meter *m, uint64_t now_mono_ns, bool is_final)
{
	bool is_interval = is_final || now_mono_ns - m->exported_mono_ns >=
					       m->opts.options->interval_ms * 1000000ULL;
	struct ledger l;

	m->is_final = is_final;
	m->now_mono_ns = now_mono_ns;
	if (clock_sync_update(&m->clock, now_mono_ns))
		meter_on_clock_step(m);
	meter_ledger(m, &l);
	if (link_rates_measure(&m->rates, m->now, now_mono_ns) && m->opts.console)
		meter_show(m, &l);
	if (is_interval || scrape_is_due(m->scrape, now_mono_ns))
		meter_hand_out(m, &l, is_interval);
	scrape_tick(m->scrape, m->state, &l, now_mono_ns);
	if (is_final)
		outbox_flush(m->logs);
	else
		outbox_tick(m->logs, now_mono_ns);
}

static void meter_add_outbox(struct outbox_stats *to, const struct outbox_stats *s)
{
	to->made += s->made;
	to->unencodable += s->unencodable;
	to->waiting += s->waiting;
	to->unsent += s->unsent;
}

static void meter_add_events(struct flow_event_stats *to, const struct flow_event_stats *s)
{
	to->seen += s->seen;
	to->reported += s->reported;
	to->held += s->held;
	to->flow_limit += s->flow_limit;
	to->no_flow += s->no_flow;
	to->pool_full += s->pool_full;
	to->late += s->late;
}

static void meter_add_worker(struct ledger *l, const struct worker_stats *s)
{
	l->records_consumed += s->records_consumed;
	l->records_strangers += s->records_strangers;
	l->pkts_ended += s->table.pkts_ended;
	l->pkts_held += s->table.pkts_held;
	l->spans_made += s->spans_made;
	meter_add_outbox(&l->outbox[OTLP_TRACES], &s->spans);
	meter_add_outbox(&l->outbox[OTLP_LOGS], &s->logs);
	l->flows_begun += s->table.flows_begun;
	l->flows_ended += s->table.flows_ended;
	l->flows_held += s->table.flows_held;
	l->flows_adopted += s->table.flows_adopted;
	l->flows_incomplete += s->table.flows_incomplete;
	l->flows_evicted += s->table.flows_evicted;
	meter_add_events(&l->events, &s->table.events);
}

static void meter_add_exporter(const struct meter *m, struct ledger *l)
{
	struct otlp_exporter *x = m->opts.exporter;
	size_t d, s;

	if (!x)
		return;
	l->destinations_len = otlp_exporter_destinations(x);
	if (l->destinations_len > LEDGER_DESTINATIONS)
		l->destinations_len = LEDGER_DESTINATIONS;
	for (d = 0; d < l->destinations_len; d++) {
		for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
			otlp_exporter_target(x, d, s, &l->target[d][s]);
			otlp_exporter_stats(x, d, s, &l->signal[d][s]);
		}
	}
	l->connects = otlp_exporter_connects(x);
	l->queue_dir = m->opts.options->queue_dir;
	l->has_logs = m->opts.options->has_logs;
}

void meter_ledger(struct meter *m, struct ledger *ret)
{
	struct flow_ring_stats ring;
	struct worker_stats stats;
	uint64_t seen;
	unsigned w;
	size_t i;

	/* downstream first: what moves on meanwhile then shows as held, never as missing */
	*ret = (struct ledger){.is_running = !m->is_final, .has_console = m->opts.console};
	meter_add_exporter(m, ret);
	outbox_stats(m->points, &ret->outbox[OTLP_METRICS]);
	outbox_stats(m->logs, &ret->outbox[OTLP_LOGS]);
	ret->has_stream = m->opts.stream;
	stream_stats(m->opts.stream, &ret->stream);
	if (m->opts.console)
		console_counts(m->opts.console, &ret->console_printed, &ret->console_skipped);
	for (w = 0; w < m->opts.options->workers; w++) {
		worker_stats(m->opts.workers[w], &stats);
		meter_add_worker(ret, &stats);
		if (!probe_read_ring_stats(m->opts.probe, w, &ring)) {
			ret->records_submitted += ring.submitted;
			ret->records_lost += ring.lost_full;
		}
	}
	seen = ret->records_consumed + ret->records_strangers;
	/* at the end the rings are drained: what is missing then is missing */
	if (!m->is_final && ret->records_submitted > seen)
		ret->records_held = ret->records_submitted - seen;
	ret->by_packets = m->opts.options->sample_mode == OPTIONS_SAMPLE_PACKET;
	ret->clock_steps = m->clock.steps;
	probe_read_stats(m->opts.probe, &ret->kern);
	probe_read_counters(m->opts.probe, m->now);
	for (i = 0; i < m->counters_len; i++) {
		ret->pkts_seen += flow_counter_pkts(&m->now[i]);
		ret->pkts_kept += m->now[i].kept;
		ret->pkts_not_kept += m->now[i].not_kept;
		ret->pkts_no_flow += m->now[i].no_flow;
		ret->pkts_filtered += m->now[i].filtered;
	}
}
