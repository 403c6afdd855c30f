/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lock is an flock() on the directory itself: no file that could be removed, and gone with its
 * process. To take it for a moment only to see whether it is held could make a start fail that
 * happens just then. So the holder has a read lock on the directory, too, of the other kind that
 * can be asked for (fcntl).
 */
#include "otlp/wal_dir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otlp/crc32c.h"
#include "otlp/url.h"
#include "otlp/wal_about.h"
#include "otlp/wal_survey.h"

#define FORMAT_FILE "FORMAT"
#define FORMAT_NAME "ringspan queue "
#define FORMAT_TEXT FORMAT_NAME "1\n"
#define LOST_AND_FOUND "lost+found"

static const char *explain(int err)
{
	switch (err) {
	case -ENOENT:
		return "there is no such directory, and its parent is missing, too: create that";
	case -ENOTDIR:
		return "it is not a directory: name one";
	case -ENOTEMPTY:
		return "the directory holds other files and is no ringspan queue: name an empty "
		       "or a new one";
	case -EBUSY:
		return "another ringspan uses it: stop that one, or give each its own directory";
	case -ENOLCK:
		return "it is on a file system without locks: use one on a local disk";
	default:
		return wal_about_error(err);
	}
}

/* 0; -ENOENT: there is none; -ENOTSUP; -ENOTEMPTY: not ours. */
static int check_format(int dir_fd)
{
	char text[64];
	int fd = openat(dir_fd, FORMAT_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len < 0)
		return -ENOTEMPTY;
	text[len] = '\0';
	if (!strcmp(text, FORMAT_TEXT))
		return 0;
	if (!strncmp(text, FORMAT_NAME, strlen(FORMAT_NAME)) &&
	    isdigit((unsigned char)text[strlen(FORMAT_NAME)]))
		return -ENOTSUP;
	return -ENOTEMPTY;
}

/* Calls @take with each name until it returns not 0, and returns that. */
static int each_name(int dir_fd, int (*take)(void *ctx, const char *name), void *ctx)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			err = -errno;
			break;
		}
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			err = take(ctx, entry->d_name);
	}
	closedir(dir);
	return err;
}

/* What an empty directory may hold: the root of a file system, and a start that was cut off. */
static int refuse_foreign(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, LOST_AND_FOUND) && strcmp(name, FORMAT_FILE ".tmp") ? -ENOTEMPTY : 0;
}

