/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * queue_command - `ringspan queue ls DIR` and `ringspan queue send DIR`: what waits on disk, looked
 * at and sent without watching anything.
 */
#ifndef USER_QUEUE_COMMAND_H
#define USER_QUEUE_COMMAND_H

#include "user/options.h"

/* Runs it, main thread, SIGINT and SIGTERM blocked. 0; 1: something is left or went wrong, and it
 * has said what. */
int queue_command(const struct options *o);

#endif /* USER_QUEUE_COMMAND_H */
