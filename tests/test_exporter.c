/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/exporter_fixture.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define STATUS(n) "HTTP/1.1 " #n " x\r\nContent-Length: 0\r\n\r\n"
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static void test_exporter_sends_all_on_one_connection(void **state)
{
	static const char *const text[] = {"traces", "metrics", "logs"};
	struct fixture t;

	(void)state;
	fixture_init(&t, fault_start(0, NULL, 0));
	fixture_start(&t);
	for (size_t i = 0; i < 30; i++)
		fixture_submit(&t, i % 3, text[i % 3], 2);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fault_requests(t.f), 30);
	assert_int_equal(fault_connections(t.f), 1);
	assert_int_equal(otlp_exporter_connects(t.x), 1);
	for (size_t i = 0; i < 30; i++) {
		const struct fault_request *r = fault_request(t.f, i);
		char head[64];
		int len = snprintf(head, sizeof(head), "POST /v1/%.*s HTTP/1.1\r\n",
				   (int)r->body_len, r->body);

		assert_memory_equal(r->head, head, (size_t)len);
	}
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
		struct otlp_signal_stats c = fixture_stats(&t, s);

		assert_int_equal(c.exported, 20);
		assert_int_equal(c.requests, 10);
		assert_int_equal(c.retries, 0);
		assert_int_equal(c.sent_bytes, 10 * strlen(text[s]));
	}
	assert_int_equal(t.told.len, 0);
	fixture_reset(&t);
}

static void test_exporter_retries_the_same_bytes(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = STATUS(429)}, {.bytes = STATUS(502)}, {.bytes = STATUS(503)},
		{.bytes = STATUS(504)}, {.end = FAULT_CLOSE},	{.end = FAULT_CLOSE},
		{.bytes = OK},
	};
	struct fixture t;

	(void)state;
	fixture_init(&t, fault_start(0, steps, ARRAY_LEN(steps)));
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "the very same", 5);
	fault_wait(t.f, ARRAY_LEN(steps));
	otlp_exporter_stop(t.x, 10000);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_int_equal(fault_request(t.f, i)->body_len, 13);
		assert_memory_equal(fault_request(t.f, i)->body, "the very same", 13);
	}
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, 5);
	/* The first of the two closed ones was replaced without a word. */
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).retries, 5);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).requests, 5);
	assert_int_equal(t.told.len, 2);
	assert_int_equal(t.told.kind[0], OTLP_EVENT_UNREACHABLE);
	assert_int_equal(t.told.kind[1], OTLP_EVENT_RECOVERED);
	fixture_reset(&t);
}

static void test_exporter_final_answers_are_not_resent(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = "HTTP/1.1 400 Bad\r\nContent-Type: application/x-protobuf\r\n"
			  "Content-Length: 9\r\n\r\n\x08\x03\x12\x05why\x1bX"},
		{.bytes = STATUS(500)},
		{.bytes = STATUS(500)}, /* said already */
		{.bytes = STATUS(404)},
		{.bytes = STATUS(301)},
		{.bytes = OK},
		{.bytes = STATUS(301)}, /* news again */
	};
	struct fixture t;
	char want[300];

	(void)state;
	fixture_init(&t, fault_start(0, steps, ARRAY_LEN(steps)));
	fixture_start(&t);
	for (size_t i = 0; i < 7; i++)
		fixture_submit(&t, OTLP_METRICS, "x", 10);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fault_requests(t.f), 7);
	assert_int_equal(fixture_stats(&t, OTLP_METRICS).dropped[OTLP_DROP_REFUSED], 60);
	assert_int_equal(fixture_stats(&t, OTLP_METRICS).exported, 10);
	assert_int_equal(fixture_stats(&t, OTLP_METRICS).retries, 0);
	assert_int_equal(t.told.len, 5);
	snprintf(want, sizeof(want),
		 "%s/v1/metrics: refused with HTTP status 400 (why X); 10 data points dropped, "
		 "further ones are only counted until a request gets through",
		 fault_url(t.f));
	assert_string_equal(t.told.text[0], want);
	fixture_reset(&t);
}

