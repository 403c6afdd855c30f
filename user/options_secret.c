/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/options_secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/log.h"
#include "user/options_env.h"
#include "user/options_headers.h"
#include "user/options_impl.h"

#define SECRET_CAP 65536 /* far more than any server takes as headers */

/* Reads at most @cap - 1 bytes and ends them with NUL. Their number, or -errno. */
static ssize_t read_text(const char *path, char *ret, size_t cap, mode_t *ret_mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	struct stat st;
	ssize_t n = 0;
	int err;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	while (!err && len < cap - 1 && (n = read(fd, ret + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	if (!err && n < 0)
		err = -errno;
	close(fd);
	ret[len] = '\0';
	*ret_mode = st.st_mode;
	return err ? err : (ssize_t)len;
}

/* A pair that was pasted where its file's path belongs. */
static bool is_secret_itself(const char *path)
{
	return strchr(path, '=') || strpbrk(path, " \t\n");
}

static int refuse(char *fault, const char *variable, const char *path, const char *why)
{
	snprintf(fault, OPTIONS_FAULT_CAP, "%s='%.200s': %s", variable,
		 is_secret_itself(path) ? "…" : path, why);
	return -EINVAL;
}

int options_secret_headers(const char *variable, struct options_pair **list, size_t *len,
			   char *fault)
{
	const char *path = options_env_get(variable);
	char why[OPTIONS_WHY_CAP];
	char *text = NULL, *p;
	mode_t mode = 0;
	ssize_t size;
	int err;

	if (!path)
		return 0;
	text = malloc(SECRET_CAP);
	if (!text)
		return -ENOMEM;
	size = read_text(path, text, SECRET_CAP, &mode);
	if (size < 0) {
		snprintf(why, sizeof(why),
			 "%s: give the path of a file with name=value, one a line",
			 size == -EINVAL ? "this is not a regular file" : strerror((int)-size));
		err = refuse(fault, variable, path, why);
	} else if (size == SECRET_CAP - 1) {
		err = refuse(fault, variable, path,
			     "this file is too long for headers: it may have 65534 bytes");
	} else if (strlen(text) != (size_t)size) {
		err = refuse(fault, variable, path,
			     "this file has zero bytes in it: write name=value, one a line");
	} else {
		for (p = text; *p; p++)
			if (*p == '\n')
				*p = ',';
		options_secret_check_mode(variable, path, mode,
					  "who has them can write to your backend");
		err = options_headers_parse(variable, text, list, len);
	}
	explicit_bzero(text, SECRET_CAP);
	free(text);
	return err;
}

bool options_secret_is_empty(const char *path)
{
	char text[72];
	mode_t mode;
	ssize_t len = read_text(path, text, sizeof(text), &mode);
	bool is_empty = len >= 0 && (size_t)len == strspn(text, " \t\r\n");

	explicit_bzero(text, sizeof(text));
	return is_empty;
}

void options_secret_check_mode(const char *what, const char *path, mode_t mode, const char *risk)
{
	const char *safe = getenv("CREDENTIALS_DIRECTORY");
	size_t len = safe ? strlen(safe) : 0;

	if (!(mode & (S_IRGRP | S_IROTH)))
		return;
	if (len && !strncmp(path, safe, len) && path[len] == '/')
		return;
	log_warn("%s %s can be read by others than its owner: %s; chmod 600 it", what, path, risk);
}
