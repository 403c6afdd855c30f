/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "tests/filter_random.h"
#include "user/filter.h"

static size_t dump_exit(uint8_t where, char *buf, size_t cap)
{
	if (where == FILTER_IN || where == FILTER_OUT)
		return (size_t)snprintf(buf, cap, where == FILTER_IN ? "in" : "out");
	return (size_t)snprintf(buf, cap, "%u", where);
}

static size_t dump_step(const struct filter_step *s, char *buf, size_t cap)
{
	char addr[INET6_ADDRSTRLEN], mask[INET6_ADDRSTRLEN];

	switch (s->op) {
	case FILTER_PROTO:
		return (size_t)snprintf(buf, cap, "proto %u", s->value);
	case FILTER_FAMILY:
		return (size_t)snprintf(buf, cap, "family %u", s->value);
	case FILTER_PORTS:
		return (size_t)snprintf(buf, cap, "ports %u-%u", s->port_low, s->port_high);
	default:
		assert_int_equal(s->op, FILTER_NET);
		inet_ntop(s->value == 6 ? AF_INET6 : AF_INET, s->addr, addr, sizeof(addr));
		inet_ntop(s->value == 6 ? AF_INET6 : AF_INET, s->mask, mask, sizeof(mask));
		return (size_t)snprintf(buf, cap, "net %s %s", addr, mask);
	}
}

/* "proto 6 ?1:out; ports 443-443 ?in:out" */
static void dump(const struct filter_program *p, char *buf, size_t cap)
{
	size_t len = 0;
	unsigned i;

	for (i = 0; i < p->len; i++) {
		len += (size_t)snprintf(buf + len, cap - len, i ? "; " : "");
		len += dump_step(&p->step[i], buf + len, cap - len);
		len += (size_t)snprintf(buf + len, cap - len, " ?");
		len += dump_exit(p->step[i].on_true, buf + len, cap - len);
		len += (size_t)snprintf(buf + len, cap - len, ":");
		len += dump_exit(p->step[i].on_false, buf + len, cap - len);
	}
}

