/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the TC programs conclude from the segments of a connection: what was sent again, overtaken,
 * a keep-alive; closed windows; round trips from timestamps; ECN; and the records of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/kern_fixture.h"

#include <cmocka.h>

#define A_TO_B 0
#define B_TO_A 1

struct seg {
	bool is_reply, is_v6, is_tagged;
	uint8_t flags; /* 0: ACK */
	uint32_t seq;
	size_t payload;
	bool is_closed; /* window 0 */
	uint32_t val, ecr; /* timestamps, if one is not 0 */
	uint16_t train;
	uint8_t ecn;
	uint8_t offset; /* header words that it claims; 0: the true ones */
	int lie; /* added to the IP length */
};

static struct kern *k;
static struct flow_key key;

static int setup(void **state)
{
	(void)state;
	k = kern_open((struct kern_opts){});
	memset(&key, 0, sizeof(key));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kern_close(k);
	return 0;
}

static void put32(uint8_t *to, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(to, &v, sizeof(v));
}

static void make(struct frame *f, struct seg s)
{
	size_t stamp = s.val || s.ecr ? 12 : 0;
	uint8_t *tcp;

	frame_begin(f, s.is_v6 ? 0x86dd : 0x0800);
	if (s.is_tagged)
		frame_vlan(f, 0x8100, 7, s.is_v6 ? 0x86dd : 0x0800);
	if (s.is_v6)
		frame_ipv6(f, s.is_reply ? "fd::2" : "fd::1", s.is_reply ? "fd::1" : "fd::2", 6);
	else
		frame_ipv4(f, s.is_reply ? "10.1.0.2" : "10.1.0.1",
			   s.is_reply ? "10.1.0.1" : "10.1.0.2", 6, 0, 0);
	tcp = f->data + f->len;
	frame_tcp(f, s.is_reply ? 80 : 40000, s.is_reply ? 40000 : 80, s.flags ? s.flags : 0x10,
		  s.seq, stamp + s.payload);
	tcp[12] = (uint8_t)((s.offset ? s.offset : 5 + stamp / 4) << 4);
	if (s.is_closed)
		tcp[14] = tcp[15] = 0;
	if (stamp) {
		put32(tcp + 20, 0x0101080a);
		put32(tcp + 24, s.val);
		put32(tcp + 28, s.ecr);
	}
	if (s.is_v6)
		f->data[f->l3 + 1] |= (uint8_t)(s.ecn << 4);
	else
		f->data[f->l3 + 1] |= s.ecn;
	f->data[f->l3 + (s.is_v6 ? 5 : 3)] += (uint8_t)s.lie;
}

static void sent(struct seg s)
{
	struct __sk_buff skb = {.gso_segs = s.train, .gso_size = s.train ? 10 : 0};
	struct frame f;

	make(&f, s);
	kern_tc(k->skel->progs.ringspan_tc_tx, &f, s.train ? &skb : NULL);
}

/* Sends @payload octets of A's from @seq on. */
static void data(uint32_t seq, size_t payload)
{
	sent((struct seg){.seq = seq, .payload = payload});
}

static struct flow_dir dir(int from)
{
	struct flow_state st;

	assert_int_equal(bpf_map_get_next_key(bpf_map__fd(k->skel->maps.flow_states), NULL, &key),
			 0);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.flow_states), &key, &st), 0);
	return st.dir[from];
}

