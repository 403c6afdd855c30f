/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * discard - an HTTP server on 127.0.0.1 in a process of its own that throws every body away and
 * answers 200, on connections that are kept. As cheap as a receiver can be: what is measured with
 * it is the sender.
 */
#ifndef BENCH_DISCARD_H
#define BENCH_DISCARD_H

#include <stdint.h>
#include <sys/types.h>

/* Forks: call it before there are threads. The port; ends the process on failure. The server ends
 * with it, at the latest. */
uint16_t discard_start(pid_t *ret);
void discard_stop(pid_t pid);

#endif /* BENCH_DISCARD_H */
