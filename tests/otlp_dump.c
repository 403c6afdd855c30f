/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/otlp_dump.h"

#include <inttypes.h>
#include <pb_common.h>
#include <pb_decode.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logs_service.pb.h"
#include "metrics_service.pb.h"
#include "traces_service.pb.h"

/*
 * One nanopb callback serves every field that has one, of every message: the descriptors say what
 * is inside. A message is decoded into a struct big enough for any, and its fields, callbacks
 * called meanwhile and scalars afterwards, become text kept by field number.
 */
#define TAGS 17
#define MSG_SIZE 512

struct text {
	char *ptr;
	size_t len;
	size_t cap;
};

struct node {
	const pb_msgdesc_t *desc;
	void *msg;
	struct text field[TAGS];
	struct node *sub[TAGS]; /* messages that are part of this one's struct */
};

_Static_assert(sizeof(Span) <= MSG_SIZE && sizeof(ResourceSpans) <= MSG_SIZE &&
		       sizeof(LogRecord) <= MSG_SIZE &&
		       sizeof(ExponentialHistogramDataPoint) <= MSG_SIZE,
	       "room for any message");

/* Room for @n more bytes and a NUL. */
static char *text_reserve(struct text *t, size_t n)
{
	if (t->len + n + 1 > t->cap) {
		t->cap = 2 * (t->len + n + 1);
		t->ptr = realloc(t->ptr, t->cap);
		if (!t->ptr)
			abort();
	}
	return t->ptr + t->len;
}

static __attribute__((format(printf, 2, 3))) void text_add(struct text *t, const char *format, ...)
{
	char piece[64];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	strcpy(text_reserve(t, (size_t)n), piece);
	t->len += (size_t)n;
}

static bool decode_field(pb_istream_t *in, const pb_field_t *field, void **arg);

static struct node *node_create(const pb_msgdesc_t *desc, void *msg)
{
	struct node *node = calloc(1, sizeof(*node));
	pb_field_iter_t it;
	bool more;

	if (!node)
		abort();
	node->desc = desc;
	node->msg = msg;
	for (more = pb_field_iter_begin(&it, desc, msg); more; more = pb_field_iter_next(&it)) {
		if (PB_ATYPE(it.type) == PB_ATYPE_CALLBACK)
			*(pb_callback_t *)it.pData =
				(pb_callback_t){.funcs.decode = decode_field, .arg = node};
		else if (PB_LTYPE_IS_SUBMSG(it.type))
			node->sub[it.tag] = node_create(it.submsg_desc, it.pData);
	}
	return node;
}

static void node_destroy(struct node *node)
{
	size_t tag;

	for (tag = 0; node && tag < TAGS; tag++) {
		free(node->field[tag].ptr);
		node_destroy(node->sub[tag]);
	}
	free(node);
}

static bool is_present(const pb_field_iter_t *it)
{
	const uint8_t *byte = it->pData;
	size_t i;

	if (PB_HTYPE(it->type) == PB_HTYPE_ONEOF)
		return *(pb_size_t *)it->pSize == it->tag;
	if (it->pSize)
		return *(bool *)it->pSize;
	for (i = 0; i < it->data_size; i++)
		if (byte[i])
			return true;
	return false;
}

static void text_add_scalar(struct text *t, const pb_field_iter_t *it)
{
	int64_t v = 0;

	if (it->data_size == 8)
		v = *(int64_t *)it->pData;
	else if (it->data_size == 4)
		v = *(int32_t *)it->pData;
	else
		v = *(bool *)it->pData;
	if (PB_LTYPE(it->type) == PB_LTYPE_FIXED32)
		text_add(t, "%u:%" PRIx32 " ", it->tag, (uint32_t)v);
	else if (PB_LTYPE(it->type) == PB_LTYPE_FIXED64)
		text_add(t, "%u:%" PRIx64 " ", it->tag, (uint64_t)v);
	else
		text_add(t, "%u:%" PRId64 " ", it->tag, v);
}

static void node_print(struct node *node, struct text *out)
{
	pb_field_iter_t it;
	bool more;

	for (more = pb_field_iter_begin(&it, node->desc, node->msg); more;
	     more = pb_field_iter_next(&it)) {
		if (PB_ATYPE(it.type) == PB_ATYPE_CALLBACK || !is_present(&it))
			continue;
		if (node->sub[it.tag]) {
			text_add(&node->field[it.tag], "%u{", it.tag);
			node_print(node->sub[it.tag], &node->field[it.tag]);
			text_add(&node->field[it.tag], "}");
		} else {
			text_add_scalar(&node->field[it.tag], &it);
		}
	}
	for (size_t tag = 0; tag < TAGS; tag++)
		if (node->field[tag].ptr) {
			strcpy(text_reserve(out, node->field[tag].len), node->field[tag].ptr);
			out->len += node->field[tag].len;
		}
}

static bool decode_message(pb_istream_t *in, const pb_msgdesc_t *desc, struct text *out)
{
	_Alignas(16) uint8_t msg[MSG_SIZE] = {0};
	struct node *node = node_create(desc, msg);
	bool ok = pb_decode(in, desc, msg);

	if (ok)
		node_print(node, out);
	node_destroy(node);
	return ok;
}

static bool decode_string(pb_istream_t *in, const pb_field_t *field, struct text *out)
{
	size_t n = in->bytes_left;

	text_add(out, "%u'", field->tag);
	if (!pb_read(in, (pb_byte_t *)text_reserve(out, n), n))
		return false;
	out->len += n;
	text_add(out, "'");
	return true;
}

static bool decode_bytes(pb_istream_t *in, const pb_field_t *field, struct text *out)
{
	uint8_t byte;

	text_add(out, "%u=", field->tag);
	while (in->bytes_left) {
		if (!pb_read(in, &byte, 1))
			return false;
		text_add(out, "%02x", byte);
	}
	text_add(out, " ");
	return true;
}

static bool decode_field(pb_istream_t *in, const pb_field_t *field, void **arg)
{
	struct node *node = *arg;
	struct text *out = &node->field[field->tag];
	uint64_t v;
	bool ok;

	if (PB_LTYPE(field->type) == PB_LTYPE_UVARINT) {
		if (!pb_decode_varint(in, &v))
			return false;
		text_add(out, "%u:%" PRIu64 " ", field->tag, v);
		return true;
	}
	if (PB_LTYPE(field->type) == PB_LTYPE_STRING)
		return decode_string(in, field, out);
	if (!PB_LTYPE_IS_SUBMSG(field->type))
		return decode_bytes(in, field, out);
	text_add(out, "%u{", field->tag);
	ok = decode_message(in, field->submsg_desc, out);
	text_add(out, "}");
	return ok;
}

char *otlp_dump(enum otlp_signal signal, const uint8_t *data, size_t size)
{
	static const pb_msgdesc_t *const requests[OTLP_SIGNAL_MAX] = {
		[OTLP_TRACES] = ExportTraceServiceRequest_fields,
		[OTLP_METRICS] = ExportMetricsServiceRequest_fields,
		[OTLP_LOGS] = ExportLogsServiceRequest_fields,
	};
	pb_istream_t in = pb_istream_from_buffer(data, size);
	struct text out = {0};

	if (decode_message(&in, requests[signal], &out))
		return out.ptr;
	free(out.ptr);
	return NULL;
}
