/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Against a server that plays scripted bytes. What the client must never do (hang, crash, resend
 * what is final, call lost what was taken) shows in its verdict and in what the server was sent.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "tests/http_client.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct otlp_http_attempt post_with(struct otlp_http *h, bool gzip)
{
	struct otlp_http_profile *p = client_profile(gzip, 10000);
	struct otlp_http_attempt a;

	otlp_http_post(h, p, client_body, client_body_len, &a);
	otlp_http_profile_destroy(p);
	return a;
}

/* Byte for byte: so no chunked request, no Expect, no Accept-Encoding, no Content-Encoding. */
static void test_http_request_is_exact(void **state)
{
	struct fault *f = fault_start(0, NULL, 0);
	struct otlp_http *h = client(fault_url(f));
	struct otlp_http_attempt a = post(h);
	char want[512];

	(void)state;
	assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
	assert_int_equal(a.answer.status, 200);
	assert_int_equal(a.sent_bytes, client_body_len);
	assert_int_equal(a.connects, 1);
	snprintf(want, sizeof(want),
		 "POST /v1/traces?q=1 HTTP/1.1\r\n"
		 "Host: 127.0.0.1:%u\r\n"
		 "Content-Type: application/x-protobuf\r\n"
		 "User-Agent: OTel-OTLP-Exporter-C/0.1.0\r\n"
		 "Authorization: Bearer s3cret\r\n"
		 "x-tenant: a b\tc\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 fault_port(f), client_body_len);
	assert_string_equal(fault_request(f, 0)->head, want);
	assert_body(fault_request(f, 0));
	otlp_http_destroy(h);
	fault_stop(f);
}

/* The same head, but for Content-Encoding and Content-Length. */
static void test_http_gzip_is_undone_to_the_same_bytes(void **state)
{
	static const struct fault_step steps[] = {{.bytes = OK_EMPTY, .end = FAULT_CLOSE}};
	struct fault *f = fault_start(0, steps, 1);
	struct otlp_http *h = client(fault_url(f));

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct otlp_http_attempt a = post_with(h, true);
		const struct fault_request *r = fault_request(f, i);
		uint8_t out[100];
		char want[512];
		z_stream z = {.next_in = r->body,
			      .avail_in = (uInt)r->body_len,
			      .next_out = out,
			      .avail_out = sizeof(out)};

		assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
		assert_int_equal(a.sent_bytes, r->body_len);
		snprintf(want, sizeof(want),
			 "POST /v1/traces?q=1 HTTP/1.1\r\n"
			 "Host: 127.0.0.1:%u\r\n"
			 "Content-Type: application/x-protobuf\r\n"
			 "User-Agent: OTel-OTLP-Exporter-C/0.1.0\r\n"
			 "Authorization: Bearer s3cret\r\n"
			 "x-tenant: a b\tc\r\n"
			 "Content-Encoding: gzip\r\n"
			 "Content-Length: %zu\r\n\r\n",
			 fault_port(f), r->body_len);
		assert_string_equal(r->head, want);
		assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.total_out, client_body_len);
		assert_memory_equal(out, client_body, client_body_len);
		inflateEnd(&z);
	}
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_user_agent_and_last_header_of_a_name_count(void **state)
{
	struct otlp_http_header headers[] = {{"a", "1"}, {"A", "2"}, {"x-empty", ""}};
	struct otlp_http_profile_opts opts = {.path = "/",
					      .headers = headers,
					      .headers_len = 3,
					      .user_agent = "ringspan/1 OTel-OTLP-Exporter-C/2",
					      .timeout_ms = 10000};
	struct fault *f = fault_start(0, NULL, 0);
	struct otlp_http *h = client(fault_url(f));
	struct otlp_http_profile *p = NULL;
	struct otlp_http_attempt a;
	char value[64];
	const char *why;

	(void)state;
	assert_int_equal(otlp_http_profile_create(&p, &opts, &why), 0);
	memset(headers, 0, sizeof(headers)); /* were copied */
	otlp_http_post(h, p, client_body, client_body_len, &a);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
	assert_true(fault_header(fault_request(f, 0), "User-Agent", value, sizeof(value)));
	assert_string_equal(value, "ringspan/1 OTel-OTLP-Exporter-C/2");
	assert_true(fault_header(fault_request(f, 0), "a", value, sizeof(value)));
	assert_string_equal(value, "2");
	assert_true(fault_header(fault_request(f, 0), "x-empty", value, sizeof(value)));
	assert_string_equal(value, "");
	otlp_http_profile_destroy(p);
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_large_body_arrives_whole(void **state)
{
	size_t size = 6 << 20;
	uint8_t *large = malloc(size);
	struct otlp_http_profile *p = client_profile(false, 20000);
	struct fault *f = fault_start(0, NULL, 0);
	struct otlp_http *h = client(fault_url(f));
	struct otlp_http_attempt a;

	(void)state;
	for (size_t i = 0; i < size; i++)
		large[i] = (uint8_t)(i * 2654435761u >> 16);
	for (size_t i = 0; i < 2; i++) {
		otlp_http_post(h, p, large, size, &a);
		assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
		assert_int_equal(a.connects, i == 0);
		assert_int_equal(fault_request(f, i)->body_len, size);
		assert_memory_equal(fault_request(f, i)->body, large, size);
	}
	otlp_http_destroy(h);
	otlp_http_profile_destroy(p);
	fault_stop(f);
	free(large);
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
	struct otlp_http *h = client(fault_url(f));

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
	struct otlp_http *h = client(fault_url(f));

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
	struct otlp_http *h = client(fault_url(f));

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
	struct otlp_http *h = client(fault_url(f));
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

/* Its kernel takes what fits into the buffers of both ends, and then no more. */
static void test_http_deadline_ends_a_write_that_does_not_go_on(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 65536;
	size_t size = (size_t)64 << 20;
	uint8_t *body = calloc(1, size);
	struct otlp_http_profile *p = client_profile(false, 200);
	socklen_t len = sizeof(address);
	struct otlp_http_attempt a;
	uint64_t start = now_ms();
	struct otlp_http *h;
	char url[64];

	(void)state;
	assert_non_null(body);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
	h = client(url);
	otlp_http_post(h, p, body, size, &a);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_string_equal(a.answer.text, "no answer within 0.2 s");
	assert_true(now_ms() - start < 5000);
	otlp_http_destroy(h);
	otlp_http_profile_destroy(p);
	free(body);
	close(listener);
}

/* The deadline is for the whole attempt: an answer that trickles does not renew it. */
static void test_http_deadline_is_total(void **state)
{
	static const struct fault_step steps[] = {
		{.end = FAULT_HANG},
		{.bytes = "HTTP/1.1 2", .end = FAULT_HANG},
		{.bytes = OK_HEAD "Content-Le", .end = FAULT_HANG},
		{.bytes = "HTTP/1.1 100 Continue\r\n\r\n", .end = FAULT_HANG},
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
		struct otlp_http *h = client(fault_url(f));
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
	arg.h = client(fault_url(arg.f));
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
	h = client(url);
	a = post(h);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_string_equal(a.answer.text, "connection refused");
	assert_int_equal(a.connects, 0);
	otlp_http_destroy(h);

	/* An empty label: refused by the resolver itself, nobody is asked. */
	h = client("http://no..such:4318/");
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
	h = client(url);
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
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct otlp_http_profile_opts opts = {
			.path = "/", .headers = &cases[i], .headers_len = 1};
		struct otlp_http_profile *p = NULL;

		why = NULL;
		assert_int_equal(otlp_http_profile_create(&p, &opts, &why), -EINVAL);
		assert_null(p);
		assert_non_null(why);
	}
	struct otlp_http_profile_opts agent = {.path = "/", .user_agent = "a\r\nb: c"};
	struct otlp_http_profile *p = NULL;

	assert_int_equal(otlp_http_profile_create(&p, &agent, &why), -EINVAL);
	otlp_http_profile_destroy(NULL);
}

/* ---- several at once ---- */

struct poster {
	struct fault *f;
	const struct otlp_http_profile *profile;
	struct otlp_http_attempt last;
	unsigned connects, ok;
};

static void *post_often(void *arg)
{
	struct poster *p = arg;
	struct otlp_http *h = client(fault_url(p->f));

	for (int i = 0; i < 50; i++) {
		otlp_http_post(h, p->profile, client_body, client_body_len, &p->last);
		p->connects += p->last.connects;
		p->ok += p->last.answer.kind == OTLP_ANSWER_OK;
	}
	otlp_http_destroy(h);
	return NULL;
}

/* Four clients share a profile. Each server answers its first request only when all four have one:
 * one client after the other would never get there. */
static void test_http_clients_run_in_parallel(void **state)
{
	struct fault_gate *gate = fault_gate_create(4);
	struct fault_step step = {.bytes = OK_EMPTY, .gate = gate};
	struct otlp_http_profile *profile = client_profile(true, 15000);
	struct poster posters[4];
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		posters[i] = (struct poster){.f = fault_start(0, &step, 1), .profile = profile};
		assert_int_equal(pthread_create(&threads[i], NULL, post_often, &posters[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(posters[i].ok, 50);
		assert_int_equal(posters[i].connects, 1);
		assert_int_equal(fault_requests(posters[i].f), 50);
		fault_stop(posters[i].f);
	}
	otlp_http_profile_destroy(profile);
	fault_gate_destroy(gate);
}

/* ---- idle connections, IPv6 ---- */

/* 408 is final, but not where it is what an idle connection was closed with. */
static void test_http_408_on_an_idle_connection_is_no_answer(void **state)
{
	static const char timeout[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
				      "Connection: close\r\n\r\n";
	static const struct fault_step steps[] = {
		{.bytes = timeout, .end = FAULT_CLOSE}, /* on a new one: the answer to it */
		{.bytes = OK_EMPTY "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
				   "Connection: close\r\n\r\n"},
	};
	struct fault *f = fault_start(0, steps, 2);
	struct otlp_http *h = client(fault_url(f));
	struct otlp_http_attempt a = post(h);

	(void)state;
	assert_int_equal(a.answer.kind, OTLP_ANSWER_REFUSED);
	assert_int_equal(a.answer.status, 408);
	assert_int_equal(fault_requests(f), 1);
	assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	a = post(h);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
	assert_int_equal(a.connects, 1);
	otlp_http_destroy(h);
	fault_stop(f);
}

static void test_http_reaches_ipv6_literals(void **state)
{
	struct fault *f = fault_start_ipv6(NULL, 0);
	char url[64], value[64];

	(void)state;
	if (!f) {
		print_message("this machine has no ::1\n");
		skip();
	}
	for (size_t i = 0; i < 2; i++) {
		struct otlp_http *h;

		snprintf(url, sizeof(url), i ? "http://localhost:%u" : "http://[0::1]:%u",
			 fault_port(f));
		h = client(url);
		assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
		assert_true(fault_header(fault_request(f, i), "Host", value, sizeof(value)));
		snprintf(url, sizeof(url), i ? "localhost:%u" : "[::1]:%u", fault_port(f));
		assert_string_equal(value, url);
		otlp_http_destroy(h);
	}
	fault_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_request_is_exact),
		cmocka_unit_test(test_http_gzip_is_undone_to_the_same_bytes),
		cmocka_unit_test(test_http_user_agent_and_last_header_of_a_name_count),
		cmocka_unit_test(test_http_large_body_arrives_whole),
		cmocka_unit_test(test_http_keeps_the_connection),
		cmocka_unit_test(test_http_closes_when_told_or_in_doubt),
		cmocka_unit_test(test_http_replaces_a_connection_that_went_away),
		cmocka_unit_test(test_http_gives_up_after_one_replacement),
		cmocka_unit_test(test_http_deadline_ends_a_write_that_does_not_go_on),
		cmocka_unit_test(test_http_deadline_is_total),
		cmocka_unit_test(test_http_abort_ends_the_attempt),
		cmocka_unit_test(test_http_says_why_it_cannot_connect),
		cmocka_unit_test(test_http_localhost_finds_ipv4),
		cmocka_unit_test(test_http_refuses_headers_that_break_the_protocol),
		cmocka_unit_test(test_http_clients_run_in_parallel),
		cmocka_unit_test(test_http_408_on_an_idle_connection_is_no_answer),
		cmocka_unit_test(test_http_reaches_ipv6_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
