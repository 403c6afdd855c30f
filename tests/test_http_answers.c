/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every answer that a server, a proxy or something that is neither may give, on the wire. Each one
 * is answered for by its verdict and by how often the request was sent: what is final is not sent
 * again, and this layer resends nothing but on a connection that had gone away.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "tests/http_client.h"

#define PROTOBUF "Content-Type: application/x-protobuf\r\n"

/* The verdict on an answer of @head (status line and fields, without the length) and a body. */
static struct otlp_http_attempt answered(const char *head, const void *body, size_t len)
{
	char all[1024];
	struct fault_step step = {.head = all, .bytes = len ? body : NULL, .len = len};
	struct fault *f = fault_start(0, &step, 1);
	struct otlp_http *h = client(fault_url(f));
	struct otlp_http_attempt a;

	snprintf(all, sizeof(all), "%sContent-Length: %zu\r\n\r\n", head, len);
	a = post(h);
	assert_int_equal(fault_requests(f), 1);
	assert_int_equal(fault_connections(f), 1);
	/* Whatever it was, it is over: the next one finds the connection in order. */
	assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	otlp_http_destroy(h);
	fault_stop(f);
	return a;
}

static void test_http_any_2xx_without_body_is_success(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = OK_HEAD "Content-Length: 0\r\n\r\n"},
		{.bytes = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"},
		{.bytes = "HTTP/1.1 204 No Content\r\n\r\n"},
		{.bytes = "HTTP/1.1 299 Fine\r\nContent-Length: 0\r\n\r\n"},
		{.bytes = OK_HEAD PROTOBUF "Content-Length: 0\r\n\r\n"},
		{.bytes = OK_HEAD PROTOBUF "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{.bytes = OK_HEAD "Content-Length: 0, 0\r\n\r\n"},
		{.bytes = OK_HEAD "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"},
		{.bytes = OK_HEAD "\r\n", .end = FAULT_CLOSE},
	};
	struct fault *f = fault_start(0, steps, ARRAY_LEN(steps));
	struct otlp_http *h = client(fault_url(f));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct otlp_http_attempt a = post(h);

		assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
		assert_string_equal(a.answer.text, "");
		assert_int_equal(a.connects, i == 0);
		assert_int_equal(fault_requests(f), i + 1);
	}
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_each_status_has_its_verdict(void **state)
{
	static const struct {
		unsigned status;
		enum otlp_answer_kind want;
	} cases[] = {
		{400, OTLP_ANSWER_REFUSED}, {401, OTLP_ANSWER_REFUSED}, {402, OTLP_ANSWER_REFUSED},
		{403, OTLP_ANSWER_REFUSED}, {404, OTLP_ANSWER_REFUSED}, {405, OTLP_ANSWER_REFUSED},
		{408, OTLP_ANSWER_REFUSED}, {413, OTLP_ANSWER_REFUSED}, {414, OTLP_ANSWER_REFUSED},
		{415, OTLP_ANSWER_REFUSED}, {417, OTLP_ANSWER_REFUSED}, {431, OTLP_ANSWER_REFUSED},
		{500, OTLP_ANSWER_REFUSED}, {501, OTLP_ANSWER_REFUSED}, {505, OTLP_ANSWER_REFUSED},
		{599, OTLP_ANSWER_REFUSED}, {429, OTLP_ANSWER_RETRY},	{502, OTLP_ANSWER_RETRY},
		{503, OTLP_ANSWER_RETRY},   {504, OTLP_ANSWER_RETRY},	{200, OTLP_ANSWER_OK},
		{201, OTLP_ANSWER_OK},	    {206, OTLP_ANSWER_OK},	{600, OTLP_ANSWER_REFUSED},
		{101, OTLP_ANSWER_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct otlp_http_attempt a;
		char head[64];

		snprintf(head, sizeof(head), "HTTP/1.1 %u Some words\r\n", cases[i].status);
		a = answered(head, "why", 3);
		assert_int_equal(a.answer.kind, cases[i].want);
		assert_int_equal(a.answer.status, cases[i].status);
		assert_string_equal(a.answer.text, cases[i].want == OTLP_ANSWER_OK ? "" : "why");
	}
}

static void test_http_redirects_are_final_and_say_where(void **state)
{
	static const unsigned statuses[] = {300, 301, 302, 303, 307, 308};
	struct otlp_http_attempt a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		char head[128];

		snprintf(head, sizeof(head),
			 "HTTP/1.1 %u Moved\r\nLocation: https://new.example/v1/traces?token=x\r\n",
			 statuses[i]);
		a = answered(head, "<html>", 6);
		assert_int_equal(a.answer.kind, OTLP_ANSWER_REFUSED);
		assert_int_equal(a.answer.status, statuses[i]);
		assert_string_equal(a.answer.text,
				    "redirected, which is not followed: give the final URL as the "
				    "endpoint; the server names https://new.example/v1/traces");
	}
	a = answered("HTTP/1.1 304 Not Modified\r\n", "", 0);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_REFUSED);
	assert_string_equal(a.answer.text, "redirected, which is not followed: give the final URL "
					   "as the endpoint");
}

