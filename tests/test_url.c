/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "otlp/url.h"

static void test_url_takes_it_apart(void **state)
{
	static const struct {
		const char *text;
		bool is_tls;
		const char *host;
		uint16_t port;
		const char *authority, *path;
	} cases[] = {
		{"http://h:4318/v1/traces", false, "h", 4318, "h:4318", "/v1/traces"},
		{"http://h", false, "h", 80, "h", "/"},
		{"https://h", true, "h", 443, "h", "/"},
		{"https://h:443/a", true, "h", 443, "h", "/a"},
		{"https://h:80/a", true, "h", 80, "h:80", "/a"},
		{"HTTP://Coll.Example:1/A", false, "coll.example", 1, "coll.example:1", "/A"},
		{"http://[::1]:4318/x", false, "::1", 4318, "[::1]:4318", "/x"},
		{"http://[0:0::0001]/x", false, "::1", 80, "[::1]", "/x"},
		{"http://[::FFFF:127.0.0.1]/x", false, "::ffff:127.0.0.1", 80, "[::ffff:127.0.0.1]",
		 "/x"},
		{"https://c/v1/metrics/", true, "c", 443, "c", "/v1/metrics/"},
		{"http://p:9090/api/v1/otlp/v1/metrics", false, "p", 9090, "p:9090",
		 "/api/v1/otlp/v1/metrics"},
		{"https://[2001:DB8::1]", true, "2001:db8::1", 443, "[2001:db8::1]", "/"},
		{"http://h/a/", false, "h", 80, "h", "/a/"},
		{"http://h/a%2Fb/../c", false, "h", 80, "h", "/a%2Fb/../c"},
		{"http://h/a?k=v#part", false, "h", 80, "h", "/a?k=v"},
		{"http://h?k=v", false, "h", 80, "h", "/?k=v"},
		{"http://h#part", false, "h", 80, "h", "/"},
		{"http://h/a@b", false, "h", 80, "h", "/a@b"},
		{"http://h:65535/", false, "h", 65535, "h:65535", "/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = NULL;
		struct otlp_url u;

		assert_int_equal(otlp_url_parse(&u, cases[i].text, &why), 0);
		assert_int_equal(u.is_tls, cases[i].is_tls);
		assert_string_equal(u.host, cases[i].host);
		assert_int_equal(u.port, cases[i].port);
		assert_string_equal(u.authority, cases[i].authority);
		assert_string_equal(u.path, cases[i].path);
	}
}

static void test_url_refuses_with_a_reason(void **state)
{
	static const char *const cases[] = {"",
					    "h:4318",
					    "//h/",
					    "grpc://h",
					    "http:/h",
					    "http://",
					    "http:///p",
					    "http://:80/",
					    "http://h:/",
					    "http://h:0/",
					    "http://h:65536/",
					    "http://h:99999999999/",
					    "http://h:1x/",
					    "http://h:-1/",
					    "http://u@h/",
					    "http://u:p@h/",
					    "http://h h/",
					    "http://h\r\nX: y/",
					    "http://h/a b",
					    "http://h/a\nb",
					    "http://h/\xc3\xa4",
					    "http://[::1/",
					    "http://[]/",
					    "http://[::g]/",
					    "http://[::1]x/",
					    "http://[::1]80/",
					    "http://[fe80::1%25eth0]/",
					    "http://[127.0.0.1]/",
					    "http://[::1]:0/",
					    "localhost",
					    "localhost:4318/v1/traces",
					    "http//h",
					    "http://::1/",
					    "http://h%41/"};
	char text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = NULL;
		struct otlp_url u;

		assert_int_equal(otlp_url_parse(&u, cases[i], &why), -EINVAL);
		assert_non_null(why);
	}
	for (size_t len = 200; len < sizeof(text); len += 7) {
		const char *why = NULL;
		struct otlp_url u;

		memcpy(text, "http://", 7);
		memset(text + 7, 'a', len - 7);
		text[len] = '\0';
		assert_int_equal(otlp_url_parse(&u, text, &why), len - 7 < 254 ? 0 : -EINVAL);
		text[20] = '/';
		assert_int_equal(otlp_url_parse(&u, text, &why), len - 20 < 1024 ? 0 : -EINVAL);
	}
}

static void test_url_label_leaves_out_the_query(void **state)
{
	const char *why;
	struct otlp_url u;
	char buf[1400];

	(void)state;
	assert_int_equal(otlp_url_parse(&u, "https://h:8/a?token=secret", &why), 0);
	assert_string_equal(otlp_url_label(&u, buf, sizeof(buf)), "https://h:8/a");
}

static void test_url_origin_is_scheme_host_and_port(void **state)
{
	const char *why;
	struct otlp_url a, b;

	(void)state;
	assert_int_equal(otlp_url_parse(&a, "http://H/x", &why), 0);
	assert_int_equal(otlp_url_parse(&b, "http://h:80/y", &why), 0);
	assert_true(otlp_url_same_origin(&a, &b));
	assert_int_equal(otlp_url_parse(&b, "https://h:80/x", &why), 0);
	assert_false(otlp_url_same_origin(&a, &b));
	assert_int_equal(otlp_url_parse(&b, "http://h:81/x", &why), 0);
	assert_false(otlp_url_same_origin(&a, &b));
	assert_int_equal(otlp_url_parse(&b, "http://i/x", &why), 0);
	assert_false(otlp_url_same_origin(&a, &b));
	assert_int_equal(otlp_url_parse(&a, "http://[::1]:80/", &why), 0);
	assert_int_equal(otlp_url_parse(&b, "http://[0:0:0::1]/x", &why), 0);
	assert_true(otlp_url_same_origin(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url_takes_it_apart),
		cmocka_unit_test(test_url_refuses_with_a_reason),
		cmocka_unit_test(test_url_label_leaves_out_the_query),
		cmocka_unit_test(test_url_origin_is_scheme_host_and_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
