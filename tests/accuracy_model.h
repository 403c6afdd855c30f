/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * accuracy_model - traffic of which the truth is known, through the real programs, the real ring,
 * flow table and estimates; also for bench/.
 *
 * Five classes by transport and server port. A flow's size is bounded Pareto; packets come in
 * trains of one flow and one size, either way. In random order each train is of a class and a flow
 * drawn by their shares. In periodic order each tenth of N packets is of the class that its place
 * says, so that every sampler with a fixed gap of N would see one class alone; flows take turns and
 * their tuples count up.
 *
 * Each run begins as a fresh start. Its seed decides everything: the traffic, the random state of
 * packet mode, and in flow mode the key: addresses xor-ed with a mask hash as under another first
 * word of it. So the result of a run is the same each time. The thread that opened it runs it, and
 * must stay on one CPU. Needs root.
 */
#ifndef TESTS_ACCURACY_MODEL_H
#define TESTS_ACCURACY_MODEL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum accuracy_class {
	ACCURACY_WEB, /* TCP 443: 40 % of the packets */
	ACCURACY_SSH, /* TCP 22: 20 % */
	ACCURACY_DNS, /* UDP 53: 10 %, flows of one to three packets */
	ACCURACY_VIDEO, /* UDP 443: 20 % */
	ACCURACY_NTP, /* UDP 123: 10 %, as DNS */
	ACCURACY_CLASSES
};

enum accuracy_measure {
	ACCURACY_PACKETS,
	ACCURACY_BYTES,
	ACCURACY_FLOWS, /* packet mode: TCP connections, by their SYNs; of UDP nothing */
	ACCURACY_MEASURES
};

struct accuracy_sum {
	double truth;
	double estimate;
	double variance; /* of the estimate, at most: what was sampled, squared, times its N */
	double samples; /* expected */
};

struct accuracy_result {
	struct accuracy_sum of[ACCURACY_CLASSES][ACCURACY_MEASURES];
};

struct accuracy_load {
	const uint64_t *n; /* N of each phase; flows live on from one to the next */
	size_t phases;
	uint64_t pkts; /* in each phase */
	uint64_t seed;
	bool is_periodic; /* each N a multiple of 10 */
};

struct accuracy;

/* 0 and *ret set, or -errno. @key_seed: of the site key. */
int accuracy_open(struct accuracy **ret, bool by_packets, uint64_t key_seed);
void accuracy_close(struct accuracy *a); /* NULL is allowed */

/* 0; -errno; -ENOBUFS: something was lost on the way, so it would say nothing. */
int accuracy_run(struct accuracy *a, const struct accuracy_load *load, struct accuracy_result *ret);

const char *accuracy_class_name(enum accuracy_class c);

/* Relative, of the truth: what the estimate is off by, and its standard deviation at most. With one
 * N, c samples and things of one size 1.96 times this is the 196/sqrt(c) % of design 9; where sizes
 * differ it is sqrt(1 + CV^2) times as much. */
static inline double accuracy_error(const struct accuracy_sum *s)
{
	return s->estimate / s->truth - 1;
}

static inline double accuracy_sigma(const struct accuracy_sum *s)
{
	return sqrt(s->variance) / s->truth;
}

#endif /* TESTS_ACCURACY_MODEL_H */