static void test_http_partial_success_is_not_resent(void **state)
{
	static const struct {
		const char *body;
		size_t len;
		uint64_t rejected;
		const char *text;
	} cases[] = {
		{"\x0a\x0b\x08\x03\x12\x07"
		 "bad ids",
		 13, 3, "bad ids"},
		{"\x0a\x02\x08\x05", 4, 5, ""},
		{"\x0a\x04\x12\x02hm", 6, 0, "hm"}, /* a warning only */
		{"\x0a\x0b\x08", 3, 0, "the body of the answer cannot be decoded"},
		{"not protobuf", 12, 0, "the body of the answer cannot be decoded"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct otlp_http_attempt a =
			answered(OK_HEAD PROTOBUF, cases[i].body, cases[i].len);

		assert_int_equal(a.answer.kind, OTLP_ANSWER_PARTIAL);
		assert_int_equal(a.answer.rejected, cases[i].rejected);
		assert_string_equal(a.answer.text, cases[i].text);
	}
	assert_int_equal(answered(OK_HEAD PROTOBUF, "\x0a\x00", 2).answer.kind, OTLP_ANSWER_OK);
	/* Of any other type it is not looked at. */
	assert_int_equal(answered(OK_HEAD, cases[0].body, cases[0].len).answer.kind,
			 OTLP_ANSWER_OK);
	assert_int_equal(
		answered(OK_HEAD "Content-Type: application/json\r\n", "{\"a\":", 5).answer.kind,
		OTLP_ANSWER_OK);
}

static void test_http_error_bodies_of_any_kind_are_shown(void **state)
{
	static const char status[] = "\x08\x0d\x12\x0a" /* code 13: changes nothing */
				     "no space x\x1a\x03\x0a\x01y";
	static const char html[] = "<html>\r\n<h1>502 Bad\x1b[1m Gateway</h1></html>";
	static const char *const heads[] = {"HTTP/1.1 400 Bad Request\r\n",
					    "HTTP/1.1 503 Unavailable\r\n"};
	char *huge = malloc(3 << 20);

	(void)state;
	memset(huge, 'e', 3 << 20);
	for (size_t i = 0; i < 2; i++) {
		enum otlp_answer_kind want = i ? OTLP_ANSWER_RETRY : OTLP_ANSWER_REFUSED;
		struct otlp_http_attempt a;
		char head[128];

		snprintf(head, sizeof(head), "%s" PROTOBUF, heads[i]);
		a = answered(head, status, sizeof(status) - 1);
		assert_int_equal(a.answer.kind, want);
		assert_string_equal(a.answer.text, "no space x");
		a = answered(head, "\xff\xff", 2); /* no Status at all */
		assert_int_equal(a.answer.kind, want);
		assert_string_equal(a.answer.text, "");
		snprintf(head, sizeof(head), "%sContent-Type: text/html\r\n", heads[i]);
		a = answered(head, html, sizeof(html) - 1);
		assert_int_equal(a.answer.kind, want);
		assert_string_equal(a.answer.text, "<html> <h1>502 Bad [1m Gateway</h1></html>");
		a = answered(heads[i], huge, 3 << 20);
		assert_int_equal(a.answer.kind, want);
		assert_int_equal(strlen(a.answer.text), sizeof(a.answer.text) - 1);
	}
	free(huge);
}

static void test_http_retry_after_in_seconds_or_as_a_date(void **state)
{
	static const struct {
		const char *value;
		uint64_t want_ms;
	} cases[] = {
		{"7", 7000},
		{"0", 0},
		{"86400000", 86400000}, /* not more than a day */
		{"99999999999999999999999999", 86400000},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 0}, /* past */
		{"Sunday, 06-Nov-94 08:49:37 GMT", 0}, /* not IMF-fixdate */
		{"Sun, 32 Nov 2094 08:49:37 GMT", 0},
		{"Sun, 06 Nov 2094 25:49:37 GMT", 0},
		{"soon", 0},
		{"-5", 0},
		{"1.5", 0},
	};
	static const unsigned statuses[] = {429, 503};
	time_t then = time(NULL) + 100;
	struct tm tm;
	char date[64], head[200];

	(void)state;
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &tm));
	for (size_t s = 0; s < 2; s++) {
		struct otlp_http_attempt a;

		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			snprintf(head, sizeof(head), "HTTP/1.1 %u x\r\nretry-AFTER: %s\r\n",
				 statuses[s], cases[i].value);
			a = answered(head, "", 0);
			assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
			assert_int_equal(a.answer.retry_after_ms, cases[i].want_ms);
		}
		snprintf(head, sizeof(head), "HTTP/1.1 %u x\r\nRetry-After: %s\r\n", statuses[s],
			 date);
		a = answered(head, "", 0);
		assert_true(a.answer.retry_after_ms >= 80000 && a.answer.retry_after_ms <= 100000);
	}
	/* Of a final answer it is no reason to try again. */
	assert_int_equal(answered("HTTP/1.1 500 x\r\nRetry-After: 1\r\n", "", 0).answer.kind,
			 OTLP_ANSWER_REFUSED);
}

