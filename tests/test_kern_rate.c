/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rate changed while flows are alive: those that were kept stay whole, those that begin are
 * kept by the new one, and every packet is counted as what became of it.
 */
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
#include <netinet/in.h>

#include "flow.skel.h"
#include "kern/flow_hash.h"
#include "tests/frames.h"

#define FLOWS 256
#define SOME (1ULL << 54) /* thresholds of 3/4, 1/2, 1/4 of the flows */
#define HALF (1ULL << 55)
#define FEW (3ULL << 54)

struct kern {
	struct flow_bpf *skel;
	int ring_fd, states_fd;
};

static struct kern kern_open(uint64_t threshold)
{
	struct kern k = {.skel = flow_bpf__open()};
	uint32_t zero = 0;

	assert_non_null(k.skel);
	bpf_map__set_max_entries(k.skel->maps.flow_counters, FLOW_COUNTERS_PER_IF);
	bpf_map__set_max_entries(k.skel->maps.flow_states, 4096);
	bpf_map__set_max_entries(k.skel->maps.flow_rings, 1);
	assert_int_equal(flow_bpf__load(k.skel), 0);
	k.skel->bss->sample_threshold = threshold;
	k.ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "test_ring", 0, 0, 4 << 20, NULL);
	assert_true(k.ring_fd >= 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(k.skel->maps.flow_rings), &zero,
					     &k.ring_fd, BPF_ANY),
			 0);
	k.states_fd = bpf_map__fd(k.skel->maps.flow_states);
	return k;
}

static void kern_close(struct kern *k)
{
	close(k->ring_fd);
	flow_bpf__destroy(k->skel);
}

/* As user space does: what was before first. */
static void kern_set(struct kern *k, uint64_t threshold, uint64_t floor)
{
	k->skel->bss->sample_before = floor < threshold ? floor + 1 : 0;
	if (k->skel->bss->sample_ceiling < k->skel->bss->sample_threshold)
		k->skel->bss->sample_ceiling = k->skel->bss->sample_threshold;
	k->skel->bss->sample_threshold = threshold;
}

static void kern_run(struct kern *k, const struct bpf_program *prog, const struct frame *f)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len,
		    .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	(void)k;
}

static void kern_send(struct kern *k, const struct frame *f)
{
	kern_run(k, k->skel->progs.ringspan_xdp, f);
}

static void frame_of(struct frame *f, unsigned flow)
{
	frame_begin(f, 0x0800);
	frame_ipv4(f, "10.0.0.1", "10.0.0.2", IPPROTO_UDP, 0, 0);
	frame_udp(f, (uint16_t)(1024 + flow), 53, 16);
}

static void segment_of(struct frame *f, uint16_t flow, uint8_t flags, uint32_t seq)
{
	frame_begin(f, 0x0800);
	frame_ipv4(f, "10.0.0.1", "10.0.0.2", IPPROTO_TCP, 0, 0);
	frame_tcp(f, flow, 80, flags, seq, 0);
}

static void segment(struct frame *f, uint8_t flags, uint32_t seq)
{
	segment_of(f, 5000, flags, seq);
}

static struct flow_counter kern_counter(struct kern *k, enum flow_hook hook, uint32_t transport)
{
	uint32_t index = flow_counter_index(0, hook, FLOW_NET_IPV4, transport), i;
	int cpus = libbpf_num_possible_cpus(), c;
	struct flow_counter *each = calloc((size_t)cpus, sizeof(*each)), sum = {0};

	assert_non_null(each);
	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.flow_counters), &index, each), 0);
	for (c = 0; c < cpus; c++)
		for (i = 0; i < sizeof(sum) / 8; i++)
			((uint64_t *)&sum)[i] += ((uint64_t *)&each[c])[i];
	free(each);
	assert_int_equal(flow_counter_pkts(&sum),
			 sum.kept + sum.not_kept + sum.no_flow + sum.filtered);
	return sum;
}

/* The state by its ephemeral port; false: none. */
static bool kern_state(struct kern *k, uint16_t port, struct flow_state *ret, uint64_t *ret_r)
{
	struct flow_key key, *at = NULL;

	while (!bpf_map_get_next_key(k->states_fd, at, &key)) {
		at = &key;
		*ret_r = hash_key(&key, k->skel->rodata->site_key) & FLOW_R_MASK;
		if (ntohs(key.port[0]) == port || ntohs(key.port[1]) == port)
			return !bpf_map_lookup_elem(k->states_fd, &key, ret);
	}
	return false;
}

