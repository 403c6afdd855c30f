/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The log in good times: what it keeps, what it forgets, what it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static uint64_t segment_bytes_on_disk(const struct wal_fixture *f, size_t *ret_segments)
{
	struct wal_image image;
	uint64_t bytes = 0;

	*ret_segments = 0;
	wal_image_take(&image, f);
	for (size_t i = 0; i < image.len; i++) {
		if (strstr(image.files[i].name, ".wal")) {
			bytes += image.files[i].size;
			++*ret_segments;
		}
	}
	wal_image_reset(&image);
	return bytes;
}

/* Opens, checks that exactly these wait and that nothing was damaged, closes. */
static void check_reopened(struct wal_fixture *f, unsigned from, unsigned to)
{
	struct otlp_wal *w = wal_fixture_open(f);

	wal_fixture_check_found(f, w, from, to);
	wal_fixture_check_no_damage(f);
	otlp_wal_close(w);
}

/* ---- keeping and forgetting ---- */

static void test_wal_finds_again_what_was_put(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w = wal_fixture_open(f);

	wal_fixture_check_found(f, w, 0, 0);
	put_and_sync(f, w, 0, 7);
	wal_fixture_check_record(w, &f->put[3]);
	otlp_wal_close(w);
	w = wal_fixture_open(f);
	wal_fixture_check_found(f, w, 0, 7);
	wal_fixture_check_no_damage(f);
	for (unsigned id = 0; id < 7; id++)
		assert_memory_equal(&f->found[id], &f->put[id], sizeof(f->put[id]));
	assert_string_equal(otlp_wal_url(w), WAL_TEST_URL);
	otlp_wal_close(w);
}

static void test_wal_keeps_order_over_starts_and_segments(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;
	size_t segments;

	f->segment_bytes = 600;
	f->body_size = hundred;
	for (unsigned start = 0; start < 5; start++) {
		w = wal_fixture_open(f);
		wal_fixture_check_found(f, w, 0, start * 20);
		put_and_sync(f, w, start * 20, start * 20 + 20);
		for (unsigned id = start * 20 + 1; id < start * 20 + 20; id++)
			assert_true(f->put[id].pos.segment > f->put[id - 1].pos.segment ||
				    (f->put[id].pos.segment == f->put[id - 1].pos.segment &&
				     f->put[id].pos.offset > f->put[id - 1].pos.offset));
		otlp_wal_close(w);
	}
	check_reopened(f, 0, 100);
	segment_bytes_on_disk(f, &segments);
	assert_int_equal(segments, 5 * 7); /* 3 records fit in one */
}

static void test_wal_begins_a_segment_at_each_start(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;

	for (unsigned start = 0; start < 3; start++) {
		w = wal_fixture_open(f);
		wal_fixture_put(f, w, start, start + 1);
		otlp_wal_close(w);
	}
	assert_true(f->put[0].pos.segment < f->put[1].pos.segment);
	assert_true(f->put[1].pos.segment < f->put[2].pos.segment);
	check_reopened(f, 0, 3);
}

static void test_wal_forgets_what_was_acknowledged(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;

	f->segment_bytes = 300;
	for (unsigned done = 0; done < 20; done++) {
		w = wal_fixture_open(f);
		wal_fixture_check_found(f, w, done, done ? 20 : 0);
		wal_fixture_check_no_damage(f);
		if (!done)
			put_and_sync(f, w, 0, 20);
		ack(f, w, done);
		otlp_wal_close(w);
	}
	check_reopened(f, 20, 20);
}

static void test_wal_takes_acknowledgements_in_leaps_and_again(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w = wal_fixture_open(f);
	struct otlp_wal_pos nowhere;

	put_and_sync(f, w, 0, 10);
	ack(f, w, 4);
	ack(f, w, 4);
	ack(f, w, 1);
	nowhere = f->put[9].pos;
	nowhere.offset += 1000;
	assert_int_equal(otlp_wal_ack(w, &nowhere), -EINVAL);
	nowhere.segment++;
	assert_int_equal(otlp_wal_ack(w, &nowhere), -EINVAL);
	otlp_wal_close(w);
	w = wal_fixture_open(f);
	wal_fixture_check_found(f, w, 5, 10);
	ack(f, w, 2);
	ack(f, w, 7);
	otlp_wal_close(w);
	check_reopened(f, 8, 10);
}

