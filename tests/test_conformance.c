/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the exporter makes of every kind of answer (OTLP 1.x, sections OTLP/HTTP Response, Failures
 * and Connection): for each, how often the same bytes were sent, and what was counted.
 *
 * The server plays a row's script for the first request and answers 200 from then on. So three
 * requests are sent, and whatever the first met, the other two arrive.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/exporter_fixture.h"

#define ITEMS 5
#define FINE "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define PROTO "Content-Type: application/x-protobuf\r\n"
#define ANSWER(status, rest) "HTTP/1.1 " #status " x\r\n" rest
#define EMPTY "Content-Length: 0\r\n\r\n"

#define EMPTY_PARTIAL ANSWER(200, PROTO "Content-Length: 2\r\n\r\n\x0a\x00")

enum fate { TAKEN, AGAIN, REFUSED };

struct row {
	const char *name;
	struct fault_step step;
	enum fate fate; /* AGAIN: sent again, and then taken */
	unsigned rejected; /* items */
	uint32_t timeout_ms; /* 0: 5000 */
};

/* One of them; gzip bombs: see test_http_answers. */
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define CHUNKS "100\r\n" X64 X64 X64 X64 "\r\n"

static const struct row rows[] = {
	/* ---- success ---- */
	{"200, empty", {.bytes = FINE}, .fate = TAKEN},
	{"200, an empty partial_success as the Collector sends it",
	 {.bytes = EMPTY_PARTIAL, .len = sizeof(EMPTY_PARTIAL) - 1},
	 .fate = TAKEN},
	{"200 without a length, ended by closing",
	 {.bytes = ANSWER(200, "\r\n"), .end = FAULT_CLOSE},
	 .fate = TAKEN},
	{"200 in chunks",
	 {.bytes = ANSWER(200, "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
	 .fate = TAKEN},
	{"200 with a body of another kind",
	 {.bytes = ANSWER(200, "Content-Type: text/html\r\nContent-Length: 5\r\n\r\n<p>ok")},
	 .fate = TAKEN},
	{"200, one byte at a time", {.bytes = FINE, .byte_by_byte = true}, .fate = TAKEN},
	{"200, and then the connection is closed",
	 {.bytes = FINE, .end = FAULT_CLOSE},
	 .fate = TAKEN},
	{"200 after interim answers",
	 {.bytes = ANSWER(100, "\r\n") ANSWER(103, "Link: </x>\r\n\r\n") FINE},
	 .fate = TAKEN},
	{"202", {.bytes = ANSWER(202, EMPTY)}, .fate = TAKEN},
	{"204 without a length", {.bytes = ANSWER(204, "\r\n")}, .fate = TAKEN},
	/* ---- partial success: never again ---- */
	{"3 of 5 rejected",
	 {.bytes = ANSWER(200, PROTO "Content-Length: 9\r\n\r\n\x0a\x07\x08\x03\x12\x03why")},
	 .fate = TAKEN,
	 .rejected = 3},
	{"more rejected than there were",
	 {.bytes = ANSWER(200, PROTO "Content-Length: 5\r\n\r\n\x0a\x03\x08\xff\x7f")},
	 .fate = TAKEN,
	 .rejected = 5},
	{"a warning",
	 {.bytes = ANSWER(200, PROTO "Content-Length: 7\r\n\r\n\x0a\x05\x12\x03hmm")},
	 .fate = TAKEN},
	{"all rejected",
	 {.bytes = ANSWER(200, PROTO "Content-Length: 4\r\n\r\n\x0a\x02\x08\x05")},
	 .fate = TAKEN,
	 .rejected = 5},
	/* ---- final ---- */
	{"301", {.bytes = ANSWER(301, "Location: /x\r\n" EMPTY)}, .fate = REFUSED},
	{"400 with a Status",
	 {.bytes = ANSWER(400, PROTO "Content-Length: 7\r\n\r\n\x08\x03\x12\x03why")},
	 .fate = REFUSED},
	{"400 in plain text",
	 {.bytes = ANSWER(400, "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nbad\n")},
	 .fate = REFUSED},
	{"401", {.bytes = ANSWER(401, EMPTY)}, .fate = REFUSED},
	{"403", {.bytes = ANSWER(403, EMPTY)}, .fate = REFUSED},
	{"404 in HTML",
	 {.bytes = ANSWER(404,
			  "Content-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>")},
	 .fate = REFUSED},
	{"405", {.bytes = ANSWER(405, EMPTY)}, .fate = REFUSED},
	{"408", {.bytes = ANSWER(408, EMPTY)}, .fate = REFUSED},
	{"413", {.bytes = ANSWER(413, EMPTY)}, .fate = REFUSED},
	{"415", {.bytes = ANSWER(415, EMPTY)}, .fate = REFUSED},
	{"431", {.bytes = ANSWER(431, EMPTY)}, .fate = REFUSED},
	{"500", {.bytes = ANSWER(500, EMPTY)}, .fate = REFUSED},
	{"501", {.bytes = ANSWER(501, EMPTY)}, .fate = REFUSED},
	{"505", {.bytes = ANSWER(505, EMPTY)}, .fate = REFUSED},
	{"400 whose body never ends as it says",
	 {.bytes = ANSWER(400, "Content-Length: 100\r\n\r\nshort"), .end = FAULT_CLOSE},
	 .fate = REFUSED},
	{"200 with 10 GiB announced",
	 {.bytes = ANSWER(200, "Content-Length: 10737418240\r\n\r\nx"), .end = FAULT_HANG},
	 .fate = REFUSED},
	{"200 in endless chunks",
	 {.head = ANSWER(200, "Transfer-Encoding: chunked\r\n\r\n"),
	  .bytes = CHUNKS,
	  .end = FAULT_REPEAT},
	 .fate = REFUSED},
	{"200 with a body that is no response",
	 {.bytes = ANSWER(200, PROTO "Content-Length: 2\r\n\r\n\xff\xff")},
	 .fate = TAKEN},
	/* ---- again ---- */
	{"429", {.bytes = ANSWER(429, EMPTY)}, .fate = AGAIN},
	{"429 with Retry-After", {.bytes = ANSWER(429, "Retry-After: 0\r\n" EMPTY)}, .fate = AGAIN},
	{"502", {.bytes = ANSWER(502, EMPTY)}, .fate = AGAIN},
	{"503", {.bytes = ANSWER(503, EMPTY)}, .fate = AGAIN},
	{"503 with a date of the past",
	 {.bytes = ANSWER(503, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n" EMPTY)},
	 .fate = AGAIN},
	{"503 with a Retry-After that is none",
	 {.bytes = ANSWER(503, "Retry-After: soon\r\n" EMPTY)},
	 .fate = AGAIN},
	{"504", {.bytes = ANSWER(504, EMPTY)}, .fate = AGAIN},
	{"closed before the answer", {.end = FAULT_CLOSE}, .fate = AGAIN},
	{"reset before the answer", {.end = FAULT_RESET}, .fate = AGAIN},
	{"closed in the head",
	 {.bytes = "HTTP/1.1 200 OK\r\nConte", .end = FAULT_CLOSE},
	 .fate = AGAIN},
	{"closed in the body",
	 {.bytes = ANSWER(200, PROTO "Content-Length: 9\r\n\r\n\x0a\x07"), .end = FAULT_CLOSE},
	 .fate = AGAIN},
	{"closed in a chunk",
	 {.bytes = ANSWER(200, "Transfer-Encoding: chunked\r\n\r\n5\r\nab"), .end = FAULT_CLOSE},
	 .fate = AGAIN},
	{"random bytes",
	 {.bytes = "\x16\x03\x01\x02 what is this?\r\n\r\n", .end = FAULT_CLOSE},
	 .fate = AGAIN},
	{"no answer in time", {.end = FAULT_HANG}, .fate = AGAIN, .timeout_ms = 100},
	{"half an answer in time",
	 {.bytes = ANSWER(200, "Content-Length: 5\r\n\r\nab"), .end = FAULT_HANG},
	 .fate = AGAIN,
	 .timeout_ms = 100},
	{"an answer that drips",
	 {.bytes = FINE, .byte_by_byte = true, .pace_ms = 20},
	 .fate = AGAIN,
	 .timeout_ms = 100},
};

static void submit_all(struct fixture *t)
{
	static const char *const text[] = {"first", "second", "third"};

	for (unsigned i = 0; i < 3; i++)
		fixture_submit(t, OTLP_TRACES, text[i], ITEMS);
}

static void check_row(const struct row *row)
{
	bool is_again = row->fate == AGAIN;
	struct otlp_signal_stats s;
	struct fixture t;

	fixture_init(&t, fault_start(0, &row->step, 1));
	t.to.target[OTLP_TRACES].timeout_ms = row->timeout_ms ? row->timeout_ms : 5000;
	fixture_start(&t);
	submit_all(&t);
	fault_wait(t.f, 3 + is_again);
	otlp_exporter_stop(t.x, 10000);
	s = fixture_stats(&t, OTLP_TRACES);
	if (fault_requests(t.f) != 3u + is_again || s.retries != is_again ||
	    s.rejected != row->rejected ||
	    s.dropped[OTLP_DROP_REFUSED] != (row->fate == REFUSED ? ITEMS : 0) ||
	    s.exported + s.rejected + s.dropped[OTLP_DROP_REFUSED] != 3 * ITEMS)
		fail_msg("%s: %zu requests, %d retries, %d exported, %d rejected, %d refused",
			 row->name, fault_requests(t.f), (int)s.retries, (int)s.exported,
			 (int)s.rejected, (int)s.dropped[OTLP_DROP_REFUSED]);
	for (unsigned i = 0; i <= is_again; i++)
		assert_memory_equal(fault_request(t.f, i)->body, "first", 5);
	assert_memory_equal(fault_request(t.f, 1 + is_again)->body, "second", 6);
	fixture_reset(&t);
}

static void test_conformance_every_answer_has_its_consequence(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(&rows[i]);
}

/* A connection that the server closes while it is idle: the next request goes out on a new one, and
 * nobody hears of it. */
static void test_conformance_idle_close_is_no_event(void **state)
{
	static const struct fault_step steps[] = {{.bytes = FINE, .end = FAULT_CLOSE},
						  {.bytes = FINE, .end = FAULT_CLOSE}};
	struct fixture t;

	(void)state;
	fixture_init(&t, fault_start(0, steps, 2));
	fixture_start(&t);
	for (unsigned i = 0; i < 3; i++) {
		fixture_submit(&t, OTLP_LOGS, "x", 1);
		fault_wait(t.f, i + 1);
	}
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fault_requests(t.f), 3);
	assert_int_equal(fixture_stats(&t, OTLP_LOGS).retries, 0);
	assert_int_equal(fixture_stats(&t, OTLP_LOGS).exported, 3);
	assert_int_equal(t.told.len, 0);
	fixture_reset(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conformance_every_answer_has_its_consequence),
		cmocka_unit_test(test_conformance_idle_close_is_no_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
