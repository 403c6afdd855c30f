/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/flow_samples.h"
#include "user/flow_series.h"
#include "user/flow_service.h"

#define ALL (FLOW_ATTR_BIT(FLOW_ATTR_MAX) - 1)
#define BIT(attr) FLOW_ATTR_BIT(FLOW_ATTR_##attr)
#define THRESHOLD_OF_10 0xe6666666666666ULL

/* The n-th allocation from here on fails; 0: none. */
static unsigned fail_at;
static bool has_no_random;
static atomic_ulong comparisons;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
ssize_t __real_getrandom(void *buf, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags);
int __real_memcmp(const void *a, const void *b, size_t len);
int __wrap_memcmp(const void *a, const void *b, size_t len);

void *__wrap_calloc(size_t n, size_t size)
{
	return fail_at && !--fail_at ? NULL : __real_calloc(n, size);
}

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags)
{
	return has_no_random ? -1 : __real_getrandom(buf, len, flags);
}

int __wrap_memcmp(const void *a, const void *b, size_t len)
{
	comparisons++;
	return __real_memcmp(a, b, len);
}

static struct flow_series *series_of(unsigned attrs, size_t cap, const struct tenant_map *tenants)
{
	struct flow_series_opts opts = {
		.attrs = attrs, .subnet_bits = {20, 44}, .cap = cap, .tenants = tenants};
	struct flow_series *s = NULL;

	assert_int_equal(flow_series_create(&s, &opts), 0);
	return s;
}

/* As flow_table does it. */
static void report(struct flow_series *s, struct flow *f)
{
	unsigned i;

	flow_series_add(s, f, f->key.if_slot ? "eth1" : "eth0");
	for (i = 0; i < 2; i++)
		f->reported[i] = (struct flow_counts){f->totals[i].pkts, f->totals[i].bytes};
	f->reports++;
}

static struct flow_series_one only(struct flow_series *s)
{
	struct flow_series_one one[2];

	assert_int_equal(flow_series_read(s, 0, one, 2), 1);
	return one[0];
}

/* ---- how much ---- */

static void test_flow_series_adds_what_is_new(void **state)
{
	struct flow_series *s = series_of(BIT(INTERFACE), 4, NULL);
	struct flow f = sample_http();
	struct flow_series_one one;

	(void)state;
	report(s, &f);
	one = only(s);
	assert_int_equal(one.counts[0].pkts, 22);
	assert_int_equal(one.counts[0].bytes, 1234 + 14321);
	assert_int_equal(one.flows, 1);
	f.totals[0].pkts += 5;
	f.totals[0].bytes += 500;
	report(s, &f);
	report(s, &f);
	one = only(s);
	assert_int_equal(one.counts[0].pkts, 27);
	assert_int_equal(one.counts[0].bytes, 1234 + 14321 + 500);
	assert_int_equal(one.flows, 1);
	flow_series_destroy(s);
}

static void test_flow_series_counts_with_the_rate_of_each_flow(void **state)
{
	struct flow_series *s = series_of(BIT(INTERFACE), 4, NULL);
	struct flow f = sample_http(), g = sample_http();
	struct flow_series_one one;

	(void)state;
	f.info.threshold = THRESHOLD_OF_10;
	report(s, &f);
	report(s, &g); /* kept when all were */
	f.totals[1].pkts += 3;
	f.totals[1].bytes += 300;
	report(s, &f);
	one = only(s);
	assert_int_equal(one.counts[0].pkts, 22 * 10 + 22 + 3 * 10);
	assert_int_equal(one.counts[0].bytes, 15555 * 10 + 15555 + 300 * 10);
	assert_int_equal(one.flows, 11);
	flow_series_destroy(s);
}

/* ---- which series ---- */

static void test_flow_series_direction_is_that_of_the_first_packet(void **state)
{
	struct flow_series *s = series_of(BIT(IO_DIRECTION), 4, NULL);
	struct flow f = sample_http(), g = sample_http();
	struct flow_series_one one;

	(void)state;
	f.info.first_hook = FLOW_TRANSMIT;
	report(s, &f);
	one = only(s);
	assert_int_equal(one.counts[FLOW_TRANSMIT].pkts, 12);
	assert_int_equal(one.counts[FLOW_RECEIVE].pkts, 10);
	g.info.first_hook = FLOW_RECEIVE;
	g.totals[1].pkts = g.totals[1].bytes = 0;
	report(s, &g);
	one = only(s);
	assert_int_equal(one.counts[FLOW_TRANSMIT].pkts, 12);
	assert_int_equal(one.counts[FLOW_RECEIVE].pkts, 22);
	assert_int_equal(flow_series_len(s), 2);
	flow_series_destroy(s);
}

