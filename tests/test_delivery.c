/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the exporter does with several servers, several connections, and a queue on disk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/exporter_fixture.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define STATUS(n) "HTTP/1.1 " #n " x\r\nContent-Length: 0\r\n\r\n"
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ---- several destinations ---- */

static const char *url_of(char buf[64], const struct fault *f)
{
	snprintf(buf, 64, "%s/v1/traces", fault_url(f));
	return buf;
}

/* Each has its own fate: one takes, one refuses, one is away, and nobody waits for another. */
static void test_delivery_destinations_do_not_know_of_each_other(void **state)
{
	static const struct fault_step refuses[] = {{.bytes = STATUS(400)}, {.bytes = STATUS(400)}};
	struct otlp_destination to[3] = {0};
	struct otlp_exporter_opts opts = {.destinations = to, .destinations_len = 3};
	struct fault *takes = fault_start(0, NULL, 0), *refuse = fault_start(0, refuses, 2);
	struct otlp_signal_stats s[3];
	char url[3][64], error[OTLP_ERROR_CAP];
	struct otlp_target_info info;
	struct otlp_exporter *x;

	(void)state;
	to[0].target[OTLP_TRACES].url = url_of(url[0], takes);
	to[1].target[OTLP_TRACES].url = url_of(url[1], refuse);
	snprintf(url[2], sizeof(url[2]), "http://127.0.0.1:%u/", fault_closed_port());
	to[2].target[OTLP_TRACES].url = url[2];
	assert_int_equal(otlp_exporter_create(&x, &opts, error), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			otlp_exporter_submit(x, OTLP_TRACES, (uint8_t *)strdup("shared"), 6, 5), 0);
	fault_wait(takes, 2);
	fault_wait(refuse, 2);
	otlp_exporter_stop(x, 300);
	for (unsigned i = 0; i < 3; i++) {
		otlp_exporter_stats(x, i, OTLP_TRACES, &s[i]);
		assert_int_equal(s[i].submitted, 10);
		assert_int_equal(fixture_account(&s[i]), 10);
	}
	assert_int_equal(s[0].exported, 10);
	assert_int_equal(s[1].dropped[OTLP_DROP_REFUSED], 10);
	assert_int_equal(s[2].dropped[OTLP_DROP_SHUTDOWN], 10);
	assert_memory_equal(fault_request(takes, 1)->body, "shared", 6);
	assert_memory_equal(fault_request(refuse, 1)->body, "shared", 6);
	otlp_exporter_target(x, 1, OTLP_TRACES, &info);
	assert_string_equal(info.label, url[1]);
	assert_string_equal(info.server_address, "127.0.0.1");
	assert_int_equal(info.server_port, fault_port(refuse));
	otlp_exporter_target(x, 1, OTLP_LOGS, &info);
	assert_null(info.label);
	assert_false(otlp_exporter_takes(x, OTLP_LOGS));
	otlp_exporter_destroy(x);
	fault_stop(takes);
	fault_stop(refuse);
}

/* A server that hangs with the traces does not hold up the metrics, which go elsewhere. */
static void test_delivery_servers_do_not_wait_for_each_other(void **state)
{
	static const struct fault_step hangs[] = {{.end = FAULT_HANG}};
	struct fault *hang = fault_start(0, hangs, 1);
	struct fixture t;
	char url[64];

	(void)state;
	fixture_init(&t, fault_start(0, NULL, 0));
	t.to.target[OTLP_TRACES].url = url_of(url, hang);
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "t", 1);
	fault_wait(hang, 1);
	for (size_t i = 0; i < 3; i++) {
		fixture_submit(&t, OTLP_METRICS, "m", 1);
		fixture_submit(&t, OTLP_LOGS, "l", 1);
	}
	fault_wait(t.f, 6);
	assert_int_equal(fault_connections(t.f), 1); /* those two share one */
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).in_flight, 1);
	otlp_exporter_stop(t.x, 50);
	assert_int_equal(fixture_stats(&t, OTLP_METRICS).exported, 3);
	fixture_reset(&t);
	fault_stop(hang);
}

/* ---- several connections ---- */

#define PARALLEL 4

/* Answers only once it has PARALLEL requests in hand; returns NULL on success. */
static void *answer_together(void *arg)
{
	int listener = *(int *)arg, conn[PARALLEL];
	struct pollfd fd = {.events = POLLIN};
	char buf[4096];

	for (unsigned i = 0; i < PARALLEL; i++) {
		fd.fd = listener;
		if (poll(&fd, 1, 20000) != 1)
			return arg;
		conn[i] = accept(listener, NULL, NULL);
		fd.fd = conn[i];
		if (poll(&fd, 1, 20000) != 1 || read(conn[i], buf, sizeof(buf)) <= 0)
			return arg;
	}
	for (unsigned i = 0; i < PARALLEL; i++)
		if (write(conn[i], OK, strlen(OK)) < 0)
			return arg;
	for (unsigned i = 0; i < PARALLEL; i++) {
		fd.fd = conn[i];
		poll(&fd, 1, 20000); /* till the client goes */
		close(conn[i]);
	}
	return NULL;
}

