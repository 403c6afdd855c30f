/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pin - what this process holds in common folders: locks under /run, one map under the bpffs.
 *
 * A lock is a file that is flocked while its owner lives, so a killed owner's is free at once.
 */
#ifndef USER_PIN_H
#define USER_PIN_H

#include <stddef.h>

#define PIN_BPFFS "/sys/fs/bpf"
#define PIN_DIR PIN_BPFFS "/ringspan"
#define PIN_MAP_NAME "xdp_stats_map"

struct pin_lock {
	int fd; /* -1: not held */
	char path[96];
};

/* Takes /run/ringspan/@name.lock. 0; -EBUSY another process holds it, *ret_owner its pid or 0;
 * -errno if locks cannot be made here. */
int pin_lock(struct pin_lock *l, const char *name, int *ret_owner);
void pin_unlock(struct pin_lock *l); /* idempotent; removes the file */

struct pin_map {
	struct pin_lock lock;
	char path[96]; /* "": not pinned */
};

/* Pins the map as PIN_DIR/xdp_stats_map, or, while another process's is there, with our pid
 * appended; a dead owner's is replaced. 0; -ENOENT: no bpffs; -errno. */
int pin_map(struct pin_map *p, int map_fd);
void pin_unmap(struct pin_map *p); /* idempotent */

#endif /* USER_PIN_H */
