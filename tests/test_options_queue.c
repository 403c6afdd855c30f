/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Delivery: the queue's options, and the subcommands that show and send a queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/options_run.h"

static void test_options_delivery_has_defaults(void **state)
{
	(void)state;
	check_runs("-i a", "command=0\n");
	check_runs("-i a", "connections=1 dir=- bytes=33554432 window=100\n");
	check_runs("-i a --queue-dir q", "connections=1 dir=q bytes=1073741824 window=100\n");
}

static void test_options_delivery_is_taken(void **state)
{
	(void)state;
	check_runs("-i a --queue-size 2m --queue-dir=/q/r --queue-sync 0.25 --connections 16",
		   "connections=16 dir=/q/r bytes=2097152 window=250\n");
	check_runs("-i a --queue-size 1048576", "bytes=1048576 ");
	check_runs("-i a --queue-size 1025k", "bytes=1049600 ");
	check_runs("-i a --queue-size 1024G", "bytes=1099511627776 ");
	check_runs("-i a --queue-size 1T --queue-dir a --queue-dir b",
		   "dir=b bytes=1099511627776 ");
	check_runs("-i a --queue-dir d --queue-sync 0.01", "window=10\n");
	check_runs("-i a --queue-dir d --queue-sync 10", "window=10000\n");
	check_warns("-i a --queue-sync 1", "dir=- ", "--queue-sync has no effect without");
}

static void test_options_bad_delivery_is_refused(void **state)
{
	(void)state;
	check_refused("-i a --queue-dir EMPTY", "--queue-dir ''", "give a directory");
	check_refused("-i a --queue-size 1048575", "--queue-size '1048575'", "give 1M to 1T");
	check_refused("-i a --queue-size 1025G", "--queue-size '1025G'", "give 1M to 1T");
	check_refused("-i a --queue-size 99999999999T", "--queue-size", "give 1M to 1T");
	check_refused("-i a --queue-size 16777217T", "--queue-size", "give 1M to 1T");
	check_refused("-i a --queue-size 1MB", "'1MB'", "not a size");
	check_refused("-i a --queue-size -1M", "'-1M'", "from 1M to 1T");
	check_refused("-i a --queue-size EMPTY", "''", "not a size");
	check_refused("-i a --queue-sync 0.009", "'0.009'", "0.01 to 10");
	check_refused("-i a --queue-sync 10.001", "'10.001'", "0.01 to 10");
	check_refused("-i a --queue-sync 100ms", "'100ms'", "not a number of seconds");
	check_refused("-i a --retry-budget -1", "--retry-budget '-1'", "0 to 2592000");
	check_refused("-i a --connections 0", "--connections '0'", "from 1 to 16");
	check_refused("-i a --connections 17", "--connections '17'", "from 1 to 16");
}

static void test_options_queue_ls(void **state)
{
	(void)state;
	check_runs("queue ls /q", "command=1\n");
	check_runs("queue ls /q", "len=0\n");
	check_runs("queue ls /q", "dir=/q ");
	check_runs("queue ls -q /q", "verbosity=1\n");
	/* nothing is sent: what cannot be used is no matter */
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense", 1);
	setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonsense", 1);
	setenv("OTEL_SDK_DISABLED", "true", 1);
	check_runs("queue ls /q", "command=1\n");
}

static void test_options_queue_send_goes_where_it_was_to_go(void **state)
{
	struct options_result r;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1", 1);
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
	setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "7", 1);
	setenv("RINGSPAN_OTLP_2_HEADERS", "b=2", 1);
	setenv("RINGSPAN_OTLP_8_TIMEOUT", "8", 1);
	/* what was recorded is sent, whatever would be recorded now */
	setenv("OTEL_TRACES_EXPORTER", "none", 1);
	setenv("OTEL_LOGS_EXPORTER", "none", 1);
	options_run(&r, "queue send /q");
	assert_int_equal(r.code, 0);
	assert_string_equal(r.err, "");
	check_contains(r.out, "command=2\n");
	check_contains(r.out, "console=0 otlp=0 logs=0 given=0 len=8\n"
			      "to0 traces - gzip=1 timeout=10000\nto0 traces header a=1\n");
	check_contains(r.out, "to0 logs - gzip=1 timeout=7\n");
	check_contains(r.out, "to1 traces - gzip=1 timeout=10000\nto1 traces header b=2\nto1 m");
	check_contains(r.out, "to7 logs - gzip=1 timeout=8\nbatch");
	check_count(r.out, "header a=1", 3);
	check_count(r.out, "header b=2", 3);
}

