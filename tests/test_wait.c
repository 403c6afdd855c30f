/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/clock.h"
#include "user/wait.h"

#define MS 1000000ULL

static int manager_fd;

/* A service manager that listens, and a watchdog of @usec for @pid; NULL: not set. */
static int manage(const char *usec, const char *pid)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char name[64];
	int len;

	len = snprintf(name, sizeof(name), "@test_wait.%d", getpid());
	memcpy(addr.sun_path + 1, name + 1, (size_t)len - 1);
	manager_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(manager_fd, (struct sockaddr *)&addr,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)))
		return -1;
	setenv("NOTIFY_SOCKET", name, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (usec)
		setenv("WATCHDOG_USEC", usec, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	return 0;
}

static int dismiss(void **state)
{
	(void)state;
	close(manager_fd);
	return 0;
}

/* How many signs of life have come, and nothing else. */
static int signs(void)
{
	char got[64] = "";
	int n = 0;

	while (recv(manager_fd, got, sizeof(got) - 1, MSG_DONTWAIT) > 0) {
		assert_string_equal(got, "WATCHDOG=1");
		memset(got, 0, sizeof(got));
		n++;
	}
	return n;
}

static void test_wait_feeds_the_watchdog_at_half_its_interval(void **state)
{
	struct notify_watchdog w;
	char pid[16];

	(void)state;
	snprintf(pid, sizeof(pid), "%d", getpid());
	assert_int_equal(manage("30000000", pid), 0);
	notify_watchdog_init(&w);
	assert_int_equal(w.period_ns, 15000 * MS);
	assert_int_equal(notify_watchdog_tend(&w, 7 * MS), 15007 * MS);
	assert_int_equal(signs(), 1);
	assert_int_equal(notify_watchdog_tend(&w, 15007 * MS - 1), 15007 * MS);
	assert_int_equal(signs(), 0);
	assert_int_equal(notify_watchdog_tend(&w, 15007 * MS), 30007 * MS);
	assert_int_equal(signs(), 1);
	/* late: once, and a period from then on */
	assert_int_equal(notify_watchdog_tend(&w, 99999 * MS), 114999 * MS);
	assert_int_equal(signs(), 1);
}

static void test_wait_watchdog_is_for_one_process(void **state)
{
	static const struct {
		const char *usec, *pid;
	} silent[] = {{NULL, NULL},
		      {"", NULL},
		      {"0", NULL},
		      {"-5", NULL},
		      {"x", NULL},
		      {"5x", NULL},
		      {" 5", NULL},
		      {"5", "1"},
		      {"5", "x"},
		      {"5", ""},
		      {"99999999999999999999", NULL},
		      {"18446744073709551615", NULL}};
	struct notify_watchdog w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		assert_int_equal(manage(silent[i].usec, silent[i].pid), 0);
		notify_watchdog_init(&w);
		assert_int_equal(notify_watchdog_tend(&w, 1000000 * MS), UINT64_MAX);
		assert_int_equal(signs(), 0);
		close(manager_fd);
	}
	/* as sd_watchdog_enabled(3): without a pid it is for whoever asks */
	assert_int_equal(manage("2000", NULL), 0);
	notify_watchdog_init(&w);
	assert_int_equal(w.period_ns, MS);
}

/* A watchdog that is shorter than the sleep: fed all the same, and the sleep is not cut. */
static void test_wait_feeds_while_it_sleeps(void **state)
{
	uint64_t end_ns;
	struct wait w;
	int n;

	(void)state;
	assert_int_equal(manage("40000", NULL), 0);
	assert_int_equal(wait_init(&w), 0);
	assert_int_equal(signs(), 0); /* who does not come round feeds nothing */
	end_ns = clock_mono_ns() + 500 * MS;
	assert_false(wait_until(&w, -1, end_ns));
	assert_true(clock_mono_ns() >= end_ns);
	n = signs();
	assert_in_range(n, 3, 26);
	close(w.fd);
}

static void test_wait_ends_at_a_signal_or_at_something_to_read(void **state)
{
	const uint64_t far_ns = clock_mono_ns() + 60000 * MS;
	struct wait w;
	int ends[2];

	(void)state;
	assert_int_equal(manage("40000", NULL), 0);
	assert_int_equal(wait_init(&w), 0);
	kill(getpid(), SIGTERM);
	assert_true(wait_until(&w, -1, far_ns));
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_false(wait_until(&w, ends[0], far_ns)); /* the signal was taken */
	assert_true(clock_mono_ns() < far_ns);
	wait_release(&w);
	close(w.fd);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_wait_feeds_the_watchdog_at_half_its_interval,
					  dismiss),
		cmocka_unit_test_teardown(test_wait_watchdog_is_for_one_process, dismiss),
		cmocka_unit_test_teardown(test_wait_feeds_while_it_sleeps, dismiss),
		cmocka_unit_test_teardown(test_wait_ends_at_a_signal_or_at_something_to_read,
					  dismiss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
