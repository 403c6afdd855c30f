/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wal - a write-ahead log of encoded requests for one URL and signal: a folder of append-only
 * segments and a cursor (bytes: wal_format.h).
 *
 * What was synced is found again after a crash or a power cut, whatever happened to the rest; what
 * is lost is counted. All functions are called by one thread, except otlp_wal_read(). The caller
 * holds the lock of the queue directory (wal_dir.h).
 */
#ifndef OTLP_WAL_H
#define OTLP_WAL_H

#include "otlp/otlp.h"

struct otlp_wal;

struct otlp_wal_pos { /* of a record; ordered */
	uint64_t segment;
	uint64_t offset;
};

struct otlp_wal_record {
	struct otlp_wal_pos pos;
	size_t size;
	size_t items;
	uint64_t queued_unix_ns;
};

struct otlp_wal_damage {
	uint64_t records; /* lost */
	uint64_t items; /* in those of which the number is known */
	uint64_t unknown; /* records of which it is not */
	uint64_t bytes; /* that were skipped or cut off */
};

struct otlp_wal_opts {
	int dir_fd; /* from otlp_wal_dir_open() */
	const char *name; /* folder in it; created if missing */
	enum otlp_signal signal;
	const char *url; /* recorded when created; must be the recorded one later; NULL: any */
	size_t segment_bytes; /* 0: 8 MiB. Room on the disk is freed by whole segments */
	/* each intact unacknowledged record, in order; may be NULL. What it was told is void if
	 * open fails afterwards */
	void (*found)(void *ctx, const struct otlp_wal_record *r);
	void *ctx;
};

/* Opens and recovers: cuts a torn tail, skips damaged records, counts both. A damage is marked on
 * disk and counted only once. 0; -ENOTSUP: written by a newer version; -EEXIST: recorded for
 * another URL or signal; -EROFS, -EACCES, -ENOSPC, … On error *why is a static sentence. */
int otlp_wal_open(struct otlp_wal **ret, const struct otlp_wal_opts *opts,
		  struct otlp_wal_damage *ret_damage, const char **why);
void otlp_wal_close(struct otlp_wal *w); /* NULL is allowed; syncs nothing */

/* The URL that was recorded, whole; "": none. Lives as long as the log. */
const char *otlp_wal_url(const struct otlp_wal *w);

/* 0; -EINVAL: @size is 0 or above 256 MiB; -ENOSPC, -EDQUOT, -EIO, …: the log is as before. */
int otlp_wal_append(struct otlp_wal *w, const uint8_t *data, size_t size, size_t items,
		    uint64_t queued_unix_ns, struct otlp_wal_pos *ret);

/* 0: all that was appended is durable. On error nothing that was appended since the last success
 * counts as written, its positions are void, and the caller appends it again. */
int otlp_wal_sync(struct otlp_wal *w);

/* Everything up to and including the record at @pos is done: it is not found again, except after a
 * power cut soon after, and segments before it are removed. What was acknowledged already is
 * ignored. -EINVAL: there is no such record. Other errors: the cursor could not be written, the
 * records may be found again; a later call makes up for it. */
int otlp_wal_ack(struct otlp_wal *w, const struct otlp_wal_pos *pos);

/* A copy of the body from malloc. Any thread, for a record that is not acknowledged yet.
 * -EBADMSG: damaged; -EIO, -ENOMEM, … */
int otlp_wal_read(struct otlp_wal *w, const struct otlp_wal_record *r, uint8_t **ret);

uint64_t otlp_wal_bytes(const struct otlp_wal *w); /* on disk, all segments */

#endif /* OTLP_WAL_H */
