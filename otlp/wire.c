/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/wire.h"

/*
 * A message's length stands before its bytes, but is known only after them. Two bytes are reserved
 * for it, filled as a varint with padding (0x85 0x00 is 5), which every decoder must accept. A
 * message of 16 KiB or more, which is rare, is moved by two bytes for a length of four:
 *
 *     key  L L  body ...            key  L L L L  body ...
 */
#define SHORT_MAX (((size_t)1 << 14) - 1)

/* U+FFFD */
static const char replacement[3] = {'\xef', '\xbf', '\xbd'};

void wire_varint(struct wire *w, uint32_t tag, uint64_t v)
{
	uint32_t key = wire_key(tag, WIRE_VARINT);
	uint8_t *p = wire_reserve(w, wire_varint_size(key) + wire_varint_size(v));

	if (p)
		wire_put_varint(wire_put_varint(p, key), v);
}

void wire_fixed64(struct wire *w, uint32_t tag, uint64_t v)
{
	uint32_t key = wire_key(tag, WIRE_FIXED64);
	uint8_t *p = wire_reserve(w, wire_varint_size(key) + sizeof(v));

	if (p)
		wire_put_fixed64(wire_put_varint(p, key), v);
}

void wire_fixed32(struct wire *w, uint32_t tag, uint32_t v)
{
	uint32_t key = wire_key(tag, WIRE_FIXED32);
	uint8_t *p = wire_reserve(w, wire_varint_size(key) + sizeof(v));
	uint32_t le = htole32(v);

	if (p)
		memcpy(wire_put_varint(p, key), &le, sizeof(le));
}

void wire_bytes(struct wire *w, uint32_t tag, const void *data, size_t n)
{
	uint32_t key = wire_key(tag, WIRE_BYTES);
	uint8_t *p = wire_reserve(w, wire_varint_size(key) + wire_varint_size(n) + n);

	if (p && n)
		memcpy(wire_put_varint(wire_put_varint(p, key), n), data, n);
	else if (p)
		wire_put_varint(wire_put_varint(p, key), n);
}

/* The bytes of the first character of @s, n > 0 of them; or of its longest beginning that could
 * still become one, at least one, and *bad. The second byte decides what is overlong (E0, F0), a
 * surrogate (ED) or above U+10FFFF (F4). */
static size_t utf8_step(const uint8_t *s, size_t n, bool *bad)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t want, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4) {
		*bad = true;
		return 1;
	}
	want = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf4)
		high = 0x8f;
	for (i = 1; i < want; i++) {
		if (i == n || s[i] < low || s[i] > high) {
			*bad = true;
			return i;
		}
		low = 0x80;
		high = 0xbf;
	}
	return want;
}

bool wire_is_utf8(struct otlp_str s)
{
	const uint8_t *text = (const uint8_t *)s.ptr;
	bool bad = false;
	size_t i;

	for (i = 0; i < s.len && !bad;)
		i += utf8_step(text + i, s.len - i, &bad);
	return !bad;
}

/* Repairs @s into @p, or with NULL only measures; returns the size. */
static size_t utf8_repair(uint8_t *p, struct otlp_str s)
{
	const uint8_t *text = (const uint8_t *)s.ptr;
	size_t size = 0, from_len, i, n;
	const void *from;

	for (i = 0; i < s.len; i += n) {
		bool bad = false;

		n = utf8_step(text + i, s.len - i, &bad);
		from = bad ? (const void *)replacement : text + i;
		from_len = bad ? sizeof(replacement) : n;
		if (p)
			memcpy(p + size, from, from_len);
		size += from_len;
	}
	return size;
}

size_t wire_repaired_size(struct otlp_str s)
{
	return utf8_repair(NULL, s);
}

uint64_t wire_repair_text(uint8_t *p, struct otlp_str s)
{
	utf8_repair(p, s);
	return 0;
}

struct otlp_str wire_cut_text(struct otlp_str s, size_t chars)
{
	const uint8_t *text = (const uint8_t *)s.ptr;
	bool bad = false;
	size_t i;

	for (i = 0; i < s.len && chars; chars--)
		i += utf8_step(text + i, s.len - i, &bad);
	return (struct otlp_str){s.ptr, i};
}

void wire_string(struct wire *w, uint32_t tag, struct otlp_str s)
{
	uint32_t key = wire_key(tag, WIRE_BYTES);
	size_t n = wire_varint_size(key) + wire_varint_size(s.len) + s.len;
	uint8_t *p = wire_reserve(w, n);

	if (p) {
		uint8_t *text = wire_put_varint(wire_put_varint(p, key), s.len);

		if (!(wire_copy_text(text, s) & WIRE_HIGH_BITS))
			return;
	}
	if (wire_is_utf8(s))
		return;
	wire_unreserve(w, p, n);
	n = wire_repaired_size(s);
	p = wire_reserve(w, wire_varint_size(key) + wire_varint_size(n) + n);
	if (p)
		wire_repair_text(wire_put_varint(wire_put_varint(p, key), n), s);
}

size_t wire_open(struct wire *w, uint32_t tag)
{
	uint32_t key = wire_key(tag, WIRE_BYTES);
	uint8_t *p = wire_reserve(w, wire_varint_size(key) + 2);

	if (p)
		wire_put_varint(p, key);
	return wire_size(w);
}

void wire_close(struct wire *w, size_t opened)
{
	size_t len = wire_size(w) - opened;
	bool is_long = len > SHORT_MAX;
	uint8_t *body;

	if (is_long)
		wire_reserve(w, 2);
	if (w->missing)
		return;
	body = w->start + opened;
	if (is_long) {
		memmove(body + 2, body, len);
		wire_patch4(body + 2, len);
	} else {
		body[-2] = (uint8_t)(len | 0x80);
		body[-1] = (uint8_t)(len >> 7);
	}
}

size_t wire_open4(struct wire *w, uint32_t tag)
{
	uint32_t key = wire_key(tag, WIRE_BYTES);
	uint8_t *p = wire_reserve(w, wire_varint_size(key) + 4);

	if (p)
		wire_patch4(wire_put_varint(p, key) + 4, 0);
	return wire_size(w);
}

void wire_patch4(uint8_t *body, size_t len)
{
	body[-4] = (uint8_t)(len | 0x80);
	body[-3] = (uint8_t)(len >> 7 | 0x80);
	body[-2] = (uint8_t)(len >> 14 | 0x80);
	body[-1] = (uint8_t)(len >> 21);
}
