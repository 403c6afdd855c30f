/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/body.h"

#include <stdatomic.h>
#include <stdlib.h>

struct counted {
	struct otlp_body body; /* first: what the others see */
	struct otlp_spares *spares;
	atomic_uint refs;
};

struct otlp_body *otlp_body_create(uint8_t *data, size_t size, struct otlp_spares *spares)
{
	struct counted *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	c->body = (struct otlp_body){data, size};
	c->spares = spares;
	atomic_init(&c->refs, 1);
	return &c->body;
}

struct otlp_body *otlp_body_ref(struct otlp_body *b)
{
	atomic_fetch_add(&((struct counted *)b)->refs, 1);
	return b;
}

void otlp_body_unref(struct otlp_body *b)
{
	struct counted *c = (struct counted *)b;

	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	otlp_spares_give(c->spares, (uint8_t *)(uintptr_t)c->body.data);
	free(c);
}
