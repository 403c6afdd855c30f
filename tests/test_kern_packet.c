/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet mode in the kernel: which packets are taken, what they stand for, and that nothing is
 * missing. The random state is set here, on the one CPU that the test runs on, so that each number
 * is the same in every run; bounds are of 99.9 % or wider.
 */
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kern_fixture.h"

#include <cmocka.h>
#include <netinet/in.h>

/* As in kern/sample.bpf.h. */
struct sample_state {
	uint64_t left, interval, random, taken, pkts, pad[3];
};

static void packet_mode(struct flow_bpf *skel)
{
	assert_int_equal(bpf_map__value_size(skel->maps.sample_states),
			 sizeof(struct sample_state));
	skel->rodata->sample_packets = true;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static struct kern *open_at(uint64_t interval)
{
	struct kern *k = kern_open((struct kern_opts){.prepare = packet_mode});

	k->skel->bss->sample_interval = interval;
	run_on(0);
	return k;
}

static struct sample_state sample_get(struct kern *k)
{
	struct sample_state all[k->cpus];
	uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.sample_states), &zero, all),
			 0);
	return all[0];
}

static void sample_set(struct kern *k, struct sample_state s)
{
	struct sample_state all[k->cpus];
	uint32_t zero = 0;
	int c;

	for (c = 0; c < k->cpus; c++)
		all[c] = s;
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(k->skel->maps.sample_states), &zero, all, BPF_ANY),
		0);
}

/* A CPU that has seen nothing yet. The state moves by a fixed step, so seeds must not be as far from
 * each other as a few of these. */
static void sample_begin(struct kern *k, uint64_t seed)
{
	sample_set(k, (struct sample_state){.random = seed * 0xD1342543DE82EF95ULL});
}

/* @repeat packets; a train of @segments each time if there are two or more. */
static void arrive(struct kern *k, const struct frame *f, uint64_t repeat, uint32_t segments)
{
	struct __sk_buff skb = {.gso_segs = segments, .gso_size = 100};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len,
		    .repeat = (int)repeat);

	if (segments > 1) {
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	assert_int_equal(
		bpf_prog_test_run_opts(bpf_program__fd(k->skel->progs.ringspan_tc_rx), &opts), 0);
}

static struct frame udp_to(uint16_t port)
{
	struct frame f;

	frame_begin(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", IPPROTO_UDP, 0, 0);
	frame_udp(&f, 40000, port, 100);
	return f;
}

static struct frame tcp_with(uint8_t flags, uint32_t seq)
{
	struct frame f;

	frame_begin(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", IPPROTO_TCP, 0, 0);
	frame_tcp(&f, 5000, 80, flags, seq, 0);
	return f;
}

/* What the flow from port 40000 to @port is known by; all zero: nothing. */
static struct flow_dir known(struct kern *k, uint16_t port, struct flow_info *ret_info)
{
	int fd = bpf_map__fd(k->skel->maps.flow_states);
	struct flow_key key, *at = NULL;
	struct flow_state st;

	while (!bpf_map_get_next_key(fd, at, &key)) {
		at = &key;
		if (ntohs(key.port[0]) != port && ntohs(key.port[1]) != port)
			continue;
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &st), 0);
		if (ret_info)
			*ret_info = st.info;
		return st.dir[0].totals.pkts ? st.dir[0] : st.dir[1];
	}
	return (struct flow_dir){};
}

static uint64_t taken_so_far(struct kern *k)
{
	return kern_counter(k, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_UDP).kept;
}

static void assert_near(double value, double wanted, double within, const char *what)
{
	if (fabs(value - wanted) > within)
		fail_msg("%s: %g, not within %g of %g", what, value, within, wanted);
}

/* ---- which packets ---- */

static void test_kern_packet_gaps_are_uniform(void **state)
{
	enum { N = 10, CELLS = 2 * N - 1, GAPS = 100 * CELLS };
	struct kern *k = open_at(N);
	struct frame f = udp_to(53);
	unsigned count[CELLS] = {}, i;
	double chi2 = 0, sum = 0;
	uint64_t left;

	(void)state;
	sample_begin(k, 1);
	arrive(k, &f, 1, 0);
	for (i = 0; i < GAPS; i++) {
		arrive(k, &f, sample_get(k).left, 0);
		left = sample_get(k).left;
		assert_in_range(left, 1, CELLS);
		count[left - 1]++;
		sum += (double)left;
	}
	for (i = 0; i < CELLS; i++)
		chi2 += (count[i] - 100.0) * (count[i] - 100.0) / 100;
	assert_true(chi2 < 42.3); /* 99.9 % of chi-square with 18 degrees of freedom */
	assert_near(sum / GAPS, N, 3.3 * sqrt((CELLS * CELLS - 1) / 12.0 / GAPS), "mean gap");
	kern_close(k);
}

