/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Of two prefixes one holds the other or they have nothing in common. So they cut the addresses
 * into stretches, at most two for each prefix and one more, each of which belongs to one tenant:
 * the one of the longest prefix around it. A look-up is one binary search for the stretch, whatever
 * the lengths of the prefixes are.
 *
 *   10.0.0.0/8 blue, 10.1.0.0/16 red:   0.0.0.0 | 10.0.0.0 | 10.1.0.0 | 10.2.0.0 | 11.0.0.0
 *                                          -        blue       red        blue        -
 */
#include "user/tenant_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/tenant_map_impl.h"

/* From @begin up to where the next one begins. */
struct stretch {
	uint8_t begin[16];
	uint32_t tenant;
};

struct stretches {
	struct stretch *list; /* sorted; the first begins at 0 */
	size_t len;
};

struct tenant_if {
	const char *name;
	uint32_t tenant;
};

struct tenant_map {
	char *text; /* the file; names point into it */
	struct stretches of[2]; /* IPv4, IPv6 */
	struct tenant_if *ifs; /* sorted by name */
	size_t ifs_len;
	const char **names; /* sorted, all different */
	size_t names_len;
};

/* ---- names ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int number_names(struct tenant_map *m, const struct tenant_lines *lines)
{
	size_t i;

	m->names = calloc(lines->len + 1, sizeof(*m->names));
	if (!m->names)
		return -ENOMEM;
	for (i = 0; i < lines->len; i++)
		m->names[i] = lines->list[i].tenant;
	qsort(m->names, lines->len, sizeof(*m->names), compare_names);
	for (i = 0; i < lines->len; i++)
		if (!i || strcmp(m->names[m->names_len - 1], m->names[i]))
			m->names[m->names_len++] = m->names[i];
	return 0;
}

static uint32_t number_of(const struct tenant_map *m, const char *name)
{
	const char **at = bsearch(&name, m->names, m->names_len, sizeof(*m->names), compare_names);

	return (uint32_t)(at - m->names) + 1;
}

const char *tenant_map_name(const struct tenant_map *m, uint32_t tenant)
{
	return tenant ? m->names[tenant - 1] : NULL;
}

/* ---- prefixes → stretches ---- */

/* The first address after those of a prefix; false: there is none. */
static bool next_after(const struct tenant_line *p, uint8_t ret[16])
{
	unsigned add;
	int i;

	if (!p->bits)
		return false;
	memcpy(ret, p->addr, 16);
	add = 1u << (7 - (p->bits - 1) % 8);
	for (i = (p->bits - 1) / 8; i >= 0; i--, add = 1) {
		add += ret[i];
		ret[i] = (uint8_t)add;
		if (add < 256)
			return true;
	}
	return false;
}

static void begin_stretch(struct stretches *s, const uint8_t begin[16], uint32_t tenant)
{
	struct stretch *last = &s->list[s->len - 1];

	if (memcmp(last->begin, begin, 16)) {
		last = &s->list[s->len++];
		memcpy(last->begin, begin, 16);
	}
	last->tenant = tenant;
}

/* The prefixes around the place where the sweep is, the shortest first. */
struct around {
	const struct tenant_line *list[129];
	size_t len;
};

/* Leaves those that end before @addr; NULL: all. */
static void leave(const struct tenant_map *m, struct stretches *s, struct around *a,
		  const uint8_t *addr)
{
	uint8_t next[16];
	bool has_next;

	while (a->len) {
		has_next = next_after(a->list[a->len - 1], next);
		if (addr && (!has_next || memcmp(next, addr, 16) > 0))
			return;
		a->len--;
		if (has_next)
			begin_stretch(s, next,
				      a->len ? number_of(m, a->list[a->len - 1]->tenant) : 0);
	}
}

/* @lines are one family's, sorted by address, then by length. */
static int cut(const struct tenant_map *m, struct stretches *s, const struct tenant_line *lines,
	       size_t len)
{
	struct around around = {.len = 0};
	size_t i;

	s->list = calloc(2 * len + 1, sizeof(*s->list));
	if (!s->list)
		return -ENOMEM;
	s->len = 1;
	for (i = 0; i < len; i++) {
		leave(m, s, &around, lines[i].addr);
		begin_stretch(s, lines[i].addr, number_of(m, lines[i].tenant));
		around.list[around.len++] = &lines[i];
	}
	leave(m, s, &around, NULL);
	return 0;
}

static int add_interfaces(struct tenant_map *m, const struct tenant_line *lines, size_t len)
{
	size_t i;

	m->ifs = calloc(len + 1, sizeof(*m->ifs));
	if (!m->ifs)
		return -ENOMEM;
	for (i = 0; i < len; i++)
		m->ifs[i] = (struct tenant_if){lines[i].if_name, number_of(m, lines[i].tenant)};
	m->ifs_len = len;
	return 0;
}

