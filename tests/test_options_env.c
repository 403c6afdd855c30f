/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/options_run.h"

static void test_options_endpoint_is_a_base(void **state)
{
	(void)state;
	check_runs("-i a --otlp-endpoint http://h:4318",
		   "console=0 otlp=1 gzip=0\nurl0=http://h:4318/v1/traces\n"
		   "url1=http://h:4318/v1/metrics\nurl2=-\n");
	check_runs("-i a --otel-endpoint http://h:4318/", "url0=http://h:4318/v1/traces\n");
	check_runs("-i a --otlp-endpoint https://h/my", "url1=https://h/my/v1/metrics\n");
	check_runs("-i a --otlp-endpoint http://h/my//", "url1=http://h/my/v1/metrics\n");
	check_runs("-i a --otlp-endpoint HTTP://[2001:db8::1]:1/",
		   "url0=HTTP://[2001:db8::1]:1/v1/traces\n");
	check_runs("-i a --exporter otlp", "url0=http://localhost:4318/v1/traces\n");
	check_runs("-i a --exporter console --otlp-endpoint http://h", "console=1 otlp=0");
	check_runs("-i a --exporter console,otlp --otlp-endpoint http://h", "console=1 otlp=1");
}

static void test_options_bad_url_is_refused(void **state)
{
	(void)state;
	check_refused("-i a --otlp-endpoint localhost:4318", "'localhost:4318'", "no scheme");
	check_refused("-i a --otlp-endpoint ftp://h", "'ftp://h'", "only http:// and https://");
	check_refused("-i a --otlp-endpoint http://", "'http://'", "no host");
	check_refused("-i a --otlp-endpoint http://:4318", "'http://:4318'", "no host");
	check_refused("-i a --otlp-endpoint http:///x", "'http:///x'", "no host");
	check_refused("-i a --otlp-endpoint http://h:0", "'http://h:0'", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://h:65536", "65536", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://h:", "'http://h:'", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://h:4x", "4x", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://[::1", "[::1", "not a name or address");
	check_refused("-i a --otlp-endpoint http://[::g]:1", "[::g]", "not an IPv6 address");
	check_refused("-i a --otlp-endpoint http://[::1]x", "[::1]x", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://h$/", "h$", "not a name or address");
	check_refused("-i a --otlp-endpoint http://h/?q", "?q", "query");
	check_refused("-i a --otlp-endpoint http://h/#f", "#f", "fragment");
	check_refused("-i a --otlp-endpoint http://a --otel-endpoint http://b", "twice",
		      "one endpoint");
}

static void test_options_password_in_url_is_not_shown(void **state)
{
	struct options_result r;

	(void)state;
	options_run(&r, "-i a --otlp-endpoint http://user:secret@h:4318");
	assert_int_equal(r.code, 64);
	check_contains(r.err, "OTEL_EXPORTER_OTLP_HEADERS");
	check_lacks(r.err, "secret");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@h:4318", 1);
	options_run(&r, "-i a");
	assert_int_equal(r.code, 64);
	check_contains(r.err, "OTEL_EXPORTER_OTLP_ENDPOINT");
	check_lacks(r.err, "secret");
}

static void test_options_environment_endpoints(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4318/x/", 1);
	check_runs("-i a", "console=0 otlp=1 gzip=0\nurl0=http://general:4318/x/v1/traces\n"
			   "url1=http://general:4318/x/v1/metrics\nurl2=-\n");
	check_runs("-i a --otlp-endpoint http://option", "url0=http://option/v1/traces\n");
	setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://own:9090", 1);
	check_runs("-i a", "url0=http://general:4318/x/v1/traces\nurl1=http://own:9090/\n");
	setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://own/v1/metrics/", 1);
	check_runs("-i a", "url1=http://own/v1/metrics/\n");
	setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://own?k=v", 1);
	check_runs("-i a", "url1=http://own/?k=v\n");
	check_runs("-i a --otlp-endpoint http://option", "url1=http://option/v1/metrics\n");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "", 1);
	check_runs("-i a", "otlp=1 gzip=0\nurl0=-\nurl1=http://own/?k=v\n");
	check_runs("-i a --exporter otlp",
		   "url0=http://localhost:4318/v1/traces\nurl1=http://own/?k=v\n");
	setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "", 1);
	check_runs("-i a", "console=1 otlp=0");
	setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "host:4318", 1);
	check_refused("-i a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT='host:4318'", "no scheme");
	check_runs("-i a --exporter console", "console=1 otlp=0");
}

