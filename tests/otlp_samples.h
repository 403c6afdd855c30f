/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * otlp_samples - random but repeatable spans, metrics and log records: every kind of field, present
 * and absent, small and large. All valid, all text UTF-8, ASCII and beyond.
 */
#ifndef OTLP_SAMPLES_H
#define OTLP_SAMPLES_H

#include "otlp/otlp.h"

struct otlp_samples;

/* The items live until they are destroyed. Aborts if there is no memory. */
struct otlp_samples *otlp_samples_create(uint64_t seed);
void otlp_samples_destroy(struct otlp_samples *s);

const struct otlp_source *otlp_samples_source(struct otlp_samples *s);
/* Some that cut, some that do not. */
const struct otlp_limits *otlp_samples_limits(struct otlp_samples *s);
/* A list of @len items of the signal's type. */
const void *otlp_samples_items(struct otlp_samples *s, enum otlp_signal signal, size_t len);

#endif /* OTLP_SAMPLES_H */
