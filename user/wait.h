/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wait - what the main thread sleeps on: a signal to end, something to read, the clock. The service
 * manager's watchdog is fed from here and nowhere else, so only while the main thread comes round.
 */
#ifndef USER_WAIT_H
#define USER_WAIT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "user/notify.h"

struct wait {
	sigset_t signals; /* SIGINT, SIGTERM, SIGHUP */
	int fd;
	struct notify_watchdog watchdog;
};

/* Blocks the signals, here and in all threads that are started after; ignores SIGPIPE. 0 or
 * -errno. */
int wait_init(struct wait *w);

/* From here on they end the process. */
void wait_release(struct wait *w);

/* Until one of them comes; @fd -1: none. Whether it was a signal. */
bool wait_until(struct wait *w, int fd, uint64_t mono_ns);

#endif /* USER_WAIT_H */
