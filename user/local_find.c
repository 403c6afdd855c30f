/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/local_find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/log.h"

int local_find(char path[CONTROL_PATH_CAP], const char *prefix, const char *interface,
	       const char *option)
{
	char paths[CONTROL_PATHS_MAX][CONTROL_PATH_CAP], list[1024] = "";
	size_t len, i, used = 0;
	int err;

	len = control_path_list(prefix, interface, paths, &err);
	if (len == 1) {
		memcpy(path, paths[0], CONTROL_PATH_CAP);
		return 0;
	}
	if (err && err != -ENOENT) {
		log_error("cannot look for a running ringspan in " CONTROL_DIR ": %s%s",
			  strerror(-err), err == -EACCES ? "; run as root" : "");
		return err;
	}
	if (!len) {
		log_error("no ringspan is running%s%s, or it has no socket in " CONTROL_DIR
			  ": name its socket with %s",
			  interface ? " on " : "", interface ? interface : "", option);
		return -ENOENT;
	}
	for (i = 0; i < len && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 paths[i]);
	log_error("several run: name one with %s: %s", option, list);
	return -EINVAL;
}

int local_find_check(const char *path)
{
	int err = control_path_probe(path);

	if (err == -ECONNREFUSED)
		log_error("nobody listens at %s: that ringspan is gone", path);
	else if (err == -ENOENT)
		log_error("there is no %s: no ringspan runs with this socket", path);
	else if (err == -EACCES || err == -EPERM)
		log_error("%s: permission denied: run as the user that runs ringspan, or as root",
			  path);
	else if (err == -ENOTSOCK)
		log_error("%s is not a socket", path);
	else if (err)
		log_error("cannot connect to %s: %s", path, strerror(-err));
	return err;
}
