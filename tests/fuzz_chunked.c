/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A chunked body: the first byte says in which pieces it comes, which must make no difference. */
#include "tests/fuzz.h"

#include <string.h>

#include "otlp/chunked.h"

struct result {
	int code;
	uint8_t *payload;
	size_t len;
	size_t used; /* of the input, if it is complete */
};

/* Feeds pieces of @step bytes, each in memory of its own. */
static struct result decode(const uint8_t *data, size_t size, size_t step)
{
	struct result r = {.payload = malloc(size + 1)};
	struct otlp_chunked c;
	size_t at = 0;

	otlp_chunked_init(&c);
	while (at < size && !r.code) {
		size_t len = size - at < step ? size - at : step, got = 0, used = 0;
		uint8_t *piece = malloc(len);

		memcpy(piece, data + at, len);
		r.code = otlp_chunked_feed(&c, piece, len, &got, &used);
		if (r.code >= 0) {
			FUZZ_CHECK(got <= len && r.len + got <= size);
			memcpy(r.payload + r.len, piece, got);
			r.len += got;
		}
		if (r.code == 1) {
			FUZZ_CHECK(used <= len);
			r.used = at + used;
		}
		at += len;
		free(piece);
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole, pieces;

	if (!size)
		return 0;
	whole = decode(data + 1, size - 1, size);
	pieces = decode(data + 1, size - 1, 1 + data[0] % 64);
	FUZZ_CHECK(whole.code == pieces.code);
	if (whole.code >= 0) {
		FUZZ_CHECK(whole.len == pieces.len && whole.used == pieces.used);
		FUZZ_CHECK(!memcmp(whole.payload, pieces.payload, whole.len));
	}
	free(whole.payload);
	free(pieces.payload);
	return 0;
}
