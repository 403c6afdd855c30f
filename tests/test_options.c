/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
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
#include "user/options.h"

static void test_options_defaults_are_documented_ones(void **state)
{
	(void)state;
	check_runs("--interface eth0", "if=eth0\nmode=0 attach=0\nn=1 threshold=0 th=0\n");
	check_runs("--interface eth0",
		   "flows=262144 ring=4194304\nactive=60000 idle=30000 tcp=300000\n"
		   "console=1 otlp=0 logs=0 given=0 len=0\nbatch traces");
	check_runs("--interface eth0", "interval=10000 duration=0 shutdown=10000 verbosity=2\n");
}

static void test_options_all_are_taken(void **state)
{
	(void)state;
	check_runs("-i a,b --interface=c --xdp-mode tc --xdp-attach dispatcher --workers 32",
		   "if=a\nif=b\nif=c\nmode=2 attach=2\n");
	check_runs("-i a --workers 32 --max-flows 1 --ring-size 64K",
		   "workers=32 flows=1 ring=65536\n");
	check_runs("-i a --ring-size 1048576", "ring=1048576\n");
	check_runs("-i a --active-timeout 0.5 --idle-timeout 1.25 --tcp-idle-timeout 7",
		   "active=500 idle=1250 tcp=7000\n");
	check_runs("-i a --interval 0.125 --duration 1.5 --shutdown-timeout 0 -v",
		   "interval=125 duration=1500 shutdown=0 verbosity=3\n");
	check_runs("-i a --quiet --xdp-mode native --xdp-attach link", "mode=1 attach=1\n");
	check_runs("-i a --quiet --xdp-mode generic", "mode=3 attach=0\n");
	check_runs("-i a -q", "verbosity=1\n");
	check_runs("-i a --environment lab", " deployment.environment=lab\n");
}

static void test_options_version_and_help_exit_0(void **state)
{
	struct options_result r;
	char want[64];

	(void)state;
	options_run(&r, "--version");
	assert_int_equal(r.code, 0);
	snprintf(want, sizeof(want), "ringspan 0.1.0 (ABI %d)\n", FLOW_ABI_VERSION);
	assert_string_equal(r.out, want);
	options_run(&r, "--help");
	assert_int_equal(r.code, 0);
	check_contains(r.out, "Sampling:");
	check_contains(r.out, "--otel-endpoint");
}

static void test_options_unusable_ones_exit_64(void **state)
{
	(void)state;
	check_refused("-i a --xdp-mode skb", "--xdp-mode 'skb'", "auto, native, tc, generic");
	check_refused("-i a --xdp-attach x", "--xdp-attach 'x'", "auto, link, dispatcher");
	check_refused("-i a --workers 0", "--workers '0'", "from 1 to 32");
	check_refused("-i a --workers 33", "--workers '33'", "from 1 to 32");
	check_refused("-i a --workers 4x", "--workers '4x'", "not a whole number");
	check_refused("-i a --max-flows 16777217", "16777217", "from 1 to 16777216");
	check_refused("-i a --max-flows 99999999999999999999", "999", "out of range");
	check_refused("-i a --ring-size 3M", "'3M'", "power of two");
	check_refused("-i a --ring-size 2K", "'2K'", "power of two");
	check_refused("-i a --ring-size 2G", "'2G'", "to 1G");
	check_refused("-i a --ring-size 4MB", "'4MB'", "not a size");
	check_refused("-i a --ring-size 18446744073709551616", "--ring-size", "power of two");
	check_refused("-i a --duration 0", "--duration '0'", "0.001 to");
	check_refused("-i a --duration 1.0001", "1.0001", "three decimals");
	check_refused("-i a --duration 1e3", "1e3", "not a number of seconds");
	check_refused("-i a --interval .5", "'.5'", "not a number of seconds");
	check_refused("-i a --interval 5.", "'5.'", "not a number of seconds");
	check_refused("-i a --interval 0.05", "0.05", "0.1 to 3600");
	check_refused("-i a --interval -1", "'-1'", "0.1 to 3600");
	check_refused("-i a --interval 3600.001", "3600.001", "0.1 to 3600");
	check_refused("-i a --exporter otlp,jaeger", "'jaeger'", "otlp, console");
	check_refused("-i a --exporter otlp,", "''", "otlp, console");
	check_refused("-i a eth1", "'eth1'", "--interface");
	check_refused("-i a --environment=", "--environment", "give a name");
}

