/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * encode_item - what encode and encode_metric have in common: the fields of one item being
 * appended.
 *
 * Private to them. proto3: a scalar that is zero is left out, a set member of a oneof never.
 */
#ifndef OTLP_ENCODE_ITEM_H
#define OTLP_ENCODE_ITEM_H

#include "otlp/otlp.h"
#include "otlp/wire.h"

/* One item being appended. */
struct item {
	struct wire w;
	bool is_invalid; /* it breaks a MUST; the rest is still measured, and thrown away */
};

static inline bool item_is_zero(const uint8_t *id, size_t size)
{
	uint8_t bits = 0;

	while (size)
		bits |= id[--size];
	return bits == 0;
}

static inline void item_put_id(struct item *it, uint32_t tag, const uint8_t *id, size_t size)
{
	it->is_invalid |= item_is_zero(id, size);
	wire_bytes(&it->w, tag, id, size);
}

static inline void item_put_string(struct item *it, uint32_t tag, struct otlp_str s)
{
	if (s.len)
		wire_string(&it->w, tag, s);
}

static inline void item_put_name(struct item *it, uint32_t tag, struct otlp_str s)
{
	it->is_invalid |= s.len == 0;
	wire_string(&it->w, tag, s);
}

static inline void item_put_fixed64(struct item *it, uint32_t tag, uint64_t v)
{
	if (v)
		wire_fixed64(&it->w, tag, v);
}

static inline void item_put_fixed32(struct item *it, uint32_t tag, uint32_t v)
{
	if (v)
		wire_fixed32(&it->w, tag, v);
}

static inline void item_put_varint(struct item *it, uint32_t tag, uint64_t v)
{
	if (v)
		wire_varint(&it->w, tag, v);
}

static inline uint64_t item_double_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

/* Writes the first @max attributes, each as field @tag, their texts cut to @chars characters.
 * Returns how many it left out. */
uint32_t item_put_attrs(struct item *it, uint32_t tag, const struct otlp_attrs *attrs, uint32_t max,
			uint32_t chars);

/* encode_metric: one Metric with all its points. */
void item_put_metric(struct item *it, const struct otlp_metric *metric);

#endif /* OTLP_ENCODE_ITEM_H */
