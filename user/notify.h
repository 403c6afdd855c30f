/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * notify - tells the service manager how we are: sd_notify(3)'s protocol, without its library.
 */
#ifndef USER_NOTIFY_H
#define USER_NOTIFY_H

/* Sends @state ("READY=1") to $NOTIFY_SOCKET; nothing happens where there is none. */
void notify_systemd(const char *state);

#endif /* USER_NOTIFY_H */