static void test_options_unknown_option_exits_64(void **state)
{
	struct options_result r;

	(void)state;
	options_run(&r, "-i a --no-such-thing");
	assert_int_equal(r.code, 64);
	check_contains(r.err, "--no-such-thing");
}

static void test_options_interfaces_are_checked(void **state)
{
	char many[512] = "-i i0";
	int i;

	(void)state;
	check_refused("", "no interface to watch", "here are: ");
	check_refused("", "--interface", "lo");
	check_refused("-i a,b,a", "'a'", "given twice");
	check_refused("-i a,,b", "''", "not a name");
	check_refused("-i abcdefghijklmnop", "abcdefghijklmnop", "1 to 15");
	for (i = 1; i < FLOW_MAX_IFS; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), ",i%d", i);
	check_runs(many, "if=i31\n");
	snprintf(many + strlen(many), sizeof(many) - strlen(many), ",i32");
	check_refused(many, "'i32'", "at most 32");
}

static void test_options_sample_takes_one_in_n_and_percent(void **state)
{
	static const struct {
		const char *text;
		uint64_t n;
	} good[] = {
		{"1/1", 1},	    {"1/2", 2},
		{"1/1000", 1000},   {"1/2147483648", 1u << 31},
		{"100%", 1},	    {"50%", 2},
		{"1%", 100},	    {"0.1%", 1000},
		{"12.5%", 8},	    {"33.33333333333%", 3},
		{"0.001%", 100000}, {"2.5%", 40},
	};
	char why[OPTIONS_WHY_CAP];
	uint64_t n;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(options_parse_sample(good[i].text, &n, why), 0);
		assert_int_equal(n, good[i].n);
	}
	check_runs("-i a --sample 1/100", "n=100 threshold=fd70a000000000 th=fd70a\n");
	check_runs("-i a --sample 1/100", "sample_mode=0\n");
	check_runs("-i a --sample 1/100 --sample-mode flow", "sample_mode=0\n");
	check_runs("-i a --sample 1/100 --sample-mode packet", "sample_mode=1\n");
	check_refused("-i a --sample-mode packets", "'packets'", "flow, packet");
	check_runs("-i a -s 50%", "n=2 threshold=80000000000000 th=8\n");
}

static void test_options_sample_says_what_is_wrong(void **state)
{
	(void)state;
	check_refused("-i a --sample 0/5", "'0/5'", "only one flow in N");
	check_refused("-i a --sample 2/5", "'2/5'", "only one flow in N");
	check_refused("-i a --sample 1/0", "'1/0'", "N from 1 to 2147483648");
	check_refused("-i a --sample -1", "'-1'", "give 1/N");
	check_refused("-i a --sample abc", "'abc'", "give 1/N");
	check_refused("-i a --sample 1/99999999999", "'1/99999999999'", "2147483648");
	check_refused("-i a --sample 1/2147483649", "'1/2147483649'", "2147483648");
	check_refused("-i a --sample 1/-5", "'1/-5'", "not a whole number");
	check_refused("-i a --sample 1/", "'1/'", "not a whole number");
	check_refused("-i a --sample 1/1.5", "'1/1.5'", "not a whole number");
	check_refused("-i a --sample 1/0x10", "'1/0x10'", "not a whole number");
	check_refused("-i a --sample 100", "'100'", "give 1/100");
	check_refused("-i a --sample=", "''", "give 1/N");
	check_refused("-i a --sample 0%", "'0%'", "keep nothing");
	check_refused("-i a --sample 101%", "'101%'", "at most 100%");
	check_refused("-i a --sample 3%", "'3%'", "1/33 (3.03%) or 1/34 (2.941%)");
	check_refused("-i a --sample 60%", "'60%'", "1/1 (100%) or 1/2 (50%)");
	check_refused("-i a --sample 0.00000001%", "0.00000001%", "smallest share");
	check_refused("-i a --sample -5%", "'-5%'", "not a percentage");
	check_refused("-i a --sample nan%", "'nan%'", "not a percentage");
	check_refused("-i a --sample Auto", "'Auto'", "or auto");
}

