/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Secrets in files: headers and the site key. */
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

#define ONE "-i a --otlp-endpoint https://h"
#define TWO ONE " --otlp-endpoint https://i"
#define FIRST "RINGSPAN_OTLP_HEADERS_FILE"
#define SECOND "RINGSPAN_OTLP_2_HEADERS_FILE"
#define KEY "00000000000000010000000000000002000000000000000300000000000000ff"

static char dir[] = "/tmp/test_options_secret_XXXXXX";
static char path_a[64], path_b[64];

static void write_bytes(const char *path, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
	chmod(path, 0600);
}

static void write_text(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

static int make_dir(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path_a, sizeof(path_a), "%s/a", dir);
	snprintf(path_b, sizeof(path_b), "%s/b", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path_a);
	unlink(path_b);
	return rmdir(dir);
}

static int setup(void **state)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("RINGSPAN_SITE_KEY_FILE");
	return clear_environment(state);
}

static void test_options_secret_file_has_a_list(void **state)
{
	static const char *const same[] = {"a=1%2C,B=2", "a=1%2C,B=2\n", "a=1%2C\nB=2",
					   "a=1%2C\nB=2\n", "\n a = 1%2C\r\n\r\nB=2\r\n"};
	size_t i;

	(void)state;
	setenv(FIRST, path_a, 1);
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		write_text(path_a, same[i]);
		check_runs(ONE, "to0 traces header a=1,\nto0 traces header B=2\nto0 metrics");
	}
}

static void test_options_secret_empty_file_is_none(void **state)
{
	(void)state;
	setenv(FIRST, path_a, 1);
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "x=1", 1);
	write_text(path_a, "");
	check_runs(ONE, "to0 traces header x=1\nto0 metrics");
	write_text(path_a, "\n");
	check_runs(ONE, "to0 traces header x=1\nto0 metrics");
	setenv(FIRST, "", 1);
	check_runs(ONE, "to0 traces header x=1\nto0 metrics");
}

static void test_options_secret_file_comes_on_top_of_each_signal(void **state)
{
	struct options_result r;

	(void)state;
	write_text(path_a, "Authorization=file\nx=file");
	setenv(FIRST, path_a, 1);
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=general,g=1", 1);
	setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "m=1", 1);
	options_run(&r, ONE);
	assert_string_equal(r.err, "");
	check_contains(r.out, "to0 traces header authorization=file\nto0 traces header g=1\n"
			      "to0 traces header x=file\nto0 metrics https");
	check_contains(r.out, "to0 metrics header m=1\nto0 metrics header Authorization=file\n"
			      "to0 metrics header x=file\nto0 logs");
}

static void test_options_secret_files_are_for_their_destination(void **state)
{
	struct options_result r;

	(void)state;
	write_text(path_a, "one=1");
	write_text(path_b, "two=2");
	setenv(FIRST, path_a, 1);
	options_run(&r, TWO);
	assert_string_equal(r.err, "");
	check_count(r.out, "header one=1", 2);
	check_lacks(r.out, "to1 traces header");
	setenv(SECOND, path_b, 1);
	setenv("RINGSPAN_OTLP_2_HEADERS", "t=1", 1);
	options_run(&r, TWO);
	assert_string_equal(r.err, "");
	check_count(r.out, "header one=1", 2);
	check_count(r.out, "header two=2", 2);
	check_contains(r.out, "to1 traces header t=1\nto1 traces header two=2\n");
	/* there is no second one to send it to: said, not shown */
	options_run(&r, ONE);
	check_contains(r.err, "warning: " SECOND " ignored");
	check_lacks(r.out, "two=2");
}

static void test_options_secret_unusable_files_are_refused(void **state)
{
	char text[70000];

	(void)state;
	setenv(FIRST, "/nowhere/hush", 1);
	check_refused(ONE, "error: " FIRST "='/nowhere/hush': ",
		      "No such file or directory: give the path of a file with name=value");
	setenv(FIRST, dir, 1);
	check_refused(ONE, dir, "not a regular file");
	setenv(FIRST, "/dev/zero", 1);
	check_refused(ONE, "/dev/zero", "not a regular file");
	write_bytes(path_a, "a=1\0b=2", 7);
	setenv(FIRST, path_a, 1);
	check_refused(ONE, path_a, "zero bytes");
	memset(text, 'x', sizeof(text));
	write_bytes(path_a, text, 65535);
	check_refused(ONE, path_a, "too long");
	write_bytes(path_a, "a=1", 3);
	setenv(SECOND, "/nowhere", 1);
	check_refused(TWO, SECOND "='/nowhere'", "No such file");
	check_runs("-i a", "otlp=0"); /* nothing is sent: nothing is read */
}

