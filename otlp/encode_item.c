/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/encode_item.h"

#include "common.pb.h"

/*
 * One attribute as field @tag; the sizes are named by what they are the size of:
 *
 *     tag pair  0A key key...  12 any  0A text text...
 */
struct attr_sizes {
	size_t key;
	size_t text; /* OTLP_STRING only */
	size_t any;
	size_t pair;
	size_t all;
};

static inline struct attr_sizes attr_sizes(uint32_t tag, const struct otlp_attr *a, size_t key,
					   size_t text)
{
	struct attr_sizes n = {.key = key, .text = text};

	switch (a->type) {
	case OTLP_STRING:
		n.any = 1 + wire_length_size(text) + text;
		break;
	case OTLP_BOOL:
		n.any = 1 + 1;
		break;
	case OTLP_INT:
		n.any = 1 + wire_varint_size((uint64_t)a->value.integer);
		break;
	case OTLP_DOUBLE:
		n.any = 1 + 8;
		break;
	}
	n.pair = 1 + wire_length_size(key) + key + 1 + wire_length_size(n.any) + n.any;
	n.all = wire_varint_size(wire_key(tag, WIRE_BYTES)) + wire_length_size(n.pair) + n.pair;
	return n;
}

/* Copies text; what it returns is tested with WIRE_HIGH_BITS. */
typedef uint64_t (*copy_fn)(uint8_t *p, struct otlp_str s);

static inline __attribute__((always_inline)) uint64_t put_attr_at(uint8_t *p, uint32_t tag,
								  const struct otlp_attr *a,
								  const struct attr_sizes *n,
								  copy_fn copy)
{
	uint64_t bits;

	p = wire_put_varint(p, wire_key(tag, WIRE_BYTES));
	p = wire_put_varint(p, n->pair);
	*p++ = wire_key(KeyValue_key_tag, WIRE_BYTES);
	p = wire_put_varint(p, n->key);
	bits = copy(p, a->key);
	p += n->key;
	*p++ = wire_key(KeyValue_value_tag, WIRE_BYTES);
	p = wire_put_varint(p, n->any);
	switch (a->type) {
	case OTLP_STRING:
		*p++ = wire_key(AnyValue_string_value_tag, WIRE_BYTES);
		p = wire_put_varint(p, n->text);
		bits |= copy(p, a->value.string);
		break;
	case OTLP_BOOL:
		*p++ = wire_key(AnyValue_bool_value_tag, WIRE_VARINT);
		*p = a->value.boolean;
		break;
	case OTLP_INT:
		*p++ = wire_key(AnyValue_int_value_tag, WIRE_VARINT);
		wire_put_varint(p, (uint64_t)a->value.integer);
		break;
	case OTLP_DOUBLE:
		*p++ = wire_key(AnyValue_double_value_tag, WIRE_FIXED64);
		wire_put_fixed64(p, item_double_bits(a->value.number));
		break;
	}
	return bits;
}

static __attribute__((noinline, cold)) void
put_attr_repaired(struct wire *w, uint32_t tag, const struct otlp_attr *a, struct otlp_str text)
{
	struct attr_sizes n =
		attr_sizes(tag, a, wire_repaired_size(a->key), wire_repaired_size(text));
	uint8_t *p = wire_reserve(w, n.all);

	if (p)
		put_attr_at(p, tag, a, &n, wire_repair_text);
}

static inline __attribute__((always_inline)) void put_attr(struct item *it, uint32_t tag,
							   const struct otlp_attr *a)
{
	struct otlp_str text = a->type == OTLP_STRING ? a->value.string : OTLP_STR("");
	struct attr_sizes n = attr_sizes(tag, a, a->key.len, text.len);
	uint8_t *p = wire_reserve(&it->w, n.all);

	it->is_invalid |= a->key.len == 0;
	if (p && !(put_attr_at(p, tag, a, &n, wire_copy_text) & WIRE_HIGH_BITS))
		return;
	if (wire_is_utf8(a->key) && wire_is_utf8(text))
		return;
	wire_unreserve(&it->w, p, n.all);
	put_attr_repaired(&it->w, tag, a, text);
}

/* A text has at least as many bytes as characters. */
static __attribute__((noinline)) void put_short_attrs(struct item *it, uint32_t tag,
						      const struct otlp_attr *list, size_t len,
						      uint32_t chars)
{
	struct otlp_attr a;
	size_t i;

	for (i = 0; i < len; i++) {
		a = list[i];
		if (a.type == OTLP_STRING && a.value.string.len > chars)
			a.value.string = wire_cut_text(a.value.string, chars);
		put_attr(it, tag, &a);
	}
}

uint32_t item_put_attrs(struct item *it, uint32_t tag, const struct otlp_attrs *attrs, uint32_t max,
			uint32_t chars)
{
	size_t len = attrs->len < max ? attrs->len : max;
	const struct otlp_attr *a;

	if (__builtin_expect(chars != OTLP_NO_LIMIT, 0))
		put_short_attrs(it, tag, attrs->list, len, chars);
	else
		for (a = attrs->list; a < attrs->list + len; a++)
			put_attr(it, tag, a);
	return (uint32_t)(attrs->len - len);
}
