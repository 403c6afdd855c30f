/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How: headers, compression, timeout, files, protocol, by signal and by destination. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/options_run.h"

#define ONE "-i a --otlp-endpoint https://h --logs"
#define TWO "-i a --otlp-endpoint https://h --otlp-endpoint https://i"

/* Files for certificates; the directory is made once. */
static char dir[] = "/tmp/test_options_target_XXXXXX";
static char file_a[64], file_b[64], file_c[64], file_missing[64];

static void write_file(char path[64], const char *name)
{
	FILE *f;

	snprintf(path, 64, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("-----BEGIN hush-----\n", f);
	fclose(f);
}

static int make_files(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	write_file(file_a, "a");
	write_file(file_b, "b");
	write_file(file_c, "c");
	snprintf(file_missing, sizeof(file_missing), "%s/missing", dir);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	unlink(file_a);
	unlink(file_b);
	unlink(file_c);
	return rmdir(dir);
}

static void test_options_compression_and_timeout_by_signal(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP", 1);
	setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0", 1);
	check_runs(ONE, "to0 traces https://h/v1/traces gzip=1 timeout=0\n");
	setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "None", 1);
	setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "3600000", 1);
	setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "7", 1);
	setenv("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "", 1);
	check_runs(ONE, "to0 traces https://h/v1/traces gzip=0 timeout=0\n"
			"to0 metrics https://h/v1/metrics gzip=1 timeout=3600000\n"
			"to0 logs https://h/v1/logs gzip=1 timeout=7\n");
	setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "-7", 1);
	check_warns(ONE, "to0 logs https://h/v1/logs gzip=1 timeout=0\n",
		    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT='-7' ignored");
	/* not exported: not read */
	check_runs("-i a --otlp-endpoint https://h", "otlp=1");
	setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "3600001", 1);
	check_warns(ONE, "to0 logs https://h/v1/logs gzip=1 timeout=0\n", "from 0 to 3600000");
}

static void test_options_bad_compression_and_timeout_are_ignored(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", 1);
	check_warns(ONE, "gzip=0", "OTEL_EXPORTER_OTLP_COMPRESSION='zstd' ignored: there are gzip");
	check_runs("-i a", "otlp=0");
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
	setenv("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "deflate", 1);
	check_warns(ONE, "to0 metrics https://h/v1/metrics gzip=1", "'deflate' ignored");
	unsetenv("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION");
	setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", 1);
	check_warns(ONE, "timeout=10000", "OTEL_EXPORTER_OTLP_TIMEOUT='10s' ignored");
	setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "99999999999999999999999", 1);
	check_warns(ONE, "timeout=10000", "milliseconds");
}

static void test_options_other_protocols_are_one_warning(void **state)
{
	struct options_result r;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1);
	options_run(&r, ONE);
	assert_int_equal(r.code, 0);
	check_count(r.err, "\n", 1);
	check_contains(r.err, "OTEL_EXPORTER_OTLP_PROTOCOL='grpc' ignored");
	check_contains(r.err, "http/protobuf");
	check_contains(r.err, "4318");
	check_contains(r.err, "4317");
	check_runs("-i a", "otlp=0");
	setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "HTTP/protobuf", 1);
	check_warns(ONE, "otlp=1", "OTEL_EXPORTER_OTLP_PROTOCOL='grpc'");
	setenv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf", 1);
	check_runs("-i a --otlp-endpoint https://h", "otlp=1");
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "", 1);
	check_runs(ONE, "otlp=1");
	setenv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json", 1);
	check_runs("-i a --otlp-endpoint https://h", "otlp=1");
	check_warns(ONE, "otlp=1", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL='http/json' ignored");
}

static void test_options_headers_are_decoded(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_HEADERS",
	       " Authorization = Basic%20dXNlcg== ,x-a=1+2%2C3,x-b=,X-A=last,", 1);
	check_runs(ONE, "to0 traces header Authorization=Basic dXNlcg==\n"
			"to0 traces header x-a=last\nto0 traces header x-b=\nto0 metrics");
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "x=1+2%2C3%25%c3%A4,%78=1,tab=a%09b", 1);
	check_runs(ONE, "to0 logs header x=1+2,3%\xc3\xa4\nto0 logs header %78=1\nto0 logs header "
			"tab=a\tb\nbatch");
}

