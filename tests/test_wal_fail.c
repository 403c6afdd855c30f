/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A disk that fails at every call, and after each the worst power cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otlp/wal_dir.h"
#include "tests/wal_disk.h"

/* ---- a queue as it uses the log ---- */

enum where {
	HELD, /* in memory only */
	WRITTEN,
	SYNCED
};

struct user {
	struct wal_fixture *f;
	struct otlp_wal *w;
	enum where where[WAL_TEST_MAX];
	unsigned next; /* id to come */
	unsigned acked; /* ids before this are done */
	unsigned fail_from, fail_to; /* calls, for messages */
	bool is_eager; /* acknowledges what is not synced yet */
};

static void user_append(struct user *u)
{
	u->next++;
	/* in order: what is held back goes first */
	for (unsigned id = u->acked; id < u->next; id++) {
		if (u->where[id] != HELD)
			continue;
		if (wal_fixture_append(u->f, u->w, id))
			return;
		u->where[id] = WRITTEN;
	}
}

static void user_sync(struct user *u)
{
	int err = otlp_wal_sync(u->w);

	for (unsigned id = 0; id < u->next; id++)
		if (u->where[id] == WRITTEN)
			u->where[id] = err ? HELD : SYNCED;
}

static void user_ack(struct user *u)
{
	if (u->acked == u->next || u->where[u->acked] == HELD ||
	    (u->where[u->acked] == WRITTEN && !u->is_eager))
		return;
	wal_fixture_check_record(u->w, &u->f->put[u->acked]);
	otlp_wal_ack(u->w, &u->f->put[u->acked].pos);
	u->acked++;
}

/* Found is, in order, all that was synced and is not done, perhaps more that is done; nothing is
 * reported as damaged, since nothing is; and the log goes on from there. */
static void check_kept(struct user *u, unsigned up_to)
{
	struct wal_fixture *f = u->f;
	struct otlp_wal *w = wal_fixture_open(f);
	unsigned ids[WAL_TEST_MAX], wanted = u->acked;
	size_t len = f->found_len;

	for (size_t i = 0; i < len; i++) {
		ids[i] = wal_fixture_id(&f->found[i]);
		wanted += ids[i] == wanted;
		assert_true(i == 0 || ids[i] > ids[i - 1]);
	}
	if (wanted < up_to)
		fail_msg("%u of %u to %u is lost (calls %u to %u, is_eager %d)", wanted, u->acked,
			 up_to, u->fail_from, u->fail_to, u->is_eager);
	wal_fixture_check_ids(f, w, ids, len);
	/* of a record whose write failed and could not be taken back something may be left to see
	 */
	if (f->damage.records > (u->fail_to > u->fail_from))
		fail_msg("damage: %u records (calls %u to %u, is_eager %d)",
			 (unsigned)f->damage.records, u->fail_from, u->fail_to, u->is_eager);
	otlp_wal_close(w);
	w = wal_fixture_open(f);
	ids[len] = u->next;
	ids[len + 1] = u->next + 1;
	wal_fixture_put(f, w, u->next, u->next + 2);
	assert_int_equal(otlp_wal_sync(w), 0);
	otlp_wal_close(w);
	w = wal_fixture_open(f);
	wal_fixture_check_ids(f, w, ids, len + 2);
	wal_fixture_check_no_damage(f);
	otlp_wal_close(w);
}

/* The synced part survives in another folder that has only what the disk must have kept, and
 * whatever else it may. */
static void check_power_cut(struct user *u, struct wal_fixture *other)
{
	struct user after = *u;
	struct wal_disk before = wal_disk;
	struct wal_image image;
	unsigned synced = u->acked;

	while (synced < u->next && u->where[synced] == SYNCED)
		synced++;
	other->segment_bytes = u->f->segment_bytes;
	after.f = other;
	/* after single failures all of them, else nothing and everything */
	for (unsigned chance = 0;
	     chance<WAL_DISK_CHANCES; chance += u->fail_to> u->fail_from ? 3 : 1) {
		wal_disk_image(&image, u->f, chance);
		wal_disk = (struct wal_disk){.error = EIO};
		if (wal_image_file(&image, "about"))
			assert_in_range(wal_image_file(&image, "about")->size, 20, 200);
		wal_image_put(&image, other);
		check_kept(&after, synced);
		wal_disk_reset();
		wal_disk = before;
		wal_image_reset(&image);
	}
}

