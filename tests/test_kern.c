/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF programs under BPF_PROG_RUN: what each frame is counted as, which flow it belongs to,
 * what is kept, what leaves through the ring.
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

#include <arpa/inet.h>
#include <linux/pkt_cls.h>

#include "tests/kern_fixture.h"

/* ---- counting ---- */

static const struct {
	uint32_t net, transport;
	bool is_flow;
	const char *name;
} frame_truth[FRAME_KIND_MAX] = {
    [FRAME_IPV4_TCP] = {FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, true, "tcp"},
    [FRAME_IPV4_UDP] = {FLOW_NET_IPV4, FLOW_TRANSPORT_UDP, true, "udp"},
    [FRAME_IPV4_OPTIONS_TCP] = {FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, true, "options"},
    [FRAME_IPV4_ICMP_ECHO] = {FLOW_NET_IPV4, FLOW_TRANSPORT_ICMP, true, "echo"},
    [FRAME_IPV4_ICMP_UNREACHABLE] = {FLOW_NET_IPV4, FLOW_TRANSPORT_ICMP, true, "unreachable"},
    [FRAME_IPV4_SCTP] = {FLOW_NET_IPV4, FLOW_TRANSPORT_SCTP, true, "sctp"},
    [FRAME_IPV4_GRE] = {FLOW_NET_IPV4, FLOW_TRANSPORT_OTHER, true, "gre"},
    [FRAME_IPV4_FIRST_FRAGMENT] = {FLOW_NET_IPV4, FLOW_TRANSPORT_UDP, true, "fragment 1"},
    [FRAME_IPV4_LATER_FRAGMENT] = {FLOW_NET_IPV4, FLOW_TRANSPORT_UDP, true, "fragment 2"},
    [FRAME_IPV6_TCP] = {FLOW_NET_IPV6, FLOW_TRANSPORT_TCP, true, "tcp6"},
    [FRAME_IPV6_UDP] = {FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, true, "udp6"},
    [FRAME_IPV6_ICMP_ECHO] = {FLOW_NET_IPV6, FLOW_TRANSPORT_ICMPV6, true, "echo6"},
    [FRAME_IPV6_EXTENSIONS_TCP] = {FLOW_NET_IPV6, FLOW_TRANSPORT_TCP, true, "extensions"},
    [FRAME_IPV6_FRAGMENT] = {FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, true, "fragment6"},
    [FRAME_IPV6_ATOMIC_FRAGMENT] = {FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, true, "atomic"},
    [FRAME_VLAN_IPV4_TCP] = {FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, true, "vlan"},
    [FRAME_QINQ_IPV6_UDP] = {FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, true, "qinq"},
    [FRAME_ARP] = {FLOW_NET_OTHER, FLOW_TRANSPORT_OTHER, false, "arp"},
    [FRAME_LLDP] = {FLOW_NET_OTHER, FLOW_TRANSPORT_OTHER, false, "lldp"},
};

static unsigned size_slot(size_t bytes)
{
	unsigned slot = 0;

	while (((size_t)1 << slot) < bytes)
		slot++;
	return slot < FLOW_SIZE_SLOTS ? slot : FLOW_SIZE_SLOTS - 1;
}

static void test_kern_counts_each_frame_in_its_class(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct flow_counter before, after;
	struct frame f;
	unsigned kind;

	(void)state;
	for (kind = 0; kind < FRAME_KIND_MAX; kind++) {
		frame_make(&f, kind);
		before = kern_counter(k, FLOW_RECEIVE, frame_truth[kind].net,
				      frame_truth[kind].transport);
		kern_xdp(k, &f, 1);
		after = kern_counter(k, FLOW_RECEIVE, frame_truth[kind].net,
				     frame_truth[kind].transport);
		if (after.bytes - before.bytes != f.len)
			fail_msg("%s: not counted in its class", frame_truth[kind].name);
		assert_int_equal(after.size[size_slot(f.len)] - before.size[size_slot(f.len)], 1);
		assert_int_equal(after.kept - before.kept, frame_truth[kind].is_flow);
		assert_int_equal(after.no_flow - before.no_flow, !frame_truth[kind].is_flow);
		kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
	}
	after = kern_total(k, FLOW_RECEIVE);
	before = kern_total(k, FLOW_TRANSMIT);
	assert_int_equal(flow_counter_pkts(&after), FRAME_KIND_MAX);
	assert_memory_equal(&before, &after, sizeof(after));
	kern_close(k);
}