static void test_exporter_partial_success_is_counted_once(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
			  "Content-Length: 9\r\n\r\n\x0a\x07\x08\x03\x12\x03old"},
		{.bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
			  "Content-Length: 7\r\n\r\n\x0a\x05\x12\x03hmm"},
		{.bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
			  "Content-Length: 5\r\n\r\n\x0a\x03\x08\xff\x7f"},
	};
	struct fixture t;

	(void)state;
	fixture_init(&t, fault_start(0, steps, ARRAY_LEN(steps)));
	fixture_start(&t);
	for (size_t i = 0; i < 3; i++)
		fixture_submit(&t, OTLP_TRACES, "x", 10);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fault_requests(t.f), 3);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, 17);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).rejected, 13); /* no more than there were */
	assert_int_equal(t.told.len, 3);
	assert_int_equal(t.told.kind[0], OTLP_EVENT_PARTIAL);
	assert_non_null(strstr(t.told.text[0], "rejected 3 of 10 spans (old)"));
	assert_non_null(strstr(t.told.text[1], "accepted, with a warning: hmm"));
	fixture_reset(&t);
}

static void test_exporter_waits_for_a_server_to_come_up(void **state)
{
	struct fixture t;
	uint16_t port = fault_closed_port();
	size_t i;

	(void)state;
	fixture_init(&t, NULL);
	snprintf(t.url[0], sizeof(t.url[0]), "http://127.0.0.1:%u/v1/traces?key=s3cret", port);
	t.to.target[OTLP_TRACES].url = t.url[0];
	t.to.target[OTLP_TRACES].headers = &(struct otlp_header){"x-key", "s3cret"};
	t.to.target[OTLP_TRACES].headers_len = 1;
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "a", 1);
	i = fixture_wait_told(&t, OTLP_EVENT_UNREACHABLE);
	assert_non_null(strstr(t.told.text[i], "/v1/traces: connection refused; retrying in 0.0 s, "
					       "1 request waits"));
	fixture_submit(&t, OTLP_TRACES, "b", 1);
	t.f = fault_start(port, NULL, 0);
	fault_wait(t.f, 2);
	fixture_wait_told(&t, OTLP_EVENT_RECOVERED);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, 2);
	assert_memory_equal(fault_request(t.f, 0)->body, "a", 1); /* it kept its place */
	assert_int_equal(t.told.len, 2); /* one sentence an outage, not one an attempt */
	for (i = 0; i < t.told.len; i++)
		assert_null(strstr(t.told.text[i], "s3cret"));
	fixture_reset(&t);
}

/* A URL that asks for patience holds back no other, though all share one connection. */
static void test_exporter_retry_after_holds_back_its_signal_alone(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = "HTTP/1.1 429 x\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n"},
	};
	struct fixture t;

	(void)state;
	fixture_init(&t, fault_start(0, steps, ARRAY_LEN(steps)));
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "t", 1);
	fixture_wait_told(&t, OTLP_EVENT_UNREACHABLE);
	assert_non_null(strstr(t.told.text[0], "HTTP status 429; retrying in 600.0 s"));
	for (size_t i = 0; i < 5; i++) {
		fixture_submit(&t, OTLP_METRICS, "m", 1);
		fault_wait(t.f, 2 + i);
	}
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).queued, 1);
	assert_int_equal(fault_connections(t.f), 1);
	/* At the end there is no time for that patience: it is tried once more. */
	otlp_exporter_stop(t.x, 5000);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, 1);
	fixture_reset(&t);
}