static void test_filter_makes_these_programs(void **state)
{
	static const char *const good[][2] = {
		{"tcp", "proto 6 ?in:out"},
		{"udp", "proto 17 ?in:out"},
		{"sctp", "proto 132 ?in:out"},
		{"icmp", "family 4 ?1:out; proto 1 ?in:out"},
		{"icmp6", "family 6 ?1:out; proto 58 ?in:out"},
		{"ip", "family 4 ?in:out"},
		{"ip6", "family 6 ?in:out"},
		{"proto 0", "proto 0 ?in:out"},
		{"proto 255", "proto 255 ?in:out"},
		{"ip6 proto 47", "family 6 ?1:out; proto 47 ?in:out"},
		{"port 0", "ports 0-0 ?in:out"},
		{"port 65535", "ports 65535-65535 ?in:out"},
		{"portrange 6000-6008", "ports 6000-6008 ?in:out"},
		{"portrange 7-7", "ports 7-7 ?in:out"},
		{"tcp port 443", "proto 6 ?1:out; ports 443-443 ?in:out"},
		{"sctp portrange 1-2", "proto 132 ?1:out; ports 1-2 ?in:out"},
		{"host 10.0.0.1", "net 10.0.0.1 255.255.255.255 ?in:out"},
		{"ip host 10.0.0.1", "net 10.0.0.1 255.255.255.255 ?in:out"},
		{"host fd00::1", "net fd00::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ?in:out"},
		{"net 10.0.0.0/8", "net 10.0.0.0 255.0.0.0 ?in:out"},
		{"net 10.32.0.0/11", "net 10.32.0.0 255.224.0.0 ?in:out"},
		{"net 0.0.0.0/0", "net 0.0.0.0 0.0.0.0 ?in:out"},
		{"ip6 net fc00::/7", "net fc00:: fe00:: ?in:out"},
		{"net 2001:db8::/65", "net 2001:db8:: ffff:ffff:ffff:ffff:8000:: ?in:out"},
		/* not > and > or, each from the left */
		{"tcp or udp and ip6", "proto 6 ?in:1; proto 17 ?2:out; family 6 ?in:out"},
		{"tcp and udp or ip6", "proto 6 ?1:2; proto 17 ?in:2; family 6 ?in:out"},
		{"(tcp or udp) and ip6", "proto 6 ?2:1; proto 17 ?2:out; family 6 ?in:out"},
		{"tcp and (udp or ip6)", "proto 6 ?1:out; proto 17 ?in:2; family 6 ?in:out"},
		{"not tcp and udp", "proto 6 ?out:1; proto 17 ?in:out"},
		{"not tcp or udp", "proto 6 ?1:in; proto 17 ?in:out"},
		{"not (tcp or udp)", "proto 6 ?out:1; proto 17 ?out:in"},
		{"not (tcp and udp)", "proto 6 ?1:in; proto 17 ?out:in"},
		{"not not tcp", "proto 6 ?in:out"},
		{"not tcp port 22", "proto 6 ?1:in; ports 22-22 ?out:in"},
		{"tcp or udp or ip", "proto 6 ?in:1; proto 17 ?in:2; family 4 ?in:out"},
		/* other ways to write it */
		{"! tcp&&udp||ip", "proto 6 ?2:1; proto 17 ?in:2; family 4 ?in:out"},
		{" ( ((tcp) ) )\t\n", "proto 6 ?in:out"},
		{"!(tcp)and!udp", "proto 6 ?out:1; proto 17 ?out:in"},
	};
	char why[FILTER_WHY_CAP], text[2000];
	struct filter_program p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (filter_parse(&p, good[i][0], why))
			fail_msg("%s: %s", good[i][0], why);
		dump(&p, text, sizeof(text));
		if (strcmp(text, good[i][1]))
			fail_msg("%s:\n%s\n%s", good[i][0], text, good[i][1]);
	}
}

