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

static void ledger_add_signal(struct ledger_row *rows, unsigned *len, const char *stage,
			      const struct otlp_signal_stats *s)
{
	struct ledger_row *r =
	    ledger_row_add(rows, len, stage, s->submitted, s->exported, s->queued);
	unsigned i;

	ledger_add_lost(r, "rejected", s->rejected);
	for (i = 0; i < OTLP_DROP_MAX; i++)
		ledger_add_lost(r, otlp_drop_reason_name(i), s->dropped[i]);
	ledger_row_settle(r, false); /* one consistent reading, even while it works */
}

unsigned ledger_rows(const struct ledger *l, struct ledger_row rows[LEDGER_ROWS_MAX])
{
	const struct otlp_signal_stats *traces = &l->signal[OTLP_TRACES];
	struct ledger_row *r;
	unsigned len = 0;

	r = ledger_row_add(rows, &len, "packets", l->pkts_seen, l->pkts_kept, 0);
	ledger_add_aside(r, "not_sampled", l->pkts_not_kept);
	ledger_add_aside(r, "no_flow", l->pkts_no_flow);
	ledger_row_settle(r, l->is_running);

	/* A packet without kernel state (map full) is reported by its own record: lost only without
	 */
	r = ledger_row_add(rows, &len, "kept_packets", l->pkts_kept, l->pkts_ended, l->pkts_held);
	ledger_add_lost(r, "no_record", l->kern.stat[FLOW_STAT_STATELESS_LOST]);
	ledger_row_settle(r, l->is_running);

	r = ledger_row_add(rows, &len, "flows", l->flows_begun, l->flows_ended, l->flows_held);
	ledger_row_settle(r, l->is_running);

	r = ledger_row_add(rows, &len, "records", l->records_submitted + l->records_lost,
			   l->records_consumed, l->records_held);
	ledger_add_lost(r, "ring_full", l->records_lost);
	ledger_add_lost(r, "strangers", l->records_strangers);
	ledger_row_settle(r, l->is_running);

	if (l->has_otlp) {
		r = ledger_row_add(rows, &len, "spans", l->spans_made, traces->submitted,
				   l->spans_waiting);
		ledger_add_lost(r, "unencodable", l->spans_unencodable);
		ledger_add_lost(r, "unsent", l->spans_unsent);
		ledger_row_settle(r, l->is_running);
		ledger_add_signal(rows, &len, "spans_otlp", traces);
		ledger_add_signal(rows, &len, "metric_points", &l->signal[OTLP_METRICS]);
	}
	if (l->has_console) {
		r = ledger_row_add(rows, &len, "spans_console", l->spans_made, l->console_printed,
				   0);
		ledger_add_aside(r, "not_shown", l->console_skipped);
		ledger_row_settle(r, l->is_running);
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

static void ledger_print_shares(const struct ledger_share *share, unsigned len, FILE *out)
{
	unsigned i;

	for (i = 0; i < len; i++)
		if (share[i].count)
			fprintf(out, "  %s=%" PRIu64, share[i].reason, share[i].count);
}

static void ledger_print_row(const struct ledger_row *r, FILE *out)
{
	fprintf(out, "%-14s %12" PRIu64 " %12" PRIu64 " %10" PRIu64 " %12" PRIu64 " %10" PRIu64,
		r->stage, r->in, r->out, r->held, ledger_sum(r->aside, r->aside_len),
		ledger_sum(r->lost, r->lost_len));
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
	    {l->flows_adopted, "flows found in the kernel's map, their first records were lost"},
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

bool ledger_print(const struct ledger *l, FILE *out)
{
	struct ledger_row rows[LEDGER_ROWS_MAX];
	unsigned len = ledger_rows(l, rows), open = 0, i;

	fprintf(out, "%-14s %12s %12s %10s %12s %10s  why\n", "stage", "in", "out", "held", "aside",
		"lost");
	for (i = 0; i < len; i++)
		ledger_print_row(&rows[i], out);
	ledger_print_notes(l, out);
	for (i = 0; i < len; i++)
		if (!rows[i].is_closed)
			fprintf(out, "%s%s", open++ ? ", " : "ledger: NOT CLOSED (", rows[i].stage);
	fputs(open ? ")\n" : "ledger: closed\n", out);
	return !open;
}