static void test_options_headers_of_a_signal_replace_the_others(void **state)
{
	struct options_result r;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2", 1);
	setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "b=3", 1);
	setenv("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "", 1);
	options_run(&r, ONE);
	assert_string_equal(r.err, "");
	check_count(r.out, " header ", 5);
	check_contains(r.out, "to0 traces header a=1\nto0 traces header b=2\nto0 metrics");
	check_contains(r.out, "to0 metrics header b=3\nto0 logs");
	check_contains(r.out, "to0 logs header a=1\nto0 logs header b=2\nbatch");
	/* replaced even if nothing of it can be used */
	setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "b", 1);
	check_warns(ONE, "to0 metrics https://h/v1/metrics gzip=0 timeout=10000\nto0 logs",
		    "OTEL_EXPORTER_OTLP_METRICS_HEADERS: pair 1 ignored");
}

static void test_options_bad_headers_are_skipped_unseen(void **state)
{
	struct options_result r;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_HEADERS",
	       "hush1,good=1,bad name=hush2,x=hush3%0d%0aInjected:1,y=hush4%4,z=hush5%00,"
	       "Content-Type=hush6,=hush7,w=hush8%0,v=hush9%7f,u=hush10%0A,t=hush11%1B[m,s=hush%",
	       1);
	options_run(&r, ONE);
	assert_int_equal(r.code, 0);
	check_count(r.out, " header ", 3);
	check_contains(r.out, "to0 traces header good=1\nto0 metrics");
	check_lacks(r.err, "hush");
	check_count(r.err, "\n", 12);
	check_contains(r.err, "OTEL_EXPORTER_OTLP_HEADERS: pair 1 ignored");
	check_contains(r.err, "pair 3 ignored: its name is not a header name");
	check_contains(r.err, "pair 4 ignored: its value has a line break");
	check_contains(r.err, "pair 5 ignored: its value has a broken percent");
	check_contains(r.err, "pair 6 ignored");
	check_contains(r.err, "pair 7 ignored: ringspan sets this header");
	check_contains(r.err, "pair 8 ignored");
	check_contains(r.err, "pair 9 ignored");
	check_contains(r.err, "pair 10 ignored: its value has a line break");
	check_contains(r.err, "pair 11 ignored: its value has a line break");
	check_contains(r.err, "pair 12 ignored: its value has a line break");
	check_contains(r.err, "pair 13 ignored: its value has a broken percent");
	check_lacks(r.err, "pair 2 ");
}

static void test_options_files_by_signal(void **state)
{
	char part[512];

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", file_a, 1);
	snprintf(part, sizeof(part), "to0 traces ca=%s cert=- key=-\n", file_a);
	check_runs(ONE, part);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", file_b, 1);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", file_c, 1);
	snprintf(part, sizeof(part), "to0 logs ca=%s cert=%s key=%s\n", file_a, file_b, file_c);
	check_runs(ONE, part);
	setenv("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", file_b, 1);
	setenv("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", file_a, 1);
	snprintf(part, sizeof(part), "to0 traces ca=%s cert=%s key=%s\n", file_b, file_b, file_a);
	check_runs(ONE, part);
	snprintf(part, sizeof(part), "to0 metrics ca=%s cert=%s key=%s\n", file_a, file_b, file_c);
	check_runs(ONE, part);
}

static void test_options_certificate_and_key_go_together(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", file_a, 1);
	check_refused(ONE, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is set, ",
		      "OTEL_EXPORTER_OTLP_CLIENT_KEY is not");
	setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", "", 1);
	check_refused(ONE, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is set, ", "both or none");
	check_runs("-i a", "otlp=0");
	unsetenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
	setenv("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", file_a, 1);
	check_refused(ONE, "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY is set, ",
		      "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE is not");
	check_runs("-i a --otlp-endpoint https://h", "otlp=1");
	unsetenv("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY");
	setenv("RINGSPAN_OTLP_2_CLIENT_CERTIFICATE", file_a, 1);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", file_b, 1);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", file_c, 1);
	check_refused(TWO, "RINGSPAN_OTLP_2_CLIENT_CERTIFICATE is set, ",
		      "RINGSPAN_OTLP_2_CLIENT_KEY is not");
}

