/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The text of a tenant map, line by line. What is shown of it is shown as plain text. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/tenant_map_impl.h"

#define SHOWN_CAP 81
#define LINES_FIRST 64
#define FORMS "'10.0.0.0/8 NAME', '2001:db8::/32 NAME' or 'interface eth0 NAME'"

struct reader {
	const char *name;
	char *why;
	uint32_t line;
};

int tenant_lines_fault(char why[TENANT_MAP_WHY_CAP], const char *name, uint32_t line,
		       const char *fmt, ...)
{
	char text[TENANT_MAP_WHY_CAP - 113], at[12] = "";
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (line)
		snprintf(at, sizeof(at), "%u:", line);
	snprintf(why, TENANT_MAP_WHY_CAP, "%.100s:%s %s", name, at, text);
	return -EINVAL;
}

#define fault(r, ...) tenant_lines_fault((r)->why, (r)->name, (r)->line, __VA_ARGS__)

/* What is no plain ASCII becomes a question mark. */
static const char *shown(const char *word, char buf[SHOWN_CAP])
{
	size_t i;

	for (i = 0; word[i] && i < SHOWN_CAP - 1; i++)
		buf[i] = isascii(word[i]) && isprint(word[i]) ? word[i] : '?';
	buf[i] = '\0';
	return buf;
}

/* ---- one word ---- */

/* How many bytes the character at @s has; 0: it is not valid UTF-8 or no character to be seen. */
static size_t character(const unsigned char *s)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80       ? 1
		     : s[0] >> 5 == 6  ? 2
		     : s[0] >> 4 == 14 ? 3
		     : s[0] >> 3 == 30 ? 4
				       : 0;
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	size_t i;

	for (i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (!len || c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c < 0x20 ||
	    (c >= 0x7f && c < 0xa0))
		return 0;
	return len;
}

static int check_tenant(const struct reader *r, const char *word)
{
	const unsigned char *s = (const unsigned char *)word;
	char buf[SHOWN_CAP];
	size_t len;

	if (strlen(word) > TENANT_NAME_BYTES)
		return fault(r, "the name '%.20s...' is too long: give at most %d bytes",
			     shown(word, buf), TENANT_NAME_BYTES);
	for (; *s; s += len) {
		len = character(s);
		if (!len)
			return fault(r,
				     "the name '%s' is not UTF-8, or has control characters: "
				     "write it as plain text",
				     shown(word, buf));
	}
	return 0;
}

/* 0 and *ret, or -EINVAL. */
static int read_bits(const char *digits, unsigned max, uint8_t *ret)
{
	unsigned value = 0;
	size_t i;

	for (i = 0; isdigit((unsigned char)digits[i]) && i < 3; i++)
		value = value * 10 + (unsigned)(digits[i] - '0');
	if (!i || digits[i] || value > max)
		return -EINVAL;
	*ret = (uint8_t)value;
	return 0;
}

/* Clears what is beyond the prefix. */
static void mask(uint8_t addr[16], unsigned bits)
{
	unsigned i;

	for (i = 0; i < 16; i++, bits -= bits < 8 ? bits : 8)
		if (bits < 8)
			addr[i] &= (uint8_t) ~(0xff >> bits);
}

static int read_prefix(const struct reader *r, struct tenant_line *l, char *word)
{
	char text[INET6_ADDRSTRLEN], buf[SHOWN_CAP], *slash;
	int family = strchr(word, ':') ? AF_INET6 : AF_INET;
	unsigned max = family == AF_INET6 ? 128 : 32;
	uint8_t given[16];
	bool is_address;

	shown(word, buf);
	slash = strchr(word, '/');
	if (slash)
		*slash = '\0';
	is_address = inet_pton(family, word, l->addr) == 1;
	if (!is_address)
		return fault(r, "'%s' is no address or prefix: write " FORMS, buf);
	l->what = family == AF_INET6 ? TENANT_OF_IPV6 : TENANT_OF_IPV4;
	l->bits = (uint8_t)max;
	if (slash && read_bits(slash + 1, max, &l->bits))
		return fault(r, "'%s': the length of the prefix must be a number from 0 to %u", buf,
			     max);
	memcpy(given, l->addr, sizeof(given));
	mask(l->addr, l->bits);
	if (memcmp(given, l->addr, sizeof(given)))
		return fault(r, "'%s' has bits beyond its length: write %s/%u", buf,
			     inet_ntop(family, l->addr, text, sizeof(text)), l->bits);
	return 0;
}

