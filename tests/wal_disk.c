/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/wal_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

struct wal_disk wal_disk;

int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t at);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t at);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t at);
ssize_t __real_pread(int fd, void *data, size_t size, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int len, off_t at);
ssize_t __real_pwritev(int fd, const struct iovec *iov, int len, off_t at);
int __wrap_ftruncate(int fd, off_t size);
int __real_ftruncate(int fd, off_t size);
int __wrap_unlinkat(int dir_fd, const char *name, int flags);
int __real_unlinkat(int dir_fd, const char *name, int flags);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_openat(int dir_fd, const char *name, int flags, ...);
int __real_openat(int dir_fd, const char *name, int flags, ...);

static bool fails(bool takes_room)
{
	if (wal_disk.error == ENOSPC && !takes_room)
		return false;
	wal_disk.calls++;
	if (wal_disk.calls < wal_disk.fail_from || wal_disk.calls > wal_disk.fail_to)
		return false;
	errno = wal_disk.error;
	return true;
}

void wal_disk_keep(int fd, const struct stat *st)
{
	struct wal_disk_file *k = wal_disk.files;
	char path[32];
	int reader;

	while (k < wal_disk.files + wal_disk.files_len && k->inode != st->st_ino)
		k++;
	if (k == wal_disk.files + wal_disk.files_len) {
		assert_in_range(wal_disk.files_len++, 0, WAL_DISK_FILES - 1);
		k->inode = st->st_ino;
	}
	free(k->data);
	k->size = (size_t)st->st_size;
	k->data = malloc(k->size + 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* it may be open for writing only */
	reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(__real_pread(reader, k->data, k->size, 0), k->size);
	close(reader);
}

static void keep_names(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	wal_disk.names_len = 0;
	while ((e = readdir(dir))) {
		if (e->d_type != DT_REG)
			continue;
		snprintf(wal_disk.names[wal_disk.names_len].name, 32, "%.31s", e->d_name);
		wal_disk.names[wal_disk.names_len].inode = e->d_ino;
		assert_in_range(wal_disk.names_len++, 0, 63);
	}
	closedir(dir);
}

static int sync_to_disk(int fd)
{
	struct stat st;

	if (fails(false))
		return -1;
	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISREG(st.st_mode))
		wal_disk_keep(fd, &st);
	else
		keep_names(fd);
	if (S_ISDIR(st.st_mode) && wal_disk.synced_dirs_len < 8)
		wal_disk.synced_dirs[wal_disk.synced_dirs_len++] = st.st_ino;
	return 0;
}

bool wal_disk_has_synced(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (size_t i = 0; i < wal_disk.synced_dirs_len; i++)
		if (wal_disk.synced_dirs[i] == st.st_ino)
			return true;
	return false;
}

void wal_disk_reset(void)
{
	for (size_t i = 0; i < wal_disk.files_len; i++)
		free(wal_disk.files[i].data);
	wal_disk = (struct wal_disk){.error = EIO};
}

/* What the power cut leaves. */
void wal_disk_image(struct wal_image *ret, const struct wal_fixture *f, unsigned chance)
{
	int fd = openat(f->dir_fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct wal_disk before = wal_disk;
	struct wal_image now;

	if (chance & WAL_DISK_NAMES)
		keep_names(fd);
	close(fd);
	ret->len = 0;
	for (size_t i = 0; i < wal_disk.names_len; i++) {
		struct wal_file *file = &ret->files[ret->len++];

		snprintf(file->name, sizeof(file->name), "%s", wal_disk.names[i].name);
		file->size = 0;
		file->data = calloc(1, 1 << 16);
		for (size_t k = 0; k < wal_disk.files_len; k++) {
			if (wal_disk.files[k].inode != wal_disk.names[i].inode)
				continue;
			file->size = wal_disk.files[k].size;
			assert_in_range(file->size, 0, 1 << 16);
			memcpy(file->data, wal_disk.files[k].data, file->size);
		}
	}
	wal_disk = before;
	if (!(chance & WAL_DISK_CURSOR) || !wal_image_file(ret, "cursor"))
		return;
	wal_image_take(&now, f);
	if (wal_image_file(&now, "cursor")) {
		wal_image_file(ret, "cursor")->size = wal_image_file(&now, "cursor")->size;
		memcpy(wal_image_file(ret, "cursor")->data, wal_image_file(&now, "cursor")->data,
		       wal_image_file(&now, "cursor")->size);
	}
	wal_image_reset(&now);
}

int __wrap_fdatasync(int fd)
{
	return sync_to_disk(fd);
}

int __wrap_fsync(int fd)
{
	return sync_to_disk(fd);
}

/* A write that fails has written half of it all the same. */
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t at)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (!fails(at + (off_t)size > st.st_size))
		return __real_pwrite(fd, data, size, at);
	if (wal_disk.error != ENOSPC)
		__real_pwrite(fd, data, size / 2, at);
	return -1;
}

/* On a full wal_disk half of it fits, which is no error yet. */
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int len, off_t at)
{
	size_t half = iov[1].iov_len / 2;
	ssize_t n;

	if (!fails(true))
		return __real_pwritev(fd, iov, len, at);
	n = __real_pwritev(fd, (struct iovec[]){iov[0], {iov[1].iov_base, half}}, len, at);
	errno = wal_disk.error;
	return wal_disk.error == ENOSPC ? n : -1;
}

/* What the wal_disk cannot read. */
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t at)
{
	if (at < wal_disk.bad_to && at + (off_t)size > wal_disk.bad_from) {
		errno = EIO;
		return -1;
	}
	return __real_pread(fd, data, size, at);
}

int __wrap_ftruncate(int fd, off_t size)
{
	return fails(false) ? -1 : __real_ftruncate(fd, size);
}

int __wrap_unlinkat(int dir_fd, const char *name, int flags)
{
	if (fails(false))
		return -1;
	wal_disk.unlinks++;
	return __real_unlinkat(dir_fd, name, flags);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return fails(true) ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

/* Only what creates or writes can fail. */
int __wrap_openat(int dir_fd, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
		if (fails(true))
			return -1;
	}
	return __real_openat(dir_fd, name, flags, mode);
}
