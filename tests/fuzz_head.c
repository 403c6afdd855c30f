/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The head of a response: the first byte says in which pieces it comes, which must make no
 * difference. */
#include "tests/fuzz.h"

#include <string.h>

#include "otlp/head.h"

struct result {
	int code;
	size_t used; /* of the input, if it is complete */
	struct otlp_head head;
};

/* Feeds pieces of @step bytes, each in memory of its own. */
static void read_head(struct result *r, const uint8_t *data, size_t size, size_t step)
{
	size_t at = 0;

	r->code = 0;
	r->used = 0;
	otlp_head_init(&r->head);
	while (at < size && !r->code) {
		size_t len = size - at < step ? size - at : step, used = 0;
		uint8_t *piece = malloc(len);

		memcpy(piece, data + at, len);
		r->code = otlp_head_feed(&r->head, piece, len, &used);
		if (r->code == 1) {
			FUZZ_CHECK(used <= len);
			r->used = at + used;
		}
		at += len;
		free(piece);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct result whole, pieces;

	if (!size)
		return 0;
	read_head(&whole, data + 1, size - 1, size);
	read_head(&pieces, data + 1, size - 1, 1 + data[0] % 64);
	FUZZ_CHECK(whole.code == pieces.code && whole.used == pieces.used);
	if (whole.code != 1)
		return 0;
	FUZZ_CHECK(whole.head.status >= 100 && whole.head.status <= 999);
	FUZZ_CHECK(whole.head.status == pieces.head.status);
	FUZZ_CHECK(whole.used <= OTLP_HEAD_MAX);
	for (unsigned f = 0; f < OTLP_FIELD_MAX; f++) {
		const char *a = otlp_head_field(&whole.head, f),
			   *b = otlp_head_field(&pieces.head, f);

		FUZZ_CHECK(!a == !b);
		FUZZ_CHECK(!a || (strlen(a) < sizeof(whole.head.value[f]) && !strcmp(a, b)));
	}
	return 0;
}
