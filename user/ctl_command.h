/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ctl_command - `ringspan ctl …`: asks a running ringspan over its control socket and shows the
 * answer.
 */
#ifndef USER_CTL_COMMAND_H
#define USER_CTL_COMMAND_H

#include "user/options.h"

/* Main thread, SIGINT, SIGTERM and SIGHUP blocked. 0; 1: it could not be done, and it has said why.
 */
int ctl_command(const struct options *o);

#endif /* USER_CTL_COMMAND_H */
