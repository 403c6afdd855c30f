/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is asked over the control socket, which flows fit a filter, and the JSON that goes back. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "user/control_request.h"
#include "user/json.h"

static struct control_request good(const char *text)
{
	char why[CONTROL_WHY_CAP] = "";
	struct control_request r;

	if (control_request_parse(&r, text, strlen(text), why))
		fail_msg("'%s' was refused: %s", text, why);
	return r;
}

static void bad(const char *text, size_t len, const char *expected)
{
	char why[CONTROL_WHY_CAP] = "";
	struct control_request r;

	assert_int_equal(control_request_parse(&r, text, len, why), -EINVAL);
	if (!strstr(why, expected))
		fail_msg("'%.40s' was refused with '%s', not '%s'", text, why, expected);
	assert_null(strchr(why, '\n'));
}

static void test_control_requests_are_understood(void **state)
{
	struct control_request r = good("status");

	(void)state;
	assert_int_equal(r.verb, CONTROL_STATUS);
	assert_false(r.json);
	r = good("status json\n");
	assert_int_equal(r.verb, CONTROL_STATUS);
	assert_true(r.json);
	r = good("sample 1/500");
	assert_int_equal(r.verb, CONTROL_SAMPLE);
	assert_int_equal(r.sample_n, 500);
	assert_int_equal(good("sample 1% json").sample_n, 100);
	assert_int_equal(good("sample json 1/3").sample_n, 3);
	assert_false(good("sample 1/3").sample_auto);
	assert_true(good("sample auto json").sample_auto);
	assert_int_equal(good("flush").verb, CONTROL_FLUSH);
	assert_int_equal(good("stop").verb, CONTROL_STOP);
	r = good("flows");
	assert_int_equal(r.verb, CONTROL_FLOWS);
	assert_int_equal(r.limit, 20);
	assert_int_equal(r.sort, CONTROL_BY_PACKETS);
	assert_int_equal(r.filter.len, 0);
	r = good("flows json sort=bytes limit=1000 filter=tcp 443");
	assert_true(r.json);
	assert_int_equal(r.limit, 1000);
	assert_int_equal(r.sort, CONTROL_BY_BYTES);
	assert_int_equal(r.filter.len, 2);
	assert_int_equal(good("flows sort=age").sort, CONTROL_BY_AGE);
	/* all that follows is the filter */
	r = good("flows filter=tcp limit=5");
	assert_int_equal(r.limit, 20);
	assert_string_equal(r.filter.words[1].name, "limit=5");
}

static void test_control_anything_else_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} table[] = {
		{"", "empty"},
		{"\n", "empty"},
		{"hello", "'hello': no such request"},
		{"STATUS", "no such request"},
		{" status", "no such request"},
		{"status now", "'now' is not understood"},
		{"status limit=3", "not understood"},
		{"sample", "no rate given"},
		{"sample json", "no rate given"},
		{"sample 100", "for one flow in 100 give 1/100"},
		{"sample 1/0", "out of range"},
		{"sample 2/3", "only one flow in N"},
		{"sample 1/10 1/10", "not understood"},
		{"stop 1/10", "not understood"},
		{"flows limit=0", "1 to 1000"},
		{"flows limit=1001", "1 to 1000"},
		{"flows limit=-1", "1 to 1000"},
		{"flows limit=", "1 to 1000"},
		{"flows limit=99999999999999999999", "1 to 1000"},
		{"flows sort=size", "packets, bytes or age"},
		{"flows filter=70000", "no port"},
		{"flows filter=10.0.0.0/33", "no address"},
		{"flows filter=10.0.0.0/", "no address"},
		{"flows filter=fd00::/129", "no address"},
		{"flows filter=fd00::zz", "no address"},
		{"flows filter=a-name-too-long-for-an-interface", "no address"},
		{"flows filter=1 2 3 4 5 6 7 8 9", "too many"},
		{"status\nstop", "plain text"},
		{"status\x7f", "plain text"},
		{"stop\xc3\xa4", "plain text"},
	};
	char long_text[CONTROL_REQUEST_BYTES + 2], word[100];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(*table); i++)
		bad(table[i].text, strlen(table[i].text), table[i].why);
	bad("status\0stop", 11, "plain text");
	memset(long_text, ' ', sizeof(long_text));
	memcpy(long_text, "status", 6);
	assert_int_equal(long_text[CONTROL_REQUEST_BYTES], ' ');
	bad(long_text, CONTROL_REQUEST_BYTES + 1, "too long");
	long_text[CONTROL_REQUEST_BYTES] = '\0';
	assert_int_equal(good(long_text).verb, CONTROL_STATUS);
	memset(word, 'a', sizeof(word));
	memcpy(word, "flows filter=", 13);
	bad(word, sizeof(word), "too long for an address");
}

static struct flow_key key_of(const char *a, uint16_t a_port, const char *b, uint16_t b_port,
			      uint8_t proto)
{
	struct flow_key k = {.proto = proto, .family = strchr(a, ':') ? 6 : 4, .if_slot = 3};
	int af = k.family == 6 ? AF_INET6 : AF_INET;

	k.port[0] = htons(a_port);
	k.port[1] = htons(b_port);
	assert_int_equal(inet_pton(af, a, k.addr[0]), 1);
	assert_int_equal(inet_pton(af, b, k.addr[1]), 1);
	return k;
}

