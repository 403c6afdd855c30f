/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel makes of a filter: random expressions on random packets, against the tree that
 * the expression was printed from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/kern_fixture.h"

#include <cmocka.h>
#include <netinet/in.h>

#include "tests/filter_random.h"
#include "user/filter.h"

#define EXPRESSIONS 24
#define PACKETS 60

static struct filter_program program; /* what prepare() loads */

static void prepare(struct flow_bpf *skel)
{
	memcpy((void *)&skel->rodata->filter, &program, sizeof(program));
}

static struct kern *kern_with(const char *text)
{
	char why[FILTER_WHY_CAP];

	if (filter_parse(&program, text, why))
		fail_msg("%s: %s", text, why);
	return kern_open((struct kern_opts){.prepare = prepare});
}

static void prepare_all(struct flow_bpf *skel)
{
	prepare(skel);
	skel->rodata->decap = skel->rodata->trace_links = true;
}

static void prepare_all_and_packets(struct flow_bpf *skel)
{
	prepare_all(skel);
	skel->rodata->sample_packets = true;
}

static bool tc_wants(struct kern *k, const struct frame *f)
{
	struct flow_counter before = kern_total(k, FLOW_RECEIVE), after;

	kern_tc(k->skel->progs.ringspan_tc_rx, f, NULL);
	after = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(flow_counter_pkts(&after) - flow_counter_pkts(&before), 1);
	assert_int_equal(after.kept + after.filtered, before.kept + before.filtered + 1);
	return after.kept > before.kept;
}

static void test_kern_filter_agrees_with_the_tree_both_ways(void **state)
{
	unsigned i, n, wanted = 0;
	struct filter_facts facts;
	struct filter_tree tree;
	uint32_t seed = 7;
	struct frame f;
	struct kern *k;
	char text[2000];

	(void)state;
	for (i = 0; i < EXPRESSIONS; i++) {
		filter_random_tree(&seed, 1 + i % 12, &tree);
		filter_tree_print(&tree, false, text, sizeof(text));
		k = kern_with(text);
		for (n = 0; n < PACKETS; n++) {
			bool truth;

			filter_random_packet(&seed, false, &facts, &f);
			truth = filter_tree_holds(&tree, &facts);
			wanted += truth;
			if (tc_wants(k, &f) != truth)
				fail_msg("packet %u: %s", n, text);
			filter_packet_back(&facts, &f);
			if (tc_wants(k, &f) != truth)
				fail_msg("packet %u, the other way: %s", n, text);
		}
		kern_close(k);
	}
	assert_in_range(wanted, EXPRESSIONS * PACKETS / 5, EXPRESSIONS * PACKETS * 4 / 5);
}

