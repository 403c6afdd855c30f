/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/options_budget.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUDGET_FORMS "give 1000spans/s, 200000records/s, 50%%cpu, 50%%ring, or some of them"
#define BUDGET_CAP 200

struct budget_item {
	const char *unit;
	double unit_value, max; /* of one; of them all */
	size_t offset;
};
static const struct budget_item items[AUTO_ITEMS] = {
	{"spans/s", 1, 1e9, offsetof(struct auto_budget, spans_per_s)},
	{"records/s", 1, 1e9, offsetof(struct auto_budget, records_per_s)},
	{"%cpu", 0.01, 1e5, offsetof(struct auto_budget, cpu_cores)},
	{"%ring", 0.01, 100, offsetof(struct auto_budget, ring_share)},
};

void options_budget_default(struct auto_budget *ret)
{
	*ret = (struct auto_budget){
		.spans_per_s = 1000,
		.records_per_s = 200000,
		.cpu_cores = 0.5,
		.ring_share = 0.5,
	};
}

__attribute__((format(printf, 2, 3))) static int refuse(char why[OPTIONS_WHY_CAP], const char *fmt,
							...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, OPTIONS_WHY_CAP, fmt, args);
	va_end(args);
	return -EINVAL;
}

/* Digits, with three decimals at most, and k or M; returns what follows, NULL: no such number. */
static const char *parse_amount(const char *text, double *ret)
{
	double value = 0, digit = 1;
	const char *p = text;

	for (; isdigit((unsigned char)*p) && p - text < 12; p++)
		value = 10 * value + (*p - '0');
	if (p == text)
		return NULL;
	if (*p == '.' && isdigit((unsigned char)p[1]))
		for (p++; isdigit((unsigned char)*p) && digit > 0.001; p++)
			value += (*p - '0') * (digit /= 10);
	if (isdigit((unsigned char)*p))
		return NULL;
	if (*p == 'k' || *p == 'K' || *p == 'M')
		value *= *p++ == 'M' ? 1e6 : 1e3;
	*ret = value;
	return p;
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " ");
}

/* Of what @text says, blanks left out. */
static int find_item(const char *text)
{
	int i;

	for (i = 0; i < AUTO_ITEMS; i++) {
		const char *unit = items[i].unit, *p = text;

		for (; *unit && *(p = skip_blanks(p)) == *unit; p++)
			unit++;
		if (!*unit && !*skip_blanks(p))
			return i;
	}
	return -1;
}

static int parse_item(const char *word, struct auto_budget *b, unsigned *seen, char *why)
{
	double value;
	const char *unit = parse_amount(skip_blanks(word), &value);
	int i = unit ? find_item(unit) : -1;

	if (i < 0)
		return refuse(why, "'%.40s' is no part of a budget: " BUDGET_FORMS, word);
	if (*seen & 1u << i)
		return refuse(why, "%s is there twice: give it once", items[i].unit);
	if (value > items[i].max)
		return refuse(why,
			      "'%.40s' is out of range: give at most %.0f%s, or 0 for no limit",
			      word, items[i].max, items[i].unit);
	if (value > 0 && value < 1)
		return refuse(why, "'%.40s' is too little: give at least 1%s, or 0 for no limit",
			      word, items[i].unit);
	*seen |= 1u << i;
	*(double *)((char *)b + items[i].offset) = value * items[i].unit_value;
	return 0;
}

int options_budget_parse(const char *list, struct auto_budget *budget, char why[OPTIONS_WHY_CAP])
{
	struct auto_budget b = *budget;
	char copy[BUDGET_CAP], *rest = copy, *word;
	unsigned seen = 0;

	if (strlen(list) >= sizeof(copy))
		return refuse(why, "too long: " BUDGET_FORMS);
	strcpy(copy, list);
	while ((word = strsep(&rest, ",")))
		if (parse_item(word, &b, &seen, why))
			return -EINVAL;
	*budget = b;
	return 0;
}

int options_parse_rate(const char *text, bool *ret_auto, uint64_t *ret_n, char why[OPTIONS_WHY_CAP])
{
	bool is_auto = !strcmp(text, "auto");
	int err = is_auto ? 0 : options_parse_sample(text, ret_n, why);

	if (!err)
		*ret_auto = is_auto;
	return err;
}
