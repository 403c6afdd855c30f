/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The text of --filter: any bytes. What is taken is a program that ends, whatever the packet; what
 * is refused says why in one line. */
#include "tests/fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "user/filter.h"

static void check_exit(uint8_t where, unsigned at, unsigned len)
{
	FUZZ_CHECK(where == FILTER_IN || where == FILTER_OUT || (where > at && where < len));
}

static void check_program(const struct filter_program *p)
{
	static const struct filter_step none;
	unsigned i;

	FUZZ_CHECK(p->len >= 1 && p->len <= FILTER_STEPS_MAX && !p->pad);
	for (i = 0; i < p->len; i++) {
		const struct filter_step *s = &p->step[i];

		FUZZ_CHECK(s->op < FILTER_OP_MAX && s->port_low <= s->port_high);
		check_exit(s->on_true, i, p->len);
		check_exit(s->on_false, i, p->len);
		FUZZ_CHECK(!((s->addr[0] & ~s->mask[0]) | (s->addr[1] & ~s->mask[1])));
		if (s->op == FILTER_FAMILY || s->op == FILTER_NET)
			FUZZ_CHECK(s->value == 4 || s->value == 6);
	}
	for (; i < FILTER_STEPS_MAX; i++)
		FUZZ_CHECK(!memcmp(&p->step[i], &none, sizeof(none)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), why[FILTER_WHY_CAP];
	struct filter_program p;
	const char *c;

	memset(why, 'x', sizeof(why));
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (filter_parse(&p, text, why)) {
		FUZZ_CHECK(memchr(why, '\0', sizeof(why)) && why[0]);
		for (c = why; *c; c++)
			FUZZ_CHECK(*c >= ' ' && *c <= '~');
	} else {
		check_program(&p);
	}
	free(text);
	return 0;
}
