/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * control_path - where our local sockets are, and whether somebody listens there. Any thread.
 */
#ifndef USER_CONTROL_PATH_H
#define USER_CONTROL_PATH_H

#include <stddef.h>

#define CONTROL_DIR "/run/ringspan"
#define CONTROL_PREFIX "ctl" /* names there are PREFIX-INTERFACE….sock */
#define CONTROL_EVENTS_PREFIX "events"
#define CONTROL_PATH_CAP 108 /* with the NUL: what a socket address holds */
#define CONTROL_PATHS_MAX 32

/* 0: somebody listens; -ECONNREFUSED: nobody does any more, the file was left behind; -ENOENT;
 * -ENOTSOCK; -EACCES; -errno. */
int control_path_probe(const char *path);

/* The sockets in CONTROL_DIR of this kind on which somebody listens, or which we may not ask, by
 * name; if @interface is not NULL, only those named after it. Returns how many; 0 if the folder
 * cannot be read, *ret_err tells why. */
size_t control_path_list(const char *prefix, const char *interface,
			 char ret[CONTROL_PATHS_MAX][CONTROL_PATH_CAP], int *ret_err);

#endif /* USER_CONTROL_PATH_H */