/* Each packet is taken with the same probability, the first as well as those around the gaps. */
static void test_kern_packet_starts_anywhere(void **state)
{
	enum { N = 10, SEEDS = 1500, PLACES = 24 };
	struct kern *k = open_at(N);
	struct frame f = udp_to(53);
	unsigned count[PLACES] = {}, seed, i;
	uint64_t before = 0, now;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		sample_begin(k, seed);
		for (i = 0; i < PLACES; i++) {
			arrive(k, &f, 1, 0);
			now = sample_get(k).taken; /* of the last time that one was due */
			if (sample_get(k).random != before && now)
				count[i]++;
			before = sample_get(k).random;
		}
	}
	for (i = 0; i < PLACES; i++)
		assert_near(count[i], SEEDS / (double)N, 4.5 * sqrt(SEEDS * 0.09), "place");
	kern_close(k);
}

static void test_kern_packet_is_not_in_step_with_a_rhythm(void **state)
{
	enum { N = 10, SEEDS = 300, ROUNDS = 8 };
	struct kern *k = open_at(N);
	struct frame often = udp_to(53), seldom = udp_to(123);
	unsigned seed, i;
	double wanted = SEEDS * ROUNDS;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		sample_begin(k, seed);
		for (i = 0; i < ROUNDS; i++) {
			arrive(k, &often, 4, 0);
			arrive(k, &seldom, 1, 0); /* every tenth */
			arrive(k, &often, 5, 0);
		}
	}
	assert_near((double)known(k, 123, NULL).detail.estimate.pkts, wanted,
		    4.5 * sqrt(wanted * N), "every tenth");
	assert_near((double)known(k, 53, NULL).detail.estimate.pkts, 9 * wanted,
		    4.5 * sqrt(9 * wanted * N), "the others");
	kern_close(k);
}

/* The smallest and largest of a binomial count, with at most 0.05 % outside on each side. */
static void binomial(unsigned n, double p, unsigned *low, unsigned *high)
{
	double sum = 0;
	unsigned i;

	*low = *high = n + 1;
	for (i = 0; i <= n && *high > n; i++) {
		sum += exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(p) +
			   (n - i) * log1p(-p));
		if (*low > n && sum > 0.0005)
			*low = i;
		if (sum >= 0.9995)
			*high = i;
	}
}

static void test_kern_packet_estimates_a_ping_train(void **state)
{
	enum { N = 10, PINGS = 2000, SEEDS = 100 };
	struct kern *k = open_at(N);
	unsigned seed, low, high, taken;
	uint64_t before = 0, now;
	struct flow_dir d;
	struct frame f;

	(void)state;
	binomial(PINGS, 1.0 / N, &low, &high);
	frame_make(&f, FRAME_IPV4_ICMP_ECHO);
	for (seed = 1; seed <= SEEDS; seed++) {
		sample_begin(k, seed);
		arrive(k, &f, PINGS, 0);
		now = kern_counter(k, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_ICMP).kept;
		taken = (unsigned)(now - before);
		before = now;
		assert_in_range(taken, low, high);
	}
	d = known(k, 8, NULL);
	assert_int_equal(d.totals.pkts, before);
	assert_int_equal(d.detail.estimate.pkts, N * before);
	assert_int_equal(d.detail.estimate.bytes, N * before * f.len);
	assert_near((double)d.detail.estimate.pkts / SEEDS, PINGS,
		    3.3 * sqrt(PINGS * (N - 1.0) / SEEDS), "mean estimate");
	kern_close(k);
}

/* ---- N in the middle ---- */