static void test_delivery_connections_work_in_parallel(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(a);
	pthread_t server;
	struct fixture t;
	void *wrong;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, PARALLEL), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(pthread_create(&server, NULL, answer_together, &listener), 0);
	fixture_init(&t, NULL);
	snprintf(t.url[0], sizeof(t.url[0]), "http://127.0.0.1:%u/v1/traces", ntohs(a.sin_port));
	t.to.target[OTLP_TRACES].url = t.url[0];
	t.opts.connections = PARALLEL;
	fixture_start(&t);
	for (unsigned i = 0; i < PARALLEL; i++)
		fixture_submit(&t, OTLP_TRACES, "x", 1);
	otlp_exporter_stop(t.x, 20000);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, PARALLEL);
	assert_int_equal(otlp_exporter_connects(t.x), PARALLEL);
	fixture_reset(&t);
	pthread_join(server, &wrong);
	assert_null(wrong);
	close(listener);
}

/* ---- large requests ---- */

/* An export request of @n spans, each with a name of @size bytes. */
static uint8_t *spans(size_t n, size_t size, size_t *ret_size)
{
	char *name = calloc(1, size + 1);
	struct otlp_source source = {.scope_name = OTLP_STR("test")};
	struct otlp_span span = {.trace_id = {1}, .span_id = {1}, .kind = OTLP_SPAN_INTERNAL};
	size_t cap = n * (size + 100) + 1000;
	struct otlp_encoder *e;
	struct otlp_batch b;

	memset(name, 'x', size);
	span.name = (struct otlp_str){name, size};
	assert_int_equal(otlp_encoder_create(&e, &source), 0);
	assert_int_equal(otlp_batch_begin(&b, e, OTLP_TRACES, malloc(cap), cap), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(otlp_batch_add_span(&b, &span), 0);
	*ret_size = otlp_batch_end(&b);
	otlp_encoder_destroy(e);
	free(name);
	return b.data;
}

static void test_delivery_splits_what_is_above_the_soft_limit(void **state)
{
	struct fixture t;
	size_t size, total = 0;
	uint8_t *data = spans(20, 400, &size);

	(void)state;
	fixture_init(&t, fault_start(0, NULL, 0));
	t.opts.request_bytes = 2000;
	t.to.target[OTLP_TRACES].gzip = true; /* the limit is one before compression */
	fixture_start(&t);
	assert_int_equal(otlp_exporter_submit(t.x, OTLP_TRACES, data, size, 20), 0);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fault_requests(t.f), 5); /* four spans each */
	for (size_t i = 0; i < fault_requests(t.f); i++)
		total += fault_request(t.f, i)->body_len;
	assert_true(total < size / 2);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, 20);
	fixture_reset(&t);
}

static void test_delivery_counts_an_item_that_is_too_large(void **state)
{
	struct fixture t;
	size_t size;
	uint8_t *data = spans(3, 4000, &size), byte = 0xff;

	(void)state;
	fixture_init(&t, fault_start(0, NULL, 0));
	t.opts.request_bytes = 2000;
	fixture_start(&t);
	assert_int_equal(otlp_exporter_submit(t.x, OTLP_TRACES, data, size, 3), 0);
	data = calloc(1, 3000);
	memset(data, byte, 3000);
	assert_int_equal(otlp_exporter_submit(t.x, OTLP_TRACES, data, 3000, 1), -EINVAL);
	free(data);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fault_requests(t.f), 0);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).dropped[OTLP_DROP_TOO_LARGE], 3);
	assert_int_equal(t.told.kind[0], OTLP_EVENT_DROPPED);
	fixture_reset(&t);
}

/* ---- on disk ---- */

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/ringspan-delivery.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void wait_durable(struct fixture *t, enum otlp_signal signal)
{
	uint64_t end_ms = fixture_now_ms() + 20000;

	while (fixture_stats(t, signal).queued_volatile) {
		assert_true(fixture_now_ms() < end_ms);
		sched_yield();
	}
}

static void init_on_disk(struct fixture *t, uint16_t port)
{
	fixture_init(t, NULL);
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
		snprintf(t->url[s], sizeof(t->url[s]), "http://127.0.0.1:%u/%u", port, s);
		t->to.target[s].url = t->url[s];
	}
	t->opts.queue_dir = dir;
	t->opts.queue_window_ms = 10;
}

