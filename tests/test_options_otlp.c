/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where to: endpoints, exporters, several destinations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/options_run.h"

static void test_options_endpoint_is_a_base(void **state)
{
	(void)state;
	check_runs("-i a --otlp-endpoint http://h:4318",
		   "console=0 otlp=1 logs=0 given=1 len=1\n"
		   "to0 traces http://h:4318/v1/traces gzip=0 timeout=10000\n"
		   "to0 metrics http://h:4318/v1/metrics gzip=0 timeout=10000\nto0 logs - ");
	check_runs("-i a --otel-endpoint http://h:4318/", "to0 traces http://h:4318/v1/traces ");
	check_runs("-i a --otlp-endpoint https://h/my", "to0 metrics https://h/my/v1/metrics ");
	check_runs("-i a --otlp-endpoint http://h/my//", "to0 metrics http://h/my/v1/metrics ");
	check_runs("-i a --otlp-endpoint HTTP://[2001:db8::1]:1/",
		   "to0 traces HTTP://[2001:db8::1]:1/v1/traces ");
	check_runs("-i a --otlp-endpoint http://p:9090/api/v1/otlp",
		   "to0 metrics http://p:9090/api/v1/otlp/v1/metrics ");
	check_runs("-i a --exporter otlp", "given=0 len=1\nto0 traces "
					   "http://localhost:4318/v1/traces ");
	check_runs("-i a --exporter console --otlp-endpoint http://h",
		   "console=1 otlp=0 logs=0 given=1 len=0\n");
	check_runs("-i a --exporter console,otlp --otlp-endpoint http://h", "console=1 otlp=1");
}

static void test_options_bad_url_is_refused(void **state)
{
	(void)state;
	check_refused("-i a --otlp-endpoint localhost:4318", "'localhost:4318'", "no scheme");
	check_refused("-i a --otlp-endpoint ftp://h", "'ftp://h'", "only http:// and https://");
	check_refused("-i a --otlp-endpoint grpc://h:4317", "'grpc://h:4317'", "only http://");
	check_refused("-i a --otlp-endpoint http://", "'http://'", "no host");
	check_refused("-i a --otlp-endpoint http://:4318", "'http://:4318'", "no host");
	check_refused("-i a --otlp-endpoint http:///x", "'http:///x'", "no host");
	check_refused("-i a --otlp-endpoint http://h:0", "'http://h:0'", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://[::1]:0", "'http://[::1]:0'", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://h:65536", "65536", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://h:", "'http://h:'", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://h:4x", "4x", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://[::1", "[::1", "not a name or address");
	check_refused("-i a --otlp-endpoint http://[::g]:1", "[::g]", "not an IPv6 address");
	check_refused("-i a --otlp-endpoint http://[::1]x", "[::1]x", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://2001:db8::1:4318", "db8", "1 to 65535");
	check_refused("-i a --otlp-endpoint http://h$/", "h$", "not a name or address");
	check_refused("-i a --otlp-endpoint http://h/?q", "http://h/", "query");
	check_refused("-i a --otlp-endpoint http://h/#f", "http://h/", "fragment");
	check_refused("-i a --otlp-endpoint EMPTY", "''", "no scheme");
	check_refused("-i a --otlp-endpoint http://h --otlp-endpoint h2:1", "'h2:1'", "no scheme");
}

static void test_options_secrets_in_urls_are_not_shown(void **state)
{
	static const char *const bad[] = {"http://user:hush@h:4318", "h:4318/v1/traces?key=hush",
					  "http://h:0/v1/traces?key=hush", "http://h:0/#hush",
					  "user:hush@h:4318"};
	struct options_result r;
	char args[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(args, sizeof(args), "-i a --otlp-endpoint %s", bad[i]);
		options_run(&r, args);
		assert_int_equal(r.code, 64);
		check_lacks(r.err, "hush");
		setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", bad[i], 1);
		options_run(&r, "-i a");
		assert_int_equal(r.code, 64);
		check_lacks(r.err, "hush");
		check_contains(r.err, "error: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT='");
		unsetenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
	}
	check_refused("-i a --otlp-endpoint http://u:p@h", "OTEL_EXPORTER_OTLP_HEADERS",
		      "not supported");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:hush@h:4318", 1);
	check_refused("-i a", "OTEL_EXPORTER_OTLP_ENDPOINT='…'", "OTEL_EXPORTER_OTLP_HEADERS");
}

static void test_options_environment_endpoints(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4318/x/", 1);
	check_runs("-i a", "console=0 otlp=1 logs=0 given=1 len=1\n"
			   "to0 traces http://general:4318/x/v1/traces gzip=0 timeout=10000\n"
			   "to0 metrics http://general:4318/x/v1/metrics gzip=0 timeout=10000\n"
			   "to0 logs - ");
	check_runs("-i a --otlp-endpoint http://option", "to0 traces http://option/v1/traces ");
	setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://own:9090", 1);
	check_runs("-i a", "to0 traces http://general:4318/x/v1/traces ");
	check_runs("-i a", "to0 metrics http://own:9090/ ");
	setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://own/v1/metrics/", 1);
	check_runs("-i a", "to0 metrics http://own/v1/metrics/ ");
	setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://own?k=v", 1);
	check_runs("-i a", "to0 metrics http://own/?k=v ");
	check_runs("-i a --otlp-endpoint http://option", "to0 metrics http://option/v1/metrics ");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "", 1);
	check_runs("-i a", "otlp=1 logs=0 given=1 len=1\nto0 traces - ");
	check_runs("-i a --exporter otlp", "to0 traces http://localhost:4318/v1/traces ");
	check_runs("-i a --exporter otlp", "to0 metrics http://own/?k=v ");
	setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "", 1);
	check_runs("-i a", "console=1 otlp=0 logs=0 given=0 len=0\n");
	setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "host:4318", 1);
	check_refused("-i a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT='host:4318'", "no scheme");
	check_runs("-i a --exporter console", "console=1 otlp=0");
	check_runs("-i a --otlp-endpoint http://h", "to0 traces http://h/v1/traces ");
	unsetenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h?k=v", 1);
	check_refused("-i a", "OTEL_EXPORTER_OTLP_ENDPOINT='http://h'", "query");
}

