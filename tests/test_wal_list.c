/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is in a queue directory, told without a lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otlp/wal_dir.h"
#include "tests/wal_fixture.h"

/* The fixture's directory, and a path in it. */
static const char *path_in(const struct wal_fixture *f, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	return path;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int dir_open(const char *path, int *ret_fd)
{
	const char *why;

	return otlp_wal_dir_open(ret_fd, path, &why);
}

struct seen {
	struct otlp_wal_listing list[8];
	char names[8][100], urls[8][200];
	size_t len;
	bool in_use;
};

static void take_listing(void *ctx, const struct otlp_wal_listing *l)
{
	struct seen *s = ctx;

	assert_in_range(s->len, 0, 7);
	snprintf(s->names[s->len], sizeof(s->names[0]), "%s", l->name);
	snprintf(s->urls[s->len], sizeof(s->urls[0]), "%s", l->url);
	s->list[s->len++] = *l;
}

static int list(const struct wal_fixture *f, struct seen *s)
{
	const char *why = NULL;
	int err;

	memset(s, 0, sizeof(*s));
	err = otlp_wal_dir_list(f->path, take_listing, s, &s->in_use, &why);
	if (err)
		assert_non_null(strchr(why, ':'));
	return err;
}

static void test_list_says_what_waits(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w;
	struct seen s;
	int lock;

	assert_int_equal(dir_open(f->path, &lock), 0);
	assert_int_equal(list(f, &s), 0);
	assert_int_equal(s.len, 0);
	f->segment_bytes = 400;
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 20);
	assert_int_equal(otlp_wal_sync(w), 0);
	for (unsigned id = 0; id < 7; id++)
		assert_int_equal(otlp_wal_ack(w, &f->put[id].pos), 0);
	assert_int_equal(list(f, &s), 0);
	assert_true(s.in_use);
	close(lock);
	assert_int_equal(list(f, &s), 0);
	assert_false(s.in_use);
	assert_int_equal(s.len, 1);
	assert_string_equal(s.names[0], "log");
	assert_string_equal(s.urls[0], WAL_TEST_URL);
	assert_int_equal(s.list[0].signal, OTLP_TRACES);
	assert_int_equal(s.list[0].requests, 13);
	assert_int_equal(s.list[0].items, 13 + 3 * (7 + 19) * 13 / 2);
	assert_int_equal(s.list[0].bytes, otlp_wal_bytes(w));
	assert_int_equal(s.list[0].oldest_unix_ns, f->put[7].queued_unix_ns);
	assert_int_equal(s.list[0].newest_unix_ns, f->put[19].queued_unix_ns);
	assert_int_equal(s.list[0].damage.records, 0);
	assert_false(s.list[0].is_torn);
	otlp_wal_close(w);
}

static void test_list_says_what_is_damaged_and_repairs_nothing(void **state)
{
	struct wal_fixture *f = *state;
	struct wal_image image, after;
	struct otlp_wal *w;
	struct seen s;
	int lock;

	assert_int_equal(dir_open(f->path, &lock), 0);
	close(lock);
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 8);
	otlp_wal_close(w);
	wal_image_take(&image, f);
	wal_image_segment(&image, 1)->data[f->put[3].pos.offset + 1] ^= 1;
	wal_image_segment(&image, 1)->data[f->put[5].pos.offset + 65] ^= 1;
	wal_image_segment(&image, 1)->size -= 2;
	wal_image_put(&image, f);
	for (unsigned again = 0; again < 2; again++) {
		assert_int_equal(list(f, &s), 0);
		assert_int_equal(s.list[0].requests, 5);
		assert_int_equal(s.list[0].damage.records, 2);
		assert_int_equal(s.list[0].damage.items,
				 wal_fixture_items(3) + wal_fixture_items(5));
		assert_true(s.list[0].is_torn);
	}
	wal_image_take(&after, f);
	for (size_t i = 0; i < image.len; i++) {
		assert_int_equal(after.files[i].size, image.files[i].size);
		assert_memory_equal(after.files[i].data, image.files[i].data, image.files[i].size);
	}
	wal_image_reset(&image);
	wal_image_reset(&after);
}