static void test_kern_size_slots_are_upper_inclusive(void **state)
{
	static const size_t sizes[] = {14,   15,   16,	 17,   32,   33,   63,
				       64,   65,   128,	 129,  1024, 1025, 1500,
				       1514, 1536, 1537, 2048, 2049, 9000, 9014};
	struct kern *k = kern_open((struct kern_opts){});
	struct flow_counter c;
	struct frame f;
	uint64_t bytes = 0;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		c = kern_counter(k, FLOW_RECEIVE, FLOW_NET_OTHER, FLOW_TRANSPORT_OTHER);
		uint64_t before = c.size[size_slot(sizes[i])];

		frame_begin(&f, 0x88cc);
		frame_fill(&f, sizes[i] - f.len);
		kern_xdp(k, &f, 1); /* above 4 KiB in several buffers */
		bytes += sizes[i];
		c = kern_counter(k, FLOW_RECEIVE, FLOW_NET_OTHER, FLOW_TRANSPORT_OTHER);
		assert_int_equal(c.size[size_slot(sizes[i])], before + 1);
		assert_int_equal(c.bytes, bytes);
	}
	kern_close(k);
}

static void test_kern_passes_and_counts_every_prefix(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	uint64_t pkts[2] = {}, bytes[2] = {};
	struct flow_counter c;
	size_t len, full;
	struct frame f;
	unsigned kind;

	(void)state;
	for (kind = 0; kind < FRAME_KIND_MAX; kind++) {
		frame_make(&f, kind);
		full = f.len < 140 ? f.len : 140;
		for (len = 14; len <= full; len++) { /* the kernel's own minimum */
			f.len = len;
			kern_xdp(k, &f, 1);
			pkts[0]++;
			bytes[0] += len;
			if (kern_try_tc(k->skel->progs.ringspan_tc_rx, &f, NULL)) {
				pkts[0]++;
				bytes[0] += len;
			}
			if (kern_try_tc(k->skel->progs.ringspan_tc_tx, &f, NULL)) {
				pkts[1]++;
				bytes[1] += len;
			}
		}
	}
	c = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(flow_counter_pkts(&c), pkts[0]);
	assert_int_equal(c.bytes, bytes[0]);
	assert_true(c.no_flow > 0);
	c = kern_total(k, FLOW_TRANSMIT);
	assert_true(pkts[1] > 1000);
	assert_int_equal(flow_counter_pkts(&c), pkts[1]);
	assert_int_equal(c.bytes, bytes[1]);
	kern_close(k);
}

static void test_kern_counts_contradictory_lengths(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct flow_counter c;
	struct frame f;

	(void)state;
	frame_make(&f, FRAME_IPV4_TCP);
	f.data[f.l3] = 0x4f; /* header longer than the frame */
	kern_xdp(k, &f, 1);
	f.data[f.l3] = 0x41; /* shorter than a header can be */
	kern_xdp(k, &f, 1);
	f.data[f.l3] = 0x65; /* version 6 under IPv4's type */
	kern_xdp(k, &f, 1);
	c = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(c.no_flow, 3);
	frame_make(&f, FRAME_IPV4_TCP);
	f.data[f.l3 + 2] = 0xff; /* claims 65 KiB */
	kern_xdp(k, &f, 1);
	c = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(c.kept, 1);
	assert_int_equal(c.bytes, 4 * f.len);
	frame_begin(&f, 0x86dd); /* more extension headers than we follow */
	frame_ipv6(&f, "2001:db8::1", "2001:db8::2", 60);
	for (int i = 0; i < 20; i++)
		frame_extension(&f, 60, 0);
	kern_xdp(k, &f, 1);
	c = kern_counter(k, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_OTHER);
	assert_int_equal(c.no_flow, 1);
	kern_close(k);
}

