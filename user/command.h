/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * command - `ringspan queue …`, `ctl …`, `tail …`: everything but watching.
 */
#ifndef USER_COMMAND_H
#define USER_COMMAND_H

#include "user/options.h"

/* Runs o->command. Main thread, SIGINT, SIGTERM and SIGHUP blocked. The exit code; what went wrong
 * has been said. */
int command_run(const struct options *o);

#endif /* USER_COMMAND_H */