static void test_options_environment_exporters(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", 1);
	setenv("OTEL_TRACES_EXPORTER", "NONE", 1);
	check_runs("-i a", "console=0 otlp=1 logs=0 given=1 len=1\nto0 traces - ");
	check_runs("-i a", "to0 metrics http://h/v1/metrics ");
	check_runs("-i a --exporter otlp", "to0 traces http://h/v1/traces ");
	setenv("OTEL_TRACES_EXPORTER", "console, otlp", 1);
	setenv("OTEL_METRICS_EXPORTER", "none", 1);
	check_runs("-i a", "console=1 otlp=1");
	check_runs("-i a", "to0 traces http://h/v1/traces gzip=0 timeout=10000\nto0 metrics - ");
	setenv("OTEL_TRACES_EXPORTER", "none", 1);
	check_warns("-i a", "console=0 otlp=0", "nothing is exported");
	setenv("OTEL_TRACES_EXPORTER", "zipkin", 1);
	check_warns("-i a", "to0 traces http://h/v1/traces ", "zipkin");
	unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
	setenv("OTEL_TRACES_EXPORTER", "Otlp", 1);
	check_runs("-i a", "console=0 otlp=1 logs=0 given=0 len=1\n"
			   "to0 traces http://localhost:4318/v1/traces gzip=0 timeout=10000\n"
			   "to0 metrics - ");
	setenv("OTEL_TRACES_EXPORTER", "", 1);
	setenv("OTEL_METRICS_EXPORTER", "", 1);
	check_runs("-i a", "console=1 otlp=0");
	setenv("OTEL_TRACES_EXPORTER", "none", 1);
	check_warns("-i a", "console=0 otlp=0", "nothing is exported");
}

