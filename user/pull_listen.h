/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pull_listen - --metrics-listen → a listening socket. Part of pull.
 */
#ifndef USER_PULL_LISTEN_H
#define USER_PULL_LISTEN_H

#include "user/options.h"

/* A socket that does not block, and a warning if others than this host can reach it; or -errno,
 * said. */
int pull_listen(const struct options *o);

#endif /* USER_PULL_LISTEN_H */
