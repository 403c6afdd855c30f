/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors and the flows that they quote; SCTP's beginnings and ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/kern_fixture.h"

#define HERE "10.1.0.1"
#define THERE "10.1.0.9"
#define ROUTER "10.1.0.254"

/* An ICMP error of @router about @quoted, of which it has @bytes from the IP header on. */
static void quote_frame(struct frame *f, const struct frame *quoted, uint8_t type, uint8_t code,
			size_t bytes)
{
	bool is_v6 = quoted->data[quoted->l3] >> 4 == 6;
	size_t icmp;

	frame_begin(f, is_v6 ? 0x86dd : 0x0800);
	if (is_v6)
		frame_ipv6(f, "2001:db8::fe", "2001:db8::1", IPPROTO_ICMPV6);
	else
		frame_ipv4(f, ROUTER, HERE, IPPROTO_ICMP, 0, 0);
	icmp = f->len;
	frame_icmp(f, type, code, 4 + bytes);
	memset(f->data + icmp + 4, 0, 4);
	f->data[icmp + 6] = 1280 >> 8;
	f->data[icmp + 7] = 1280 & 0xff;
	memcpy(f->data + icmp + 8, quoted->data + quoted->l3, bytes);
}

static void udp_frame(struct frame *f)
{
	frame_begin(f, 0x0800);
	frame_ipv4(f, HERE, THERE, IPPROTO_UDP, 0, 0);
	frame_udp(f, 40000, 33434, 32);
}

/* The next error is told whatever was told before. */
static void quote_reset(struct kern *k)
{
	int fd = bpf_map__fd(k->skel->maps.quote_times);
	uint32_t slot, zero = 0;

	for (slot = 0; slot < bpf_map__max_entries(k->skel->maps.quote_times); slot++)
		assert_int_equal(bpf_map_update_elem(fd, &slot, &zero, BPF_EXIST), 0);
}

static const struct flow_record *quote_run(struct kern *k, const struct frame *error, int hook)
{
	if (hook)
		kern_tc(k->skel->progs.ringspan_tc_rx, error, NULL);
	else
		kern_xdp(k, error, 1);
	kern_drain(k);
	return kern_last_of_kind(k, FLOW_RECORD_QUOTE);
}

static void test_kern_quote_tells_of_the_quoted_flow(void **state)
{
	const struct flow_record *r;
	struct frame udp, error;
	uint8_t router[16] = {10, 1, 0, 254}, here[16] = {10, 1, 0, 1};
	struct flow_key key;
	uint64_t hash;
	struct kern *k;
	int hook;

	(void)state;
	udp_frame(&udp);
	quote_frame(&error, &udp, 3, 4, 28);
	for (hook = 0; hook < 2; hook++) {
		k = kern_open((struct kern_opts){});
		assert_null(quote_run(k, &error, hook)); /* a flow that nobody knows */
		kern_xdp(k, &udp, 1);
		kern_drain(k);
		key = k->records[0].record.key;
		hash = k->records[0].record.hash;
		r = quote_run(k, &error, hook);
		assert_non_null(r);
		assert_memory_equal(&r->key, &key, sizeof(key));
		assert_int_equal(r->hash, hash);
		assert_int_equal(r->info.first_mono_ns, 0);
		assert_memory_equal(r->key.addr[r->from], here, 16);
		assert_memory_equal(r->quote.reporter, router, 16);
		assert_int_equal(r->quote.type, 3);
		assert_int_equal(r->quote.code, 4);
		assert_int_equal(r->quote.mtu, 1280);
		kern_close(k);
	}
}

/* Bytes of the IP headers of a kind of frame. */
static size_t quoted_headers(const struct frame *f, unsigned kind)
{
	if (f->data[f->l3] >> 4 == 4)
		return (f->data[f->l3] & 15) * 4;
	if (kind == FRAME_IPV6_EXTENSIONS_TCP)
		return 40 + 8 + 24 + 16;
	return kind == FRAME_IPV6_FRAGMENT || kind == FRAME_IPV6_ATOMIC_FRAGMENT ? 48 : 40;
}

/* Every kind of frame that is a flow: quoted whole, with 8 bytes of what follows its IP headers,
 * and with none. */
