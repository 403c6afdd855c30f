/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where metrics can be fetched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/options_run.h"

static void test_options_listen_nowhere_by_themselves(void **state)
{
	(void)state;
	check_runs("-i a", "listen=- at  port \n");
}

static void test_options_metrics_listen_takes_addresses(void **state)
{
	(void)state;
	check_runs("-i a --metrics-listen 127.0.0.1:9101", "at 127.0.0.1 port 9101\n");
	check_runs("-i a --metrics-listen [::1]:1", "listen=[::1]:1 at ::1 port 1\n");
	check_runs("-i a --metrics-listen :65535", "at 127.0.0.1 port 65535\n");
	check_runs("-i a --metrics-listen localhost:80", "at localhost port 80\n");
	check_runs("-i a --metrics-listen 0.0.0.0:80", "at 0.0.0.0 port 80\n");
}

static void test_options_bad_metrics_listen_is_refused(void **state)
{
	static const char example[] = "give ADDRESS:PORT, such as 127.0.0.1:9101 or [::1]:9101";

	(void)state;
	check_refused("-i a --metrics-listen 9101", "--metrics-listen '9101': no port", example);
	check_refused("-i a --metrics-listen EMPTY", "--metrics-listen '': no port", example);
	check_refused("-i a --metrics-listen [::1]", "'[::1]': no port", example);
	check_refused("-i a --metrics-listen h:", "1 to 65535", example);
	check_refused("-i a --metrics-listen h:0", "1 to 65535", example);
	check_refused("-i a --metrics-listen h:65536", "1 to 65535", example);
	check_refused("-i a --metrics-listen h:x", "1 to 65535", example);
	check_refused("-i a --metrics-listen ::1:9101", "without brackets", example);
	check_refused("-i a --metrics-listen [::1:9101", "do not close", example);
	check_refused("-i a --metrics-listen []:9101", "do not close", example);
	check_refused("-i a --metrics-listen *:9101", "not an address", example);
	check_refused("-i a --metrics-listen http://h:9101", "without brackets", example);
	check_refused("-i a --metrics-listen a/b:9101", "not an address", example);
	check_refused("-i a --metrics-listen :1 --metrics-listen :2", "':2'", "given twice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_listen_nowhere_by_themselves),
		cmocka_unit_test(test_options_metrics_listen_takes_addresses),
		cmocka_unit_test(test_options_bad_metrics_listen_is_refused),
	};

	return cmocka_run_group_tests(tests, clear_environment, NULL);
}
