/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tunnels: the frames are scapy's (tests/make_tunnels.py), and the inner tuple each must give is
 * what scapy put there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "tests/kern_fixture.h"

#define MAKE_TUNNELS "/usr/bin/python3 " TESTS_DIR "/make_tunnels.py"
#define CASES_MAX 64

/* A line of make_tunnels.py. */
struct tunnel_case {
	char name[32];
	struct frame f;
	unsigned kind, id, proto, ports[2];
	unsigned l3; /* of the packet inside */
	char addr[2][INET6_ADDRSTRLEN];
};

static struct tunnel_case *cases;
static size_t cases_len;

static void case_read(struct tunnel_case *c, const char *line)
{
	static char hex[8192];
	unsigned byte;
	size_t i;

	assert_int_equal(sscanf(line, "%31s %u %u %u %45s %u %45s %u %u %8191s", c->name, &c->kind,
				&c->id, &c->proto, c->addr[0], &c->ports[0], c->addr[1],
				&c->ports[1], &c->l3, hex),
			 10);
	for (i = 0; hex[2 * i]; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		c->f.data[i] = (uint8_t)byte;
	}
	c->f.len = i;
}

static int cases_load(void **state)
{
	static char line[16384];
	FILE *in = popen(MAKE_TUNNELS, "r");

	(void)state;
	cases = calloc(CASES_MAX, sizeof(*cases));
	if (!in || !cases)
		return -1;
	while (cases_len < CASES_MAX && fgets(line, sizeof(line), in))
		case_read(&cases[cases_len++], line);
	return pclose(in) || cases_len < 12 ? -1 : 0;
}

static int cases_free(void **state)
{
	(void)state;
	free(cases);
	return 0;
}

static const struct tunnel_case *case_named(const char *name)
{
	size_t c;

	for (c = 0; strcmp(cases[c].name, name); c++)
		assert_true(c + 1 < cases_len);
	return &cases[c];
}

static void tunnel_prepare(struct flow_bpf *skel)
{
	skel->rodata->decap = true;
}

static bool key_has(const struct flow_key *k, int e, const char *addr, unsigned port)
{
	uint8_t want[16] = {};

	inet_pton(strchr(addr, ':') ? AF_INET6 : AF_INET, addr, want);
	return !memcmp(k->addr[e], want, 16) && ntohs(k->port[e]) == port;
}

static bool key_is_inner(const struct flow_key *k, const struct tunnel_case *c)
{
	return k->tunnel == c->kind && k->tunnel_id == c->id && k->proto == c->proto &&
	       ((key_has(k, 0, c->addr[0], c->ports[0]) &&
		 key_has(k, 1, c->addr[1], c->ports[1])) ||
		(key_has(k, 0, c->addr[1], c->ports[1]) && key_has(k, 1, c->addr[0], c->ports[0])));
}

static const struct flow_record *tunnel_run(struct kern *k, int hook, const struct frame *f)
{
	if (hook == 0)
		kern_xdp(k, f, 1);
	else if (!kern_try_tc(hook == 1 ? k->skel->progs.ringspan_tc_rx
					: k->skel->progs.ringspan_tc_tx,
			      f, NULL))
		return NULL;
	kern_drain(k);
	return k->records_len ? &k->records[0].record : NULL;
}

static void test_kern_tunnel_takes_the_flow_inside(void **state)
{
	struct kern *k;
	const struct flow_record *r;
	size_t i;
	int hook;

	(void)state;
	for (hook = 0; hook < 3; hook++) {
		k = kern_open((struct kern_opts){.prepare = tunnel_prepare});
		for (i = 0; i < cases_len; i++) {
			r = tunnel_run(k, hook, &cases[i].f);
			if (!r || !key_is_inner(&r->key, &cases[i]))
				fail_msg("%s: not the flow inside (hook %d)", cases[i].name, hook);
			assert_int_equal(r->totals[r->from].bytes, cases[i].f.len);
		}
		kern_close(k);
	}
}

