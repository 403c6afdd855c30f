/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/flow_samples.h"
#include "user/flow_id.h"

static const uint64_t site_key[4] = {0x0102030405060708, 0x1112131415161718, 3, 4};

static void assert_hex(const uint8_t *bytes, size_t size, const char *expected)
{
	char text[40];
	size_t i;

	for (i = 0; i < size; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	assert_string_equal(text, expected);
}

/* Values made by two other implementations, which agree. */
static void test_flow_id_community_id_is_what_others_compute(void **state)
{
	static const struct {
		uint8_t proto;
		const char *source, *destination;
		uint16_t sport, dport;
		const char *id;
	} known[] = {
		{6, "128.232.110.120", "66.35.250.204", 34855, 80,
		 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{6, "66.35.250.204", "128.232.110.120", 80, 34855,
		 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{1, "192.168.0.89", "192.168.0.1", 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{1, "192.168.0.1", "192.168.0.89", 0, 8, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{1, "192.168.0.89", "192.168.0.1", 3 | FLOW_ICMP_ONEWAY, 1,
		 "1:LXCfhMUFbYXe+CEMrQuZCbiLY3o="},
		{1, "192.168.0.1", "192.168.0.89", 3 | FLOW_ICMP_ONEWAY, 1,
		 "1:o3zT92uTgnRWv/YrDVeXcWumpC4="},
		{58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 136,
		 "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
		{58, "fe80::1", "ff02::1", 143 | FLOW_ICMP_ONEWAY, 0,
		 "1:w1IHeSJ78fCibnmgh3i5T8qjufs="},
		{132, "192.168.170.56", "192.168.170.8", 80, 32836,
		 "1:hJdd9M4obKKzfbAVKrM0ZQ/IQrM="},
		{47, "10.1.24.4", "10.1.24.5", 0, 0, "1:tjZv9iePGy0vSsvDOtgbyjk4unA="},
	};
	char id[FLOW_ID_COMMUNITY_CAP];
	struct flow f;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		f = sample_flow(known[i].proto, known[i].source, known[i].sport,
				known[i].destination, known[i].dport);
		len = flow_id_community(&f.key, true, id);
		assert_int_equal(len, strlen(known[i].id));
		assert_memory_equal(id, known[i].id, len);
	}
}

static void test_flow_id_trace_id_is_what_another_program_computes(void **state)
{
	struct flow f = sample_http();
	uint8_t id[16];

	(void)state;
	flow_id_trace(site_key, &f, flow_id_form(&f), 0, id);
	assert_hex(id, 16, "a79ce7e7c0d464d0130123456789abcd");
	flow_id_trace(site_key, &f, flow_id_form(&f), 1, id);
	assert_hex(id, 16, "92dc9a18451e1c88470123456789abcd");
	f.totals[0].flags = DATA; /* its SYN was not seen */
	flow_id_trace(site_key, &f, flow_id_form(&f), 0, id);
	assert_hex(id, 16, "3f048a373f7c7c0c170123456789abcd");
	f = sample_flow(IPPROTO_UDP, "2001:db8::1", 5353, "2001:db8::2", 53);
	flow_id_trace(site_key, &f, flow_id_form(&f), 0, id);
	assert_hex(id, 16, "0c114a90589e07bf080123456789abcd");
}

static void test_flow_id_reused_port_is_another_trace(void **state)
{
	struct flow f = sample_http(), g = sample_http();
	uint8_t id[16], other[16];

	(void)state;
	g.totals[0].isn++;
	flow_id_trace(site_key, &f, flow_id_form(&f), 0, id);
	flow_id_trace(site_key, &g, flow_id_form(&g), 0, other);
	assert_memory_not_equal(id, other, 9);
	assert_memory_equal(id + 9, other + 9, 7); /* R */
}

static void test_flow_id_simultaneous_open_needs_no_agreement_on_who_was_first(void **state)
{
	struct flow f = sample_http(), g;
	uint8_t id[16], other[16];

	(void)state;
	f.totals[1].flags |= SYN;
	g = f;
	g.info.first_from = 1;
	flow_id_trace(site_key, &f, flow_id_form(&f), 0, id);
	flow_id_trace(site_key, &g, flow_id_form(&g), 0, other);
	assert_memory_equal(id, other, 16);
}

static void test_flow_id_threshold_is_written_as_opentelemetry_does(void **state)
{
	static const struct {
		uint64_t threshold;
		const char *text;
	} known[] = {
		{0, "ot=th:0"},
		{0x80000000000000, "ot=th:8"},
		{0xe6660000000000, "ot=th:e666"},
		{0xfd70a000000000, "ot=th:fd70a"},
		{0xffbe7700000000, "ot=th:ffbe77"},
		{0x00000000000010, "ot=th:0000000000001"},
		{0xfffffffffffffe, "ot=th:fffffffffffffe"},
	};
	char text[FLOW_ID_STATE_CAP];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		assert_int_equal(flow_id_trace_state(known[i].threshold, text),
				 strlen(known[i].text));
		assert_string_equal(text, known[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_id_community_id_is_what_others_compute),
		cmocka_unit_test(test_flow_id_trace_id_is_what_another_program_computes),
		cmocka_unit_test(test_flow_id_reused_port_is_another_trace),
		cmocka_unit_test(
			test_flow_id_simultaneous_open_needs_no_agreement_on_who_was_first),
		cmocka_unit_test(test_flow_id_threshold_is_written_as_opentelemetry_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
