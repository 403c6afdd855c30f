/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pull - what others come and fetch over HTTP: /metrics, /healthz, /readyz.
 *
 * A thread of its own answers, from texts that the main thread has made ready; it never waits for
 * the main thread, nor that for a client. Bounded: PULL_CLIENTS connections, a few seconds for each
 * request and each answer. Not behind nng's server: the one of nng 1.5 writes behind its memory
 * when a path ends in %41, and has no limit for connections or time.
 */
#ifndef USER_PULL_H
#define USER_PULL_H

#include "user/options.h"
#include "user/pull_board.h"

#define PULL_CLIENTS 64 /* at the same time; more wait in the kernel's queue */

struct pull;

/* Listens at o->metrics_listen and answers from @board, both borrowed. 0 and *ret set; else -errno,
 * said. */
int pull_open(struct pull **ret, const struct options *o, struct pull_board *board);
void pull_close(struct pull *p); /* NULL is allowed; ends all connections */

#endif /* USER_PULL_H */