static void test_filter_says_where_and_what_is_wrong(void **state)
{
	static const char *const bad[][2] = {
		{"", "empty: give an expression"},
		{" \t", "empty: give an expression"},
		{"src host 10.0.0.1", "at character 1, 'src': a flow has two directions"},
		{"tcp and dst port 80", "at character 9, 'dst': a flow has two directions"},
		{"arp", "'arp': flows are told by IP addresses"},
		{"vlan 7", "'vlan': flows are told by IP"},
		{"foo", "at character 1, 'foo': expected one of tcp, udp"},
		{"TCP", "'TCP': expected one of tcp"},
		{"tcp[13]", "at character 4, '[': expected 'and' or 'or'"},
		{"tcp &", "at character 5, '&': expected 'and' or 'or'"},
		{"tcp udp", "at character 5, 'udp': expected 'and' or 'or'"},
		{"tcp host 10.0.0.1", "at character 5, 'host': expected 'and' or 'or'"},
		{"tcp and", "at the end: expected one of"},
		{"not", "at the end: expected one of"},
		{"tcp or or udp", "at character 8, 'or': expected one of"},
		{"(tcp", "at the end: expected 'and', 'or' or ')'"},
		{"tcp)", "at character 4, ')': nothing is open here"},
		{"()", "at character 2, ')': expected one of"},
		{"tcp port 80 or 443",
		 "at character 16, '443': a number alone is no condition: say "
		 "'port 443'"},
		{"10.0.0.1", "'10.0.0.1': an address alone is no condition: say 'host 10.0.0.1'"},
		{"host 10.0.0.1 or fd00::1", "'fd00::1': an address alone"},
		{"port", "at the end: 'port' takes a number from 0 to 65535"},
		{"port 65536", "'65536': 'port' takes a number"},
		{"port 000080", "'000080': 'port' takes"},
		{"port https", "'https': 'port' takes a number from 0 to 65535, no name"},
		{"port -1", "'-1': 'port' takes"},
		{"port 80-90", "'80-90': 'port' takes"},
		{"portrange 80", "'80': 'portrange' takes two numbers"},
		{"portrange 80-", "'80-': 'portrange' takes two numbers"},
		{"portrange -80", "'-80': 'portrange' takes two numbers"},
		{"portrange 1-65536", "'1-65536': 'portrange' takes"},
		{"portrange 1-2-3", "'1-2-3': 'portrange' takes"},
		{"portrange 90-80", "'90-80': ends before it begins: say 80-90"},
		{"proto", "at the end: 'proto' takes the number"},
		{"proto 256", "'256': 'proto' takes the number of an IP protocol, 0 to 255"},
		{"proto tcp", "'tcp': 'proto' takes the number"},
		{"host", "at the end: 'host' takes an IPv4 or IPv6 address"},
		{"host example.org",
		 "'example.org': 'host' takes an IPv4 or IPv6 address, no name"},
		{"host 10.0.0.256", "'10.0.0.256': 'host' takes"},
		{"host 10.1", "'10.1': 'host' takes"},
		{"host fd00::1::2", "'host' takes"},
		{"host fe80::1%eth0", "'%': expected 'and' or 'or'"},
		{"host 10.0.0.0/8",
		 "'10.0.0.0/8': 'host' takes one address; for a network say 'net'"},
		{"net", "at the end: 'net' takes a network"},
		{"net 10", "'10': 'net' takes a network, such as 10.0.0.0/8"},
		{"net 10.0.0.0", "'net' takes an address and how long its prefix is: say "
				 "10.0.0.0/0 to 32"},
		{"net 10.0.0.0/33", "'10.0.0.0/33': 'net' takes an address and"},
		{"net 10.0.0.0/", "'net' takes an address and how long"},
		{"net 10.0.0.0/8/8", "'net' takes an address and how long"},
		{"net fd00::/129", "say fd00::/0 to 128"},
		{"net 10.1.2.3/8",
		 "'10.1.2.3/8': an address within the network: say 10.0.0.0/8, or "
		 "'host 10.1.2.3'"},
		{"net fd00::1/64", "say fd00::/64, or 'host fd00::1'"},
		{"ip6 host 10.0.0.1", "'10.0.0.1': not of the family that 'ip6' names"},
		{"ip net fd00::/8", "'fd00::/8': not of the family that 'ip' names"},
		{"tcp\x01\n", "at character 4, '?': expected 'and' or 'or'"},
		{"t\xc3\xb6p", "at character 1, 't': expected one of"},
	};
	char why[FILTER_WHY_CAP];
	struct filter_program p, before;
	size_t i;

	(void)state;
	memset(&p, 0x5a, sizeof(p));
	before = p;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(why, 'x', sizeof(why));
		if (filter_parse(&p, bad[i][0], why) != -22)
			fail_msg("%s is taken", bad[i][0]);
		assert_non_null(memchr(why, '\0', sizeof(why)));
		if (!strstr(why, bad[i][1]) || strpbrk(why, "\n\t\x01"))
			fail_msg("%s: %s", bad[i][0], why);
		assert_memory_equal(&p, &before, sizeof(p));
	}
}