static void test_exporter_retry_after_is_bounded_by_the_budget(void **state)
{
	static const struct fault_step steps[] = {
		{.bytes = "HTTP/1.1 503 x\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n"},
		{.bytes = OK},
	};
	struct fixture t;
	uint64_t start_ms = fixture_now_ms();

	(void)state;
	fixture_init(&t, fault_start(0, steps, ARRAY_LEN(steps)));
	t.opts.retry_budget_ms[OTLP_TRACES] = 300;
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "t", 1);
	fault_wait(t.f, 2);
	assert_true(fixture_now_ms() - start_ms >= 250);
	otlp_exporter_stop(t.x, 5000);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, 1);
	fixture_reset(&t);
}

static void test_exporter_gives_up_after_the_budget(void **state)
{
	struct fixture t;

	(void)state;
	fixture_init(&t, NULL);
	snprintf(t.url[0], sizeof(t.url[0]), "http://127.0.0.1:%u/", fault_closed_port());
	t.to.target[OTLP_LOGS].url = t.url[0];
	t.opts.retry_budget_ms[OTLP_LOGS] = 200;
	fixture_start(&t);
	fixture_submit(&t, OTLP_LOGS, "x", 7);
	fixture_wait_told(&t, OTLP_EVENT_DROPPED);
	otlp_exporter_stop(t.x, 5000);
	assert_int_equal(fixture_stats(&t, OTLP_LOGS).dropped[OTLP_DROP_RETRY_BUDGET], 7);
	assert_true(fixture_stats(&t, OTLP_LOGS).retries >= 1);
	assert_int_equal(t.told.len, 2);
	assert_non_null(strstr(t.told.text[1], "no success within 0.2 s, at last: connection "
					       "refused; 7 log records dropped"));
	fixture_reset(&t);
}

/* However many requests wait, an outage sees one attempt a backoff. */
static void test_exporter_does_not_hammer_in_an_outage(void **state)
{
	static struct fault_step steps[100];
	struct fixture t;
	uint64_t start_ms = fixture_now_ms(), took_ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		steps[i].end = FAULT_CLOSE;
	fixture_init(&t, fault_start(0, steps, ARRAY_LEN(steps)));
	fixture_start(&t);
	for (size_t i = 0; i < 300; i++)
		fixture_submit(&t, i % 3, "x", 1);
	fault_wait(t.f, 8);
	took_ms = fixture_now_ms() - start_ms;
	/* The seven waits are at least half of 20, 30, 45, 66.7, 66.7, … ms. */
	assert_true(took_ms >= (20 + 30 + 45 + 4 * 66) / 2);
	otlp_exporter_stop(t.x, 0);
	assert_int_equal(t.told.kind[0], OTLP_EVENT_UNREACHABLE);
	assert_int_equal(t.told.len, 1 + 3); /* and what each signal lost */
	fixture_reset(&t);
}

static void test_exporter_full_queue_drops_the_oldest(void **state)
{
	static const struct fault_step steps[] = {{.end = FAULT_HANG}};
	struct fixture t;
	char text[2] = "0";

	(void)state;
	fixture_init(&t, fault_start(0, steps, 1));
	t.opts.queue_bytes = 3;
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "a", 1);
	fault_wait(t.f, 1); /* in flight, and hangs */
	for (text[0] = '0'; text[0] < '6'; text[0]++)
		fixture_submit(&t, OTLP_TRACES, text, 1);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).dropped[OTLP_DROP_QUEUE_FULL], 4);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).queued, 3);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).queued_bytes, 3);
	fixture_submit(&t, OTLP_METRICS, "four", 9); /* larger than the queue */
	assert_int_equal(fixture_stats(&t, OTLP_METRICS).dropped[OTLP_DROP_QUEUE_FULL], 9);
	assert_int_equal(t.told.len, 2); /* one sentence for the traces, one for the metrics */
	assert_int_equal(t.told.kind[0], OTLP_EVENT_DROPPED);
	otlp_exporter_stop(t.x, 0);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).dropped[OTLP_DROP_SHUTDOWN], 3);
	fixture_reset(&t);
}

