/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * notify - tells the service manager how we are: sd_notify(3)'s protocol, without its library.
 */
#ifndef USER_NOTIFY_H
#define USER_NOTIFY_H

#include <stdint.h>

/* Sends @state ("READY=1") to $NOTIFY_SOCKET; nothing happens where there is none. */
void notify_systemd(const char *state);

/* Whoever sleeps with this between two rounds of his work proves that he still makes them. */
struct notify_watchdog {
	uint64_t period_ns; /* 0: nobody watches */
	uint64_t next_ns;
};

/* As $WATCHDOG_USEC says, if it is meant for this process ($WATCHDOG_PID, as
 * sd_watchdog_enabled(3) has it); the period is half of that. */
void notify_watchdog_init(struct notify_watchdog *w);

/* Sends a sign of life if one is due at @mono_ns; returns when the next one is, or UINT64_MAX. */
uint64_t notify_watchdog_tend(struct notify_watchdog *w, uint64_t mono_ns);

#endif /* USER_NOTIFY_H */
