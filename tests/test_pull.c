/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The thread that answers, and the board between it and the main thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/clock.h"
#include "user/log.h"
#include "user/pull.h"

#define SECOND_NS 1000000000ULL

static struct options o = {.metrics_listen = "here", .metrics_host = "127.0.0.1"};
static struct sockaddr_in at;
static struct pull_board *board;
static struct pull *pull;

static int begin(void **state)
{
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0), err;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	err = bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	      getsockname(fd, (struct sockaddr *)&at, &len);
	close(fd);
	snprintf(o.metrics_port, sizeof(o.metrics_port), "%u", ntohs(at.sin_port));
	return err || pull_board_create(&board) || pull_open(&pull, &o, board);
}

static int end(void **state)
{
	(void)state;
	pull_close(pull);
	pull_board_destroy(board);
	return 0;
}

static int join(void)
{
	struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* All that comes until the other end closes. */
static const char *read_all(int fd)
{
	static char text[65536];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	assert_int_equal(n, 0);
	close(fd);
	text[len] = '\0';
	return text;
}

static const char *ask(const char *path)
{
	char request[256];
	int fd = join();

	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	return read_all(fd);
}

static void assert_starts(const char *text, const char *with)
{
	if (strncmp(text, with, strlen(with)))
		fail_msg("\"%s\" does not start with \"%s\"", text, with);
}

static void publish(enum prom_format format, size_t len, char fill)
{
	struct prom_text t = {.format = format, .data = malloc(len), .len = len, .cap = len};

	memset(t.data, fill, len);
	pull_board_publish(board, &t);
	assert_null(t.data);
}

static void test_pull_has_no_numbers_until_there_are_some(void **state)
{
	struct pull_stats stats;

	(void)state;
	assert_starts(ask("/metrics"), "HTTP/1.1 503 ");
	assert_int_not_equal(pull_board_asked_mono_ns(board, PROM_TEXT), 0);
	assert_int_equal(pull_board_asked_mono_ns(board, PROM_OPENMETRICS), 0);
	publish(PROM_TEXT, 3, 'a');
	assert_non_null(strstr(ask("/metrics"), "\r\nContent-Length: 3\r\n"));
	publish(PROM_TEXT, 2, 'b');
	assert_non_null(strstr(ask("/metrics"), "\r\n\r\nbb"));
	pull_board_stats(board, &stats);
	assert_int_equal(stats.answers[PULL_200], 2);
	assert_int_equal(stats.answers[PULL_503], 1);
}

static void test_pull_tells_how_we_are(void **state)
{
	uint64_t now_ns = clock_mono_ns();

	(void)state;
	pull_board_tick(board, false, "starting\n", now_ns);
	assert_starts(ask("/healthz"), "HTTP/1.1 200 ");
	assert_starts(ask("/readyz"), "HTTP/1.1 503 ");
	pull_board_tick(board, true, "ready\n", now_ns);
	assert_starts(ask("/readyz"), "HTTP/1.1 200 ");
	assert_non_null(strstr(ask("/readyz"), "\r\n\r\nready\n"));
	pull_board_tick(board, true, "ready\n", now_ns - 11 * SECOND_NS);
	assert_starts(ask("/readyz"), "HTTP/1.1 503 ");
	assert_starts(ask("/healthz"), "HTTP/1.1 503 ");
	assert_non_null(strstr(ask("/healthz"), "the main loop has not turned for 11 s"));
}

static void test_pull_gives_whole_texts_while_new_ones_come(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
	const size_t len = 16 << 20; /* more than the kernel takes at once */
	char *body = malloc(len + 4096), first;
	size_t got = 0, i;
	int fd = join();
	ssize_t n;

	(void)state;
	publish(PROM_TEXT, len, 'x');
	send(fd, request, sizeof(request) - 1, 0);
	assert_int_equal(recv(fd, &first, 1, MSG_WAITALL), 1);
	for (i = 0; i < 5; i++)
		publish(PROM_TEXT, len, 'y');
	while ((n = recv(fd, body + got, len + 4096 - got, 0)) > 0)
		got += (size_t)n;
	assert_true(got > len);
	for (i = got - len; i < got; i++)
		if (body[i] != 'x')
			fail_msg("another text from %zu on", i);
	close(fd);
	free(body);
}

static void test_pull_has_places_for_those_who_speak(void **state)
{
	int idle[PULL_CLIENTS];
	size_t i;

	(void)state;
	publish(PROM_TEXT, 3, 'a');
	for (i = 0; i < PULL_CLIENTS; i++) { /* all places are taken, by who may ask again */
		static const char request[] = "GET /none HTTP/1.1\r\nHost: a\r\n\r\n";
		char c;

		idle[i] = join();
		send(idle[i], request, sizeof(request) - 1, 0);
		assert_int_equal(recv(idle[i], &c, 1, 0), 1);
	}
	assert_starts(ask("/metrics"), "HTTP/1.1 200 ");
	read_all(idle[0]); /* it was the first, and went */
	for (i = 1; i < PULL_CLIENTS; i++)
		close(idle[i]);
}

static void test_pull_ends_with_clients_there(void **state)
{
	int fd = join(), half = join();

	assert_int_equal(send(half, "GET /", 5, 0), 5);
	assert_starts(ask("/"), "HTTP/1.1 200 ");
	end(state);
	pull = NULL;
	board = NULL;
	close(fd);
	close(half);
}

static void test_pull_says_that_a_port_is_taken(void **state)
{
	struct pull *second = NULL;

	(void)state;
	assert_int_equal(pull_open(&second, &o, board), -EADDRINUSE);
	assert_null(second);
}

/* Those who come wait until there are descriptors again, and meanwhile nothing spins. */
static void test_pull_lives_without_descriptors(void **state)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct rlimit before, none;
	struct rusage u[2];
	struct timeval wait = {.tv_usec = 500000};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char c;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = (rlim_t)fd + 1;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	send(fd, request, sizeof(request) - 1, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	getrusage(RUSAGE_SELF, &u[0]);
	assert_int_equal(recv(fd, &c, 1, 0), -1);
	getrusage(RUSAGE_SELF, &u[1]);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_true((u[1].ru_utime.tv_sec - u[0].ru_utime.tv_sec) * 1000000 +
			    u[1].ru_utime.tv_usec - u[0].ru_utime.tv_usec +
			    (u[1].ru_stime.tv_sec - u[0].ru_stime.tv_sec) * 1000000 +
			    u[1].ru_stime.tv_usec - u[0].ru_stime.tv_usec <
		    100000);
	wait = (struct timeval){.tv_sec = 20};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_starts(read_all(fd), "HTTP/1.1 200 ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pull_has_no_numbers_until_there_are_some),
		TEST(test_pull_tells_how_we_are),
		TEST(test_pull_gives_whole_texts_while_new_ones_come),
		TEST(test_pull_has_places_for_those_who_speak),
		TEST(test_pull_ends_with_clients_there),
		TEST(test_pull_says_that_a_port_is_taken),
		TEST(test_pull_lives_without_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