static void test_exporter_stop_is_bounded_when_the_server_hangs(void **state)
{
	static const struct fault_step steps[] = {{.end = FAULT_HANG}};
	struct fixture t;
	uint64_t start_ms, took_ms;

	(void)state;
	fixture_init(&t, fault_start(0, steps, 1));
	t.to.target[OTLP_TRACES].timeout_ms = 0;
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "a", 4);
	fixture_submit(&t, OTLP_TRACES, "b", 5);
	fault_wait(t.f, 1);
	start_ms = fixture_now_ms();
	otlp_exporter_stop(t.x, 100);
	took_ms = fixture_now_ms() - start_ms;
	assert_true(took_ms >= 100 && took_ms < 3000);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).dropped[OTLP_DROP_SHUTDOWN], 9);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).queued, 0);
	assert_int_equal(t.told.len, 1);
	assert_non_null(strstr(t.told.text[0], "9 spans not sent"));
	fixture_reset(&t);
}

static void test_exporter_stop_flushes_and_then_refuses(void **state)
{
	struct fixture t;
	uint8_t byte = 0;

	(void)state;
	fixture_init(&t, fault_start(0, NULL, 0));
	t.to.target[OTLP_LOGS].url = NULL;
	fixture_start(&t);
	for (size_t i = 0; i < 50; i++)
		fixture_submit(&t, OTLP_TRACES, "x", 1);
	assert_int_equal(otlp_exporter_submit(t.x, OTLP_LOGS, &byte, 1, 1), -ENOTSUP);
	assert_int_equal(otlp_exporter_submit(t.x, OTLP_TRACES, &byte, 0, 1), -EINVAL);
	assert_int_equal(otlp_exporter_submit(t.x, OTLP_TRACES, &byte, 1, 0), -EINVAL);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, 50);
	assert_int_equal(otlp_exporter_submit(t.x, OTLP_TRACES, &byte, 1, 1), -ESHUTDOWN);
	otlp_exporter_stop(t.x, 10000);
	fixture_reset(&t);
}

static void test_exporter_create_names_what_is_wrong(void **state)
{
	static const struct otlp_header bad = {"x", "a\nb"};
	struct otlp_destination to[2] = {{.target = {{.url = "ftp://h/"}}}};
	struct otlp_exporter_opts opts = {.destinations = to, .destinations_len = 1};
	struct otlp_exporter *x = NULL;
	char error[OTLP_ERROR_CAP];

	(void)state;
	assert_int_equal(otlp_exporter_create(&x, &opts, error), -EINVAL);
	assert_string_equal(error, "the URL: the URL must begin with http:// or https://");
	assert_int_equal(otlp_exporter_create(&x, &opts, NULL), -EINVAL);
	to[0].target[0] =
		(struct otlp_target){.url = "http://h/", .headers = &bad, .headers_len = 1};
	assert_int_equal(otlp_exporter_create(&x, &opts, error), -EINVAL);
	assert_string_equal(error, "http://h/: a header value has a line break or another control "
				   "character");
	to[0].target[0] = to[1].target[0] = (struct otlp_target){.url = "http://h/"};
	opts.destinations_len = 2;
	assert_int_equal(otlp_exporter_create(&x, &opts, error), -EINVAL);
	assert_string_equal(error, "two destinations have the same URL: give each once");
	assert_null(x);
	otlp_exporter_destroy(NULL);
}

/* A signal must go to the main thread: here the only one that has SIGTERM unblocked. */
static void test_exporter_threads_take_no_signals(void **state)
{
	struct fixture t;
	struct dirent *d;
	DIR *dir;
	unsigned threads = 0;

	(void)state;
	fixture_init(&t, fault_start(0, NULL, 0));
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "x", 1);
	fault_wait(t.f, 1);
	dir = opendir("/proc/self/task");
	assert_non_null(dir);
	while ((d = readdir(dir))) {
		char path[300], line[200], name[64] = "";
		unsigned long long blocked = 0;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", d->d_name);
		file = fopen(path, "r");
		if (d->d_name[0] == '.' || !file)
			continue;
		while (fgets(line, sizeof(line), file)) {
			sscanf(line, "Name: %63s", name);
			sscanf(line, "SigBlk: %llx", &blocked);
		}
		fclose(file);
		if (strncmp(name, "nng:", 4) && strcmp(name, "otlp-sender"))
			continue;
		threads++;
		assert_true(blocked & 1 << (15 - 1));
	}
	closedir(dir);
	assert_true(threads >= 2);
	fixture_reset(&t);
}

