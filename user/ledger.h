/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ledger - where every packet, record and span went: at each stage in = out + held + aside + lost.
 *
 * Plain numbers, filled by meter, printed at exit and exported as ringspan.* metrics. Pure.
 */
#ifndef USER_LEDGER_H
#define USER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "kern/flow_abi.h"
#include "otlp/exporter.h"

struct ledger {
	/* The numbers were read one after the other, the last stage first, while the program works:
	 * what is in none of them is on its way through kernel and rings, and taken as held. False
	 * at the end: then nothing may be missing. */
	bool is_running;
	/* Packets, from the exact counters. seen = kept + not_kept + no_flow */
	uint64_t pkts_seen, pkts_kept, pkts_not_kept, pkts_no_flow;
	/* Kept packets. pkts_kept = pkts_ended + pkts_held + kern.stat[STATELESS_LOST] */
	uint64_t pkts_ended; /* in final spans */
	uint64_t pkts_held;  /* of flows not ended yet */
	struct flow_stats kern;
	/* Records. submitted = consumed + strangers + held; lost found no room before that */
	uint64_t records_submitted, records_lost, records_consumed, records_strangers, records_held;
	/* Spans. With OTLP made = signal[OTLP_TRACES].submitted + waiting + unencodable + unsent;
	 * with the console made = printed + skipped */
	uint64_t spans_made;
	uint64_t spans_unencodable;
	uint64_t spans_waiting; /* in batches that are not full yet */
	uint64_t spans_unsent;  /* the exporter would not take them: stopped, no memory */
	bool has_otlp, has_console;
	struct otlp_signal_stats signal[OTLP_SIGNAL_MAX];
	uint64_t console_printed;
	uint64_t console_skipped; /* more lines than a terminal can show */
	/* Flows */
	uint64_t flows_begun, flows_ended, flows_held;
	uint64_t flows_adopted, flows_incomplete, flows_evicted;
	uint64_t clock_steps;
};

struct ledger_share {
	const char *reason;
	uint64_t count;
};

/* One line of the balance: in = out + held + sum(aside) + sum(lost). Names are static. */
struct ledger_row {
	const char *stage; /* "packets", "kept_packets", "flows", "records", "spans", "spans_otlp",
			    * "metric_points", "spans_console" */
	uint64_t in, out, held;
	struct ledger_share aside[2]; /* left out on purpose: rejected by sampling, … */
	unsigned aside_len;
	struct ledger_share lost[10];
	unsigned lost_len;
	bool is_closed; /* the equation holds */
};
#define LEDGER_ROWS_MAX 8

/* Computes the rows that apply; returns how many. */
unsigned ledger_rows(const struct ledger *l, struct ledger_row rows[LEDGER_ROWS_MAX]);

/* Everything lost, over all rows. */
uint64_t ledger_lost(const struct ledger *l);

/* The table a person reads at exit, one row a line: stage in out held aside lost why… Its last
 * line is "ledger: closed" or "ledger: NOT CLOSED (stage, …)". Returns whether all are closed. */
bool ledger_print(const struct ledger *l, FILE *out);

#endif /* USER_LEDGER_H */
