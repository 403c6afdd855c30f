/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A name is taken apart into words at everything that is no letter or digit; the unit's words come
 * behind it unless the name has them anywhere; then "total" or "ratio", which is not said twice.
 * Units in braces are what is counted, not a unit.
 */
#include "user/prom_name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/utf8.h"

struct word {
	const char *from;
	const char *to;
};

static const struct word units[] = {{"d", "days"},
				    {"h", "hours"},
				    {"min", "minutes"},
				    {"s", "seconds"},
				    {"ms", "milliseconds"},
				    {"us", "microseconds"},
				    {"ns", "nanoseconds"},
				    {"By", "bytes"},
				    {"KiBy", "kibibytes"},
				    {"MiBy", "mebibytes"},
				    {"GiBy", "gibibytes"},
				    {"TiBy", "tibibytes"},
				    {"KBy", "kilobytes"},
				    {"MBy", "megabytes"},
				    {"GBy", "gigabytes"},
				    {"TBy", "terabytes"},
				    {"m", "meters"},
				    {"V", "volts"},
				    {"A", "amperes"},
				    {"J", "joules"},
				    {"W", "watts"},
				    {"g", "grams"},
				    {"Cel", "celsius"},
				    {"Hz", "hertz"},
				    {"1", ""},
				    {"%", "percent"}};
static const struct word per_units[] = {{"s", "second"}, {"m", "minute"}, {"h", "hour"},
					{"d", "day"},	 {"w", "week"},	  {"mo", "month"},
					{"y", "year"}};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_part(char c)
{
	return is_letter(c) || is_digit(c) || c == ':';
}