static void test_options_environment_exporters(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", 1);
	setenv("OTEL_TRACES_EXPORTER", "NONE", 1);
	check_runs("-i a", "console=0 otlp=1 gzip=0\nurl0=-\nurl1=http://h/v1/metrics\n");
	check_runs("-i a --exporter otlp", "url0=http://h/v1/traces\nurl1=http://h/v1/metrics\n");
	setenv("OTEL_TRACES_EXPORTER", "console, otlp", 1);
	setenv("OTEL_METRICS_EXPORTER", "none", 1);
	check_runs("-i a", "console=1 otlp=1 gzip=0\nurl0=http://h/v1/traces\nurl1=-\n");
	setenv("OTEL_TRACES_EXPORTER", "none", 1);
	check_warns("-i a", "console=0 otlp=0", "nothing is exported");
	setenv("OTEL_TRACES_EXPORTER", "zipkin", 1);
	check_warns("-i a", "url0=http://h/v1/traces\nurl1=-\n", "zipkin");
	unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
	setenv("OTEL_TRACES_EXPORTER", "otlp", 1);
	check_runs("-i a",
		   "console=0 otlp=1 gzip=0\nurl0=http://localhost:4318/v1/traces\nurl1=-\n");
}

static void test_options_sdk_disabled_sends_nothing(void **state)
{
	(void)state;
	setenv("OTEL_SDK_DISABLED", "True", 1);
	check_warns("-i a --otlp-endpoint http://h", "otlp=0 gzip=0\nurl0=-\nurl1=-\n",
		    "OTEL_SDK_DISABLED");
	setenv("OTEL_SDK_DISABLED", "1", 1);
	check_warns("-i a --otlp-endpoint http://h", "otlp=1", "OTEL_SDK_DISABLED='1' ignored");
	setenv("OTEL_SDK_DISABLED", "FALSE", 1);
	check_runs("-i a --otlp-endpoint http://h", "otlp=1");
}

static void test_options_environment_numbers(void **state)
{
	(void)state;
	setenv("OTEL_METRIC_EXPORT_INTERVAL", "2500", 1);
	setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0", 1);
	check_runs("-i a", "timeout=0 interval=2500");
	check_runs("-i a --interval 3", "interval=3000");
	setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "-5", 1);
	check_warns("-i a", "timeout=10000 interval=2500", "OTEL_EXPORTER_OTLP_TIMEOUT='-5'");
	setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "", 1);
	setenv("OTEL_METRIC_EXPORT_INTERVAL", "10s", 1);
	check_warns("-i a", "timeout=10000 interval=10000", "OTEL_METRIC_EXPORT_INTERVAL='10s'");
}

static void test_options_environment_transfer(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", 1);
	check_runs("-i a", "gzip=1");
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none", 1);
	check_runs("-i a", "gzip=0");
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", 1);
	check_warns("-i a", "gzip=0", "'zstd' ignored");
	unsetenv("OTEL_EXPORTER_OTLP_COMPRESSION");
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1);
	check_warns("-i a", "gzip=0", "'grpc' ignored");
}

static void test_options_headers_are_decoded(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_HEADERS",
	       " Authorization = Basic%20dXNlcg== ,x-a=1+2%2C3,x-b=,X-A=last,", 1);
	check_runs("-i a", "header Authorization=Basic dXNlcg==\nheader x-a=last\nheader x-b=\n");
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "x=1+2%2C3%25", 1);
	check_runs("-i a", "header x=1+2,3%\n");
}

static void test_options_bad_headers_are_skipped_unseen(void **state)
{
	struct options_result r;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_HEADERS",
	       "hush1,good=1,bad name=hush2,x=hush3%0d%0aInjected:1,y=hush4%4,z=hush5%00,"
	       "Content-Type=hush6,=hush7,w=hush8%0,v=hush9%7f",
	       1);
	options_run(&r, "-i a");
	assert_int_equal(r.code, 0);
	check_contains(r.out, "header good=1\nresource0");
	check_lacks(r.err, "hush");
	check_contains(r.err, "pair 1 ignored");
	check_contains(r.err, "pair 3 ignored");
	check_contains(r.err, "pair 4 ignored: its value has a line break");
	check_contains(r.err, "pair 5 ignored: its value has a broken percent");
	check_contains(r.err, "pair 6 ignored");
	check_contains(r.err, "pair 7 ignored: ringspan sets this header");
	check_contains(r.err, "pair 8 ignored");
	check_contains(r.err, "pair 9 ignored");
	check_contains(r.err, "pair 10 ignored: its value has a line break");
	check_lacks(r.err, "pair 2");
}

