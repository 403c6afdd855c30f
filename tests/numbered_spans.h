/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * numbered_spans - requests of spans named by their numbers, which check_numbers.py finds again.
 */
#ifndef TESTS_NUMBERED_SPANS_H
#define TESTS_NUMBERED_SPANS_H

#include "otlp/encode.h"

#define NUMBERED_SPANS 10 /* in a request */

/* The request of the spans from @first on, from malloc; its size in *ret_size. Never NULL. */
uint8_t *numbered_spans(const struct otlp_encoder *e, uint64_t first, size_t *ret_size);

/* The encoder that all who send such spans use. */
struct otlp_encoder *numbered_encoder(void);

#endif /* TESTS_NUMBERED_SPANS_H */