static void test_wal_frees_segments_that_are_done(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;
	size_t segments, before = 0;

	f->segment_bytes = 600;
	f->body_size = hundred;
	w = wal_fixture_open(f);
	put_and_sync(f, w, 0, 30);
	assert_int_equal(segment_bytes_on_disk(f, &segments), otlp_wal_bytes(w));
	assert_int_equal(segments, 10);
	for (unsigned id = 0; id < 30; id++) {
		ack(f, w, id);
		assert_int_equal(segment_bytes_on_disk(f, &segments), otlp_wal_bytes(w));
		before = id < 29 ? 10 - id / 3 : 0; /* the one where the cursor is stays */
		assert_in_range(segments, before ? before - 1 : 0, before);
	}
	assert_int_equal(otlp_wal_bytes(w), 0);
	put_and_sync(f, w, 30, 32);
	otlp_wal_close(w);
	check_reopened(f, 30, 32);
}

static void test_wal_stays_small_while_all_is_acknowledged(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;

	f->segment_bytes = 2000;
	w = wal_fixture_open(f);
	for (unsigned id = 0; id < 300; id++) {
		put_and_sync(f, w, id, id + 1);
		ack(f, w, id);
		assert_in_range(otlp_wal_bytes(w), 0, 400);
	}
	otlp_wal_close(w);
	check_reopened(f, 300, 300);
}

static void test_wal_goes_on_after_everything_was_acknowledged(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w = wal_fixture_open(f);
	struct otlp_wal_pos last;

	put_and_sync(f, w, 0, 5);
	ack(f, w, 4);
	last = f->put[4].pos;
	otlp_wal_close(w);
	check_reopened(f, 5, 5);
	w = wal_fixture_open(f);
	assert_int_equal(otlp_wal_bytes(w), 0);
	put_and_sync(f, w, 5, 8);
	assert_true(f->put[5].pos.segment > last.segment);
	otlp_wal_close(w);
	check_reopened(f, 5, 8);
}

static size_t big(unsigned id)
{
	return id % 2 ? 100000 : 10;
}

static void test_wal_takes_a_body_larger_than_a_segment(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;

	f->segment_bytes = 1000;
	f->body_size = big;
	w = wal_fixture_open(f);
	put_and_sync(f, w, 0, 6);
	otlp_wal_close(w);
	check_reopened(f, 0, 6);
}

static void test_wal_refuses_an_empty_body(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w = wal_fixture_open(f);
	struct otlp_wal_pos pos;

	assert_int_equal(otlp_wal_append(w, (const uint8_t *)"", 0, 1, 1, &pos), -EINVAL);
	assert_int_equal(
		otlp_wal_append(w, (const uint8_t *)"", ((size_t)256 << 20) + 1, 1, 1, &pos),
		-EINVAL);
	otlp_wal_close(w);
	check_reopened(f, 0, 0);
}

