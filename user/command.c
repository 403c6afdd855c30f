/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/command.h"

#include "user/ctl_command.h"
#include "user/queue_command.h"
#include "user/tail_command.h"

static int (*const commands[])(const struct options *o) = {
	[OPTIONS_QUEUE_LS] = queue_command,
	[OPTIONS_QUEUE_SEND] = queue_command,
	[OPTIONS_CTL] = ctl_command,
	[OPTIONS_TAIL] = tail_command,
};

int command_run(const struct options *o)
{
	return commands[o->command](o);
}
