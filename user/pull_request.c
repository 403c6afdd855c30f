/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Strict where two readers could disagree about where a request ends, and otherwise short: bodies
 * are not read, so a request that has one is the last on its connection.
 */
#include "user/pull_request.h"

#include <string.h>
#include <strings.h>

struct span {
	const char *ptr;
	size_t len;
};

static bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && !strncasecmp(s.ptr, text, s.len);
}

static bool span_is_exactly(struct span s, const char *text)
{
	return s.len == strlen(text) && !memcmp(s.ptr, text, s.len);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span span_trim(struct span s)
{
	while (s.len && is_blank(*s.ptr)) {
		s.ptr++;
		s.len--;
	}
	while (s.len && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* What stands before the next @end, trimmed; *rest is behind it. */
static struct span span_next(struct span *rest, char end)
{
	const char *at = rest->len ? memchr(rest->ptr, end, rest->len) : NULL;
	struct span ret = {rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len};

	rest->ptr += ret.len + !!at;
	rest->len -= ret.len + !!at;
	return span_trim(ret);
}

size_t pull_request_head(const char *data, size_t len)
{
	const char *p = data, *end = data + len, *line;

	for (line = p; (p = memchr(line, '\n', (size_t)(end - line))); line = p + 1)
		if (line != data && (p == line || (p == line + 1 && *line == '\r')))
			return (size_t)(p + 1 - data);
	return 0;
}

/* ---- Accept (RFC 9110, section 12.5.1) ---- */

/* In thousandths; what is none counts as 0: better not to be given that. */
static int read_quality(struct span s)
{
	int ret = 0, unit = 100;
	size_t i;

	if (!s.len || s.len > 5 || (*s.ptr != '0' && *s.ptr != '1') ||
	    (s.len > 1 && s.ptr[1] != '.'))
		return 0;
	for (i = 2; i < s.len; i++, unit /= 10) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return 0;
		ret += (s.ptr[i] - '0') * unit;
	}
	return *s.ptr == '1' ? 1000 : ret;
}

struct offer {
	const char *type, *subtype, *version;
	int quality; /* -1: not mentioned */
	int precision; /* of the range that said so: 1: any, 2: the type, 3: this one, 4: its
			  version */
};

static void offer_match(struct offer *o, struct span type, struct span subtype, struct span version,
			int quality)
{
	int precision = version.len ? 4 : 3;

	if (span_is(type, "*") && span_is(subtype, "*"))
		precision = 1;
	else if (!span_is(type, o->type))
		return;
	else if (span_is(subtype, "*"))
		precision = 2;
	else if (!span_is(subtype, o->subtype) || (version.len && !span_is(version, o->version)))
		return;
	if (precision < o->precision || (precision == o->precision && quality <= o->quality))
		return;
	o->precision = precision;
	o->quality = quality;
}

/* "type/subtype;version=1;q=0.5" */
static void read_range(struct span range, struct offer *offers, size_t len)
{
	struct span subtype = span_next(&range, ';'), version = {"", 0}, value, name;
	struct span type = span_next(&subtype, '/');
	int quality = 1000;
	size_t i;

	subtype = span_trim(subtype);
	while (range.len) {
		value = span_next(&range, ';');
		name = span_next(&value, '=');
		value = span_trim(value);
		if (value.len > 1 && *value.ptr == '"' && value.ptr[value.len - 1] == '"')
			value = (struct span){value.ptr + 1, value.len - 2};
		if (span_is(name, "q"))
			quality = read_quality(value);
		else if (span_is(name, "version"))
			version = value;
	}
	for (i = 0; i < len; i++)
		offer_match(&offers[i], type, subtype, version, quality);
}

/* ---- the head ---- */

struct reading {
	struct pull_request *ret;
	struct offer offers[2]; /* OpenMetrics, text */
	unsigned hosts;
	bool has_body, closes, has_rest;
};

static void read_connection(struct reading *r, struct span value)
{
	while (value.len)
		r->closes |= span_is(span_next(&value, ','), "close");
}

static bool is_token(struct span s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", s.ptr[i]))
			return false;
	return s.len;
}

static bool read_field(struct reading *r, struct span line)
{
	struct span value = line, name;
	const char *colon = memchr(line.ptr, ':', line.len);

	if (!colon)
		return false;
	name = (struct span){line.ptr, (size_t)(colon - line.ptr)};
	value = span_trim((struct span){colon + 1, line.len - name.len - 1});
	if (!is_token(name))
		return false; /* also a line that goes on from the one before (obs-fold) */
	if (span_is(name, "Host"))
		r->hosts++;
	else if (span_is(name, "Connection"))
		read_connection(r, value);
	else if (span_is(name, "Transfer-Encoding"))
		r->has_body = true;
	else if (span_is(name, "Content-Length"))
		r->has_body |= !span_is_exactly(value, "0");
	else if (span_is(name, "Accept"))
		while (value.len)
			read_range(span_next(&value, ','), r->offers, 2);
	return true;
}

static enum pull_page page_of(struct span target)
{
	static const struct {
		const char *path;
		enum pull_page page;
	} pages[] = {{"/", PULL_INDEX},
		     {"/metrics", PULL_METRICS},
		     {"/healthz", PULL_HEALTH},
		     {"/readyz", PULL_READY}};
	struct span path;
	size_t i;

	/* in full, as to a proxy */
	if (target.len >= 7 && !strncasecmp(target.ptr, "http://", 7)) {
		target.ptr += 7;
		target.len -= 7;
		while (target.len && *target.ptr != '/' && *target.ptr != '?') {
			target.ptr++;
			target.len--;
		}
		if (!target.len)
			return PULL_INDEX;
	}
	path = span_next(&target, '?');
	for (i = 0; i < sizeof(pages) / sizeof(*pages); i++)
		if (span_is_exactly(path, pages[i].path))
			return pages[i].page;
	return PULL_NOT_FOUND;
}

/* "GET /metrics HTTP/1.1" */
static unsigned read_request_line(struct reading *r, struct span line)
{
	const char *first = memchr(line.ptr, ' ', line.len),
		   *last = memrchr(line.ptr, ' ', line.len);
	struct span method, target, version;

	if (!first || first == last)
		return 400;
	method = (struct span){line.ptr, (size_t)(first - line.ptr)};
	target = (struct span){first + 1, (size_t)(last - first - 1)};
	version = (struct span){last + 1, (size_t)(line.ptr + line.len - last - 1)};
	if (!is_token(method) || !target.len || memchr(target.ptr, ' ', target.len) ||
	    version.len != 8 || memcmp(version.ptr, "HTTP/", 5))
		return 400;
	if (memcmp(version.ptr + 5, "1.", 2))
		return 505;
	r->closes = version.ptr[7] == '0';
	r->has_rest = version.ptr[7] != '0';
	r->ret->is_head = span_is_exactly(method, "HEAD");
	if (!r->ret->is_head && !span_is_exactly(method, "GET"))
		return 405;
	r->ret->page = page_of(target);
	return 0;
}

static bool has_control(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
			return true;
	return false;
}

void pull_request_parse(struct pull_request *ret, const char *head, size_t len)
{
	struct reading r = {.ret = ret,
			    .offers = {{"application", "openmetrics-text", "1.0.0", -1, 0},
				       {"text", "plain", "0.0.4", -1, 0}}};
	struct span rest = {head, len}, line;
	const char *end;
	unsigned n;

	*ret = (struct pull_request){0};
	for (n = 0; (end = memchr(rest.ptr, '\n', rest.len)); n++) {
		line = (struct span){rest.ptr, (size_t)(end - rest.ptr)};
		rest = (struct span){end + 1, rest.len - line.len - 1};
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (has_control(line.ptr, line.len))
			ret->refused = 400;
		else if (!n)
			ret->refused = read_request_line(&r, line);
		else if (line.len && !read_field(&r, line))
			ret->refused = 400;
		if (ret->refused == 400 || ret->refused == 505)
			return;
	}
	if (r.hosts > 1 || (r.has_rest && !r.hosts)) {
		ret->refused = 400;
		return;
	}
	ret->keeps_alive = !r.closes && !r.has_body;
	ret->wants_openmetrics =
		r.offers[0].quality > 0 && r.offers[0].quality > r.offers[1].quality;
}

unsigned pull_status_code(enum pull_status status)
{
	static const unsigned codes[PULL_STATUSES] = {
		[PULL_200] = 200, [PULL_400] = 400, [PULL_404] = 404, [PULL_405] = 405,
		[PULL_408] = 408, [PULL_431] = 431, [PULL_503] = 503, [PULL_505] = 505,
	};

	return codes[status];
}
