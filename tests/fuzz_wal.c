/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A log's folder: what the first byte says, 128 bytes of cursor (two slots), the rest is a segment,
 * or is halved into two. Since no fuzzer guesses a CRC, those of headers and bodies are put right
 * first if the first byte asks for that.
 */
#include "tests/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otlp/crc32c.h"
#include "otlp/wal_dir.h"

enum flags { SEAL_HEADS = 1, SEAL_BODIES = 2, TWO_SEGMENTS = 4, NO_CURSOR = 8 };

#define HEAD 64
#define SLOTS 128
#define FOUND_MAX 4096

static int root_fd = -1;
static char root[64];

static void remove_root(void)
{
	static const char *const files[] = {"log/about", "log/cursor", "log", "FORMAT"};

	for (unsigned i = 0; i < 4; i++)
		unlinkat(root_fd, files[i], i == 2 ? AT_REMOVEDIR : 0);
	rmdir(root);
}

static void make_root(void)
{
	const char *why;

	snprintf(root, sizeof(root), "%s/fuzz_wal.XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	FUZZ_CHECK(mkdtemp(root));
	FUZZ_CHECK(!otlp_wal_dir_open(&root_fd, root, &why));
	FUZZ_CHECK(!mkdirat(root_fd, "log", 0700));
	atexit(remove_root);
}

/* Numbers that rise stay below 2^56, which no log reaches, so that they can go on rising. */
static void seal(uint8_t *head, size_t first_number, size_t last_number)
{
	uint32_t crc;

	for (size_t at = first_number; at <= last_number; at += 8)
		head[at + 7] = 0;
	crc = crc32c(0, head, HEAD - 4);
	memcpy(head + HEAD - 4, &crc, sizeof(crc));
}

static void seal_segment(uint8_t *p, size_t size, unsigned flags)
{
	if (size >= HEAD)
		seal(p, 32, 40);
	for (size_t at = HEAD; at + HEAD <= size; at++) {
		uint64_t body;
		uint32_t crc;

		if (memcmp(p + at, "\xf5Rec", 4))
			continue;
		memcpy(&body, p + at + 16, sizeof(body));
		if (flags & SEAL_BODIES && body <= size - at - HEAD) {
			crc = crc32c(0, p + at + HEAD, (size_t)body);
			memcpy(p + at + 56, &crc, sizeof(crc));
		}
		seal(p + at, 24, 48);
	}
}

static void put_file(const char *name, const uint8_t *data, size_t size, off_t at)
{
	int fd = openat(root_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	FUZZ_CHECK(fd >= 0 && pwrite(fd, data, size, at) == (ssize_t)size);
	close(fd);
}

static void put_folder(uint8_t *p, size_t size, unsigned flags)
{
	size_t half = flags & TWO_SEGMENTS ? (size - SLOTS) / 2 : size - SLOTS;
	uint8_t *first = p + SLOTS, *second = first + half;

	if (flags & SEAL_HEADS) {
		seal(p, 8, 40);
		seal(p + HEAD, 8, 40);
		seal_segment(first, half, flags);
		seal_segment(second, size - SLOTS - half, flags);
	}
	if (!(flags & NO_CURSOR)) {
		put_file("log/cursor", p, HEAD, 0);
		put_file("log/cursor", p + HEAD, HEAD, 512);
	}
	put_file("log/0000000000000001.wal", first, half, 0);
	if (flags & TWO_SEGMENTS)
		put_file("log/0000000000000002.wal", second, size - SLOTS - half, 0);
}

static void empty_folder(void)
{
	int fd = openat(root_fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	FUZZ_CHECK(dir);
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' && strcmp(e->d_name, "about"))
			unlinkat(fd, e->d_name, 0);
	closedir(dir);
}

struct found {
	struct otlp_wal_record list[FOUND_MAX];
	size_t len;
};

static void take_record(void *ctx, const struct otlp_wal_record *r)
{
	struct found *f = ctx;
	const struct otlp_wal_pos *last = f->len ? &f->list[f->len - 1].pos : NULL;

	FUZZ_CHECK(f->len < FOUND_MAX);
	FUZZ_CHECK(!last || r->pos.segment > last->segment ||
		   (r->pos.segment == last->segment && r->pos.offset > last->offset));
	f->list[f->len++] = *r;
}

static struct otlp_wal *open_log(struct found *f)
{
	struct otlp_wal_opts opts = {.dir_fd = root_fd,
				     .name = "log",
				     .url = "http://localhost:4318/v1/traces",
				     .segment_bytes = 300,
				     .found = take_record,
				     .ctx = f};
	struct otlp_wal_damage damage;
	struct otlp_wal *w = NULL;
	const char *why = NULL;
	int err;

	f->len = 0;
	err = otlp_wal_open(&w, &opts, &damage, &why);
	FUZZ_CHECK(!err || (err == -ENOTSUP && why));
	return w;
}

static void read_all(struct otlp_wal *w, const struct found *f)
{
	uint8_t *body;

	for (size_t i = 0; i < f->len; i++) {
		FUZZ_CHECK(!otlp_wal_read(w, &f->list[i], &body));
		free(body);
	}
}

static void take_listing(void *ctx, const struct otlp_wal_listing *l)
{
	*(uint64_t *)ctx = l->requests;
}

/* What is found stays found, and the log takes and keeps new records. */
static void use(struct found *first, struct found *second)
{
	struct otlp_wal *w = open_log(first);
	struct otlp_wal_pos pos;
	uint64_t listed = 0;
	const char *why;
	bool in_use;

	if (!w)
		return;
	read_all(w, first);
	otlp_wal_close(w);
	FUZZ_CHECK(!otlp_wal_dir_list(root, take_listing, &listed, &in_use, &why));
	FUZZ_CHECK(listed == first->len && in_use);
	w = open_log(second);
	FUZZ_CHECK(second->len == first->len);
	FUZZ_CHECK(!first->len ||
		   !memcmp(first->list, second->list, first->len * sizeof(first->list[0])));
	FUZZ_CHECK(!otlp_wal_append(w, (const uint8_t *)"new", 3, 1, 1, &pos));
	FUZZ_CHECK(!otlp_wal_sync(w));
	otlp_wal_close(w);
	w = open_log(second);
	FUZZ_CHECK(second->len == first->len + 1);
	read_all(w, second);
	for (size_t i = 0; i < second->len; i++)
		FUZZ_CHECK(!otlp_wal_ack(w, &second->list[i].pos));
	otlp_wal_close(w);
	w = open_log(second);
	FUZZ_CHECK(second->len == 0);
	otlp_wal_close(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct found first, second;
	uint64_t listed;
	const char *why;
	uint8_t *copy;
	bool in_use;

	if (size < 1 + SLOTS)
		return 0;
	if (root_fd < 0)
		make_root();
	copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	put_folder(copy, size - 1, data[0]);
	free(copy);
	otlp_wal_dir_list(root, take_listing, &listed, &in_use, &why);
	use(&first, &second);
	empty_folder();
	return 0;
}
