/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/control_path.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int control_path_probe(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, err = 0;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	if (stat(path, &st))
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	/* Another type of socket cannot connect, but is told why: so whoever listens is not
	 * disturbed. EPROTOTYPE: the one that is there has the type it should. */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	memcpy(sa.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) && errno != EPROTOTYPE)
		err = -errno;
	close(fd);
	return err;
}

static int is_socket_name(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 5 && !strcmp(entry->d_name + len - 5, ".sock");
}

/* After the interface comes how many more there are, or which of several instances it is. */
static bool is_wanted(const char *name, const char *prefix, const char *interface)
{
	size_t prefix_len = strlen(prefix), len = interface ? strlen(interface) : 0;

	if (strncmp(name, prefix, prefix_len) || name[prefix_len] != '-')
		return false;
	name += prefix_len + 1;
	if (!interface)
		return true;
	if (strncmp(name, interface, len))
		return false;
	name += len;
	if (*name == '+')
		name += 1 + strspn(name + 1, "0123456789");
	if (*name == '.' && strcmp(name, ".sock"))
		name += 1 + strspn(name + 1, "0123456789");
	return !strcmp(name, ".sock");
}

size_t control_path_list(const char *prefix, const char *interface,
			 char ret[CONTROL_PATHS_MAX][CONTROL_PATH_CAP], int *ret_err)
{
	struct dirent **entries;
	int n = scandir(CONTROL_DIR, &entries, is_socket_name, alphasort), i;
	const size_t room = CONTROL_PATH_CAP - sizeof(CONTROL_DIR "/");
	size_t len = 0;

	*ret_err = n < 0 ? -errno : 0;
	for (i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (len < CONTROL_PATHS_MAX && strlen(name) <= room &&
		    is_wanted(name, prefix, interface)) {
			snprintf(ret[len], CONTROL_PATH_CAP, CONTROL_DIR "/%.*s", (int)room, name);
			if (control_path_probe(ret[len]) != -ECONNREFUSED)
				len++;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return len;
}
