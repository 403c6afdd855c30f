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
	char addr[2][INET6_ADDRSTRLEN];
};

static struct tunnel_case *cases;
static size_t cases_len;

static void case_read(struct tunnel_case *c, const char *line)
{
	static char hex[8192];
	unsigned byte;
	size_t i;

	assert_int_equal(sscanf(line, "%31s %u %u %u %45s %u %45s %u %8191s", c->name, &c->kind,
				&c->id, &c->proto, c->addr[0], &c->ports[0], c->addr[1],
				&c->ports[1], hex),
			 9);
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

static void test_kern_tunnel_is_the_flow_unless_asked(void **state)
{
	struct kern *plain = kern_open((struct kern_opts){});
	struct kern *decap = kern_open((struct kern_opts){.prepare = tunnel_prepare});
	struct flow_counter a, b;
	const struct flow_record *r;
	uint32_t net, transport;
	size_t i;

	(void)state;
	for (i = 0; i < cases_len; i++) {
		r = tunnel_run(plain, 0, &cases[i].f);
		assert_true(!r || (r->key.tunnel == FLOW_TUNNEL_NONE && r->key.tunnel_id == 0));
		tunnel_run(decap, 0, &cases[i].f);
	}
	for (net = 0; net < FLOW_NET_MAX; net++)
		for (transport = 0; transport < FLOW_TRANSPORT_MAX; transport++) {
			a = kern_counter(plain, FLOW_RECEIVE, net, transport);
			b = kern_counter(decap, FLOW_RECEIVE, net, transport);
			assert_memory_equal(&a, &b, sizeof(a));
		}
	kern_close(plain);
	kern_close(decap);
}

/* Cut anywhere, a packet is the flow inside, the tunnel's own, or none. */
static void test_kern_tunnel_cut_is_never_another_flow(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.prepare = tunnel_prepare});
	const struct flow_record *r;
	struct frame cut;
	size_t i, len;
	bool was_inner;

	(void)state;
	for (i = 0; i < cases_len; i++) {
		was_inner = false;
		for (len = 14; len < cases[i].f.len; len++) {
			cut = cases[i].f;
			cut.len = len;
			r = tunnel_run(k, 1, &cut);
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

/* One byte of the lengths, flags or versions changed. */
static void test_kern_tunnel_contradiction_is_the_outer_flow(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
	} bad[] = {
		{"vxlan", 14 + 20 + 4, 0x00}, /* UDP length: one of 0x00xx */
		{"vxlan", 14 + 20 + 8, 0x00}, /* no id */
		{"vxlan", 14 + 20 + 16 + 14, 0x44}, /* IHL below 5 */
		{"vxlan", 14 + 20 + 16 + 14 + 2, 0x7f}, /* inner length beyond the outer */
		{"geneve", 14 + 20 + 8, 0x3f}, /* options beyond the end */
		{"geneve", 14 + 20 + 8, 0x40}, /* version 1 */
		{"gre", 14 + 20 + 1, 0x01}, /* version 1 */
		{"gre", 14 + 20, 0x40}, /* routing */
		{"gre", 14 + 20 + 2, 0x99}, /* something else inside */
		{"ipip", 14 + 20, 0x65}, /* version 6 in protocol 4 */
		{"ipip", 14 + 6, 0x20}, /* the tunnel's packet is a fragment */
	};
	const struct flow_record *r;
	struct kern *k;
	struct frame f;
	size_t i, c;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (c = 0; strcmp(cases[c].name, bad[i].name); c++)
			assert_true(c + 1 < cases_len);
		f = cases[c].f;
		f.data[bad[i].at] = bad[i].value;
		if (i == 0)
			f.data[bad[i].at + 1] = 15;
		k = kern_open((struct kern_opts){.prepare = tunnel_prepare});
		r = tunnel_run(k, 0, &f);
		if (!r || r->key.tunnel)
			fail_msg("%zu (%s): not the outer flow", i, bad[i].name);
		kern_close(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_tunnel_takes_the_flow_inside),
		cmocka_unit_test(test_kern_tunnel_is_the_flow_unless_asked),
		cmocka_unit_test(test_kern_tunnel_cut_is_never_another_flow),
		cmocka_unit_test(test_kern_tunnel_contradiction_is_the_outer_flow),
	};

	if (system("/usr/bin/python3 -c 'import scapy' 2>/dev/null")) {
		puts("skipped: python3-scapy is missing");
		return 77;
	}
	return cmocka_run_group_tests(tests, cases_load, cases_free);
}