static void test_kern_quote_finds_each_kind_of_flow(void **state)
{
	const struct flow_record *r;
	struct frame f, error;
	struct flow_key key;
	bool has_ports;
	struct kern *k = kern_open((struct kern_opts){});
	unsigned kind;
	size_t bytes[3];
	int i;

	(void)state;
	for (kind = 0; kind < FRAME_ARP; kind++) {
		frame_make(&f, kind);
		kern_xdp(k, &f, 1);
		kern_drain(k);
		key = k->records[0].record.key;
		has_ports = key.port[0] || key.port[1];
		bytes[0] = f.len - f.l3;
		bytes[2] = quoted_headers(&f, kind);
		bytes[1] = bytes[2] + 8 < bytes[0] ? bytes[2] + 8 : bytes[0];
		for (i = 0; i < 3; i++) {
			quote_reset(k);
			quote_frame(&error, &f, key.family == 6 ? 1 : 11, 0, bytes[i]);
			r = quote_run(k, &error, i & 1);
			if (!r != (i == 2 && has_ports) ||
			    (r && memcmp(&r->key, &key, sizeof(key))))
				fail_msg("frame kind %u, %zu bytes: not its flow", kind, bytes[i]);
			assert_int_equal(r ? r->quote.mtu : 0, 0);
		}
	}
	kern_close(k);
}

/* Errors told or thinned: those that were taken for an error about a kept flow. */
static uint64_t quotes_of(struct kern *k)
{
	uint64_t n = kern_stat(k, FLOW_STAT_QUOTE_THINNED);
	size_t i;

	kern_drain(k);
	for (i = 0; i < k->records_len; i++)
		n += k->records[i].record.kind == FLOW_RECORD_QUOTE;
	return n;
}

static bool is_error(unsigned type, bool is_v6)
{
	return is_v6 ? type >= 1 && type <= 4
		     : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* Of all types only errors quote; an MTU is in one of them. */
static void test_kern_quote_knows_errors_and_their_mtu(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct frame flow[2], error;
	const struct flow_record *r;
	uint64_t before, told;
	unsigned type, code;
	uint32_t mtu;
	int is_v6;

	(void)state;
	udp_frame(&flow[0]);
	frame_make(&flow[1], FRAME_IPV6_UDP);
	for (is_v6 = 0; is_v6 < 2; is_v6++) {
		kern_tc(k->skel->progs.ringspan_tc_rx, &flow[is_v6], NULL);
		for (type = 0; type < 256; type++) {
			code = type == 3 ? 4 : 0;
			quote_frame(&error, &flow[is_v6], (uint8_t)type, (uint8_t)code, 48);
			error.data[error.l3 + (is_v6 ? 40 : 20) + 4] = 0x7f; /* not of IPv4's MTU */
			kern_drain(k);
			before = kern_stat(k, FLOW_STAT_QUOTE_THINNED);
			kern_tc(k->skel->progs.ringspan_tc_rx, &error, NULL);
			told = quotes_of(k) - before;
			if (told != is_error(type, is_v6))
				fail_msg("type %u, IPv%d: %d", type, is_v6 ? 6 : 4, (int)told);
			r = kern_last_of_kind(k, FLOW_RECORD_QUOTE);
			mtu = is_v6 ? (type == 2 ? 0x7f000000 + 1280 : 0) : type == 3 ? 1280 : 0;
			if (r)
				assert_int_equal(r->quote.mtu, mtu);
		}
	}
	kern_close(k);
}

/* MTUs without the luck of the first one in a slot; who sent the quoted packet; which hook. */
static void test_kern_quote_says_who_and_where(void **state)
{
	static const struct {
		uint8_t is_v6, type, code;
		uint32_t mtu;
	} errors[] = {
		{0, 3, 4, 1280}, {0, 3, 3, 0}, {0, 4, 4, 0}, {1, 2, 0, 0x00010500}, {1, 1, 0, 0}};
	uint8_t reporter6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0xfe};
	uint8_t reporter4[16] = {10, 1, 0, 254}, source[16];
	const struct flow_record *r;
	struct frame f, error;
	struct kern *k = kern_open((struct kern_opts){});
	size_t i;
	int from;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		for (from = 0; from < 2; from++) {
			quote_reset(k);
			frame_begin(&f, errors[i].is_v6 ? 0x86dd : 0x0800);
			if (errors[i].is_v6)
				frame_ipv6(&f, from ? "fd00::9" : "fd00::1",
					   from ? "fd00::1" : "fd00::9", IPPROTO_UDP);
			else
				frame_ipv4(&f, from ? THERE : HERE, from ? HERE : THERE,
					   IPPROTO_UDP, 0, 0);
			frame_udp(&f, 40000, 33434, 32);
			memset(source, 0, sizeof(source));
			memcpy(source, f.data + f.l3 + (errors[i].is_v6 ? 8 : 12),
			       errors[i].is_v6 ? 16 : 4);
			kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
			quote_frame(&error, &f, errors[i].type, errors[i].code, 48);
			error.data[error.l3 + (errors[i].is_v6 ? 40 : 20) + 5] = 1;
			kern_tc(k->skel->progs.ringspan_tc_tx, &error, NULL);
			kern_drain(k);
			r = kern_last_of_kind(k, FLOW_RECORD_QUOTE);
			assert_non_null(r);
			assert_int_equal(r->from, from);
			assert_int_equal(r->hook, FLOW_TRANSMIT);
			assert_memory_equal(r->key.addr[r->from], source, 16);
			assert_memory_equal(r->quote.reporter,
					    errors[i].is_v6 ? reporter6 : reporter4, 16);
			assert_int_equal(r->quote.mtu,
					 errors[i].mtu ? errors[i].is_v6 ? 0x00010500 : 1280 : 0);
		}
	}
	kern_close(k);
}

