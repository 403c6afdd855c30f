/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Behind a damaged header the next intact one is searched byte by byte: its magic number, its CRC,
 * the segment's tag and a number that is not behind say together that it is one. A length is only
 * believed in an intact header, so that a damaged one cannot hide the records behind it.
 */
#include "otlp/wal_scan.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "otlp/crc32c.h"

/* What a disk does not give back counts as zeros: the records in it are damaged, no others. */
#define UNREADABLE_STEP 4096

static void fill(struct wal_scan *s, uint64_t at)
{
	size_t want = s->size - at < WAL_WINDOW ? (size_t)(s->size - at) : WAL_WINDOW;
	ssize_t n;

	do
		n = pread(s->fd, s->window, want, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		want = want < UNREADABLE_STEP ? want : UNREADABLE_STEP;
		n = pread(s->fd, s->window, want, (off_t)at);
		if (n < 0) {
			memset(s->window, 0, want);
			n = (ssize_t)want;
		}
	}
	if (n == 0)
		s->size = at; /* shorter than it was: somebody cut it */
	s->window_at = at;
	s->window_len = (size_t)n;
}

/* What is at @at: at least @min bytes, fewer only at the end of the file. */
static const uint8_t *look(struct wal_scan *s, uint64_t at, size_t min, size_t *ret_len)
{
	uint64_t end = s->window_at + s->window_len;

	*ret_len = 0;
	if (at >= s->size)
		return NULL;
	if (at < s->window_at || at >= end || (end - at < min && end < s->size)) {
		fill(s, at);
		end = s->window_at + s->window_len;
	}
	*ret_len = (size_t)(end - at);
	return s->window + (at - s->window_at);
}

/* A header at @at that belongs to this segment and is not behind. */
static bool read_head(struct wal_scan *s, uint64_t at, struct wal_record_head *ret)
{
	size_t len;
	const uint8_t *p = look(s, at, WAL_HEAD, &len);

	if (len < WAL_HEAD || !wal_record_head_read(ret, p))
		return false;
	if (s->has_tag && ret->tag != s->tag)
		return false;
	return !s->is_known ||
	       (ret->mark.number >= s->mark.number && ret->mark.items >= s->mark.items);
}

/* The first header at @at or behind; the size of the file if there is none. */
static uint64_t search(struct wal_scan *s, uint64_t at, struct wal_record_head *ret)
{
	while (at < s->size) {
		size_t len;
		const uint8_t *p = look(s, at, 1, &len), *hit;

		if (!len)
			break;
		hit = memchr(p, WAL_RECORD_FIRST_BYTE, len);
		if (!hit) {
			at += len;
			continue;
		}
		at += (uint64_t)(hit - p);
		if (read_head(s, at, ret))
			return at;
		at++;
	}
	return s->size;
}

uint32_t wal_scan_crc(struct wal_scan *s, uint64_t at, uint64_t size)
{
	uint32_t crc = 0;

	while (size) {
		size_t len;
		const uint8_t *p = look(s, at, 1, &len);

		if (!len)
			break;
		if (len > size)
			len = (size_t)size;
		crc = crc32c(crc, p, len);
		at += len;
		size -= len;
	}
	return crc;
}

static void next(struct wal_scan *s, struct wal_find *ret, bool has_body_check)
{
	struct wal_record_head *h = &ret->head;
	uint64_t room;

	memset(ret, 0, sizeof(*ret));
	do {
		ret->from = s->at;
		ret->offset = search(s, s->at, h);
		if (ret->offset >= s->size) {
			s->at = s->size;
			ret->what = ret->from < s->size ? WAL_GARBAGE : WAL_END;
			return;
		}
		if (h->mark.number >= s->limit) {
			ret->what = WAL_END;
			return;
		}
		s->has_tag = true;
		s->tag = h->tag;
		ret->is_known = s->is_known;
		ret->before = s->is_known ? s->mark : h->mark;
		s->mark = wal_mark_after(h);
		s->is_known = true;
		room = s->size - ret->offset - WAL_HEAD;
		s->at = ret->offset + WAL_HEAD + (h->size < room ? h->size : room);
	} while (h->kind == WAL_HOLE && ret->from == ret->offset &&
		 h->mark.number == ret->before.number);
	if (h->kind == WAL_HOLE)
		ret->what = WAL_OLD_HOLE;
	else if (h->size > room)
		ret->what = WAL_TORN;
	else if (has_body_check && wal_scan_crc(s, ret->offset + WAL_HEAD, h->size) != h->body_crc)
		ret->what = WAL_BAD_BODY;
	else
		ret->what = WAL_INTACT;
}

void wal_scan_next(struct wal_scan *s, struct wal_find *ret)
{
	next(s, ret, true);
}

void wal_scan_next_head(struct wal_scan *s, struct wal_find *ret)
{
	next(s, ret, false);
}