static void test_flow_series_server_port_is_never_guessed(void **state)
{
	struct flow_series *s = series_of(BIT(SERVER_PORT), 9, NULL);
	struct flow flows[] = {sample_http(), sample_http(), sample_http(),
			       sample_flow(IPPROTO_ICMP, "10.0.0.1", 8, "10.0.0.2", 0)};
	struct flow_series_one one[4];
	unsigned i;

	(void)state;
	flows[0].initiator_known = true;
	flows[2].initiator_known = flows[3].initiator_known = true;
	flows[2].totals[1].flags |= FLOW_SAW_FRAGMENT;
	for (i = 0; i < 4; i++)
		report(s, &flows[i]);
	assert_int_equal(flow_series_read(s, 0, one, 4), 2);
	assert_true(one[0].key.has_server_port);
	assert_int_equal(one[0].key.server_port, 80);
	assert_false(one[1].key.has_server_port);
	assert_int_equal(one[1].flows, 3);
	flow_series_destroy(s);
}

/* ---- against a plain list ---- */

struct plain {
	char key[256];
	uint64_t pkts[2], bytes[2], flows;
	bool has[2];
};

struct model {
	unsigned attrs;
	struct plain list[3000], rest;
	size_t len, series, cap;
	const struct tenant_map *tenants;
};

static void say_address(char *to, size_t cap, const char *name, uint8_t family,
			const uint8_t addr[16], unsigned bits)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t masked[16];
	unsigned i;

	memcpy(masked, addr, 16);
	for (i = bits; i < 128; i++)
		masked[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	inet_ntop(family == 6 ? AF_INET6 : AF_INET, masked, text, sizeof(text));
	snprintf(to + strlen(to), cap - strlen(to), " %s %s", name, text);
}

static void say_ends(char *to, size_t cap, unsigned attrs, uint8_t family,
		     const uint8_t *const ends[2])
{
	unsigned whole = family == 6 ? 128 : 32, net = family == 6 ? 44 : 20;

	if (attrs & BIT(SOURCE_SUBNET))
		say_address(to, cap, "snet", family, ends[0], net);
	if (attrs & BIT(DESTINATION_SUBNET))
		say_address(to, cap, "dnet", family, ends[1], net);
	if (attrs & BIT(SOURCE_ADDRESS))
		say_address(to, cap, "src", family, ends[0], whole);
	if (attrs & BIT(DESTINATION_ADDRESS))
		say_address(to, cap, "dst", family, ends[1], whole);
}

static void key_of_flow(const struct model *m, const struct flow *f, char to[256])
{
	const uint8_t *ends[2] = {f->key.addr[f->initiator], f->key.addr[!f->initiator]};
	uint32_t peer, tenant;
	size_t len;

	snprintf(to, 256, "if %u", f->key.if_slot);
	if (m->attrs & BIT(TYPE))
		strcat(to, f->key.family == 6 ? " v6" : " v4");
	if (m->attrs & BIT(TRANSPORT))
		strcat(strcat(to, " "), flow_service_transport(f->key.proto, f->key.family));
	if ((m->attrs & BIT(SERVER_PORT)) && f->initiator_known && f->key.proto != IPPROTO_ICMP &&
	    f->key.proto != 99)
		snprintf(to + strlen(to), 20, " port %u", ntohs(f->key.port[!f->initiator]));
	say_ends(to, 256, m->attrs, f->key.family, ends);
	tenant = tenant_map_flow(m->tenants, f->key.family, ends[0], ends[1],
				 f->key.if_slot ? "eth1" : "eth0", &peer);
	len = strlen(to);
	if ((m->attrs & BIT(TENANT)) && tenant)
		snprintf(to + len, 256 - len, " of %s", tenant_map_name(m->tenants, tenant));
}

