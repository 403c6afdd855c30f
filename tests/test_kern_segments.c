/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The exact counts of TCP segments that open or end a connection, under BPF_PROG_RUN and with every
 * flow sampled out: which packets count, where, and which do not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>

#include "flow.skel.h"
#include "kern/flow_abi.h"
#include "tests/frames.h"

#define INTERFACES 2
#define ALL_TURNS (FLOW_TCP_SYN | FLOW_TCP_FIN | FLOW_TCP_RST)

struct turns {
	uint64_t seen[FLOW_SEGMENT_MAX];
};

static struct flow_bpf *skel;
static struct flow_counter *percpu;

static void kern_open(uint32_t if_slot, bool is_l3, bool is_looped)
{
	skel = flow_bpf__open();
	assert_non_null(skel);
	bpf_map__set_max_entries(skel->maps.flow_counters, INTERFACES * FLOW_COUNTERS_PER_IF);
	skel->rodata->if_slot = if_slot;
	skel->rodata->if_is_l3 = is_l3;
	skel->rodata->if_is_looped = is_looped;
	assert_int_equal(flow_bpf__load(skel), 0);
	skel->bss->sample_threshold = FLOW_R_MASK;
	percpu = calloc((size_t)libbpf_num_possible_cpus(), sizeof(*percpu));
	assert_non_null(percpu);
}

static int kern_close(void **state)
{
	(void)state;
	flow_bpf__destroy(skel);
	free(percpu);
	skel = NULL;
	percpu = NULL;
	return 0;
}

static int kern_setup(void **state)
{
	(void)state;
	kern_open(0, false, false);
	return 0;
}

/* 0, or -EINVAL: this kernel runs no program on such a frame. */
static int try_run(const struct bpf_program *prog, const struct frame *f, struct __sk_buff *skb)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len,
		    .repeat = 1);

	if (skb) {
		opts.ctx_in = skb;
		opts.ctx_size_in = sizeof(*skb);
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts)) {
		assert_int_equal(errno, EINVAL);
		return -EINVAL;
	}
	assert_int_equal((int)opts.retval,
			 prog == skel->progs.ringspan_xdp ? XDP_PASS : TC_ACT_UNSPEC);
	return 0;
}

static void run(const struct bpf_program *prog, const struct frame *f, struct __sk_buff *skb)
{
	assert_int_equal(try_run(prog, f, skb), 0);
}

static struct flow_counter counter(uint32_t index)
{
	struct flow_counter sum = {};
	uint64_t *to = (uint64_t *)&sum;
	size_t i;
	int c;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.flow_counters), &index, percpu),
			 0);
	for (c = 0; c < libbpf_num_possible_cpus(); c++)
		for (i = 0; i < sizeof(sum) / 8; i++)
			to[i] += ((const uint64_t *)&percpu[c])[i];
	return sum;
}

/* Of TCP over @net; that no other class has any is demanded on the way. */
static struct turns turns(enum flow_hook hook, uint32_t net)
{
	uint32_t tcp = flow_counter_index(skel->rodata->if_slot, hook, net, FLOW_TRANSPORT_TCP);
	struct turns ret = {}, none = {};
	struct flow_counter c;
	uint32_t i;

	for (i = 0; i < INTERFACES * FLOW_COUNTERS_PER_IF; i++) {
		c = counter(i);
		if (i == tcp)
			memcpy(&ret, c.segments, sizeof(ret));
		else if (i % FLOW_TRANSPORT_MAX != FLOW_TRANSPORT_TCP ||
			 i / FLOW_COUNTERS_PER_IF != skel->rodata->if_slot)
			assert_memory_equal(c.segments, &none, sizeof(none));
	}
	return ret;
}

static void add_turns(struct turns *t, uint8_t flags)
{
	t->seen[FLOW_SEGMENT_SYN] += (flags & 0x12) == 0x02;
	t->seen[FLOW_SEGMENT_SYN_ACK] += (flags & 0x12) == 0x12;
	t->seen[FLOW_SEGMENT_FIN] += flags & 0x01;
	t->seen[FLOW_SEGMENT_RST] += (flags & 0x04) >> 2;
}

static void assert_turns(enum flow_hook hook, uint32_t net, struct turns wanted)
{
	struct turns seen = turns(hook, net);

	assert_memory_equal(&seen, &wanted, sizeof(seen));
}

/* The frame counts once, or with @is_none not at all, by each flag of @flags, by each program. */
static void assert_counts(const struct frame *f, uint32_t net, uint8_t flags, bool is_none)
{
	const struct bpf_program *progs[] = {skel->progs.ringspan_xdp, skel->progs.ringspan_tc_rx,
					     skel->progs.ringspan_tc_tx};
	struct turns wanted;
	enum flow_hook hook;
	unsigned i;

	for (i = 0; i < 3; i++) {
		hook = i < 2 ? FLOW_RECEIVE : FLOW_TRANSMIT;
		wanted = turns(hook, net);
		if (try_run(progs[i], f, NULL))
			continue; /* no header of IP: no such packet reaches TC */
		if (!is_none)
			add_turns(&wanted, flags);
		assert_turns(hook, net, wanted);
	}
}

