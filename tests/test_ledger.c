/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/ledger.h"

/* A run that lost something of everything, and says so. */
static struct ledger closed_ledger(void)
{
	struct ledger l = {
	    .pkts_seen = 1020,
	    .pkts_kept = 600,
	    .pkts_not_kept = 390,
	    .pkts_no_flow = 10,
	    .pkts_filtered = 20,
	    .pkts_ended = 595,
	    .pkts_held = 2,
	    .kern.stat = {[FLOW_STAT_STATE_FULL] = 9,
			  [FLOW_STAT_STATELESS_LOST] = 3,
			  [FLOW_STAT_QUOTE_THINNED] = 6},
	    .records_submitted = 200,
	    .records_lost = 7,
	    .records_consumed = 195,
	    .records_strangers = 1,
	    .records_held = 4,
	    .spans_made = 50,
	    .outbox =
		{
		    [OTLP_TRACES] = {.made = 50, .unencodable = 1, .waiting = 2, .unsent = 3},
		    [OTLP_METRICS] = {.made = 31, .unencodable = 1},
		    [OTLP_LOGS] = {.made = 9, .unsent = 1, .waiting = 1},
		},
	    .has_console = true,
	    .has_logs = true,
	    .destinations_len = 1,
	    .target = {{
		[OTLP_TRACES] = {"http://a:4318/v1/traces", "a", 4318, 1 << 20},
		[OTLP_METRICS] = {"http://a:4318/v1/metrics", "a", 4318, 1 << 20},
		[OTLP_LOGS] = {"http://a:4318/v1/logs", "a", 4318, 1 << 20},
	    }},
	    .signal = {{
		[OTLP_TRACES] = {.submitted = 44,
				 .exported = 17,
				 .rejected = 5,
				 .dropped = {1, 2, 3, 4, 1, 2},
				 .queued = 9,
				 .queued_volatile = 9},
		[OTLP_METRICS] = {.submitted = 30, .exported = 30},
		[OTLP_LOGS] = {.submitted = 7, .exported = 5, .dropped = {2}},
	    }},
	    .console_printed = 40,
	    .console_skipped = 10,
	    .flows_begun = 45,
	    .flows_ended = 44,
	    .flows_held = 1,
	    .events = {.seen = 31,
		       .reported = 12,
		       .held = 5,
		       .flow_limit = 8,
		       .no_flow = 1,
		       .pool_full = 3,
		       .late = 2},
	};

	return l;
}

static const struct ledger_row *find(const struct ledger_row *rows, unsigned len, const char *stage)
{
	unsigned i;

	for (i = 0; i < len; i++)
		if (!strcmp(rows[i].stage, stage))
			return &rows[i];
	fail_msg("no row '%s'", stage);
	return NULL;
}

static bool is_closed(const struct ledger *l, const char *stage)
{
	struct ledger_row rows[LEDGER_ROWS_MAX];
	unsigned len = ledger_rows(l, rows);

	return find(rows, len, stage)->is_closed;
}

static void print(const struct ledger *l, char *text, size_t cap, bool *ret_closed)
{
	FILE *f = fmemopen(text, cap, "w");

	assert_non_null(f);
	*ret_closed = ledger_print(l, f);
	fclose(f);
}

static void test_ledger_closes_when_all_is_accounted_for(void **state)
{
	static const char *const stages[] = {
	    "packets",	  "kept_packets", "flows",   "flow_events", "records",	    "spans",
	    "spans_otlp", "metrics",	  "metric_points", "logs", "log_records",
	    "spans_console"};
	struct ledger l = closed_ledger();
	struct ledger_row rows[LEDGER_ROWS_MAX];
	unsigned len = ledger_rows(&l, rows), i;

	(void)state;
	assert_int_equal(len, sizeof(stages) / sizeof(*stages));
	for (i = 0; i < len; i++) {
		assert_string_equal(rows[i].stage, stages[i]);
		if (!rows[i].is_closed)
			fail_msg("%s is not closed", rows[i].stage);
	}
}

