/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wal_dir - the queue directory: a folder per log (wal.h), and a file FORMAT, "ringspan queue 1",
 * which marks it as ours. Any thread. On error *why is a static sentence that says what to do.
 */
#ifndef OTLP_WAL_DIR_H
#define OTLP_WAL_DIR_H

#include "otlp/wal.h"

/* Opens and locks it till *ret_fd is closed; creates it (0700) if it is missing and its parent is
 * not. 0; -ENOTEMPTY: somebody else's; -ENOTSUP: a newer version; -EBUSY: another process uses it;
 * -EROFS, -EACCES, -ENOTDIR, -ENOENT, -ENOLCK: no locks there, … */
int otlp_wal_dir_open(int *ret_fd, const char *path, const char **why);

struct otlp_wal_listing {
	const char *name;
	const char *url; /* without query and user, which may be secrets; "": unknown */
	const char *whole_url; /* with them: not to be shown */
	enum otlp_signal signal;
	uint64_t requests, items;
	uint64_t bytes; /* on disk */
	uint64_t oldest_unix_ns, newest_unix_ns; /* 0: there are none */
	struct otlp_wal_damage damage; /* not counted yet by a start, the tail not included */
	bool is_torn; /* the tail is incomplete: being written, or cut off at the next start */
};
typedef void (*otlp_wal_list_fn)(void *ctx, const struct otlp_wal_listing *l);

/* What waits in it, log by log in the order of names. Takes no lock and changes nothing, also while
 * another process writes. 0; -ENOENT, -ENOTDIR, -EACCES, -ENOTEMPTY: not ours; -ENOTSUP, … */
int otlp_wal_dir_list(const char *path, otlp_wal_list_fn fn, void *ctx, bool *ret_in_use,
		      const char **why);

/* The name of the folder for a URL and signal: "traces-<host>_<port>-<8 hex digits>". @cap: 96 hold
 * any. */
void otlp_wal_dir_name(enum otlp_signal signal, const char *url, char *ret, size_t cap);

#endif /* OTLP_WAL_DIR_H */
