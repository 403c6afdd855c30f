/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wal_disk - a disk that fails on request, by --wrap of the calls that reach it; and beside the
 * real files a copy of what a disk must have kept, which is what fdatasync() and fsync() were
 * called for, and no more. One for the process.
 */
#ifndef TESTS_WAL_DISK_H
#define TESTS_WAL_DISK_H

#include <sys/stat.h>
#include <sys/types.h>

#include "tests/wal_fixture.h"

#define WAL_DISK_FILES 256

struct wal_disk_file { /* by inode */
	ino_t inode;
	uint8_t *data;
	size_t size;
};

struct wal_disk {
	unsigned calls; /* so far, of those that can fail */
	unsigned unlinks;
	unsigned fail_from, fail_to; /* these fail, the first being 1 */
	int error;
	off_t bad_from, bad_to; /* unreadable in every file */
	ino_t synced_dirs[8];
	size_t synced_dirs_len;
	struct wal_disk_file files[WAL_DISK_FILES];
	size_t files_len;
	struct { /* names in the folder */
		char name[32];
		ino_t inode;
	} names[64];
	size_t names_len;
};
extern struct wal_disk wal_disk;

void wal_disk_reset(void);

/* What else may have reached the disk by chance. */
enum wal_disk_chance {
	WAL_DISK_CURSOR = 1, /* as it is now */
	WAL_DISK_NAMES = 2, /* as they are now; files of which nothing was synced are empty */
	WAL_DISK_CHANCES = 4
};

/* What a power cut leaves of the log in @f, with @chance. */
void wal_disk_image(struct wal_image *ret, const struct wal_fixture *f, unsigned chance);

void wal_disk_keep(int fd, const struct stat *st); /* as if it had been synced */
bool wal_disk_has_synced(int dir_fd); /* since the reset */

#endif /* TESTS_WAL_DISK_H */
