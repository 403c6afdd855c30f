/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Against a server that plays scripted bytes. What the client must never do (hang, crash, resend
 * what is final, call lost what was taken) shows in its verdict and in what the server was sent.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "otlp/http.h"
#include "tests/http_fault.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define OK_EMPTY OK_HEAD "Content-Length: 0\r\n\r\n"
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const uint8_t body[] = "\x0a\x03\x00\xff\r\n\r\nnot text";
#define BODY_LEN (sizeof(body) - 1)

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct otlp_http *client(const char *url, bool gzip)
{
	struct otlp_http_header headers[] = {{"Authorization", "Bearer s3cret"},
					     {"x-tenant", "a b\tc"}};
	struct otlp_http_opts opts = {.headers = headers, .headers_len = 2, .gzip = gzip};
	struct otlp_http *h = NULL;
	struct otlp_url u;
	const char *why = "";

	assert_int_equal(otlp_url_parse(&u, url, &why), 0);
	opts.url = &u;
	assert_int_equal(otlp_http_create(&h, &opts, &why), 0);
	return h;
}

static struct otlp_http_attempt post_for(struct otlp_http *h, uint32_t timeout_ms)
{
	struct otlp_http_request r = {
		.path = "/v1/traces?q=1", .data = body, .size = BODY_LEN, .timeout_ms = timeout_ms};
	struct otlp_http_attempt a;

	otlp_http_post(h, &r, &a);
	return a;
}

static struct otlp_http_attempt post(struct otlp_http *h)
{
	return post_for(h, 10000);
}

/* One attempt with a fresh client against one step. */
static struct otlp_http_attempt post_to(const struct fault_step *step)
{
	struct fault *f = fault_start(0, step, 1);
	struct otlp_http *h = client(fault_url(f), false);
	struct otlp_http_attempt a = post(h);

	otlp_http_destroy(h);
	fault_stop(f);
	return a;
}

static void assert_body(const struct fault_request *r)
{
	assert_int_equal(r->body_len, BODY_LEN);
	assert_memory_equal(r->body, body, BODY_LEN);
}

static void test_http_request_is_exact(void **state)
{
	struct fault *f = fault_start(0, NULL, 0);
	struct otlp_http *h = client(fault_url(f), false);
	struct otlp_http_attempt a = post(h);
	char want[512];

	(void)state;
	assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
	assert_int_equal(a.answer.status, 200);
	assert_int_equal(a.sent_bytes, BODY_LEN);
	assert_int_equal(a.connects, 1);
	snprintf(want, sizeof(want),
		 "POST /v1/traces?q=1 HTTP/1.1\r\n"
		 "Host: 127.0.0.1:%u\r\n"
		 "Content-Type: application/x-protobuf\r\n"
		 "User-Agent: OTel-OTLP-Exporter-C/0.1.0\r\n"
		 "Authorization: Bearer s3cret\r\n"
		 "x-tenant: a b\tc\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 fault_port(f), BODY_LEN);
	assert_string_equal(fault_request(f, 0)->head, want);
	assert_body(fault_request(f, 0));
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_gzip_is_undone_to_the_same_bytes(void **state)
{
	static const struct fault_step steps[] = {{.bytes = OK_EMPTY, .end = FAULT_CLOSE}};
	struct fault *f = fault_start(0, steps, 1);
	struct otlp_http *h = client(fault_url(f), true);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct fault_request *r;
		uint8_t out[100];
		char value[32];
		z_stream z = {0};

		assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
		r = fault_request(f, i);
		assert_true(fault_header(r, "Content-Encoding", value, sizeof(value)));
		assert_string_equal(value, "gzip");
		assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
		z.next_in = r->body;
		z.avail_in = (uInt)r->body_len;
		z.next_out = out;
		z.avail_out = sizeof(out);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.total_out, BODY_LEN);
		assert_memory_equal(out, body, BODY_LEN);
		inflateEnd(&z);
	}
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_keeps_the_connection(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = OK_HEAD "Content-Length: 5\r\n\r\nhello"},
		{.bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
				  "3;x=y\r\nabc\r\n0\r\nTrailer: z\r\n\r\n"},
		{.bytes = "HTTP/1.1 204 No Content\r\n\r\n"},
		{.bytes = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
			  "Link: </x>\r\n\r\n" OK_EMPTY},
		{.bytes = "HTTP/1.0 200 OK\r\nConnection: x, Keep-Alive\r\n"
			  "Content-Length: 0\r\n\r\n"},
		{.bytes = OK_HEAD "Content-Length: 3\r\n\r\nabc", .byte_by_byte = true},
		{.bytes = OK_HEAD "Transfer-Encoding: Chunked\r\n\r\n"
				  "2\r\nab\r\nC\r\n0123456789ab\r\n0\r\n\r\n",
		 .byte_by_byte = true},
		{.bytes = "HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno"},
		{.bytes = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"},
	};
	struct fault *f = fault_start(0, steps, ARRAY_LEN(steps));
	struct otlp_http *h = client(fault_url(f), false);

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		struct otlp_http_attempt a = post(h);

		assert_int_equal(a.connects, i == 0);
		assert_int_equal(a.answer.kind, i == 7	 ? OTLP_ANSWER_REFUSED
						: i == 8 ? OTLP_ANSWER_RETRY
							 : OTLP_ANSWER_OK);
		assert_body(fault_request(f, i));
	}
	assert_int_equal(fault_connections(f), 1);
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_closes_when_told_or_in_doubt(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = OK_HEAD "Content-Length: 0\r\nConnection: x,close\r\n\r\n",
		 .end = FAULT_HANG},
		{.bytes = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", .end = FAULT_HANG},
		{.bytes = OK_HEAD "\r\nuntil the end", .end = FAULT_CLOSE},
		{.bytes = OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", .end = FAULT_HANG},
		{.bytes = OK_HEAD "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
				  "0\r\n\r\n",
		 .end = FAULT_HANG},
	};
	struct fault *f = fault_start(0, steps, ARRAY_LEN(steps));
	struct otlp_http *h = client(fault_url(f), false);

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(steps); i++) {
		struct otlp_http_attempt a = post(h);

		assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
		assert_int_equal(a.connects, 1);
	}
	assert_int_equal(fault_requests(f), ARRAY_LEN(steps) + 1);
	otlp_http_destroy(h);
	fault_stop(f);
}

