/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * meter - counters, ledger and own cost → metric points, each interval. Main thread.
 */
#ifndef USER_METER_H
#define USER_METER_H

#include "otlp/encode.h"
#include "otlp/exporter.h"
#include "user/console.h"
#include "user/ledger.h"
#include "user/options.h"
#include "user/probe.h"
#include "user/scrape.h"
#include "user/worker.h"

struct meter;

struct meter_opts {
	const struct options *options;
	struct probe *probe;
	struct worker *const *workers;
	const struct otlp_encoder *encoder; /* NULL: no OTLP */
	struct otlp_exporter *exporter;     /* NULL: no OTLP */
	struct console *console;            /* NULL: no console */
	struct stream *stream;              /* NULL: none */
};

/* 0 and *ret set, -ENOMEM. What @opts points to is borrowed. */
int meter_create(struct meter **ret, const struct meter_opts *opts);
void meter_destroy(struct meter *m); /* NULL is allowed */

/* Lets others fetch the metrics, if that was asked for. 0 or -errno, said. */
int meter_listen(struct meter *m);
/* What they are told of us. */
void meter_set_state(struct meter *m, enum scrape_state state);

/* Once a second or so: console rates; metrics when the interval has passed. @is_final: the programs
 * are detached and the workers have stopped; the last metrics leave at once. */
void meter_tick(struct meter *m, uint64_t now_mono_ns, bool is_final);

/* The rate was changed: counts it and says so, in the log and as a log record; @because is for
 * people. */
void meter_note_sampling(struct meter *m, uint64_t before, uint64_t n, const char *reason,
			 const char *because);

/* Which shares of the budget are in use; NULL: there is no budget now. */
void meter_note_budget(struct meter *m, const struct auto_budget *b, const double *used);

/* Packets so far, and their rates over the last second that has passed. */
void meter_rates(const struct meter *m, struct console_rates ret[FLOW_MAX_IFS]);
double meter_cpu_seconds(void); /* of this process */
double meter_ring_pressure(const struct meter *m); /* of the fullest ring, 0..1 */

/* Where flows are added up for the metrics; NULL: nobody wants it, or @m is NULL. */
struct flow_series *meter_series(struct meter *m);

/* Hands log records that wait to the exporter. */
void meter_flush(struct meter *m);

/* The balance now; exact once everything has stopped. */
void meter_ledger(struct meter *m, struct ledger *ret);

#endif /* USER_METER_H */