static void test_kern_counts_wire_packets_of_segment_trains(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct __sk_buff skb = {.gso_segs = 10, .gso_size = 1000};
	struct flow_counter c;
	struct frame f;

	(void)state;
	frame_begin(&f, 0x0800);
	frame_ipv4(&f, "10.1.0.1", "10.1.0.2", 6, 0, 0);
	frame_tcp(&f, 41234, 80, 0x10, 1, 1000); /* one of the segments, as far as the run goes */
	skb.wire_len = 9999;
	kern_tc(k->skel->progs.ringspan_tc_tx, &f, &skb);
	c = kern_total(k, FLOW_TRANSMIT);
	assert_int_equal(flow_counter_pkts(&c), 10);
	assert_int_equal(c.bytes, 9999); /* the stack's sum */
	assert_int_equal(c.size[size_slot(999)], 10);
	kern_tc(k->skel->progs.ringspan_tc_rx, &f, &skb);
	c = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(flow_counter_pkts(&c), 10);
	assert_int_equal(c.bytes, f.len + 9 * 54); /* ours: headers repeated */

	skb.gso_segs = 0; /* from a guest: 1000 bytes of payload in segments of 300 */
	skb.gso_size = 300;
	kern_tc(k->skel->progs.ringspan_tc_rx, &f, &skb);
	c = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(flow_counter_pkts(&c), 14);
	assert_int_equal(kern_stat(k, FLOW_STAT_GSO_DODGY), 1);
	kern_close(k);
}

static void test_kern_links_without_ethernet_and_loopback(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.is_l3 = true});
	struct flow_counter c;
	struct frame f, bare;

	(void)state;
	frame_make(&f, FRAME_IPV6_TCP);
	bare.len = f.len - 14;
	memcpy(bare.data, f.data + 14, bare.len);
	kern_tc(k->skel->progs.ringspan_tc_rx, &bare, NULL);
	c = kern_counter(k, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_TCP);
	assert_int_equal(c.kept, 1);
	kern_close(k);

	k = kern_open((struct kern_opts){.is_looped = true});
	frame_make(&f, FRAME_IPV4_TCP);
	kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
	kern_tc(k->skel->progs.ringspan_tc_rx, &f, NULL);
	c = kern_total(k, FLOW_TRANSMIT);
	assert_int_equal(c.kept, 0);
	c = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(c.kept, 1);
	kern_drain(k);
	assert_int_equal(k->records[k->records_len - 1].record.totals[0].pkts, 1);
	kern_close(k);
}

/* ---- hash and sampling ---- */

/* Frozen: other hosts compute the same. Made by an independent implementation (Python integers) of
 * the formula in kern/flow_hash.h. */
static const struct {
	uint8_t proto;
	const char *a;
	uint16_t a_port;
	const char *b;
	uint16_t b_port;
	uint64_t hash;
} hash_vectors[] = {
    {6, "10.1.0.1", 41234, "10.1.0.2", 80, 0xb1acba19bce58794},
    {17, "192.0.2.1", 53, "198.51.100.7", 5353, 0x011296974b26f4b3},
    {1, "10.1.0.1", 8, "10.1.0.2", 0, 0x45bde8cb565a7a88},
    {6, "2001:db8::1", 41234, "2001:db8::2", 443, 0x5e4e34ab532f8830},
    {58, "fe80::1", 128, "fe80::2", 129, 0x3b90cf06a7ec18e4},
};

static void make_vector(struct frame *f, size_t i, bool is_reversed)
{
	const char *from = is_reversed ? hash_vectors[i].b : hash_vectors[i].a;
	const char *to = is_reversed ? hash_vectors[i].a : hash_vectors[i].b;
	uint16_t sport = is_reversed ? hash_vectors[i].b_port : hash_vectors[i].a_port;
	uint16_t dport = is_reversed ? hash_vectors[i].a_port : hash_vectors[i].b_port;
	bool is_v6 = strchr(from, ':');

	frame_begin(f, is_v6 ? 0x86dd : 0x0800);
	if (is_v6)
		frame_ipv6(f, from, to, hash_vectors[i].proto);
	else
		frame_ipv4(f, from, to, hash_vectors[i].proto, 0, 0);
	if (hash_vectors[i].proto == 6)
		frame_tcp(f, sport, dport, 0x10, 1, 0);
	else if (hash_vectors[i].proto == 17)
		frame_udp(f, sport, dport, 10);
	else
		frame_icmp(f, (uint8_t)sport, 0, 8);
}