static void assert_counts(unsigned retransmits, unsigned out_of_order)
{
	assert_int_equal(dir(A_TO_B).detail.tcp.retransmits, retransmits);
	assert_int_equal(dir(A_TO_B).detail.tcp.out_of_order, out_of_order);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* A round trip is real time: the programs read the clock themselves. */
static void pass_us(uint64_t us)
{
	uint64_t end = now_us() + us;

	while (now_us() < end)
		;
}

static void test_kern_tcp_counts_what_comes_again(void **state)
{
	(void)state;
	sent((struct seg){.flags = FLOW_TCP_SYN, .seq = 0xffffff00}); /* the numbers wrap */
	assert_int_equal(dir(A_TO_B).next_seq, 0xffffff01);
	sent((struct seg){.flags = FLOW_TCP_SYN, .seq = 0xffffff00});
	assert_counts(1, 0);
	data(0xffffff01, 0);
	data(0xffffff01, 200);
	data(0xffffffc9, 100);
	assert_int_equal(dir(A_TO_B).next_seq, 45);
	assert_counts(1, 0);
	data(0xffffffc9, 100);
	data(0xffffff01, 200);
	assert_counts(3, 0);
	data(20, 100); /* some of it is new */
	assert_counts(3, 0);
	assert_int_equal(dir(A_TO_B).next_seq, 120);
	sent((struct seg){.flags = FLOW_TCP_ACK | FLOW_TCP_FIN, .seq = 120});
	assert_counts(3, 0);
	sent((struct seg){.flags = FLOW_TCP_ACK | FLOW_TCP_FIN, .seq = 120});
	assert_counts(4, 0);
	sent((struct seg){.flags = FLOW_TCP_RST, .seq = 20});
	assert_counts(4, 0);
}

static void test_kern_tcp_tells_late_from_lost(void **state)
{
	(void)state;
	data(1000, 100);
	data(1400, 100);
	data(1100, 100);
	data(1200, 200);
	assert_counts(0, 2);
	data(2000, 100);
	pass_us(5000); /* no round trip is known: 3 ms */
	data(1500, 500);
	assert_counts(1, 2);
	data(1000, 100);
	assert_counts(2, 2);
}

/* So that a busy machine does not come between: the map is written. */
static void know_round_trip(uint32_t us)
{
	int fd = bpf_map__fd(k->skel->maps.flow_states);
	struct flow_state st;

	dir(A_TO_B);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &st), 0);
	st.dir[A_TO_B].detail.tcp.srtt_us = st.dir[B_TO_A].detail.tcp.srtt_us = us / 2;
	assert_int_equal(bpf_map_update_elem(fd, &key, &st, BPF_EXIST), 0);
}

/* 2 4 1 3, and then another row: both holes are filled, and are so within half a round trip. */
static void test_kern_tcp_follows_holes_as_they_fill(void **state)
{
	(void)state;
	data(900, 100);
	know_round_trip(2000000);
	data(1100, 100);
	data(1300, 100);
	data(1000, 100);
	data(1200, 100);
	assert_counts(0, 2);
	assert_int_equal(dir(A_TO_B).detail.tcp.hole_seq, 1100);
	data(1000, 100); /* the hole is behind it: not overtaken, but sent again */
	data(1300, 100); /* ends the row: nothing overtook it */
	assert_counts(2, 2);
	data(1400, 1); /* asks a closed window; its octet comes again with what was overtaken */
	data(1500, 100);
	data(1400, 100);
	assert_counts(2, 3);
}

static void test_kern_tcp_takes_half_a_round_trip(void **state)
{
	(void)state;
	data(1, 10);
	know_round_trip(400000);
	data(41, 10);
	pass_us(20000); /* more than where nothing is known */
	data(31, 5);
	assert_counts(0, 1);
	pass_us(110000);
	data(61, 10); /* young still: the clock of the first hole goes on */
	pass_us(110000);
	data(51, 10);
	data(21, 5);
	assert_counts(2, 1);
}

static void test_kern_tcp_knows_a_simultaneous_open(void **state)
{
	(void)state;
	sent((struct seg){.flags = FLOW_TCP_SYN, .seq = 1000});
	sent((struct seg){.is_reply = true, .flags = FLOW_TCP_SYN, .seq = 5000});
	sent((struct seg){.flags = FLOW_TCP_SYN | FLOW_TCP_ACK, .seq = 1000});
	assert_counts(0, 0);
	sent((struct seg){.flags = FLOW_TCP_SYN | FLOW_TCP_ACK, .seq = 1000});
	assert_counts(1, 0);
	sent((struct seg){.flags = FLOW_TCP_SYN, .seq = 1000});
	assert_counts(2, 0);
}

static void test_kern_tcp_knows_keep_alives_and_probes(void **state)
{
	(void)state;
	data(1000, 100);
	data(1099, 0);
	data(1099, 1);
	data(1100, 1); /* a probe's octet, and again */
	data(1100, 1);
	assert_counts(0, 0);
	data(1098, 1);
	assert_counts(1, 0);
}

static void test_kern_tcp_counts_trains_and_stops_at_the_end(void **state)
{
	int i;

	(void)state;
	data(1000, 100);
	sent((struct seg){.seq = 1000, .payload = 100, .train = 10});
	assert_counts(10, 0);
	for (i = 0; i < 3; i++)
		sent((struct seg){.seq = 1000, .payload = 100, .train = 30000});
	assert_counts(65535, 0);
}

