/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A connection of HTTP: one request after the other. Each begins where the last one ends. */
#include "tests/fuzz.h"

#include <string.h>

#include "user/pull_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pull_request r;
	char *copy;
	size_t len;

	while (size && (len = pull_request_head((const char *)data, size))) {
		FUZZ_CHECK(len <= size && data[len - 1] == '\n');
		copy = malloc(len);
		memcpy(copy, data, len);
		pull_request_parse(&r, copy, len);
		free(copy);
		FUZZ_CHECK(!r.refused || r.refused == 400 || r.refused == 405 || r.refused == 505);
		FUZZ_CHECK(r.page <= PULL_NOT_FOUND);
		FUZZ_CHECK(r.refused != 400 || !r.keeps_alive);
		FUZZ_CHECK(!r.wants_openmetrics || memmem(data, len, "/", 1));
		data += len;
		size -= len;
	}
	return 0;
}
