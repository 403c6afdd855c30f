/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The three Export<Signal>PartialSuccess messages and google.rpc.Status share one shape as far as
 * they matter here: field 1 a number, field 2 a text. So the bodies are walked with nanopb's stream
 * functions, bounded by the buffer, instead of decoded into structs.
 */
#include "otlp/answer.h"

#include <pb_decode.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define RETRY_AFTER_MAX_S (24 * 3600u)

void otlp_answer_set_text(struct otlp_answer *a, const void *text, size_t len)
{
	const unsigned char *in = text;
	size_t out = 0;
	bool is_cut = false;

	for (size_t i = 0; i < len; i++) {
		char c = in[i] > ' ' && in[i] < 0x7f ? (char)in[i] : '?';

		if (in[i] <= ' ')
			c = ' ';
		if (c == ' ' && (out == 0 || a->text[out - 1] == ' '))
			continue;
		if (out == sizeof(a->text) - 4) {
			is_cut = true;
			break;
		}
		a->text[out++] = c;
	}
	while (out && a->text[out - 1] == ' ')
		out--;
	a->text[out] = '\0';
	if (is_cut)
		strcpy(a->text + out, "...");
}

struct number_and_text {
	uint64_t number;
	const uint8_t *text;
	size_t text_len;
};

static bool walk(pb_istream_t *s, struct number_and_text *ret)
{
	pb_wire_type_t wire;
	uint32_t tag;
	bool eof;

	while (pb_decode_tag(s, &wire, &tag, &eof)) {
		if (tag == 1 && wire == PB_WT_VARINT) {
			if (!pb_decode_varint(s, &ret->number))
				return false;
		} else if (tag == 2 && wire == PB_WT_STRING) {
			pb_istream_t sub;

			if (!pb_make_string_substream(s, &sub))
				return false;
			ret->text = sub.state; /* of a buffer stream: where it stands */
			ret->text_len = sub.bytes_left;
			if (!pb_close_string_substream(s, &sub))
				return false;
		} else if (!pb_skip_field(s, wire)) {
			return false;
		}
	}
	return eof;
}

/* Export<Signal>ServiceResponse: its only field, 1, is partial_success. */
static bool walk_response(const uint8_t *body, size_t len, struct number_and_text *ret)
{
	pb_istream_t s = pb_istream_from_buffer(body, len);
	pb_wire_type_t wire;
	uint32_t tag;
	bool eof;

	while (pb_decode_tag(&s, &wire, &tag, &eof)) {
		if (tag == 1 && wire == PB_WT_STRING) {
			pb_istream_t sub;

			if (!pb_make_string_substream(&s, &sub) || !walk(&sub, ret) ||
			    !pb_close_string_substream(&s, &sub))
				return false;
		} else if (!pb_skip_field(&s, wire)) {
			return false;
		}
	}
	return eof;
}

static bool is_protobuf(const struct otlp_response *r)
{
	static const char type[] = "application/x-protobuf";
	size_t len;

	if (!r->content_type)
		return false;
	len = strcspn(r->content_type, "; \t");
	return len == sizeof(type) - 1 && !strncasecmp(r->content_type, type, len);
}

static uint64_t seconds_until(const char *date, int64_t now_unix_s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char day[4], month[4], zone[4];
	struct tm tm = {0};
	const char *at;
	int64_t left;

	if (sscanf(date, "%3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3s", day, &tm.tm_mday, month,
		   &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone) != 8)
		return 0;
	at = strstr(months, month);
	if (strlen(month) != 3 || !at || (at - months) % 3 || strcmp(zone, "GMT") ||
	    tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 ||
	    tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return 0;
	tm.tm_mon = (int)(at - months) / 3;
	tm.tm_year -= 1900;
	left = (int64_t)timegm(&tm) - now_unix_s;
	return left > 0 ? (uint64_t)left : 0;
}

/* RFC 9110, section 10.2.3: seconds or a date. Malformed or past: 0. */
static uint64_t retry_after_ms(const char *value, int64_t now_unix_s)
{
	uint64_t s = 0;
	size_t digits;

	if (!value)
		return 0;
	digits = strspn(value, "0123456789");
	if (digits == 0) {
		s = seconds_until(value, now_unix_s);
	} else if (value[digits] == '\0') {
		for (size_t i = 0; i < digits && s <= RETRY_AFTER_MAX_S; i++)
			s = s * 10 + (uint64_t)(value[i] - '0');
	}
	return (s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * 1000;
}

static void read_success(struct otlp_answer *ret, const struct otlp_response *r, bool is_readable)
{
	static const char undecodable[] = "the body of the answer cannot be decoded";
	struct number_and_text partial = {0};

	ret->kind = OTLP_ANSWER_OK;
	if (r->len == 0 || !is_protobuf(r))
		return;
	if (!is_readable || !walk_response(r->body, r->len, &partial)) {
		ret->kind = OTLP_ANSWER_PARTIAL;
		otlp_answer_set_text(ret, undecodable, sizeof(undecodable) - 1);
		return;
	}
	if (partial.number == 0 && partial.text_len == 0)
		return;
	ret->kind = OTLP_ANSWER_PARTIAL;
	ret->rejected = partial.number > INT64_MAX ? 0 : partial.number;
	otlp_answer_set_text(ret, partial.text, partial.text_len);
}

/* Redirects are not followed: a POST with credentials to wherever a server says is nobody's wish.
 * The query, which may hold a secret, is left out. */
static void read_redirect(struct otlp_answer *ret, const struct otlp_response *r)
{
	char text[sizeof(ret->text) * 2];
	int len;

	if (r->location && *r->location)
		len = snprintf(text, sizeof(text),
			       "redirected, which is not followed: give the final URL as the "
			       "endpoint; the server names %.*s",
			       (int)strcspn(r->location, "?#"), r->location);
	else
		len = snprintf(text, sizeof(text),
			       "redirected, which is not followed: give the final URL as the "
			       "endpoint");
	otlp_answer_set_text(ret, text,
			     (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

void otlp_answer_read(struct otlp_answer *ret, const struct otlp_response *r, int64_t now_unix_s)
{
	bool is_readable = !r->content_encoding || !strcasecmp(r->content_encoding, "identity");
	struct number_and_text status = {0};

	*ret = (struct otlp_answer){.kind = OTLP_ANSWER_REFUSED, .status = r->status};
	if (r->status >= 200 && r->status < 300) {
		read_success(ret, r, is_readable);
		return;
	}
	if (r->status >= 300 && r->status < 400) {
		read_redirect(ret, r);
		return;
	}
	if (r->status == 429 || (r->status >= 502 && r->status <= 504)) {
		ret->kind = OTLP_ANSWER_RETRY;
		ret->retry_after_ms = retry_after_ms(r->retry_after, now_unix_s);
	}
	if (!is_readable)
		return;
	if (!is_protobuf(r)) {
		otlp_answer_set_text(ret, r->body, r->len);
	} else {
		pb_istream_t s = pb_istream_from_buffer(r->body, r->len);

		if (walk(&s, &status))
			otlp_answer_set_text(ret, status.text, status.text_len);
	}
}