/* The same endpoint sends, and the hash is that of the packet without its tunnel: so sampling and
 * trace are the same on the link where it comes out. */
static void test_kern_tunnel_flow_is_as_without_it(void **state)
{
	struct kern *decap = kern_open((struct kern_opts){.prepare = tunnel_prepare});
	struct kern *plain = kern_open((struct kern_opts){});
	const struct flow_record *in, *bare;
	const struct tunnel_case *c;
	struct frame f;
	size_t i;

	(void)state;
	for (i = 0; i < cases_len; i++) {
		c = &cases[i];
		frame_begin(&f, c->f.data[c->l3] >> 4 == 6 ? 0x86dd : 0x0800);
		memcpy(f.data + f.len, c->f.data + c->l3, c->f.len - c->l3);
		f.len += c->f.len - c->l3;
		in = tunnel_run(decap, 1, &c->f);
		bare = tunnel_run(plain, 1, &f);
		assert_non_null(in);
		assert_non_null(bare);
		if (in->hash != bare->hash || in->from != bare->from ||
		    memcmp(in->totals, bare->totals, 8))
			fail_msg("%s: another flow than the bare packet's", c->name);
		assert_int_equal(in->totals[in->from].flags, bare->totals[in->from].flags);
	}
	kern_close(decap);
	kern_close(plain);
}

/* No Ethernet header before the tunnel's own IP header. */
static void test_kern_tunnel_on_links_without_ethernet(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.prepare = tunnel_prepare, .is_l3 = true});
	const struct flow_record *r;
	struct frame f;
	size_t i;

	(void)state;
	for (i = 0; i < cases_len; i++) {
		if (!strncmp(cases[i].name, "tagged", 6))
			continue;
		f.len = cases[i].f.len - 14;
		memcpy(f.data, cases[i].f.data + 14, f.len);
		r = tunnel_run(k, i % 8 == 0 ? 0 : 1, &f);
		if (!r || !key_is_inner(&r->key, &cases[i]))
			fail_msg("%s: not the flow inside", cases[i].name);
	}
	kern_close(k);
}

static void test_kern_tunnel_is_the_flow_unless_asked(void **state)
{
	struct kern *plain = kern_open((struct kern_opts){});
	struct kern *decap = kern_open((struct kern_opts){.prepare = tunnel_prepare});
	struct flow_counter a, b;
	const struct flow_record *r;
	uint32_t net, transport;
	size_t i;
	int hook;

	(void)state;
	for (hook = 0; hook < 3; hook++) {
		for (i = 0; i < cases_len; i++) {
			r = tunnel_run(plain, hook, &cases[i].f);
			assert_true(!r ||
				    (r->key.tunnel == FLOW_TUNNEL_NONE && r->key.tunnel_id == 0));
			tunnel_run(decap, hook, &cases[i].f);
		}
		for (net = 0; net < FLOW_NET_MAX; net++)
			for (transport = 0; transport < FLOW_TRANSPORT_MAX; transport++) {
				a = kern_counter(plain, hook / 2, net, transport);
				b = kern_counter(decap, hook / 2, net, transport);
				assert_memory_equal(&a, &b, sizeof(a));
			}
	}
	kern_close(plain);
	kern_close(decap);
}

/* Cut anywhere, a packet is the flow inside, the tunnel's own, or none. XDP runs take long: of them
 * only some. */
static void test_kern_tunnel_cut_is_never_another_flow(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.prepare = tunnel_prepare});
	const struct flow_record *r;
	struct frame cut;
	size_t i, len;
	bool was_inner;
	int hook;

	(void)state;
	for (hook = 0; hook < 2; hook++)
		for (i = 0; i < cases_len; i++) {
			was_inner = false;
			for (len = hook ? 14 : 14 + i % 7; len < cases[i].f.len;
			     len += hook ? 1 : 7) {
				cut = cases[i].f;
				cut.len = len;
				r = tunnel_run(k, hook, &cut);
				if (!r) /* thinned, or a header cut */
					continue;
				if (r->key.tunnel && !key_is_inner(&r->key, &cases[i]))
					fail_msg("%s cut at %zu: a wrong flow", cases[i].name, len);
				if (was_inner && !r->key.tunnel)
					fail_msg("%s at %zu: outer again", cases[i].name, len);
				was_inner = r->key.tunnel;
			}
		}
	kern_close(k);
}