/* Submits, and reads after each; returns NULL if all readings were closed. */
static void *submit_many(void *arg)
{
	struct fixture *t = arg;
	void *wrong = NULL;

	for (size_t i = 0; i < 400; i++) {
		struct otlp_signal_stats s;

		fixture_submit(t, i % 3, "body", 1 + i % 5);
		otlp_exporter_stats(t->x, 0, i % 3, &s);
		if (s.submitted != fixture_account(&s))
			wrong = arg;
	}
	return wrong;
}

/* Two producers, a server that answers in all ways, a small queue: the account is closed at every
 * reading, and at the end nothing is held. */
static void test_exporter_ledger_is_closed_under_faults(void **state)
{
	static const struct fault_step kinds[] = {
		{.bytes = OK},
		{.bytes = OK, .end = FAULT_CLOSE},
		{.bytes = STATUS(503)},
		{.bytes = STATUS(400)},
		{.end = FAULT_CLOSE},
		{.bytes = OK, .byte_by_byte = true},
		{.bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
			  "Content-Length: 4\r\n\r\n\x0a\x02\x08\x01"},
	};
	static struct fault_step steps[100];
	pthread_t producer[2];
	struct fixture t;
	uint64_t submitted = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		steps[i] = kinds[i * 5 % ARRAY_LEN(kinds)];
	fixture_init(&t, fault_start(0, steps, ARRAY_LEN(steps)));
	t.opts.queue_bytes = 400;
	t.opts.retry_first_ms = 1;
	t.opts.retry_max_ms = 3;
	fixture_start(&t);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&producer[i], NULL, submit_many, &t), 0);
	for (unsigned i = 0; i < 2; i++) {
		void *wrong;

		pthread_join(producer[i], &wrong);
		assert_null(wrong);
	}
	otlp_exporter_stop(t.x, 10000);
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
		struct otlp_signal_stats c = fixture_stats(&t, s);

		submitted += c.submitted;
		assert_int_equal(c.queued, 0);
		assert_int_equal(c.queued_bytes, 0);
		assert_true(c.exported > 0);
	}
	assert_int_equal(submitted, 2 * 400 * 3);
	fixture_reset(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exporter_sends_all_on_one_connection),
		cmocka_unit_test(test_exporter_retries_the_same_bytes),
		cmocka_unit_test(test_exporter_final_answers_are_not_resent),
		cmocka_unit_test(test_exporter_partial_success_is_counted_once),
		cmocka_unit_test(test_exporter_waits_for_a_server_to_come_up),
		cmocka_unit_test(test_exporter_retry_after_holds_back_its_signal_alone),
		cmocka_unit_test(test_exporter_retry_after_is_bounded_by_the_budget),
		cmocka_unit_test(test_exporter_gives_up_after_the_budget),
		cmocka_unit_test(test_exporter_does_not_hammer_in_an_outage),
		cmocka_unit_test(test_exporter_full_queue_drops_the_oldest),
		cmocka_unit_test(test_exporter_stop_is_bounded_when_the_server_hangs),
		cmocka_unit_test(test_exporter_stop_flushes_and_then_refuses),
		cmocka_unit_test(test_exporter_create_names_what_is_wrong),
		cmocka_unit_test(test_exporter_threads_take_no_signals),
		cmocka_unit_test(test_exporter_ledger_is_closed_under_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