static bool fits(const char *filter, const struct flow_key *k)
{
	char why[CONTROL_WHY_CAP] = "";
	struct control_filter f;

	if (control_filter_parse(&f, filter, strlen(filter), why))
		fail_msg("'%s': %s", filter, why);
	return control_filter_fits(&f, k);
}

static void test_control_filter_fits_either_end(void **state)
{
	struct flow_key v4 = key_of("10.1.2.3", 40000, "192.168.7.9", 443, 6);
	struct flow_key v6 = key_of("fd00::1", 53, "fd00:0:0:1::2", 5353, 17);
	struct flow_key ping = key_of("10.0.0.1", 8, "10.0.0.2", 0, 1);

	(void)state;
	assert_true(fits("", &v4));
	assert_true(fits("  ", &v4));
	assert_true(fits("10.1.2.3", &v4));
	assert_true(fits("192.168.7.9", &v4));
	assert_false(fits("10.1.2.4", &v4));
	assert_true(fits("10.1.2.2/31", &v4));
	assert_false(fits("10.1.2.0/31", &v4));
	assert_true(fits("0.0.0.0/0", &v4));
	assert_false(fits("0.0.0.0/0", &v6));
	assert_false(fits("::/0", &v4));
	assert_true(fits("192.168.0.0/16", &v4));
	assert_true(fits("fd00::/64", &v6));
	assert_true(fits("fd00:0:0:1::/64", &v6));
	assert_false(fits("fd00:0:0:2::/64", &v6));
	assert_true(fits("443", &v4));
	assert_true(fits("40000", &v4));
	assert_false(fits("80", &v4));
	assert_true(fits("tcp 443 10.1.2.3", &v4));
	assert_false(fits("tcp 443 10.1.2.4", &v4));
	assert_false(fits("udp", &v4));
	assert_true(fits("udp", &v6));
	assert_true(fits("icmp", &ping));
	assert_false(fits("icmpv6", &ping));
}

static void test_control_filter_leaves_interfaces_to_the_caller(void **state)
{
	struct flow_key k = key_of("10.1.2.3", 1, "10.1.2.4", 2, 6);
	char why[CONTROL_WHY_CAP] = "";
	struct control_filter f;

	(void)state;
	assert_int_equal(control_filter_parse(&f, "eth0", 4, why), 0);
	assert_int_equal(f.words[0].kind, CONTROL_FILTER_INTERFACE);
	assert_string_equal(f.words[0].name, "eth0");
	f.words[0].if_slot = 3;
	assert_true(control_filter_fits(&f, &k));
	f.words[0].if_slot = 2;
	assert_false(control_filter_fits(&f, &k));
}

/* ---- JSON ---- */

static char *written(void (*fn)(struct json *j))
{
	char *text = NULL;
	size_t size;
	struct json j;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	json_init(&j, out);
	fn(&j);
	assert_int_equal(j.depth, 0);
	fclose(out);
	return text;
}

static void write_all(struct json *j)
{
	json_open_object(j, NULL);
	json_add_text(j, "a", "b");
	json_add_text(j, "none", NULL);
	json_open_array(j, "list");
	json_add_uint(j, NULL, UINT64_MAX);
	json_open_object(j, NULL);
	json_close(j);
	json_open_array(j, NULL);
	json_close(j);
	json_open_object(j, NULL);
	json_add_uint(j, "x", 1);
	json_add_uint(j, "y", 2);
	json_close(j);
	json_open_array(j, NULL);
	json_add_uint(j, NULL, 0);
	json_close(j);
	json_add_bool(j, NULL, true);
	json_add_number(j, NULL, 1.5);
	json_add_number(j, NULL, NAN);
	json_add_number(j, NULL, -INFINITY);
	json_close(j);
	json_add_bool(j, "z", false);
	json_close(j);
}

static void test_control_json_nests_and_separates(void **state)
{
	char *text = written(write_all);

	(void)state;
	assert_string_equal(text, "{\"a\":\"b\",\"none\":null,\"list\":[18446744073709551615,{},[],"
				  "{\"x\":1,\"y\":2},[0],true,"
				  "1.5,null,null],\"z\":false}");
	free(text);
}

static void write_strange(struct json *j)
{
	json_open_array(j, NULL);
	json_add_text(j, NULL, "quote\" back\\slash /");
	json_add_text(j, NULL, "\x01\n\x1f\x7f");
	json_add_text(j, NULL, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
	json_add_text(j, NULL,
		      "\xff"
		      "a\xc3");
	json_add_text(j, NULL, "\xc0\x80");
	json_add_text(j, NULL, "\xed\xa0\x80");
	json_add_text(j, NULL, "\xf4\x90\x80\x80");
	json_close(j);
}

static void test_control_json_text_is_always_valid(void **state)
{
	char *text = written(write_strange);

	(void)state;
	assert_string_equal(text, "[\"quote\\\" back\\\\slash /\",\"\\u0001\\u000a\\u001f\\u007f\","
				  "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\",\"\\ufffda\\ufffd\","
				  "\"\\ufffd\\ufffd\",\"\\ufffd\\ufffd\\ufffd\","
				  "\"\\ufffd\\ufffd\\ufffd\\ufffd\"]");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_requests_are_understood),
		cmocka_unit_test(test_control_anything_else_is_refused),
		cmocka_unit_test(test_control_filter_fits_either_end),
		cmocka_unit_test(test_control_filter_leaves_interfaces_to_the_caller),
		cmocka_unit_test(test_control_json_nests_and_separates),
		cmocka_unit_test(test_control_json_text_is_always_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
