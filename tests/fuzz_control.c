/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A request on the control socket: any bytes. What is understood is in range, what is refused says
 * why in one line. */
#include "tests/fuzz.h"

#include <string.h>

#include "user/control_request.h"

static void check_filter(const struct control_request *r, const uint8_t *data, size_t size)
{
	struct flow_key key = {.family = 4, .proto = 6};
	size_t i;

	FUZZ_CHECK(r->filter.len <= CONTROL_FILTER_WORDS);
	for (i = 0; i < r->filter.len; i++) {
		const struct control_filter_word *w = &r->filter.words[i];

		FUZZ_CHECK(memchr(w->name, '\0', sizeof(w->name)));
		if (w->kind == CONTROL_FILTER_NETWORK)
			FUZZ_CHECK(w->bits <= (w->family == 6 ? 128 : 32));
	}
	memcpy(key.addr, data, size < sizeof(key.addr) ? size : sizeof(key.addr));
	control_filter_fits(&r->filter, &key);
	key.family = 6;
	control_filter_fits(&r->filter, &key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), why[CONTROL_WHY_CAP];
	struct control_request r;

	memset(why, 'x', sizeof(why));
	why[0] = '\0';
	memcpy(text, data, size);
	if (control_request_parse(&r, text, size, why)) {
		FUZZ_CHECK(why[0] && memchr(why, '\0', sizeof(why)) && !strchr(why, '\n'));
	} else {
		FUZZ_CHECK(r.verb < CONTROL_VERB_MAX);
		FUZZ_CHECK(r.limit >= 1 && r.limit <= CONTROL_LIMIT_MAX);
		FUZZ_CHECK(r.sort <= CONTROL_BY_AGE);
		FUZZ_CHECK(r.sample_n >= 1);
		FUZZ_CHECK(size <= CONTROL_REQUEST_BYTES + 1);
		check_filter(&r, data, size);
	}
	free(text);
	return 0;
}