static void test_kern_hash_matches_vectors_both_ways(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct frame f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(hash_vectors) / sizeof(hash_vectors[0]); i++) {
		make_vector(&f, i, false);
		kern_xdp(k, &f, 1);
		make_vector(&f, i, true);
		kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
		kern_drain(k);
		assert_int_equal(k->records_len, 2);
		assert_true(k->records[0].record.hash == hash_vectors[i].hash);
		assert_true(k->records[1].record.hash == hash_vectors[i].hash);
		assert_memory_equal(&k->records[0].record.key, &k->records[1].record.key,
				    sizeof(struct flow_key));
		assert_int_equal(k->records[0].record.from ^ k->records[1].record.from, 1);
		assert_int_equal(k->records[1].record.totals[0].pkts, 1);
		assert_int_equal(k->records[1].record.totals[1].pkts, 1);
	}
	kern_close(k);
}

static void test_kern_keeps_exactly_what_the_threshold_says(void **state)
{
	const uint64_t threshold = 0xfd70a000000000; /* 1/100 */
	struct kern *k = kern_open((struct kern_opts){.threshold = threshold});
	struct flow_counter c;
	struct frame f;
	size_t i;
	int port;

	(void)state;
	for (port = 1; port <= 30000; port++) {
		frame_begin(&f, 0x0800);
		frame_ipv4(&f, "10.1.0.1", "10.1.0.2", 17, 0, 0);
		frame_udp(&f, (uint16_t)port, 53, 10);
		kern_tc(k->skel->progs.ringspan_tc_rx, &f, NULL);
	}
	c = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(flow_counter_pkts(&c), 30000);
	assert_int_equal(c.bytes, 30000 * f.len);
	/* 99.9 % of a binomial with n = 30000, p = 1/100: 300 ± 3.29 * 17.2; the key is fixed */
	assert_in_range(c.kept, 243, 357);
	kern_drain(k);
	assert_int_equal(k->records_len, c.kept);
	for (i = 0; i < k->records_len; i++) {
		assert_true((k->records[i].record.hash & FLOW_R_MASK) >= threshold);
		assert_true(k->records[i].record.info.threshold == threshold);
	}
	kern_close(k);
}

/* ---- keys ---- */

static struct flow_record one_record(struct kern *k, const struct frame *f)
{
	kern_xdp(k, f, 1);
	kern_drain(k);
	assert_int_equal(k->records_len, 1);
	return k->records[0].record;
}

static void test_kern_fragments_are_one_flow_without_ports(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct flow_record first, later;
	struct frame f;

	(void)state;
	frame_make(&f, FRAME_IPV4_FIRST_FRAGMENT);
	first = one_record(k, &f);
	frame_make(&f, FRAME_IPV4_LATER_FRAGMENT);
	later = one_record(k, &f);
	assert_memory_equal(&first.key, &later.key, sizeof(first.key));
	assert_int_equal(first.key.port[0] | first.key.port[1], 0);
	assert_int_equal(later.totals[0].pkts, 2);
	assert_true(later.totals[0].flags & FLOW_SAW_FRAGMENT);
	frame_make(&f, FRAME_IPV6_ATOMIC_FRAGMENT);
	first = one_record(k, &f);
	assert_int_not_equal(first.key.port[0] | first.key.port[1], 0);
	kern_close(k);
}

static void test_kern_icmp_keys_follow_community_id(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct flow_record r;
	struct frame f;

	(void)state;
	frame_make(&f, FRAME_IPV4_ICMP_ECHO);
	r = one_record(k, &f);
	assert_int_equal(r.key.port[r.from], htons(8));
	assert_int_equal(r.key.port[!r.from], htons(0));
	assert_true(r.totals[r.from].flags & FLOW_SAW_ECHO);
	frame_make(&f, FRAME_IPV4_ICMP_UNREACHABLE);
	r = one_record(k, &f);
	assert_int_equal(r.key.port[r.from], htons(3 | FLOW_ICMP_ONEWAY));
	assert_int_equal(r.key.port[!r.from], htons(3));
	kern_close(k);
}

static void test_kern_tags_do_not_split_flows(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct flow_record plain, tagged;
	struct frame f;

	(void)state;
	frame_make(&f, FRAME_IPV4_TCP);
	plain = one_record(k, &f);
	frame_make(&f, FRAME_VLAN_IPV4_TCP);
	tagged = one_record(k, &f);
	assert_memory_equal(&plain.key, &tagged.key, sizeof(plain.key));
	assert_int_equal(tagged.totals[0].pkts, 2);
	assert_int_equal(tagged.totals[0].bytes, 2 * f.len - 4);
	kern_close(k);
}