static void test_kern_tcp_counts_closed_windows(void **state)
{
	(void)state;
	sent((struct seg){.seq = 1, .is_closed = true});
	sent((struct seg){.seq = 1, .is_closed = true});
	sent((struct seg){.seq = 1, .is_closed = true, .flags = FLOW_TCP_RST});
	sent((struct seg){.seq = 1, .is_closed = true, .flags = FLOW_TCP_FIN | FLOW_TCP_ACK});
	assert_int_equal(dir(A_TO_B).detail.tcp.zero_windows, 2);
	assert_int_equal(dir(B_TO_A).detail.tcp.zero_windows, 0);
}

static void round_trip(bool is_v6, uint32_t val, uint32_t echo, uint64_t us)
{
	sent((struct seg){.is_v6 = is_v6, .seq = val, .payload = 10, .val = val, .ecr = 5});
	pass_us(us);
	sent((struct seg){.is_reply = true, .is_v6 = is_v6, .seq = 7, .val = 9, .ecr = echo});
}

static void test_kern_tcp_times_echoes(void **state)
{
	uint32_t first;

	(void)state;
	sent((struct seg){.seq = 1, .payload = 10, .val = 0xfffffff0, .ecr = 5}); /* mid-stream */
	sent((struct seg){.is_reply = true, .seq = 7, .val = 9, .ecr = 0xfffffff0});
	assert_int_equal(dir(A_TO_B).detail.tcp.srtt_us, 0);
	round_trip(false, 0xfffffffe, 0xfffffffe, 8000);
	first = dir(A_TO_B).detail.tcp.srtt_us;
	assert_in_range(first, 8000, 200000);
	round_trip(false, 0xfffffffe, 0xfffffffe, 0); /* not the first of its value */
	assert_int_equal(dir(A_TO_B).detail.tcp.srtt_us, first);
	round_trip(false, 3, 2, 0); /* wrapped; an older echo, then the awaited one */
	assert_true(dir(A_TO_B).detail.tcp.ts_us);
	sent((struct seg){.is_reply = true, .seq = 7, .val = 9, .ecr = 3});
	assert_in_range(dir(A_TO_B).detail.tcp.srtt_us, first - first / 8, first + 20000);
	first = dir(A_TO_B).detail.tcp.srtt_us;
	round_trip(false, 10, 11, 0); /* beyond: nothing is awaited any more */
	sent((struct seg){.is_reply = true, .seq = 7, .val = 9, .ecr = 10});
	assert_int_equal(dir(A_TO_B).detail.tcp.srtt_us, first);
	round_trip(false, 2, 2, 0); /* backwards */
	assert_int_equal(dir(A_TO_B).detail.tcp.srtt_us, first);
}

static void test_kern_tcp_takes_no_echo_twice_and_none_late(void **state)
{
	uint32_t first;

	(void)state;
	data(1, 10);
	round_trip(false, 20, 20, 3000);
	first = dir(A_TO_B).detail.tcp.srtt_us;
	assert_in_range(first, 3000, 200000);
	/* 40 goes while 30 is awaited: when its turn comes it is not the first one of its value */
	sent((struct seg){.seq = 30, .payload = 10, .val = 30, .ecr = 5});
	sent((struct seg){.seq = 40, .payload = 10, .val = 40, .ecr = 5});
	sent((struct seg){.is_reply = true, .seq = 7, .val = 9, .ecr = 30});
	first = dir(A_TO_B).detail.tcp.srtt_us;
	pass_us(3000);
	sent((struct seg){.seq = 50, .payload = 10, .val = 40, .ecr = 5});
	sent((struct seg){.is_reply = true, .seq = 7, .val = 9, .ecr = 40});
	assert_int_equal(dir(A_TO_B).detail.tcp.srtt_us, first);
	assert_int_equal(dir(A_TO_B).detail.tcp.ts_us, 0);
	/* an older one is not the first of its value either */
	sent((struct seg){.seq = 60, .payload = 10, .val = 35, .ecr = 5});
	assert_int_equal(dir(A_TO_B).detail.tcp.ts_us, 0);
	sent((struct seg){.is_reply = true, .seq = 7, .val = 9, .ecr = 35});
	assert_int_equal(dir(A_TO_B).detail.tcp.srtt_us, first);
	/* without ACK the echo means nothing */
	sent((struct seg){.seq = 70, .payload = 10, .val = 70, .ecr = 5});
	sent((struct seg){.is_reply = true, .flags = FLOW_TCP_PSH, .seq = 7, .val = 9, .ecr = 70});
	assert_true(dir(A_TO_B).detail.tcp.ts_us > 1);
}

