/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * control_flows - the flows that are alive, as a person or a program asked for them: the first few
 * of those that fit, in the order asked for.
 *
 * create, write and destroy: main thread. see: a worker's thread, while the main thread waits.
 */
#ifndef USER_CONTROL_FLOWS_H
#define USER_CONTROL_FLOWS_H

#include <stdio.h>

#include "user/control_request.h"
#include "user/flow_table.h"
#include "user/probe.h"

struct control_flows;

/* @r and @probe are borrowed. 0; -ENOMEM; -EINVAL and @why: an interface is not watched. */
int control_flows_create(struct control_flows **ret, const struct probe *probe,
			 struct control_request *r, char why[CONTROL_WHY_CAP]);
void control_flows_destroy(struct control_flows *f);

void control_flows_see(void *ctx, const struct flow *flow); /* @ctx: the struct control_flows */

/* With the totals that the kernel has now. */
void control_flows_write(struct control_flows *f, FILE *out);

#endif /* USER_CONTROL_FLOWS_H */
