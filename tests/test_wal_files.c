/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What somebody did to the files of a log, while it was open or between two starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otlp/crc32c.h"
#include "tests/wal_fixture.h"

static size_t hundred(unsigned id)
{
	(void)id;
	return 100;
}

static void put_and_sync(struct wal_fixture *f, struct otlp_wal *w, unsigned from, unsigned to)
{
	wal_fixture_put(f, w, from, to);
	assert_int_equal(otlp_wal_sync(w), 0);
}

static void ack(struct wal_fixture *f, struct otlp_wal *w, unsigned id)
{
	assert_int_equal(otlp_wal_ack(w, &f->put[id].pos), 0);
}

/* Opens, checks that exactly these wait and that nothing was damaged, closes. */
static void check_reopened(struct wal_fixture *f, unsigned from, unsigned to)
{
	struct otlp_wal *w = wal_fixture_open(f);

	wal_fixture_check_found(f, w, from, to);
	wal_fixture_check_no_damage(f);
	otlp_wal_close(w);
}

static void overwrite(struct wal_fixture *f, const struct otlp_wal_record *r, size_t at)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "log/%016llx.wal", (unsigned long long)r->pos.segment);
	fd = openat(f->dir_fd, path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\x01\x02\x03", 3, (off_t)(r->pos.offset + at)), 3);
	close(fd);
}

static void check_unreadable(struct otlp_wal *w, const struct otlp_wal_record *r)
{
	uint8_t *body;

	assert_int_equal(otlp_wal_read(w, r, &body), -EBADMSG);
}

static void test_wal_read_notices_damage(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w = wal_fixture_open(f);
	struct otlp_wal_record wrong;

	put_and_sync(f, w, 0, 6);
	overwrite(f, &f->put[1], 64); /* body */
	overwrite(f, &f->put[3], 16); /* header */
	check_unreadable(w, &f->put[1]);
	check_unreadable(w, &f->put[3]);
	wal_fixture_check_record(w, &f->put[2]);
	wrong = f->put[2];
	wrong.size++;
	check_unreadable(w, &wrong);
	wrong = f->put[2];
	wrong.pos.segment++;
	check_unreadable(w, &wrong);
	otlp_wal_close(w);
}

/* The queue reads it, counts it as damaged and acknowledges it: the next start does not count it
 * once more. */
static void test_wal_acknowledges_a_damaged_record(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;

	f->segment_bytes = 400;
	w = wal_fixture_open(f);
	put_and_sync(f, w, 0, 12);
	for (unsigned id = 0; id < 12; id++)
		overwrite(f, &f->put[id], id % 2 ? 16 : 64);
	for (unsigned id = 0; id < 5; id++)
		ack(f, w, id);
	otlp_wal_close(w);
	w = wal_fixture_open(f);
	wal_fixture_check_found(f, w, 0, 0);
	/* of the last only its segment's end is left to see */
	wal_fixture_check_damage(f, 7,
				 wal_fixture_items(5) + wal_fixture_items(6) +
					 wal_fixture_items(7) + wal_fixture_items(8) +
					 wal_fixture_items(9) + wal_fixture_items(10),
				 1);
	otlp_wal_close(w);
	check_reopened(f, 0, 0);
}

/* Removes a segment of four with two records each; what is lost is known exactly, once. */
static void check_without_segment(struct wal_fixture *f, uint64_t gone, unsigned acked)
{
	unsigned ids[8];
	size_t len = 0;
	uint64_t lost = 0, items = 0;
	struct otlp_wal *w;
	char path[64];

	f->segment_bytes = 400;
	f->body_size = hundred;
	w = wal_fixture_open(f);
	put_and_sync(f, w, 0, 8);
	assert_int_equal(f->put[7].pos.segment, 4);
	for (unsigned id = 0; id < acked; id++)
		ack(f, w, id);
	otlp_wal_close(w);
	for (unsigned id = acked; id < 8; id++) {
		if (f->put[id].pos.segment != gone) {
			ids[len++] = id;
		} else {
			lost++;
			items += wal_fixture_items(id);
		}
	}
	snprintf(path, sizeof(path), "log/%016llx.wal", (unsigned long long)gone);
	assert_int_equal(unlinkat(f->dir_fd, path, 0), 0);
	w = wal_fixture_open(f);
	wal_fixture_check_ids(f, w, ids, len);
	wal_fixture_check_damage(f, lost, items, 0);
	otlp_wal_close(w);
	w = wal_fixture_open(f);
	wal_fixture_check_ids(f, w, ids, len);
	wal_fixture_check_no_damage(f);
	put_and_sync(f, w, 8, 10);
	otlp_wal_close(w);
	w = wal_fixture_open(f);
	assert_int_equal(f->found_len, len + 2);
	wal_fixture_check_no_damage(f);
	otlp_wal_close(w);
}