/* The server closes a connection it had promised to keep: no failed attempt, the same bytes again.
 */
static void test_http_replaces_a_connection_that_went_away(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = OK_EMPTY, .end = FAULT_CLOSE}, /* seen only by the next request */
		{.bytes = OK_EMPTY},
		{.end = FAULT_RESET}, /* has read the request, but says nothing */
		{.bytes = OK_EMPTY},
		{.end = FAULT_CLOSE},
		{.bytes = OK_EMPTY "garbage that belongs to nothing\r\n\r\n"},
	};
	struct fault *f = fault_start(0, steps, ARRAY_LEN(steps));
	struct otlp_http *h = client(fault_url(f), false);

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	for (size_t i = 0; i < fault_requests(f); i++)
		assert_body(fault_request(f, i));
	assert_int_equal(fault_connections(f), 5);
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_gives_up_after_one_replacement(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = OK_EMPTY},
		{.end = FAULT_CLOSE},
		{.end = FAULT_CLOSE},
	};
	struct fault *f = fault_start(0, steps, ARRAY_LEN(steps));
	struct otlp_http *h = client(fault_url(f), false);
	struct otlp_http_attempt a;

	(void)state;
	assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	a = post(h);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_int_equal(a.answer.status, 0);
	assert_int_equal(fault_requests(f), 3);
	otlp_http_destroy(h);
	fault_stop(f);
}

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