/* ---- state and records ---- */

static void make_tcp(struct frame *f, bool is_reply, uint8_t flags, uint32_t seq, size_t payload)
{
	frame_begin(f, 0x0800);
	if (is_reply)
		frame_ipv4(f, "10.1.0.2", "10.1.0.1", 6, 0, 0);
	else
		frame_ipv4(f, "10.1.0.1", "10.1.0.2", 6, 0, 0);
	frame_tcp(f, is_reply ? 80 : 41234, is_reply ? 41234 : 80, flags, seq, payload);
}

static void test_kern_thins_records_and_loses_no_packet(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct flow_state st;
	struct frame f;

	(void)state;
	make_tcp(&f, false, FLOW_TCP_ACK, 1, 100);
	kern_xdp(k, &f, 100000);
	kern_drain(k);
	/* 1, 2, 3, 4, then 8 … 65536; all but the first are sent again: 4 … 32768 of those; and at
	 * most one more a second */
	assert_in_range(k->records_len, 4 + 14 + 14, 4 + 14 + 14 + 3);
	assert_true(k->records[k->records_len - 1].record.totals[0].pkts >= 65536);
	assert_int_equal(
	    bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.flow_states), &k->records[0].record.key, &st),
	    0);
	assert_int_equal(st.dir[0].totals.pkts, 100000);
	assert_int_equal(st.dir[0].totals.bytes, 100000 * f.len);
	assert_int_equal(st.dir[1].totals.pkts, 0);
	assert_true(st.dir[0].totals.flags & FLOW_SAW_DATA);
	assert_true(st.dir[0].totals.last_mono_ns >= st.info.first_mono_ns);
	kern_close(k);
}

static void connection(struct kern *k, uint32_t isn, bool is_reset)
{
	struct frame f;

	make_tcp(&f, false, FLOW_TCP_SYN, isn, 0);
	kern_xdp(k, &f, 1);
	make_tcp(&f, true, FLOW_TCP_SYN | FLOW_TCP_ACK, ~isn, 0);
	kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
	make_tcp(&f, false, FLOW_TCP_ACK, isn + 1, 50);
	kern_xdp(k, &f, 1);
	if (is_reset) {
		make_tcp(&f, true, FLOW_TCP_RST, ~isn + 1, 0);
		kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
		return;
	}
	make_tcp(&f, true, FLOW_TCP_FIN | FLOW_TCP_ACK, ~isn + 1, 0);
	kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
	make_tcp(&f, false, FLOW_TCP_FIN | FLOW_TCP_ACK, isn + 51, 0);
	kern_xdp(k, &f, 1);
	make_tcp(&f, true, FLOW_TCP_ACK, ~isn + 2, 0);
	kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
}

static void test_kern_next_connection_is_a_next_generation(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	const struct flow_record *last, *update;

	(void)state;
	connection(k, 1000, false);
	kern_drain(k);
	assert_null(kern_last_of_kind(k, FLOW_RECORD_LAST));
	connection(k, 2000, true);
	kern_drain(k);
	last = kern_last_of_kind(k, FLOW_RECORD_LAST);
	assert_non_null(last);
	assert_int_equal(last->info.generation, 0);
	assert_int_equal(last->totals[0].pkts, 3);
	assert_int_equal(last->totals[1].pkts, 3);
	assert_int_equal(last->totals[0].isn, 1000);
	assert_int_equal(last->totals[1].isn, ~1000U);
	update = kern_last_of_kind(k, FLOW_RECORD_UPDATE);
	assert_int_equal(update->info.generation, 1);
	assert_int_equal(update->totals[0].pkts, 2);
	assert_int_equal(update->totals[1].pkts, 2);
	assert_int_equal(update->totals[0].isn, 2000);
	connection(k, 3000, false); /* after a reset, too */
	kern_drain(k);
	last = kern_last_of_kind(k, FLOW_RECORD_LAST);
	assert_non_null(last);
	assert_int_equal(last->info.generation, 1);
	assert_int_equal(kern_stat(k, FLOW_STAT_NEXT_GEN), 2);
	kern_close(k);
}

