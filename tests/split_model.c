/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/split_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void bytes_add(struct bytes *b, const void *data, size_t size)
{
	if (b->len + size > b->cap) {
		b->cap = 2 * (b->len + size);
		b->p = realloc(b->p, b->cap);
		assert_non_null(b->p);
	}
	if (size)
		memcpy(b->p + b->len, data, size);
	b->len += size;
}

void bytes_add_varint(struct bytes *b, uint64_t v)
{
	uint8_t byte;

	do {
		byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		bytes_add(b, &byte, 1);
		v >>= 7;
	} while (v);
}

void bytes_add_message(struct bytes *b, uint32_t tag, const struct bytes *body)
{
	bytes_add_varint(b, tag << 3 | 2);
	bytes_add_varint(b, body->len);
	bytes_add(b, body->p, body->len);
}

const char *const flat_paths[OTLP_SIGNAL_MAX][6] = {
	[OTLP_TRACES] = {"A", "B", "B"},
	[OTLP_METRICS] = {"A", "B", "B", "EGIJK", "A"},
	[OTLP_LOGS] = {"A", "B", "B"},
};

static bool flat_varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	size_t n = 0;

	for (*ret = 0; *p < end && n < 10; n++, ++*p) {
		if (n == 9 && **p > 1)
			return false;
		*ret += (uint64_t)(**p % 128) << (7 * n);
		if (**p < 128) {
			++*p;
			return true;
		}
	}
	return false;
}

/* Steps over one field; *body and *size what is in it, if it has a length. */
static bool flat_field(const uint8_t **p, const uint8_t *end, uint32_t *tag, uint32_t *type,
		       const uint8_t **body, size_t *size)
{
	uint64_t key, v;

	if (!flat_varint(p, end, &key) || key >= UINT64_C(1) << 32 || key < 8)
		return false;
	*tag = (uint32_t)(key / 8);
	*type = key % 8;
	if (*type == 0)
		return flat_varint(p, end, &v);
	if (*type == 2 && !flat_varint(p, end, &v))
		return false;
	if (*type == 3 || *type == 4)
		return true;
	if (*type > 5)
		return false;
	v = *type == 1 ? 8 : *type == 5 ? 4 : v;
	if (v > (uint64_t)(end - *p))
		return false;
	*body = *p;
	*size = v;
	*p += v;
	return true;
}

/* The same, a group with all that is in it being one field. */
static bool flat_next(const uint8_t **p, const uint8_t *end, uint32_t *tag, uint32_t *type,
		      const uint8_t **body, size_t *size)
{
	uint32_t open[100], inner_tag, inner_type;
	size_t depth = 0;

	if (!flat_field(p, end, tag, type, body, size) || *type == 4)
		return false;
	if (*type == 3)
		open[depth++] = *tag;
	while (depth) {
		if (!flat_field(p, end, &inner_tag, &inner_type, body, size))
			return false;
		if (inner_type == 3 && depth == sizeof(open) / sizeof(open[0]))
			return false;
		if (inner_type == 3)
			open[depth++] = inner_tag;
		else if (inner_type == 4 && open[--depth] != inner_tag)
			return false;
	}
	return true;
}

static void flat_item(struct flat *f, const uint8_t *data, size_t size)
{
	f->items++;
	if (f->around_size + size > f->limit) {
		f->too_large++;
		return;
	}
	bytes_add(&f->out, f->around.p, f->around.len);
	bytes_add(&f->out, "item", 4);
	bytes_add(&f->out, data, size);
}

static bool flat_message(struct flat *f, size_t depth, uint32_t tag, const uint8_t *data, size_t n)
{
	const uint8_t *p = data, *end = data + n, *from, *body = NULL;
	size_t around_len = f->around.len, around_size = f->around_size, size = 0;
	uint32_t inner, type;
	int pass;

	bytes_add(&f->around, &tag, sizeof(tag));
	f->around_size += depth ? 5 : 0;
	for (pass = 0; pass < 2; pass++) {
		for (p = from = data; p < end; from = p) {
			bool is_way;

			if (!flat_next(&p, end, &inner, &type, &body, &size))
				return false;
			is_way = type == 2 && inner < 27 &&
				 strchr(flat_paths[f->signal][depth], 'A' - 1 + (char)inner);
			if (pass == 0 && !is_way) {
				bytes_add(&f->around, from, (size_t)(p - from));
				f->around_size += (size_t)(p - from);
			} else if (pass == 1 && is_way && !flat_paths[f->signal][depth + 1]) {
				flat_item(f, from, (size_t)(p - from));
			} else if (pass == 1 && is_way &&
				   !flat_message(f, depth + 1, inner, body, size)) {
				return false;
			}
		}
	}
	f->around.len = around_len;
	f->around_size = around_size;
	return true;
}

bool flat_add(struct flat *f, const uint8_t *data, size_t size)
{
	return flat_message(f, 0, 0, data, size);
}

void flat_free(struct flat *f)
{
	free(f->around.p);
	free(f->out.p);
}