static struct otlp_wal *open_somehow(struct wal_fixture *f)
{
	struct otlp_wal_opts opts = {.dir_fd = f->dir_fd,
				     .name = "log",
				     .signal = OTLP_TRACES,
				     .url = WAL_TEST_URL,
				     .segment_bytes = f->segment_bytes};
	struct otlp_wal *w = NULL;
	const char *why = NULL;

	for (unsigned tries = 0; tries < 100; tries++) {
		if (!otlp_wal_open(&w, &opts, &f->damage, &why))
			return w;
		assert_non_null(why);
	}
	fail_msg("it never opens");
	return NULL;
}

/* Returns whether any call failed. */
static bool run(struct wal_fixture *f, struct wal_fixture *other, unsigned from, unsigned len,
		int error, bool is_eager)
{
	struct user u = {
		.f = f, .fail_from = from, .fail_to = from + len - 1, .is_eager = is_eager};
	const struct wal_image nothing = {.len = 0};
	unsigned unlinks;
	bool is_failed;

	wal_disk_reset();
	wal_image_put(&nothing, f);
	wal_disk.calls = 0;
	wal_disk.error = error;
	wal_disk.fail_from = from;
	wal_disk.fail_to = from + len - 1;
	u.w = open_somehow(f);
	for (unsigned step = 0; step < 24; step++) {
		unlinks = wal_disk.unlinks;
		user_append(&u);
		if (step % 3 == 2)
			user_sync(&u);
		for (unsigned acks = is_eager ? 2 : 1; step % 5 > 1 && acks; acks--)
			user_ack(&u);
		if (len < 3 && (step % 8 == 4 || wal_disk.unlinks != unlinks))
			check_power_cut(&u, other);
	}
	is_failed = wal_disk.calls >= from;
	wal_disk.fail_from = wal_disk.fail_to = 0;
	user_append(&u);
	user_sync(&u);
	assert_int_equal(u.where[u.next - 1], SYNCED);
	check_power_cut(&u, other);
	otlp_wal_close(u.w);
	check_kept(&u, u.next);
	return is_failed;
}

static void check_every_call(void **state, unsigned len, int error, bool is_eager)
{
	struct wal_fixture *f = *state;
	void *other = NULL;
	unsigned from = 1;

	assert_int_equal(wal_fixture_setup(&other), 0);
	f->segment_bytes = 500;
	while (run(f, other, from, len, error, is_eager))
		from++;
	assert_in_range(from, 30, 200);
	wal_disk_reset();
	wal_fixture_teardown(&other);
}

static void test_wal_survives_an_error_at_any_call(void **state)
{
	check_every_call(state, 1, EIO, false);
}

static void test_wal_survives_an_error_while_it_is_ahead_of_the_disk(void **state)
{
	check_every_call(state, 1, EIO, true);
	check_every_call(state, 2, EIO, true);
}

static void test_wal_survives_a_disk_that_fills_up_at_any_call(void **state)
{
	check_every_call(state, 2, ENOSPC, false);
}

static void test_wal_survives_a_disk_that_stays_bad_for_a_while(void **state)
{
	check_every_call(state, 2, EIO, false);
	check_every_call(state, 3, EIO, false);
	check_every_call(state, 5, EIO, true);
	check_every_call(state, 12, ENOSPC, false);
}

static void test_wal_error_leaves_the_log_as_it_was(void **state)
{
	struct wal_fixture *f = *state;
	struct wal_image before, after;
	struct otlp_wal *w;
	uint64_t bytes;

	wal_disk_reset();
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 3);
	wal_image_take(&before, f);
	bytes = otlp_wal_bytes(w);
	wal_disk.error = ENOSPC;
	wal_disk.fail_from = wal_disk.calls + 1;
	wal_disk.fail_to = wal_disk.calls + 2; /* half of it, then nothing */
	assert_int_equal(wal_fixture_append(f, w, 3), -ENOSPC);
	assert_int_equal(otlp_wal_bytes(w), bytes);
	wal_image_take(&after, f);
	assert_int_equal(wal_image_segment(&after, 1)->size, wal_image_segment(&before, 1)->size);
	wal_fixture_put(f, w, 3, 5);
	assert_int_equal(f->put[3].pos.segment, 1);
	otlp_wal_close(w);
	w = wal_fixture_open(f);
	wal_fixture_check_found(f, w, 0, 5);
	otlp_wal_close(w);
	wal_image_reset(&before);
	wal_image_reset(&after);
	wal_disk_reset();
}

