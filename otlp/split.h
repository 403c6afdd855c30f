/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * split - an encoded request that is too large → several.
 *
 * OTLP 1.x, section "OTLP/HTTP Request": a client should cap a request before it is compressed.
 * Works on the wire format alone, on what any encoder made: several resources and scopes, fields in
 * any order, fields that this version of OTLP does not know. Items are spans, metric data points
 * and log records: they stay byte for byte as they are and in their order. Everything around them,
 * such as resource, scope, name and temporality of a metric, is in each piece that has an item of
 * it. Only the frame is looked at, not into the items. Pure, any thread.
 */
#ifndef OTLP_SPLIT_H
#define OTLP_SPLIT_H

#include "otlp/otlp.h"

/* Takes a piece of @size bytes and @items items, at least one; @data comes from malloc and belongs
 * to the function, whatever it returns. Not 0 ends the splitting. */
typedef int (*otlp_split_fn)(void *ctx, uint8_t *data, size_t size, size_t items);

/* Calls @emit for pieces of at most @limit bytes, in order. A request that is not too large is one
 * piece, as it is; one without items is none. *ret_too_large: items that exceed the limit alone,
 * together with what has to stand around them, and were left out. 0; -EBADMSG: not a request,
 * nothing was emitted; -ENOMEM; or what @emit returned: these two may come after some pieces. */
int otlp_split(enum otlp_signal signal, const uint8_t *data, size_t size, size_t limit,
	       otlp_split_fn emit, void *ctx, size_t *ret_too_large);

/* How many items a request has: 0, or -EBADMSG. */
int otlp_split_count(enum otlp_signal signal, const uint8_t *data, size_t size, size_t *ret_items);

#endif /* OTLP_SPLIT_H */
