/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
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

#include "user/tenant_map.h"

static struct tenant_map *map_of(const char *text)
{
	char why[TENANT_MAP_WHY_CAP] = "";
	struct tenant_map *m = NULL;

	if (tenant_map_parse(&m, text, strlen(text), "file", why))
		fail_msg("refused: %s", why);
	return m;
}

static void address(const char *text, uint8_t *ret_family, uint8_t ret[16])
{
	bool ok;

	memset(ret, 0, 16);
	*ret_family = strchr(text, ':') ? 6 : 4;
	ok = inet_pton(*ret_family == 6 ? AF_INET6 : AF_INET, text, ret) == 1;
	assert_true(ok);
}

static const char *tenant_of(const struct tenant_map *m, const char *text)
{
	uint8_t family, addr[16];
	const char *name;

	address(text, &family, addr);
	name = tenant_map_name(m, tenant_map_address(m, family, addr));
	return name ? name : "";
}

static void test_tenant_map_longest_prefix_wins(void **state)
{
	struct tenant_map *m = map_of("# who is who\n"
				      "\n"
				      "10.0.0.0/8 blue\n"
				      "  10.1.0.0/16\tred   # in blue\r\n"
				      "10.1.2.3 dot\n"
				      "2001:db8::/32 green\n"
				      "2001:db8::1 dot\n"
				      "255.0.0.0/8 last\n"
				      "ff00::/8 last\n"
				      "interface eth1 red");

	(void)state;
	assert_string_equal(tenant_of(m, "9.255.255.255"), "");
	assert_string_equal(tenant_of(m, "10.0.0.0"), "blue");
	assert_string_equal(tenant_of(m, "10.1.0.0"), "red");
	assert_string_equal(tenant_of(m, "10.1.2.2"), "red");
	assert_string_equal(tenant_of(m, "10.1.2.3"), "dot");
	assert_string_equal(tenant_of(m, "10.1.2.4"), "red");
	assert_string_equal(tenant_of(m, "10.2.0.0"), "blue");
	assert_string_equal(tenant_of(m, "11.0.0.0"), "");
	assert_string_equal(tenant_of(m, "255.255.255.255"), "last");
	assert_string_equal(tenant_of(m, "2001:db8::"), "green");
	assert_string_equal(tenant_of(m, "2001:db8::1"), "dot");
	assert_string_equal(tenant_of(m, "2001:db9::"), "");
	assert_string_equal(tenant_of(m, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "last");
	assert_string_equal(tenant_map_name(m, tenant_map_interface(m, "eth1")), "red");
	assert_int_equal(tenant_map_interface(m, "eth10"), 0);
	assert_int_equal(tenant_map_interface(m, "eth"), 0);
	assert_null(tenant_map_name(m, 0));
	tenant_map_destroy(m);
}

static void test_tenant_map_the_same_name_is_the_same_tenant(void **state)
{
	struct tenant_map *m = map_of("10.0.0.0/8 a\nfd00::/8 a\ninterface lo a\n10.0.0.0/8 a\n"
				      "0.0.0.0/0 b\n");
	uint8_t family, addr[16];
	uint32_t tenant;

	(void)state;
	address("10.9.9.9", &family, addr);
	tenant = tenant_map_address(m, family, addr);
	assert_true(tenant > 0);
	assert_int_equal(tenant, tenant_map_interface(m, "lo"));
	address("fdff::", &family, addr);
	assert_int_equal(tenant, tenant_map_address(m, family, addr));
	assert_string_equal(tenant_of(m, "0.0.0.0"), "b");
	assert_string_equal(tenant_of(m, "255.255.255.255"), "b");
	tenant_map_destroy(m);
}

static void flow_is(const struct tenant_map *m, const char *source, const char *destination,
		    const char *if_name, const char *tenant, const char *peer)
{
	uint8_t family, a[16], b[16];
	uint32_t of_peer, of = 0;
	const char *name;

	address(source, &family, a);
	address(destination, &family, b);
	of_peer = 77;
	of = tenant_map_flow(m, family, a, b, if_name, &of_peer);
	name = of ? tenant_map_name(m, of) : "";
	assert_string_equal(name, tenant);
	name = of_peer ? tenant_map_name(m, of_peer) : "";
	assert_string_equal(name, peer);
}

static void test_tenant_map_source_comes_first_and_interface_last(void **state)
{
	struct tenant_map *m = map_of("10.1.0.0/16 blue\n10.2.0.0/16 red\ninterface eth0 links\n");

	(void)state;
	flow_is(m, "10.1.0.1", "10.2.0.1", "eth0", "blue", "red");
	flow_is(m, "10.2.0.1", "10.1.0.1", "eth0", "red", "blue");
	flow_is(m, "10.1.0.1", "10.1.0.2", "eth0", "blue", "");
	flow_is(m, "10.1.0.1", "10.3.0.1", "eth0", "blue", "");
	flow_is(m, "10.3.0.1", "10.1.0.1", "eth0", "blue", "");
	flow_is(m, "10.3.0.1", "10.3.0.2", "eth0", "links", "");
	flow_is(m, "10.3.0.1", "10.3.0.2", "eth1", "", "");
	flow_is(m, "fd00::1", "fd00::2", "eth1", "", "");
	flow_is(NULL, "10.1.0.1", "10.2.0.1", "eth0", "", "");
	tenant_map_destroy(m);
}

/* ---- against a plain search through all prefixes ---- */

struct plain {
	uint8_t family, bits, addr[16];
	unsigned tenant;
};

static uint64_t seed;

static uint32_t chance(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % below;
}

/* Near each other, so that they lie in and beside each other. */
static void any_address(uint8_t family, uint8_t ret[16])
{
	static const uint8_t edges[] = {0, 0, 1, 0x7f, 0x80, 0xfe, 0xff, 0xff};
	unsigned i;

	memset(ret, 0, 16);
	for (i = 0; i < (family == 6 ? 16 : 4); i++)
		ret[i] = edges[chance(8)];
}

static void clear_beyond(uint8_t addr[16], unsigned bits)
{
	for (; bits < 128; bits++)
		addr[bits / 8] &= (uint8_t) ~(0x80 >> bits % 8);
}

static bool holds(const struct plain *p, uint8_t family, const uint8_t addr[16])
{
	uint8_t masked[16];

	memcpy(masked, addr, 16);
	clear_beyond(masked, p->bits);
	return p->family == family && !memcmp(masked, p->addr, 16);
}

static unsigned plain_search(const struct plain *list, size_t len, uint8_t family,
			     const uint8_t addr[16])
{
	const struct plain *best = NULL;
	size_t i;

	for (i = 0; i < len; i++)
		if (holds(&list[i], family, addr) && (!best || list[i].bits > best->bits))
			best = &list[i];
	return best ? best->tenant : 0;
}

static size_t any_prefixes(struct plain *list, size_t want, char *text, size_t cap)
{
	char shown[INET6_ADDRSTRLEN];
	size_t len = 0, at = 0, i;

	text[0] = '\0';
	while (want--) {
		struct plain p = {.family = chance(2) ? 6 : 4, .tenant = 1 + chance(5)};

		p.bits = (uint8_t)chance(p.family == 6 ? 129 : 33);
		any_address(p.family, p.addr);
		clear_beyond(p.addr, p.bits);
		for (i = 0; i < len; i++)
			if (list[i].family == p.family && list[i].bits == p.bits &&
			    !memcmp(list[i].addr, p.addr, 16))
				break;
		if (i < len)
			continue;
		list[len++] = p;
		inet_ntop(p.family == 6 ? AF_INET6 : AF_INET, p.addr, shown, sizeof(shown));
		at += (size_t)snprintf(text + at, cap - at, "%s/%u t%u\n", shown, p.bits, p.tenant);
		assert_true(at < cap);
	}
	return len;
}

static void check_addresses(const struct tenant_map *m, const struct plain *list, size_t len)
{
	uint8_t addr[16], family;
	const char *name;
	unsigned i, k;

	for (i = 0; i < 400; i++) {
		family = chance(2) ? 6 : 4;
		any_address(family, addr);
		if (i % 2 && len) { /* at the edges of one of them */
			family = list[i % len].family;
			memcpy(addr, list[i % len].addr, 16);
			for (k = list[i % len].bits; i % 4 == 1 && k < (family == 6 ? 128 : 32);
			     k++)
				addr[k / 8] |= (uint8_t)(0x80 >> k % 8);
		}
		name = tenant_map_name(m, tenant_map_address(m, family, addr));
		assert_int_equal(name ? atoi(name + 1) : 0, plain_search(list, len, family, addr));
	}
}

static void test_tenant_map_agrees_with_a_plain_search(void **state)
{
	static char text[16384];
	struct plain list[200];
	struct tenant_map *m;
	unsigned round;
	size_t len;

	(void)state;
	for (round = 0; round < 200; round++) {
		seed = round + 1;
		len = any_prefixes(list, round, text, sizeof(text));
		m = map_of(text);
		check_addresses(m, list, len);
		tenant_map_destroy(m);
	}
}

/* ---- what is refused ---- */

static void refused_len(const char *text, size_t len, const char *expected)
{
	char why[TENANT_MAP_WHY_CAP] = "";
	struct tenant_map *m = NULL;

	assert_int_equal(tenant_map_parse(&m, text, len, "f", why), -EINVAL);
	assert_null(m);
	if (!strstr(why, expected) || strchr(why, '\n'))
		fail_msg("'%s' for '%s', not '%s'", why, text, expected);
}

static void refused(const char *text, const char *expected)
{
	refused_len(text, strlen(text), expected);
}

static void test_tenant_map_says_which_line_is_wrong(void **state)
{
	(void)state;
	refused("# a\n\n10.0.0.0/8\n",
		"f:3: the tenant's name is missing: write '10.0.0.0/8 NAME'");
	refused("10.0.0.0/8 # blue\n", "f:1: the tenant's name is missing");
	refused("interface\n", "f:1: the tenant's name is missing");
	refused("interface eth0\n", "f:1: the tenant's name is missing");
	refused("10.0.0.0/8 blue sky\n", "f:1: 'sky' is one word too many");
	refused("interface eth0 blue sky\n", "f:1: 'sky' is one word too many");
	refused("interface a123456789012345 x\n",
		"f:1: 'a123456789012345' is no name of an interface");
	refused("x\nblue 10.0.0.0/8\n", "f:1: the tenant's name is missing");
	refused("blue 10.0.0.0/8\n", "f:1: 'blue' is no address or prefix: write");
	refused("10.0.0/8 a\n", "f:1: '10.0.0/8' is no address");
	refused("10.0.0.256 a\n", "f:1: '10.0.0.256' is no address");
	refused("2001:db8::g/32 a\n", "f:1: '2001:db8::g/32' is no address");
	refused("/8 a\n", "f:1: '/8' is no address");
	refused("10.0.0.0/33 a\n", "f:1: '10.0.0.0/33': the length of the prefix must be a number "
				   "from 0 to 32");
	refused("10.0.0.0/ a\n", "from 0 to 32");
	refused("10.0.0.0/-1 a\n", "from 0 to 32");
	refused("10.0.0.0/8x a\n", "from 0 to 32");
	refused("10.0.0.0/0008 a\n", "from 0 to 32");
	refused("10.0.0.0/255.0.0.0 a\n", "from 0 to 32");
	refused("2001:db8::/129 a\n", "from 0 to 128");
	refused("10.1.2.3/8 a\n", "f:1: '10.1.2.3/8' has bits beyond its length: write 10.0.0.0/8");
	refused("2001:db8::1/127 a\n", "write 2001:db8::/127");
	refused("1.2.3.4/0 a\n", "write 0.0.0.0/0");
	refused_len("10.0.0.0/8 a\0b\n", 15, "f: has a zero byte");
}

static void test_tenant_map_one_place_has_one_tenant(void **state)
{
	(void)state;
	refused("10.0.0.0/8 blue\n\n10.0.0.0/8 red\n",
		"f:3: tenant 'red' for what is of 'blue' in line 1: keep one");
	refused("10.0.0.1 blue\n10.0.0.1/32 red\n", "f:2: tenant 'red'");
	refused("fd00::/8 blue\nfd00:0::/8 blue\nfd00::/8 red\n", "f:3: tenant 'red'");
	refused("interface a blue\ninterface b red\ninterface a red\n", "f:3: tenant 'red'");
	tenant_map_destroy(map_of("10.0.0.0/8 blue\n10.0.0.0/9 red\nfd00::/8 red\n"));
}

static void test_tenant_map_names_are_plain_text(void **state)
{
	static const char *const bad[] = {
		"\x01",
		"a\x7f",
		"\xff",
		"a\xc3",
		"\xc0\xaf",
		"\xe0\x80\xaf",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xc2\x85",
		"a\x80",
	};
	static const char *const good[] = {
		"a",	 "Z\xc3\xbcrich", "\xe2\x82\xac", "\xf0\x9f\x90\x9f",
		"a/b:c", "interface",	  "10.0.0.0/8"};
	char text[256];
	struct tenant_map *m;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "10.0.0.0/8 %s\n", bad[i]);
		refused(text, "is not UTF-8, or has control characters");
	}
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snprintf(text, sizeof(text), "10.0.0.0/8 %s\n", good[i]);
		m = map_of(text);
		assert_string_equal(tenant_of(m, "10.1.1.1"), good[i]);
		tenant_map_destroy(m);
	}
	snprintf(text, sizeof(text), "10.0.0.0/8 %065d\n", 1);
	refused(text, "too long: give at most 64 bytes");
	snprintf(text, sizeof(text), "10.0.0.0/8 %064d\n", 1);
	tenant_map_destroy(map_of(text));
}