static void test_kern_quote_cut_or_no_error_is_none(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct frame udp, error;
	size_t bytes;

	(void)state;
	udp_frame(&udp);
	kern_xdp(k, &udp, 1);
	for (bytes = 0; bytes < 24; bytes++) { /* also with room after it that is padding */
		quote_frame(&error, &udp, 3, 3, bytes);
		memcpy(error.data + error.len, udp.data + udp.l3 + bytes, 28 - bytes);
		error.len += 28 - bytes;
		assert_null(quote_run(k, &error, bytes & 1));
	}
	quote_frame(&error, &udp, 0, 0, 28);
	assert_null(quote_run(k, &error, 0));
	quote_frame(&error, &udp, 3, 3, 28);
	error.data[14 + 20 + 8] = 0x44; /* the quoted header is shorter than one can be */
	assert_null(quote_run(k, &error, 0));
	frame_begin(&udp, 0x0800);
	frame_ipv4(&udp, HERE, THERE, IPPROTO_UDP, 0, 0);
	frame_udp(&udp, 10 << 8 | 1, 9, 32); /* the ports that its last address would be */
	kern_xdp(k, &udp, 1);
	assert_null(quote_run(k, &error, 0));
	error.data[14 + 20 + 8] = 0x65; /* nor of that version */
	assert_null(quote_run(k, &error, 0));
	quote_frame(&error, &udp, 3, 3, 28);
	error.data[error.l3 + 6] = 0x20; /* the error itself is a fragment */
	assert_null(quote_run(k, &error, 0));
	assert_int_equal(kern_stat(k, FLOW_STAT_QUOTE_THINNED), 0);
	error.data[error.l3 + 6] = 0;
	assert_non_null(quote_run(k, &error, 0));
	kern_close(k);
}

/* Each is told or counted as thinned; between two that are told lies the gap. */
static void test_kern_quote_flood_is_thinned(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	uint64_t thinned, last = 0;
	const struct flow_record *r;
	struct frame udp, error;
	struct flow_counter c;
	size_t i, quotes = 0;

	(void)state;
	udp_frame(&udp);
	quote_frame(&error, &udp, 3, 3, 28);
	kern_xdp(k, &udp, 1);
	kern_xdp(k, &error, 100000);
	thinned = kern_stat(k, FLOW_STAT_QUOTE_THINNED);
	kern_drain(k);
	for (i = 0; i < k->records_len; i++) {
		r = &k->records[i].record;
		if (r->kind != FLOW_RECORD_QUOTE)
			continue;
		assert_true(!last || r->mono_ns - last > 9000000);
		last = r->mono_ns;
		quotes++;
	}
	assert_true(quotes >= 1);
	assert_int_equal(quotes + thinned, 100000);
	c = kern_counter(k, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_ICMP);
	assert_int_equal(c.kept, 100000);
	kern_close(k);
}

