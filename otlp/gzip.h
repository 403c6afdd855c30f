/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gzip - request bodies into gzip, response bodies out of it. The door to zlib.
 *
 * A packer: one thread at a time.
 */
#ifndef OTLP_GZIP_H
#define OTLP_GZIP_H

#include <stddef.h>
#include <stdint.h>

struct otlp_gzip;

int otlp_gzip_create(struct otlp_gzip **ret); /* 0 or -ENOMEM */
void otlp_gzip_destroy(struct otlp_gzip *g); /* NULL is allowed */

/* *ret comes from malloc. 0, -ENOMEM, or -EFBIG: too much for zlib at once. */
int otlp_gzip_pack(struct otlp_gzip *g, const uint8_t *data, size_t size, uint8_t **ret,
		   size_t *ret_size);

/* *ret comes from malloc. 0; -EMSGSIZE: more than @max bytes; -EBADMSG: not gzip, or cut short;
 * -ENOMEM. */
int otlp_gzip_unpack(const uint8_t *data, size_t size, size_t max, uint8_t **ret, size_t *ret_size);

#endif /* OTLP_GZIP_H */
