/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/flow_samples.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct flow sample_flow(uint8_t proto, const char *source, uint16_t sport, const char *destination,
			uint16_t dport)
{
	struct flow f = {.key = {.proto = proto, .family = strchr(source, ':') ? 6 : 4},
			 .clock_offset_ns = 1700000000 * S};
	int family = f.key.family == 4 ? AF_INET : AF_INET6, order;
	uint8_t a[16] = {0}, b[16] = {0}, first;
	bool ok;

	ok = inet_pton(family, source, a) == 1 && inet_pton(family, destination, b) == 1;
	assert_true(ok);
	order = memcmp(a, b, 16);
	first = order > 0 || (order == 0 && sport > dport);
	memcpy(f.key.addr[first], a, 16);
	memcpy(f.key.addr[!first], b, 16);
	f.key.port[first] = htons(sport);
	f.key.port[!first] = htons(dport);
	f.info.first_from = first;
	f.info.first_mono_ns = 5 * S;
	f.hash = 0xAB0123456789ABCD;
	f.totals[first] =
		(struct flow_totals){.pkts = 12, .bytes = 1234, .last_mono_ns = 5 * S + 3200000};
	f.totals[!first] =
		(struct flow_totals){.pkts = 10, .bytes = 14321, .last_mono_ns = 5 * S + 3000000};
	f.initiator = first;
	return f;
}

struct flow sample_http(void)
{
	struct flow f = sample_flow(IPPROTO_TCP, "10.1.0.1", 41234, "10.1.0.2", 80);

	f.totals[0].flags = SYN | DATA;
	f.totals[0].isn = 0x12345678;
	f.totals[1].flags = SYNACK | DATA | FLOW_TCP_FIN;
	f.totals[1].isn = 0x9abcdef0;
	return f;
}
