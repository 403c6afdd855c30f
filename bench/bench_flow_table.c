/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records a second that one flow table takes, at random over flows that live at once, and the
 * memory of a flow. The reference is a dependent random load from an array of the same size: what a
 * cache miss costs on this machine at this moment. Reference and candidate alternate; medians of 7
 * runs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "user/flow_table.h"

#define RUNS 7
#define DRAIN 256 /* records handed over at once, as a ring drain does */
#define RING 65536 /* records prepared, about 10 MB: they come from memory, as in a ring */
#define RECORDS 4000000
#define TARGET_FLOWS 65536 /* what the target is about */
#define TARGET_RECORDS 10 /* millions a second */

static int no_state(void *ctx, const struct flow_key *key, struct flow_state *ret)
{
	(void)ctx;
	(void)key;
	memset(ret, 0, sizeof(*ret));
	return -1;
}

static void no_report(void *ctx, struct flow *f, const struct flow_report *r)
{
	(void)ctx;
	(void)f;
	(void)r;
}

static size_t rss_bytes(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%*s %zu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return pages * sysconf(_SC_PAGESIZE);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
	return x ^ (x >> 31);
}

static void fill(struct flow_record *r, uint32_t flow, uint64_t pkts)
{
	memset(r, 0, sizeof(*r));
	r->version = FLOW_ABI_VERSION;
	memcpy(r->key.addr[0], &flow, sizeof(flow));
	r->key.addr[1][0] = 10;
	r->key.proto = 6;
	r->key.family = 4;
	r->hash = mix(flow + 1);
	r->info.first_mono_ns = 1000000000;
	r->mono_ns = 2000000000;
	r->totals[0].pkts = pkts;
	r->totals[0].last_mono_ns = r->mono_ns;
	r->totals[0].flags = FLOW_TCP_ACK;
}

static double reference_ns(size_t flows)
{
	size_t len = flows * sizeof(struct flow) / sizeof(uint64_t), i;
	static uint64_t *array, at;
	static size_t array_len;
	double start;

	if (array_len != len) {
		free(array);
		array = calloc(len, sizeof(*array));
		array_len = len;
		if (!array)
			exit(1);
		for (i = 0; i < len; i++)
			array[i] = mix(i);
	}
	start = bench_now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < 1000000; i++)
		at = array[(at + i) % len];
	return (bench_now_ns(CLOCK_MONOTONIC) - start) / 1e6;
}

static double candidate_ns(struct flow_table *t, struct flow_record *ring,
			   const struct flow_record **list, size_t flows)
{
	double total = 0, start;
	size_t i, done;
	static uint64_t round;

	for (done = 0; done < RECORDS; done += RING) {
		round++;
		for (i = 0; i < RING; i++)
			fill(&ring[i], mix(round * RING + i) % flows, round + 2);
		start = bench_now_ns(CLOCK_MONOTONIC);
		for (i = 0; i < RING; i += DRAIN)
			flow_table_add(t, list + i, DRAIN, 0);
		total += bench_now_ns(CLOCK_MONOTONIC) - start;
	}
	return total / done;
}

static void print_row(size_t flows, const char *what, const char *unit, enum bench_better better,
		      double *values, size_t len)
{
	char name[80];
	struct bench_row row = {name, unit, better, TARGET_RECORDS};

	snprintf(name, sizeof(name), "%zu flows, %s", flows, what);
	bench_row(&row, values, len);
}

static void run(size_t flows)
{
	struct flow_table_opts opts = {.max_flows = flows,
				       .active_timeout_ns = 60000000000,
				       .idle_timeout_ns = 15000000000,
				       .tcp_idle_timeout_ns = 300000000000,
				       .linger_ns = 2000000000};
	struct flow_table_ops ops = {.peek = no_state, .take = no_state, .report = no_report};
	struct flow_record *ring = malloc(RING * sizeof(*ring));
	const struct flow_record **list = malloc(RING * sizeof(*list));
	double ref[RUNS], own[RUNS], ratio[RUNS], memory;
	struct flow_table *t;
	size_t i, before;
	size_t runs = bench_runs(RUNS);
	double rate[RUNS];

	if (!ring || !list || flow_table_create(&t, &opts, &ops))
		exit(1);
	for (i = 0; i < RING; i++)
		list[i] = &ring[i];
	memset(ring, 1, RING * sizeof(*ring));
	before = rss_bytes();
	for (i = 0; i < flows; i++) {
		fill(&ring[i % RING], i, 1);
		flow_table_add(t, list + i % RING, 1, 0);
	}
	before = rss_bytes() - before;
	for (i = 0; i < runs; i++) {
		ref[i] = reference_ns(flows);
		own[i] = candidate_ns(t, ring, list, flows);
		ratio[i] = own[i] / ((ref[i] + reference_ns(flows)) / 2);
		rate[i] = 1e3 / own[i];
	}
	print_row(flows, "records a second", "M/s",
		  flows == TARGET_FLOWS ? BENCH_AT_LEAST : BENCH_HIGHER, rate, runs);
	print_row(flows, "a record", "ns", BENCH_LOWER, own, runs);
	print_row(flows, "a record against a random load", "x", BENCH_LOWER, ratio, runs);
	print_row(flows, "a random load", "ns", BENCH_NEITHER, ref, runs);
	memory = (double)before / (double)flows;
	print_row(flows, "memory a flow", "B", BENCH_LOWER, &memory, 1);
	flow_table_destroy(t);
	free(list);
	free(ring);
}

int main(void)
{
	bench_print_machine();
	run(10000);
	run(TARGET_FLOWS);
	run(100000);
	run(1000000);
	return 0;
}