static void test_options_secret_is_never_shown(void **state)
{
	struct options_result r;

	(void)state;
	setenv(FIRST, "authorization=Bearer%20hush", 1);
	check_refused(ONE, FIRST "='…'", "give the path of a file");
	options_run(&r, ONE);
	check_lacks(r.err, "hush");
	setenv(FIRST, "Bearer hush", 1);
	options_run(&r, ONE);
	check_lacks(r.err, "hush");
	write_text(path_a, "good=1\nhush\nx=hush%0\nhush hush=1");
	setenv(FIRST, path_a, 1);
	options_run(&r, ONE);
	assert_int_equal(r.code, 0);
	check_lacks(r.err, "hush");
	check_count(r.err, "\n", 3);
	check_contains(r.err, FIRST ": pair 2 ignored: it is not of the form");
	check_contains(r.err, FIRST ": pair 3 ignored: its value has a broken percent");
	check_contains(r.err, FIRST ": pair 4 ignored: its name is not a header name");
	check_contains(r.out, "to0 traces header good=1\nto0 metrics");
}

static void test_options_secret_open_to_others_is_said(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0644};
	struct options_result r;
	char other[64];
	size_t i;

	(void)state;
	write_text(path_a, "a=hush");
	setenv(FIRST, path_a, 1);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		chmod(path_a, modes[i]);
		options_run(&r, TWO);
		assert_int_equal(r.code, 0);
		check_count(r.err, "\n", 1);
		check_contains(r.err, path_a);
		check_contains(r.err, "chmod 600");
		check_lacks(r.err, "hush");
	}
	/* systemd guards the folder, and shows the rights of an access list as the group's */
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	check_runs(ONE, "to0 traces header a=hush\n");
	snprintf(other, sizeof(other), "%.*s", (int)strlen(dir) - 1, dir);
	setenv("CREDENTIALS_DIRECTORY", other, 1);
	check_warns(ONE, "to0 traces header a=hush\n", "can be read by others");
}

static void test_options_secret_site_key_from_a_variable(void **state)
{
	struct options_result r;
	char args[128];

	(void)state;
	write_text(path_a, KEY "\n");
	setenv("RINGSPAN_SITE_KEY_FILE", path_a, 1);
	check_runs("-i a", "key=" KEY "\n");
	/* the option beats it, even where it names nothing */
	setenv("RINGSPAN_SITE_KEY_FILE", "/nowhere", 1);
	snprintf(args, sizeof(args), "-i a --site-key %s", path_a);
	check_runs(args, "key=" KEY "\n");
	check_refused("-i a", "RINGSPAN_SITE_KEY_FILE '/nowhere'", "No such file");
	/* empty: random, as without; and of an option still wrong */
	write_text(path_a, "\n");
	setenv("RINGSPAN_SITE_KEY_FILE", path_a, 1);
	options_run(&r, "-i a");
	assert_int_equal(r.code, 0);
	check_lacks(r.out, "key=" KEY);
	check_lacks(r.out, "key=0000000000000000");
	check_refused(args, "--site-key", "64 hexadecimal digits");
	write_text(path_a, "hush");
	check_refused("-i a", "RINGSPAN_SITE_KEY_FILE", "64 hexadecimal digits");
	options_run(&r, "-i a");
	check_lacks(r.err, "hush");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_options_secret_file_has_a_list, setup),
		cmocka_unit_test_setup(test_options_secret_empty_file_is_none, setup),
		cmocka_unit_test_setup(test_options_secret_file_comes_on_top_of_each_signal, setup),
		cmocka_unit_test_setup(test_options_secret_files_are_for_their_destination, setup),
		cmocka_unit_test_setup(test_options_secret_unusable_files_are_refused, setup),
		cmocka_unit_test_setup(test_options_secret_is_never_shown, setup),
		cmocka_unit_test_setup(test_options_secret_open_to_others_is_said, setup),
		cmocka_unit_test_setup(test_options_secret_site_key_from_a_variable, setup),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
