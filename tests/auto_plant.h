/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * auto_plant - a host under load, as far as user/auto_rate can see it: flows come at random and
 * live for a while, one in N is kept, spans come when a flow has ended and been silent, records are
 * thin for flows that go on, readings are a tenth of a second old, a ring that is not drained fast
 * enough fills and loses. In steps of a tenth of a second; the random numbers are always the same.
 */
#ifndef TESTS_AUTO_PLANT_H
#define TESTS_AUTO_PLANT_H

#include "user/auto_rate.h"

#define PLANT_CLASSES 21 /* flows by the largest N that keeps them, a power of two */
#define PLANT_STEPS_PER_S 10
#define PLANT_SILENCE_MAX 4096 /* steps */

struct plant {
	/* to be set */
	double flows_per_s;
	double life_s;
	double silence_s; /* idle timeout */
	double active_s; /* active timeout */
	double first_records; /* of a flow */
	double records_per_s; /* of a flow that goes on */
	double spans_per_flow;
	double noise; /* 0.2: the rate differs by up to 20 % from second to second */
	bool is_even; /* flows do not come at random, but one after the other */
	double cpu_idle, cpu_per_flow, cpu_per_record; /* seconds */
	double ring_records, drained_per_s; /* room; 0: without end */
	double phase; /* 0..1: when in a second it is read */

	/* in force, and how it is */
	struct auto_rate rate;
	uint64_t step;
	uint64_t seed;
	double noise_now;
	double kept[PLANT_CLASSES], rejected[PLANT_CLASSES], met[PLANT_CLASSES];
	double ends[PLANT_SILENCE_MAX]; /* spans to come */
	double backlog, carry;
	double begun, ended, spans, records, lost, cpu; /* so far */
	struct auto_load reading; /* a step ago */

	/* what was seen */
	uint64_t changes, rises;
	uint64_t n_max;
	enum auto_reason last_why;
	double change_s[512];
	double worst_begun, worst_spans, worst_records, worst_cpu; /* in a second, since marked */
	double second_begun, second_spans, second_records, second_cpu;
};

/* A quiet one with @b, 5 s flows of one span, a span 2 s after the end; nothing is dear. */
void plant_init(struct plant *p, const struct auto_budget *b, uint64_t seed);

void plant_run(struct plant *p, double seconds);

/* From now on the worst is looked for. */
void plant_mark(struct plant *p);

double plant_now(const struct plant *p);

/* Most changes within any 60 seconds that began at @from_s or later. */
unsigned plant_changes_a_minute(const struct plant *p, double from_s);

#endif /* TESTS_AUTO_PLANT_H */