/* One byte of the lengths, flags or versions changed, two where the second is given. */
static void test_kern_tunnel_contradiction_is_the_outer_flow(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value, next;
	} bad[] = {
		{"vxlan", 14 + 20 + 4, 0x00, 15}, /* UDP length: less than the headers */
		{"vxlan", 14 + 20 + 4, 0x00, 16 + 14 + 39}, /* the same, of those inside */
		{"vxlan", 14 + 20 + 4, 0x01, 0}, /* UDP length beyond the IP packet */
		{"vxlan", 14 + 20 + 8, 0x00, 0}, /* no id */
		{"vxlan", 14 + 20 + 2, 0x12, 0xb6}, /* another port */
		{"geneve", 14 + 20 + 2, 0x17, 0xc0},
		{"vxlan", 14 + 20 + 16 + 14, 0x44, 0}, /* IHL below 5 */
		{"vxlan", 14 + 20 + 16 + 12, 0x08, 0x06}, /* ARP inside */
		{"vxlan", 14 + 20 + 16 + 14 + 2, 0x7f, 0}, /* inner length beyond the outer */
		{"vxlan", 14 + 20 + 16 + 14 + 2, 0x00, 39}, /* no room for its TCP header */
		{"vxlanin6", 14 + 20 + 16 + 14 + 4, 0x00, 61}, /* beyond, by one */
		{"vxlanin6", 14 + 20 + 16 + 14 + 4, 0x00, 19}, /* no room */
		{"vxlan", 14 + 6, 0x20, 0}, /* the tunnel's packet is a fragment */
		{"vlan", 14 + 20 + 16 + 12 + 4, 0x99, 0}, /* something else behind a tag */
		{"geneve", 14 + 20 + 8, 0x3f, 0}, /* options beyond the end */
		{"geneve", 14 + 20 + 8, 0x40, 0}, /* version 1 */
		{"geneve", 14 + 20 + 8 + 2, 0x99, 0x58}, /* something else inside */
		{"gre", 14 + 20 + 1, 0x01, 0x08}, /* version 1 */
		{"gre", 14 + 20, 0x40, 0}, /* routing */
		{"gre", 14 + 20, 0x08, 0}, /* what RFC 2784 says to discard for */
		{"gre", 14 + 20, 0x04, 0},
		{"gre", 14 + 20 + 2, 0x99, 0x00}, /* something else inside */
		{"ipip", 14 + 20, 0x65, 0}, /* version 6 in protocol 4 */
		{"ipipin6", 14 + 20, 0x45, 0}, /* and 4 in 41 */
		{"ipip", 14 + 6, 0x20, 0}, /* the tunnel's packet is a fragment */
		{"ipip", 14 + 9, 94, 0}, /* another protocol */
	};
	struct kern *k = kern_open((struct kern_opts){.prepare = tunnel_prepare});
	struct flow_counter before, after;
	const struct flow_record *r;
	struct frame f;
	int hook;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		hook = i % 2;
		f = case_named(bad[i].name)->f;
		tunnel_run(k, hook, &f); /* nothing of it may stay for the next one */
		f.data[bad[i].at] = bad[i].value;
		if (bad[i].next)
			f.data[bad[i].at + 1] = bad[i].next;
		f.data[14 + 15] = (uint8_t)(10 + i); /* an outer flow of its own */
		before = kern_total(k, FLOW_RECEIVE);
		r = tunnel_run(k, hook, &f);
		if (!r || r->key.tunnel || r->key.tunnel_id || r->key.addr[1][3] == 1)
			fail_msg("%zu (%s): not the outer flow", i, bad[i].name);
		after = kern_total(k, FLOW_RECEIVE);
		assert_int_equal(after.kept, before.kept + 1);
	}
	kern_close(k);
}