static void test_options_sdk_disabled_sends_nothing(void **state)
{
	(void)state;
	setenv("OTEL_SDK_DISABLED", "True", 1);
	check_warns("-i a --logs --otlp-endpoint http://h --otlp-endpoint http://i",
		    "otlp=0 logs=0 given=1 len=0\nbatch", "OTEL_SDK_DISABLED=true: nothing is");
	setenv("OTEL_LOGS_EXPORTER", "otlp", 1);
	check_warns("-i a", "console=1 otlp=0 logs=0 given=0 len=0\n", "OTEL_SDK_DISABLED=true");
	unsetenv("OTEL_LOGS_EXPORTER");
	setenv("OTEL_SDK_DISABLED", "1", 1);
	check_warns("-i a --otlp-endpoint http://h", "otlp=1", "OTEL_SDK_DISABLED='1' ignored");
	setenv("OTEL_SDK_DISABLED", "FALSE", 1);
	check_runs("-i a --otlp-endpoint http://h", "otlp=1");
	setenv("OTEL_SDK_DISABLED", "", 1);
	check_runs("-i a --otlp-endpoint http://h", "otlp=1");
}

static void test_options_logs_are_off_unless_asked_for(void **state)
{
	(void)state;
	check_runs("-i a --otlp-endpoint http://h --logs", "otlp=1 logs=1");
	check_runs("-i a --otlp-endpoint http://h --logs", "to0 logs http://h/v1/logs ");
	check_runs("-i a --exporter otlp --logs", "to0 logs http://localhost:4318/v1/logs ");
	setenv("OTEL_LOGS_EXPORTER", "OTLP", 1);
	check_runs("-i a", "console=1 otlp=1 logs=1 given=0 len=1\nto0 traces - ");
	check_runs("-i a", "to0 logs http://localhost:4318/v1/logs ");
	check_runs("-i a --otlp-endpoint http://h", "to0 logs http://h/v1/logs ");
	check_runs("-i a --exporter otlp", "otlp=1 logs=1");
	check_runs("-i a --exporter console", "otlp=0 logs=0");
	setenv("OTEL_LOGS_EXPORTER", "none", 1);
	check_runs("-i a --otlp-endpoint http://h", "logs=0");
	check_runs("-i a --otlp-endpoint http://h --logs", "logs=1");
	setenv("OTEL_LOGS_EXPORTER", "console", 1);
	check_warns("-i a --otlp-endpoint http://h", "logs=0", "'console' ignored");
	check_warns("-i a --otlp-endpoint http://h", "logs=0", "not written to the console");
	check_warns("-i a --otlp-endpoint http://h --logs", "logs=1", "'console' ignored");
	setenv("OTEL_LOGS_EXPORTER", "", 1);
	check_runs("-i a --otlp-endpoint http://h", "logs=0");
}

static void test_options_logs_have_their_own_endpoint(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l/x", 1);
	check_runs("-i a", "console=1 otlp=0 logs=0");
	check_runs("-i a --logs", "console=1 otlp=1 logs=1 given=1 len=1\nto0 traces - ");
	check_runs("-i a --logs", "to0 logs http://l/x ");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://g", 1);
	check_runs("-i a", "to0 metrics http://g/v1/metrics gzip=0 timeout=10000\nto0 logs - ");
	check_runs("-i a --logs", "to0 logs http://l/x ");
	check_runs("-i a --logs --otlp-endpoint http://h", "to0 logs http://h/v1/logs ");
	setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "l/x", 1);
	check_runs("-i a", "logs=0");
	check_refused("-i a --logs", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT='l/x'", "no scheme");
	unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
	unsetenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT");
	setenv("OTEL_TRACES_EXPORTER", "otlp", 1);
	check_runs("-i a --logs", "to0 logs http://localhost:4318/v1/logs ");
}

static void test_options_logs_without_otlp_are_warned_about(void **state)
{
	(void)state;
	check_warns("-i a --logs", "console=1 otlp=0 logs=0", "--logs has no effect");
	check_warns("-i a --logs --exporter console", "otlp=0 logs=0", "--logs has no effect");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://g", 1);
	check_warns("-i a --logs --exporter console", "otlp=0 logs=0", "--logs has no effect");
}

