/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/split.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/wire.h"

/*
 * A request is a tree of messages; items are the leaves, all at one depth:
 *
 *     request ─1─ ResourceSpans   ─2─ ScopeSpans   ─2─ Span
 *     request ─1─ ResourceLogs    ─2─ ScopeLogs    ─2─ LogRecord
 *     request ─1─ ResourceMetrics ─2─ ScopeMetrics ─2─ Metric ─5,7,9,10,11─ Gauge, Sum ... ─1─
 * point
 *
 * All other fields of a message on the way are its head. The tree is walked once from front to
 * back. An item is put into the piece after the heads that it needs and that are not there yet, so
 * that no message is opened for nothing; if it finds no room, the piece is done, and the next one
 * begins with all heads on the way to the item.
 */
#define DEPTH_MAX 5
#define GROUP_DEPTH_MAX 100 /* as other decoders have it */
#define BIT(tag) (1U << (tag))

/* Groups are in no message of OTLP, but may be in a field that is unknown. */
enum {
	WIRE_GROUP_START = 3,
	WIRE_GROUP_END = 4
};

/* For each depth the fields that lead to items; 0: here are the items. */
static const uint32_t ways[OTLP_SIGNAL_MAX][DEPTH_MAX + 1] = {
	[OTLP_TRACES] = {BIT(1), BIT(2), BIT(2)},
	[OTLP_METRICS] = {BIT(1), BIT(2), BIT(2), BIT(5) | BIT(7) | BIT(9) | BIT(10) | BIT(11),
			  BIT(1)},
	[OTLP_LOGS] = {BIT(1), BIT(2), BIT(2)},
};

/* A field: @start to @end with its key, and what is in it if it is WIRE_BYTES. */
struct field {
	const uint8_t *start;
	const uint8_t *end;
	uint32_t tag;
	uint32_t type;
	const uint8_t *body;
	size_t body_size;
};

/* A message on the way to the current item. */
struct level {
	uint32_t tag;
	const uint8_t *head;
	size_t head_size;
	bool is_open; /* it is in the piece, its length not yet known */
	size_t body; /* where it begins there */
};

struct split {
	const uint32_t *way;
	otlp_split_fn emit;
	void *ctx;
	size_t too_large;
	struct level levels[DEPTH_MAX]; /* of the request itself, and on */
	uint8_t *heads; /* of all levels, one behind the other */
	size_t heads_len;
	uint8_t *piece;
	size_t cap; /* the limit */
	size_t len;
	size_t items;
};

static const uint8_t *read_varint(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
	unsigned shift;

	for (*ret = 0, shift = 0; p < end && shift < 64; shift += 7, p++) {
		*ret |= (uint64_t)(*p & 0x7f) << shift;
		if (!(*p & 0x80))
			return shift == 63 && *p > 1 ? NULL : p + 1;
	}
	return NULL;
}

static const uint8_t *read_key(const uint8_t *p, const uint8_t *end, struct field *f)
{
	uint64_t key;

	f->start = p;
	p = read_varint(p, end, &key);
	if (!p || key > UINT32_MAX || key >> 3 == 0)
		return NULL;
	f->tag = (uint32_t)key >> 3;
	f->type = key & 7;
	return p;
}

static const uint8_t *skip(const uint8_t *p, const uint8_t *end, uint64_t n)
{
	return n <= (size_t)(end - p) ? p + n : NULL;
}

static const uint8_t *read_field(const uint8_t *p, const uint8_t *end, struct field *f,
				 unsigned depth);

static const uint8_t *read_group(const uint8_t *p, const uint8_t *end, uint32_t tag, unsigned depth)
{
	struct field f;
	const uint8_t *q;

	while (p && depth < GROUP_DEPTH_MAX) {
		q = read_key(p, end, &f);
		if (q && f.type == WIRE_GROUP_END)
			return f.tag == tag ? q : NULL;
		p = read_field(p, end, &f, depth + 1);
	}
	return NULL;
}

/* Returns what follows the field, NULL if it is none. */
static const uint8_t *read_field(const uint8_t *p, const uint8_t *end, struct field *f,
				 unsigned depth)
{
	uint64_t v;

	p = read_key(p, end, f);
	if (!p)
		return NULL;
	switch (f->type) {
	case WIRE_VARINT:
		p = read_varint(p, end, &v);
		break;
	case WIRE_FIXED64:
		p = skip(p, end, 8);
		break;
	case WIRE_FIXED32:
		p = skip(p, end, 4);
		break;
	case WIRE_BYTES:
		f->body = read_varint(p, end, &v);
		p = f->body ? skip(f->body, end, v) : NULL;
		f->body_size = v;
		break;
	case WIRE_GROUP_START:
		p = read_group(p, end, f->tag, depth);
		break;
	default:
		return NULL;
	}
	f->end = p;
	return p;
}

static bool leads_on(const struct field *f, uint32_t way)
{
	return f->type == WIRE_BYTES && f->tag < 32 && (way & BIT(f->tag));
}

/* Adds to *items; -EBADMSG. */
static int count_items(const uint32_t *way, const uint8_t *data, size_t size, size_t *items)
{
	const uint8_t *p = data, *end = data + size;
	struct field f;
	int err = 0;

	while (!err && p < end) {
		p = read_field(p, end, &f, 0);
		if (!p)
			return -EBADMSG;
		if (!leads_on(&f, way[0]))
			continue;
		if (way[1])
			err = count_items(way + 1, f.body, f.body_size, items);
		else
			++*items;
	}
	return err;
}