/* What a stop leaves is sent by the next start, first, in order, and by signal. */
static void test_delivery_queue_outlives_the_process(void **state)
{
	uint16_t port = fault_closed_port();
	struct fixture t;
	size_t i;

	(void)state;
	init_on_disk(&t, port);
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "t1", 1);
	fixture_submit(&t, OTLP_TRACES, "t2", 2);
	fixture_submit(&t, OTLP_LOGS, "l1", 3);
	wait_durable(&t, OTLP_TRACES);
	fixture_submit(&t, OTLP_TRACES, "t3", 4); /* the last look of the journal takes it along */
	otlp_exporter_stop(t.x, 0);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).queued, 7);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).queued_volatile, 0);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).dropped[OTLP_DROP_SHUTDOWN], 0);
	fixture_reset(&t);

	init_on_disk(&t, port);
	fixture_start(&t);
	i = fixture_wait_told(&t, OTLP_EVENT_RECOVERED);
	assert_non_null(strstr(t.told.text[i], "/0: 3 requests found in the queue on disk"));
	t.f = fault_start(port, NULL, 0);
	fixture_submit(&t, OTLP_TRACES, "t4", 5);
	fault_wait(t.f, 5);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).recovered, 7);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, 12);
	assert_int_equal(fixture_stats(&t, OTLP_LOGS).exported, 3);
	for (size_t n = 0, k = 0; n < 5; n++) {
		const struct fault_request *r = fault_request(t.f, n);

		if (r->body[0] == 't')
			assert_int_equal(r->body[1], '1' + k++);
	}
	fixture_reset(&t);

	/* All was acknowledged. */
	init_on_disk(&t, port);
	fixture_start(&t);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).recovered, 0);
	otlp_exporter_stop(t.x, 0);
	fixture_reset(&t);
}

/* Far more than memory holds goes to disk, and comes back from there. */
static void test_delivery_disk_takes_what_memory_does_not(void **state)
{
	uint16_t port = fault_closed_port();
	struct fixture t;
	char text[64];

	(void)state;
	init_on_disk(&t, port);
	t.opts.queue_bytes = 600;
	fixture_start(&t);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%049u", i);
		fixture_submit(&t, OTLP_METRICS, text, 1);
		if (i % 8 == 7)
			wait_durable(&t, OTLP_METRICS);
	}
	t.f = fault_start(port, NULL, 0);
	fault_wait(t.f, 100);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fixture_stats(&t, OTLP_METRICS).exported, 100);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%049u", i);
		assert_memory_equal(fault_request(t.f, i)->body, text, 49);
	}
	fixture_reset(&t);
}

/* The size on disk is bounded, too: the oldest go. */
static void test_delivery_disk_queue_is_bounded(void **state)
{
	uint16_t port = fault_closed_port();
	struct fixture t;
	char text[1001];
	uint64_t dropped;

	(void)state;
	init_on_disk(&t, port);
	t.opts.queue_disk_bytes = 20000;
	fixture_start(&t);
	memset(text, 'x', 1000);
	text[1000] = '\0';
	for (unsigned i = 0; i < 60; i++) {
		snprintf(text, 8, "%07u", i);
		text[7] = 'x';
		fixture_submit(&t, OTLP_TRACES, text, 1);
		wait_durable(&t, OTLP_TRACES);
	}
	dropped = fixture_stats(&t, OTLP_TRACES).dropped[OTLP_DROP_QUEUE_FULL];
	assert_in_range(dropped, 41, 45);
	t.f = fault_start(port, NULL, 0);
	fault_wait(t.f, 60 - dropped);
	otlp_exporter_stop(t.x, 10000);
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).exported, 60 - dropped);
	snprintf(text, 8, "%07u", (unsigned)dropped);
	assert_memory_equal(fault_request(t.f, 0)->body, text, 7);
	fixture_reset(&t);
}

static void test_delivery_queue_directory_has_one_user(void **state)
{
	struct otlp_exporter *second = NULL;
	char error[OTLP_ERROR_CAP];
	struct fixture t;

	(void)state;
	init_on_disk(&t, fault_closed_port());
	fixture_start(&t);
	assert_int_equal(otlp_exporter_create(&second, &t.opts, error), -EBUSY);
	assert_non_null(strstr(error, dir));
	assert_null(second);
	fixture_reset(&t);
}

/* Requests for a server that is no destination any more stay, and are spoken of. */
static void test_delivery_speaks_of_what_is_left_alone(void **state)
{
	struct fixture t;
	size_t i;

	(void)state;
	init_on_disk(&t, fault_closed_port());
	fixture_start(&t);
	fixture_submit(&t, OTLP_TRACES, "t1", 1);
	wait_durable(&t, OTLP_TRACES);
	otlp_exporter_stop(t.x, 0);
	fixture_reset(&t);

	init_on_disk(&t, fault_closed_port());
	fixture_start(&t);
	i = fixture_wait_told(&t, OTLP_EVENT_QUEUE);
	assert_non_null(strstr(t.told.text[i], "/0: 1 request waits in the queue on disk, and no "
					       "destination of this run is theirs"));
	assert_int_equal(fixture_stats(&t, OTLP_TRACES).recovered, 0);
	fixture_reset(&t);
}

#define on_disk(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivery_destinations_do_not_know_of_each_other),
		cmocka_unit_test(test_delivery_servers_do_not_wait_for_each_other),
		cmocka_unit_test(test_delivery_connections_work_in_parallel),
		cmocka_unit_test(test_delivery_splits_what_is_above_the_soft_limit),
		cmocka_unit_test(test_delivery_counts_an_item_that_is_too_large),
		on_disk(test_delivery_queue_outlives_the_process),
		on_disk(test_delivery_disk_takes_what_memory_does_not),
		on_disk(test_delivery_disk_queue_is_bounded),
		on_disk(test_delivery_queue_directory_has_one_user),
		on_disk(test_delivery_speaks_of_what_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