/* What the kernel did not tell, since it came too fast, is in the row of events all the same. */
static void test_ledger_shows_thinned_icmp_errors(void **state)
{
	struct ledger l = closed_ledger();
	struct ledger_row rows[LEDGER_ROWS_MAX];
	unsigned len = ledger_rows(&l, rows);
	const struct ledger_row *r = find(rows, len, "flow_events");

	(void)state;
	assert_int_equal(r->in, 31 + 6);
	assert_int_equal(r->aside_len, 3);
	assert_string_equal(r->aside[2].reason, "icmp_rate");
	assert_int_equal(r->aside[2].count, 6);
}

/* Every number of the balance counts: one more anywhere opens exactly its rows. */
static void test_ledger_notices_each_number(void **state)
{
	struct ledger l = closed_ledger();
	const struct {
		uint64_t *number;
		const char *row;
	} numbers[] = {
	    {&l.pkts_seen, "packets"},
	    {&l.pkts_kept, "packets"},
	    {&l.pkts_kept, "kept_packets"},
	    {&l.pkts_not_kept, "packets"},
	    {&l.pkts_no_flow, "packets"},
	    {&l.pkts_filtered, "packets"},
	    {&l.pkts_ended, "kept_packets"},
	    {&l.pkts_held, "kept_packets"},
	    {(uint64_t *)&l.kern.stat[FLOW_STAT_STATELESS_LOST], "kept_packets"},
	    {&l.flows_begun, "flows"},
	    {&l.flows_ended, "flows"},
	    {&l.flows_held, "flows"},
	    {&l.events.seen, "flow_events"},
	    {&l.events.reported, "flow_events"},
	    {&l.events.held, "flow_events"},
	    {&l.events.flow_limit, "flow_events"},
	    {&l.events.no_flow, "flow_events"},
	    {&l.events.pool_full, "flow_events"},
	    {&l.events.late, "flow_events"},
	    {&l.records_submitted, "records"},
	    {&l.records_consumed, "records"},
	    {&l.records_strangers, "records"},
	    {&l.records_held, "records"},
	    {&l.spans_made, "spans_console"},
	    {&l.outbox[OTLP_TRACES].made, "spans"},
	    {&l.outbox[OTLP_TRACES].unencodable, "spans"},
	    {&l.outbox[OTLP_TRACES].waiting, "spans"},
	    {&l.outbox[OTLP_TRACES].unsent, "spans"},
	    {&l.outbox[OTLP_METRICS].made, "metrics"},
	    {&l.outbox[OTLP_METRICS].unencodable, "metrics"},
	    {&l.outbox[OTLP_LOGS].made, "logs"},
	    {&l.outbox[OTLP_LOGS].unsent, "logs"},
	    {&l.signal[0][OTLP_TRACES].recovered, "spans"},
	    {&l.signal[0][OTLP_LOGS].submitted, "logs"},
	    {&l.signal[0][OTLP_LOGS].exported, "log_records"},
	    {&l.signal[0][OTLP_METRICS].submitted, "metrics"},
	    {&l.signal[0][OTLP_TRACES].dropped[OTLP_DROP_DAMAGED], "spans_otlp"},
	    {&l.signal[0][OTLP_TRACES].dropped[OTLP_DROP_TOO_LARGE], "spans_otlp"},
	    {&l.signal[0][OTLP_TRACES].submitted, "spans"},
	    {&l.signal[0][OTLP_TRACES].submitted, "spans_otlp"},
	    {&l.signal[0][OTLP_TRACES].exported, "spans_otlp"},
	    {&l.signal[0][OTLP_TRACES].rejected, "spans_otlp"},
	    {&l.signal[0][OTLP_TRACES].queued, "spans_otlp"},
	    {&l.signal[0][OTLP_TRACES].dropped[OTLP_DROP_SHUTDOWN], "spans_otlp"},
	    {&l.signal[0][OTLP_METRICS].submitted, "metric_points"},
	    {&l.signal[0][OTLP_METRICS].dropped[OTLP_DROP_REFUSED], "metric_points"},
	    {&l.console_printed, "spans_console"},
	    {&l.console_skipped, "spans_console"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		++*numbers[i].number;
		if (is_closed(&l, numbers[i].row))
			fail_msg("number %zu does not count in %s", i, numbers[i].row);
		--*numbers[i].number;
		assert_true(is_closed(&l, numbers[i].row));
	}
}

/* A record that found no room goes in and is lost: it changes the row, not the balance. */
static void test_ledger_ring_loss_stays_balanced(void **state)
{
	struct ledger l = closed_ledger();
	uint64_t lost = ledger_lost(&l);

	(void)state;
	l.records_lost += 5;
	assert_true(is_closed(&l, "records"));
	assert_int_equal(ledger_lost(&l), lost + 5);
}

static void test_ledger_lost_leaves_out_what_was_meant(void **state)
{
	struct ledger l = closed_ledger();

	(void)state;
	assert_int_equal(ledger_lost(&l), 3 + 5 + 7 + 1 + 4 + 5 + 13 + 1 + 1 + 2);
	l.pkts_not_kept += 100;
	l.pkts_filtered += 100;
	l.console_skipped += 100;
	l.events.flow_limit += 100;
	l.events.no_flow += 100;
	l.kern.stat[FLOW_STAT_QUOTE_THINNED] += 100;
	assert_int_equal(ledger_lost(&l), 3 + 5 + 7 + 1 + 4 + 5 + 13 + 1 + 1 + 2);
}

static void test_ledger_on_the_way_is_held_while_running(void **state)
{
	struct ledger l = closed_ledger();
	struct ledger_row rows[LEDGER_ROWS_MAX];
	const struct ledger_row *r;
	unsigned len;

	(void)state;
	l.pkts_seen += 20;
	l.pkts_kept += 20;
	l.is_running = true;
	len = ledger_rows(&l, rows);
	r = find(rows, len, "kept_packets");
	assert_true(r->is_closed);
	assert_int_equal(r->held, 22);
	/* too much is never right, nor is a gap in one consistent reading */
	l.pkts_ended += 100;
	assert_false(is_closed(&l, "kept_packets"));
	l.signal[0][OTLP_TRACES].exported--;
	assert_false(is_closed(&l, "spans_otlp"));
}

static unsigned rows_of(const struct ledger *l)
{
	struct ledger_row rows[LEDGER_ROWS_MAX];

	return ledger_rows(l, rows);
}

static void test_ledger_has_only_rows_that_apply(void **state)
{
	struct ledger l = closed_ledger();
	struct ledger_row rows[LEDGER_ROWS_MAX];

	(void)state;
	l.has_logs = false;
	l.signal[0][OTLP_LOGS] = (struct otlp_signal_stats){0};
	assert_int_equal(rows_of(&l), 10);
	l.target[0][OTLP_TRACES].label = NULL; /* OTEL_TRACES_EXPORTER=none */
	assert_int_equal(ledger_rows(&l, rows), 8);
	assert_string_equal(rows[5].stage, "metrics");
	l.destinations_len = 0;
	assert_int_equal(ledger_rows(&l, rows), 6);
	assert_string_equal(rows[5].stage, "spans_console");
	l.has_console = false;
	assert_int_equal(rows_of(&l), 5);
}

/* Without --logs there may still be some of an earlier run, on disk. */
static void test_ledger_shows_logs_of_an_earlier_run(void **state)
{
	struct ledger l = closed_ledger();

	(void)state;
	l.has_logs = false;
	l.outbox[OTLP_LOGS] = (struct outbox_stats){0};
	l.signal[0][OTLP_LOGS] =
	    (struct otlp_signal_stats){.submitted = 4, .recovered = 4, .exported = 4};
	assert_true(is_closed(&l, "logs"));
	assert_true(is_closed(&l, "log_records"));
}

static struct ledger two_destinations(void)
{
	struct ledger l = closed_ledger();

	l.destinations_len = 2;
	memcpy(l.signal[1], l.signal[0], sizeof(l.signal[0]));
	l.target[1][OTLP_TRACES] =
	    (struct otlp_target_info){"https://b/v1/traces", "b", 443, 1 << 20};
	l.target[1][OTLP_LOGS] = (struct otlp_target_info){"https://b/v1/logs", "b", 443, 1 << 20};
	l.signal[1][OTLP_TRACES].exported = 0;
	l.signal[1][OTLP_TRACES].queued = 26;
	l.signal[1][OTLP_TRACES].queued_volatile = 0;
	return l;
}

static void test_ledger_has_a_row_for_each_destination(void **state)
{
	struct ledger l = two_destinations();
	struct ledger_row rows[LEDGER_ROWS_MAX];
	char text[8192];
	bool closed;

	(void)state;
	assert_int_equal(ledger_rows(&l, rows), 14);
	assert_string_equal(rows[6].stage, "spans_otlp");
	assert_int_equal(rows[6].destination, 1);
	assert_string_equal(rows[6].server_address, "a");
	assert_int_equal(rows[7].destination, 2);
	assert_string_equal(rows[7].server_address, "b");
	assert_int_equal(rows[7].held, 26);
	assert_int_equal(rows[5].destination, 0);
	l.signal[1][OTLP_TRACES].rejected++;
	print(&l, text, sizeof(text), &closed);
	assert_false(closed);
	assert_non_null(strstr(text, "\nspans_otlp/1 "));
	assert_non_null(strstr(text, "\nspans_otlp/2 "));
	assert_non_null(strstr(text, "\nmetric_points/1 "));
	assert_null(strstr(text, "metric_points/2"));
	assert_non_null(strstr(text, "note: destination 1 is http://a:4318/v1/traces, "
				     "http://a:4318/v1/metrics, http://a:4318/v1/logs\n"));
	assert_non_null(
	    strstr(text, "note: destination 2 is https://b/v1/traces, https://b/v1/logs\n"));
	assert_non_null(strstr(text, "ledger: NOT CLOSED (spans_otlp/2)\n"));
}

/* The first destination need not take the signal. */
static void test_ledger_made_is_compared_with_whoever_takes_it(void **state)
{
	struct ledger l = two_destinations();

	(void)state;
	l.target[0][OTLP_TRACES].label = NULL;
	l.signal[0][OTLP_TRACES] = (struct otlp_signal_stats){0};
	assert_true(is_closed(&l, "spans"));
	l.signal[1][OTLP_TRACES].submitted++;
	assert_false(is_closed(&l, "spans"));
}

static void test_ledger_tells_what_waits_for_the_next_start(void **state)
{
	struct ledger l = closed_ledger();
	char text[8192];
	bool closed;

	(void)state;
	l.queue_dir = "/var/lib/q";
	l.signal[0][OTLP_TRACES].queued_volatile = 2;
	l.signal[0][OTLP_LOGS].queued = 5;
	l.signal[0][OTLP_LOGS].exported = 0;
	print(&l, text, sizeof(text), &closed);
	assert_true(closed);
	assert_non_null(strstr(text, "\nnote: 7 spans, 5 log records wait in /var/lib/q and are "
				     "sent at the next start\n"));
	assert_null(strstr(text, "found in the queue"));
	l.is_running = true; /* they will be sent in a moment */
	l.signal[0][OTLP_METRICS].recovered = 3;
	l.signal[0][OTLP_METRICS].submitted = 33;
	l.signal[0][OTLP_METRICS].exported = 33;
	print(&l, text, sizeof(text), &closed);
	assert_true(closed);
	assert_null(strstr(text, "next start"));
	assert_non_null(strstr(text, "\nnote: 3 items were found in the queue directory\n"));

	l = two_destinations();
	l.queue_dir = "/q";
	l.signal[0][OTLP_TRACES].queued_volatile = 9;
	l.signal[1][OTLP_TRACES].recovered = 1;
	print(&l, text, sizeof(text), &closed);
	assert_non_null(strstr(text, "\nnote: 26 spans for destination 2 wait in /q and"));
	assert_null(strstr(text, "destination 1 wait"));
	assert_non_null(strstr(text, "\nnote: 1 item was found in the queue directory for "
				     "destination 2\n"));
}

static void test_ledger_growths_are_what_was_lost_since(void **state)
{
	struct ledger before = two_destinations(), now;
	struct ledger_growth grown[LEDGER_GROWTH_MAX];

	(void)state;
	before.signal[0][OTLP_TRACES].dropped[OTLP_DROP_REFUSED] = 100;
	now = before;
	assert_int_equal(ledger_growths(&before, &now, grown), 0);
	now.records_lost += 5;
	now.signal[0][OTLP_TRACES].exported++; /* no loss */
	now.signal[1][OTLP_TRACES].dropped[OTLP_DROP_REFUSED] += 6;
	now.signal[0][OTLP_LOGS].rejected += 7; /* about these no log is made */
	now.outbox[OTLP_LOGS].unsent += 8;
	assert_int_equal(ledger_growths(&before, &now, grown), 2);
	assert_string_equal(grown[0].stage, "records");
	assert_string_equal(grown[0].reason, "ring_full");
	assert_int_equal(grown[0].count, 5);
	assert_int_equal(grown[0].destination, 0);
	assert_string_equal(grown[1].stage, "spans_otlp");
	assert_string_equal(grown[1].reason, "refused");
	assert_int_equal(grown[1].count, 6);
	assert_int_equal(grown[1].destination, 2);
	assert_string_equal(grown[1].server_address, "b");
	/* of the first reading there is nothing to compare with */
	before = (struct ledger){0};
	assert_true(ledger_growths(&before, &now, grown) > 10);
	assert_int_equal(grown[0].count, 3);
}

static void test_ledger_prints_a_table_that_adds_up(void **state)
{
	struct ledger l = closed_ledger();
	char text[4096], *line, *rest = text, stage[32];
	unsigned long long in, out, held, aside, lost;
	unsigned rows = 0;
	bool closed;

	(void)state;
	print(&l, text, sizeof(text), &closed);
	assert_true(closed);
	assert_null(strstr(text, "spans_otlp/"));
	assert_non_null(strstr(text, "  not_sampled=390  no_flow=10  filtered=20\n"));
	assert_non_null(strstr(text, "  ring_full=7  strangers=1\n"));
	assert_non_null(strstr(text, "note: 9 packets met a full flow map (--max-flows)\n"));
	line = strsep(&rest, "\n");
	assert_int_equal(strncmp(line, "stage ", 6), 0);
	while ((line = strsep(&rest, "\n")) && strncmp(line, "note: ", 6)) {
		assert_int_equal(sscanf(line, "%31s %llu %llu %llu %llu %llu", stage, &in, &out,
					&held, &aside, &lost),
				 6);
		assert_int_equal(in, out + held + aside + lost);
		rows++;
	}
	assert_int_equal(rows, 12);
	assert_string_equal(rest, "ledger: closed\n");
}

static void test_ledger_names_rows_that_do_not_close(void **state)
{
	struct ledger l = closed_ledger();
	const char *end = "ledger: NOT CLOSED (packets, records)\n";
	char text[4096];
	bool closed;

	(void)state;
	l.pkts_seen += 2;
	l.records_consumed += 3;
	print(&l, text, sizeof(text), &closed);
	assert_false(closed);
	assert_non_null(strstr(text, "missing=2\n"));
	assert_non_null(strstr(text, "missing=-3\n"));
	assert_true(strlen(text) > strlen(end));
	assert_string_equal(text + strlen(text) - strlen(end), end);
}

static void test_ledger_of_an_idle_run_is_closed(void **state)
{
	struct ledger l = {0};
	char text[4096];
	bool closed;

	(void)state;
	print(&l, text, sizeof(text), &closed);
	assert_true(closed);
	assert_null(strstr(text, "note:"));
	assert_null(strstr(text, "="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ledger_closes_when_all_is_accounted_for),
	    cmocka_unit_test(test_ledger_notices_each_number),
	    cmocka_unit_test(test_ledger_ring_loss_stays_balanced),
	    cmocka_unit_test(test_ledger_shows_thinned_icmp_errors),
	    cmocka_unit_test(test_ledger_lost_leaves_out_what_was_meant),
	    cmocka_unit_test(test_ledger_on_the_way_is_held_while_running),
	    cmocka_unit_test(test_ledger_has_only_rows_that_apply),
	    cmocka_unit_test(test_ledger_shows_logs_of_an_earlier_run),
	    cmocka_unit_test(test_ledger_has_a_row_for_each_destination),
	    cmocka_unit_test(test_ledger_made_is_compared_with_whoever_takes_it),
	    cmocka_unit_test(test_ledger_tells_what_waits_for_the_next_start),
	    cmocka_unit_test(test_ledger_growths_are_what_was_lost_since),
	    cmocka_unit_test(test_ledger_prints_a_table_that_adds_up),
	    cmocka_unit_test(test_ledger_names_rows_that_do_not_close),
	    cmocka_unit_test(test_ledger_of_an_idle_run_is_closed),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
