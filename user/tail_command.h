/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tail_command - `ringspan tail`: shows flows of a running ringspan as they end.
 */
#ifndef USER_TAIL_COMMAND_H
#define USER_TAIL_COMMAND_H

#include "user/options.h"

/* Main thread, SIGINT, SIGTERM and SIGHUP blocked, SIGPIPE ignored. The exit code: 0 also when a
 * signal or a reader that went away ended it; 1: it has said why; 64: the filter is wrong. */
int tail_command(const struct options *o);

#endif /* USER_TAIL_COMMAND_H */
