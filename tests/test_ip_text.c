/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What inet_ntop() of the C library writes is right. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/ip_text.h"

static void assert_as_libc(uint8_t family, const uint8_t addr[16])
{
	char want[INET6_ADDRSTRLEN], got[IP_TEXT_CAP];
	size_t len = ip_text(family, addr, got);

	assert_non_null(inet_ntop(family == 4 ? AF_INET : AF_INET6, addr, want, sizeof(want)));
	assert_string_equal(got, want);
	assert_int_equal(len, strlen(want));
}

static void test_ip_text_writes_ipv4_as_the_c_library(void **state)
{
	uint8_t addr[16];
	unsigned i, byte;

	(void)state;
	for (byte = 0; byte < 256; byte++) {
		for (i = 0; i < 4; i++)
			addr[i] = byte + 61 * i;
		assert_as_libc(4, addr);
	}
}

/* Every pattern of groups that are 0, of groups of any number of digits. */
static void test_ip_text_writes_ipv6_as_the_c_library(void **state)
{
	static const uint16_t kinds[] = {0x1, 0x10, 0xab, 0x100, 0xdef, 0x1000, 0xffff};
	unsigned pattern, round, i;
	uint8_t addr[16];
	uint16_t group;

	(void)state;
	srand(1);
	for (round = 0; round < 200; round++) {
		for (pattern = 0; pattern < 256; pattern++) {
			for (i = 0; i < 8; i++) {
				group = pattern >> i & 1
						? kinds[(unsigned)rand() % (sizeof(kinds) / 2)]
						: 0;
				if (group == 0xffff && round > 100)
					group = 1 + rand() % 0xffff;
				addr[2 * i] = group >> 8;
				addr[2 * i + 1] = group;
			}
			assert_as_libc(6, addr);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip_text_writes_ipv4_as_the_c_library),
		cmocka_unit_test(test_ip_text_writes_ipv6_as_the_c_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
