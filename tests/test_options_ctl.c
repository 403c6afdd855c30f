/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `ringspan ctl`: what is sent, and what is refused without asking; --control of a ringspan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/options_run.h"

static void test_options_ctl_becomes_a_request(void **state)
{
	(void)state;
	check_runs("ctl status", "control=- request=status top=0\n");
	check_runs("ctl --json status", "control=- request=status json top=0\n");
	check_runs("ctl sample 1/500 --control /r/s", "control=/r/s request=sample 1/500 top=0\n");
	check_runs("ctl sample 1% --json", "request=sample json 1% top=0\n");
	check_runs("ctl flush", "request=flush top=0\n");
	check_runs("ctl stop -q", "request=stop top=0\n");
	check_runs("ctl flows", "request=flows top=0\n");
	check_runs("ctl flows --limit 1000 --sort age --json --filter=10.0.0.0/8",
		   "request=flows json sort=age limit=1000 filter=10.0.0.0/8 top=0\n");
	check_runs("ctl top --sort bytes", "request=flows sort=bytes top=1\n");
	check_runs("ctl stop", "command=3\n");
	check_runs("ctl status -i eth1", "tail=eth1 ");
}

static void test_options_bad_ctl_is_refused(void **state)
{
	(void)state;
	check_refused("ctl", "ctl: nothing to do", "status, sample, flush, flows, top, stop");
	check_refused("ctl EMPTY", "ctl ''", "status, sample");
	check_refused("ctl statu", "ctl 'statu'", "status, sample");
	check_refused("ctl status twice", "ctl status 'twice'", "one too many");
	check_refused("ctl sample", "ctl sample", "give 1/N");
	check_refused("ctl sample 1/0", "ctl sample '1/0'", "N from 1 to");
	check_refused("ctl sample 1/2 1/3", "ctl sample '1/3'", "one too many");
	check_refused("ctl stop --limit 3", "ctl stop", "flows and top");
	check_refused("ctl sample 1/2 --sort age", "ctl sample", "flows and top");
	check_refused("ctl flush --filter tcp", "ctl flush", "flows and top");
	check_refused("ctl flows --limit 0", "--limit '0'", "1 to 1000");
	check_refused("ctl flows --limit 1001", "--limit '1001'", "1 to 1000");
	check_refused("ctl flows --sort size", "--sort 'size'", "packets, bytes, age");
	check_refused("ctl flows --filter a\nb", "--filter", "not plain text");
	check_refused("ctl top --json", "ctl top", "flows");
	check_refused("-i a ctl status", "'ctl'", "comes first");
	check_refused("ctl -i a -i b status", "'b'", "one too many");
	check_refused("ctl -i a/b status", "ctl --interface 'a/b'", "--control");
	check_refused("ctl -i a --control b status", "--control and --interface", "one of them");
}

static void test_options_control_is_a_path(void **state)
{
	char args[256] = "-i a --control ", shown[256];
	size_t i, begin = 15;

	(void)state;
	check_runs("-i a", "control=- ");
	check_runs("-i a --control none", "control=none ");
	check_runs("-i a --control b --control ./c", "control=./c ");
	check_refused("-i a --control EMPTY", "--control ''", "1 to 106 bytes");
	for (i = begin; i < begin + 106; i++)
		args[i] = 'p';
	snprintf(shown, sizeof(shown), "control=%s ", args + begin);
	check_runs(args, shown);
	args[i] = 'p';
	check_refused(args, "--control", "1 to 106 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_ctl_becomes_a_request),
		cmocka_unit_test(test_options_bad_ctl_is_refused),
		cmocka_unit_test(test_options_control_is_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
