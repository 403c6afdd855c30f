/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * auto_rate - which share of the flows a host can afford: readings and a budget → N, design 4.
 *
 * N is a power of two from 1 to AUTO_N_MAX. It rises within two or three seconds of a load that is
 * over the budget, by as much as that needs, and comes back only after the load has been well below
 * for a while. Pure: no clock, no I/O; one thread.
 */
#ifndef USER_AUTO_RATE_H
#define USER_AUTO_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define AUTO_N_MAX (1ULL << 20)

/* What one host may spend. 0: not limited. */
struct auto_budget {
	double spans_per_s, records_per_s;
	double cpu_cores; /* seconds of CPU a second */
	double ring_share; /* of the fullest ring, 0..1 */
};

/* Cumulative readings of one moment; the last is of the moment itself. */
struct auto_load {
	uint64_t flows_begun, flows_ended; /* of those that are kept */
	uint64_t spans_made;
	uint64_t records; /* submitted + lost */
	uint64_t records_lost;
	double cpu_seconds;
	double ring_pressure; /* 0..1 */
};

enum auto_item { AUTO_ITEM_SPANS, AUTO_ITEM_RECORDS, AUTO_ITEM_CPU, AUTO_ITEM_RING, AUTO_ITEMS };

enum auto_reason {
	AUTO_NONE, /* unchanged */
	AUTO_SPANS, /* more than the budget … */
	AUTO_RECORDS,
	AUTO_CPU,
	AUTO_RING,
	AUTO_LOST, /* records found no room */
	AUTO_EASED /* the budget would do for more */
};

/* What changed from one reading to the next. */
struct auto_sample {
	double seconds;
	double begun; /* without flows that were alive before N fell */
	double spans, records, cpu_seconds, ring;
};
#define AUTO_SAMPLES 32
#define AUTO_POWERS 21

/* One that lags: what was kept before goes on after N has risen. */
struct auto_lag {
	uint64_t wait_ns; /* between one rise and the next on its account */
	uint64_t risen_ns;
	bool is_again; /* the last rise on its account has not shown yet */
};

/* Private; the caller's memory. */
struct auto_rate {
	struct auto_budget budget;
	uint64_t n;
	struct auto_load last;
	uint64_t last_ns, started_ns, changed_ns;
	bool has_last;
	bool is_stale; /* the next reading has flows of the rate before */
	struct auto_sample samples[AUTO_SAMPLES]; /* since N changed; a ring */
	unsigned samples_len, samples_next;
	double spans_recent, ended_recent; /* decaying sums */
	double surge, surge_expected; /* flows to come that began long ago; flows/s at 1/1 */
	uint64_t surge_end_ns;
	struct auto_lag lag[AUTO_ITEMS];
	enum auto_reason raised; /* why, the last time */
	double raised_flows; /* flows/s at 1/1 then */
	uint64_t raised_n; /* to this */
	uint64_t over_ns[AUTO_POWERS]; /* when 1/2^k would have been too much for the last time */
	uint64_t wall_n, wall_ns; /* this did not go well, … */
	double wall_flows; /* with so many flows/s */
	uint64_t hold_ns, fell_ns, flip_ns;
	double used[AUTO_ITEMS];
};

/* Begins at one in @n; the budget is copied. */
void auto_rate_init(struct auto_rate *a, const struct auto_budget *b, uint64_t n);

/* To be called about once a second. N from now on; @why says what moved it. */
uint64_t auto_rate_step(struct auto_rate *a, uint64_t now_mono_ns, const struct auto_load *load,
			enum auto_reason *why);

/* The share of each item that is in use, over the last seconds; 1 is the whole budget, and more is
 * over it. 0 where it is not limited. */
void auto_rate_used(const struct auto_rate *a, double ret[AUTO_ITEMS]);

const char *auto_item_name(enum auto_item i); /* "spans", "records", "cpu", "ring" */
const char *auto_reason_name(enum auto_reason r); /* the same, "lost", "eased"; "none" */

#endif /* USER_AUTO_RATE_H */
