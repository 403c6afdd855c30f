/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wal_fixture - a log in a directory of its own, records that can be told apart, and copies of the
 * log's folder in memory that can be damaged and put back. The check functions fail the cmocka test
 * they are called from.
 */
#ifndef TESTS_WAL_FIXTURE_H
#define TESTS_WAL_FIXTURE_H

#include "otlp/wal.h"

#define WAL_TEST_URL "http://localhost:4318/v1/traces"
#define WAL_TEST_MAX 512

struct wal_fixture {
	char path[160]; /* the directory; its only folder is "log" */
	int dir_fd;
	size_t segment_bytes;
	size_t (*body_size)(unsigned id);
	/* what the last open found */
	struct otlp_wal_record found[WAL_TEST_MAX];
	size_t found_len;
	struct otlp_wal_damage damage;
	/* where records went, by id */
	struct otlp_wal_record put[WAL_TEST_MAX];
};

/* cmocka setup and teardown; *state is the fixture. In memory (/dev/shm) where there is one. */
int wal_fixture_setup(void **state);
int wal_fixture_teardown(void **state);

/* Opens the log, which must succeed, and collects what it finds. */
struct otlp_wal *wal_fixture_open(struct wal_fixture *f);

/* Record @id: its size, items and bytes follow from the number. */
int wal_fixture_append(struct wal_fixture *f, struct otlp_wal *w, unsigned id);
/* Those from @from to before @to, which must succeed. */
void wal_fixture_put(struct wal_fixture *f, struct otlp_wal *w, unsigned from, unsigned to);
size_t wal_fixture_items(unsigned id);
unsigned wal_fixture_id(const struct otlp_wal_record *r);

/* Record @r can be read and has the content that its id says. */
void wal_fixture_check_record(struct otlp_wal *w, const struct otlp_wal_record *r);

/* Found were exactly these, in order, with the right content. */
void wal_fixture_check_found(struct wal_fixture *f, struct otlp_wal *w, unsigned from, unsigned to);
void wal_fixture_check_ids(struct wal_fixture *f, struct otlp_wal *w, const unsigned *ids,
			   size_t len);
void wal_fixture_check_damage(const struct wal_fixture *f, uint64_t records, uint64_t items,
			      uint64_t unknown);
void wal_fixture_check_no_damage(const struct wal_fixture *f);

/* ---- the folder as bytes ---- */

struct wal_file {
	char name[32];
	uint8_t *data;
	size_t size;
};

struct wal_image {
	struct wal_file files[64]; /* in order of names */
	size_t len;
};

void wal_image_take(struct wal_image *ret, const struct wal_fixture *f);
void wal_image_put(const struct wal_image *image, const struct wal_fixture *f); /* replaces all */
void wal_image_copy(struct wal_image *ret, const struct wal_image *image);
void wal_image_reset(struct wal_image *image);
struct wal_file *wal_image_file(struct wal_image *image, const char *name); /* NULL: none */
struct wal_file *wal_image_segment(struct wal_image *image, uint64_t segment);

#endif /* TESTS_WAL_FIXTURE_H */