static void test_kern_repeated_or_foreign_syns_stay_in_their_connection(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct frame f;

	(void)state;
	make_tcp(&f, false, FLOW_TCP_SYN, 1000, 0);
	kern_xdp(k, &f, 3); /* retransmitted, not answered */
	assert_int_equal(kern_stat(k, FLOW_STAT_NEXT_GEN), 0);
	make_tcp(&f, false, FLOW_TCP_SYN, 2000, 0); /* another attempt, none was answered */
	kern_xdp(k, &f, 1);
	assert_int_equal(kern_stat(k, FLOW_STAT_NEXT_GEN), 1);
	make_tcp(&f, true, FLOW_TCP_SYN | FLOW_TCP_ACK, 9, 0);
	kern_xdp(k, &f, 1);
	make_tcp(&f, false, FLOW_TCP_ACK, 2001, 0);
	kern_xdp(k, &f, 1);
	make_tcp(&f, false, FLOW_TCP_SYN, 3000,
		 0); /* into a live connection: an attack, a reboot */
	kern_xdp(k, &f, 1);
	assert_int_equal(kern_stat(k, FLOW_STAT_NEXT_GEN), 1);
	kern_close(k);
}

static void test_kern_full_map_reports_packets_one_by_one(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.max_flows = 4});
	uint64_t stateless = 0, pkts = 0;
	struct frame f;
	size_t i;
	int port;

	(void)state;
	for (port = 1; port <= 10; port++) {
		frame_begin(&f, 0x0800);
		frame_ipv4(&f, "10.1.0.1", "10.1.0.2", 17, 0, 0);
		frame_udp(&f, (uint16_t)port, 53, 10);
		kern_xdp(k, &f, 3);
	}
	kern_drain(k);
	assert_int_equal(k->records_len, 30);
	for (i = 0; i < k->records_len; i++)
		if (k->records[i].record.kind == FLOW_RECORD_STATELESS) {
			stateless++;
			pkts += k->records[i].record.totals[0].pkts + k->records[i].record.totals[1].pkts;
		}
	assert_int_equal(stateless, 18);
	assert_int_equal(pkts, 18);
	assert_int_equal(kern_stat(k, FLOW_STAT_STATE_FULL), 18);
	kern_close(k);
}

static void test_kern_full_ring_is_counted(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.max_flows = 2, .ring_bytes = 4096});
	struct flow_ring_stats ring;
	struct frame f;
	int port;

	(void)state;
	for (port = 1; port <= 100; port++) {
		frame_begin(&f, 0x0800);
		frame_ipv4(&f, "10.1.0.1", "10.1.0.2", 17, 0, 0);
		frame_udp(&f, (uint16_t)port, 53, 10);
		kern_xdp(k, &f, 1);
	}
	ring = kern_ring_stats(k);
	assert_int_equal(ring.submitted + ring.lost_full, 100);
	assert_true(ring.submitted > 10 && ring.lost_full > 50);
	assert_int_equal(kern_stat(k, FLOW_STAT_STATELESS_LOST),
			 ring.lost_full - (ring.submitted < 2 ? 2 - ring.submitted : 0));
	kern_drain(k);
	assert_int_equal(k->records_len, ring.submitted);
	kern_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kern_counts_each_frame_in_its_class),
	    cmocka_unit_test(test_kern_size_slots_are_upper_inclusive),
	    cmocka_unit_test(test_kern_passes_and_counts_every_prefix),
	    cmocka_unit_test(test_kern_counts_contradictory_lengths),
	    cmocka_unit_test(test_kern_counts_wire_packets_of_segment_trains),
	    cmocka_unit_test(test_kern_links_without_ethernet_and_loopback),
	    cmocka_unit_test(test_kern_hash_matches_vectors_both_ways),
	    cmocka_unit_test(test_kern_keeps_exactly_what_the_threshold_says),
	    cmocka_unit_test(test_kern_fragments_are_one_flow_without_ports),
	    cmocka_unit_test(test_kern_icmp_keys_follow_community_id),
	    cmocka_unit_test(test_kern_tags_do_not_split_flows),
	    cmocka_unit_test(test_kern_thins_records_and_loses_no_packet),
	    cmocka_unit_test(test_kern_next_connection_is_a_next_generation),
	    cmocka_unit_test(test_kern_repeated_or_foreign_syns_stay_in_their_connection),
	    cmocka_unit_test(test_kern_full_map_reports_packets_one_by_one),
	    cmocka_unit_test(test_kern_full_ring_is_counted),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: loading BPF programs needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
