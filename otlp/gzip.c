/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The state of deflate (a quarter of a MiB) is kept from one request to the next. Unpacking grows
 * its buffer by doubling, up to one byte more than the limit, which shows that it is passed.
 */
#include "otlp/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* the largest, with a gzip header */
#define UNPACK_STEP 16384u

struct otlp_gzip {
	z_stream z;
};

int otlp_gzip_create(struct otlp_gzip **ret)
{
	struct otlp_gzip *g = calloc(1, sizeof(*g));

	/* Level 1 takes off nine tenths of such bodies at a third of the default's cost. */
	if (!g || deflateInit2(&g->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, 8,
			       Z_DEFAULT_STRATEGY) != Z_OK) {
		free(g);
		return -ENOMEM;
	}
	*ret = g;
	return 0;
}

void otlp_gzip_destroy(struct otlp_gzip *g)
{
	if (!g)
		return;
	deflateEnd(&g->z);
	free(g);
}

int otlp_gzip_pack(struct otlp_gzip *g, const uint8_t *data, size_t size, uint8_t **ret,
		   size_t *ret_size)
{
	uint8_t *out;
	size_t cap;

	if (size > UINT32_MAX / 2)
		return -EFBIG;
	deflateReset(&g->z); /* before the bound, which depends on the state */
	cap = deflateBound(&g->z, size);
	out = malloc(cap);
	if (!out)
		return -ENOMEM;
	g->z.next_in = (Bytef *)(uintptr_t)data;
	g->z.avail_in = (uInt)size;
	g->z.next_out = out;
	g->z.avail_out = (uInt)cap;
	if (deflate(&g->z, Z_FINISH) != Z_STREAM_END) {
		free(out);
		return -ENOMEM;
	}
	*ret = out;
	*ret_size = g->z.total_out;
	return 0;
}

int otlp_gzip_unpack(const uint8_t *data, size_t size, size_t max, uint8_t **ret, size_t *ret_size)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
	uint8_t *out = NULL;
	size_t cap = 0, len = 0;
	int rv, err = 0;

	if (size > UINT32_MAX)
		return -EMSGSIZE;
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	do {
		uint8_t *grown;

		cap = cap ? cap * 2 : UNPACK_STEP;
		if (cap > max + 1)
			cap = max + 1;
		grown = realloc(out, cap);
		if (!grown) {
			err = -ENOMEM;
			break;
		}
		out = grown;
		z.next_out = out + len;
		z.avail_out = (uInt)(cap - len);
		rv = inflate(&z, Z_NO_FLUSH);
		len = cap - z.avail_out;
		if (len > max)
			err = -EMSGSIZE;
		else if (rv == Z_MEM_ERROR)
			err = -ENOMEM;
		else if (rv != Z_STREAM_END && rv != Z_OK) /* Z_BUF_ERROR: cut short */
			err = -EBADMSG;
	} while (!err && rv != Z_STREAM_END);
	inflateEnd(&z);
	if (err) {
		free(out);
		return err;
	}
	*ret = out;
	*ret_size = len;
	return 0;
}
