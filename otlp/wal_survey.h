/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wal_survey - goes through a log's folder: what is in it, what was damaged, what is to be
 * repaired. One thread. Part of wal.
 */
#ifndef OTLP_WAL_SURVEY_H
#define OTLP_WAL_SURVEY_H

#include "otlp/wal.h"
#include "otlp/wal_format.h"

struct wal_segment {
	uint64_t number;
	uint64_t bytes;
	uint64_t synced; /* of those; 0: not even its name is durable */
	int fd; /* -1: closed */
	/* of a survey */
	bool is_foreign; /* its header has another number: a copy that somebody put here */
	bool has_head; /* its header is intact */
	bool has_tag; /* it has a header or a record */
	uint64_t tag;
	struct wal_mark mark; /* of its first record */
	uint64_t void_from; /* as its header says */
	uint64_t limit; /* records from this number on are void */
};

struct wal_segments {
	struct wal_segment *list; /* in order of their numbers */
	size_t len, cap;
};

struct wal_segment *wal_segments_add(struct wal_segments *s, uint64_t number); /* NULL: no memory */
void wal_segments_remove(struct wal_segments *s, size_t from, size_t count); /* closes them */
void wal_segments_reset(struct wal_segments *s);

enum wal_survey_mode {
	WAL_LOOK,
	WAL_LOOK_LIVE, /* somebody writes and acknowledges meanwhile */
	WAL_REPAIR /* marks damage as counted, removes what is done; needs the lock */
};

struct wal_survey {
	/* set by the caller */
	int folder_fd;
	enum wal_survey_mode mode;
	enum otlp_signal signal; /* for a header that is written anew */
	/* each intact record; NULL, only with WAL_LOOK_LIVE: forget those before, they are done */
	void (*found)(void *ctx, const struct otlp_wal_record *r);
	void *ctx;
	/* results */
	struct wal_segments segments; /* that are not wholly done */
	uint64_t last_segment; /* highest number in use, 0: none */
	uint64_t requests;
	uint64_t bytes; /* of all segments */
	struct wal_cursor cursor; /* moved over what is done; sequence 0: none was valid */
	bool is_cursor_moved; /* it is to be written */
	struct wal_mark next; /* of the next record to be written */
	struct otlp_wal_damage damage;
	bool is_torn; /* the tail is incomplete; counted as damage only in WAL_REPAIR */
};

/* 0; -ENOTSUP; -ENOMEM, -EACCES, … In both cases the segments must be reset. */
int wal_survey(struct wal_survey *s);

/* Writes the cursor into the slot whose turn it is. */
int wal_cursor_store(int cursor_fd, const struct wal_cursor *c);

int wal_write_all(int fd, const void *data, size_t size, uint64_t at); /* 0 or -errno */

#endif /* OTLP_WAL_SURVEY_H */