static void test_kern_packet_change_of_n_bends_nothing(void **state)
{
	enum { SEEDS = 600 };
	static const struct {
		uint16_t port;
		uint64_t n;
		unsigned pkts;
	} parts[] = {{1, 10, 95}, {2, 1000, 300}, {3, 1, 30}, {4, 1000, 300}, {5, 10, 95}};
	struct kern *k = open_at(1);
	struct flow_info info;
	unsigned seed, i;
	struct frame f;
	struct flow_dir d;
	double wanted;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		sample_begin(k, seed);
		for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
			k->skel->bss->sample_interval = parts[i].n;
			f = udp_to(parts[i].port);
			arrive(k, &f, parts[i].pkts, 0);
		}
	}
	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		d = known(k, parts[i].port, &info);
		wanted = (double)SEEDS * parts[i].pkts;
		assert_near((double)d.detail.estimate.pkts, wanted,
			    parts[i].n == 1 ? 0 : 4 * sqrt(wanted * (double)parts[i].n), "part");
		assert_int_equal(d.detail.estimate.pkts, parts[i].n * d.totals.pkts);
		assert_int_equal(d.detail.estimate.max_interval, parts[i].n);
		assert_int_equal(info.interval, parts[i].n);
	}
	kern_close(k);
}

static void test_kern_packet_weighs_each_sample_by_its_n(void **state)
{
	struct kern *k = open_at(1);
	struct frame f = udp_to(53);
	struct flow_info info;
	struct flow_dir d;

	(void)state;
	arrive(k, &f, 3, 0);
	sample_set(k, (struct sample_state){.left = 1, .interval = 7, .random = 5});
	k->skel->bss->sample_interval = 7;
	arrive(k, &f, 1, 0);
	sample_set(k, (struct sample_state){.left = 1, .interval = 5, .random = 5});
	k->skel->bss->sample_interval = 5;
	arrive(k, &f, 1, 0);
	d = known(k, 53, &info);
	assert_int_equal(d.totals.pkts, 5);
	assert_int_equal(d.detail.estimate.pkts, 3 + 7 + 5);
	assert_int_equal(d.detail.estimate.bytes, (3 + 7 + 5) * f.len);
	assert_int_equal(d.detail.estimate.max_interval, 7);
	assert_int_equal(info.interval, 1); /* as when it was first seen */
	kern_close(k);
}

/* ---- extremes ---- */

static void test_kern_packet_of_one_in_one_is_exact(void **state)
{
	struct kern *k = open_at(1);
	struct frame f = udp_to(53);
	struct flow_counter c;
	struct flow_dir d;

	(void)state;
	arrive(k, &f, 100, 0);
	arrive(k, &f, 3, 64);
	c = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(c.kept, 100 + 3 * 64);
	assert_int_equal(c.not_kept, 0);
	d = known(k, 53, NULL);
	assert_int_equal(d.totals.pkts, c.kept);
	assert_int_equal(d.totals.bytes, c.bytes);
	assert_int_equal(d.detail.estimate.pkts, c.kept);
	assert_int_equal(d.detail.estimate.bytes, c.bytes);
	assert_int_equal(d.detail.estimate.max_interval, 1);
	kern_close(k);
}

static void test_kern_packet_of_one_in_very_many(void **state)
{
	static const uint64_t ns[] = {1 << 20, (1 << 20) + 1, 1ULL << 31};
	struct kern *k = open_at(1);
	struct sample_state s;
	double firsts, gaps;
	struct flow_dir d;
	struct frame f;
	unsigned i, seed;

	(void)state;
	for (i = 0; i < sizeof(ns) / sizeof(*ns); i++) {
		f = udp_to((uint16_t)(1000 + i));
		k->skel->bss->sample_interval = ns[i];
		firsts = gaps = 0;
		for (seed = 1; seed <= 400; seed++) {
			sample_begin(k, seed);
			arrive(k, &f, 1, 0);
			s = sample_get(k);
			assert_int_equal(s.interval, ns[i]);
			assert_in_range(s.left, 1, 2 * ns[i] - 1);
			firsts += (double)s.left / (double)ns[i];
			s.left = 1;
			sample_set(k, s);
			arrive(k, &f, 1, 0);
			s = sample_get(k);
			assert_in_range(s.left, 1, 2 * ns[i] - 1);
			gaps += (double)s.left / (double)ns[i];
		}
		assert_near(firsts / 400, 2.0 / 3, 4 * sqrt(2.0 / 9 / 400), "first wait");
		assert_near(gaps / 400, 1, 4 * sqrt(1.0 / 3 / 400), "gap");
		d = known(k, (uint16_t)(1000 + i), NULL);
		assert_int_equal(d.totals.pkts, 400);
		assert_int_equal(d.detail.estimate.pkts, 400 * ns[i]);
	}
	kern_close(k);
}

