/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wal_scan - walks through the records of one segment, over whatever damage there is. Changes
 * nothing, allocates nothing. One thread. Part of wal.
 */
#ifndef OTLP_WAL_SCAN_H
#define OTLP_WAL_SCAN_H

#include "otlp/wal_format.h"

#define WAL_WINDOW 32768

struct wal_scan {
	/* set by the caller */
	int fd;
	uint64_t size; /* of the file; what lies beyond is not looked at */
	uint64_t at; /* where the next record begins */
	uint64_t limit; /* records from this number on are void: written again in a later segment */
	bool is_known; /* @mark is what the next record must have, or later */
	struct wal_mark mark; /* after the last record found */
	bool has_tag; /* else the first record found sets it */
	uint64_t tag;
	/* what was read last */
	uint64_t window_at;
	size_t window_len;
	uint8_t window[WAL_WINDOW];
};

enum wal_found {
	WAL_END, /* nothing more */
	WAL_INTACT, /* a record */
	WAL_BAD_BODY, /* its header is intact, its body is not */
	WAL_TORN, /* its header is intact, but the file ends before its body does */
	WAL_OLD_HOLE, /* a record of the kind HOLE, with new damage before it */
	WAL_GARBAGE /* up to the end of the file there is no header any more */
};

struct wal_find {
	enum wal_found what;
	uint64_t from; /* where the record before ended: from there to @offset is new damage */
	uint64_t offset; /* of the record; its end is in wal_scan.at */
	struct wal_record_head head; /* not with END and GARBAGE */
	bool is_known; /* what was lost before the record is what lies between these two: */
	struct wal_mark before; /* … and head.mark */
};

void wal_scan_next(struct wal_scan *s, struct wal_find *ret);

/* As wal_scan_next(), but believes in bodies. */
void wal_scan_next_head(struct wal_scan *s, struct wal_find *ret);

/* The CRC of a record's body. */
uint32_t wal_scan_crc(struct wal_scan *s, uint64_t at, uint64_t size);

#endif /* OTLP_WAL_SCAN_H */
