/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench_spans - spans as flows have them: 14 attributes, each with other addresses and numbers.
 */
#ifndef BENCH_BENCH_SPANS_H
#define BENCH_BENCH_SPANS_H

#include "otlp/encode.h"

#define BENCH_SPANS 512
#define BENCH_SPAN_ATTRS 14

extern const struct otlp_source bench_source;

/* BENCH_SPANS of them, made at the first call. */
const struct otlp_span *bench_spans(void);

/* Encodes @len spans, which are those again and again, into @data: the size of the request. Ends
 * the process if they do not fit. */
size_t bench_encode(const struct otlp_encoder *e, size_t len, uint8_t *data, size_t cap);

#endif /* BENCH_BENCH_SPANS_H */