static void test_wal_counts_a_segment_missing_in_the_middle(void **state)
{
	check_without_segment(*state, 3, 0);
}

static void test_wal_counts_a_segment_missing_where_the_cursor_is(void **state)
{
	check_without_segment(*state, 1, 1);
}

static void test_wal_counts_a_segment_missing_behind_the_cursor(void **state)
{
	check_without_segment(*state, 2, 1);
}

static void test_wal_ignores_files_that_are_not_its_own(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w = wal_fixture_open(f);
	static const char *const names[] = {"log/README",
					    "log/1.wal",
					    "log/00000000000000ZZ.wal",
					    "log/0000000000000000.wal",
					    "log/about.tmp",
					    "log/ffffffffffffffff.wal"};

	put_and_sync(f, w, 0, 3);
	otlp_wal_close(w);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		close(openat(f->dir_fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	check_reopened(f, 0, 3);
}

/* Somebody's copy is neither sent again nor believed: the log stays as it is. */
static void test_wal_leaves_a_copied_segment_alone(void **state)
{
	struct wal_fixture *f = *state;
	struct wal_image image;
	struct wal_file *copy;
	struct otlp_wal *w;

	f->segment_bytes = 300;
	w = wal_fixture_open(f);
	put_and_sync(f, w, 0, 10);
	otlp_wal_close(w);
	wal_image_take(&image, f);
	copy = &image.files[image.len++];
	*copy = *wal_image_segment(&image, 1);
	copy->data = malloc(copy->size);
	memcpy(copy->data, wal_image_segment(&image, 1)->data, copy->size);
	snprintf(copy->name, sizeof(copy->name), "%016x.wal", 9);
	wal_image_put(&image, f);
	check_reopened(f, 0, 10);
	w = wal_fixture_open(f);
	put_and_sync(f, w, 10, 12);
	assert_int_equal(f->put[10].pos.segment, 10);
	otlp_wal_close(w);
	check_reopened(f, 0, 12);
	wal_image_reset(&image);
}

/* Changes 8 bytes of a segment's header and seals it again. */
static void reseal(uint8_t *head, size_t at, uint64_t v)
{
	uint32_t crc;

	memcpy(head + at, &v, sizeof(v));
	crc = crc32c(0, head, 60);
	memcpy(head + 60, &crc, sizeof(crc));
}

/* Numbers that fall, with everything else intact, make nothing void that does not say so. */
static void test_wal_gives_up_only_what_a_header_says(void **state)
{
	struct wal_fixture *f = *state;
	const unsigned ids[] = {0, 1, 2, 3, 4, 5, 0, 1, 2};
	struct wal_image image;
	struct wal_file *copy;
	struct otlp_wal *w;

	f->segment_bytes = 300;
	w = wal_fixture_open(f);
	put_and_sync(f, w, 0, 6);
	otlp_wal_close(w);
	assert_int_equal(f->put[3].pos.segment, 2);
	wal_image_take(&image, f);
	copy = &image.files[image.len++];
	*copy = *wal_image_segment(&image, 1);
	copy->data = malloc(copy->size);
	memcpy(copy->data, wal_image_segment(&image, 1)->data, copy->size);
	snprintf(copy->name, sizeof(copy->name), "%016x.wal", 9);
	reseal(copy->data, 16, 9);
	reseal(copy->data, 48, 9);
	wal_image_put(&image, f);
	w = wal_fixture_open(f);
	wal_fixture_check_ids(f, w, ids, 9);
	otlp_wal_close(w);
	/* now it says that the second segment was given up */
	reseal(copy->data, 48, 2);
	wal_image_put(&image, f);
	w = wal_fixture_open(f);
	wal_fixture_check_ids(f, w, (const unsigned[]){0, 1, 2, 0, 1, 2}, 6);
	otlp_wal_close(w);
	wal_image_reset(&image);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wal_fixture_setup, wal_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wal_read_notices_damage),
		TEST(test_wal_acknowledges_a_damaged_record),
		TEST(test_wal_counts_a_segment_missing_in_the_middle),
		TEST(test_wal_counts_a_segment_missing_where_the_cursor_is),
		TEST(test_wal_counts_a_segment_missing_behind_the_cursor),
		TEST(test_wal_ignores_files_that_are_not_its_own),
		TEST(test_wal_leaves_a_copied_segment_alone),
		TEST(test_wal_gives_up_only_what_a_header_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