static void test_options_unusable_files_are_refused(void **state)
{
	static const char *const names[] = {"OTEL_EXPORTER_OTLP_CERTIFICATE",
					    "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
					    "RINGSPAN_OTLP_2_CERTIFICATE"};
	char part[160];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv(names[i], file_missing, 1);
		snprintf(part, sizeof(part), "error: %s='%s': ", names[i], file_missing);
		check_refused(TWO, part, "No such file or directory: give a PEM file");
		setenv(names[i], dir, 1);
		check_refused(TWO, dir, "not a regular file");
		setenv(names[i], "/dev/null", 1);
		check_refused(TWO, "'/dev/null'", "not a regular file");
		unsetenv(names[i]);
	}
	assert_int_equal(truncate(file_c, 0), 0);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", file_a, 1);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", file_c, 1);
	check_refused(ONE, "OTEL_EXPORTER_OTLP_CLIENT_KEY='/tmp", "empty");
	write_file(file_c, "c");
	if (geteuid() == 0)
		return; /* root may read everything */
	chmod(file_c, 0);
	check_refused(ONE, "OTEL_EXPORTER_OTLP_CLIENT_KEY='/tmp", "Permission denied");
	chmod(file_c, 0600);
}

static void test_options_key_instead_of_a_path_is_not_shown(void **state)
{
	struct options_result r;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", file_a, 1);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", "-----BEGIN PRIVATE KEY-----\nhush\n", 1);
	options_run(&r, ONE);
	assert_int_equal(r.code, 64);
	check_lacks(r.err, "hush");
	check_contains(r.err, "OTEL_EXPORTER_OTLP_CLIENT_KEY='…'");
	check_contains(r.err, "give the path");
	setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", "-----BEGIN PRIVATE KEY-----hush", 1);
	options_run(&r, ONE);
	check_lacks(r.err, "hush");
	setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", "hush\nhush", 1);
	options_run(&r, ONE);
	check_lacks(r.err, "hush");
}

static void test_options_insecure_is_for_grpc(void **state)
{
	struct options_result r;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_INSECURE", "True", 1);
	check_runs("-i a --otlp-endpoint http://h", "otlp=1");
	options_run(&r, ONE);
	check_count(r.err, "\n", 1);
	check_contains(r.err, "OTEL_EXPORTER_OTLP_INSECURE ignored: the scheme");
	setenv("OTEL_EXPORTER_OTLP_INSECURE", "false", 1);
	check_runs(ONE, "otlp=1");
	setenv("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "true", 1);
	check_warns(ONE, "otlp=1", "OTEL_EXPORTER_OTLP_METRICS_INSECURE ignored");
}

static void test_options_certificates_do_not_encrypt_http(void **state)
{
	struct options_result r;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", file_a, 1);
	options_run(&r, "-i a --otlp-endpoint http://h --otlp-endpoint http://i");
	assert_int_equal(r.code, 0);
	check_count(r.err, "\n", 1);
	check_contains(r.err, "OTEL_EXPORTER_OTLP_CERTIFICATE has no effect on an http://");
	check_runs("-i a --otlp-endpoint https://h --otlp-endpoint http://i", "otlp=1");
	setenv("RINGSPAN_OTLP_2_CERTIFICATE", file_a, 1);
	check_warns("-i a --otlp-endpoint https://h --otlp-endpoint http://i", "otlp=1",
		    "RINGSPAN_OTLP_2_CERTIFICATE has no effect on an http://");
}

static void test_options_further_destinations_inherit_no_secret(void **state)
{
	struct options_result r;
	char part[512];

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1", 1);
	setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "b=1", 1);
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
	setenv("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none", 1);
	setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5", 1);
	setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", file_a, 1);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", file_b, 1);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", file_c, 1);
	options_run(&r, TWO);
	assert_string_equal(r.err, "");
	check_lacks(r.out, "to1 traces header");
	check_lacks(r.out, "to1 metrics header");
	snprintf(part, sizeof(part),
		 "to1 traces https://i/v1/traces gzip=1 timeout=5\nto1 traces ca=%s cert=- key=-\n"
		 "to1 metrics https://i/v1/metrics gzip=0 timeout=5\n",
		 file_a);
	check_contains(r.out, part);
	snprintf(part, sizeof(part), "to0 traces ca=%s cert=%s key=%s\n", file_a, file_b, file_c);
	check_contains(r.out, part);
	check_count(r.out, file_b, 2);
}

