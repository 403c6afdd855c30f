/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Each row is built from counts that different parties made: the kernel what it saw, the workers
 * what they ended, the exporter what the server took. So a row that closes is evidence, and nothing
 * here may be computed as the rest of the others. The one exception is a reading taken while
 * packets are on their way between two of those parties (is_running).
 */
#include "user/ledger.h"

#include <inttypes.h>
#include <string.h>

static struct ledger_row *ledger_row_add(struct ledger_row *rows, unsigned *len, const char *stage,
					 uint64_t in, uint64_t out, uint64_t held)
{
	struct ledger_row *r = &rows[(*len)++];

	memset(r, 0, sizeof(*r));
	r->stage = stage;
	r->in = in;
	r->out = out;
	r->held = held;
	return r;
}

static void ledger_add_lost(struct ledger_row *r, const char *reason, uint64_t count)
{
	r->lost[r->lost_len++] = (struct ledger_share){reason, count};
}

static void ledger_add_aside(struct ledger_row *r, const char *reason, uint64_t count)
{
	r->aside[r->aside_len++] = (struct ledger_share){reason, count};
}

static uint64_t ledger_sum(const struct ledger_share *share, unsigned len)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < len; i++)
		sum += share[i].count;
	return sum;
}

/* What is missing (positive) or too much in a row. */
static int64_t ledger_row_gap(const struct ledger_row *r)
{
	return (int64_t)(r->in - r->out - r->held - ledger_sum(r->aside, r->aside_len) -
			 ledger_sum(r->lost, r->lost_len));
}

/* The row is complete. @in_flight: what is missing is on its way, and held. */
static void ledger_row_settle(struct ledger_row *r, bool in_flight)
{
	int64_t gap = ledger_row_gap(r);

	if (in_flight && gap > 0) {
		r->held += (uint64_t)gap;
		gap = 0;
	}
	r->is_closed = gap == 0;
}

static bool ledger_has(const struct ledger *l, size_t destination, enum otlp_signal signal)
{
	/* logs of an earlier run may wait on disk */
	return l->target[destination][signal].label &&
	       (signal != OTLP_LOGS || l->has_logs || l->signal[destination][signal].submitted);
}

static void ledger_add_destination(const struct ledger *l, size_t destination,
				   enum otlp_signal signal, struct ledger_row *rows, unsigned *len)
{
	static const char *const stages[] = {"spans_otlp", "metric_points", "log_records"};
	const struct otlp_signal_stats *s = &l->signal[destination][signal];
	struct ledger_row *r =
		ledger_row_add(rows, len, stages[signal], s->submitted, s->exported, s->queued);
	unsigned i;

	if (l->destinations_len > 1) {
		r->destination = (unsigned)destination + 1;
		r->server_address = l->target[destination][signal].server_address;
	}
	r->is_of_logs = signal == OTLP_LOGS;
	ledger_add_lost(r, "rejected", s->rejected);
	for (i = 0; i < OTLP_DROP_MAX; i++)
		ledger_add_lost(r, otlp_drop_reason_name(i), s->dropped[i]);
	ledger_row_settle(r, false); /* one consistent reading, even while it works */
}

/* What was made of a signal, and what each destination did with it. */
static void ledger_add_signal(const struct ledger *l, enum otlp_signal signal,
			      struct ledger_row *rows, unsigned *len)
{
	static const char *const stages[] = {"spans", "metrics", "logs"};
	const struct outbox_stats *made = &l->outbox[signal];
	const struct otlp_signal_stats *s;
	struct ledger_row *r;
	size_t d = 0;

	while (d < l->destinations_len && !ledger_has(l, d, signal))
		d++;
	if (d == l->destinations_len)
		return;
	s = &l->signal[d][signal]; /* each gets the same */
	r = ledger_row_add(rows, len, stages[signal], made->made, s->submitted - s->recovered,
			   made->waiting);
	r->is_of_logs = signal == OTLP_LOGS;
	ledger_add_lost(r, "unencodable", made->unencodable);
	ledger_add_lost(r, "unsent", made->unsent);
	ledger_row_settle(r, l->is_running);
	for (; d < l->destinations_len; d++)
		if (ledger_has(l, d, signal))
			ledger_add_destination(l, d, signal, rows, len);
}

