/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An answer of a server: the first byte chooses the status; then content type, content encoding and
 * retry-after and location, each a line ("-": absent); the rest is the body.
 */
#include "tests/fuzz.h"

#include <string.h>

#include "otlp/answer.h"

#define NOW_S 1700000000

/* Cuts off a line. */
static char *take_line(char **text)
{
	char *line = strsep(text, "\n");

	return line && strcmp(line, "-") ? line : NULL;
}

static void check(const struct otlp_answer *a, unsigned status)
{
	size_t len = strnlen(a->text, sizeof(a->text));

	FUZZ_CHECK(a->status == status);
	FUZZ_CHECK(len < sizeof(a->text));
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK(a->text[i] >= ' ' && a->text[i] < 0x7f);
	FUZZ_CHECK(a->kind == OTLP_ANSWER_RETRY || !a->retry_after_ms);
	FUZZ_CHECK(a->retry_after_ms <= UINT64_C(24) * 3600 * 1000);
	FUZZ_CHECK(a->kind == OTLP_ANSWER_PARTIAL || !a->rejected);
	FUZZ_CHECK((a->kind == OTLP_ANSWER_OK || a->kind == OTLP_ANSWER_PARTIAL) ==
		   (status >= 200 && status < 300));
	FUZZ_CHECK((a->kind == OTLP_ANSWER_RETRY) ==
		   (status == 429 || (status >= 502 && status <= 504)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned status[] = {200, 202, 204, 301, 400, 404, 429, 500, 502, 503, 504};
	struct otlp_response r = {0};
	struct otlp_answer a;
	char *copy, *rest;
	uint8_t *body;

	if (size < 1)
		return 0;
	copy = rest = malloc(size);
	memcpy(copy, data + 1, size - 1);
	copy[size - 1] = '\0';
	r.status = status[data[0] % (sizeof(status) / sizeof(status[0]))];
	r.content_type = take_line(&rest);
	r.content_encoding = take_line(&rest);
	r.retry_after = take_line(&rest);
	r.location = take_line(&rest);
	/* of its exact size, and with zeros in it */
	r.len = rest ? size - 1 - (size_t)(rest - copy) : 0;
	body = malloc(r.len + !r.len);
	if (r.len)
		memcpy(body, data + size - r.len, r.len);
	r.body = body;
	otlp_answer_read(&a, &r, NOW_S);
	check(&a, r.status);
	free(body);
	free(copy);
	return 0;
}