static void test_list_shows_no_secret_of_a_url(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal_opts opts = {.dir_fd = f->dir_fd,
				     .name = "log",
				     .url = "https://me:pass@host:1/v1/a@b?key=secret#x"};
	struct otlp_wal_damage damage;
	const char *why;
	struct otlp_wal *w;
	struct seen s;
	int lock;

	assert_int_equal(dir_open(f->path, &lock), 0);
	close(lock);
	assert_int_equal(otlp_wal_open(&w, &opts, &damage, &why), 0);
	otlp_wal_close(w);
	assert_int_equal(list(f, &s), 0);
	assert_string_equal(s.urls[0], "https://host:1/v1/a@b");
	unlinkat(f->dir_fd, "log/about", 0);
	assert_int_equal(list(f, &s), 0); /* neither it nor a segment: it is no log */
	assert_int_equal(s.len, 0);
}

static void test_list_refuses_what_is_no_queue(void **state)
{
	struct wal_fixture *f = *state;
	struct seen s;
	bool in_use;
	const char *why;

	assert_int_equal(list(f, &s), -ENOTEMPTY);
	write_file(path_in(f, "FORMAT"), "ringspan queue 2\n");
	assert_int_equal(list(f, &s), -ENOTSUP);
	assert_int_equal(otlp_wal_dir_list(path_in(f, "missing"), take_listing, &s, &in_use, &why),
			 -ENOENT);
	assert_int_equal(otlp_wal_dir_list(path_in(f, "FORMAT"), take_listing, &s, &in_use, &why),
			 -ENOTDIR);
}

/* Puts, syncs and acknowledges in a hurry, with many small segments. */
static int write_in_a_hurry(struct wal_fixture *f, int lock_ready)
{
	struct otlp_wal *w;
	unsigned acked = 0;
	int lock;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	f->segment_bytes = 500;
	if (dir_open(f->path, &lock))
		return 1;
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 1);
	if (write(lock_ready, "y", 1) != 1)
		return 1;
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned id = 1; id < WAL_TEST_MAX; id++) {
			if (wal_fixture_append(f, w, id))
				return 1;
			if (id % 10 == 0 && otlp_wal_sync(w))
				return 1;
			acked = id > 40 ? id - 40 : 0;
			if (acked && otlp_wal_ack(w, &f->put[acked].pos))
				return 1;
		}
		if (otlp_wal_ack(w, &f->put[WAL_TEST_MAX - 1].pos))
			return 1;
	}
	otlp_wal_close(w);
	return 0;
}

static void test_list_works_while_another_process_writes(void **state)
{
	struct wal_fixture *f = *state;
	unsigned lists = 0, most = 0;
	int ready[2], status;
	struct seen s;
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0)
		_exit(write_in_a_hurry(f, ready[1]));
	assert_int_equal(read(ready[0], &c, 1), 1);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_int_equal(list(f, &s), 0);
		if (s.in_use)
			lists++;
		assert_int_equal(s.len, 1);
		assert_int_equal(s.list[0].damage.records, 0);
		assert_int_equal(s.list[0].damage.bytes, 0);
		if (s.list[0].requests > most)
			most = (unsigned)s.list[0].requests;
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_in_range(lists, 5, 1000000);
	assert_in_range(most, 10, 600);
	assert_int_equal(list(f, &s), 0);
	assert_false(s.in_use);
	close(ready[0]);
	close(ready[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wal_fixture_setup, wal_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list_says_what_waits),
		TEST(test_list_says_what_is_damaged_and_repairs_nothing),
		TEST(test_list_shows_no_secret_of_a_url),
		TEST(test_list_refuses_what_is_no_queue),
		TEST(test_list_works_while_another_process_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
