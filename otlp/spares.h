/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * spares - the memory of requests that were sent, for those that come next.
 *
 * A large piece of memory that is freed goes back to the kernel, and each of its pages faults again
 * in the next one: that costs as much as to send it. What is kept is bounded. Any thread.
 */
#ifndef OTLP_SPARES_H
#define OTLP_SPARES_H

#include <stddef.h>
#include <stdint.h>

struct otlp_spares;

/* Keeps at most @cap_bytes. 0 and *ret set, or -ENOMEM. */
int otlp_spares_create(struct otlp_spares **ret, size_t cap_bytes);
/* NULL is allowed. After the last give. */
void otlp_spares_destroy(struct otlp_spares *s);

/* At least @size bytes with any content, to be given back or freed; NULL: no memory. */
uint8_t *otlp_spares_take(struct otlp_spares *s, size_t size);
/* Keeps or frees @data, which is from malloc; NULL is allowed. @s NULL: frees. */
void otlp_spares_give(struct otlp_spares *s, uint8_t *data);

#endif /* OTLP_SPARES_H */
