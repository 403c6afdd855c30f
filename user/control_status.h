/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * control_status - how ringspan is doing, for a person or a program. Main thread.
 */
#ifndef USER_CONTROL_STATUS_H
#define USER_CONTROL_STATUS_H

#include <stdio.h>

#include "user/control.h"

void control_status_write(const struct control_opts *o, uint64_t begun_mono_ns, bool json,
			  FILE *out);

#endif /* USER_CONTROL_STATUS_H */