/* ---- packed answers, which nobody asked for ---- */

static size_t pack(const void *data, size_t len, uint8_t *out, size_t cap)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)data,
		      .avail_in = (uInt)len,
		      .next_out = out,
		      .avail_out = (uInt)cap};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static void test_http_gzip_answers_are_unpacked(void **state)
{
	static const char partial[] = "\x0a\x0b\x08\x03\x12\x07"
				      "bad ids";
	static const char head[] = OK_HEAD PROTOBUF "Content-Encoding: GZip\r\n";
	static const char *const others[] = {"br", "gzip, gzip", "deflate"};
	uint8_t packed[200];
	size_t len = pack(partial, sizeof(partial) - 1, packed, sizeof(packed));
	struct otlp_http_attempt a = answered(head, packed, len);

	(void)state;
	assert_int_equal(a.answer.kind, OTLP_ANSWER_PARTIAL);
	assert_int_equal(a.answer.rejected, 3);
	assert_string_equal(a.answer.text, "bad ids");
	a = answered("HTTP/1.1 400 x\r\nContent-Encoding: x-gzip\r\n", packed,
		     pack("plain words", 11, packed, sizeof(packed)));
	assert_int_equal(a.answer.kind, OTLP_ANSWER_REFUSED);
	assert_string_equal(a.answer.text, "plain words");
	/* What cannot be read is said, and not sent again. */
	len = pack(partial, sizeof(partial) - 1, packed, sizeof(packed));
	for (size_t i = 0; i < 4 + ARRAY_LEN(others); i++) {
		char other[128];

		snprintf(other, sizeof(other), OK_HEAD PROTOBUF "Content-Encoding: %s\r\n",
			 others[i < ARRAY_LEN(others) ? i : 0]);
		a = i < ARRAY_LEN(others) ? answered(other, packed, len)
					  : answered(head, packed, len - 1 - 3 * (i - 3));
		assert_int_equal(a.answer.kind, OTLP_ANSWER_PARTIAL);
		assert_int_equal(a.answer.rejected, 0);
		assert_string_equal(a.answer.text, "the body of the answer cannot be decoded");
	}
	assert_int_equal(answered(OK_HEAD "Content-Encoding: gzip\r\n", "", 0).answer.kind,
			 OTLP_ANSWER_OK);
}

