/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * body - the immutable bytes of one encoded request, shared by all that send or keep it.
 *
 * Any thread; each owner holds one reference.
 */
#ifndef OTLP_BODY_H
#define OTLP_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "otlp/spares.h"

struct otlp_body {
	const uint8_t *data;
	size_t size; /* bytes */
};

/* Takes @data, which is from malloc and goes to @spares (NULL: is freed) at the end; NULL: no
 * memory, and @data is still the caller's. */
struct otlp_body *otlp_body_create(uint8_t *data, size_t size, struct otlp_spares *spares);
struct otlp_body *otlp_body_ref(struct otlp_body *b);
void otlp_body_unref(struct otlp_body *b); /* NULL is allowed; the last one ends it */

#endif /* OTLP_BODY_H */