static void test_kern_packet_begins_by_itself(void **state)
{
	struct kern *k = open_at(1 << 20);
	struct frame f = udp_to(53);
	struct sample_state s;

	(void)state;
	sample_set(k, (struct sample_state){});
	arrive(k, &f, 1, 0);
	s = sample_get(k);
	assert_true(s.random != 0 && s.left != 0);
	sample_set(k, (struct sample_state){});
	arrive(k, &f, 1, 0);
	assert_true(sample_get(k).random != s.random); /* the same once in 2^64 runs */
	assert_int_equal(known(k, 53, NULL).totals.pkts, 0);
	assert_int_equal(taken_so_far(k), 0);
	kern_close(k);
}

/* ---- trains ---- */

static void test_kern_packet_train_is_as_its_packets_one_by_one(void **state)
{
	enum { TRAIN = 100 };
	struct kern *k = open_at(3);
	struct frame f = udp_to(53), g = udp_to(54);
	struct flow_counter before, after;
	struct sample_state s;
	uint64_t first, kept;
	unsigned seed;

	(void)state;
	for (seed = 1; seed <= 50; seed++) {
		before = kern_total(k, FLOW_RECEIVE);
		sample_begin(k, seed);
		arrive(k, &f, TRAIN, 0);
		s = sample_get(k);
		after = kern_total(k, FLOW_RECEIVE);
		kept = after.kept - before.kept;
		assert_int_equal(kept + after.not_kept - before.not_kept, TRAIN);
		before = after;
		first = known(k, 54, NULL).totals.pkts;
		sample_begin(k, seed);
		arrive(k, &g, 1, TRAIN);
		after = kern_total(k, FLOW_RECEIVE);
		assert_int_equal(after.kept - before.kept, kept);
		assert_int_equal(after.not_kept - before.not_kept, TRAIN - kept);
		assert_int_equal(sample_get(k).left, s.left);
		assert_int_equal(sample_get(k).random, s.random);
		assert_int_equal(known(k, 54, NULL).totals.pkts - first, kept);
	}
	assert_int_equal(known(k, 54, NULL).detail.estimate.pkts,
			 3 * known(k, 54, NULL).totals.pkts);
	kern_close(k);
}

static void test_kern_packet_bytes_of_a_train_are_shared_out(void **state)
{
	struct kern *k = open_at(10);
	struct frame f = udp_to(53);
	uint64_t bytes = f.len + 49 * 42; /* as counted: headers repeated */
	struct flow_dir d;

	(void)state;
	sample_set(k, (struct sample_state){.left = 50, .interval = 10, .random = 1});
	arrive(k, &f, 1, 50);
	d = known(k, 53, NULL);
	assert_int_equal(kern_total(k, FLOW_RECEIVE).bytes, bytes);
	assert_int_equal(d.totals.pkts, 1);
	assert_int_equal(d.totals.bytes, bytes / 50);
	assert_int_equal(d.detail.estimate.bytes, bytes / 50 * 10);
	kern_close(k);
}

/* ---- the balance ---- */

/* Of one CPU. */
static void assert_balance(struct kern *k, int cpu, uint64_t pkts, uint64_t no_flow)
{
	struct flow_counter all[k->cpus];
	uint64_t seen = 0, kept = 0, not_kept = 0, cut = 0;
	uint32_t i;

	for (i = 0; i < FLOW_COUNTERS_PER_IF; i++) {
		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.flow_counters), &i, all), 0);
		seen += flow_counter_pkts(&all[cpu]);
		kept += all[cpu].kept;
		not_kept += all[cpu].not_kept;
		cut += all[cpu].no_flow;
	}
	assert_int_equal(seen, pkts);
	assert_int_equal(cut, no_flow);
	assert_int_equal(kept + not_kept, pkts - no_flow);
	assert_true(kept && not_kept);
}

static void test_kern_packet_balance_is_exact_on_each_cpu(void **state)
{
	struct kern *k = open_at(10);
	struct frame f = udp_to(53), arp, tcp = tcp_with(FLOW_TCP_ACK, 7);
	int cpus = k->cpus > 2 ? 2 : k->cpus, cpu;
	struct flow_counter all;
	uint64_t states;

	(void)state;
	frame_make(&arp, FRAME_ARP);
	sample_begin(k, 1);
	for (cpu = 0; cpu < cpus; cpu++) {
		run_on(cpu);
		arrive(k, &f, 1001, 0);
		arrive(k, &arp, 13, 0);
		arrive(k, &tcp, 500, 0);
		arrive(k, &f, 11, 43);
		kern_xdp(k, &tcp, 100);
		assert_balance(k, cpu, 1001 + 13 + 500 + 11 * 43 + 100, 13);
	}
	all = kern_total(k, FLOW_RECEIVE);
	states = known(k, 53, NULL).totals.pkts + known(k, 80, NULL).totals.pkts;
	assert_int_equal(states, all.kept);
	kern_close(k);
}

