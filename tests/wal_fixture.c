/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/wal_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST_NS 1000

static size_t small_body(unsigned id)
{
	return 5 + id * 7 % 23;
}

int wal_fixture_setup(void **state)
{
	struct wal_fixture *f = calloc(1, sizeof(*f));
	const char *base = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	snprintf(f->path, sizeof(f->path), "%s/test_wal.XXXXXX", base);
	if (!mkdtemp(f->path))
		return -1;
	f->dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->body_size = small_body;
	*state = f;
	return f->dir_fd < 0;
}

static void empty_folder(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			unlinkat(fd, e->d_name, 0);
	closedir(dir);
}

int wal_fixture_teardown(void **state)
{
	struct wal_fixture *f = *state;

	empty_folder(f->dir_fd, "log");
	unlinkat(f->dir_fd, "log", AT_REMOVEDIR);
	empty_folder(f->dir_fd, ".");
	close(f->dir_fd);
	rmdir(f->path);
	free(f);
	return 0;
}

static void take_record(void *ctx, const struct otlp_wal_record *r)
{
	struct wal_fixture *f = ctx;

	assert_in_range(f->found_len, 0, WAL_TEST_MAX - 1);
	f->found[f->found_len++] = *r;
}

struct otlp_wal *wal_fixture_open(struct wal_fixture *f)
{
	struct otlp_wal_opts opts = {.dir_fd = f->dir_fd,
				     .name = "log",
				     .signal = OTLP_TRACES,
				     .url = WAL_TEST_URL,
				     .segment_bytes = f->segment_bytes,
				     .found = take_record,
				     .ctx = f};
	const char *why = "";
	struct otlp_wal *w;
	int err;

	f->found_len = 0;
	err = otlp_wal_open(&w, &opts, &f->damage, &why);
	if (err)
		fail_msg("open: %d, %s", err, why);
	return w;
}

size_t wal_fixture_items(unsigned id)
{
	return 1 + id * 3;
}

unsigned wal_fixture_id(const struct otlp_wal_record *r)
{
	return (unsigned)(r->queued_unix_ns - FIRST_NS);
}

/* Bytes of which many look like the beginning of a record, and none repeats soon. */
static uint8_t body_byte(unsigned id, size_t at)
{
	return at % 5 ? (uint8_t)(id * 31 + at * 7) : 0xf5;
}

int wal_fixture_append(struct wal_fixture *f, struct otlp_wal *w, unsigned id)
{
	struct otlp_wal_record r = {.size = f->body_size(id),
				    .items = wal_fixture_items(id),
				    .queued_unix_ns = FIRST_NS + id};
	uint8_t *body = malloc(r.size);
	int err;

	for (size_t i = 0; i < r.size; i++)
		body[i] = body_byte(id, i);
	err = otlp_wal_append(w, body, r.size, r.items, r.queued_unix_ns, &r.pos);
	free(body);
	if (!err)
		f->put[id] = r;
	return err;
}

void wal_fixture_put(struct wal_fixture *f, struct otlp_wal *w, unsigned from, unsigned to)
{
	for (unsigned id = from; id < to; id++)
		assert_int_equal(wal_fixture_append(f, w, id), 0);
}

void wal_fixture_check_record(struct otlp_wal *w, const struct otlp_wal_record *r)
{
	unsigned id = wal_fixture_id(r);
	uint8_t *body = NULL;

	assert_int_equal(otlp_wal_read(w, r, &body), 0);
	assert_int_equal(r->items, wal_fixture_items(id));
	for (size_t i = 0; i < r->size; i++)
		if (body[i] != body_byte(id, i))
			fail_msg("record %u: byte %zu is wrong", id, i);
	free(body);
}