/* What comes for one flow takes nothing from another one. */
static void test_kern_quote_turns_are_each_flows_own(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct frame udp[20], error;
	size_t i, quotes = 0;

	(void)state;
	for (i = 0; i < 20; i++) {
		frame_begin(&udp[i], 0x0800);
		frame_ipv4(&udp[i], HERE, THERE, IPPROTO_UDP, 0, 0);
		frame_udp(&udp[i], (uint16_t)(1000 + i), 33434, 32);
		kern_tc(k->skel->progs.ringspan_tc_rx, &udp[i], NULL);
	}
	for (i = 0; i < 20; i++) {
		quote_frame(&error, &udp[i], 3, 3, 28);
		kern_tc(k->skel->progs.ringspan_tc_rx, &error, NULL);
	}
	kern_drain(k);
	for (i = 0; i < k->records_len; i++)
		quotes += k->records[i].record.kind == FLOW_RECORD_QUOTE;
	assert_int_equal(quotes, 20);
	kern_close(k);
}

/* A closed entry waits for user space to take its last totals: it is nobody's flow. */
static void test_kern_quote_of_a_closed_entry_is_none(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	int fd = bpf_map__fd(k->skel->maps.flow_states);
	struct frame udp, error;
	struct flow_state st;
	struct flow_key key;

	(void)state;
	udp_frame(&udp);
	quote_frame(&error, &udp, 3, 3, 28);
	kern_xdp(k, &udp, 1);
	kern_drain(k);
	key = k->records[0].record.key;
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &st), 0);
	st.info.is_closed = 1;
	assert_int_equal(bpf_map_update_elem(fd, &key, &st, BPF_EXIST), 0);
	assert_null(quote_run(k, &error, 0));
	assert_int_equal(quotes_of(k), 0);
	kern_close(k);
}

static void prepare_slot(struct flow_bpf *skel)
{
	bpf_map__set_max_entries(skel->maps.flow_counters, 2 * FLOW_COUNTERS_PER_IF);
	skel->rodata->if_slot = 1;
}

static void test_kern_quote_stays_on_its_interface(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.prepare = prepare_slot});
	const struct flow_record *r;
	struct frame udp, error;

	(void)state;
	udp_frame(&udp);
	quote_frame(&error, &udp, 3, 3, 28);
	kern_xdp(k, &udp, 1);
	r = quote_run(k, &error, 0);
	assert_non_null(r);
	assert_int_equal(r->key.if_slot, 1);
	kern_close(k);
}

/* On loopback each packet passes twice, and is told of once. */
static void test_kern_quote_on_loopback_is_told_once(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.is_looped = true});
	struct frame udp, error;

	(void)state;
	udp_frame(&udp);
	quote_frame(&error, &udp, 3, 3, 28);
	kern_tc(k->skel->progs.ringspan_tc_rx, &udp, NULL);
	kern_tc(k->skel->progs.ringspan_tc_tx, &error, NULL);
	assert_int_equal(quotes_of(k), 0);
	kern_tc(k->skel->progs.ringspan_tc_rx, &error, NULL);
	assert_int_equal(quotes_of(k), 1);
	kern_close(k);
}

static void prepare_decap(struct flow_bpf *skel)
{
	skel->rodata->decap = true;
}

/* @inner in VXLAN, with options in the outer header. */
static void wrap(struct frame *f, const struct frame *inner, uint8_t vni)
{
	uint8_t vxlan[8] = {8, 0, 0, 0, 0, 0, vni, 0};

	frame_begin(f, 0x0800);
	frame_ipv4(f, "192.0.2.1", "192.0.2.2", IPPROTO_UDP, 8, 0);
	frame_udp(f, 50000, 4789, sizeof(vxlan) + inner->len);
	memcpy(f->data + f->len - inner->len - sizeof(vxlan), vxlan, sizeof(vxlan));
	memcpy(f->data + f->len - inner->len, inner->data, inner->len);
}

