/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The beginning of a request. What was found is there, in the header, in hexadecimal. */
#include "tests/fuzz.h"

#include <string.h>

#include "user/traceparent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct traceparent t;
	char hex[33];
	size_t i;

	if (!traceparent_find(data, size, &t))
		return 0;
	for (i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", t.trace_id[i]);
	FUZZ_CHECK(memmem(data, size, hex, 32));
	for (i = 0; i < 8; i++)
		snprintf(hex + 2 * i, 3, "%02x", t.span_id[i]);
	FUZZ_CHECK(memmem(data, size, hex, 16));
	FUZZ_CHECK(strspn(hex, "0") < 16);
	return 0;
}
