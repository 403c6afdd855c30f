/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/traceparent.h"

#include <string.h>
#include <strings.h>

#define NAME "traceparent"
#define NAME_LEN (sizeof(NAME) - 1)
#define VALUE_LEN 55 /* version-trace_id-span_id-flags, as version 00 has them */

/* Only lower case is valid: -1 for anything else. */
static int digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: not all digits. */
static bool read_hex(const uint8_t *text, uint8_t *ret, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = high << 4 | low;
	}
	return true;
}

static bool is_zero(const uint8_t *id, size_t len)
{
	static const uint8_t zero[16];

	return !memcmp(id, zero, len);
}

/* 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01; a later version may go on after a dash.
 */
static bool read_value(const uint8_t *v, size_t len, struct traceparent *ret)
{
	uint8_t version;

	if (len < VALUE_LEN || v[2] != '-' || v[35] != '-' || v[52] != '-' ||
	    !read_hex(v, &version, 1) || version == 0xff)
		return false;
	if (len > VALUE_LEN && (version == 0 || v[VALUE_LEN] != '-'))
		return false;
	return read_hex(v + 3, ret->trace_id, 16) && read_hex(v + 36, ret->span_id, 8) &&
	       read_hex(v + 53, &ret->flags, 1) && !is_zero(ret->trace_id, 16) &&
	       !is_zero(ret->span_id, 8);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Whether the line is a traceparent field; then its value without the blanks around it. */
static bool read_field(const uint8_t **line, size_t *len)
{
	const uint8_t *p = *line;
	size_t n = *len;

	if (n <= NAME_LEN || p[NAME_LEN] != ':' || strncasecmp((const char *)p, NAME, NAME_LEN))
		return false;
	for (p += NAME_LEN + 1, n -= NAME_LEN + 1; n && is_blank(*p); p++)
		n--;
	while (n && is_blank(p[n - 1]))
		n--;
	*line = p;
	*len = n;
	return true;
}

bool traceparent_find(const uint8_t *text, size_t len, struct traceparent *ret)
{
	const uint8_t *end = text + len, *line = memchr(text, '\n', len), *stop;
	struct traceparent found = {};
	bool has_one = false;

	for (; line && ++line < end; line = stop) { /* the request line is none of the fields */
		const uint8_t *value = line;
		size_t n;

		stop = memchr(line, '\n', end - line);
		if (!stop)
			break;
		n = stop - line;
		if (n && line[n - 1] == '\r')
			n--;
		if (!n)
			break; /* the end of the header */
		if (!read_field(&value, &n))
			continue;
		if (has_one || !read_value(value, n, &found))
			return false;
		has_one = true;
	}
	if (has_one)
		*ret = found;
	return has_one;
}