static uint64_t state_pkts(const struct flow_state *st)
{
	return st->dir[0].totals.pkts + st->dir[1].totals.pkts;
}

static void send_all(struct kern *k, unsigned first, unsigned n)
{
	struct frame f;
	unsigned i;

	for (i = first; i < first + n; i++) {
		frame_of(&f, i);
		kern_send(k, &f);
	}
}

static void test_kern_rate_that_rises_leaves_kept_flows_whole(void **state)
{
	struct kern k = kern_open(SOME);
	struct flow_counter before, after;
	struct flow_state st;
	uint64_t r;
	unsigned i, old = 0, young = 0;

	(void)state;
	send_all(&k, 0, FLOWS);
	before = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_UDP);
	kern_set(&k, FEW, SOME);
	send_all(&k, 0, FLOWS);
	send_all(&k, 0, FLOWS);
	after = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_UDP);
	assert_int_equal(after.kept, 3 * before.kept);
	assert_int_equal(after.not_kept, 3 * before.not_kept);
	for (i = 0; i < FLOWS; i++) {
		if (!kern_state(&k, (uint16_t)(1024 + i), &st, &r))
			continue;
		old++;
		assert_int_equal(state_pkts(&st), 3);
		assert_int_equal(st.info.threshold, SOME);
		assert_true(r >= SOME);
	}
	assert_int_equal(old, before.kept);
	assert_in_range(old, FLOWS / 2, FLOWS - FLOWS / 8);

	send_all(&k, FLOWS, FLOWS);
	for (i = FLOWS; i < 2 * FLOWS; i++) {
		if (!kern_state(&k, (uint16_t)(1024 + i), &st, &r))
			continue;
		young++;
		assert_int_equal(st.info.threshold, FEW);
		assert_true(r >= FEW);
	}
	assert_in_range(young, FLOWS / 8, FLOWS / 2);
	before = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_UDP);
	assert_int_equal(before.kept, after.kept + young);
	assert_int_equal(before.not_kept, after.not_kept + FLOWS - young);
	kern_close(&k);
}

static void test_kern_rate_forgotten_flows_begin_anew(void **state)
{
	struct kern k = kern_open(0);
	struct flow_counter c;
	struct flow_state st;
	struct flow_key key;
	unsigned few;

	(void)state;
	send_all(&k, 0, FLOWS);
	kern_set(&k, FEW, 0);
	while (!bpf_map_get_next_key(k.states_fd, NULL, &key)) /* user space reported them */
		assert_int_equal(bpf_map_delete_elem(k.states_fd, &key), 0);
	send_all(&k, 0, FLOWS);
	c = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_UDP);
	few = (unsigned)c.kept - FLOWS;
	assert_in_range(few, FLOWS / 8, FLOWS / 2);
	/* without anything in between: the same */
	kern_set(&k, FEW, FEW);
	send_all(&k, 0, FLOWS);
	c = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_UDP);
	assert_int_equal(c.kept, FLOWS + 2 * few);
	assert_int_equal(bpf_map_get_next_key(k.states_fd, NULL, &key), 0);
	assert_int_equal(bpf_map_lookup_elem(k.states_fd, &key, &st), 0);
	assert_int_equal(st.info.threshold, FEW);
	kern_close(&k);
}

static void test_kern_rate_that_falls_keeps_more(void **state)
{
	struct kern k = kern_open(FEW);
	struct flow_counter before, after;
	struct flow_state st;
	uint64_t r;
	unsigned i, old = 0, young = 0;

	(void)state;
	send_all(&k, 0, FLOWS);
	before = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_UDP);
	kern_set(&k, HALF, FEW);
	assert_int_equal(k.skel->bss->sample_before, 0);
	send_all(&k, 0, FLOWS);
	after = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_UDP);
	for (i = 0; i < FLOWS; i++)
		if (kern_state(&k, (uint16_t)(1024 + i), &st, &r)) {
			bool is_old = r >= FEW;

			old += is_old;
			young += !is_old;
			assert_int_equal(st.info.threshold, is_old ? FEW : HALF);
			assert_int_equal(state_pkts(&st), is_old ? 2 : 1);
		}
	assert_int_equal(old, before.kept);
	assert_in_range(young, FLOWS / 8, FLOWS / 2);
	assert_int_equal(after.kept, 2 * old + young);
	kern_close(&k);
}

