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
#include "user/flow_table.h"
#include "user/outbox.h"
#include "user/stream.h"

#define LEDGER_DESTINATIONS 8

struct ledger {
	/* The numbers were read one after the other, the last stage first, while the program works:
	 * what is in none of them is on its way through kernel and rings, and taken as held. False
	 * at the end: then nothing may be missing. */
	bool is_running;
	bool by_packets; /* packet mode: kept are the packets taken, not_kept those skipped */
	/* Packets, from the exact counters. seen = kept + not_kept + no_flow + filtered */
	uint64_t pkts_seen, pkts_kept, pkts_not_kept, pkts_no_flow, pkts_filtered;
	/* Kept packets. pkts_kept = pkts_ended + pkts_held + kern.stat[STATELESS_LOST] */
	uint64_t pkts_ended; /* in final spans */
	uint64_t pkts_held;  /* of flows not ended yet */
	struct flow_stats kern;
	/* Records. submitted = consumed + strangers + held; lost found no room before that */
	uint64_t records_submitted, records_lost, records_consumed, records_strangers, records_held;
	uint64_t spans_made; /* for whomever. With the console made = printed + skipped */
	/* What was made for OTLP: made = submitted to each destination + waiting + unencodable +
	 * unsent */
	struct outbox_stats outbox[OTLP_SIGNAL_MAX];
	/* Per destination and signal. target.label NULL: the signal does not go there */
	struct otlp_target_info target[LEDGER_DESTINATIONS][OTLP_SIGNAL_MAX];
	struct otlp_signal_stats signal[LEDGER_DESTINATIONS][OTLP_SIGNAL_MAX];
	size_t destinations_len;
	uint64_t connects;     /* connections opened, to all of them */
	const char *queue_dir; /* where requests wait from one run to the next; NULL: nowhere */
	bool has_logs, has_console;
	uint64_t console_printed;
	uint64_t console_skipped; /* more lines than a terminal can show */
	bool has_stream;
	struct stream_stats stream; /* messages to all subscribers */
	/* Flows */
	uint64_t flows_begun, flows_ended, flows_held;
	uint64_t flows_adopted, flows_incomplete, flows_evicted;
	struct flow_event_stats events; /* of flows */
	uint64_t clock_steps;
};

struct ledger_share {
	const char *reason;
	uint64_t count;
};

/* One line of the balance: in = out + held + sum(aside) + sum(lost). Names are static. */
struct ledger_row {
	const char *stage; /* "packets", "kept_packets", "flows", "flow_events", "records", "spans",
			    * "spans_otlp", "metrics", "metric_points", "logs", "log_records", "spans_console",
			    * "stream" */
	unsigned destination; /* 1, 2, … where there are several; 0: all there is */
	const char *server_address; /* of that destination */
	bool is_of_logs;
	uint64_t in, out, held;
	struct ledger_share aside[3]; /* left out on purpose: rejected by sampling, … */
	unsigned aside_len;
	struct ledger_share lost[OTLP_DROP_MAX + 1];
	unsigned lost_len;
	bool is_closed; /* the equation holds */
};
#define LEDGER_ROWS_MAX (6 + OTLP_SIGNAL_MAX * (1 + LEDGER_DESTINATIONS))

/* Computes the rows that apply; returns how many. */
unsigned ledger_rows(const struct ledger *l, struct ledger_row rows[LEDGER_ROWS_MAX]);

/* A reason for which more was lost than before. */
struct ledger_growth {
	const char *stage;
	const char *reason;
	unsigned destination; /* as in a row */
	const char *server_address;
	uint64_t count; /* lost since */
};
#define LEDGER_GROWTH_MAX (LEDGER_ROWS_MAX * (OTLP_DROP_MAX + 1))

/* What was lost between two readings; returns how many there are. Losses of log records are left
 * out: a log record about them would be one more to lose. */
unsigned ledger_growths(const struct ledger *before, const struct ledger *now,
		       struct ledger_growth ret[LEDGER_GROWTH_MAX]);

/* Everything lost, over all rows. */
uint64_t ledger_lost(const struct ledger *l);

/* The table a person reads at exit, one row a line: stage in out held aside lost why… Where there
 * are several destinations the stage ends in "/1", "/2", … and a note says which is which. Its last
 * line is "ledger: closed" or "ledger: NOT CLOSED (stage, …)". Returns whether all are closed. */
bool ledger_print(const struct ledger *l, FILE *out);

#endif /* USER_LEDGER_H */