static int read_interface(const struct reader *r, struct tenant_line *l, const char *word)
{
	char buf[SHOWN_CAP];

	if (strlen(word) >= IFNAMSIZ)
		return fault(r, "'%s' is no name of an interface: give 1 to %d characters",
			     shown(word, buf), IFNAMSIZ - 1);
	l->what = TENANT_OF_INTERFACE;
	l->if_name = word;
	return 0;
}

/* ---- one line ---- */

/* The next word, NUL-terminated in place; NULL: there is none. A comment ends the line. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t\r");

	if (!*word || *word == '#')
		return NULL;
	*rest = word + strcspn(word, " \t\r");
	if (**rest)
		*(*rest)++ = '\0';
	return word;
}

/* 1: the line says something; 0: it is empty; -EINVAL. */
static int read_line(const struct reader *r, struct tenant_line *l, char *text)
{
	char *word = next_word(&text), *more, buf[SHOWN_CAP];
	bool is_interface = word && !strcmp(word, "interface");
	int err;

	if (!word)
		return 0;
	if (is_interface)
		word = next_word(&text);
	l->tenant = next_word(&text);
	if (!word || !l->tenant)
		return fault(r, "the tenant's name is missing: write " FORMS);
	more = next_word(&text);
	if (more)
		return fault(r,
			     "'%s' is one word too many: a tenant's name is one word, and a "
			     "comment begins with #",
			     shown(more, buf));
	err = is_interface ? read_interface(r, l, word) : read_prefix(r, l, word);
	if (!err)
		err = check_tenant(r, l->tenant);
	return err ? err : 1;
}

/* ---- all lines ---- */

static int compare_places(const void *x, const void *y)
{
	const struct tenant_line *a = x, *b = y;
	int diff = a->what - b->what;

	if (!diff && a->what == TENANT_OF_INTERFACE)
		return strcmp(a->if_name, b->if_name);
	if (!diff)
		diff = memcmp(a->addr, b->addr, sizeof(a->addr));
	return diff ? diff : a->bits - b->bits;
}

static int compare_lines(const void *x, const void *y)
{
	const struct tenant_line *a = x, *b = y;
	int diff = compare_places(a, b);

	return diff ? diff : a->line < b->line ? -1 : 1;
}

static int sort(struct reader *r, struct tenant_lines *l)
{
	struct tenant_line *last = NULL;
	char one[SHOWN_CAP], other[SHOWN_CAP];
	size_t i, len = 0;

	qsort(l->list, l->len, sizeof(*l->list), compare_lines);
	for (i = 0; i < l->len; i++) {
		if (!last || compare_places(last, &l->list[i])) {
			l->list[len] = l->list[i];
			last = &l->list[len++];
			continue;
		}
		r->line = l->list[i].line;
		if (strcmp(last->tenant, l->list[i].tenant))
			return fault(r, "tenant '%s' for what is of '%s' in line %u: keep one",
				     shown(l->list[i].tenant, one), shown(last->tenant, other),
				     last->line);
	}
	l->len = len;
	return 0;
}

static int append(struct tenant_lines *l, size_t *cap, const struct tenant_line *line)
{
	struct tenant_line *list;

	if (l->len == *cap) {
		*cap *= 2;
		list = reallocarray(l->list, *cap, sizeof(*list));
		if (!list)
			return -ENOMEM;
		l->list = list;
	}
	l->list[l->len++] = *line;
	return 0;
}

int tenant_lines_read(struct tenant_lines *l, char *text, size_t len, const char *name,
		      char why[TENANT_MAP_WHY_CAP])
{
	struct reader r = {.name = name, .why = why};
	char *rest = text, *line;
	size_t cap = LINES_FIRST;
	int ret;

	l->list = calloc(cap, sizeof(*l->list));
	if (!l->list)
		return -ENOMEM;
	if (memchr(text, '\0', len))
		return fault(&r, "has a zero byte: it must be plain text");
	while ((line = strsep(&rest, "\n"))) {
		struct tenant_line entry = {.line = ++r.line};

		ret = read_line(&r, &entry, line);
		if (ret > 0 && l->len == TENANT_MAP_ENTRIES)
			return fault(&r, "one line too many: at most %d may name a tenant",
				     TENANT_MAP_ENTRIES);
		if (ret > 0)
			ret = append(l, &cap, &entry);
		if (ret)
			return ret;
	}
	return sort(&r, l);
}

void tenant_lines_reset(struct tenant_lines *l)
{
	free(l->list);
	*l = (struct tenant_lines){};
}
