/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * otlp_dump - an encoded request, decoded by nanopb, as one line of text.
 *
 * Two encodings of the same message give the same text: fields stand in the order of their numbers,
 * as number{message}, number'string', number=x (bytes in hex) or number:value (fixed32 and fixed64
 * as the bits in hex), scalars that are zero left out unless their presence is told.
 */
#ifndef OTLP_DUMP_H
#define OTLP_DUMP_H

#include <stddef.h>
#include <stdint.h>

#include "otlp/otlp.h"

/* NULL: not decodable. The caller frees it. */
char *otlp_dump(enum otlp_signal signal, const uint8_t *data, size_t size);

#endif /* OTLP_DUMP_H */
