/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs say of their own time: how many packets are timed, and that all of a packet's
 * way is in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/kern_fixture.h"

#define COST_RUN_NS 400000000ULL
#define COST_SAMPLES 40
#define COST_TRIES 20000000

static uint64_t cost_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The coarse clock moves once a tick. */
static uint64_t cost_tick_ns(void)
{
	struct timespec t;

	clock_getres(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_nsec;
}

static uint64_t cost_count(const struct flow_cost *c)
{
	uint64_t count = 0;
	unsigned s;

	for (s = 0; s < FLOW_COST_SLOTS; s++)
		count += c->slot[s];
	return count;
}

static unsigned cost_median_slot(const struct flow_cost *c)
{
	uint64_t half = cost_count(c) / 2, below = 0;
	unsigned s;

	for (s = 0; s < FLOW_COST_SLOTS; s++) {
		below += c->slot[s];
		if (below > half)
			return s;
	}
	return 0;
}

/* The sum lies within what the slots say, whose units are a bit shorter than ns. */
static void cost_assert_sum(const struct flow_cost *c)
{
	double low = 0, high = 0, sum = (double)c->sum_ns * (1 << FLOW_COST_UNIT_LOG2) / 1e9;
	unsigned s;

	for (s = 0; s < FLOW_COST_SLOTS; s++) {
		low += s ? (double)(c->slot[s] << (s - 1)) : 0;
		high += (double)(c->slot[s] << s);
	}
	assert_true(sum >= low);
	if (!c->slot[FLOW_COST_SLOTS - 1])
		assert_true(sum <= high);
}

static void test_kern_cost_times_a_packet_a_tick(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.threshold = FLOW_R_MASK});
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 200000);
	uint64_t begin_ns, end_ns, run_ns = 0, runs = 0, mean_ns;
	uint64_t ticks, count;
	struct flow_cost c;
	struct frame f;

	(void)state;
	frame_make(&f, FRAME_IPV4_UDP);
	opts.data_in = f.data;
	opts.data_size_in = (__u32)f.len;
	begin_ns = cost_now_ns();
	do {
		assert_int_equal(
			bpf_prog_test_run_opts(bpf_program__fd(k->skel->progs.ringspan_xdp), &opts),
			0);
		run_ns += (uint64_t)opts.duration * opts.repeat;
		runs += opts.repeat;
		end_ns = cost_now_ns();
	} while (run_ns < COST_RUN_NS);
	c = kern_cost(k, FLOW_RECEIVE);
	count = cost_count(&c);
	/* one in each tick that we ran in */
	ticks = run_ns / cost_tick_ns();
	assert_true(count >= ticks / 2);
	ticks = (end_ns - begin_ns) / cost_tick_ns();
	assert_true(count <= ticks + 2);
	cost_assert_sum(&c);
	/* and of a packet's size: a run has some overhead of its own, a timed packet colder caches
	 */
	mean_ns = run_ns / runs;
	assert_true(2ULL << cost_median_slot(&c) >= mean_ns / 16);
	assert_true(1ULL << cost_median_slot(&c) <= mean_ns * 64);
	c = kern_cost(k, FLOW_TRANSMIT);
	assert_int_equal(cost_count(&c), 0);
	assert_int_equal(c.sum_ns, 0);
	kern_close(k);
}

/* Buffers of @segs segments leave, each of a flow of its own, until enough of them were timed. */
static unsigned cost_of_leaving(struct kern *k, uint32_t segs)
{
	struct __sk_buff skb = {.gso_segs = segs, .gso_size = segs > 1 ? 10 : 0};
	struct flow_cost c;
	struct frame f;
	unsigned i;

	for (i = 0; i < COST_TRIES; i++) {
		frame_begin(&f, 0x0800);
		frame_ipv4(&f, "10.1.0.1", "10.1.0.2", 17, 0, 0);
		frame_udp(&f, (uint16_t)i, (uint16_t)(i >> 16), 20);
		kern_tc(k->skel->progs.ringspan_tc_tx, &f, &skb);
		if (i % 256)
			continue;
		c = kern_cost(k, FLOW_TRANSMIT);
		if (cost_count(&c) < COST_SAMPLES)
			continue;
		cost_assert_sum(&c);
		c = kern_cost(k, FLOW_RECEIVE);
		assert_int_equal(cost_count(&c), 0);
		c = kern_cost(k, FLOW_TRANSMIT);
		return cost_median_slot(&c);
	}
	fail_msg("hardly a packet was timed");
	return 0;
}

static void cost_by_packets(struct flow_bpf *skel)
{
	skel->rodata->sample_packets = true;
}

static unsigned cost_of(struct kern_opts o, uint64_t interval, uint32_t segs)
{
	struct kern *k = kern_open(o);
	unsigned slot;

	k->skel->bss->sample_interval = interval;
	slot = cost_of_leaving(k, segs);
	kern_close(k);
	return slot;
}

static void test_kern_cost_has_all_of_a_packets_way(void **state)
{
	struct kern_opts none = {.threshold = FLOW_R_MASK};
	struct kern_opts all = {.threshold = 0, .max_flows = 1 << 20};
	struct kern_opts draw = {.prepare = cost_by_packets, .max_flows = 1 << 20};
	unsigned counted = cost_of(none, 0, 1), kept = cost_of(all, 0, 1);
	unsigned drawn = cost_of(draw, 2, 65535);

	(void)state;
	assert_true(kept > counted); /* its flow's state and record come last */
	assert_true(drawn >= counted + 6); /* 32768 samples in one train */
	assert_true(counted < FLOW_COST_SLOTS - 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_cost_times_a_packet_a_tick),
		cmocka_unit_test(test_kern_cost_has_all_of_a_packets_way),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: loading BPF programs needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
