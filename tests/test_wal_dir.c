/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
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
	const char *why = NULL;
	int err = otlp_wal_dir_open(ret_fd, path, &why);

	if (err) /* what is wrong: what to do */
		assert_non_null(strchr(why, ':'));
	return err;
}

static void check_refused(const char *path, int expected)
{
	int fd = -1;

	assert_int_equal(dir_open(path, &fd), expected);
	assert_int_equal(fd, -1);
}

static void check_opens(const char *path)
{
	int fd = -1;

	assert_int_equal(dir_open(path, &fd), 0);
	close(fd);
}

/* In a child, since it changes what cannot be changed back; a status of 77 skips the test. */
static void in_child(struct wal_fixture *f, int (*run)(struct wal_fixture *f))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* A small disk of its own at @path; false: that takes root. */
static bool mount_disk(const char *path, const char *options)
{
	mkdir(path, 0700);
	if (!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    !mount("none", path, "tmpfs", 0, options))
		return true;
	fprintf(stderr, "skipped: no file system can be mounted here: %s\n", strerror(errno));
	return false;
}

/* ---- the directory ---- */

static void test_dir_is_created_private_and_marked(void **state)
{
	struct wal_fixture *f = *state;
	mode_t old = umask(0);
	char text[64] = "";
	struct stat st;
	int fd;

	check_opens(path_in(f, "new"));
	umask(old);
	assert_int_equal(stat(path_in(f, "new"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	fd = open(path_in(f, "new/FORMAT"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 17);
	close(fd);
	assert_string_equal(text, "ringspan queue 1\n");
	check_opens(path_in(f, "new"));
	check_opens(path_in(f, "new/"));
	unlink(path_in(f, "new/FORMAT"));
	rmdir(path_in(f, "new"));
}

static void test_dir_may_be_empty(void **state)
{
	struct wal_fixture *f = *state;

	/* what the root of a file system holds, and what a start that was cut off left */
	mkdir(path_in(f, "lost+found"), 0700);
	write_file(path_in(f, "FORMAT.tmp"), "ringsp");
	check_opens(f->path);
	check_opens(f->path);
	rmdir(path_in(f, "lost+found"));
}

static void test_dir_that_is_not_ours_is_refused(void **state)
{
	struct wal_fixture *f = *state;
	struct stat st;

	write_file(path_in(f, "letter.txt"), "Dear");
	check_refused(f->path, -ENOTEMPTY);
	assert_int_equal(stat(path_in(f, "FORMAT"), &st), -1);
	write_file(path_in(f, "FORMAT"), "something else\n");
	check_refused(f->path, -ENOTEMPTY);
	write_file(path_in(f, "FORMAT"), "");
	check_refused(f->path, -ENOTEMPTY);
}

static void test_dir_of_a_newer_version_is_refused(void **state)
{
	struct wal_fixture *f = *state;

	write_file(path_in(f, "FORMAT"), "ringspan queue 2\n");
	check_refused(f->path, -ENOTSUP);
	write_file(path_in(f, "FORMAT"), "ringspan queue 10\nand more\n");
	check_refused(f->path, -ENOTSUP);
}

static void test_dir_that_cannot_be_one_is_refused(void **state)
{
	struct wal_fixture *f = *state;

	write_file(path_in(f, "file"), "");
	check_refused(path_in(f, "file"), -ENOTDIR);
	check_refused(path_in(f, "file/below"), -ENOTDIR);
	check_refused(path_in(f, "missing/below"), -ENOENT);
	check_refused("", -ENOENT);
}

static void test_dir_is_for_one_process(void **state)
{
	struct wal_fixture *f = *state;
	int ready[2], done[2], status;
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		int fd, err = dir_open(f->path, &fd);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(done[1]);
		if (write(ready[1], err ? "n" : "y", 1) != 1 || read(done[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	check_refused(f->path, -EBUSY);
	/* killed in the middle: the lock goes with it */
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	check_opens(f->path);
	close(ready[0]);
	close(ready[1]);
	close(done[0]);
	close(done[1]);
}

static int read_only(struct wal_fixture *f)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s", path_in(f, "disk"));
	if (!mount_disk(path, "size=256k"))
		return 77;
	CHECK(!dir_open(path, &fd));
	close(fd);
	CHECK(!mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK(dir_open(path, &fd) == -EROFS); /* one that is marked already */
	CHECK(dir_open(path_in(f, "disk/new"), &fd) == -EROFS);
	return 0;
}

static int other_user(struct wal_fixture *f)
{
	int fd;

	if (geteuid() != 0)
		return 77;
	CHECK(!dir_open(f->path, &fd));
	close(fd);
	CHECK(!setgid(65534) && !setuid(65534));
	CHECK(dir_open(f->path, &fd) == -EACCES);
	return 0;
}

static void test_dir_on_a_read_only_disk_is_refused(void **state)
{
	struct wal_fixture *f = *state;

	in_child(f, read_only);
	rmdir(path_in(f, "disk"));
}

static void test_dir_of_another_user_is_refused(void **state)
{
	in_child(*state, other_user);
}

/* ---- a full disk ---- */

static size_t kilobytes(unsigned id)
{
	return 3000 + id % 100;
}

/* Appends until the disk is full; returns the id that found no room. */
static unsigned fill(struct wal_fixture *f, struct otlp_wal *w, unsigned id)
{
	int err;

	while (!(err = wal_fixture_append(f, w, id)))
		id++;
	assert_int_equal(err, -ENOSPC);
	return id;
}

static int full_disk(struct wal_fixture *f)
{
	struct wal_fixture g = {.body_size = kilobytes};
	unsigned first = 0, next;
	struct otlp_wal *w;

	snprintf(g.path, sizeof(g.path), "%.150s", path_in(f, "disk"));
	if (!mount_disk(g.path, "size=256k"))
		return 77;
	CHECK(!dir_open(g.path, &g.dir_fd));
	g.segment_bytes = 20000;
	w = wal_fixture_open(&g);
	next = fill(&g, w, 0);
	CHECK(next > 50);
	CHECK(!otlp_wal_sync(w));
	for (unsigned round = 0; round < 5; round++) {
		/* all is there, and room comes with acknowledgements */
		for (unsigned id = first; id < next; id++)
			wal_fixture_check_record(w, &g.put[id]);
		for (unsigned end = first + 20; first < end; first++)
			CHECK(!otlp_wal_ack(w, &g.put[first].pos));
		next = fill(&g, w, next);
		CHECK(next > first + 40);
		CHECK(!otlp_wal_sync(w));
		/* a start works on a full disk, too */
		otlp_wal_close(w);
		w = wal_fixture_open(&g);
		wal_fixture_check_found(&g, w, first, next);
		wal_fixture_check_no_damage(&g);
	}
	otlp_wal_close(w);
	return 0;
}

/* With segments larger than the disk, room comes when everything was acknowledged. */
static int full_disk_one_segment(struct wal_fixture *f)
{
	struct wal_fixture g = {.body_size = kilobytes};
	unsigned first = 0, next;
	struct otlp_wal *w;

	snprintf(g.path, sizeof(g.path), "%.150s", path_in(f, "disk"));
	if (!mount_disk(g.path, "size=128k"))
		return 77;
	CHECK(!dir_open(g.path, &g.dir_fd));
	w = wal_fixture_open(&g);
	for (unsigned round = 0; round < 4; round++) {
		next = fill(&g, w, first);
		CHECK(next > first + 20);
		CHECK(!otlp_wal_sync(w));
		for (; first < next; first++)
			CHECK(!otlp_wal_ack(w, &g.put[first].pos));
	}
	otlp_wal_close(w);
	return 0;
}

/* A damaged log on a full disk: repairs take no room. */
static int full_disk_damaged(struct wal_fixture *f)
{
	struct wal_fixture g = {.body_size = kilobytes};
	struct wal_image image;
	struct otlp_wal *w;
	unsigned next;
	size_t found;
	int fd;

	snprintf(g.path, sizeof(g.path), "%.150s", path_in(f, "disk"));
	if (!mount_disk(g.path, "size=256k"))
		return 77;
	CHECK(!dir_open(g.path, &g.dir_fd));
	w = wal_fixture_open(&g);
	next = fill(&g, w, 0);
	otlp_wal_close(w);
	wal_image_take(&image, &g);
	CHECK(wal_image_segment(&image, 1));
	fd = openat(g.dir_fd, "log/0000000000000001.wal", O_WRONLY | O_CLOEXEC);
	for (unsigned id = 5; id < 50; id += 5)
		CHECK(pwrite(fd, "damaged", 7, (off_t)g.put[id].pos.offset + id % 2 * 100) == 7);
	close(fd);
	w = wal_fixture_open(&g);
	found = g.found_len;
	CHECK(found == next - 9 && g.damage.records == 9 && g.damage.unknown == 0);
	otlp_wal_close(w);
	w = wal_fixture_open(&g);
	CHECK(g.found_len == found && g.damage.records == 0 && g.damage.bytes == 0);
	otlp_wal_close(w);
	wal_image_reset(&image);
	return 0;
}

static void test_wal_lives_on_a_full_disk(void **state)
{
	struct wal_fixture *f = *state;

	in_child(f, full_disk);
	in_child(f, full_disk_one_segment);
	in_child(f, full_disk_damaged);
	rmdir(path_in(f, "disk"));
}

/* ---- names ---- */

static void check_name(enum otlp_signal signal, const char *url, const char *start)
{
	char name[96], again[96];
	size_t len = strlen(start);

	otlp_wal_dir_name(signal, url, name, sizeof(name));
	otlp_wal_dir_name(signal, url, again, sizeof(again));
	assert_string_equal(name, again);
	assert_memory_equal(name, start, len);
	assert_int_equal(strspn(name + len, "0123456789abcdef"), 8);
	assert_int_equal(strlen(name), len + 8);
}

static void test_name_says_where_to_and_is_safe(void **state)
{
	char long_url[400] = "http://", a[96], b[96];

	(void)state;
	check_name(OTLP_TRACES, "http://localhost:4318/v1/traces", "traces-localhost_4318-");
	check_name(OTLP_METRICS, "https://Otel.Example/x?key=1", "metrics-otel.example_443-");
	check_name(OTLP_LOGS, "http://[2001:db8::1]/v1/logs", "logs-2001_db8__1_80-");
	check_name(OTLP_LOGS, "../../etc/passwd", "logs-unknown_0-");
	memset(long_url + 7, 'a', 250);
	otlp_wal_dir_name(OTLP_METRICS, long_url, a, sizeof(a));
	assert_in_range(strlen(a), 80, 90);
	otlp_wal_dir_name(OTLP_TRACES, "http://h/1", a, sizeof(a));
	otlp_wal_dir_name(OTLP_TRACES, "http://h/2", b, sizeof(b));
	assert_string_not_equal(a, b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wal_fixture_setup, wal_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dir_is_created_private_and_marked),
		TEST(test_dir_may_be_empty),
		TEST(test_dir_that_is_not_ours_is_refused),
		TEST(test_dir_of_a_newer_version_is_refused),
		TEST(test_dir_that_cannot_be_one_is_refused),
		TEST(test_dir_is_for_one_process),
		TEST(test_dir_on_a_read_only_disk_is_refused),
		TEST(test_dir_of_another_user_is_refused),
		TEST(test_wal_lives_on_a_full_disk),
		cmocka_unit_test(test_name_says_where_to_and_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