/* The map is written so that a segment was sent @s ago. */
static void wait_began(uint32_t s)
{
	int fd = bpf_map__fd(k->skel->maps.flow_states);
	struct flow_state st;

	dir(A_TO_B);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &st), 0);
	st.dir[A_TO_B].detail.tcp.ts_us = (uint32_t)(now_us() - s * 1000000ULL) & ~1u;
	assert_int_equal(bpf_map_update_elem(fd, &key, &st, BPF_EXIST), 0);
}

static void test_kern_tcp_rejects_a_round_trip_of_a_minute(void **state)
{
	(void)state;
	data(1, 10);
	sent((struct seg){.seq = 20, .payload = 10, .val = 20, .ecr = 5});
	wait_began(61);
	sent((struct seg){.is_reply = true, .seq = 7, .val = 9, .ecr = 20});
	assert_int_equal(dir(A_TO_B).detail.tcp.srtt_us, 0);
	assert_int_equal(dir(A_TO_B).detail.tcp.ts_us, 0);
	sent((struct seg){.seq = 30, .payload = 10, .val = 30, .ecr = 5});
	wait_began(50);
	sent((struct seg){.is_reply = true, .seq = 7, .val = 9, .ecr = 30});
	assert_in_range(dir(A_TO_B).detail.tcp.srtt_us, 50000000, 60000000);
	/* one that is never echoed is awaited for a minute */
	sent((struct seg){.seq = 40, .payload = 10, .val = 40, .ecr = 5});
	wait_began(61);
	sent((struct seg){.seq = 50, .payload = 10, .val = 50, .ecr = 5});
	assert_int_equal(dir(A_TO_B).detail.tcp.ts_val, 50);
}

static void test_kern_tcp_sees_congestion_of_any_protocol(void **state)
{
	static const uint8_t ecn[] = {0, 1, 2, 3};
	uint32_t want = 0, flags;
	struct frame f;
	unsigned i;

	(void)state;
	for (i = 0; i < 2 * sizeof(ecn); i++) {
		if (i == sizeof(ecn)) { /* then IPv6, by XDP, in a flow of its own */
			kern_close(k);
			k = kern_open((struct kern_opts){});
			want = 0;
		}
		frame_make(&f, i < sizeof(ecn) ? FRAME_IPV4_UDP : FRAME_IPV6_UDP);
		f.data[f.l3 + 1] |= (uint8_t)(ecn[i % 4] << (i < sizeof(ecn) ? 0 : 4));
		if (i < sizeof(ecn))
			kern_tc(k->skel->progs.ringspan_tc_rx, &f, NULL);
		else
			kern_xdp(k, &f, 1);
		want |= ecn[i % 4] == 3 ? FLOW_SAW_CE : ecn[i % 4] ? FLOW_SAW_ECT : 0;
		flags = dir(0).totals.flags | dir(1).totals.flags;
		assert_int_equal(flags & (FLOW_SAW_ECT | FLOW_SAW_CE), want);
		assert_int_equal(dir(0).detail.tcp.retransmits, 0);
	}
}

static void test_kern_tcp_is_the_same_in_xdp(void **state)
{
	struct frame f;
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		make(&f,
		     (struct seg){.is_v6 = i & 1, .is_tagged = i & 2, .seq = 1000, .payload = 9});
		kern_xdp(k, &f, 1);
		make(&f, (struct seg){.is_v6 = i & 1,
				      .is_tagged = i & 2,
				      .seq = 1000,
				      .payload = 9,
				      .is_closed = true});
		kern_xdp(k, &f, 3);
		assert_int_equal(dir(A_TO_B).detail.tcp.retransmits, 3);
		assert_int_equal(dir(A_TO_B).detail.tcp.zero_windows, 3);
		assert_int_equal(dir(A_TO_B).next_seq, 1009);
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(k->skel->maps.flow_states), &key),
				 0);
	}
}

/* Whatever part of a stamped segment is there: nothing is concluded from less than it says. */
static void test_kern_tcp_takes_no_part_for_the_whole(void **state)
{
	struct frame f;
	size_t len;

	(void)state;
	data(1000, 100);
	make(&f, (struct seg){.seq = 5000, .payload = 40, .val = 77, .ecr = 5, .is_closed = true});
	for (len = f.len; len-- > 14;) {
		f.len = len;
		kern_try_tc(k->skel->progs.ringspan_tc_rx, &f, NULL);
		kern_xdp(k, &f, 1);
	}
	assert_counts(0, 0);
	assert_int_equal(dir(A_TO_B).next_seq, 1100);
	assert_int_equal(dir(A_TO_B).detail.tcp.zero_windows, 0);
	assert_int_equal(dir(A_TO_B).detail.tcp.ts_val, 0);
}