static struct otlp_str trim(struct otlp_str s)
{
	while (s.len && (*s.ptr == ' ' || *s.ptr == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* One half of a unit, as it is to be read in a name. */
static int unit_word(struct otlp_str unit, const struct word *words, size_t words_len,
		     char ret[PROM_UNIT_CAP])
{
	size_t i, len = 0;

	*ret = '\0';
	unit = trim(unit);
	if (!unit.len)
		return 0;
	if (memchr(unit.ptr, '{', unit.len) || memchr(unit.ptr, '}', unit.len))
		return 0;
	for (i = 0; i < words_len; i++) {
		if (strlen(words[i].from) == unit.len &&
		    !memcmp(words[i].from, unit.ptr, unit.len)) {
			strcpy(ret, words[i].to);
			return 0;
		}
	}
	for (i = 0; i < unit.len; i++) {
		char c = is_part(unit.ptr[i]) ? unit.ptr[i] : '_';

		if (c == '_' && (!len || ret[len - 1] == '_'))
			continue;
		if (len == PROM_UNIT_CAP - sizeof("per_"))
			return -EINVAL;
		ret[len++] = c;
	}
	ret[len] = '\0';
	return 0;
}

/* "By/s" → "bytes" and "per_second" */
static int unit_words(struct otlp_str unit, char ret_main[PROM_UNIT_CAP],
		      char ret_per[PROM_UNIT_CAP])
{
	const char *slash = unit.len ? memchr(unit.ptr, '/', unit.len) : NULL;
	struct otlp_str rest = {unit.ptr, 0};
	char per[PROM_UNIT_CAP];
	int err;

	if (slash) {
		rest = (struct otlp_str){slash + 1, unit.len - (size_t)(slash + 1 - unit.ptr)};
		unit.len = (size_t)(slash - unit.ptr);
	}
	err = unit_word(unit, units, sizeof(units) / sizeof(*units), ret_main);
	if (!err)
		err = unit_word(rest, per_units, sizeof(per_units) / sizeof(*per_units), per);
	if (err)
		return err;
	if (*per && per[strlen(per) - 1] == '_')
		per[strlen(per) - 1] = '\0';
	snprintf(ret_per, PROM_UNIT_CAP, "%s%.*s", *per ? "per_" : "", PROM_UNIT_CAP - 5, per);
	if (*per && *ret_main && ret_main[strlen(ret_main) - 1] == '_')
		ret_main[strlen(ret_main) - 1] = '\0';
	return 0;
}

static int add_word(struct prom_name *n, const char *word, size_t len)
{
	size_t at = strlen(n->family);

	if (!len)
		return 0;
	if (at + 1 + len >= PROM_NAME_CAP)
		return -EINVAL;
	snprintf(n->family + at, PROM_NAME_CAP - at, "%s%.*s", at ? "_" : "", (int)len, word);
	return 0;
}

/* The words of @name, but for @but; which of the two units it has. */
static int add_words(struct prom_name *n, struct otlp_str name, const char *but, char *main_unit,
		     char *per_unit)
{
	const char *p = name.ptr, *end = name.ptr + name.len, *word;
	int err = 0;

	while (!err && p < end) {
		for (word = p; p < end && is_part(*p); p++)
			;
		if (p == word) {
			p++;
			continue;
		}
		if (strlen(main_unit) == (size_t)(p - word) && !memcmp(main_unit, word, p - word))
			*main_unit = '\0';
		if (strlen(per_unit) == (size_t)(p - word) && !memcmp(per_unit, word, p - word))
			*per_unit = '\0';
		if (strlen(but) != (size_t)(p - word) || memcmp(but, word, p - word))
			err = add_word(n, word, (size_t)(p - word));
	}
	return err;
}

/* What stands at the end of the family, of that which is a unit. */
static void set_unit(struct prom_name *n, const char *main_unit, const char *per_unit)
{
	size_t len, family_len = strlen(n->family);

	if (!*n->unit)
		snprintf(n->unit, PROM_UNIT_CAP, "%s%s%.*s", main_unit,
			 *main_unit && *per_unit ? "_" : "",
			 (int)(PROM_UNIT_CAP - 2 - strlen(main_unit)), per_unit);
	len = strlen(n->unit);
	if (family_len <= len || n->family[family_len - len - 1] != '_' ||
	    strcmp(n->family + family_len - len, n->unit))
		*n->unit = '\0';
}

int prom_name_metric(const struct otlp_metric *m, struct prom_name *ret)
{
	char main_unit[PROM_UNIT_CAP], per_unit[PROM_UNIT_CAP];
	char main_word[PROM_UNIT_CAP], per_word[PROM_UNIT_CAP];
	bool is_ratio = m->type == OTLP_GAUGE && m->unit.len == 1 && *m->unit.ptr == '1';
	const char *but = "";
	int err;

	*ret = (struct prom_name){.is_counter = m->type == OTLP_SUM && m->is_monotonic};
	if (ret->is_counter)
		but = "total";
	else if (is_ratio)
		but = "ratio";
	err = unit_words(m->unit, main_unit, per_unit);
	if (err)
		return err;
	strcpy(main_word, main_unit);
	strcpy(per_word, per_unit);
	err = add_words(ret, m->name, but, main_word, per_word);
	if (!err)
		err = add_word(ret, main_word, strlen(main_word));
	if (!err)
		err = add_word(ret, per_word, strlen(per_word));
	if (!err && is_ratio)
		err = add_word(ret, "ratio", sizeof("ratio") - 1);
	if (err)
		return err;
	if (is_digit(*ret->family)) {
		memmove(ret->family + 1, ret->family, PROM_NAME_CAP - 1);
		*ret->family = '_';
		ret->family[PROM_NAME_CAP - 1] = '\0';
	}
	if (is_ratio)
		strcpy(ret->unit, "ratio");
	set_unit(ret, main_unit, per_unit);
	return ret->family[strspn(ret->family, "_")] ? 0 : -EINVAL;
}

int prom_name_label(struct otlp_str key, char ret[PROM_NAME_CAP])
{
	const unsigned char *p = (const unsigned char *)key.ptr, *end = p + key.len;
	char plain[PROM_NAME_CAP - sizeof("key_")];
	const char *before = "";
	size_t len = 0;

	while (p < end && len < sizeof(plain) - 1) {
		plain[len++] = is_letter((char)*p) || is_digit((char)*p) ? (char)*p : '_';
		p += utf8_len(p, (size_t)(end - p)) ?: 1;
	}
	plain[len] = '\0';
	if (is_digit(*plain))
		before = "key_";
	else if (plain[0] == '_' && plain[1] != '_')
		before = "key";
	snprintf(ret, PROM_NAME_CAP, "%s%s", before, plain);
	return ret[strspn(ret, "_")] ? 0 : -EINVAL;
}