/* ---- records ---- */

static void test_kern_packet_syn_that_is_taken_begins_a_generation(void **state)
{
	struct kern *k = open_at(4);
	struct frame f = tcp_with(FLOW_TCP_SYN, 1000);
	const struct flow_record_last *last;
	const struct flow_record *r;
	uint8_t from;

	(void)state;
	sample_set(k, (struct sample_state){.left = 1, .interval = 4, .random = 1});
	arrive(k, &f, 1, 0);
	f = tcp_with(FLOW_TCP_RST, 1001);
	sample_set(k, (struct sample_state){.left = 1, .interval = 4, .random = 1});
	arrive(k, &f, 1, 0);
	k->skel->bss->sample_interval = 9;
	f = tcp_with(FLOW_TCP_SYN, 5000);
	sample_set(k, (struct sample_state){.left = 1, .interval = 9, .random = 1});
	arrive(k, &f, 1, 0);
	kern_drain(k);
	r = kern_last_of_kind(k, FLOW_RECORD_LAST);
	assert_non_null(r);
	last = (const void *)r;
	from = r->from & 1;
	assert_int_equal(r->totals[from].pkts, 2);
	assert_int_equal(r->info.interval, 4);
	assert_int_equal(last->detail[from].estimate.pkts, 8);
	assert_int_equal(last->detail[from].estimate.bytes, 8 * f.len);
	assert_int_equal(last->detail[from].estimate.max_interval, 4);
	r = kern_last_of_kind(k, FLOW_RECORD_UPDATE);
	assert_non_null(r);
	assert_int_equal(r->info.interval, 9);
	assert_int_equal(r->info.generation, 1);
	assert_int_equal(r->totals[from].pkts, 1);
	assert_int_equal(known(k, 80, NULL).detail.estimate.pkts, 9);
	kern_close(k);
}

static void test_kern_packet_without_state_says_what_it_stands_for(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.prepare = packet_mode, .max_flows = 1});
	struct frame f = udp_to(53), g = udp_to(54);
	const struct flow_record *r;

	(void)state;
	run_on(0);
	k->skel->bss->sample_interval = 6;
	sample_set(k, (struct sample_state){.left = 1, .interval = 6, .random = 1});
	arrive(k, &f, 1, 0);
	sample_set(k, (struct sample_state){.left = 1, .interval = 6, .random = 1});
	arrive(k, &g, 1, 0);
	kern_drain(k);
	r = kern_last_of_kind(k, FLOW_RECORD_STATELESS);
	assert_non_null(r);
	assert_int_equal(r->info.interval, 6);
	assert_int_equal(r->totals[r->from & 1].pkts, 1);
	assert_int_equal(r->totals[r->from & 1].bytes, g.len);
	kern_close(k);
}

/* With an argument: the tests of that name; * and ? as in file names. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_packet_gaps_are_uniform),
		cmocka_unit_test(test_kern_packet_starts_anywhere),
		cmocka_unit_test(test_kern_packet_is_not_in_step_with_a_rhythm),
		cmocka_unit_test(test_kern_packet_estimates_a_ping_train),
		cmocka_unit_test(test_kern_packet_change_of_n_bends_nothing),
		cmocka_unit_test(test_kern_packet_weighs_each_sample_by_its_n),
		cmocka_unit_test(test_kern_packet_of_one_in_one_is_exact),
		cmocka_unit_test(test_kern_packet_of_one_in_very_many),
		cmocka_unit_test(test_kern_packet_begins_by_itself),
		cmocka_unit_test(test_kern_packet_train_is_as_its_packets_one_by_one),
		cmocka_unit_test(test_kern_packet_bytes_of_a_train_are_shared_out),
		cmocka_unit_test(test_kern_packet_balance_is_exact_on_each_cpu),
		cmocka_unit_test(test_kern_packet_syn_that_is_taken_begins_a_generation),
		cmocka_unit_test(test_kern_packet_without_state_says_what_it_stands_for),
	};

	libbpf_set_print(NULL);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