static void key_of_series(const struct model *m, const struct flow_series_key *k, char to[256])
{
	const uint8_t *ends[2] = {k->addr[0], k->addr[1]};
	size_t len;

	snprintf(to, 256, "if %u", k->if_slot);
	if (m->attrs & BIT(TYPE))
		strcat(to, k->family == 6 ? " v6" : " v4");
	if (m->attrs & BIT(TRANSPORT))
		strcat(strcat(to, " "),
		       flow_service_transport(k->proto, k->proto == IPPROTO_ICMPV6 ? 6 : 4));
	if (k->has_server_port)
		snprintf(to + strlen(to), 20, " port %u", k->server_port);
	say_ends(to, 256, m->attrs, k->family, ends);
	len = strlen(to);
	if (k->tenant)
		snprintf(to + len, 256 - len, " of %s", tenant_map_name(m->tenants, k->tenant));
}

static struct plain *model_find(struct model *m, const struct flow *f)
{
	char key[256];
	size_t i;

	key_of_flow(m, f, key);
	for (i = 0; i < m->len; i++)
		if (!strcmp(m->list[i].key, key))
			return &m->list[i];
	if (m->series == m->cap)
		return NULL;
	memset(&m->list[i], 0, sizeof(m->list[i]));
	strcpy(m->list[i].key, key);
	m->len++;
	return &m->list[i];
}

static void model_add(struct model *m, const struct flow *f)
{
	uint64_t n = f->info.threshold ? 10 : 1;
	struct plain *to = model_find(m, f), *half;
	unsigned i, hook;

	(to ? to : &m->rest)->flows += f->reports ? 0 : n;
	for (i = 0; i < 2; i++) {
		if (f->totals[i].pkts == f->reported[i].pkts)
			continue;
		hook = (m->attrs & BIT(IO_DIRECTION))
			       ? (i == f->info.first_from) == (f->info.first_hook == 1)
			       : 0;
		half = to;
		if (half && !half->has[hook]) {
			if (m->series == m->cap)
				half = NULL;
			else
				half->has[hook] = ++m->series;
		}
		half = half ? half : &m->rest;
		half->pkts[half == &m->rest ? 0 : hook] +=
			(f->totals[i].pkts - f->reported[i].pkts) * n;
		half->bytes[half == &m->rest ? 0 : hook] +=
			(f->totals[i].bytes - f->reported[i].bytes) * n;
	}
}

static void model_check(const struct model *m, struct flow_series *s)
{
	struct flow_series_rest rest;
	struct flow_series_one one;
	char key[256];
	size_t i;

	assert_int_equal(flow_series_len(s), m->series);
	for (i = 0; i < m->len; i++) {
		assert_int_equal(flow_series_read(s, i, &one, 1), 1);
		key_of_series(m, &one.key, key);
		assert_string_equal(key, m->list[i].key);
		assert_int_equal(one.counts[0].pkts, m->list[i].pkts[0]);
		assert_int_equal(one.counts[1].pkts, m->list[i].pkts[1]);
		assert_int_equal(one.counts[0].bytes, m->list[i].bytes[0]);
		assert_int_equal(one.counts[1].bytes, m->list[i].bytes[1]);
		assert_int_equal(one.has[0], m->list[i].has[0]);
		assert_int_equal(one.has[1], m->list[i].has[1]);
		assert_int_equal(one.flows, m->list[i].flows);
	}
	assert_int_equal(flow_series_read(s, i, &one, 1), 0);
	assert_int_equal(flow_series_read(s, SIZE_MAX, &one, 1), 0);
	flow_series_rest(s, &rest);
	assert_int_equal(rest.counts.pkts, m->rest.pkts[0]);
	assert_int_equal(rest.counts.bytes, m->rest.bytes[0]);
	assert_int_equal(rest.flows, m->rest.flows);
}

static uint64_t seed;

static uint32_t chance(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % below;
}

static void any_address(bool is_ipv6, char ret[INET6_ADDRSTRLEN])
{
	unsigned net = chance(3) * 24, host = chance(4);

	if (is_ipv6)
		snprintf(ret, INET6_ADDRSTRLEN, "2001:db8:%x::%x", net, host);
	else
		snprintf(ret, INET6_ADDRSTRLEN, "10.0.%u.%u", net, host);
}

static struct flow any_flow(void)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 99, IPPROTO_TCP};
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	bool is_ipv6 = !chance(3);
	struct flow f;

	any_address(is_ipv6, a);
	any_address(is_ipv6, b);
	f = sample_flow(protos[chance(5)], a, (uint16_t)(1024 + chance(3)), b,
			(uint16_t)(80 + chance(3)));
	f.key.if_slot = (uint16_t)chance(2);
	f.initiator = (uint8_t)chance(2);
	f.initiator_known = chance(2);
	f.info.first_from = (uint8_t)chance(2);
	f.info.first_hook = (uint8_t)chance(2);
	f.info.threshold = chance(2) ? THRESHOLD_OF_10 : 0;
	f.totals[chance(2)].pkts = chance(3);
	return f;
}