static void check_found_after(struct wal_fixture *f, unsigned from, unsigned to)
{
	struct otlp_wal *w = wal_fixture_open(f);

	wal_fixture_check_found(f, w, from, to);
	wal_fixture_check_no_damage(f);
	otlp_wal_close(w);
}

/* Each failed write of the cursor leaves half of it: never on both slots. */
static void test_wal_cursor_that_fails_again_and_again_keeps_one_slot(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;

	wal_disk_reset();
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 9);
	assert_int_equal(otlp_wal_sync(w), 0);
	assert_int_equal(otlp_wal_ack(w, &f->put[0].pos), 0);
	assert_int_equal(otlp_wal_ack(w, &f->put[2].pos), 0);
	for (unsigned id = 3; id < 7; id++) {
		wal_disk.fail_from = wal_disk.fail_to = wal_disk.calls + 1;
		assert_int_equal(otlp_wal_ack(w, &f->put[id].pos), -EIO);
	}
	otlp_wal_close(w);
	check_found_after(f, 3, 9);
	wal_disk_reset();
}

/* A segment goes only after the cursor that says that it is done. */
static void test_wal_keeps_segments_while_the_cursor_cannot_be_written(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;
	uint64_t bytes;

	wal_disk_reset();
	f->segment_bytes = 300;
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 10);
	assert_int_equal(otlp_wal_sync(w), 0);
	bytes = otlp_wal_bytes(w);
	for (unsigned call = 1; call <= 2; call++) { /* its write, its sync */
		wal_disk.fail_from = wal_disk.fail_to = wal_disk.calls + call;
		assert_int_equal(otlp_wal_ack(w, &f->put[6 + call].pos), -EIO);
		assert_int_equal(otlp_wal_bytes(w), bytes);
	}
	assert_int_equal(otlp_wal_ack(w, &f->put[9].pos), 0);
	assert_in_range(otlp_wal_bytes(w), 0, 300);
	otlp_wal_close(w);
	check_found_after(f, 10, 10);
	wal_disk_reset();
}

/* Records are done before they were synced, and then the sync fails: the numbers of those that come
 * next are none that count as done, when all that is done goes to make room. */
static void test_wal_that_was_ahead_of_the_disk_keeps_what_comes_next(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;

	wal_disk_reset();
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 2);
	assert_int_equal(otlp_wal_sync(w), 0);
	wal_fixture_put(f, w, 2, 5);
	assert_int_equal(otlp_wal_ack(w, &f->put[4].pos), 0);
	wal_disk.fail_from = wal_disk.fail_to = wal_disk.calls + 1;
	assert_int_equal(otlp_wal_sync(w), -EIO);
	wal_fixture_put(f, w, 5, 8);
	assert_int_equal(otlp_wal_sync(w), 0);
	wal_disk.error = ENOSPC;
	wal_disk.fail_from = wal_disk.calls + 1;
	wal_disk.fail_to = wal_disk.calls + 2;
	assert_int_equal(wal_fixture_append(f, w, 8), -ENOSPC);
	otlp_wal_close(w);
	check_found_after(f, 5, 8);
	wal_disk_reset();
}

/* What was counted as damage is not counted again after a power cut that follows. */
static void check_repair_is_durable(struct wal_fixture *f, const struct wal_image *damaged)
{
	struct wal_image after;
	struct otlp_wal *w;
	uint64_t bytes;
	size_t found;
	char path[64];
	struct stat st;

	wal_disk_reset();
	wal_image_put(damaged, f);
	for (size_t i = 0; i < damaged->len; i++) {
		int fd;

		snprintf(path, sizeof(path), "log/%s", damaged->files[i].name);
		fd = openat(f->dir_fd, path, O_RDONLY | O_CLOEXEC);
		assert_int_equal(fstat(fd, &st), 0);
		wal_disk_keep(fd, &st);
		close(fd);
	}
	w = wal_fixture_open(f);
	bytes = f->damage.bytes + f->damage.records;
	found = f->found_len;
	assert_true(bytes > 0);
	otlp_wal_close(w);
	wal_disk_image(&after, f, WAL_DISK_NAMES);
	wal_image_put(&after, f);
	w = wal_fixture_open(f);
	wal_fixture_check_no_damage(f);
	assert_int_equal(f->found_len, found);
	otlp_wal_close(w);
	wal_image_reset(&after);
	wal_disk_reset();
}