enum family { V4, V6, VLAN_V4, QINQ_V6, OPTIONS_V4, EXTENSIONS_V6, FAMILY_MAX };

static uint32_t net_of(enum family family)
{
	return family == V6 || family == QINQ_V6 || family == EXTENSIONS_V6 ? FLOW_NET_IPV6
									    : FLOW_NET_IPV4;
}

static void make(struct frame *f, enum family family, uint8_t flags, size_t payload)
{
	bool is_v6 = net_of(family) == FLOW_NET_IPV6;

	frame_begin(f, is_v6 ? 0x86dd : 0x0800);
	if (family == VLAN_V4)
		frame_vlan(f, 0x8100, 7, 0x0800);
	if (family == QINQ_V6) {
		frame_vlan(f, 0x88a8, 7, 0x8100);
		frame_vlan(f, 0x8100, 8, 0x86dd);
	}
	if (is_v6)
		frame_ipv6(f, "2001:db8::1", "2001:db8::2", family == EXTENSIONS_V6 ? 0 : 6);
	else
		frame_ipv4(f, "10.1.0.1", "10.1.0.2", 6, family == OPTIONS_V4 ? 12 : 0, 0x4000);
	if (family == EXTENSIONS_V6) {
		frame_extension(f, 60, 0);
		frame_extension(f, 6, 1);
	}
	frame_tcp(f, 41234, 80, flags, 1000, payload);
}

static void test_kern_segments_counts_every_combination_of_flags(void **state)
{
	struct turns wanted[FLOW_NET_MAX] = {}, received[FLOW_NET_MAX] = {};
	enum family family;
	unsigned flags;
	struct frame f;

	(void)state;
	for (family = 0; family < FAMILY_MAX; family++) {
		for (flags = 0; flags < 256; flags++) {
			make(&f, family, (uint8_t)flags, flags % 3);
			run(skel->progs.ringspan_tc_tx, &f, NULL);
			run(skel->progs.ringspan_tc_rx, &f, NULL);
			add_turns(&wanted[net_of(family)], (uint8_t)flags);
			add_turns(&received[net_of(family)], (uint8_t)flags);
			/* a run of XDP takes long: all that can matter, and all once */
			if (flags >= 32 && family != V4)
				continue;
			run(skel->progs.ringspan_xdp, &f, NULL);
			add_turns(&received[net_of(family)], (uint8_t)flags);
		}
	}
	for (unsigned net = FLOW_NET_IPV4; net < FLOW_NET_MAX; net++) {
		assert_turns(FLOW_TRANSMIT, net, wanted[net]);
		assert_turns(FLOW_RECEIVE, net, received[net]);
	}
	assert_int_equal(wanted[FLOW_NET_IPV4].seen[FLOW_SEGMENT_FIN], 3 * 128);
	assert_int_equal(wanted[FLOW_NET_IPV4].seen[FLOW_SEGMENT_SYN_ACK], 3 * 64);
}

static void test_kern_segments_wants_the_whole_header(void **state)
{
	struct frame f;
	size_t header, full;
	enum family family;

	(void)state;
	for (family = 0; family < FAMILY_MAX; family++) {
		make(&f, family, ALL_TURNS, 3);
		full = f.len;
		header = full - 3;
		for (f.len = 14; f.len <= full; f.len++)
			assert_counts(&f, net_of(family), ALL_TURNS, f.len < header);
	}
}

static void test_kern_segments_takes_no_padding_for_a_header(void **state)
{
	struct frame f;
	unsigned length;

	(void)state;
	for (length = 0; length <= 60; length++) {
		make(&f, V4, ALL_TURNS, 20);
		f.data[f.l3 + 3] = (uint8_t)length; /* 0: a train too large for the field */
		assert_counts(&f, FLOW_NET_IPV4, ALL_TURNS, length && length < 40);
		make(&f, V6, ALL_TURNS, 40);
		f.data[f.l3 + 5] = (uint8_t)length;
		assert_counts(&f, FLOW_NET_IPV6, ALL_TURNS, length && length < 20);
	}
}

