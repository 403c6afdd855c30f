/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <time.h>

#include "user/clock.h"

int wait_init(struct wait *w)
{
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&w->signals);
	sigaddset(&w->signals, SIGINT);
	sigaddset(&w->signals, SIGTERM);
	sigaddset(&w->signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &w->signals, NULL);
	notify_watchdog_init(&w->watchdog);
	w->fd = signalfd(-1, &w->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return w->fd < 0 ? -errno : 0;
}

void wait_release(struct wait *w)
{
	pthread_sigmask(SIG_UNBLOCK, &w->signals, NULL);
}

bool wait_until(struct wait *w, int fd, uint64_t mono_ns)
{
	struct pollfd fds[2] = {{w->fd, POLLIN, 0}, {fd, POLLIN, 0}};
	const struct timespec none = {0};
	uint64_t now_ns, end_ns, left_ns;
	struct timespec left;
	int n;

	do {
		now_ns = clock_mono_ns();
		end_ns = notify_watchdog_tend(&w->watchdog, now_ns);
		end_ns = end_ns < mono_ns ? end_ns : mono_ns;
		left_ns = end_ns > now_ns ? end_ns - now_ns : 0;
		left = (struct timespec){.tv_sec = (time_t)(left_ns / 1000000000),
					 .tv_nsec = (long)(left_ns % 1000000000)};
		n = ppoll(fds, 2, &left, NULL);
	} while (!n && end_ns < mono_ns);
	if (n <= 0 || !fds[0].revents)
		return false;
	sigtimedwait(&w->signals, NULL, &none); /* taken, so that it does not end us as well */
	return true;
}