void wal_fixture_check_ids(struct wal_fixture *f, struct otlp_wal *w, const unsigned *ids,
			   size_t len)
{
	for (size_t i = 0; i < f->found_len && i < len; i++) {
		if (wal_fixture_id(&f->found[i]) != ids[i])
			fail_msg("found record %u, not %u, at %zu", wal_fixture_id(&f->found[i]),
				 ids[i], i);
		assert_int_equal(f->found[i].size, f->body_size(ids[i]));
		wal_fixture_check_record(w, &f->found[i]);
	}
	assert_int_equal(f->found_len, len);
}

void wal_fixture_check_found(struct wal_fixture *f, struct otlp_wal *w, unsigned from, unsigned to)
{
	unsigned ids[WAL_TEST_MAX];

	for (unsigned id = from; id < to; id++)
		ids[id - from] = id;
	wal_fixture_check_ids(f, w, ids, to - from);
}

void wal_fixture_check_damage(const struct wal_fixture *f, uint64_t records, uint64_t items,
			      uint64_t unknown)
{
	const struct otlp_wal_damage *d = &f->damage;

	if (d->records != records || d->items != items || d->unknown != unknown)
		fail_msg("damage: %" PRIu64 " records, %" PRIu64 " items, %" PRIu64
			 " unknown, instead of %" PRIu64 ", %" PRIu64 ", %" PRIu64,
			 d->records, d->items, d->unknown, records, items, unknown);
}

void wal_fixture_check_no_damage(const struct wal_fixture *f)
{
	wal_fixture_check_damage(f, 0, 0, 0);
	assert_int_equal(f->damage.bytes, 0);
}

/* ---- the folder as bytes ---- */

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct wal_file *)a)->name, ((const struct wal_file *)b)->name);
}

void wal_image_take(struct wal_image *ret, const struct wal_fixture *f)
{
	int fd = openat(f->dir_fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC), file;
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	struct stat st;

	ret->len = 0;
	while ((e = readdir(dir))) {
		struct wal_file *to = &ret->files[ret->len];

		if (e->d_name[0] == '.')
			continue;
		assert_in_range(ret->len++, 0, 63);
		snprintf(to->name, sizeof(to->name), "%.31s", e->d_name);
		file = openat(fd, e->d_name, O_RDONLY | O_CLOEXEC);
		assert_int_equal(fstat(file, &st), 0);
		to->size = (size_t)st.st_size;
		to->data = malloc(to->size + 1);
		assert_int_equal(read(file, to->data, to->size), to->size);
		close(file);
	}
	closedir(dir);
	qsort(ret->files, ret->len, sizeof(ret->files[0]), compare);
}

void wal_image_put(const struct wal_image *image, const struct wal_fixture *f)
{
	int fd, file;

	empty_folder(f->dir_fd, "log");
	mkdirat(f->dir_fd, "log", 0700);
	fd = openat(f->dir_fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < image->len; i++) {
		const struct wal_file *from = &image->files[i];

		file = openat(fd, from->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_int_equal(write(file, from->data, from->size), from->size);
		close(file);
	}
	close(fd);
}

void wal_image_copy(struct wal_image *ret, const struct wal_image *image)
{
	*ret = *image;
	for (size_t i = 0; i < ret->len; i++) {
		ret->files[i].data = malloc(ret->files[i].size + 1);
		memcpy(ret->files[i].data, image->files[i].data, ret->files[i].size);
	}
}

void wal_image_reset(struct wal_image *image)
{
	for (size_t i = 0; i < image->len; i++)
		free(image->files[i].data);
	image->len = 0;
}

struct wal_file *wal_image_file(struct wal_image *image, const char *name)
{
	for (size_t i = 0; i < image->len; i++)
		if (!strcmp(image->files[i].name, name))
			return &image->files[i];
	return NULL;
}

struct wal_file *wal_image_segment(struct wal_image *image, uint64_t segment)
{
	char name[32];

	snprintf(name, sizeof(name), "%016" PRIx64 ".wal", segment);
	return wal_image_file(image, name);
}