static void test_options_queue_send_goes_where_it_is_told(void **state)
{
	(void)state;
	check_runs("queue send --otlp-endpoint http://h /q --otlp-endpoint http://i",
		   "console=0 otlp=1 logs=1 given=1 len=2\nto0 traces http://h/v1/traces ");
	check_runs("queue send --otlp-endpoint http://h /q", "to0 logs http://h/v1/logs ");
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://e", 1);
	check_runs("queue send /q", "given=1 len=1\nto0 traces http://e/v1/traces ");
	check_runs("queue send --otlp-endpoint http://h /q", "to0 traces http://h/v1/traces ");
	unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
	setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m", 1);
	check_runs("queue send /q", "otlp=1 logs=0 given=1 len=1\nto0 traces - ");
	check_runs("queue send /q", "to0 metrics http://m/ ");
}

static void test_options_queue_send_takes_options(void **state)
{
	(void)state;
	check_runs("queue send /q", "connections=1 dir=/q bytes=1099511627776 window=100\n");
	check_runs("queue send /q", "batch traces delay=1000 max=512 queue=0 budget=0\n");
	check_runs("queue send /q", "duration=0 shutdown=10000 verbosity=2\n");
	setenv("OTEL_BSP_EXPORT_TIMEOUT", "1", 1);
	check_runs("queue send /q", "batch traces delay=1000 max=512 queue=0 budget=0\n");
	check_runs("queue send /q --duration 2 --shutdown-timeout 3 --retry-budget 4 -v "
		   "--connections 5",
		   "duration=2000 shutdown=3000 verbosity=3\n");
	check_runs("queue send --retry-budget 4 /q", "queue=0 budget=4000\n");
	check_runs("queue send --connections 5 --quiet /q", "connections=5 dir=/q ");
}

static void test_options_bad_queue_commands_are_refused(void **state)
{
	struct options_result r;

	(void)state;
	check_refused("queue", "queue: ", "'ringspan queue ls DIR' and 'ringspan queue send DIR'");
	check_refused("queue rm /q", "queue 'rm'", "'ringspan queue send DIR'");
	check_refused("queue EMPTY", "queue ''", "'ringspan queue ls DIR'");
	check_refused("queue ls", "queue ls", "no directory");
	check_refused("queue send", "queue send", "no directory");
	check_refused("queue ls EMPTY", "queue ls ''", "give a directory");
	check_refused("queue send a b", "queue send 'b'", "one directory");
	check_refused("-i a queue ls", "'queue'", "comes first");
	check_refused("queue send /q --otlp-endpoint h:1", "'h:1'", "no scheme");
	setenv("OTEL_SDK_DISABLED", "true", 1);
	check_refused("queue send /q", "OTEL_SDK_DISABLED=true", "unset it");
	options_run(&r, "queue ls /q --connections 2");
	assert_int_equal(r.code, 64);
	options_run(&r, "queue send /q --interface a");
	assert_int_equal(r.code, 64);
	check_contains(r.err, "--interface");
}

static void test_options_queue_files_are_checked(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonsense", 1);
	check_refused("queue send /q", "OTEL_EXPORTER_OTLP_CERTIFICATE='/nonsense'", "No such");
}

static void test_options_queue_commands_have_help(void **state)
{
	struct options_result r;

	(void)state;
	options_run(&r, "queue --help");
	assert_int_equal(r.code, 0);
	check_contains(r.out, "'ringspan queue ls DIR'");
	options_run(&r, "queue ls --help");
	assert_int_equal(r.code, 0);
	check_contains(r.out, "Usage: ringspan queue ls [OPTION...] DIR\n");
	check_lacks(r.out, "--otlp-endpoint");
	options_run(&r, "queue send --help");
	assert_int_equal(r.code, 0);
	check_contains(r.out, "Usage: ringspan queue send [OPTION...] DIR\n");
	check_contains(r.out, "--otlp-endpoint");
	options_run(&r, "--help");
	check_contains(r.out, "Delivery:");
	check_contains(r.out, "ringspan queue ls DIR");
	check_contains(r.out, "RINGSPAN_OTLP_2_HEADERS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_options_delivery_has_defaults, clear_environment),
		cmocka_unit_test_setup(test_options_delivery_is_taken, clear_environment),
		cmocka_unit_test_setup(test_options_bad_delivery_is_refused, clear_environment),
		cmocka_unit_test_setup(test_options_queue_ls, clear_environment),
		cmocka_unit_test_setup(test_options_queue_send_goes_where_it_was_to_go,
				       clear_environment),
		cmocka_unit_test_setup(test_options_queue_send_goes_where_it_is_told,
				       clear_environment),
		cmocka_unit_test_setup(test_options_queue_send_takes_options, clear_environment),
		cmocka_unit_test_setup(test_options_bad_queue_commands_are_refused,
				       clear_environment),
		cmocka_unit_test_setup(test_options_queue_files_are_checked, clear_environment),
		cmocka_unit_test_setup(test_options_queue_commands_have_help, clear_environment),
	};

	return cmocka_run_group_tests_name("options_queue", tests, NULL, NULL);
}
