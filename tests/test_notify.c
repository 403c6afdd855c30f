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

#include "user/notify.h"

/* A service manager's socket at @path (its first byte may be NUL: abstract). */
static int manager(const char *path, size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	memcpy(addr.sun_path, path, len);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr,
			      offsetof(struct sockaddr_un, sun_path) + len),
			 0);
	return fd;
}

static void expect(int fd, const char *text)
{
	char got[64] = "";
	ssize_t len = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	assert_int_equal(len, strlen(text));
	assert_string_equal(got, text);
}

static void test_notify_tells_the_manager(void **state)
{
	char path[64];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_notify.%d", getpid());
	fd = manager(path, strlen(path));
	setenv("NOTIFY_SOCKET", path, 1);
	notify_systemd("READY=1");
	expect(fd, "READY=1");
	notify_systemd("STOPPING=1");
	expect(fd, "STOPPING=1");
	close(fd);
	unlink(path);
}

static void test_notify_knows_abstract_sockets(void **state)
{
	char path[64];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "@test_notify.%d", getpid());
	setenv("NOTIFY_SOCKET", path, 1);
	path[0] = '\0';
	fd = manager(path, 1 + strlen(path + 1));
	notify_systemd("READY=1");
	expect(fd, "READY=1");
	close(fd);
}

static void test_notify_does_without_a_manager(void **state)
{
	char path[200];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_systemd("READY=1");
	setenv("NOTIFY_SOCKET", "/nowhere/to/be/found", 1);
	notify_systemd("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_systemd("READY=1");
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	setenv("NOTIFY_SOCKET", path, 1); /* longer than an address can be */
	notify_systemd("READY=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notify_tells_the_manager),
		cmocka_unit_test(test_notify_knows_abstract_sockets),
		cmocka_unit_test(test_notify_does_without_a_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