static void test_flow_series_agrees_with_a_plain_list(void **state)
{
	static const char map[] = "10.0.24.0/24 blue\n2001:db8:18::/48 red\ninterface eth1 links\n";
	static struct model m;
	static struct flow flows[500];
	char why[TENANT_MAP_WHY_CAP];
	struct tenant_map *tenants;
	struct flow_series *s;
	unsigned round, i, k;

	(void)state;
	assert_int_equal(tenant_map_parse(&tenants, map, sizeof(map) - 1, "m", why), 0);
	for (round = 0; round < 60; round++) {
		seed = round + 1;
		memset(&m, 0, sizeof(m));
		m.attrs = round < 12 ? (round ? 1u << (round - 1) : ALL) : chance(ALL + 1);
		m.cap = round % 3 ? 1 + chance(40) : 2900;
		m.tenants = tenants;
		s = series_of(m.attrs, m.cap, tenants);
		for (i = 0; i < 1500; i++) {
			k = chance(500);
			if (!flows[k].key.family || !chance(8))
				flows[k] = any_flow();
			else
				flows[k].totals[chance(2)].pkts += chance(4);
			flows[k].totals[0].bytes = flows[k].totals[0].pkts * 100;
			flows[k].totals[1].bytes = flows[k].totals[1].pkts * 100;
			model_add(&m, &flows[k]);
			report(s, &flows[k]);
		}
		model_check(&m, s);
		flow_series_destroy(s);
		memset(flows, 0, sizeof(flows));
	}
	tenant_map_destroy(tenants);
}

/* ---- the limit ---- */

static void test_flow_series_beyond_the_cap_nothing_is_missing(void **state)
{
	struct flow_series *s = series_of(BIT(SERVER_PORT), 5, NULL);
	struct flow_series_rest rest;
	struct flow_series_one one[6];
	struct flow f;
	unsigned i;

	(void)state;
	for (i = 0; i < 40; i++) {
		f = sample_http();
		f.initiator_known = true;
		f.key.port[1] = htons((uint16_t)(i % 20));
		report(s, &f);
	}
	assert_int_equal(flow_series_len(s), 5);
	assert_int_equal(flow_series_read(s, 0, one, 6), 5);
	for (i = 0; i < 5; i++) { /* those that were there stay */
		assert_int_equal(one[i].key.server_port, i);
		assert_int_equal(one[i].counts[0].pkts, 44);
		assert_int_equal(one[i].flows, 2);
	}
	flow_series_rest(s, &rest);
	assert_int_equal(rest.counts.pkts, 30 * 22);
	assert_int_equal(rest.counts.bytes, 30 * 15555);
	assert_int_equal(rest.flows, 30);
	assert_int_equal(rest.reports, 30);
	flow_series_destroy(s);
}

static void test_flow_series_a_direction_is_a_series(void **state)
{
	struct flow_series *s = series_of(BIT(SERVER_PORT) | BIT(IO_DIRECTION), 3, NULL);
	struct flow_series_rest rest;
	struct flow_series_one one[3];
	struct flow f;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		f = sample_http();
		f.initiator_known = true;
		f.key.port[1] = htons((uint16_t)i);
		report(s, &f);
	}
	assert_int_equal(flow_series_len(s), 3);
	assert_int_equal(flow_series_read(s, 0, one, 3), 2);
	assert_true(one[1].has[FLOW_RECEIVE] && !one[1].has[FLOW_TRANSMIT]);
	flow_series_rest(s, &rest);
	assert_int_equal(rest.counts.pkts, 10 + 22);
	assert_int_equal(rest.flows, 1);
	assert_int_equal(rest.reports, 2);
	flow_series_destroy(s);
}

/* ---- strangers choose keys ---- */

