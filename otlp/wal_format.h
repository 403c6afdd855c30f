/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wal_format - what the bytes of a write-ahead log mean. Pure. Part of wal.
 *
 * All numbers are little-endian. A log is a folder of
 *
 *   about                  text: version, signal, URL and a CRC of these lines
 *   cursor                 two slots of 64 bytes at 0 and 512, written in turn
 *   <16 hex digits>.wal    segments, in order of their numbers
 *
 * A segment is its header and records without padding; in all versions the first 64 bytes are:
 *
 *   0        8        16       24       32          40       48       56   60  64
 *   | magic  |version | number | tag    | number of | items  | void   |zero|CRC|
 *   |        | signal |        |(random)| 1st record| before | from   |    |   |
 *
 * "Void from" is its own number, or that of an earlier segment: what stands from there on, under
 * numbers from that of its first record on, was given up and written again.
 *
 * A record is a header and @size bytes of body; the tag is the segment's, so that bytes of another
 * file, or of a body that holds such a log, are not taken for a record:
 *
 *   0      4     8        16       24       32       40       48       56   60  64
 *   | magic|kind | tag    | size   | number | items  | items  | queued | body|CRC|  body …
 *   |      |     |        |        |        | before |        | ns     | CRC |   |
 *
 * Records are numbered through all segments. With that and the items before, the intact records on
 * both sides of a hole tell how many records and items were lost in it. Once that was counted, a
 * record of the kind HOLE takes their place: its "queued" is how many numbers it stands for.
 *
 * A slot of the cursor: all before segment and offset is done; the next record there has number
 * and items before. The valid slot with the highest sequence counts.
 *
 *   0        8          16        24       32       40       48        60  64
 *   | magic  | sequence | segment | offset | number | items  | zero    |CRC|
 *   |        |          |         |        |        | before |         |   |
 */
#ifndef OTLP_WAL_FORMAT_H
#define OTLP_WAL_FORMAT_H

#include "otlp/otlp.h"

#define WAL_VERSION 1
#define WAL_HEAD 64 /* bytes: segment header, record header and cursor slot */
#define WAL_SLOT_STRIDE 512 /* a sector each: one torn write never hits both */
#define WAL_BODY_MAX ((uint64_t)256 << 20) /* bytes */
#define WAL_NUMBER_MAX (UINT64_MAX >> 2) /* of any number read: two of them can be added */

/* Where a record stands in the sequence of all. */
struct wal_mark {
	uint64_t number;
	uint64_t items; /* in all records before */
};

struct wal_segment_head {
	uint32_t version;
	enum otlp_signal signal;
	uint64_t segment;
	uint64_t tag;
	struct wal_mark mark; /* of its first record */
	uint64_t void_from; /* segment */
};

enum wal_kind { WAL_RECORD = 1, WAL_HOLE = 2 };

struct wal_record_head {
	enum wal_kind kind;
	uint64_t tag;
	uint64_t size; /* of the body */
	struct wal_mark mark;
	uint64_t items;
	uint64_t queued_unix_ns; /* HOLE: numbers it covers */
	uint32_t body_crc; /* HOLE: 0 */
};

struct wal_cursor {
	uint64_t sequence; /* 0: there is no cursor */
	uint64_t segment;
	uint64_t offset;
	struct wal_mark mark; /* of the record there */
};

void wal_segment_head_write(uint8_t buf[WAL_HEAD], const struct wal_segment_head *h);
/* 0; -EBADMSG; -ENOTSUP: another version. */
int wal_segment_head_read(struct wal_segment_head *ret, const uint8_t buf[WAL_HEAD]);

void wal_record_head_write(uint8_t buf[WAL_HEAD], const struct wal_record_head *h);
/* Whether this is a record header with sane numbers; the body is not looked at. */
bool wal_record_head_read(struct wal_record_head *ret, const uint8_t buf[WAL_HEAD]);
#define WAL_RECORD_FIRST_BYTE 0xf5

/* The mark of what follows a record. */
struct wal_mark wal_mark_after(const struct wal_record_head *h);

void wal_cursor_write(uint8_t buf[WAL_HEAD], const struct wal_cursor *c);
bool wal_cursor_read(struct wal_cursor *ret, const uint8_t buf[WAL_HEAD]);

#define WAL_SEGMENT_NAME_CAP 24
void wal_segment_name(char buf[WAL_SEGMENT_NAME_CAP], uint64_t segment);
bool wal_segment_name_read(uint64_t *ret, const char *name); /* false: no segment */

#endif /* OTLP_WAL_FORMAT_H */
