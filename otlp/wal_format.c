/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/wal_format.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/crc32c.h"

#define CRC_AT (WAL_HEAD - 4)

static const uint8_t segment_magic[8] = {'R', 'S', 'P', 'N', 'W', 'A', 'L', '\n'};
static const uint8_t cursor_magic[8] = {'R', 'S', 'P', 'N', 'C', 'U', 'R', '\n'};
static const uint8_t record_magic[4] = {WAL_RECORD_FIRST_BYTE, 'R', 'e', 'c'};

static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static void seal(uint8_t buf[WAL_HEAD])
{
	put32(buf + CRC_AT, crc32c(0, buf, CRC_AT));
}

static bool is_sealed(const uint8_t buf[WAL_HEAD])
{
	return get32(buf + CRC_AT) == crc32c(0, buf, CRC_AT);
}

static struct wal_mark get_mark(const uint8_t *p)
{
	return (struct wal_mark){.number = get64(p), .items = get64(p + 8)};
}

static void put_mark(uint8_t *p, const struct wal_mark *m)
{
	put64(p, m->number);
	put64(p + 8, m->items);
}

static bool mark_is_sane(const struct wal_mark *m)
{
	return m->number <= WAL_NUMBER_MAX && m->items <= WAL_NUMBER_MAX;
}

void wal_segment_head_write(uint8_t buf[WAL_HEAD], const struct wal_segment_head *h)
{
	memset(buf, 0, WAL_HEAD);
	memcpy(buf, segment_magic, sizeof(segment_magic));
	put32(buf + 8, h->version);
	put32(buf + 12, h->signal);
	put64(buf + 16, h->segment);
	put64(buf + 24, h->tag);
	put_mark(buf + 32, &h->mark);
	put64(buf + 48, h->void_from);
	seal(buf);
}

int wal_segment_head_read(struct wal_segment_head *ret, const uint8_t buf[WAL_HEAD])
{
	uint32_t signal = get32(buf + 12);

	if (memcmp(buf, segment_magic, sizeof(segment_magic)) || !is_sealed(buf))
		return -EBADMSG;
	ret->version = get32(buf + 8);
	if (ret->version != WAL_VERSION)
		return -ENOTSUP;
	ret->segment = get64(buf + 16);
	ret->tag = get64(buf + 24);
	ret->mark = get_mark(buf + 32);
	ret->void_from = get64(buf + 48);
	if (signal >= OTLP_SIGNAL_MAX || !mark_is_sane(&ret->mark))
		return -EBADMSG;
	ret->signal = (enum otlp_signal)signal;
	return 0;
}

void wal_record_head_write(uint8_t buf[WAL_HEAD], const struct wal_record_head *h)
{
	memcpy(buf, record_magic, sizeof(record_magic));
	put32(buf + 4, h->kind);
	put64(buf + 8, h->tag);
	put64(buf + 16, h->size);
	put_mark(buf + 24, &h->mark);
	put64(buf + 40, h->items);
	put64(buf + 48, h->queued_unix_ns);
	put32(buf + 56, h->body_crc);
	seal(buf);
}

bool wal_record_head_read(struct wal_record_head *ret, const uint8_t buf[WAL_HEAD])
{
	uint32_t kind = get32(buf + 4);

	if (memcmp(buf, record_magic, sizeof(record_magic)) ||
	    (kind != WAL_RECORD && kind != WAL_HOLE) || !is_sealed(buf))
		return false;
	ret->kind = (enum wal_kind)kind;
	ret->tag = get64(buf + 8);
	ret->size = get64(buf + 16);
	ret->mark = get_mark(buf + 24);
	ret->items = get64(buf + 40);
	ret->queued_unix_ns = get64(buf + 48);
	ret->body_crc = get32(buf + 56);
	if (!mark_is_sane(&ret->mark) || ret->items > WAL_NUMBER_MAX)
		return false;
	if (kind == WAL_HOLE)
		return ret->size <= WAL_NUMBER_MAX && ret->queued_unix_ns <= WAL_NUMBER_MAX;
	return ret->size > 0 && ret->size <= WAL_BODY_MAX;
}

struct wal_mark wal_mark_after(const struct wal_record_head *h)
{
	uint64_t numbers = h->kind == WAL_HOLE ? h->queued_unix_ns : 1;

	return (struct wal_mark){.number = h->mark.number + numbers,
				 .items = h->mark.items + h->items};
}

void wal_cursor_write(uint8_t buf[WAL_HEAD], const struct wal_cursor *c)
{
	memset(buf, 0, WAL_HEAD);
	memcpy(buf, cursor_magic, sizeof(cursor_magic));
	put64(buf + 8, c->sequence);
	put64(buf + 16, c->segment);
	put64(buf + 24, c->offset);
	put_mark(buf + 32, &c->mark);
	seal(buf);
}

bool wal_cursor_read(struct wal_cursor *ret, const uint8_t buf[WAL_HEAD])
{
	if (memcmp(buf, cursor_magic, sizeof(cursor_magic)) || !is_sealed(buf))
		return false;
	ret->sequence = get64(buf + 8);
	ret->segment = get64(buf + 16);
	ret->offset = get64(buf + 24);
	ret->mark = get_mark(buf + 32);
	return ret->sequence > 0 && ret->sequence <= WAL_NUMBER_MAX &&
	       ret->segment <= WAL_NUMBER_MAX && ret->offset >= WAL_HEAD &&
	       ret->offset <= WAL_NUMBER_MAX && mark_is_sane(&ret->mark);
}

void wal_segment_name(char buf[WAL_SEGMENT_NAME_CAP], uint64_t segment)
{
	snprintf(buf, WAL_SEGMENT_NAME_CAP, "%016" PRIx64 ".wal", segment);
}

bool wal_segment_name_read(uint64_t *ret, const char *name)
{
	char again[WAL_SEGMENT_NAME_CAP];

	*ret = strtoull(name, NULL, 16);
	wal_segment_name(again, *ret);
	return !strcmp(name, again) && *ret > 0 && *ret <= WAL_NUMBER_MAX;
}
