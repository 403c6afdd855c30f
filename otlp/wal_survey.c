/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Repairs are made in place, with a few bytes over what is damaged anyway: that works on a full
 * disk, touches nothing intact, and if it is torn itself, the damage is as it was. They are not
 * needed for what follows (nothing is ever appended to an old segment), only so that a damage is
 * counted once; so one that fails is let be.
 */
#include "otlp/wal_survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otlp/wal_scan.h"

struct walk {
	struct wal_survey *s;
	struct wal_scan scan;
	struct wal_mark mark; /* what the next record must have */
	bool is_known;
	/* the segment before */
	const struct wal_segment *prev; /* NULL: none */
	uint64_t prev_end; /* where a HOLE has its place in it */
	uint64_t prev_garbage; /* bytes from there on */
};

/* ---- the list of segments ---- */

struct wal_segment *wal_segments_add(struct wal_segments *s, uint64_t number)
{
	struct wal_segment *g;

	if (s->len == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;

		g = reallocarray(s->list, cap, sizeof(*g));
		if (!g)
			return NULL;
		s->list = g;
		s->cap = cap;
	}
	g = &s->list[s->len++];
	*g = (struct wal_segment){.number = number, .fd = -1};
	return g;
}

void wal_segments_remove(struct wal_segments *s, size_t from, size_t count)
{
	for (size_t i = from; i < from + count; i++)
		if (s->list[i].fd >= 0)
			close(s->list[i].fd);
	s->len -= count;
	if (s->len > from)
		memmove(&s->list[from], &s->list[from + count], (s->len - from) * sizeof(*s->list));
}

void wal_segments_reset(struct wal_segments *s)
{
	wal_segments_remove(s, 0, s->len);
	free(s->list);
	*s = (struct wal_segments){0};
}