static void test_options_endpoint_repeats(void **state)
{
	char args[512] = "-i a";
	int i;

	(void)state;
	check_runs("-i a --otlp-endpoint http://h --otel-endpoint https://h/b/ --logs",
		   "len=2\nto0 traces http://h/v1/traces gzip=0 timeout=10000\n"
		   "to0 metrics http://h/v1/metrics gzip=0 timeout=10000\n"
		   "to0 logs http://h/v1/logs gzip=0 timeout=10000\n"
		   "to1 traces https://h/b/v1/traces gzip=0 timeout=10000\n"
		   "to1 metrics https://h/b/v1/metrics gzip=0 timeout=10000\n"
		   "to1 logs https://h/b/v1/logs gzip=0 timeout=10000\nbatch");
	check_runs("-i a --otlp-endpoint http://h --otlp-endpoint http://h:81 --otlp-endpoint "
		   "http://h/a --otlp-endpoint https://h --otlp-endpoint http://hh --otlp-endpoint "
		   "http://[::1] --otlp-endpoint http://h/A --otlp-endpoint https://h:81",
		   "len=8\n");
	for (i = 0; i < 8; i++)
		snprintf(args + strlen(args), sizeof(args) - strlen(args),
			 " --otlp-endpoint http://h%d", i);
	check_runs(args, "to7 metrics http://h7/v1/metrics ");
	strcat(args, " --otlp-endpoint http://h8");
	check_refused(args, "'http://h8'", "at most 8");
}

static void test_options_same_endpoint_twice_is_refused(void **state)
{
	static const char *const same[][2] = {{"http://h", "http://h"},
					      {"http://h", "http://H/"},
					      {"http://h/x", "HTTP://h:80/x//"},
					      {"https://h", "https://h:443"},
					      {"http://[::1]:80", "http://[::1]"}};
	char args[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		snprintf(args, sizeof(args),
			 "-i a --otlp-endpoint %s --otlp-endpoint http://other --otlp-endpoint %s",
			 same[i][0], same[i][1]);
		check_refused(args, same[i][1], "given twice");
	}
}

static void test_options_exporters_count_for_all_destinations(void **state)
{
	(void)state;
	setenv("OTEL_METRICS_EXPORTER", "none", 1);
	check_runs("-i a --otlp-endpoint http://h --otlp-endpoint http://i",
		   "to0 metrics - gzip=0 timeout=0\nto0 logs - gzip=0 timeout=0\n"
		   "to1 traces http://i/v1/traces gzip=0 timeout=10000\n"
		   "to1 metrics - gzip=0 timeout=0\nto1 logs - ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_options_endpoint_is_a_base, clear_environment),
		cmocka_unit_test_setup(test_options_bad_url_is_refused, clear_environment),
		cmocka_unit_test_setup(test_options_secrets_in_urls_are_not_shown,
				       clear_environment),
		cmocka_unit_test_setup(test_options_environment_endpoints, clear_environment),
		cmocka_unit_test_setup(test_options_environment_exporters, clear_environment),
		cmocka_unit_test_setup(test_options_sdk_disabled_sends_nothing, clear_environment),
		cmocka_unit_test_setup(test_options_logs_are_off_unless_asked_for,
				       clear_environment),
		cmocka_unit_test_setup(test_options_logs_have_their_own_endpoint,
				       clear_environment),
		cmocka_unit_test_setup(test_options_logs_without_otlp_are_warned_about,
				       clear_environment),
		cmocka_unit_test_setup(test_options_endpoint_repeats, clear_environment),
		cmocka_unit_test_setup(test_options_same_endpoint_twice_is_refused,
				       clear_environment),
		cmocka_unit_test_setup(test_options_exporters_count_for_all_destinations,
				       clear_environment),
	};

	return cmocka_run_group_tests_name("options_otlp", tests, NULL, NULL);
}