/* The largest program there may be, and its longest way: the last condition decides. */
static void test_kern_filter_runs_all_steps(void **state)
{
	char text[2000] = "";
	struct kern *k;
	struct frame f;
	size_t len = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < FILTER_STEPS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%sport %u",
					i ? " or " : "", 1000 + i);
	k = kern_with(text);
	frame_begin(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", IPPROTO_UDP, 0, 0);
	frame_udp(&f, 5, 1000 + FILTER_STEPS_MAX - 1, 8);
	assert_true(tc_wants(k, &f));
	frame_begin(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", IPPROTO_UDP, 0, 0);
	frame_udp(&f, 5, 1000 + FILTER_STEPS_MAX, 8);
	assert_false(tc_wants(k, &f));
	kern_close(k);
}

/* Each frame through each program: what is filtered out is in no flow, everything is counted. */
static void test_kern_filter_counts_what_it_leaves_out(void **state)
{
	struct kern *k = kern_with("tcp port 443 or icmp6");
	uint64_t sent = 0, flows = 0;
	struct flow_counter rx, tx;
	struct flow_key key;
	struct frame f;
	unsigned kind;

	(void)state;
	for (kind = 0; kind < FRAME_KIND_MAX; kind++, sent++) {
		frame_make(&f, kind);
		kern_xdp(k, &f, 1);
		kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
	}
	rx = kern_total(k, FLOW_RECEIVE);
	tx = kern_total(k, FLOW_TRANSMIT);
	assert_int_equal(flow_counter_pkts(&rx), sent);
	assert_int_equal(flow_counter_pkts(&tx), sent);
	/* IPv6: TCP, TCP behind extensions, echo; no flow: ARP, LLDP */
	assert_int_equal(rx.kept, 3);
	assert_int_equal(tx.kept, 3);
	assert_int_equal(rx.no_flow, 2);
	assert_int_equal(rx.filtered, sent - 5);
	assert_int_equal(tx.filtered, sent - 5);
	assert_int_equal(rx.not_kept, 0);
	if (!bpf_map_get_next_key(bpf_map__fd(k->skel->maps.flow_states), NULL, &key))
		do
			flows++;
		while (!bpf_map_get_next_key(bpf_map__fd(k->skel->maps.flow_states), &key, &key));
	assert_int_equal(flows, 2);
	kern_drain(k);
	assert_int_equal(k->records_len, kern_ring_stats(k).submitted);
	for (; k->records_len > 0; k->records_len--)
		assert_int_equal(k->records[k->records_len - 1].record.key.family, 6);
	kern_close(k);
}

/* The first bytes of an IPv6 address may look like those of an IPv4 one. */
static void test_kern_filter_networks_are_of_one_family(void **state)
{
	static const char *const nets[] = {"net 0.0.0.0/0", "net ::/0"};
	struct frame ipv4, ipv6;
	struct kern *k;
	unsigned i;

	(void)state;
	frame_make(&ipv4, FRAME_IPV4_UDP);
	frame_make(&ipv6, FRAME_IPV6_UDP);
	for (i = 0; i < 2; i++) {
		k = kern_with(nets[i]);
		assert_int_equal(tc_wants(k, &ipv4), i == 0);
		assert_int_equal(tc_wants(k, &ipv6), i == 1);
		kern_close(k);
	}
}

static void test_kern_filter_comes_before_sampling(void **state)
{
	struct kern *k = kern_with("udp");
	struct flow_counter c;
	struct frame f;

	(void)state;
	k->skel->bss->sample_threshold = FLOW_R_MASK;
	frame_make(&f, FRAME_IPV4_TCP);
	kern_xdp(k, &f, 3);
	frame_make(&f, FRAME_IPV4_UDP);
	kern_xdp(k, &f, 5);
	c = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(c.filtered, 3);
	assert_int_equal(c.not_kept, 5);
	kern_close(k);
}

/* All that makes the programs larger at once: the verifier takes them, and they still judge. */
static void test_kern_filter_beside_everything_else(void **state)
{
	static void (*const preparations[])(struct flow_bpf *) = {prepare_all,
								  prepare_all_and_packets};
	char why[FILTER_WHY_CAP];
	struct frame tcp, udp;
	struct kern *k;
	size_t i;

	(void)state;
	assert_int_equal(filter_parse(&program, "tcp and net 10.1.0.0/16 and not port 22", why), 0);
	frame_make(&tcp, FRAME_IPV4_TCP);
	frame_make(&udp, FRAME_IPV4_UDP);
	for (i = 0; i < 2; i++) {
		k = kern_open((struct kern_opts){.prepare = preparations[i]});
		k->skel->bss->sample_interval = 1;
		assert_true(tc_wants(k, &tcp));
		assert_false(tc_wants(k, &udp));
		kern_close(k);
	}
}

/* With a pattern for names, only those. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_filter_agrees_with_the_tree_both_ways),
		cmocka_unit_test(test_kern_filter_runs_all_steps),
		cmocka_unit_test(test_kern_filter_counts_what_it_leaves_out),
		cmocka_unit_test(test_kern_filter_beside_everything_else),
		cmocka_unit_test(test_kern_filter_networks_are_of_one_family),
		cmocka_unit_test(test_kern_filter_comes_before_sampling),
	};

	if (geteuid()) {
		printf("skipped: loading BPF programs needs root\n");
		return 77;
	}
	libbpf_set_print(NULL);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