static int lock(int dir_fd)
{
	struct flock shown = {.l_type = F_RDLCK};

	if (flock(dir_fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -ENOLCK;
	/* only for who lists: without it the list says that nobody writes */
	fcntl(dir_fd, F_OFD_SETLK, &shown);
	return 0;
}

static int claim(int dir_fd)
{
	int format = check_format(dir_fd), err = format;

	if (format == -ENOENT)
		err = each_name(dir_fd, refuse_foreign, NULL);
	if (!err && faccessat(dir_fd, ".", R_OK | W_OK | X_OK, AT_EACCESS))
		err = -errno;
	if (err || !format)
		return err;
	err = wal_about_replace(dir_fd, FORMAT_FILE, FORMAT_TEXT, strlen(FORMAT_TEXT));
	return !err && fsync(dir_fd) ? -errno : err;
}

static int sync_parent(const char *path)
{
	char *copy = strdup(path), *end;
	int fd, err;

	if (!copy)
		return -ENOMEM;
	for (end = copy + strlen(copy); end > copy + 1 && end[-1] == '/'; end--)
		end[-1] = '\0';
	end = strrchr(copy, '/');
	if (end)
		end[end == copy] = '\0';
	fd = open(end ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

int otlp_wal_dir_open(int *ret_fd, const char *path, const char **why)
{
	bool is_new = !mkdir(path, 0700);
	int fd = -1, err = is_new || errno == EEXIST ? 0 : -errno;

	if (!err) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = fd < 0 ? -errno : 0;
	}
	if (!err && is_new)
		err = sync_parent(path);
	if (!err)
		err = lock(fd);
	if (!err)
		err = claim(fd);
	if (err)
		goto fail;
	*ret_fd = fd;
	return 0;
fail:
	if (fd >= 0)
		close(fd);
	*why = explain(err);
	return err;
}

/* ---- listing ---- */

struct names {
	char **list;
	size_t len;
};

static int keep_name(void *ctx, const char *name)
{
	struct names *n = ctx;
	char **grown;

	if (!strcmp(name, LOST_AND_FOUND))
		return 0;
	grown = reallocarray(n->list, n->len + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	n->list = grown;
	grown[n->len] = strdup(name);
	return grown[n->len] ? (n->len++, 0) : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take_record(void *ctx, const struct otlp_wal_record *r)
{
	struct otlp_wal_listing *l = ctx;

	if (!r) {
		l->requests = l->items = l->oldest_unix_ns = l->newest_unix_ns = 0;
		return;
	}
	l->requests++;
	l->items += r->items;
	if (!l->oldest_unix_ns || r->queued_unix_ns < l->oldest_unix_ns)
		l->oldest_unix_ns = r->queued_unix_ns;
	if (r->queued_unix_ns > l->newest_unix_ns)
		l->newest_unix_ns = r->queued_unix_ns;
}

struct urls { /* of a listing */
	char whole[WAL_URL_CAP];
	char shown[WAL_URL_CAP];
};

/* Cuts off the query and takes out the user: both may be secrets. */
static void redact(char *url)
{
	char *host = strstr(url, "://"), *at;
	size_t len;

	url[strcspn(url, "?#")] = '\0';
	host = host && *host ? host + 3 : url;
	len = strcspn(host, "/");
	at = memrchr(host, '@', len);
	if (at)
		memmove(host, at + 1, strlen(at));
}

static enum otlp_signal signal_of_name(const char *name)
{
	for (unsigned i = 0; i < OTLP_SIGNAL_MAX; i++) {
		const char *signal = wal_about_signal((enum otlp_signal)i);

		if (!strncmp(name, signal, strlen(signal)))
			return (enum otlp_signal)i;
	}
	return OTLP_TRACES;
}

/* 0; 1: it is no log; -errno. */
static int list_log(int dir_fd, bool is_live, struct otlp_wal_listing *l, struct urls *urls)
{
	struct wal_survey s = {
		.mode = is_live ? WAL_LOOK_LIVE : WAL_LOOK, .found = take_record, .ctx = l};
	int err, about;

	s.folder_fd = openat(dir_fd, l->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s.folder_fd < 0)
		return errno == ENOTDIR || errno == ENOENT || errno == ELOOP ? 1 : -errno;
	about = wal_about_load(s.folder_fd, &l->signal, urls->whole);
	if (about == -EBADMSG) {
		/* cut off while it was created, or damaged: the next start writes it anew */
		urls->whole[0] = '\0';
		l->signal = signal_of_name(l->name);
	}
	strcpy(urls->shown, urls->whole);
	redact(urls->shown);
	err = about == -EBADMSG ? 0 : about;
	if (!err)
		err = wal_survey(&s);
	if (!err && about && !s.last_segment)
		err = 1;
	wal_segments_reset(&s.segments);
	close(s.folder_fd);
	l->bytes = s.bytes;
	l->damage = s.damage;
	l->is_torn = s.is_torn;
	return err;
}

static bool is_in_use(int dir_fd)
{
	struct flock l = {.l_type = F_WRLCK};

	return !fcntl(dir_fd, F_OFD_GETLK, &l) && l.l_type != F_UNLCK;
}

int otlp_wal_dir_list(const char *path, otlp_wal_list_fn fn, void *ctx, bool *ret_in_use,
		      const char **why)
{
	struct otlp_wal_listing l;
	struct urls urls = {0};
	struct names names = {0};
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	err = fd < 0 ? -errno : check_format(fd);
	if (fd >= 0 && err == -ENOENT)
		err = -ENOTEMPTY;
	if (!err)
		err = each_name(fd, keep_name, &names);
	if (names.len)
		qsort(names.list, names.len, sizeof(*names.list), compare);
	if (!err)
		*ret_in_use = is_in_use(fd);
	for (size_t i = 0; i < names.len && !err; i++) {
		l = (struct otlp_wal_listing){
			.name = names.list[i], .url = urls.shown, .whole_url = urls.whole};
		err = list_log(fd, *ret_in_use, &l, &urls);
		if (err == -ENOENT && !*ret_in_use) {
			/* a start meanwhile took over */
			l.requests = l.items = 0;
			err = list_log(fd, true, &l, &urls);
		}
		if (!err)
			fn(ctx, &l);
		err = err == 1 ? 0 : err;
	}
	for (size_t i = 0; i < names.len; i++)
		free(names.list[i]);
	free(names.list);
	if (fd >= 0)
		close(fd);
	if (err == -ENOENT)
		*why = "there is no such directory: name the one that --queue-dir was given";
	else if (err == -ENOTEMPTY)
		*why = "it is no ringspan queue: name the directory that --queue-dir was given";
	else if (err)
		*why = explain(err);
	return err;
}

void otlp_wal_dir_name(enum otlp_signal signal, const char *url, char *ret, size_t cap)
{
	struct otlp_url u = {.host = "unknown"};
	const char *why;

	otlp_url_parse(&u, url, &why);
	for (char *c = u.host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-.", *c))
			*c = '_';
	snprintf(ret, cap, "%s-%.64s_%u-%08" PRIx32, wal_about_signal(signal), u.host, u.port,
		 crc32c(0, url, strlen(url)));
}