static void test_options_further_destinations_have_their_variables(void **state)
{
	struct options_result r;
	char part[512];

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1", 1);
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
	setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "9", 1);
	setenv("RINGSPAN_OTLP_2_HEADERS", "c=%20x", 1);
	setenv("RINGSPAN_OTLP_2_COMPRESSION", "None", 1);
	setenv("RINGSPAN_OTLP_2_TIMEOUT", "0", 1);
	setenv("RINGSPAN_OTLP_2_CERTIFICATE", file_a, 1);
	setenv("RINGSPAN_OTLP_2_CLIENT_CERTIFICATE", file_b, 1);
	setenv("RINGSPAN_OTLP_2_CLIENT_KEY", file_c, 1);
	setenv("RINGSPAN_OTLP_3_TIMEOUT", "", 1);
	options_run(&r, TWO " --otlp-endpoint https://j");
	assert_string_equal(r.err, "");
	check_contains(r.out, "to0 traces header a=1\nto0 metrics");
	snprintf(part, sizeof(part),
		 "to1 metrics https://i/v1/metrics gzip=0 timeout=0\n"
		 "to1 metrics ca=%s cert=%s key=%s\nto1 metrics header c= x\nto1 logs - ",
		 file_a, file_b, file_c);
	check_contains(r.out, part);
	check_contains(r.out, "to2 traces https://j/v1/traces gzip=1 timeout=10000\n"
			      "to2 metrics https://j/v1/metrics gzip=1 timeout=9\nto2 logs");
	/* a bad one is said once, and then it is as the first's */
	setenv("RINGSPAN_OTLP_2_TIMEOUT", "x", 1);
	options_run(&r, TWO);
	check_count(r.err, "RINGSPAN_OTLP_2_TIMEOUT='x' ignored", 1);
	check_contains(r.out, "to1 metrics https://i/v1/metrics gzip=0 timeout=9\n");
}

static void test_options_unknown_destination_variables_are_said(void **state)
{
	static const char *const names[] = {"RINGSPAN_OTLP_1_HEADERS",	"RINGSPAN_OTLP_3_HEADERS",
					    "RINGSPAN_OTLP_2_HEADER",	"RINGSPAN_OTLP_HEADERS",
					    "RINGSPAN_OTLP_2_HEADERSX", "RINGSPAN_OTLP_22_HEADERS",
					    "RINGSPAN_OTLP_2_ENDPOINT", "RINGSPAN_OTLP_2XHEADERS"};
	struct options_result r;
	char part[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv(names[i], "", 1);
		check_runs(TWO, "len=2\n");
		setenv(names[i], "x=hush", 1);
		options_run(&r, TWO);
		assert_int_equal(r.code, 0);
		snprintf(part, sizeof(part), "warning: %s ignored", names[i]);
		check_contains(r.err, part);
		check_count(r.err, "\n", 1);
		check_lacks(r.err, "hush");
		check_lacks(r.out, "hush");
		unsetenv(names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_options_compression_and_timeout_by_signal,
				       clear_environment),
		cmocka_unit_test_setup(test_options_bad_compression_and_timeout_are_ignored,
				       clear_environment),
		cmocka_unit_test_setup(test_options_other_protocols_are_one_warning,
				       clear_environment),
		cmocka_unit_test_setup(test_options_headers_are_decoded, clear_environment),
		cmocka_unit_test_setup(test_options_headers_of_a_signal_replace_the_others,
				       clear_environment),
		cmocka_unit_test_setup(test_options_bad_headers_are_skipped_unseen,
				       clear_environment),
		cmocka_unit_test_setup(test_options_files_by_signal, clear_environment),
		cmocka_unit_test_setup(test_options_certificate_and_key_go_together,
				       clear_environment),
		cmocka_unit_test_setup(test_options_unusable_files_are_refused, clear_environment),
		cmocka_unit_test_setup(test_options_key_instead_of_a_path_is_not_shown,
				       clear_environment),
		cmocka_unit_test_setup(test_options_insecure_is_for_grpc, clear_environment),
		cmocka_unit_test_setup(test_options_certificates_do_not_encrypt_http,
				       clear_environment),
		cmocka_unit_test_setup(test_options_further_destinations_inherit_no_secret,
				       clear_environment),
		cmocka_unit_test_setup(test_options_further_destinations_have_their_variables,
				       clear_environment),
		cmocka_unit_test_setup(test_options_unknown_destination_variables_are_said,
				       clear_environment),
	};

	return cmocka_run_group_tests_name("options_target", tests, make_files, remove_files);
}
