/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * privileges - which capabilities this process needs, and giving up the rest.
 *
 * Capabilities belong to a thread and are inherited by the threads it starts, so drop is called
 * before any is started, raise by the main thread.
 */
#ifndef USER_PRIVILEGES_H
#define USER_PRIVILEGES_H

#include <stdbool.h>

/* The first capability that is missing to load and attach, by name; NULL: none is. */
const char *privileges_missing(void);

/* Keeps in force what reading maps takes (CAP_BPF), and in reserve what detaching will take:
 * CAP_NET_ADMIN, and with @dispatcher what libxdp needs to rebuild its dispatcher. Nothing can be
 * gained again, also not by executing a program. 0 or -EPERM. */
int privileges_drop(bool dispatcher);

/* Puts the reserve in force. */
void privileges_raise(void);

#endif /* USER_PRIVILEGES_H */