static void test_wal_repairs_are_durable(void **state)
{
	struct wal_fixture *f = *state;
	struct wal_image whole, image;
	struct otlp_wal *w;

	wal_disk_reset();
	f->segment_bytes = 500;
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 16);
	assert_int_equal(otlp_wal_ack(w, &f->put[0].pos), 0);
	otlp_wal_close(w);
	assert_in_range(f->put[15].pos.segment, 3, 5);
	wal_image_take(&whole, f);
	for (unsigned kind = 0; kind < 6; kind++) {
		struct wal_file *second;

		wal_image_copy(&image, &whole);
		second = wal_image_segment(&image, 2);
		if (kind == 0)
			second->data[f->put[8].pos.offset + 3] ^= 1; /* a record's header */
		else if (kind == 1)
			second->data[f->put[8].pos.offset + 66] ^= 1; /* its body */
		else if (kind == 2)
			second->data[3] ^= 1; /* the segment's header */
		else if (kind == 3)
			wal_image_segment(&image, f->put[15].pos.segment)->size -= 3;
		else if (kind == 4)
			snprintf(second->name, sizeof(second->name), "gone");
		else
			snprintf(wal_image_segment(&image, 1)->name, 32, "gone");
		check_repair_is_durable(f, &image);
		wal_image_reset(&image);
	}
	wal_image_reset(&whole);
}

static size_t three_kilobytes(unsigned id)
{
	return 3000 + id;
}

/* Sectors that cannot be read cost the records in them, no others. */
static void test_wal_reads_around_bad_sectors(void **state)
{
	struct wal_fixture *f = *state;
	unsigned ids[40];
	size_t len = 0;
	struct otlp_wal *w;

	wal_disk_reset();
	f->body_size = three_kilobytes;
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 30);
	otlp_wal_close(w);
	wal_disk.bad_from = 40960;
	wal_disk.bad_to = 45056;
	for (unsigned id = 0; id < 30; id++) {
		off_t at = (off_t)f->put[id].pos.offset, end = at + 64 + (off_t)f->put[id].size;

		/* reads are in steps of a page from where one failed */
		if (end <= wal_disk.bad_from - 4096 || at >= wal_disk.bad_to + 4096)
			ids[len++] = id;
	}
	w = wal_fixture_open(f);
	assert_in_range(f->found_len, len, 28);
	assert_int_equal(f->damage.records, 30 - f->found_len);
	assert_int_equal(f->damage.unknown, 0);
	for (size_t i = 0, k = 0; k < len; i++) {
		assert_in_range(i, 0, f->found_len - 1);
		k += wal_fixture_id(&f->found[i]) == ids[k];
	}
	otlp_wal_close(w);
	wal_disk_reset();
}

/* The folder's own name is durable, too. */
static void test_wal_new_folder_is_durable(void **state)
{
	struct wal_fixture *f = *state;
	const char *why;
	char path[200];
	int fd;

	wal_disk_reset();
	otlp_wal_close(wal_fixture_open(f));
	assert_true(wal_disk_has_synced(f->dir_fd));
	wal_disk_reset();
	snprintf(path, sizeof(path), "%s/sub", f->path);
	assert_int_equal(otlp_wal_dir_open(&fd, path, &why), 0);
	assert_true(wal_disk_has_synced(f->dir_fd));
	assert_true(wal_disk_has_synced(fd));
	close(fd);
	unlinkat(f->dir_fd, "sub/FORMAT", 0);
	unlinkat(f->dir_fd, "sub", AT_REMOVEDIR);
	wal_disk_reset();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wal_fixture_setup, wal_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wal_error_leaves_the_log_as_it_was),
		TEST(test_wal_cursor_that_fails_again_and_again_keeps_one_slot),
		TEST(test_wal_keeps_segments_while_the_cursor_cannot_be_written),
		TEST(test_wal_that_was_ahead_of_the_disk_keeps_what_comes_next),
		TEST(test_wal_repairs_are_durable),
		TEST(test_wal_reads_around_bad_sectors),
		TEST(test_wal_new_folder_is_durable),
		TEST(test_wal_survives_an_error_at_any_call),
		TEST(test_wal_survives_an_error_while_it_is_ahead_of_the_disk),
		TEST(test_wal_survives_a_disk_that_fills_up_at_any_call),
		TEST(test_wal_survives_a_disk_that_stays_bad_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