unsigned ledger_rows(const struct ledger *l, struct ledger_row rows[LEDGER_ROWS_MAX])
{
	struct ledger_row *r;
	unsigned len = 0, i;

	r = ledger_row_add(rows, &len, "packets", l->pkts_seen, l->pkts_kept, 0);
	ledger_add_aside(r, l->by_packets ? "skipped" : "not_sampled", l->pkts_not_kept);
	ledger_add_aside(r, "no_flow", l->pkts_no_flow);
	ledger_add_aside(r, "filtered", l->pkts_filtered);
	ledger_row_settle(r, l->is_running);

	/* A packet without kernel state (map full) is reported by its own record: lost only without
	 */
	r = ledger_row_add(rows, &len, "kept_packets", l->pkts_kept, l->pkts_ended, l->pkts_held);
	ledger_add_lost(r, "no_record", l->kern.stat[FLOW_STAT_STATELESS_LOST]);
	ledger_row_settle(r, l->is_running);

	r = ledger_row_add(rows, &len, "flows", l->flows_begun, l->flows_ended, l->flows_held);
	ledger_row_settle(r, l->is_running);

	r = ledger_row_add(rows, &len, "flow_events",
			   l->events.seen + l->kern.stat[FLOW_STAT_QUOTE_THINNED],
			   l->events.reported, l->events.held);
	ledger_add_aside(r, "flow_limit", l->events.flow_limit);
	ledger_add_aside(r, "no_flow", l->events.no_flow);
	ledger_add_aside(r, "icmp_rate", l->kern.stat[FLOW_STAT_QUOTE_THINNED]);
	ledger_add_lost(r, "pool_full", l->events.pool_full);
	ledger_add_lost(r, "late", l->events.late);
	ledger_row_settle(r, false); /* one consistent reading of each table */

	r = ledger_row_add(rows, &len, "records", l->records_submitted + l->records_lost,
			   l->records_consumed, l->records_held);
	ledger_add_lost(r, "ring_full", l->records_lost);
	ledger_add_lost(r, "strangers", l->records_strangers);
	ledger_row_settle(r, l->is_running);

	for (i = 0; i < OTLP_SIGNAL_MAX; i++)
		ledger_add_signal(l, i, rows, &len);
	if (l->has_console) {
		r = ledger_row_add(rows, &len, "spans_console", l->spans_made, l->console_printed,
				   0);
		ledger_add_aside(r, "not_shown", l->console_skipped);
		ledger_row_settle(r, l->is_running);
	}
	/* what nng has not sent waits or is lost: which, is told by the size of its queues */
	if (l->has_stream) {
		r = ledger_row_add(rows, &len, "stream", l->stream.for_subscribers, l->stream.sent,
				   l->stream.waiting);
		ledger_add_aside(r, "unread", l->stream.unread);
		ledger_add_lost(r, "slow_subscriber", l->stream.lost);
		ledger_add_lost(r, "unencodable", l->stream.unmade);
		ledger_row_settle(r, false);
	}
	return len;
}

uint64_t ledger_lost(const struct ledger *l)
{
	struct ledger_row rows[LEDGER_ROWS_MAX];
	unsigned len = ledger_rows(l, rows), i;
	uint64_t sum = 0;

	for (i = 0; i < len; i++)
		sum += ledger_sum(rows[i].lost, rows[i].lost_len);
	return sum;
}

unsigned ledger_growths(const struct ledger *before, const struct ledger *now,
			struct ledger_growth ret[LEDGER_GROWTH_MAX])
{
	struct ledger_row was[LEDGER_ROWS_MAX], is[LEDGER_ROWS_MAX];
	unsigned was_len = ledger_rows(before, was), is_len = ledger_rows(now, is);
	unsigned len = 0, row, old, i;
	uint64_t count;

	for (row = 0; row < is_len; row++) {
		if (is[row].is_of_logs)
			continue;
		for (old = 0; old < was_len; old++)
			if (!strcmp(was[old].stage, is[row].stage) &&
			    was[old].destination == is[row].destination)
				break;
		for (i = 0; i < is[row].lost_len; i++) {
			count = old < was_len ? was[old].lost[i].count : 0;
			if (is[row].lost[i].count <= count)
				continue;
			ret[len++] = (struct ledger_growth){
				is[row].stage, is[row].lost[i].reason, is[row].destination,
				is[row].server_address, is[row].lost[i].count - count};
		}
	}
	return len;
}

static void ledger_print_shares(const struct ledger_share *share, unsigned len, FILE *out)
{
	unsigned i;

	for (i = 0; i < len; i++)
		if (share[i].count)
			fprintf(out, "  %s=%" PRIu64, share[i].reason, share[i].count);
}

static const char *ledger_stage(const struct ledger_row *r, char *buf, size_t cap)
{
	if (!r->destination)
		return r->stage;
	snprintf(buf, cap, "%s/%u", r->stage, r->destination);
	return buf;
}