static void test_options_resource_names_who_we_are(void **state)
{
	char host[256], part[300];

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	snprintf(part, sizeof(part), " host.name=%s\n", host);
	check_runs("-i a", "resource0 service.name=xdp-packet-counter\n"
			   "resource1 service.version=0.1.0\nresource2 service.instance.id=");
	check_runs("-i a", part);
	check_runs("-i a", " os.type=linux\n");
	check_runs("-i a", " host.arch=");
}

static void test_options_instance_id_is_a_new_uuid(void **state)
{
	struct options_result a, b;
	const char *id;

	(void)state;
	options_run(&a, "-i a");
	options_run(&b, "-i a");
	id = strstr(a.out, "service.instance.id=") + 20;
	assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
	assert_int_equal(id[14], '4');
	assert_non_null(strchr("89ab", id[19]));
	assert_int_not_equal(strncmp(id, strstr(b.out, "service.instance.id=") + 20, 36), 0);
}

static void test_options_resource_attributes_add_and_override(void **state)
{
	(void)state;
	setenv("OTEL_RESOURCE_ATTRIBUTES",
	       "team=a%2Cb%3Dc, host.name = other ,service.name=mine,deployment.environment=env",
	       1);
	check_runs("-i a", "resource0 service.name=mine\n");
	check_runs("-i a", " host.name=other\n");
	check_runs("-i a", " team=a,b=c\n");
	check_runs("-i a", " deployment.environment=env\n");
	check_runs("-i a --environment option", " deployment.environment=option\n");
	setenv("OTEL_SERVICE_NAME", "named", 1);
	check_runs("-i a", "resource0 service.name=named\n");
	setenv("OTEL_SERVICE_NAME", "", 1);
	check_runs("-i a", "resource0 service.name=mine\n");
}

static void test_options_broken_resource_attributes_count_for_nothing(void **state)
{
	static const char *const broken[] = {"team=a,novalue", "team=a,x=%2",  "team=a,=x",
					     "team=a,,x=1",    "team=a,x=%zz", "team=a,x=%00"};
	struct options_result r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		setenv("OTEL_RESOURCE_ATTRIBUTES", broken[i], 1);
		options_run(&r, "-i a");
		assert_int_equal(r.code, 0);
		check_contains(r.err, "OTEL_RESOURCE_ATTRIBUTES ignored as a whole");
		check_lacks(r.out, "team");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_options_endpoint_is_a_base, clear_environment),
	    cmocka_unit_test_setup(test_options_bad_url_is_refused, clear_environment),
	    cmocka_unit_test_setup(test_options_password_in_url_is_not_shown, clear_environment),
	    cmocka_unit_test_setup(test_options_environment_endpoints, clear_environment),
	    cmocka_unit_test_setup(test_options_environment_exporters, clear_environment),
	    cmocka_unit_test_setup(test_options_sdk_disabled_sends_nothing, clear_environment),
	    cmocka_unit_test_setup(test_options_environment_numbers, clear_environment),
	    cmocka_unit_test_setup(test_options_environment_transfer, clear_environment),
	    cmocka_unit_test_setup(test_options_headers_are_decoded, clear_environment),
	    cmocka_unit_test_setup(test_options_bad_headers_are_skipped_unseen, clear_environment),
	    cmocka_unit_test_setup(test_options_resource_names_who_we_are, clear_environment),
	    cmocka_unit_test_setup(test_options_instance_id_is_a_new_uuid, clear_environment),
	    cmocka_unit_test_setup(test_options_resource_attributes_add_and_override,
				   clear_environment),
	    cmocka_unit_test_setup(test_options_broken_resource_attributes_count_for_nothing,
				   clear_environment),
	};

	return cmocka_run_group_tests_name("options_env", tests, NULL, NULL);
}