/* Keys that meet in the same place of a table whose hash is known, or adds up, or cuts off. */
static void choose(struct flow *f, unsigned way, uint32_t i)
{
	uint32_t a = way == 0 ? i : way == 1 ? i << 16 : way == 2 ? i * 0x00010001 : 0, be;

	be = htonl(a);
	memcpy(f->key.addr[0], &be, 4);
	be = htonl(way == 2 ? (uint32_t) - (int64_t)a : way == 3 ? i : 0);
	memcpy(f->key.addr[1] + (way == 3 ? 12 : 0), &be, 4);
}

static void test_flow_series_is_as_fast_with_chosen_keys(void **state)
{
	unsigned attrs = BIT(SOURCE_ADDRESS) | BIT(DESTINATION_ADDRESS), way, round;
	struct flow f = sample_flow(IPPROTO_UDP, "fd00::1", 1, "fd00::2", 2);
	struct flow_series *s;
	uint32_t i, keys = 20000;

	(void)state;
	for (way = 0; way < 4; way++) {
		s = series_of(attrs, keys, NULL);
		comparisons = 0;
		for (round = 0; round < 2; round++) {
			for (i = 0; i < keys; i++) {
				choose(&f, way, i);
				flow_series_add(s, &f, "eth0");
			}
		}
		assert_int_equal(flow_series_len(s), keys);
		/* 0.5 and 1.5 a key are expected of a table that is never more than half full */
		if (comparisons > 3UL * keys)
			fail_msg("%lu comparisons of %u keys, chosen by %u", comparisons, keys,
				 way);
		flow_series_destroy(s);
	}
}

/* ---- threads ---- */

#define THREADS 4
#define REPORTS 5000

struct crowd {
	struct flow_series *s;
	atomic_uint working;
	unsigned first;
};

static void *crowd_work(void *arg)
{
	struct crowd *c = arg;
	struct flow f = sample_http();
	unsigned i;

	f.initiator_known = true;
	for (i = 0; i < REPORTS; i++) {
		f.key.port[1] = htons((uint16_t)(i % 100));
		flow_series_add(c->s, &f, "eth0");
	}
	c->working--;
	return NULL;
}

static void test_flow_series_takes_reports_of_all_workers(void **state)
{
	struct crowd c = {.s = series_of(BIT(SERVER_PORT), 50, NULL), .working = THREADS};
	uint64_t pkts = 0, last = 0;
	struct flow_series_one one[100];
	struct flow_series_rest rest;
	pthread_t threads[THREADS];
	unsigned i;
	size_t len;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_work, &c), 0);
	while (c.working) {
		len = flow_series_read(c.s, 0, one, 100);
		assert_true(len <= 50 && flow_series_len(c.s) <= 50);
		assert_true(!len || one[0].counts[0].pkts >= last);
		last = len ? one[0].counts[0].pkts : 0;
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	len = flow_series_read(c.s, 0, one, 100);
	assert_int_equal(len, 50);
	for (i = 0; i < len; i++)
		pkts += one[i].counts[0].pkts;
	flow_series_rest(c.s, &rest);
	assert_int_equal(pkts + rest.counts.pkts, (uint64_t)THREADS * REPORTS * 22);
	assert_int_equal(rest.reports, THREADS * REPORTS / 2);
	flow_series_destroy(c.s);
}

static void test_flow_series_without_memory_there_is_none(void **state)
{
	struct flow_series_opts opts = {.attrs = 1, .cap = 10};
	struct flow_series *s = NULL;
	unsigned i;

	(void)state;
	for (i = 1; i <= 3; i++) {
		fail_at = i;
		assert_int_equal(flow_series_create(&s, &opts), -ENOMEM);
		assert_null(s);
	}
	fail_at = 0;
	has_no_random = true;
	assert_int_equal(flow_series_create(&s, &opts), -EIO);
	has_no_random = false;
	assert_null(s);
	flow_series_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_series_adds_what_is_new),
		cmocka_unit_test(test_flow_series_counts_with_the_rate_of_each_flow),
		cmocka_unit_test(test_flow_series_direction_is_that_of_the_first_packet),
		cmocka_unit_test(test_flow_series_server_port_is_never_guessed),
		cmocka_unit_test(test_flow_series_agrees_with_a_plain_list),
		cmocka_unit_test(test_flow_series_beyond_the_cap_nothing_is_missing),
		cmocka_unit_test(test_flow_series_a_direction_is_a_series),
		cmocka_unit_test(test_flow_series_is_as_fast_with_chosen_keys),
		cmocka_unit_test(test_flow_series_takes_reports_of_all_workers),
		cmocka_unit_test(test_flow_series_without_memory_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
