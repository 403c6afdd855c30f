/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * local_find - which running ringspan is meant, for commands that talk to one. Says what is wrong,
 * and what to do. Main thread.
 */
#ifndef USER_LOCAL_FIND_H
#define USER_LOCAL_FIND_H

#include "user/control_path.h"

/* The only socket of this kind, of this interface if it is not NULL. 0 and @path set, or -errno,
 * said; @option is what names a socket. */
int local_find(char path[CONTROL_PATH_CAP], const char *prefix, const char *interface,
	       const char *option);

/* Whether somebody listens at @path, and we may connect. 0, or -errno, said. */
int local_find_check(const char *path);

#endif /* USER_LOCAL_FIND_H */