/* An error inside a tunnel tells of a flow inside the same tunnel, one outside of one outside. */
static void test_kern_quote_stays_in_its_tunnel(void **state)
{
	static const struct {
		int flow_in, error_in; /* VNI; 0: outside */
	} ways[] = {{7, 7}, {7, 0}, {0, 7}, {7, 8}, {0, 0}};
	struct frame udp, error, flow_out, error_out;
	const struct flow_record *r;
	struct kern *k = kern_open((struct kern_opts){.prepare = prepare_decap});
	size_t i;
	int hook;

	(void)state;
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		frame_begin(&udp, 0x0800);
		frame_ipv4(&udp, HERE, THERE, IPPROTO_UDP, 0, 0);
		frame_udp(&udp, (uint16_t)(1000 + i), 33434, 32); /* a flow of its own */
		quote_frame(&error, &udp, 3, 1, 28);
		for (hook = 0; hook < 2; hook++) {
			quote_reset(k);
			wrap(&flow_out, &udp, (uint8_t)ways[i].flow_in);
			wrap(&error_out, &error, (uint8_t)ways[i].error_in);
			kern_xdp(k, ways[i].flow_in ? &flow_out : &udp, 1);
			r = quote_run(k, ways[i].error_in ? &error_out : &error, hook);
			if (!r != (ways[i].flow_in != ways[i].error_in))
				fail_msg("%d of %d, hook %d", ways[i].error_in, ways[i].flow_in,
					 hook);
			if (r) {
				assert_int_equal(r->key.tunnel_id, ways[i].flow_in);
				assert_int_equal(r->quote.reporter[3], 254);
				assert_int_equal(r->quote.code, 1);
			}
		}
	}
	kern_close(k);
}

static uint32_t sctp_run(struct kern *k, uint8_t chunk)
{
	struct frame f;

	frame_begin(&f, 0x0800);
	frame_ipv4(&f, HERE, THERE, IPPROTO_SCTP, 0, 0);
	frame_sctp(&f, 3000, 3001);
	f.data[14 + 20 + 12] = chunk;
	kern_xdp(k, &f, 1);
	kern_drain(k);
	assert_true(k->records_len > 0);
	return k->records[k->records_len - 1].record.totals[0].flags;
}

static void test_kern_quote_sctp_begins_and_ends(void **state)
{
	static const uint8_t ends[] = {6, 14};
	struct kern *k;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		k = kern_open((struct kern_opts){});
		assert_int_equal(sctp_run(k, 0), 0);
		assert_int_equal(sctp_run(k, 1), FLOW_SAW_ECHO);
		assert_int_equal(sctp_run(k, ends[i]), FLOW_SAW_ECHO | FLOW_SAW_END);
		assert_int_equal(sctp_run(k, 1), FLOW_SAW_ECHO); /* the next generation */
		assert_non_null(kern_last_of_kind(k, FLOW_RECORD_LAST));
		kern_close(k);
	}
}

/* With a pattern for names, only those. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_quote_tells_of_the_quoted_flow),
		cmocka_unit_test(test_kern_quote_finds_each_kind_of_flow),
		cmocka_unit_test(test_kern_quote_knows_errors_and_their_mtu),
		cmocka_unit_test(test_kern_quote_says_who_and_where),
		cmocka_unit_test(test_kern_quote_cut_or_no_error_is_none),
		cmocka_unit_test(test_kern_quote_flood_is_thinned),
		cmocka_unit_test(test_kern_quote_turns_are_each_flows_own),
		cmocka_unit_test(test_kern_quote_of_a_closed_entry_is_none),
		cmocka_unit_test(test_kern_quote_stays_on_its_interface),
		cmocka_unit_test(test_kern_quote_on_loopback_is_told_once),
		cmocka_unit_test(test_kern_quote_stays_in_its_tunnel),
		cmocka_unit_test(test_kern_quote_sctp_begins_and_ends),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