/* Computed apart from the program, with unbounded integers and the precision as the specification
 * writes it: 4 + exponent // -4. */
static void test_options_filter_is_taken_or_refused(void **state)
{
	(void)state;
	check_runs("-i a", "filter=- steps=0\n");
	check_runs("-i a --filter tcp&&(ip||icmp6)", "filter=tcp&&(ip||icmp6) steps=4\n");
	check_runs("-i a --filter udp --filter icmp", "filter=icmp steps=2\n");
	check_refused("-i a --filter EMPTY", "--filter ''", "empty");
	check_refused("-i a --filter tcp&&src", "--filter 'tcp&&src': at character 6, 'src'",
		      "two directions");
	check_refused("-i a --filter port", "--filter 'port': at the end", "0 to 65535");
}

static void test_options_threshold_follows_the_specification(void **state)
{
	static const struct {
		uint64_t n;
		const char *th;
		uint64_t threshold;
	} table[] = {
		{1, "0", 0x00000000000000},
		{2, "8", 0x80000000000000},
		{3, "aaab", 0xaaab0000000000},
		{4, "c", 0xc0000000000000},
		{5, "cccd", 0xcccd0000000000},
		{6, "d555", 0xd5550000000000},
		{7, "db6e", 0xdb6e0000000000},
		{8, "e", 0xe0000000000000},
		{9, "e38e", 0xe38e0000000000},
		{10, "e666", 0xe6660000000000},
		{12, "eaab", 0xeaab0000000000},
		{15, "eeef", 0xeeef0000000000},
		{16, "f", 0xf0000000000000},
		{17, "f0f0f", 0xf0f0f000000000},
		{20, "f3333", 0xf3333000000000},
		{25, "f5c29", 0xf5c29000000000},
		{31, "f7bdf", 0xf7bdf000000000},
		{32, "f8", 0xf8000000000000},
		{33, "f83e1", 0xf83e1000000000},
		{50, "fae14", 0xfae14000000000},
		{64, "fc", 0xfc000000000000},
		{100, "fd70a", 0xfd70a000000000},
		{128, "fe", 0xfe000000000000},
		{200, "feb85", 0xfeb85000000000},
		{250, "fef9e", 0xfef9e000000000},
		{256, "ff", 0xff000000000000},
		{257, "ff00ff", 0xff00ff00000000},
		{500, "ff7cee", 0xff7cee00000000},
		{512, "ff8", 0xff800000000000},
		{1000, "ffbe77", 0xffbe7700000000},
		{1024, "ffc", 0xffc00000000000},
		{4095, "ffefff", 0xffefff00000000},
		{4096, "fff", 0xfff00000000000},
		{4097, "fff001", 0xfff00100000000},
		{5000, "fff2e49", 0xfff2e490000000},
		{10000, "fff9724", 0xfff97240000000},
		{65535, "ffff", 0xffff0000000000},
		{65536, "ffff", 0xffff0000000000},
		{65537, "ffff0001", 0xffff0001000000},
		{100000, "ffff583a", 0xffff583a000000},
		{1000000, "ffffef39", 0xffffef39000000},
		{1048576, "fffff", 0xfffff000000000},
		{10000000, "fffffe528", 0xfffffe52800000},
		{1000000000, "fffffffbb48", 0xfffffffbb48000},
		{2147483647, "fffffffe", 0xfffffffe000000},
		{2147483648, "fffffffe", 0xfffffffe000000},
	};
	char th[15];
	uint64_t t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		memset(th, 'x', sizeof(th));
		options_sample_threshold(table[i].n, &t, th);
		assert_string_equal(th, table[i].th);
		assert_int_equal(t, table[i].threshold);
	}
}