int otlp_split_count(enum otlp_signal signal, const uint8_t *data, size_t size, size_t *ret_items)
{
	size_t items = 0;
	int err = count_items(ways[signal], data, size, &items);

	if (!err)
		*ret_items = items;
	return err;
}

/* Where a message is opened: its key, of one byte, the length, of four, and its head. */
static size_t opening_size(const struct split *s, size_t depth)
{
	return (depth ? 5 : 0) + s->levels[depth].head_size;
}

static void open_level(struct split *s, size_t depth)
{
	struct level *l = &s->levels[depth];

	if (depth) {
		s->piece[s->len] = (uint8_t)wire_key(l->tag, WIRE_BYTES);
		s->len += 5;
	}
	l->is_open = true;
	l->body = s->len;
	memcpy(s->piece + s->len, l->head, l->head_size);
	s->len += l->head_size;
}

static void close_level(struct split *s, size_t depth)
{
	struct level *l = &s->levels[depth];

	if (l->is_open && depth)
		wire_patch4(s->piece + l->body, s->len - l->body);
	l->is_open = false;
}

/* Hands the piece over, if there is something in it. */
static int finish_piece(struct split *s)
{
	size_t size = s->len, items = s->items, depth;
	uint8_t *piece = s->piece, *shrunk;

	for (depth = 0; depth < DEPTH_MAX; depth++)
		close_level(s, depth);
	s->len = 0;
	s->items = 0;
	if (items == 0)
		return 0;
	s->piece = NULL;
	shrunk = realloc(piece, size);
	return s->emit(s->ctx, shrunk ? shrunk : piece, size, items);
}

/* Bytes of the message at @depth; @size may be 0: then only the heads. */
static int put(struct split *s, size_t depth, const uint8_t *data, size_t size, size_t items)
{
	size_t alone = size, needed = size, i;
	int err;

	for (i = 0; i <= depth; i++) {
		alone += opening_size(s, i);
		needed += s->levels[i].is_open ? 0 : opening_size(s, i);
	}
	if (alone > s->cap) {
		s->too_large += items;
		return 0;
	}
	if (needed > s->cap - s->len) {
		err = finish_piece(s);
		if (err)
			return err;
	}
	if (!s->piece)
		s->piece = malloc(s->cap);
	if (!s->piece)
		return -ENOMEM;
	for (i = 0; i <= depth; i++)
		if (!s->levels[i].is_open)
			open_level(s, i);
	if (size)
		memcpy(s->piece + s->len, data, size);
	s->len += size;
	s->items += items;
	return 0;
}

/* The head of the message, and then no longer any of the one before it at this depth. */
static int enter(struct split *s, size_t depth, uint32_t tag, const uint8_t *data, size_t size)
{
	const uint8_t *p = data, *end = data + size;
	struct level *l = &s->levels[depth];
	struct field f;

	*l = (struct level){.tag = tag, .head = s->heads + s->heads_len};
	while (p < end) {
		p = read_field(p, end, &f, 0);
		if (!p)
			return -EBADMSG;
		if (leads_on(&f, s->way[depth]))
			continue;
		memcpy(s->heads + s->heads_len, f.start, (size_t)(f.end - f.start));
		s->heads_len += (size_t)(f.end - f.start);
	}
	l->head_size = (size_t)(s->heads + s->heads_len - l->head);
	return 0;
}

static int walk(struct split *s, size_t depth, uint32_t tag, const uint8_t *data, size_t size)
{
	int err = enter(s, depth, tag, data, size);
	const uint8_t *p = data, *end = data + size;
	bool is_leaf = true;
	struct field f;

	while (!err && p < end) {
		p = read_field(p, end, &f, 0);
		if (!p)
			return -EBADMSG;
		if (!leads_on(&f, s->way[depth]))
			continue;
		is_leaf = false;
		if (s->way[depth + 1])
			err = walk(s, depth + 1, f.tag, f.body, f.body_size);
		else
			err = put(s, depth, f.start, (size_t)(f.end - f.start), 1);
	}
	/* it has none of our items, but perhaps something of which we do not know */
	if (!err && is_leaf)
		err = put(s, depth, NULL, 0, 0);
	if (err)
		return err;
	close_level(s, depth);
	s->heads_len -= s->levels[depth].head_size;
	return 0;
}

static int emit_copy(const uint8_t *data, size_t size, size_t items, otlp_split_fn emit, void *ctx)
{
	uint8_t *copy = malloc(size);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, size);
	return emit(ctx, copy, size, items);
}

int otlp_split(enum otlp_signal signal, const uint8_t *data, size_t size, size_t limit,
	       otlp_split_fn emit, void *ctx, size_t *ret_too_large)
{
	struct split s = {.way = ways[signal],
			  .emit = emit,
			  .ctx = ctx,
			  .cap = limit < WIRE_MSG_MAX ? limit : WIRE_MSG_MAX};
	size_t items;
	int err = otlp_split_count(signal, data, size, &items);

	*ret_too_large = 0;
	if (err)
		return err;
	if (items == 0)
		return 0;
	if (size <= limit)
		return emit_copy(data, size, items, emit, ctx);
	s.heads = malloc(size);
	if (!s.heads)
		return -ENOMEM;
	err = walk(&s, 0, 0, data, size);
	if (!err)
		err = finish_piece(&s);
	*ret_too_large = s.too_large;
	free(s.piece);
	free(s.heads);
	return err;
}