static void test_filter_is_bounded(void **state)
{
	char text[FILTER_TEXT_MAX + 2], why[FILTER_WHY_CAP];
	struct filter_program p;
	size_t len = 0, i;

	(void)state;
	for (i = 0; i < FILTER_STEPS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%sport %zu",
					i ? " or " : "", i);
	assert_int_equal(filter_parse(&p, text, why), 0);
	assert_int_equal(p.len, FILTER_STEPS_MAX);
	strcat(text, " or udp");
	assert_int_equal(filter_parse(&p, text, why), -22);
	assert_non_null(strstr(why, "too large: at most 64 conditions"));
	strcpy(strstr(text, " or port 63"), " and tcp port 5");
	assert_int_equal(filter_parse(&p, text, why), -22);
	assert_non_null(strstr(why, "too large"));

	for (i = 0; i < FILTER_DEPTH_MAX; i++)
		text[i] = i % 2 ? '(' : '!';
	strcpy(text + i, "tcp");
	for (i = 0; i < FILTER_DEPTH_MAX / 2; i++)
		strcat(text, ")");
	assert_int_equal(filter_parse(&p, text, why), 0);
	memmove(text + 1, text, strlen(text) + 1);
	assert_int_equal(filter_parse(&p, text, why), -22);
	assert_non_null(strstr(why, "too deep: at most 32"));
	/* what was closed is not within each other */
	for (len = i = 0; i < FILTER_DEPTH_MAX + 1; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s(not tcp)",
					i ? " or " : "");
	assert_int_equal(filter_parse(&p, text, why), 0);

	memset(text, ' ', sizeof(text));
	memcpy(text, "tcp", 3);
	text[FILTER_TEXT_MAX] = '\0';
	assert_int_equal(filter_parse(&p, text, why), 0);
	text[FILTER_TEXT_MAX] = ' ';
	text[FILTER_TEXT_MAX + 1] = '\0';
	assert_int_equal(filter_parse(&p, text, why), -22);
	assert_non_null(strstr(why, "too long: at most 2000"));
}

/* A walk over the steps, as the kernel does it. */
static bool run(const struct filter_program *p, const struct filter_facts *x)
{
	uint64_t addr[2][2] = {{0}};
	unsigned at = 0, i;
	bool is_true;

	for (i = 0; i < 2; i++)
		inet_pton(x->family == 6 ? AF_INET6 : AF_INET, x->addr[i], addr[i]);
	while (at < p->len) {
		const struct filter_step *s = &p->step[at];

		is_true = false;
		for (i = 0; i < 2; i++)
			if (s->op == FILTER_PORTS)
				is_true |= x->has_ports && x->port[i] >= s->port_low &&
					   x->port[i] <= s->port_high;
			else if (s->op == FILTER_NET)
				is_true |= x->family == s->value &&
					   (addr[i][0] & s->mask[0]) == s->addr[0] &&
					   (addr[i][1] & s->mask[1]) == s->addr[1];
			else
				is_true |=
					(s->op == FILTER_PROTO ? x->proto : x->family) == s->value;
		i = is_true ? s->on_true : s->on_false;
		assert_true(i > at);
		at = i;
	}
	assert_true(at == FILTER_IN || at == FILTER_OUT);
	return at == FILTER_IN;
}

static void test_filter_agrees_with_the_tree(void **state)
{
	unsigned i, n, wanted = 0;
	char text[2][2000], why[FILTER_WHY_CAP];
	struct filter_program p, again;
	struct filter_facts facts;
	struct filter_tree tree;
	uint32_t seed = 1;
	struct frame f;

	(void)state;
	for (i = 0; i < 4000; i++) {
		filter_random_tree(&seed, 1 + i % 16, &tree);
		filter_tree_print(&tree, false, text[0], sizeof(text[0]));
		filter_tree_print(&tree, true, text[1], sizeof(text[1]));
		if (filter_parse(&p, text[0], why))
			fail_msg("%s: %s", text[0], why);
		for (n = 0; n < 25; n++) {
			filter_random_packet(&seed, false, &facts, &f);
			wanted += run(&p, &facts);
			if (run(&p, &facts) != filter_tree_holds(&tree, &facts))
				fail_msg("%s", text[0]);
		}
		/* with all parentheses it may be too deep, else it is the same */
		if (!filter_parse(&again, text[1], why))
			assert_memory_equal(&p, &again, sizeof(p));
		else
			assert_non_null(strstr(why, "too deep"));
	}
	assert_in_range(wanted, 20000, 80000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter_makes_these_programs),
		cmocka_unit_test(test_filter_says_where_and_what_is_wrong),
		cmocka_unit_test(test_filter_is_bounded),
		cmocka_unit_test(test_filter_agrees_with_the_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