static void test_kern_rate_holds_on_transmit_and_copied_headers(void **state)
{
	struct kern k = kern_open(0);
	struct flow_counter c;
	struct frame f;

	(void)state;
	frame_of(&f, 7);
	kern_run(&k, k.skel->progs.ringspan_tc_tx, &f);
	kern_set(&k, FLOW_R_MASK, 0);
	kern_run(&k, k.skel->progs.ringspan_tc_tx, &f);
	frame_of(&f, 8);
	kern_run(&k, k.skel->progs.ringspan_tc_tx, &f);
	c = kern_counter(&k, FLOW_TRANSMIT, FLOW_TRANSPORT_UDP);
	assert_int_equal(c.kept, 2);
	assert_int_equal(c.not_kept, 1);
	kern_close(&k);
}

/* A connection on the tuple of one that was kept is a flow of its own, which the rate rejects. */
static void test_kern_rate_next_connection_is_judged_by_the_new_one(void **state)
{
	struct kern k = kern_open(0);
	struct flow_counter c;
	struct flow_state st;
	uint64_t r;
	struct frame f;

	(void)state;
	segment(&f, FLOW_TCP_SYN, 100);
	kern_send(&k, &f);
	kern_set(&k, FLOW_R_MASK, 0);
	segment(&f, FLOW_TCP_RST, 101);
	kern_send(&k, &f);
	assert_true(kern_state(&k, 5000, &st, &r));
	assert_int_equal(state_pkts(&st), 2);
	segment(&f, FLOW_TCP_SYN, 100); /* said again: of the old one */
	kern_send(&k, &f);
	segment(&f, FLOW_TCP_SYN, 900);
	kern_send(&k, &f);
	segment(&f, FLOW_TCP_ACK, 901);
	kern_send(&k, &f);
	c = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_TCP);
	assert_int_equal(c.kept, 3);
	assert_int_equal(c.not_kept, 2);
	assert_true(kern_state(&k, 5000, &st, &r));
	assert_int_equal(state_pkts(&st), 3);
	assert_int_equal(st.info.threshold, 0);
	assert_int_equal(st.info.generation, 0);

	/* that stays so when the threshold falls; the one after it is kept, not as a part of the
	 * first
	 */
	kern_set(&k, 0, 0);
	segment(&f, FLOW_TCP_RST, 902);
	kern_send(&k, &f);
	kern_send(&k, &f);
	c = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_TCP);
	assert_int_equal(c.not_kept, 4);
	segment(&f, FLOW_TCP_SYN, 2000);
	kern_send(&k, &f);
	segment(&f, FLOW_TCP_ACK, 2001);
	kern_send(&k, &f);
	assert_true(kern_state(&k, 5000, &st, &r));
	assert_int_equal(st.info.generation, 1);
	assert_int_equal(st.info.is_closed, 0);
	assert_int_equal(st.info.threshold, 0);
	assert_int_equal(state_pkts(&st), 2);
	c = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_TCP);
	assert_int_equal(c.kept, 5);
	assert_int_equal(c.not_kept, 4);
	kern_close(&k);
}

static void send_segments(struct kern *k, uint16_t first, uint8_t flags, uint32_t seq)
{
	struct frame f;
	uint16_t i;

	for (i = 0; i < FLOWS; i++) {
		segment_of(&f, (uint16_t)(first + i), flags, seq);
		kern_send(k, &f);
	}
}

/* How many of the connections from port @first on are known; each with @pkts, begun under
 * @threshold and rightly so. */
static unsigned count_states(struct kern *k, uint16_t first, uint64_t pkts, uint64_t threshold)
{
	struct flow_state st;
	uint64_t r;
	unsigned n = 0;
	uint16_t i;

	for (i = 0; i < FLOWS; i++) {
		if (!kern_state(k, (uint16_t)(first + i), &st, &r))
			continue;
		n++;
		assert_int_equal(state_pkts(&st), pkts);
		assert_int_equal(st.info.threshold, threshold);
		assert_true(r >= threshold);
	}
	return n;
}

