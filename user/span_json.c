/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading goes once over the text: a value is taken where its key says so, and stepped over
 * otherwise, so that a line of a later version can be read, too. A text is unescaped in its place,
 * where it never gets longer.
 */
#include "user/span_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_CAP 128 /* of an attribute; what is longer is cut */
#define DEPTH_MAX 16

static const char *const kinds[] = {"unspecified", "internal", "server", "client"};
static const char *const statuses[] = {"unset", "ok", "error"};

/* ---- writing ---- */

static void write_time(struct json *j, const char *key, uint64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / 1000000000);
	char text[40], whole[24];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(text, sizeof(text), "%s.%09" PRIu64 "Z", whole, unix_ns % 1000000000);
	json_add_text(j, key, text);
}

static void write_id(struct json *j, const char *key, const uint8_t *id, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char text[33];
	size_t i;

	for (i = 0; i < len; i++) {
		text[2 * i] = digits[id[i] >> 4];
		text[2 * i + 1] = digits[id[i] & 15];
	}
	json_add_string(j, key, text, 2 * len);
}

static void write_string(struct json *j, const char *key, const struct otlp_str *s)
{
	if (s->len)
		json_add_string(j, key, s->ptr, s->len);
}

static void write_attrs(struct json *j, const struct otlp_attrs *attrs)
{
	char key[KEY_CAP];
	size_t i;

	for (i = 0; i < attrs->len; i++) {
		const struct otlp_attr *a = &attrs->list[i];

		snprintf(key, sizeof(key), "%.*s", (int)a->key.len, a->key.ptr);
		switch (a->type) {
		case OTLP_STRING:
			json_add_string(j, key, a->value.string.ptr, a->value.string.len);
			break;
		case OTLP_BOOL:
			json_add_bool(j, key, a->value.boolean);
			break;
		case OTLP_INT:
			json_add_int(j, key, a->value.integer);
			break;
		case OTLP_DOUBLE:
			json_add_number(j, key, a->value.number);
			break;
		}
	}
}

static void write_events(struct json *j, const struct otlp_span *span)
{
	size_t i;

	if (!span->events_len)
		return;
	json_open_array(j, "events");
	for (i = 0; i < span->events_len; i++) {
		json_open_object(j, NULL);
		write_time(j, "time", span->events[i].time_unix_ns);
		write_string(j, "name", &span->events[i].name);
		write_attrs(j, &span->events[i].attrs);
		json_close(j);
	}
	json_close(j);
}

static void write_links(struct json *j, const struct otlp_span *span)
{
	size_t i;

	if (!span->links_len)
		return;
	json_open_array(j, "links");
	for (i = 0; i < span->links_len; i++) {
		json_open_object(j, NULL);
		write_id(j, "trace_id", span->links[i].trace_id, 16);
		write_id(j, "span_id", span->links[i].span_id, 8);
		write_attrs(j, &span->links[i].attrs);
		json_close(j);
	}
	json_close(j);
}

void span_json_write(struct json *j, const struct otlp_span *span)
{
	write_time(j, "time", span->start_unix_ns);
	json_add_seconds(j, "duration", span->end_unix_ns - span->start_unix_ns);
	write_string(j, "name", &span->name);
	json_add_text(j, "kind", kinds[span->kind <= OTLP_SPAN_CLIENT ? span->kind : 0]);
	write_id(j, "trace_id", span->trace_id, 16);
	write_id(j, "span_id", span->span_id, 8);
	if (span->has_parent)
		write_id(j, "parent_span_id", span->parent_span_id, 8);
	write_string(j, "trace_state", &span->trace_state);
	json_add_text(j, "status", statuses[span->status]);
	if (span->status == OTLP_STATUS_ERROR)
		write_string(j, "message", &span->status_message);
	write_attrs(j, &span->attrs);
	write_events(j, span);
	write_links(j, span);
}

/* ---- reading ---- */

struct reader {
	char *p, *end; /* *end is NUL: a number ends there */
};

static bool next_is(struct reader *r, char c)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* Four hexadecimal digits; -1: they are not. */
static long read_hex(struct reader *r)
{
	char digits[5] = "", *stop;
	long v;

	if (r->end - r->p < 4)
		return -1;
	memcpy(digits, r->p, 4);
	v = strtol(digits, &stop, 16);
	if (stop != digits + 4 || digits[0] == '-' || digits[0] == '+' || digits[0] == ' ')
		return -1;
	r->p += 4;
	return v;
}

static char *put_utf8(char *to, unsigned long c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 63));
	} else {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 63));
		*to++ = (char)(0x80 | (c & 63));
	}
	return to;
}

/* After the backslash. Characters beyond the first plane are never escaped by us. */
static int read_escape(struct reader *r, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *which = *r->p ? strchr(from, *r->p) : NULL;
	long c;

	if (which) {
		*(*to)++ = into[which - from];
		r->p++;
		return 0;
	}
	if (*r->p != 'u')
		return -EINVAL;
	r->p++;
	c = read_hex(r);
	if (c < 0 || (c >= 0xd800 && c < 0xe000))
		return -EINVAL;
	*to = put_utf8(*to, (unsigned long)c);
	return 0;
}

static int read_string(struct reader *r, struct otlp_str *ret)
{
	char *to;

	if (!next_is(r, '"'))
		return -EINVAL;
	ret->ptr = to = r->p;
	while (r->p < r->end && *r->p != '"') {
		if (*r->p != '\\') {
			*to++ = *r->p++;
			continue;
		}
		if (++r->p == r->end || read_escape(r, &to))
			return -EINVAL;
	}
	if (r->p == r->end)
		return -EINVAL;
	r->p++;
	ret->len = (size_t)(to - ret->ptr);
	return 0;
}

