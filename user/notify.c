/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_systemd(const char *state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@') /* an abstract socket */
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
		      (struct sockaddr *)&addr,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

/* A positive whole number; 0: it is none. */
static uint64_t number_of(const char *text)
{
	unsigned long long v;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	v = strtoull(text, &end, 10);
	return errno || *end ? 0 : v;
}

void notify_watchdog_init(struct notify_watchdog *w)
{
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t usec = number_of(getenv("WATCHDOG_USEC"));

	w->period_ns = w->next_ns = 0;
	if (usec < UINT64_MAX / 1000 && (!pid || number_of(pid) == (uint64_t)getpid()))
		w->period_ns = usec * 1000 / 2;
}

uint64_t notify_watchdog_tend(struct notify_watchdog *w, uint64_t mono_ns)
{
	if (!w->period_ns)
		return UINT64_MAX;
	if (mono_ns >= w->next_ns) {
		notify_systemd("WATCHDOG=1");
		w->next_ns = mono_ns + w->period_ns;
	}
	return w->next_ns;
}