static int compare(const void *a, const void *b)
{
	const struct wal_segment *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int list_segments(struct wal_survey *s)
{
	int fd = openat(s->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t number;
	int err;

	if (!dir) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		if (!wal_segment_name_read(&number, entry->d_name))
			continue;
		if (!wal_segments_add(&s->segments, number)) {
			closedir(dir);
			return -ENOMEM;
		}
	}
	err = -errno;
	closedir(dir);
	if (s->segments.len)
		qsort(s->segments.list, s->segments.len, sizeof(*s->segments.list), compare);
	return err;
}

static int open_segment(const struct wal_survey *s, uint64_t number)
{
	char name[WAL_SEGMENT_NAME_CAP];
	int fd;

	wal_segment_name(name, number);
	fd = openat(s->folder_fd, name,
		    (s->mode == WAL_REPAIR ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void unlink_segment(const struct wal_survey *s, uint64_t number)
{
	char name[WAL_SEGMENT_NAME_CAP];

	wal_segment_name(name, number);
	unlinkat(s->folder_fd, name, 0);
}

/* ---- files ---- */

int wal_write_all(int fd, const void *data, size_t size, uint64_t at)
{
	const uint8_t *p = data;

	while (size) {
		ssize_t n = pwrite(fd, p, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		p += n;
		size -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

int wal_cursor_store(int cursor_fd, const struct wal_cursor *c)
{
	uint8_t buf[WAL_HEAD];

	wal_cursor_write(buf, c);
	return wal_write_all(cursor_fd, buf, sizeof(buf), (c->sequence & 1) * WAL_SLOT_STRIDE);
}

static int load_cursor(struct wal_survey *s)
{
	uint8_t buf[WAL_HEAD];
	struct wal_cursor c;
	int fd = openat(s->folder_fd, "cursor", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	for (unsigned i = 0; i < 2; i++) {
		if (pread(fd, buf, sizeof(buf), i * WAL_SLOT_STRIDE) == sizeof(buf) &&
		    wal_cursor_read(&c, buf) && c.sequence > s->cursor.sequence)
			s->cursor = c;
	}
	close(fd);
	return 0;
}

/* Reads the header of a segment, or finds its first record if it has none. */
static int probe(struct walk *w, struct wal_segment *g)
{
	struct wal_segment_head head;
	struct wal_find find;
	uint8_t buf[WAL_HEAD];
	struct stat st;
	int fd = open_segment(w->s, g->number), err = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EIO;
	}
	g->bytes = (uint64_t)st.st_size;
	err = -EBADMSG;
	if (pread(fd, buf, sizeof(buf), 0) == sizeof(buf))
		err = wal_segment_head_read(&head, buf);
	if (!err) {
		g->is_foreign = head.segment != g->number;
		g->has_head = g->has_tag = true;
		g->tag = head.tag;
		g->mark = head.mark;
		g->void_from = head.void_from;
	} else if (err != -ENOTSUP) {
		err = 0;
		w->scan = (struct wal_scan){
			.fd = fd, .size = g->bytes, .at = WAL_HEAD, .limit = UINT64_MAX};
		wal_scan_next_head(&w->scan, &find);
		if (find.what != WAL_END && find.what != WAL_GARBAGE) {
			g->has_tag = true;
			g->tag = find.head.tag;
			g->mark = find.head.mark;
		}
	}
	close(fd);
	return err;
}

/* ---- damage ---- */

/* Numbers rise from segment to segment; items should, but come from a disk. */
static uint64_t items_between(const struct wal_mark *from, const struct wal_mark *to)
{
	return to->items > from->items ? to->items - from->items : 0;
}

static void put_hole(struct walk *w, int fd, uint64_t at, uint64_t end, uint64_t tag,
		     const struct wal_mark *before, const struct wal_mark *after)
{
	struct wal_record_head hole = {.kind = WAL_HOLE,
				       .tag = tag,
				       .mark = *before,
				       .items = items_between(before, after),
				       .queued_unix_ns = after->number - before->number};
	uint8_t buf[WAL_HEAD];

	if (w->s->mode != WAL_REPAIR)
		return;
	hole.size = end > at + WAL_HEAD ? end - at - WAL_HEAD : 0;
	wal_record_head_write(buf, &hole);
	wal_write_all(fd, buf, sizeof(buf), at);
}

static void count_lost(struct walk *w, const struct wal_mark *from, const struct wal_mark *to,
		       uint64_t bytes)
{
	w->s->damage.records += to->number - from->number;
	w->s->damage.items += items_between(from, to);
	w->s->damage.bytes += bytes;
}

static void count_unknown(struct walk *w, uint64_t bytes)
{
	w->s->damage.records++;
	w->s->damage.unknown++;
	w->s->damage.bytes += bytes;
}

/* What is missing before the record of @f. */
static void take_hole(struct walk *w, const struct wal_find *f)
{
	uint64_t bytes = f->offset - f->from;

	if (bytes && !f->is_known)
		count_unknown(w, bytes);
	else
		count_lost(w, &f->before, &f->head.mark, bytes);
	if (bytes >= WAL_HEAD)
		put_hole(w, w->scan.fd, f->from, f->offset, w->scan.tag, &f->before, &f->head.mark);
}

/* A segment that has nothing to read in it, no header either. */
static void take_ruin(struct walk *w, const struct wal_segment *g, bool is_first, bool is_last)
{
	const struct wal_cursor *c = &w->s->cursor;
	uint64_t done = c->sequence && c->segment == g->number ? c->offset : WAL_HEAD;
	bool had_record = g->bytes > done;

	if (is_last && g->bytes)
		w->s->is_torn = true;
	if (is_last && w->s->mode != WAL_REPAIR)
		return;
	/* in the middle, the next segment says how many */
	if (had_record && (is_last || (is_first && !c->sequence)))
		count_unknown(w, g->bytes);
	else
		w->s->damage.bytes += g->bytes;
	if (w->s->mode == WAL_REPAIR)
		unlink_segment(w->s, g->number);
}

/* Records between the segment before and @g are missing. */
static void take_gap(struct walk *w, const struct wal_segment *g)
{
	struct wal_survey *s = w->s;
	int fd;

	if (!w->prev) {
		/* who acknowledges meanwhile removes segments after the cursor that was read */
		if (s->mode == WAL_LOOK_LIVE)
			return;
		s->cursor.segment = g->number;
		s->cursor.offset = WAL_HEAD;
		s->cursor.mark = g->mark;
		s->is_cursor_moved = true;
	}
	count_lost(w, &w->mark, &g->mark, w->prev_garbage);
	if (!w->prev || s->mode != WAL_REPAIR)
		return;
	fd = open_segment(s, w->prev->number);
	if (fd < 0)
		return;
	put_hole(w, fd, w->prev_end, w->prev->bytes, w->prev->tag, &w->mark, &g->mark);
	fdatasync(fd);
	close(fd);
}

static void rewrite_head(struct walk *w, const struct wal_segment *g)
{
	struct wal_segment_head head = {.version = WAL_VERSION,
					.signal = w->s->signal,
					.segment = g->number,
					.tag = g->tag,
					.mark = w->mark,
					.void_from = g->number};
	uint8_t buf[WAL_HEAD];

	w->s->damage.bytes += g->bytes < WAL_HEAD ? g->bytes : WAL_HEAD;
	if (w->s->mode != WAL_REPAIR)
		return;
	wal_segment_head_write(buf, &head);
	wal_write_all(w->scan.fd, buf, sizeof(buf), 0);
}

/* ---- the walk ---- */

static void cut(struct walk *w, struct wal_segment *g, uint64_t at)
{
	w->s->is_torn = true;
	if (w->s->mode == WAL_REPAIR && !ftruncate(w->scan.fd, (off_t)at))
		g->bytes = at;
	w->prev_end = at;
}

static void report(struct walk *w, const struct wal_segment *g, const struct wal_find *f)
{
	struct otlp_wal_record r = {.pos = {.segment = g->number, .offset = f->offset},
				    .size = (size_t)f->head.size,
				    .items = (size_t)f->head.items,
				    .queued_unix_ns = f->head.queued_unix_ns};

	w->s->requests++;
	if (w->s->found)
		w->s->found(w->s->ctx, &r);
}

static void take_tail(struct walk *w, struct wal_segment *g, const struct wal_find *f, bool is_last)
{
	if (!is_last) {
		w->prev_end = f->from;
		w->prev_garbage = g->bytes - f->from;
		return;
	}
	if (w->s->mode == WAL_REPAIR)
		count_unknown(w, g->bytes - f->from);
	cut(w, g, f->from);
}

/* A record of which only the header is good. */
static void take_body(struct walk *w, struct wal_segment *g, const struct wal_find *f, bool is_last)
{
	struct wal_mark after = wal_mark_after(&f->head);
	bool is_tail = f->what == WAL_TORN && is_last;

	if (!is_tail || w->s->mode == WAL_REPAIR)
		count_lost(w, &f->head.mark, &after, w->scan.at - f->offset);
	if (is_tail) {
		cut(w, g, f->offset);
		w->scan.mark = f->head.mark; /* the number is free again */
	} else {
		put_hole(w, w->scan.fd, f->offset, w->scan.at, g->tag, &f->head.mark, &after);
	}
}

/* Up to the end of the segment; w->scan is set up. */
static void walk_records(struct walk *w, struct wal_segment *g, bool is_last)
{
	struct wal_find f;

	do {
		wal_scan_next(&w->scan, &f);
		w->prev_end = w->scan.at;
		if (f.what == WAL_GARBAGE)
			take_tail(w, g, &f, is_last);
		if (f.what == WAL_GARBAGE || f.what == WAL_END)
			break;
		take_hole(w, &f);
		if (f.what == WAL_INTACT)
			report(w, g, &f);
		else if (f.what != WAL_OLD_HOLE)
			take_body(w, g, &f, is_last);
	} while (true);
}

static int walk_segment(struct walk *w, struct wal_segment *g, bool is_last)
{
	struct wal_survey *s = w->s;
	bool has_cursor = s->cursor.sequence && s->cursor.segment == g->number;
	uint64_t damaged = s->damage.bytes;
	int fd = open_segment(s, g->number);

	if (fd < 0)
		return fd;
	/* where the header is lost, its first record tells: what is missing before that counts
	 * here, since between header and record there may be no place for a HOLE */
	if (!has_cursor) {
		if (w->is_known && g->mark.number > w->mark.number)
			take_gap(w, g);
		w->mark = g->mark;
		w->is_known = true;
	}
	w->scan = (struct wal_scan){.fd = fd,
				    .size = g->bytes,
				    .at = has_cursor ? s->cursor.offset : WAL_HEAD,
				    .limit = g->limit,
				    .is_known = w->is_known,
				    .mark = w->mark,
				    .has_tag = true,
				    .tag = g->tag};
	w->prev_garbage = 0;
	if (!g->has_head)
		rewrite_head(w, g);
	walk_records(w, g, is_last);
	w->mark = w->scan.mark;
	w->is_known = w->scan.is_known;
	w->prev = g;
	if (s->mode == WAL_REPAIR && s->damage.bytes != damaged)
		fdatasync(fd);
	close(fd);
	return 0;
}

/* The highest number that must not be used again: a file may be gone while the cursor, which is not
 * synced with it, stands in the middle of it. */
static uint64_t last_segment(const struct wal_survey *s)
{
	const struct wal_segments *all = &s->segments;
	uint64_t last = all->len ? all->list[all->len - 1].number : 0, cursor = s->cursor.segment;

	if (s->cursor.sequence && s->cursor.offset == WAL_HEAD)
		cursor--;
	return cursor > last ? cursor : last;
}

/* Limits the segments that others say were partly given up, and removes those that were wholly. */
static void drop_void(struct wal_survey *s)
{
	struct wal_segments *all = &s->segments;

	for (size_t i = 0; i < all->len; i++) {
		const struct wal_segment *by = &all->list[i];

		all->list[i].limit = UINT64_MAX;
		for (size_t k = i; k-- > 0 && all->list[k].number >= by->void_from;)
			if (by->has_head && by->mark.number < all->list[k].limit)
				all->list[k].limit = by->mark.number;
	}
	for (size_t i = all->len; i-- > 0;) {
		if (all->list[i].mark.number < all->list[i].limit)
			continue;
		if (s->mode == WAL_REPAIR)
			unlink_segment(s, all->list[i].number);
		wal_segments_remove(all, i, 1);
	}
}

/* Leaves only segments that are at the cursor or behind it and have something in them. */
static int prepare(struct walk *w)
{
	struct wal_survey *s = w->s;
	struct wal_segments *all = &s->segments;
	size_t kept = 0;
	int err;

	for (size_t i = 0; i < all->len; i++) {
		err = probe(w, &all->list[i]);
		if (err == -ENOENT && s->mode == WAL_LOOK_LIVE) {
			wal_segments_remove(all, 0, i + 1); /* those before it are done, too */
			i = (size_t)-1;
		} else if (err) {
			return err;
		}
	}
	err = load_cursor(s);
	if (err)
		return err;
	s->last_segment = last_segment(s);
	for (size_t i = 0; i < all->len; i++) {
		struct wal_segment *g = &all->list[i];

		if (g->is_foreign) {
			continue;
		} else if (s->cursor.sequence && g->number < s->cursor.segment) {
			if (s->mode == WAL_REPAIR)
				unlink_segment(s, g->number);
		} else if (!g->has_tag) {
			take_ruin(w, g, kept == 0, i == all->len - 1);
		} else {
			all->list[kept++] = *g;
		}
	}
	wal_segments_remove(all, kept, all->len - kept);
	drop_void(s);
	return 0;
}

int wal_survey(struct wal_survey *s)
{
	struct walk w = {.s = s};
	size_t i = 0;
	int err = list_segments(s);

	if (!err)
		err = prepare(&w);
	if (err)
		return err;
	w.is_known = s->cursor.sequence;
	w.mark = s->cursor.mark;
	while (i < s->segments.len) {
		err = walk_segment(&w, &s->segments.list[i], i == s->segments.len - 1);
		if (err == -ENOENT && s->mode == WAL_LOOK_LIVE) {
			/* acknowledged meanwhile, and all before it */
			s->requests = 0;
			s->damage = (struct otlp_wal_damage){0};
			w.is_known = false;
			w.prev = NULL;
			if (s->found)
				s->found(s->ctx, NULL);
		} else if (err) {
			return err;
		}
		i++;
	}
	for (i = 0; i < s->segments.len; i++)
		s->bytes += s->segments.list[i].bytes;
	s->next = w.mark.number > s->cursor.mark.number ? w.mark : s->cursor.mark;
	return 0;
}