static void test_kern_tcp_reads_ipv6_and_tags(void **state)
{
	(void)state;
	sent((struct seg){.is_v6 = true, .is_tagged = true, .seq = 1, .payload = 10});
	round_trip(true, 20, 20, 2000);
	assert_in_range(dir(A_TO_B).detail.tcp.srtt_us, 2000, 200000);
	sent((struct seg){.is_v6 = true, .is_tagged = true, .seq = 1, .payload = 10});
	pass_us(5000);
	sent((struct seg){.is_v6 = true, .seq = 1, .payload = 10, .is_closed = true, .ecn = 3});
	assert_counts(2, 0);
	assert_int_equal(dir(A_TO_B).detail.tcp.zero_windows, 1);
	assert_true(dir(A_TO_B).totals.flags & FLOW_SAW_CE);
}

static void test_kern_tcp_concludes_nothing_from_contradictions(void **state)
{
	(void)state;
	data(1000, 100);
	sent((struct seg){.seq = 5000, .payload = 0, .offset = 4, .is_closed = true});
	sent((struct seg){.seq = 5000, .payload = 0, .offset = 15, .is_closed = true});
	sent((struct seg){.seq = 1000, .payload = 100, .lie = 1});
	sent((struct seg){.seq = 1000, .payload = 80, .lie = -120}); /* length 0, and no train */
	assert_int_equal(dir(A_TO_B).next_seq, 1100);
	assert_int_equal(dir(A_TO_B).detail.tcp.zero_windows, 0);
	assert_counts(0, 0);
	data(1100 + (1u << 31), 100); /* further than any window: somewhere else */
	assert_counts(0, 0);
}

static void test_kern_tcp_follows_the_next_connection(void **state)
{
	(void)state;
	sent((struct seg){.flags = FLOW_TCP_SYN, .seq = 1000});
	data(1001, 100);
	data(1001, 100);
	sent((struct seg){.flags = FLOW_TCP_SYN, .seq = 77000}); /* it lives: forged */
	data(1051, 50); /* where the numbers are is not known, nor whether this came again */
	assert_counts(1, 0);
	data(1101, 100);
	assert_counts(1, 0);
	assert_int_equal(dir(A_TO_B).next_seq, 1201);
	sent((struct seg){.flags = FLOW_TCP_RST, .seq = 1201});
	sent((struct seg){.flags = FLOW_TCP_SYN, .seq = 500});
	assert_int_equal(dir(A_TO_B).next_seq, 501);
	data(501, 10);
	assert_counts(0, 0);
}

static void test_kern_tcp_tells_events_at_powers_of_two(void **state)
{
	unsigned i, told = 0, count = 0;

	(void)state;
	data(1000, 100);
	for (i = 0; i < 100; i++)
		data(1000, 100);
	sent((struct seg){.seq = 1100, .payload = 1, .ecn = 3});
	sent((struct seg){.seq = 1101, .payload = 1, .ecn = 3});
	kern_drain(k);
	for (i = 0; i < k->records_len; i++) {
		if (k->records[i].record.event == FLOW_EVENT_RETRANSMISSION) {
			assert_int_equal(k->records[i].record.event_count, 1u << told);
			told++;
		}
		count += k->records[i].record.event == FLOW_EVENT_CONGESTION;
	}
	assert_int_equal(told, 7); /* 1 … 64 */
	assert_int_equal(count, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_kern_tcp_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(counts_what_comes_again),
		TEST(tells_late_from_lost),
		TEST(knows_keep_alives_and_probes),
		TEST(counts_trains_and_stops_at_the_end),
		TEST(counts_closed_windows),
		TEST(times_echoes),
		TEST(reads_ipv6_and_tags),
		TEST(concludes_nothing_from_contradictions),
		TEST(follows_the_next_connection),
		TEST(tells_events_at_powers_of_two),
		TEST(follows_holes_as_they_fill),
		TEST(takes_half_a_round_trip),
		TEST(knows_a_simultaneous_open),
		TEST(takes_no_echo_twice_and_none_late),
		TEST(rejects_a_round_trip_of_a_minute),
		TEST(sees_congestion_of_any_protocol),
		TEST(is_the_same_in_xdp),
		TEST(takes_no_part_for_the_whole),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: loading BPF programs needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