static void test_wal_files_are_for_their_owner_only(void **state)
{
	struct wal_fixture *f = *state;
	mode_t old = umask(0);
	struct otlp_wal *w = wal_fixture_open(f);
	struct wal_image image;
	struct stat st;
	char path[128];

	put_and_sync(f, w, 0, 1);
	otlp_wal_close(w);
	umask(old);
	assert_int_equal(fstatat(f->dir_fd, "log", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	wal_image_take(&image, f);
	assert_int_equal(image.len, 3);
	for (size_t i = 0; i < image.len; i++) {
		snprintf(path, sizeof(path), "log/%s", image.files[i].name);
		assert_int_equal(fstatat(f->dir_fd, path, &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	wal_image_reset(&image);
}

static void *read_all_day(void *arg)
{
	struct wal_fixture *f = ((void **)arg)[0];
	struct otlp_wal *w = ((void **)arg)[1];

	for (unsigned round = 0; round < 50; round++)
		for (unsigned id = 10; id < 20; id++)
			wal_fixture_check_record(w, &f->put[id]);
	return NULL;
}

static void test_wal_can_be_read_by_another_thread(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;
	void *arg[2] = {f, NULL};
	pthread_t thread;

	f->segment_bytes = 500;
	arg[1] = w = wal_fixture_open(f);
	put_and_sync(f, w, 0, 20);
	assert_int_equal(pthread_create(&thread, NULL, read_all_day, arg), 0);
	for (unsigned id = 20; id < 200; id++) {
		put_and_sync(f, w, id, id + 1);
		if (id < 30)
			ack(f, w, id - 20);
	}
	pthread_join(thread, NULL);
	otlp_wal_close(w);
}

/* ---- the cursor ---- */

static void flip(struct wal_file *file, size_t at)
{
	assert_non_null(file);
	assert_in_range(at, 0, file->size - 1);
	file->data[at] ^= 0xff;
}

/* A log of 10 records, 0 to 5 acknowledged one by one. */
static void half_done(struct wal_fixture *f, struct wal_image *ret)
{
	struct otlp_wal *w = wal_fixture_open(f);

	put_and_sync(f, w, 0, 10);
	for (unsigned id = 0; id <= 5; id++)
		ack(f, w, id);
	otlp_wal_close(w);
	wal_image_take(ret, f);
}

static void test_wal_uses_the_older_cursor_if_the_newer_is_damaged(void **state)
{
	struct wal_fixture *f = *state;
	struct wal_image image;
	struct otlp_wal *w;

	half_done(f, &image);
	/* six acknowledgements: the sixth stands in slot 0 */
	for (size_t slot = 0; slot < 2; slot++) {
		for (size_t at = 0; at < 64; at++) {
			flip(wal_image_file(&image, "cursor"), slot * 512 + at);
			wal_image_put(&image, f);
			check_reopened(f, slot ? 6 : 5, 10);
			flip(wal_image_file(&image, "cursor"), slot * 512 + at);
		}
	}
	/* and writes the next over the damaged one */
	flip(wal_image_file(&image, "cursor"), 3);
	wal_image_put(&image, f);
	w = wal_fixture_open(f);
	ack(f, w, 7);
	otlp_wal_close(w);
	wal_image_reset(&image);
	wal_image_take(&image, f);
	flip(wal_image_file(&image, "cursor"), 512);
	wal_image_put(&image, f);
	check_reopened(f, 8, 10);
	wal_image_reset(&image);
}

static void test_wal_sends_all_again_without_a_cursor(void **state)
{
	struct wal_fixture *f = *state;
	struct wal_image image;

	half_done(f, &image);
	flip(wal_image_file(&image, "cursor"), 20);
	flip(wal_image_file(&image, "cursor"), 532);
	wal_image_put(&image, f);
	check_reopened(f, 0, 10);
	check_reopened(f, 0, 10);
	assert_int_equal(unlinkat(f->dir_fd, "log/cursor", 0), 0);
	check_reopened(f, 0, 10);
	wal_image_reset(&image);
}

/* ---- what the log is for ---- */

static int open_with(struct wal_fixture *f, enum otlp_signal signal, const char *url,
		     struct otlp_wal **ret)
{
	struct otlp_wal_opts opts = {
		.dir_fd = f->dir_fd, .name = "log", .signal = signal, .url = url};
	const char *why = NULL;
	int err = otlp_wal_open(ret, &opts, &f->damage, &why);

	if (err)
		assert_non_null(strchr(why, ':')); /* the fault: what to do */
	return err;
}

static void test_wal_is_for_one_url_and_signal(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w = wal_fixture_open(f);
	struct wal_image image;

	put_and_sync(f, w, 0, 3);
	otlp_wal_close(w);
	assert_int_equal(open_with(f, OTLP_TRACES, "http://elsewhere/", &w), -EEXIST);
	assert_int_equal(open_with(f, OTLP_LOGS, WAL_TEST_URL, &w), -EEXIST);
	assert_int_equal(open_with(f, OTLP_TRACES, NULL, &w), 0);
	assert_string_equal(otlp_wal_url(w), WAL_TEST_URL);
	otlp_wal_close(w);
	/* what says so is not worth the data */
	wal_image_take(&image, f);
	for (size_t at = 0; at < wal_image_file(&image, "about")->size; at++) {
		flip(wal_image_file(&image, "about"), at);
		wal_image_put(&image, f);
		check_reopened(f, 0, 3);
		flip(wal_image_file(&image, "about"), at);
	}
	wal_image_file(&image, "about")->size = 0;
	wal_image_put(&image, f);
	check_reopened(f, 0, 3);
	assert_int_equal(open_with(f, OTLP_TRACES, "http://elsewhere/", &w), -EEXIST);
	wal_image_reset(&image);
}

/* Changes 4 bytes of a sealed header and seals it again. */
static void reseal(uint8_t *head, size_t at, uint32_t v)
{
	uint32_t crc;

	memcpy(head + at, &v, sizeof(v));
	crc = crc32c(0, head, 60);
	memcpy(head + 60, &crc, sizeof(crc));
}

static void test_wal_refuses_a_newer_version_and_leaves_it_alone(void **state)
{
	struct wal_fixture *f = *state;
	struct wal_image image, after;
	struct otlp_wal *w;

	f->segment_bytes = 300;
	w = wal_fixture_open(f);
	put_and_sync(f, w, 0, 10);
	otlp_wal_close(w);
	wal_image_take(&image, f);
	reseal(wal_image_segment(&image, 3)->data, 8, 2);
	flip(wal_image_segment(&image, 1), 70);
	wal_image_put(&image, f);
	assert_int_equal(open_with(f, OTLP_TRACES, WAL_TEST_URL, &w), -ENOTSUP);
	wal_image_take(&after, f);
	assert_int_equal(after.len, image.len);
	for (size_t i = 0; i < image.len; i++)
		assert_memory_equal(after.files[i].data, image.files[i].data, image.files[i].size);
	wal_image_reset(&after);
	wal_image_reset(&image);
}

static void test_wal_refuses_a_newer_about(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w = wal_fixture_open(f);
	char text[200];
	int len = snprintf(text, sizeof(text), "ringspan wal 2\nsignal traces\nurl http://x/\n");
	int fd;

	otlp_wal_close(w);
	len += snprintf(text + len, 20, "crc %08x\n", crc32c(0, text, (size_t)len));
	fd = openat(f->dir_fd, "log/about", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, text, (size_t)len), len);
	close(fd);
	assert_int_equal(open_with(f, OTLP_TRACES, WAL_TEST_URL, &w), -ENOTSUP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wal_fixture_setup, wal_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wal_finds_again_what_was_put),
		TEST(test_wal_keeps_order_over_starts_and_segments),
		TEST(test_wal_begins_a_segment_at_each_start),
		TEST(test_wal_forgets_what_was_acknowledged),
		TEST(test_wal_takes_acknowledgements_in_leaps_and_again),
		TEST(test_wal_frees_segments_that_are_done),
		TEST(test_wal_stays_small_while_all_is_acknowledged),
		TEST(test_wal_goes_on_after_everything_was_acknowledged),
		TEST(test_wal_takes_a_body_larger_than_a_segment),
		TEST(test_wal_refuses_an_empty_body),
		TEST(test_wal_files_are_for_their_owner_only),
		TEST(test_wal_can_be_read_by_another_thread),
		TEST(test_wal_uses_the_older_cursor_if_the_newer_is_damaged),
		TEST(test_wal_sends_all_again_without_a_cursor),
		TEST(test_wal_is_for_one_url_and_signal),
		TEST(test_wal_refuses_a_newer_version_and_leaves_it_alone),
		TEST(test_wal_refuses_a_newer_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