/* The limit holds for what comes out of it. */
static void test_http_gzip_bombs_are_final(void **state)
{
	size_t size = OTLP_HTTP_ANSWER_MAX + 1;
	uint8_t *zeros = calloc(1, size), *packed = malloc(size);

	(void)state;
	for (size_t cut = 0; cut < 2; cut++) {
		size_t len = pack(zeros, size - cut, packed, size);
		struct otlp_http_attempt a =
			answered(OK_HEAD "Content-Encoding: gzip\r\n", packed, len);

		assert_true(len < 10000);
		assert_int_equal(a.answer.kind, cut ? OTLP_ANSWER_OK : OTLP_ANSWER_REFUSED);
		assert_string_equal(a.answer.text, cut ? "" : "the answer is larger than 4 MiB");
	}
	free(zeros);
	free(packed);
}

/* ---- what is no proper answer ---- */

static void test_http_incomplete_answers_are_retried(void **state)
{
	static const struct fault_step steps[] = {
		{.end = FAULT_UNREAD},
		{.end = FAULT_CLOSE},
		{.end = FAULT_RESET},
		{.bytes = "HTTP/1.1 2", .end = FAULT_CLOSE},
		{.bytes = OK_HEAD "Content-Type: appl", .end = FAULT_CLOSE},
		{.bytes = OK_HEAD "Content-Length: 10\r\n\r\nshort", .end = FAULT_CLOSE},
		{.bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nab", .end = FAULT_CLOSE},
		{.bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\nnot hex", .end = FAULT_CLOSE},
		{.bytes = OK_HEAD "Content-Length: -1\r\n\r\n", .end = FAULT_CLOSE},
		{.bytes = OK_HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
		 .end = FAULT_CLOSE},
		{.bytes = "HTTP/1.1 100 Continue\r\n\r\n", .end = FAULT_CLOSE},
		{.bytes = "HTTP/1.1 100 Continue\r\n\r\n", .end = FAULT_REPEAT},
		{.bytes = "SSH-2.0-OpenSSH_9.2\r\n", .end = FAULT_CLOSE},
		{.bytes = "HTTP/2 200 OK\r\n\r\n", .end = FAULT_CLOSE},
		{.bytes = "HTTP/1.1 9999999999 x\r\n\r\n", .end = FAULT_CLOSE},
		{.bytes = "\0\0\0\0\n\n", .len = 6, .end = FAULT_CLOSE},
		{.bytes = "x", .end = FAULT_REPEAT}, /* an endless first line */
		{.head = OK_HEAD, .bytes = "Name: value\r\n", .end = FAULT_REPEAT},
		{.bytes = OK_HEAD "no colon\r\n\r\n", .end = FAULT_CLOSE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct otlp_http_attempt a = post_to(&steps[i]);

		if (a.answer.kind != OTLP_ANSWER_RETRY)
			print_error("step %zu\n", i);
		assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
		assert_int_equal(a.answer.status, 0);
		assert_string_not_equal(a.answer.text, "");
		assert_null(strstr(a.answer.text, "no answer within")); /* it was not waited for */
	}
}

static void test_http_final_answer_is_final_without_its_body(void **state)
{
	static const struct fault_step step = {
		.bytes = "HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nshort",
		.end = FAULT_CLOSE};
	struct otlp_http_attempt a = post_to(&step);

	(void)state;
	assert_int_equal(a.answer.kind, OTLP_ANSWER_REFUSED);
	assert_int_equal(a.answer.status, 400);
}

static void test_http_too_large_answers_are_final(void **state)
{
	static const char chunk[] = "1000\r\n%4096s\r\n";
	char chunks[4200], text[4097];
	struct fault_step steps[] = {
		{.bytes = OK_HEAD "Content-Length: 10737418240\r\n\r\n", .end = FAULT_HANG},
		{.bytes = OK_HEAD "Content-Length: 99999999999999999999999\r\n\r\n",
		 .end = FAULT_HANG},
		{.head = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n",
		 .bytes = chunks,
		 .end = FAULT_REPEAT},
		{.head = OK_HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n",
		 .bytes = text,
		 .end = FAULT_REPEAT},
		{.head = OK_HEAD "\r\n", .bytes = text, .end = FAULT_REPEAT},
		{.head = "HTTP/1.1 503 Busy\r\n\r\n", .bytes = text, .end = FAULT_REPEAT},
	};

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	snprintf(chunks, sizeof(chunks), chunk, text);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct otlp_http_attempt a = post_to(&steps[i]);

		assert_int_equal(a.answer.kind, OTLP_ANSWER_REFUSED);
		assert_int_equal(a.answer.status, i == 5 ? 503 : 200);
		assert_string_equal(a.answer.text, "the answer is larger than 4 MiB");
	}
}

static void test_http_takes_an_answer_of_just_the_limit(void **state)
{
	char head[100], *text = malloc(OTLP_HTTP_ANSWER_MAX);
	struct fault_step step = {.head = head, .bytes = text, .len = OTLP_HTTP_ANSWER_MAX};

	(void)state;
	memset(text, 'x', OTLP_HTTP_ANSWER_MAX);
	snprintf(head, sizeof(head), OK_HEAD "Content-Length: %u\r\n\r\n", OTLP_HTTP_ANSWER_MAX);
	assert_int_equal(post_to(&step).answer.kind, OTLP_ANSWER_OK);
	strcpy(head, OK_HEAD "\r\n");
	step.end = FAULT_CLOSE;
	assert_int_equal(post_to(&step).answer.kind, OTLP_ANSWER_OK);
	free(text);
}

static void test_http_reads_retry_after(void **state)
{
	static const struct fault_step step = {
		.bytes = "HTTP/1.1 503 Busy\r\nretry-after: 7\r\nContent-Length: 4\r\n\r\nbusy"};
	struct otlp_http_attempt a = post_to(&step);

	(void)state;
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_int_equal(a.answer.retry_after_ms, 7000);
	assert_string_equal(a.answer.text, "busy");
}

/* More than was announced belongs to no answer, even if it looks like one. */
static void test_http_bytes_beyond_the_length_are_dropped(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = OK_HEAD "Content-Length: 2\r\n\r\nokHTTP/1.1 400 No\r\n"
				  "Content-Length: 0\r\n\r\n"},
		{.bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
				  "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"},
		{.bytes = "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 400 No\r\n"
			  "Content-Length: 0\r\n\r\n"},
		{.bytes = OK_HEAD "Content-Length: 2\r\n\r\nhello\r\n\r\n"},
	};
	struct fault *f = fault_start(0, steps, ARRAY_LEN(steps));
	struct otlp_http *h = client(fault_url(f));

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(steps); i++) {
		struct otlp_http_attempt a = post(h);

		assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
		assert_int_equal(a.connects, 1);
		assert_int_equal(fault_requests(f), i + 1);
	}
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_an_unread_body_ends_its_connection(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = OK_HEAD "Content-Length: 10737418240\r\n\r\nHTTP/1.1 400 No\r\n\r\n",
		 .end = FAULT_HANG},
		{.bytes = "HTTP/1.1 400 x\r\nTransfer-Encoding: x\r\n\r\nHTTP/1.1 400 No\r\n\r\n",
		 .end = FAULT_HANG},
	};
	struct fault *f = fault_start(0, steps, 2);
	struct otlp_http *h = client(fault_url(f));

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct otlp_http_attempt a = post(h);

		assert_int_equal(a.answer.kind, i < 2 ? OTLP_ANSWER_REFUSED : OTLP_ANSWER_OK);
		assert_int_equal(a.connects, 1);
	}
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_unusual_heads_are_read(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"},
		{.bytes = OK_HEAD "Server: a\tb\r\ncontent-length:0\t\r\n\r\n"},
		{.bytes = "HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		assert_int_equal(post_to(&steps[i]).answer.kind, OTLP_ANSWER_OK);
}

static void test_http_a_head_may_have_64_kib(void **state)
{
	char *head = malloc(70000);

	(void)state;
	for (int filler = 65000; filler <= 66000; filler += 1000) {
		struct fault_step step = {.head = head, .bytes = "x", .end = FAULT_CLOSE};
		struct otlp_http_attempt a;

		snprintf(head, 70000, OK_HEAD "Content-Length: 1\r\nFiller: %0*d\r\n\r\n", filler,
			 0);
		a = post_to(&step);
		assert_int_equal(a.answer.kind,
				 filler == 65000 ? OTLP_ANSWER_OK : OTLP_ANSWER_RETRY);
	}
	free(head);
}

/* Never taken for success, nor for anything final, by chance; and never a way out of bounds. */
static void test_http_random_bytes_are_retried(void **state)
{
	uint32_t random = 1;
	char bytes[300];

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		struct fault_step step = {
			.head = i & 1 ? OK_HEAD "Transfer-Encoding: chunked\r\n\r\n" : NULL,
			.bytes = bytes,
			.len = 1 + i,
			.end = FAULT_CLOSE};
		struct otlp_http_attempt a;

		for (size_t at = 0; at < step.len; at++) {
			random = random * 1664525 + 1013904223;
			bytes[at] = (char)(random >> 24);
		}
		bytes[0] |= (char)0x80; /* no digit of a chunk size */
		a = post_to(&step);
		assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
		assert_int_equal(a.answer.status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_any_2xx_without_body_is_success),
		cmocka_unit_test(test_http_each_status_has_its_verdict),
		cmocka_unit_test(test_http_redirects_are_final_and_say_where),
		cmocka_unit_test(test_http_partial_success_is_not_resent),
		cmocka_unit_test(test_http_error_bodies_of_any_kind_are_shown),
		cmocka_unit_test(test_http_retry_after_in_seconds_or_as_a_date),
		cmocka_unit_test(test_http_gzip_answers_are_unpacked),
		cmocka_unit_test(test_http_gzip_bombs_are_final),
		cmocka_unit_test(test_http_incomplete_answers_are_retried),
		cmocka_unit_test(test_http_final_answer_is_final_without_its_body),
		cmocka_unit_test(test_http_too_large_answers_are_final),
		cmocka_unit_test(test_http_takes_an_answer_of_just_the_limit),
		cmocka_unit_test(test_http_reads_retry_after),
		cmocka_unit_test(test_http_bytes_beyond_the_length_are_dropped),
		cmocka_unit_test(test_http_an_unread_body_ends_its_connection),
		cmocka_unit_test(test_http_unusual_heads_are_read),
		cmocka_unit_test(test_http_a_head_may_have_64_kib),
		cmocka_unit_test(test_http_random_bytes_are_retried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