static void test_kern_segments_looks_into_the_first_fragment_alone(void **state)
{
	static const struct {
		uint16_t field4, field6; /* what the offset field holds */
		bool is_first;
	} pieces[] = {{0x2000, 0x0001, true},  {0x6000, 0x0007, true},	{0x2001, 0x0009, false},
		      {0x0001, 0x0008, false}, {0x3000, 0x8001, false}, {0x1fff, 0xfff8, false},
		      {0x0000, 0x0000, true},  {0x4000, 0x0006, true}};
	struct frame f;
	size_t i, cut;

	(void)state;
	for (i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		for (cut = 0; cut <= 8; cut += 4) {
			bool is_none = !pieces[i].is_first || cut;

			frame_begin(&f, 0x0800);
			frame_ipv4(&f, "10.1.0.1", "10.1.0.2", 6, 0, pieces[i].field4);
			frame_tcp(&f, 41234, 80, ALL_TURNS, 1000, 0);
			f.len -= cut;
			assert_counts(&f, FLOW_NET_IPV4, ALL_TURNS, is_none);
			frame_begin(&f, 0x86dd);
			frame_ipv6(&f, "2001:db8::1", "2001:db8::2", 60);
			frame_extension(&f, 44, 0);
			frame_fragment6(&f, 6, pieces[i].field6);
			frame_tcp(&f, 41234, 80, ALL_TURNS, 1000, 0);
			f.len -= cut;
			assert_counts(&f, FLOW_NET_IPV6, ALL_TURNS, is_none);
		}
	}
}

static void test_kern_segments_counts_nothing_but_tcp(void **state)
{
	struct frame f;
	unsigned kind;

	(void)state;
	for (kind = 0; kind < FRAME_KIND_MAX; kind++) {
		frame_make(&f, kind);
		if (f.l3)
			memset(f.data + f.len - 20, 0xff, 8); /* flags, had it been TCP */
		if (kind != FRAME_IPV4_TCP && kind != FRAME_IPV4_OPTIONS_TCP &&
		    kind != FRAME_IPV6_TCP && kind != FRAME_IPV6_EXTENSIONS_TCP &&
		    kind != FRAME_VLAN_IPV4_TCP)
			assert_counts(&f, FLOW_NET_IPV4, 0, true);
	}
	frame_begin(&f, 0x0800); /* TCP in IPv4 in IPv4: the outer header is what counts */
	frame_ipv4(&f, "10.1.0.1", "10.1.0.2", 4, 0, 0);
	frame_ipv4(&f, "10.2.0.1", "10.2.0.2", 6, 0, 0);
	frame_tcp(&f, 1, 2, ALL_TURNS, 1, 0);
	assert_counts(&f, FLOW_NET_IPV4, 0, true);
}

static void test_kern_segments_counts_a_train_once(void **state)
{
	struct __sk_buff skb = {.gso_segs = 10, .gso_size = 100};
	uint32_t index = flow_counter_index(0, FLOW_TRANSMIT, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP);
	struct turns wanted = {};
	struct flow_counter c;
	struct frame f;

	(void)state;
	make(&f, V4, FLOW_TCP_ACK | FLOW_TCP_FIN, 1000);
	run(skel->progs.ringspan_tc_tx, &f, &skb);
	add_turns(&wanted, FLOW_TCP_ACK | FLOW_TCP_FIN);
	make(&f, V4, FLOW_TCP_SYN, 1000);
	skb.gso_segs = 0; /* from a guest */
	run(skel->progs.ringspan_tc_tx, &f, &skb);
	add_turns(&wanted, FLOW_TCP_SYN);
	make(&f, V4, FLOW_TCP_ACK, 1000);
	run(skel->progs.ringspan_tc_tx, &f, &skb);
	assert_turns(FLOW_TRANSMIT, FLOW_NET_IPV4, wanted);
	c = counter(index);
	assert_int_equal(flow_counter_pkts(&c), 30);
	assert_int_equal(c.not_kept, 30);
}

static void test_kern_segments_keeps_interfaces_and_directions_apart(void **state)
{
	struct turns syn = {{1}}, none = {};
	struct frame f;

	make(&f, V6, FLOW_TCP_SYN, 0);
	kern_open(1, false, false);
	run(skel->progs.ringspan_tc_tx, &f, NULL);
	assert_turns(FLOW_TRANSMIT, FLOW_NET_IPV6, syn);
	assert_turns(FLOW_RECEIVE, FLOW_NET_IPV6, none);
	kern_close(state);

	kern_open(0, false, true); /* loopback: each direction by itself, like its packets */
	run(skel->progs.ringspan_tc_tx, &f, NULL);
	assert_turns(FLOW_TRANSMIT, FLOW_NET_IPV6, syn);
	run(skel->progs.ringspan_tc_rx, &f, NULL);
	assert_turns(FLOW_RECEIVE, FLOW_NET_IPV6, syn);
	kern_close(state);

	kern_open(0, true, false); /* no link-layer header */
	memmove(f.data, f.data + 14, f.len -= 14);
	run(skel->progs.ringspan_tc_rx, &f, NULL);
	assert_turns(FLOW_RECEIVE, FLOW_NET_IPV6, syn);
	kern_close(state);
}

int main(void)
{
#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(test_kern_segments_##name, kern_setup, kern_close)
	const struct CMUnitTest tests[] = {
		TEST(counts_every_combination_of_flags),
		TEST(wants_the_whole_header),
		TEST(takes_no_padding_for_a_header),
		TEST(looks_into_the_first_fragment_alone),
		TEST(counts_nothing_but_tcp),
		TEST(counts_a_train_once),
		cmocka_unit_test(test_kern_segments_keeps_interfaces_and_directions_apart),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: loading BPF programs needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