/* ---- files ---- */

static char path[64];

static int make_file(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/ringspan-tenants.XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_lines(size_t lines, size_t last_len)
{
	FILE *f = fopen(path, "we");
	size_t i;

	assert_non_null(f);
	for (i = 0; i < lines; i++)
		fprintf(f, "%u.%u.%u.0/24 t%u\n", (unsigned)(1 + i / 65536),
			(unsigned)(i / 256 % 256), (unsigned)(i % 256), (unsigned)(i % 7));
	for (i = 0; i < last_len; i++)
		fputc('#', f);
	assert_int_equal(fclose(f), 0);
}

static void test_tenant_map_reads_a_file_up_to_its_limits(void **state)
{
	char why[TENANT_MAP_WHY_CAP];
	struct tenant_map *m = NULL;
	struct {
		size_t lines, more;
		const char *why;
	} cases[] = {{65536, 0, NULL},
		     {65537, 0, ":65537: one line too many: at most 65536"},
		     {0, 8 << 20, NULL},
		     {0, (8 << 20) + 1, "larger than 8 MiB"},
		     {0, 0, NULL}};
	unsigned i;
	int err;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		write_lines(cases[i].lines, cases[i].more);
		err = tenant_map_load(&m, path, why);
		assert_int_equal(err, cases[i].why ? -EINVAL : 0);
		if (err) {
			assert_non_null(strstr(why, cases[i].why));
			assert_ptr_equal(strstr(why, path), why);
			continue;
		}
		assert_string_equal(tenant_of(m, "1.255.255.9"), cases[i].lines ? "t1" : "");
		tenant_map_destroy(m);
	}
	assert_int_equal(tenant_map_load(&m, "/nowhere/at/all", why), -EINVAL);
	assert_string_equal(why, "/nowhere/at/all: cannot be read: No such file or directory");
	assert_int_equal(tenant_map_load(&m, "/tmp", why), -EINVAL);
	assert_non_null(strstr(why, "Is a directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tenant_map_longest_prefix_wins),
		cmocka_unit_test(test_tenant_map_the_same_name_is_the_same_tenant),
		cmocka_unit_test(test_tenant_map_source_comes_first_and_interface_last),
		cmocka_unit_test(test_tenant_map_agrees_with_a_plain_search),
		cmocka_unit_test(test_tenant_map_says_which_line_is_wrong),
		cmocka_unit_test(test_tenant_map_one_place_has_one_tenant),
		cmocka_unit_test(test_tenant_map_names_are_plain_text),
		cmocka_unit_test_setup_teardown(test_tenant_map_reads_a_file_up_to_its_limits,
						make_file, remove_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