static void ledger_print_row(const struct ledger_row *r, FILE *out)
{
	char stage[32];

	fprintf(out, "%-14s %12" PRIu64 " %12" PRIu64 " %10" PRIu64 " %12" PRIu64 " %10" PRIu64,
		ledger_stage(r, stage, sizeof(stage)), r->in, r->out, r->held,
		ledger_sum(r->aside, r->aside_len), ledger_sum(r->lost, r->lost_len));
	ledger_print_shares(r->aside, r->aside_len, out);
	ledger_print_shares(r->lost, r->lost_len, out);
	if (!r->is_closed)
		fprintf(out, "  missing=%" PRId64, ledger_row_gap(r));
	fputc('\n', out);
}

static void ledger_print_notes(const struct ledger *l, FILE *out)
{
	const struct {
		uint64_t count;
		const char *text;
	} notes[] = {
		{l->flows_incomplete,
		 "flows reported from records alone, their totals are a lower bound"},
		{l->flows_evicted, "flows ended early to make room in the table (--max-flows)"},
		{l->flows_adopted,
		 "flows found in the kernel's map, their first records were lost"},
		{l->kern.stat[FLOW_STAT_STATE_FULL], "packets met a full flow map (--max-flows)"},
		{l->kern.stat[FLOW_STAT_STATE_NOMEM], "packets found no memory for their flow"},
		{l->kern.stat[FLOW_STAT_STATE_BUSY] + l->kern.stat[FLOW_STAT_STATE_OTHER],
		 "packets got no flow entry for another reason"},
		{l->kern.stat[FLOW_STAT_NEXT_GEN_LOST],
		 "connections were counted on the one before them"},
		{l->clock_steps, "steps of the wall clock"},
	};
	size_t i;

	for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (notes[i].count)
			fprintf(out, "note: %" PRIu64 " %s\n", notes[i].count, notes[i].text);
}

/* Which destination is which. */
static void ledger_print_targets(const struct ledger *l, FILE *out)
{
	const char *before;
	size_t d, s;

	for (d = 0; l->destinations_len > 1 && d < l->destinations_len; d++) {
		fprintf(out, "note: destination %zu is", d + 1);
		for (s = 0, before = " "; s < OTLP_SIGNAL_MAX; s++)
			if (ledger_has(l, d, s)) {
				fprintf(out, "%s%s", before, l->target[d][s].label);
				before = ", ";
			}
		fputc('\n', out);
	}
}

/* What goes from one run to the next. */
static void ledger_print_queue(const struct ledger *l, size_t d, FILE *out)
{
	static const char *const names[] = {"spans", "metric points", "log records"};
	uint64_t recovered = 0, kept, sum = 0;
	size_t s;

	for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
		recovered += l->signal[d][s].recovered;
		kept = l->signal[d][s].queued - l->signal[d][s].queued_volatile;
		if (l->is_running || !kept)
			continue;
		fprintf(out, "%s%" PRIu64 " %s", sum ? ", " : "note: ", kept, names[s]);
		sum += kept;
	}
	if (sum && l->destinations_len > 1)
		fprintf(out, " for destination %zu", d + 1);
	if (sum)
		fprintf(out, " wait in %s and are sent at the next start\n",
			l->queue_dir ? l->queue_dir : "the queue directory");
	if (recovered) {
		fprintf(out, "note: %" PRIu64 " item%s found in the queue directory", recovered,
			recovered == 1 ? " was" : "s were");
		if (l->destinations_len > 1)
			fprintf(out, " for destination %zu", d + 1);
		fputc('\n', out);
	}
}

bool ledger_print(const struct ledger *l, FILE *out)
{
	struct ledger_row rows[LEDGER_ROWS_MAX];
	unsigned len = ledger_rows(l, rows), open = 0, i;
	char stage[32];
	size_t d;

	fprintf(out, "%-14s %12s %12s %10s %12s %10s  why\n", "stage", "in", "out", "held", "aside",
		"lost");
	for (i = 0; i < len; i++)
		ledger_print_row(&rows[i], out);
	ledger_print_targets(l, out);
	ledger_print_notes(l, out);
	for (d = 0; d < l->destinations_len; d++)
		ledger_print_queue(l, d, out);
	for (i = 0; i < len; i++)
		if (!rows[i].is_closed)
			fprintf(out, "%s%s", open++ ? ", " : "ledger: NOT CLOSED (",
				ledger_stage(&rows[i], stage, sizeof(stage)));
	fputs(open ? ")\n" : "ledger: closed\n", out);
	return !open;
}