/* @lines are sorted: IPv4, IPv6, interfaces. */
static int build(struct tenant_map *m, const struct tenant_lines *lines)
{
	size_t end[3] = {0}, i;
	int err;

	for (i = 0; i < lines->len; i++)
		end[lines->list[i].what]++;
	end[TENANT_OF_IPV6] += end[TENANT_OF_IPV4];
	err = number_names(m, lines);
	if (!err)
		err = cut(m, &m->of[0], lines->list, end[TENANT_OF_IPV4]);
	if (!err)
		err = cut(m, &m->of[1], lines->list + end[TENANT_OF_IPV4],
			  end[TENANT_OF_IPV6] - end[TENANT_OF_IPV4]);
	if (!err)
		err = add_interfaces(m, lines->list + end[TENANT_OF_IPV6],
				     lines->len - end[TENANT_OF_IPV6]);
	return err;
}

/* ---- reading ---- */

int tenant_map_parse(struct tenant_map **ret, const char *text, size_t len, const char *name,
		     char why[TENANT_MAP_WHY_CAP])
{
	struct tenant_map *m = calloc(1, sizeof(*m));
	struct tenant_lines lines = {};
	int err = -ENOMEM;

	if (!m)
		return err;
	m->text = malloc(len + 1);
	if (!m->text)
		goto fail;
	memcpy(m->text, text, len);
	m->text[len] = '\0';
	err = tenant_lines_read(&lines, m->text, len, name, why);
	if (!err)
		err = build(m, &lines);
	if (err)
		goto fail;
	tenant_lines_reset(&lines);
	*ret = m;
	return 0;
fail:
	tenant_lines_reset(&lines);
	tenant_map_destroy(m);
	return err;
}

/* Up to one byte more than allowed. The length, or -errno. */
static ssize_t read_file(const char *path, char *ret, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = -1;

	if (fd < 0)
		return -errno;
	while (len < cap && (n = read(fd, ret + len, cap - len)) > 0)
		len += (size_t)n;
	n = len < cap && n < 0 ? -errno : (ssize_t)len;
	close(fd);
	return n;
}

int tenant_map_load(struct tenant_map **ret, const char *path, char why[TENANT_MAP_WHY_CAP])
{
	char *text = malloc(TENANT_MAP_FILE_BYTES + 1);
	ssize_t len;
	int err;

	if (!text)
		return -ENOMEM;
	len = read_file(path, text, TENANT_MAP_FILE_BYTES + 1);
	if (len < 0)
		err = tenant_lines_fault(why, path, 0, "cannot be read: %s", strerror((int)-len));
	else if (len > TENANT_MAP_FILE_BYTES)
		err = tenant_lines_fault(why, path, 0, "larger than %u MiB: give fewer lines",
					 TENANT_MAP_FILE_BYTES >> 20);
	else
		err = tenant_map_parse(ret, text, (size_t)len, path, why);
	free(text);
	return err;
}

void tenant_map_destroy(struct tenant_map *m)
{
	if (!m)
		return;
	free(m->names);
	free(m->ifs);
	free(m->of[0].list);
	free(m->of[1].list);
	free(m->text);
	free(m);
}

/* ---- looking up ---- */

uint32_t tenant_map_address(const struct tenant_map *m, uint8_t family, const uint8_t addr[16])
{
	const struct stretches *s = &m->of[family == 6];
	size_t first = 0, end = s->len, middle, bytes = family == 6 ? 16 : 4;

	/* the one that is looked for is in [first, end) */
	while (end - first > 1) {
		middle = first + (end - first) / 2;
		if (memcmp(s->list[middle].begin, addr, bytes) <= 0)
			first = middle;
		else
			end = middle;
	}
	return s->list[first].tenant;
}

static int compare_if(const void *name, const void *entry)
{
	return strcmp(name, ((const struct tenant_if *)entry)->name);
}

uint32_t tenant_map_interface(const struct tenant_map *m, const char *if_name)
{
	const struct tenant_if *found =
		bsearch(if_name, m->ifs, m->ifs_len, sizeof(*m->ifs), compare_if);

	return found ? found->tenant : 0;
}

uint32_t tenant_map_flow(const struct tenant_map *m, uint8_t family, const uint8_t source[16],
			 const uint8_t destination[16], const char *if_name, uint32_t *ret_peer)
{
	uint32_t of_source, of_destination;

	*ret_peer = 0;
	if (!m)
		return 0;
	of_source = tenant_map_address(m, family, source);
	of_destination = tenant_map_address(m, family, destination);
	if (of_source && of_destination != of_source)
		*ret_peer = of_destination;
	if (of_source || of_destination)
		return of_source ? of_source : of_destination;
	return tenant_map_interface(m, if_name);
}