/* The deadline is for the whole attempt: an answer that trickles does not renew it. */
static void test_http_deadline_is_total(void **state)
{
	static const struct fault_step steps[] = {
		{.end = FAULT_HANG},
		{.bytes = "HTTP/1.1 200 OK\r\nName: a long trickle of bytes, one at a time\r\n",
		 .byte_by_byte = true,
		 .pace_ms = 20,
		 .end = FAULT_HANG},
		{.head = OK_HEAD "\r\n", .bytes = "x", .pace_ms = 1, .end = FAULT_REPEAT},
		{.bytes = OK_HEAD "Content-Length: 2\r\n\r\na", .end = FAULT_HANG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct fault *f = fault_start(0, &steps[i], 1);
		struct otlp_http *h = client(fault_url(f), false);
		uint64_t start = now_ms(), took;
		struct otlp_http_attempt a = post_for(h, 150);

		took = now_ms() - start;
		assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
		assert_string_equal(a.answer.text, "no answer within 0.15 s");
		assert_true(took >= 140 && took < 3000);
		assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
		otlp_http_destroy(h);
		fault_stop(f);
	}
}

struct aborter {
	struct fault *f;
	struct otlp_http *h;
};

static void *abort_when_sent(void *arg)
{
	struct aborter *a = arg;

	fault_wait(a->f, 1);
	otlp_http_abort(a->h);
	return NULL;
}

static void test_http_abort_ends_the_attempt(void **state)
{
	static const struct fault_step step = {.end = FAULT_HANG};
	struct aborter arg = {.f = fault_start(0, &step, 1)};
	struct otlp_http_attempt a;
	pthread_t thread;

	(void)state;
	arg.h = client(fault_url(arg.f), false);
	assert_int_equal(pthread_create(&thread, NULL, abort_when_sent, &arg), 0);
	a = post_for(arg.h, 0);
	assert_true(a.is_aborted);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	pthread_join(thread, NULL);
	assert_true(post_for(arg.h, 0).is_aborted);
	assert_int_equal(fault_requests(arg.f), 1);
	otlp_http_destroy(arg.h);
	fault_stop(arg.f);
}

static void test_http_says_why_it_cannot_connect(void **state)
{
	char url[64];
	struct otlp_http *h;
	struct otlp_http_attempt a;

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", fault_closed_port());
	h = client(url, false);
	a = post(h);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_string_equal(a.answer.text, "connection refused");
	assert_int_equal(a.connects, 0);
	otlp_http_destroy(h);

	/* An empty label: refused by the resolver itself, nobody is asked. */
	h = client("http://no..such:4318/", false);
	a = post(h);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_string_equal(a.answer.text, "the host name cannot be resolved");
	otlp_http_destroy(h);
}

/* The server listens on 127.0.0.1 only, whatever the resolver names first. */
static void test_http_localhost_finds_ipv4(void **state)
{
	struct fault *f = fault_start(0, NULL, 0);
	struct otlp_http *h;
	char url[64], value[64];

	(void)state;
	snprintf(url, sizeof(url), "http://localhost:%u/", fault_port(f));
	h = client(url, false);
	assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	assert_true(fault_header(fault_request(f, 0), "Host", value, sizeof(value)));
	snprintf(url, sizeof(url), "localhost:%u", fault_port(f));
	assert_string_equal(value, url);
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_refuses_headers_that_break_the_protocol(void **state)
{
	static const struct otlp_http_header cases[] = {
		{"", "x"},
		{"a b", "x"},
		{"a:", "x"},
		{"a\r\nb", "x"},
		{"\xc3\xa4", "x"},
		{"a", "x\r\nHost: y"},
		{"a", "\n"},
		{"a", "\x7f"},
		{"host", "x"},
		{"Content-Type", "x"},
		{"content-length", "1"},
		{"Connection", "close"},
		{"Transfer-Encoding", "chunked"},
		{"Content-Encoding", "br"},
	};
	struct otlp_url u;
	const char *why;

	(void)state;
	assert_int_equal(otlp_url_parse(&u, "http://h", &why), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct otlp_http_opts opts = {.url = &u, .headers = &cases[i], .headers_len = 1};
		struct otlp_http *h = NULL;

		why = NULL;
		assert_int_equal(otlp_http_create(&h, &opts, &why), -EINVAL);
		assert_null(h);
		assert_non_null(why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_request_is_exact),
		cmocka_unit_test(test_http_gzip_is_undone_to_the_same_bytes),
		cmocka_unit_test(test_http_keeps_the_connection),
		cmocka_unit_test(test_http_closes_when_told_or_in_doubt),
		cmocka_unit_test(test_http_replaces_a_connection_that_went_away),
		cmocka_unit_test(test_http_gives_up_after_one_replacement),
		cmocka_unit_test(test_http_incomplete_answers_are_retried),
		cmocka_unit_test(test_http_final_answer_is_final_without_its_body),
		cmocka_unit_test(test_http_too_large_answers_are_final),
		cmocka_unit_test(test_http_takes_an_answer_of_just_the_limit),
		cmocka_unit_test(test_http_reads_retry_after),
		cmocka_unit_test(test_http_deadline_is_total),
		cmocka_unit_test(test_http_abort_ends_the_attempt),
		cmocka_unit_test(test_http_says_why_it_cannot_connect),
		cmocka_unit_test(test_http_localhost_finds_ipv4),
		cmocka_unit_test(test_http_refuses_headers_that_break_the_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
