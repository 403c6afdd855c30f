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
		hash = k->records[0].record.info.hash;
		r = quote_run(k, &error, hook);
		assert_non_null(r);
		assert_memory_equal(&r->key, &key, sizeof(key));
		assert_int_equal(r->info.hash, hash);
		assert_int_equal(r->info.first_mono_ns, 0);
		assert_memory_equal(r->key.addr[r->from], here, 16);
		assert_memory_equal(r->quote.reporter, router, 16);
		assert_int_equal(r->quote.type, 3);
		assert_int_equal(r->quote.code, 4);
		assert_int_equal(r->quote.mtu, 1280);
		kern_close(k);
	}
}

/* Every kind of frame that is a flow, quoted with 8 bytes of what follows its IP headers. */
static void test_kern_quote_finds_each_kind_of_flow(void **state)
{
	const struct flow_record *r;
	struct frame f, error;
	struct flow_key key;
	struct kern *k;
	unsigned kind;

	(void)state;
	for (kind = 0; kind < FRAME_ARP; kind++) {
		k = kern_open((struct kern_opts){});
		frame_make(&f, kind);
		kern_xdp(k, &f, 1);
		kern_drain(k);
		key = k->records[0].record.key;
		quote_frame(&error, &f, key.family == 6 ? 1 : 11, 0, f.len - f.l3);
		r = quote_run(k, &error, 0);
		if (!r || memcmp(&r->key, &key, sizeof(key)))
			fail_msg("frame kind %u: not its flow", kind);
		assert_int_equal(r->quote.mtu, 0);
		kern_close(k);
	}
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
		assert_null(quote_run(k, &error, 0));
	}
	quote_frame(&error, &udp, 0, 0, 28);
	assert_null(quote_run(k, &error, 0));
	quote_frame(&error, &udp, 3, 3, 28);
	error.data[14 + 20 + 8] = 0x44; /* the quoted header is shorter than one can be */
	assert_null(quote_run(k, &error, 0));
	kern_close(k);
}

static void test_kern_quote_flood_is_thinned(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct frame udp, error;
	struct flow_counter c;
	size_t i, quotes = 0;

	(void)state;
	udp_frame(&udp);
	quote_frame(&error, &udp, 3, 3, 28);
	kern_xdp(k, &udp, 1);
	kern_xdp(k, &error, 20000);
	kern_drain(k);
	for (i = 0; i < k->records_len; i++)
		quotes += k->records[i].record.kind == FLOW_RECORD_QUOTE;
	assert_true(quotes >= 1 && quotes < 400);
	c = kern_counter(k, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_ICMP);
	assert_int_equal(c.kept, 20000);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_quote_tells_of_the_quoted_flow),
		cmocka_unit_test(test_kern_quote_finds_each_kind_of_flow),
		cmocka_unit_test(test_kern_quote_cut_or_no_error_is_none),
		cmocka_unit_test(test_kern_quote_flood_is_thinned),
		cmocka_unit_test(test_kern_quote_sctp_begins_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