/* A port of a tunnel on the sending side says nothing: that is where answers of others go to. */
static void test_kern_tunnel_is_known_by_its_destination_port(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.prepare = tunnel_prepare});
	struct frame f = case_named("vxlan")->f;
	const struct flow_record *r;
	int hook;

	(void)state;
	memcpy(f.data + 34, "\x12\xb5\xc3\x50", 4);
	for (hook = 0; hook < 3; hook++) {
		r = tunnel_run(k, hook, &f);
		assert_non_null(r);
		assert_int_equal(r->key.tunnel, FLOW_TUNNEL_NONE);
	}
	kern_close(k);
}

/* A train of segments in a tunnel repeats all headers in each; one of datagrams, each with a
 * tunnel's headers in it, the outer ones alone. */
static void test_kern_tunnel_trains_repeat_their_headers(void **state)
{
	static const struct {
		const char *name;
		uint32_t header; /* of one segment */
	} trains[] = {
		{"vxlan", 14 + 20 + 16 + 14 + 20 + 20}, {"vxlan6", 14 + 40 + 16 + 14 + 20 + 20},
		{"vlan", 14 + 20 + 16 + 22 + 20 + 8},	{"options", 14 + 20 + 16 + 16 + 20 + 20},
		{"grekeyin6", 14 + 20 + 16 + 40 + 20},	{"ipip", 14 + 20 + 20 + 20},
	};
	struct __sk_buff skb = {.gso_segs = 10, .gso_size = 1000};
	struct kern *k = kern_open((struct kern_opts){});
	struct flow_counter before, after;
	struct frame f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(trains) / sizeof(*trains); i++) {
		f = case_named(trains[i].name)->f;
		if (i == 0)
			f.data[trains[i].header - 20 + 12] = 0x80; /* with options */
		before = kern_total(k, FLOW_RECEIVE);
		kern_tc(k->skel->progs.ringspan_tc_rx, &f, &skb);
		after = kern_total(k, FLOW_RECEIVE);
		assert_int_equal(after.kept, before.kept + 10);
		assert_int_equal(after.bytes - before.bytes,
				 f.len + 9 * (trains[i].header + (i ? 0 : 12)));
	}
	f = case_named("vxlan")->f;
	f.data[14 + 3] = (uint8_t)(f.data[14 + 3] + 100);
	f.data[14 + 20 + 5] = (uint8_t)(f.data[14 + 20 + 5] + 100);
	frame_fill(&f, 100); /* behind the first datagram */
	before = kern_total(k, FLOW_RECEIVE);
	kern_tc(k->skel->progs.ringspan_tc_rx, &f, &skb);
	after = kern_total(k, FLOW_RECEIVE);
	assert_int_equal(after.bytes - before.bytes, f.len + 9 * (14 + 20 + 8));
	kern_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_tunnel_takes_the_flow_inside),
		cmocka_unit_test(test_kern_tunnel_flow_is_as_without_it),
		cmocka_unit_test(test_kern_tunnel_on_links_without_ethernet),
		cmocka_unit_test(test_kern_tunnel_is_the_flow_unless_asked),
		cmocka_unit_test(test_kern_tunnel_cut_is_never_another_flow),
		cmocka_unit_test(test_kern_tunnel_contradiction_is_the_outer_flow),
		cmocka_unit_test(test_kern_tunnel_is_known_by_its_destination_port),
		cmocka_unit_test(test_kern_tunnel_trains_repeat_their_headers),
	};

	if (system("/usr/bin/python3 -c 'import scapy' 2>/dev/null")) {
		puts("skipped: python3-scapy is missing");
		return 77;
	}
	return cmocka_run_group_tests(tests, cases_load, cases_free);
}
