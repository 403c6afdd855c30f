/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/wal_about.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "otlp/crc32c.h"
#include "otlp/wal_format.h"

#define TEXT_CAP (WAL_URL_CAP + 100)
#define CRC_LINE (sizeof("crc 01234567\n") - 1)

static const char *const signal_names[] = {
	[OTLP_TRACES] = "traces", [OTLP_METRICS] = "metrics", [OTLP_LOGS] = "logs"};

const char *wal_about_signal(enum otlp_signal signal)
{
	return signal_names[signal];
}

int wal_about_replace(int dir_fd, const char *name, const char *text, size_t len)
{
	char tmp[64];
	ssize_t n;
	int fd, err = 0;

	snprintf(tmp, sizeof(tmp), "%s.tmp", name);
	fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n != (ssize_t)len)
		err = n < 0 ? -errno : -ENOSPC;
	if (!err && fsync(fd))
		err = -errno;
	close(fd);
	if (!err && renameat(dir_fd, tmp, dir_fd, name))
		err = -errno;
	if (err)
		unlinkat(dir_fd, tmp, 0);
	return err;
}

int wal_about_store(int folder_fd, enum otlp_signal signal, const char *url)
{
	char text[TEXT_CAP];
	int len = snprintf(text, sizeof(text) - CRC_LINE, "ringspan wal %d\nsignal %s\nurl %s\n",
			   WAL_VERSION, signal_names[signal], url);

	if (len < 0 || (size_t)len >= sizeof(text) - CRC_LINE)
		return -ENAMETOOLONG;
	len += snprintf(text + len, CRC_LINE + 1, "crc %08" PRIx32 "\n",
			crc32c(0, text, (size_t)len));
	return wal_about_replace(folder_fd, "about", text, (size_t)len);
}

/* Cuts off the next line; what follows @key in it, or NULL. */
static char *next_line(char **text, const char *key)
{
	char *line = strsep(text, "\n");
	size_t len = strlen(key);

	return line && !strncmp(line, key, len) ? line + len : NULL;
}

static int parse(char *text, size_t len, enum otlp_signal *ret_signal, char *ret_url)
{
	char crc[CRC_LINE + 1], *signal, *url;

	if (len < CRC_LINE || memchr(text, '\0', len))
		return -EBADMSG;
	text[len] = '\0';
	snprintf(crc, sizeof(crc), "crc %08" PRIx32 "\n", crc32c(0, text, len - CRC_LINE));
	if (strcmp(text + len - CRC_LINE, crc))
		return -EBADMSG;
	signal = next_line(&text, "ringspan wal ");
	if (!signal)
		return -EBADMSG;
	if (strcmp(signal, "1"))
		return -ENOTSUP;
	signal = next_line(&text, "signal ");
	url = next_line(&text, "url ");
	if (!signal || !url || strlen(url) >= WAL_URL_CAP)
		return -EBADMSG;
	for (unsigned i = 0; i < OTLP_SIGNAL_MAX; i++) {
		if (strcmp(signal, signal_names[i]))
			continue;
		*ret_signal = (enum otlp_signal)i;
		strcpy(ret_url, url);
		return 0;
	}
	return -EBADMSG;
}

int wal_about_load(int folder_fd, enum otlp_signal *ret_signal, char ret_url[WAL_URL_CAP])
{
	char text[TEXT_CAP];
	int fd = openat(folder_fd, "about", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return errno == ENOENT ? -EBADMSG : -errno;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	return parse(text, len < 0 ? 0 : (size_t)len, ret_signal, ret_url);
}

const char *wal_about_error(int err)
{
	switch (err) {
	case -ENOTSUP:
		return "it was written by a newer version of ringspan: use that one, or another "
		       "directory";
	case -EEXIST:
		return "it was written for another URL or signal: use another directory";
	case -EROFS:
		return "it is on a read-only file system: mount it writable, or use another "
		       "directory";
	case -EACCES:
	case -EPERM:
		return "permission denied: make it and all in it belong to the user that runs "
		       "ringspan";
	case -ENOSPC:
	case -EDQUOT:
		return "the disk is full: make room, or use another directory";
	case -EMFILE:
	case -ENFILE:
		return "too many open files: raise the limit (ulimit -n)";
	case -ENAMETOOLONG:
		return "the URL is too long";
	case -ENOMEM:
		return "out of memory";
	default:
		return "it cannot be read or written: check the disk and what the kernel says "
		       "about it (dmesg)";
	}
}
