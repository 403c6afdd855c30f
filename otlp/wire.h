/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wire - the protobuf wire format, written once from front to back into a bounded buffer.
 *
 * What finds no room is counted instead of written, so that at the end a writer tells what the
 * whole would have taken; no caller has to look in between. A field is written also if its value is
 * zero: to leave it out is the caller's to say. Pure; one thread per writer.
 */
#ifndef OTLP_WIRE_H
#define OTLP_WIRE_H

#include <endian.h>
#include <string.h>

#include "otlp/otlp.h"

#define WIRE_MSG_MAX (((size_t)1 << 28) - 1) /* bytes: what a length of four bytes can say */
#define WIRE_HIGH_BITS 0x8080808080808080ULL /* of these, one is set in text that is not ASCII */

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5
};

struct wire {
	uint8_t *start;
	uint8_t *p;
	uint8_t *end;
	size_t missing; /* bytes for which there was no room; unless 0, what was written has gaps */
};

/* Bytes so far, those included that found no room. */
static inline size_t wire_size(const struct wire *w)
{
	return (size_t)(w->p - w->start) + w->missing;
}

/* Room for @n bytes that the caller fills; NULL: none, they are counted as missing. */
static inline uint8_t *wire_reserve(struct wire *w, size_t n)
{
	uint8_t *p = w->p;

	if (__builtin_expect((size_t)(w->end - p) < n, 0)) {
		w->missing += n;
		return NULL;
	}
	w->p = p + n;
	return p;
}

/* Takes back the last wire_reserve(), which returned @p for @n bytes. */
static inline void wire_unreserve(struct wire *w, uint8_t *p, size_t n)
{
	if (p)
		w->p = p;
	else
		w->missing -= n;
}

static inline size_t wire_varint_size(uint64_t v)
{
	return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

/* The same of a length, which is mostly below 128: a branch that is foreseen delays nothing. */
static inline size_t wire_length_size(size_t n)
{
	if (__builtin_expect(n < 0x80, 1))
		return 1;
	return wire_varint_size(n);
}

static inline uint64_t wire_zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline uint8_t *wire_put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* A field's number and type, as one varint. */
static inline uint32_t wire_key(uint32_t tag, enum wire_type type)
{
	return tag << 3 | type;
}

static inline uint8_t *wire_put_fixed64(uint8_t *p, uint64_t v)
{
	uint64_t le = htole64(v);

	memcpy(p, &le, sizeof(le));
	return p + sizeof(le);
}

/* Copies @s and returns all its bytes or-ed together, to be tested with WIRE_HIGH_BITS. Most text
 * here is shorter than a call is worth, of memcpy() or of this; the last step may overlap the one
 * before. */
static inline __attribute__((always_inline)) uint64_t wire_copy_text(uint8_t *p, struct otlp_str s)
{
	typedef uint64_t pair __attribute__((vector_size(16)));
	const char *text = s.ptr;
	size_t i, n = s.len;
	uint64_t a, b;
	uint32_t c, d;

	if (n >= 16) {
		pair v, bits;

		memcpy(&bits, text + n - 16, 16);
		memcpy(p + n - 16, &bits, 16);
		for (i = 0; i < n - 16; i += 16) {
			memcpy(&v, text + i, 16);
			memcpy(p + i, &v, 16);
			bits |= v;
		}
		return bits[0] | bits[1];
	}
	if (n >= 8) {
		memcpy(&a, text, 8);
		memcpy(&b, text + n - 8, 8);
		memcpy(p, &a, 8);
		memcpy(p + n - 8, &b, 8);
		return a | b;
	}
	if (n >= 4) {
		memcpy(&c, text, 4);
		memcpy(&d, text + n - 4, 4);
		memcpy(p, &c, 4);
		memcpy(p + n - 4, &d, 4);
		return c | d;
	}
	for (i = 0, a = 0; i < n; i++) {
		p[i] = (uint8_t)text[i];
		a |= p[i];
	}
	return a;
}

void wire_varint(struct wire *w, uint32_t tag, uint64_t v);
void wire_fixed64(struct wire *w, uint32_t tag, uint64_t v);
void wire_fixed32(struct wire *w, uint32_t tag, uint32_t v);
void wire_bytes(struct wire *w, uint32_t tag, const void *data, size_t n);
void wire_string(struct wire *w, uint32_t tag, struct otlp_str s); /* repaired if need be */

/* UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. Repaired, what is not
 * becomes U+FFFD, one for each maximal beginning of a character (Unicode, section 3.9). */
bool wire_is_utf8(struct otlp_str s);
size_t wire_repaired_size(struct otlp_str s);
uint64_t wire_repair_text(uint8_t *p, struct otlp_str s); /* in the place of wire_copy_text() */
/* The beginning of @s that has at most @chars characters, repaired ones included. */
struct otlp_str wire_cut_text(struct otlp_str s, size_t chars);

/* A message of still unknown size: everything written between open and close. open returns what
 * close needs. */
size_t wire_open(struct wire *w, uint32_t tag);
void wire_close(struct wire *w, size_t opened);
/* A message that is closed by wire_patch4(): @body is what wire_open4() returned, @len its bytes,
 * at most WIRE_MSG_MAX. It may grow, be copied elsewhere, and be patched again. */
size_t wire_open4(struct wire *w, uint32_t tag);
void wire_patch4(uint8_t *body, size_t len);

#endif /* OTLP_WIRE_H */
