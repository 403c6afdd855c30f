/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/pin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

#define PIN_LOCK_DIR "/run/ringspan"

/* Removes the files of locks whose owners were killed: nobody else would. */
static void pin_sweep_locks(void)
{
	struct dirent *entry;
	DIR *dir = opendir(PIN_LOCK_DIR);
	int fd;

	while (dir && (entry = readdir(dir))) {
		fd = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (!flock(fd, LOCK_EX | LOCK_NB))
			unlinkat(dirfd(dir), entry->d_name, 0);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

int pin_lock(struct pin_lock *l, const char *name, int *ret_owner)
{
	struct stat held, there;
	char pid[16] = "";
	int fd;

	l->fd = -1;
	*ret_owner = 0;
	if (mkdir(PIN_LOCK_DIR, 0700) && errno != EEXIST)
		return -errno;
	pin_sweep_locks();
	snprintf(l->path, sizeof(l->path), PIN_LOCK_DIR "/%s.lock", name);
	for (;;) {
		fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0 && errno == EACCES) /* another user's: enough to see that it is held */
			fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			if (pread(fd, pid, sizeof(pid) - 1, 0) > 0)
				*ret_owner = atoi(pid);
			close(fd);
			return -EBUSY;
		}
		/* an owner that ended, or a sweep, has removed the file that we locked: again */
		if (!fstat(fd, &held) && !stat(l->path, &there) && held.st_ino == there.st_ino)
			break;
		close(fd);
	}
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, strlen(pid), 0) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	l->fd = fd;
	return 0;
}

void pin_unlock(struct pin_lock *l)
{
	if (l->fd < 0)
		return;
	unlink(l->path);
	close(l->fd);
	l->fd = -1;
}

/* Maps that killed processes left under their pid. */
static void pin_sweep(void)
{
	static const char prefix[] = PIN_MAP_NAME "_";
	char path[sizeof(PIN_DIR) + sizeof(((struct dirent *)0)->d_name)];
	struct dirent *entry;
	DIR *dir = opendir(PIN_DIR);
	int pid;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		pid = atoi(entry->d_name + sizeof(prefix) - 1);
		if (pid > 0 && kill(pid, 0) && errno == ESRCH) {
			snprintf(path, sizeof(path), PIN_DIR "/%s", entry->d_name);
			unlink(path);
		}
	}
	if (dir)
		closedir(dir);
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* The folder, which may be the only part of the bpffs that a service sees. */
static int pin_make_dir(void)
{
	if (is_bpffs(PIN_BPFFS) && mkdir(PIN_DIR, 0755) && errno != EEXIST)
		return -errno;
	return is_bpffs(PIN_DIR) ? 0 : -ENOENT;
}

int pin_map(struct pin_map *p, int map_fd)
{
	char name[32];
	struct stat st;
	int owner, err;

	p->lock.fd = -1;
	p->path[0] = '\0';
	err = pin_make_dir();
	if (err)
		return err;
	if (stat(PIN_DIR, &st))
		return -errno;
	pin_sweep();
	/* every bpffs mount is a place of its own */
	snprintf(name, sizeof(name), "pin-%llx", (unsigned long long)st.st_dev);
	err = pin_lock(&p->lock, name, &owner);
	if (err)
		snprintf(p->path, sizeof(p->path), PIN_DIR "/" PIN_MAP_NAME "_%d", getpid());
	else
		snprintf(p->path, sizeof(p->path), PIN_DIR "/" PIN_MAP_NAME);
	unlink(p->path);
	if (bpf_obj_pin(map_fd, p->path)) {
		err = -errno;
		p->path[0] = '\0';
		pin_unlock(&p->lock);
		return err;
	}
	return 0;
}

void pin_unmap(struct pin_map *p)
{
	if (p->path[0])
		unlink(p->path);
	p->path[0] = '\0';
	pin_unlock(&p->lock);
	rmdir(PIN_DIR); /* the last one takes the folder along */
}
