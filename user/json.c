/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "user/utf8.h"

void json_init(struct json *j, FILE *out)
{
	*j = (struct json){.out = out};
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_text(FILE *out, const char *text, size_t text_len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + text_len, *run;
	size_t len;

	fputc('"', out);
	while (p < end) {
		for (run = p; p < end && is_plain(*p); p++)
			;
		fwrite(run, 1, (size_t)(p - run), out);
		if (p == end)
			break;
		len = utf8_len(p, (size_t)(end - p));
		if (!len) {
			fputs("\\ufffd", out);
			len = 1;
		} else if (*p == '"' || *p == '\\') {
			fprintf(out, "\\%c", *p);
		} else if (*p < 0x20 || *p == 0x7f) {
			fprintf(out, "\\u%04x", *p);
		} else {
			fwrite(p, 1, len, out);
		}
		p += len;
	}
	fputc('"', out);
}

/* Comma and key before a value. */
static void begin_value(struct json *j, const char *key)
{
	uint32_t bit = 1u << j->depth;

	if (j->has_items & bit)
		fputc(',', j->out);
	j->has_items |= bit;
	if (key) {
		put_text(j->out, key, strlen(key));
		fputc(':', j->out);
	}
}

static void open_nested(struct json *j, const char *key, bool is_array)
{
	uint32_t bit;

	begin_value(j, key);
	fputc(is_array ? '[' : '{', j->out);
	bit = 1u << ++j->depth;
	j->has_items &= ~bit;
	j->is_array = is_array ? j->is_array | bit : j->is_array & ~bit;
}

void json_open_object(struct json *j, const char *key)
{
	open_nested(j, key, false);
}

void json_open_array(struct json *j, const char *key)
{
	open_nested(j, key, true);
}

void json_close(struct json *j)
{
	fputc(j->is_array & 1u << j->depth ? ']' : '}', j->out);
	j->depth--;
}

void json_add_text(struct json *j, const char *key, const char *text)
{
	begin_value(j, key);
	if (text)
		put_text(j->out, text, strlen(text));
	else
		fputs("null", j->out);
}

void json_add_string(struct json *j, const char *key, const char *text, size_t len)
{
	begin_value(j, key);
	put_text(j->out, text, len);
}

void json_add_uint(struct json *j, const char *key, uint64_t value)
{
	begin_value(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void json_add_int(struct json *j, const char *key, int64_t value)
{
	begin_value(j, key);
	fprintf(j->out, "%" PRId64, value);
}

void json_add_seconds(struct json *j, const char *key, uint64_t ns)
{
	begin_value(j, key);
	fprintf(j->out, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
}

void json_add_number(struct json *j, const char *key, double value)
{
	begin_value(j, key);
	if (isfinite(value))
		fprintf(j->out, "%.9g", value);
	else
		fputs("null", j->out);
}

void json_add_bool(struct json *j, const char *key, bool value)
{
	begin_value(j, key);
	fputs(value ? "true" : "false", j->out);
}
