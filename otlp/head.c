/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 *   HTTP/1.1 SP status [SP reason] CRLF  [name ":" value CRLF]…  CRLF
 *
 * A line at a time. What is of no interest may be of any length within that of the whole head; a
 * bare LF is taken for CRLF, and a status without the space behind it for one.
 */
#include "otlp/head.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

void otlp_head_init(struct otlp_head *h)
{
	*h = (struct otlp_head){0};
}

static int read_status(struct otlp_head *h)
{
	const char *s = h->line;

	if (strncmp(s, "HTTP/1.", 7) || !isdigit((unsigned char)s[7]) || s[8] != ' ')
		return -EBADMSG;
	h->is_http11 = s[7] != '0';
	s += 9;
	if (strspn(s, "0123456789") != 3 || (s[3] && s[3] != ' ') || s[0] == '0')
		return -EBADMSG;
	h->status =
		(unsigned)(s[0] - '0') * 100 + (unsigned)(s[1] - '0') * 10 + (unsigned)(s[2] - '0');
	return 0;
}

static int keep_value(struct otlp_head *h, enum otlp_field field, const char *value)
{
	char *kept = h->value[field];
	size_t used = strlen(kept), len = strlen(value), gap = h->has[field] ? 2 : 0;
	size_t room = sizeof(h->value[field]) - 1 - used;
	bool is_cut = h->line_len >= sizeof(h->line) || len + gap > room;

	/* Of where to go a part is better than nothing, of all else it could mislead. */
	if (is_cut && field != OTLP_FIELD_LOCATION)
		return -EBADMSG;
	if (gap > room)
		return 0;
	memcpy(kept + used, ", ", gap);
	if (len > room - gap)
		len = room - gap;
	memcpy(kept + used + gap, value, len);
	kept[used + gap + len] = '\0';
	h->has[field] = true;
	return 0;
}

static int read_field(struct otlp_head *h)
{
	static const char *const names[] = {
		[OTLP_FIELD_CONNECTION] = "Connection",
		[OTLP_FIELD_CONTENT_ENCODING] = "Content-Encoding",
		[OTLP_FIELD_CONTENT_LENGTH] = "Content-Length",
		[OTLP_FIELD_CONTENT_TYPE] = "Content-Type",
		[OTLP_FIELD_LOCATION] = "Location",
		[OTLP_FIELD_RETRY_AFTER] = "Retry-After",
		[OTLP_FIELD_TRANSFER_ENCODING] = "Transfer-Encoding",
	};
	size_t name_len = strcspn(h->line, ": \t"), len = strlen(h->line);
	char *value = h->line + name_len + 1;

	/* A space before the colon, or a line that continues another, is how smuggling begins. */
	if (name_len == 0 || h->line[name_len] != ':')
		return -EBADMSG;
	while (len > name_len + 1 && strchr(" \t", h->line[len - 1]))
		h->line[--len] = '\0';
	value += strspn(value, " \t");
	for (unsigned f = 0; f < OTLP_FIELD_MAX; f++)
		if (strlen(names[f]) == name_len && !strncasecmp(h->line, names[f], name_len))
			return keep_value(h, f, value);
	return 0;
}

/* 0, 1: that was the last line, or -EBADMSG. */
static int end_line(struct otlp_head *h)
{
	size_t len = h->line_len, room = sizeof(h->line) - 1;
	int err;

	/* A CR may stand at the end only, and that of a line which was cut is not there. */
	h->line[len < room ? len : room] = '\0';
	if (len && len <= room && h->line[len - 1] == '\r')
		h->line[--len] = '\0';
	if (strchr(h->line, '\r'))
		return -EBADMSG;
	if (!h->status)
		err = read_status(h);
	else
		err = len ? read_field(h) : 1;
	h->line_len = 0;
	return err;
}

int otlp_head_feed(struct otlp_head *h, const uint8_t *data, size_t len, size_t *used)
{
	for (size_t at = 0; at < len; at++) {
		uint8_t b = data[at];

		if (++h->size > OTLP_HEAD_MAX)
			return -EBADMSG;
		if (b == '\n') {
			int end = end_line(h);

			*used = at + 1;
			if (end)
				return end;
			continue;
		}
		if ((b < ' ' && b != '\t' && b != '\r') || b == 0x7f)
			return -EBADMSG;
		if (h->line_len < sizeof(h->line) - 1)
			h->line[h->line_len] = (char)b;
		h->line_len++;
	}
	*used = len;
	return 0;
}

const char *otlp_head_field(const struct otlp_head *h, enum otlp_field field)
{
	return h->has[field] ? h->value[field] : NULL;
}
