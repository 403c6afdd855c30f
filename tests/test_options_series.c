/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What flow metrics are split by, and tenants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/options_run.h"

static char file[64];

static int make_file(void **state)
{
	static const char text[] = "10.0.0.0/8 blue\ninterface eth1 red\n";
	int fd;

	snprintf(file, sizeof(file), "/tmp/ringspan-tenants.XXXXXX");
	fd = mkstemp(file);
	if (fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		return -1;
	return close(fd) || clear_environment(state);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

static void test_options_split_nothing_by_themselves(void **state)
{
	(void)state;
	check_runs("-i a", "split=0 subnets=24,48 cap=2000 tenants=0\n");
}

static void test_options_metric_attributes_are_a_list(void **state)
{
	(void)state;
	check_runs("-i a --metric-attributes network.interface.name", "split=0x1 ");
	check_runs("-i a --metric-attributes server.port", "split=0x10 ");
	check_runs("-i a --metric-attributes source.subnet,destination.subnet --subnets 8,64",
		   "split=0x60 subnets=8,64 cap=2000");
	check_runs("-i a --metric-attributes network.type --metric-attributes network.transport,"
		   "network.io.direction --metric-cap 7",
		   "split=0xe subnets=24,48 cap=7");
	check_runs("-i a --metric-attributes source.address,destination.address --metric-cap "
		   "100000",
		   "split=0x180 subnets=24,48 cap=100000");
	check_runs("-i a --metric-attributes source.subnet --subnets 0,0", "subnets=0,0");
	check_runs("-i a --metric-attributes source.subnet --subnets 32,128", "subnets=32,128");
}

static void test_options_bad_metric_attributes_are_refused(void **state)
{
	static const char all[] = "there are: network.interface.name, network.io.direction, "
				  "network.type, network.transport, server.port, source.subnet, "
				  "destination.subnet, source.address, destination.address, tenant";

	(void)state;
	check_refused("-i a --metric-attributes server", "--metric-attributes 'server'", all);
	check_refused("-i a --metric-attributes EMPTY", "--metric-attributes ''", all);
	check_refused("-i a --metric-attributes server.port,", "--metric-attributes ''", all);
	check_refused("-i a --metric-attributes server.ports", "'server.ports'", all);
	check_refused("-i a --metric-attributes server.port,server.port", "'server.port'", "twice");
	check_refused("-i a --metric-attributes tenant", "'tenant'", "give a --tenant-map");
	check_refused("-i a --subnets 24", "--subnets '24'", "one for IPv4 and one for IPv6");
	check_refused("-i a --subnets 24,48,64", "--subnets '24,48,64'", "such as 24,48");
	check_refused("-i a --subnets 33,48", "--subnets '33,48'", "0 to 32");
	check_refused("-i a --subnets 24,129", "--subnets '24,129'", "0 to 128");
	check_refused("-i a --subnets EMPTY", "--subnets ''", "0 to 32");
	check_refused("-i a --subnets 24,", "--subnets '24,'", "0 to 128");
	check_refused("-i a --metric-cap 0", "--metric-cap '0'", "1 to 100000");
	check_refused("-i a --metric-cap 100001", "--metric-cap '100001'", "1 to 100000");
}

static void test_options_without_effect_are_said(void **state)
{
	(void)state;
	check_warns("-i a --subnets 16,32", "subnets=16,32", "--subnets has no effect");
	check_warns("-i a --subnets 16,32 --metric-attributes source.address", "subnets=16,32",
		    "--subnets has no effect");
	check_warns("-i a --metric-cap 5", "cap=5", "--metric-cap has no effect");
}

static void test_options_tenants_come_from_a_file(void **state)
{
	char args[256];

	(void)state;
	snprintf(args, sizeof(args), "-i a --tenant-map %s", file);
	check_runs(args, "split=0 subnets=24,48 cap=2000 tenants=1\n");
	snprintf(args, sizeof(args), "-i a --metric-attributes server.port --tenant-map %s", file);
	check_runs(args, "split=0x210 ");
	snprintf(args, sizeof(args), "-i a --metric-attributes tenant --tenant-map %s", file);
	check_runs(args, "split=0x200 ");
	snprintf(args, sizeof(args), "-i a --tenant-map %s --tenant-map %s", file, file);
	check_refused(args, file, "given twice");
	check_refused("-i a --tenant-map /nowhere", "--tenant-map: /nowhere", "cannot be read: No");
	check_refused("-i a --tenant-map /etc/passwd", "/etc/passwd:1:", "write '10.0.0.0/8 NAME'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_split_nothing_by_themselves),
		cmocka_unit_test(test_options_metric_attributes_are_a_list),
		cmocka_unit_test(test_options_bad_metric_attributes_are_refused),
		cmocka_unit_test(test_options_without_effect_are_said),
		cmocka_unit_test(test_options_tenants_come_from_a_file),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
