/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/console.h"

#define SECOND 1000000000ULL
#define CLEAR "\r\033[K"

/* What the console writes to, and the other end of it. */
struct fixture {
	FILE *out;
	int reader;
	struct console *console;
	char text[65536];
};

static void open_pipe(struct fixture *f)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	f->reader = fds[0];
	f->out = fdopen(fds[1], "w");
	assert_int_equal(console_create(&f->console, f->out), 0);
}

static void open_terminal(struct fixture *f, unsigned short columns)
{
	struct winsize w = {.ws_row = 24, .ws_col = columns};
	struct termios t;
	int fd;

	f->reader = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(f->reader >= 0);
	assert_int_equal(grantpt(f->reader), 0);
	assert_int_equal(unlockpt(f->reader), 0);
	fd = open(ptsname(f->reader), O_RDWR | O_NOCTTY);
	assert_true(fd >= 0);
	assert_int_equal(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
	assert_int_equal(ioctl(fd, TIOCSWINSZ, &w), 0);
	f->out = fdopen(fd, "w");
	assert_int_equal(console_create(&f->console, f->out), 0);
}

/* All that has been written; it is there at once, since each event is flushed. */
static const char *read_now(struct fixture *f)
{
	size_t len = 0;
	ssize_t n;

	fcntl(f->reader, F_SETFL, fcntl(f->reader, F_GETFL) | O_NONBLOCK);
	while ((n = read(f->reader, f->text + len, sizeof(f->text) - 1 - len)) > 0)
		len += (size_t)n;
	f->text[len] = '\0';
	return f->text;
}

static void finish(struct fixture *f)
{
	console_destroy(f->console);
	fclose(f->out);
	if (f->reader >= 0)
		close(f->reader);
}

static void assert_counts(struct fixture *f, uint64_t printed, uint64_t skipped)
{
	uint64_t p, s;

	console_counts(f->console, &p, &s);
	assert_int_equal(p, printed);
	assert_int_equal(s, skipped);
}

static struct console_status one_status(const char *name)
{
	static struct console_rates rates;

	rates = (struct console_rates){.if_name = name,
				       .rx_pps = 12345.4,
				       .rx_bps = 98.1e6,
				       .tx_pps = 1233.6,
				       .tx_bps = 999.96e3};
	return (struct console_status){.interfaces = &rates,
				       .interfaces_len = 1,
				       .flows_held = 123,
				       .flows_ended = 4567,
				       .lost = 0};
}

#define ONE_STATUS                                                                                 \
	"veth0  rx 12,345 pps 98.1 Mbit/s  tx 1,234 pps 1.0 Mbit/s | flows 123 live 4,567 ended "  \
	"| lost 0"

static void test_console_pipe_gets_every_span_as_a_line(void **state)
{
	struct fixture f;
	const char *text;
	size_t lines = 0;
	int i;

	(void)state;
	open_pipe(&f);
	for (i = 0; i < 100; i++)
		console_span(f.console, "tcp https", 5 * SECOND);
	for (text = read_now(&f); *text; text += strlen("tcp https\n"), lines++)
		assert_int_equal(strncmp(text, "tcp https\n", 10), 0);
	assert_int_equal(lines, 100);
	assert_counts(&f, 100, 0);
	finish(&f);
}

static void test_console_pipe_gets_rates_as_a_line(void **state)
{
	struct console_status s = one_status("veth0");
	struct fixture f;

	(void)state;
	open_pipe(&f);
	console_status(f.console, &s);
	assert_string_equal(read_now(&f), ONE_STATUS "\n");
	assert_counts(&f, 0, 0);
	finish(&f);
}

static void test_console_rates_scale(void **state)
{
	struct console_rates rates[2] = {
	    {.if_name = "a", .rx_bps = 999, .tx_pps = 1234567, .tx_bps = 40e9},
	    {.if_name = "b\033[2J", .rx_pps = -1, .tx_bps = 5e15},
	};
	struct console_status s = {.interfaces = rates, .interfaces_len = 2, .lost = 1000};
	struct fixture f;

	(void)state;
	open_pipe(&f);
	console_status(f.console, &s);
	assert_string_equal(read_now(&f), "a  rx 0 pps 999 bit/s  tx 1,234,567 pps 40.0 Gbit/s | "
					  "b?[2J  rx 0 pps 0 bit/s  tx 0 pps 5000.0 Tbit/s | "
					  "flows 0 live 0 ended | lost 1,000\n");
	finish(&f);
}

static void test_console_terminal_status_is_rewritten_in_place(void **state)
{
	struct console_status s = one_status("veth0");
	struct fixture f;

	(void)state;
	open_terminal(&f, 120);
	console_status(f.console, &s);
	assert_string_equal(read_now(&f), ONE_STATUS);
	console_status(f.console, &s);
	assert_string_equal(read_now(&f), CLEAR ONE_STATUS);
	console_span(f.console, "udp domain", SECOND);
	assert_string_equal(read_now(&f), CLEAR "udp domain\n" ONE_STATUS);
	console_destroy(f.console);
	f.console = NULL;
	assert_string_equal(read_now(&f), CLEAR);
	finish(&f);
}

static void test_console_status_never_wraps(void **state)
{
	struct console_status s = one_status("veth0");
	struct fixture f;

	(void)state;
	open_terminal(&f, 30);
	console_status(f.console, &s);
	/* 29 columns: the last one stays free */
	assert_string_equal(read_now(&f), "veth0  rx 12,345 pps 98.1 Mb…");
	finish(&f);
}

static void test_console_terminal_shows_what_an_eye_can_follow(void **state)
{
	struct console_status s = one_status("veth0");
	struct fixture f;
	char expected[1024] = "";
	int i;

	(void)state;
	open_terminal(&f, 120);
	for (i = 0; i < 30; i++)
		strcat(expected, "tcp\n");
	for (i = 0; i < 1264; i++)
		console_span(f.console, "tcp", 7 * SECOND + (uint64_t)i);
	assert_string_equal(read_now(&f), expected);
	assert_counts(&f, 30, 1234);
	console_span(f.console, "udp", 8 * SECOND);
	assert_string_equal(read_now(&f), "… and 1,234 more spans\nudp\n");
	assert_counts(&f, 31, 1234);
	for (i = 0; i < 30; i++)
		console_span(f.console, "x", 8 * SECOND + 1);
	read_now(&f);
	console_status(f.console, &s);
	assert_string_equal(read_now(&f), "… and 1 more span\n" ONE_STATUS);
	console_span(f.console, "x", 8 * SECOND + 2);
	console_destroy(f.console);
	f.console = NULL;
	assert_string_equal(read_now(&f), CLEAR "… and 1 more span\n");
	finish(&f);
}

static void test_console_control_characters_do_not_pass(void **state)
{
	struct fixture f;

	(void)state;
	open_pipe(&f);
	console_span(f.console, "a\nb\033[2Jc\x7f é", SECOND);
	assert_string_equal(read_now(&f), "a?b?[2Jc? é\n");
	finish(&f);
}

static void test_console_closed_pipe_neither_kills_nor_prints(void **state)
{
	struct console_status s = one_status("veth0");
	struct fixture f;
	sigset_t pending;

	(void)state;
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
	open_pipe(&f);
	close(f.reader);
	f.reader = -1;
	console_span(f.console, "tcp", SECOND);
	console_status(f.console, &s);
	console_span(f.console, "tcp", SECOND);
	assert_counts(&f, 0, 2);
	sigpending(&pending);
	assert_false(sigismember(&pending, SIGPIPE));
	finish(&f);
}

static void test_console_full_disk_is_counted(void **state)
{
	struct fixture f = {.reader = -1};
	int fds[2];

	(void)state;
	f.out = fopen("/dev/full", "w");
	assert_non_null(f.out);
	assert_int_equal(console_create(&f.console, f.out), 0);
	console_span(f.console, "lost", SECOND);
	console_span(f.console, "lost", SECOND);
	assert_counts(&f, 0, 2);
	/* there is room again: what was counted as skipped does not come after all */
	assert_int_equal(pipe(fds), 0);
	assert_true(dup2(fds[1], fileno(f.out)) >= 0);
	close(fds[1]);
	f.reader = fds[0];
	console_span(f.console, "kept", SECOND);
	assert_string_equal(read_now(&f), "kept\n");
	assert_counts(&f, 1, 2);
	finish(&f);
}

/* A reader that stopped reading costs lines, not the worker that prints them. */
static void test_console_slow_reader_does_not_block(void **state)
{
	struct fixture f;
	uint64_t printed, skipped;
	const char *text;
	char line[512];
	int i;

	(void)state;
	open_pipe(&f);
	assert_true(fcntl(fileno(f.out), F_SETPIPE_SZ, 4096) >= 4096);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	for (i = 0; i < 100; i++)
		console_span(f.console, line, SECOND);
	console_counts(f.console, &printed, &skipped);
	assert_in_range(printed, 1, 99);
	assert_int_equal(printed + skipped, 100);
	text = read_now(&f);
	assert_int_equal(strlen(text), printed * 512);
	console_span(f.console, "again", SECOND);
	assert_string_equal(read_now(&f), "again\n");
	assert_counts(&f, printed + 1, skipped);
	finish(&f);
}

static void *print_lines(void *arg)
{
	int i;

	for (i = 0; i < 200; i++)
		console_span(arg, "abcdefghijklmnopqrstuvwxyz", SECOND);
	return NULL;
}

static void test_console_threads_do_not_mix_lines(void **state)
{
	pthread_t thread[4];
	struct fixture f;
	const char *text;
	int i, lines = 0;

	(void)state;
	open_pipe(&f);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, print_lines, f.console), 0);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (text = read_now(&f); *text; text += 27, lines++)
		assert_int_equal(strncmp(text, "abcdefghijklmnopqrstuvwxyz\n", 27), 0);
	assert_int_equal(lines, 800);
	assert_counts(&f, 800, 0);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_console_pipe_gets_every_span_as_a_line),
	    cmocka_unit_test(test_console_pipe_gets_rates_as_a_line),
	    cmocka_unit_test(test_console_rates_scale),
	    cmocka_unit_test(test_console_terminal_status_is_rewritten_in_place),
	    cmocka_unit_test(test_console_status_never_wraps),
	    cmocka_unit_test(test_console_terminal_shows_what_an_eye_can_follow),
	    cmocka_unit_test(test_console_control_characters_do_not_pass),
	    cmocka_unit_test(test_console_closed_pipe_neither_kills_nor_prints),
	    cmocka_unit_test(test_console_full_disk_is_counted),
	    cmocka_unit_test(test_console_slow_reader_does_not_block),
	    cmocka_unit_test(test_console_threads_do_not_mix_lines),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
