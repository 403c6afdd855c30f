/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * otlp_reference - whole requests by nanopb's own encoder, a callback at each level.
 *
 * The slow, obvious way, which shares no line with otlp/encode: what that one is compared with.
 * Items must be valid and their text UTF-8: nothing is checked or repaired here.
 */
#ifndef OTLP_REFERENCE_H
#define OTLP_REFERENCE_H

#include "otlp/otlp.h"

/* Writes the request of @len spans, metrics or logs, @items being a list of that type, cut to the
 * limits (NULL: none). Returns its size in bytes, 0 if it does not fit @cap. */
size_t otlp_reference_encode(const struct otlp_source *source, const struct otlp_limits *limits,
			     enum otlp_signal signal, const void *items, size_t len, uint8_t *data,
			     size_t cap);

#endif /* OTLP_REFERENCE_H */
