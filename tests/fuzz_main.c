/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Feeds files to a fuzz target that is built without libFuzzer: all in the folder that is given.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz.h"

static int feed(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *data;
	ssize_t len;

	if (fd < 0 || fstat(fd, &st))
		return -1;
	/* of its exact size, so that a byte too much is noticed */
	data = malloc((size_t)st.st_size);
	len = read(fd, data, (size_t)st.st_size);
	close(fd);
	if (len == st.st_size)
		LLVMFuzzerTestOneInput(data, (size_t)len);
	free(data);
	return len == st.st_size ? 0 : -1;
}

int main(int argc, char **argv)
{
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	unsigned fed = 0;
	struct dirent *e;

	if (!dir) {
		fprintf(stderr, "usage: %s FOLDER-WITH-SEEDS\n", argv[0]);
		return 64;
	}
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (feed(dirfd(dir), e->d_name)) {
			perror(e->d_name);
			return 1;
		}
		fed++;
	}
	closedir(dir);
	printf("%u seeds\n", fed);
	return fed ? 0 : 1;
}