/* th is the threshold itself, and keeps 1/N to four digits, for every N up to 70,000. */
static void test_options_threshold_is_near_for_every_n(void **state)
{
	char th[15], padded[32];
	double kept;
	uint64_t n, t;

	(void)state;
	for (n = 1; n <= 70000; n++) {
		options_sample_threshold(n, &t, th);
		snprintf(padded, sizeof(padded), "%s00000000000000", th);
		padded[14] = '\0';
		assert_int_equal(strtoull(padded, NULL, 16), t);
		kept = (double)((1ULL << 56) - t) / (double)(1ULL << 56) * (double)n;
		if (kept < 0.9995 || kept > 1.0005)
			fail_msg("1/%" PRIu64 ": th %s keeps %f of what it should", n, th, kept);
	}
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_options_site_key_is_read(void **state)
{
	const char *hex = "0123456789abcdefFEDCBA98765432100000000000000001ffffffffffffffff";
	char path[] = "/tmp/test_options_XXXXXX", args[128], text[128];

	(void)state;
	close(mkstemp(path));
	snprintf(args, sizeof(args), "-i a --site-key %s", path);
	write_file(path, hex, 0600);
	check_runs(args, "key=0123456789abcdeffedcba98765432100000000000000001ffffffffffffffff\n");
	snprintf(text, sizeof(text), "%s\n", hex);
	write_file(path, text, 0600);
	check_runs(args, "key=0123456789abcdeffedcba98765432100000000000000001ffffffffffffffff\n");
	write_file(path, text, 0644);
	check_warns(args, "key=0123456789abcdef", "chmod 600");
	snprintf(text, sizeof(text), "%s0", hex);
	write_file(path, text, 0600);
	check_refused(args, path, "64 hexadecimal digits");
	snprintf(text, sizeof(text), "%.63s", hex);
	write_file(path, text, 0600);
	check_refused(args, path, "64 hexadecimal digits");
	snprintf(text, sizeof(text), "%.63sg", hex);
	write_file(path, text, 0600);
	check_refused(args, path, "64 hexadecimal digits");
	unlink(path);
	check_refused(args, path, "No such file");
	check_refused("-i a --site-key /", "'/'", "Is a directory");
}

static void test_options_site_key_is_random_by_default(void **state)
{
	struct options_result a, b;

	(void)state;
	options_run(&a, "-i a");
	options_run(&b, "-i a");
	assert_int_not_equal(strncmp(strstr(a.out, "key="), strstr(b.out, "key="), 4 + 64), 0);
}

/* In this process, so that a leak is seen. */
static void test_options_destroy_frees_everything(void **state)
{
	char *argv[] = {(char *)"ringspan",   (char *)"-i",   (char *)"a,b",
			(char *)"--exporter", (char *)"otlp", NULL};
	char *queue[] = {(char *)"ringspan", (char *)"queue", (char *)"send", (char *)"dir", NULL};
	struct options *o = NULL;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1,a=2,b=3", 1);
	setenv("OTEL_RESOURCE_ATTRIBUTES", "a=1,service.name=x", 1);
	assert_int_equal(options_parse(&o, 5, argv), 0);
	assert_string_equal(o->interfaces[1], "b");
	options_destroy(o);
	options_destroy(NULL);
	setenv("RINGSPAN_OTLP_2_HEADERS", "a=1,b", 1);
	assert_int_equal(options_parse(&o, 4, queue), 0);
	assert_string_equal(queue[2], "send");
	assert_int_equal(o->command, OPTIONS_QUEUE_SEND);
	assert_string_equal(o->otlp[1][OTLP_LOGS].headers[0].value, "1");
	options_destroy(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_options_defaults_are_documented_ones,
				       clear_environment),
		cmocka_unit_test_setup(test_options_all_are_taken, clear_environment),
		cmocka_unit_test_setup(test_options_version_and_help_exit_0, clear_environment),
		cmocka_unit_test_setup(test_options_unusable_ones_exit_64, clear_environment),
		cmocka_unit_test_setup(test_options_unknown_option_exits_64, clear_environment),
		cmocka_unit_test_setup(test_options_interfaces_are_checked, clear_environment),
		cmocka_unit_test_setup(test_options_sample_takes_one_in_n_and_percent,
				       clear_environment),
		cmocka_unit_test_setup(test_options_sample_says_what_is_wrong, clear_environment),
		cmocka_unit_test_setup(test_options_filter_is_taken_or_refused, clear_environment),
		cmocka_unit_test_setup(test_options_threshold_follows_the_specification,
				       clear_environment),
		cmocka_unit_test_setup(test_options_threshold_is_near_for_every_n,
				       clear_environment),
		cmocka_unit_test_setup(test_options_site_key_is_read, clear_environment),
		cmocka_unit_test_setup(test_options_site_key_is_random_by_default,
				       clear_environment),
		cmocka_unit_test_setup(test_options_destroy_frees_everything, clear_environment),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