static bool next_is_word(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len))
		return false;
	r->p += len;
	return true;
}

/* A number, true or false into @a; null: no type changes, and *ret_has is false. */
static int read_plain(struct reader *r, struct otlp_attr *a, bool *ret_has)
{
	size_t len = strspn(r->p, "+-.0123456789eE");
	char *stop;

	*ret_has = true;
	if (!len) {
		a->type = OTLP_BOOL;
		a->value.boolean = next_is_word(r, "true");
		if (a->value.boolean || next_is_word(r, "false"))
			return 0;
		*ret_has = false;
		return next_is_word(r, "null") ? 0 : -EINVAL;
	}
	errno = 0;
	if (memchr(r->p, '.', len) || memchr(r->p, 'e', len) || memchr(r->p, 'E', len)) {
		a->type = OTLP_DOUBLE;
		a->value.number = strtod(r->p, &stop);
	} else {
		a->type = OTLP_INT;
		a->value.integer = strtoll(r->p, &stop, 10);
	}
	if (stop != r->p + len || (a->type == OTLP_INT && errno))
		return -EINVAL;
	r->p = stop;
	return 0;
}

/* A value of any kind, without taking it. */
static int skip_nested(struct reader *r, unsigned depth)
{
	struct otlp_str text;
	struct otlp_attr a;
	bool is_object = next_is(r, '{'), has;
	char close = is_object ? '}' : ']';

	if (!is_object && !next_is(r, '[')) {
		if (!next_is(r, '"'))
			return read_plain(r, &a, &has);
		r->p--;
		return read_string(r, &text);
	}
	if (depth == DEPTH_MAX)
		return -EINVAL;
	if (next_is(r, close))
		return 0;
	do {
		if (is_object && (read_string(r, &text) || !next_is(r, ':')))
			return -EINVAL;
		if (skip_nested(r, depth + 1))
			return -EINVAL;
	} while (next_is(r, ','));
	return next_is(r, close) ? 0 : -EINVAL;
}

static bool is_text(const struct otlp_str *s, const char *text)
{
	return s->len == strlen(text) && !memcmp(s->ptr, text, s->len);
}

static int read_time(const struct otlp_str *s, uint64_t *ret_unix_ns)
{
	struct tm tm = {0};
	char text[40], *rest;
	unsigned long ns;

	if (s->len != sizeof("2026-01-31T12:00:00.123456789Z") - 1)
		return -EINVAL;
	memcpy(text, s->ptr, s->len);
	text[s->len] = '\0';
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest || *rest != '.' || strspn(rest + 1, "0123456789") != 9)
		return -EINVAL;
	ns = strtoul(rest + 1, &rest, 10);
	*ret_unix_ns = (uint64_t)timegm(&tm) * 1000000000 + ns;
	return *rest == 'Z' ? 0 : -EINVAL;
}

/* A member whose value is a text. */
static int take_string(struct span_json *ret, const struct otlp_str *key, const struct otlp_str *s)
{
	size_t i;

	if (is_text(key, "time"))
		return read_time(s, &ret->span.start_unix_ns);
	if (is_text(key, "name"))
		ret->span.name = *s;
	else if (is_text(key, "message"))
		ret->span.status_message = *s;
	else if (is_text(key, "status"))
		for (i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
			if (is_text(s, statuses[i]))
				ret->span.status = (enum otlp_status)i;
	return 0;
}

static int read_member(struct reader *r, struct span_json *ret, uint64_t *ret_duration_ns)
{
	struct otlp_attr a = {0};
	bool has = true;
	int err;

	if (read_string(r, &a.key) || !next_is(r, ':'))
		return -EINVAL;
	if (next_is(r, '{') || next_is(r, '[')) {
		r->p--;
		return skip_nested(r, 0);
	}
	if (next_is(r, '"')) {
		r->p--;
		a.type = OTLP_STRING;
		err = read_string(r, &a.value.string);
	} else {
		err = read_plain(r, &a, &has);
	}
	if (err || !has)
		return err;
	if (memchr(a.key.ptr, '.', a.key.len)) {
		if (ret->span.attrs.len < SPAN_JSON_ATTRS_MAX)
			ret->attrs[ret->span.attrs.len++] = a;
		return 0;
	}
	if (a.type == OTLP_STRING)
		return take_string(ret, &a.key, &a.value.string);
	if (is_text(&a.key, "duration") && a.type == OTLP_DOUBLE && a.value.number >= 0 &&
	    a.value.number < 1e9)
		*ret_duration_ns = (uint64_t)(a.value.number * 1e9 + 0.5);
	else if (is_text(&a.key, "seq") && a.type == OTLP_INT)
		ret->seq = (uint64_t)a.value.integer;
	return 0;
}

int span_json_read(struct span_json *ret, char *text, size_t len)
{
	uint64_t duration_ns = 0;
	struct reader r;

	memset(ret, 0, sizeof(*ret));
	ret->span.attrs.list = ret->attrs;
	if (!len || text[len - 1] != '\n')
		return -EINVAL;
	r = (struct reader){text, text + len - 1};
	*r.end = '\0';
	if (!next_is(&r, '{'))
		return -EINVAL;
	do {
		if (read_member(&r, ret, &duration_ns))
			return -EINVAL;
	} while (next_is(&r, ','));
	if (!next_is(&r, '}') || r.p != r.end || !ret->span.name.len)
		return -EINVAL;
	ret->span.end_unix_ns = ret->span.start_unix_ns + duration_ns;
	return 0;
}