/* The kept connections stand for the others already. */
static void test_kern_rate_that_falls_lets_no_connection_in_from_its_middle(void **state)
{
	struct kern k = kern_open(FEW);
	unsigned few, some, later;
	struct flow_counter c;

	(void)state;
	send_segments(&k, 5000, FLOW_TCP_SYN, 1);
	few = count_states(&k, 5000, 1, FEW);
	assert_in_range(few, FLOWS / 8, FLOWS / 2);
	kern_set(&k, SOME, FEW);
	send_segments(&k, 5000, FLOW_TCP_ACK, 2);
	assert_int_equal(count_states(&k, 5000, 2, FEW), few);
	c = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_TCP);
	assert_int_equal(c.kept, 2 * few);
	assert_int_equal(c.not_kept, 2 * (FLOWS - few));

	/* those that begin are kept by the new one, and whole */
	send_segments(&k, 6000, FLOW_TCP_SYN, 1);
	send_segments(&k, 6000, FLOW_TCP_ACK, 2);
	send_segments(&k, 6000, FLOW_TCP_FIN | FLOW_TCP_ACK, 2);
	some = count_states(&k, 6000, 3, SOME);
	assert_in_range(some, FLOWS / 2, FLOWS - FLOWS / 8);

	/* of which nobody saw the beginning: by the highest so far */
	send_segments(&k, 7000, FLOW_TCP_ACK, 2);
	later = count_states(&k, 7000, 1, FEW);
	assert_in_range(later, FLOWS / 8, FLOWS / 2);
	c = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_TCP);
	assert_int_equal(c.kept, 2 * few + 3 * some + later);

	/* those that were kept go on when it rises again, and when it falls once more */
	kern_set(&k, HALF, SOME);
	send_segments(&k, 6000, FLOW_TCP_ACK, 3);
	kern_set(&k, 0, SOME);
	send_segments(&k, 6000, FLOW_TCP_ACK, 4);
	assert_int_equal(count_states(&k, 6000, 5, SOME), some);
	assert_int_equal(k.skel->bss->sample_ceiling, FEW);
	kern_close(&k);
}

/* A SYN/ACK begins a connection, too: its SYN may go another way. A later fragment of a packet does
 * not say what it is from. */
static void test_kern_rate_that_falls_keeps_what_may_have_begun(void **state)
{
	struct kern k = kern_open(FLOW_R_MASK);
	struct flow_counter c;
	struct frame f;

	(void)state;
	kern_set(&k, 0, 0);
	segment_of(&f, 5000, FLOW_TCP_SYN | FLOW_TCP_ACK, 1);
	kern_send(&k, &f);
	segment_of(&f, 5001, FLOW_TCP_SYN, 1);
	kern_run(&k, k.skel->progs.ringspan_tc_tx, &f);
	segment_of(&f, 5002, FLOW_TCP_ACK, 1);
	kern_run(&k, k.skel->progs.ringspan_tc_tx, &f);
	frame_begin(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", IPPROTO_TCP, 0, 0x00b9);
	frame_fill(&f, 64);
	kern_send(&k, &f);
	c = kern_counter(&k, FLOW_RECEIVE, FLOW_TRANSPORT_TCP);
	assert_int_equal(c.kept, 2);
	assert_int_equal(c.not_kept, 0);
	c = kern_counter(&k, FLOW_TRANSMIT, FLOW_TRANSPORT_TCP);
	assert_int_equal(c.kept, 1);
	assert_int_equal(c.not_kept, 1);
	assert_int_equal(count_states(&k, 5000, 1, 0), 2);
	kern_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_rate_that_rises_leaves_kept_flows_whole),
		cmocka_unit_test(test_kern_rate_forgotten_flows_begin_anew),
		cmocka_unit_test(test_kern_rate_that_falls_keeps_more),
		cmocka_unit_test(test_kern_rate_holds_on_transmit_and_copied_headers),
		cmocka_unit_test(test_kern_rate_next_connection_is_judged_by_the_new_one),
		cmocka_unit_test(test_kern_rate_that_falls_lets_no_connection_in_from_its_middle),
		cmocka_unit_test(test_kern_rate_that_falls_keeps_what_may_have_begun),
	};

	if (geteuid()) {
		printf("skipped: loading BPF programs needs root\n");
		return 77;
	}
	libbpf_set_print(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
