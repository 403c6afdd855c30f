/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TLS against a server with a certificate made for the occasion by openssl(1); where that is
 * missing the tests that need it are skipped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "otlp/http.h"
#include "tests/http_fault.h"

struct secure {
	char folder[32], both[64], cert[64];
	FILE *server; /* its stdin; closing it ends the server */
	uint16_t port;
};

static struct otlp_http *client(const char *host, uint16_t port, const char *ca_file)
{
	struct otlp_http_opts opts = {.ca_file = ca_file};
	struct otlp_http *h = NULL;
	struct otlp_url u;
	const char *why = "";
	char url[64];

	snprintf(url, sizeof(url), "https://%s:%u/v1/traces", host, port);
	assert_int_equal(otlp_url_parse(&u, url, &why), 0);
	opts.url = &u;
	assert_int_equal(otlp_http_create(&h, &opts, &why), 0);
	return h;
}

static struct otlp_http_attempt post_path(struct otlp_http *h, const char *path,
					  uint32_t timeout_ms)
{
	static const uint8_t body[] = "spans";
	struct otlp_http_request r = {
		.path = path, .data = body, .size = 5, .timeout_ms = timeout_ms};
	struct otlp_http_attempt a;

	otlp_http_post(h, &r, &a);
	return a;
}

static struct otlp_http_attempt post(struct otlp_http *h, uint32_t timeout_ms)
{
	return post_path(h, "/v1/traces", timeout_ms);
}

/* False: no openssl. */
static bool make_certificate(struct secure *s, const char *name)
{
	char command[600];

	strcpy(s->folder, "/tmp/test_https.XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->cert, sizeof(s->cert), "%s/cert.pem", s->folder);
	snprintf(s->both, sizeof(s->both), "%s/both.pem", s->folder);
	snprintf(
		command, sizeof(command),
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
		"-subj /CN=%s -addext subjectAltName=DNS:%s -keyout %s -out %s 2>/dev/null && "
		"cat %s >>%s",
		name, name, s->both, s->cert, s->cert, s->both);
	return system(command) == 0;
}

static void secure_stop(struct secure *s)
{
	if (s->server)
		pclose(s->server);
	unlink(s->cert);
	unlink(s->both);
	rmdir(s->folder);
}

/* Makes a certificate for @name, or skips the test. */
static void secure_init(struct secure *s, const char *name)
{
	*s = (struct secure){0};
	if (make_certificate(s, name))
		return;
	secure_stop(s);
	print_message("no openssl to make a certificate with\n");
	skip();
}

/* And serves with it. */
static void secure_start(struct secure *s, const char *name)
{
	char command[300], fifo[64], line[16] = "";
	FILE *out;

	secure_init(s, name);
	snprintf(fifo, sizeof(fifo), "%s/port", s->folder);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	snprintf(command, sizeof(command), "exec " HTTPS_SERVER " %s >%s", s->both, fifo);
	s->server = popen(command, "w");
	assert_non_null(s->server);
	out = fopen(fifo, "r");
	assert_non_null(out);
	unlink(fifo);
	if (!fgets(line, sizeof(line), out))
		line[0] = '\0';
	fclose(out);
	s->port = (uint16_t)atoi(line);
	if (s->port)
		return;
	secure_stop(s);
	print_message("the server does not start: no python3?\n");
	skip();
}

static void test_https_delivers_and_keeps_the_connection(void **state)
{
	struct secure s;
	struct otlp_http *h;

	(void)state;
	secure_start(&s, "localhost");
	h = client("localhost", s.port, s.cert);
	for (size_t i = 0; i < 3; i++) {
		struct otlp_http_attempt a = post(h, 10000);

		assert_string_equal(a.answer.text, "");
		assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
		assert_int_equal(a.answer.status, 200);
		assert_int_equal(a.connects, i == 0);
	}
	otlp_http_destroy(h);
	secure_stop(&s);
}

static void assert_not_trusted(const char *name, bool is_known)
{
	struct secure s;
	struct otlp_http *h;
	struct otlp_http_attempt a;

	secure_start(&s, name);
	h = client("localhost", s.port, is_known ? s.cert : NULL);
	a = post(h, 10000);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_int_equal(a.answer.status, 0);
	assert_non_null(strstr(a.answer.text, "certificate is not trusted"));
	otlp_http_destroy(h);
	secure_stop(&s);
}

static void test_https_refuses_an_unknown_issuer(void **state)
{
	(void)state;
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK)) {
		print_message("this system has no CA certificates\n");
		skip();
	}
	assert_not_trusted("localhost", false);
}

static void test_https_refuses_another_name(void **state)
{
	(void)state;
	assert_not_trusted("elsewhere.example", true);
}

static void test_https_deadline_is_total(void **state)
{
	struct secure s;
	struct otlp_http *h;

	(void)state;
	secure_start(&s, "localhost");
	h = client("localhost", s.port, s.cert);
	for (size_t i = 0; i < 3; i++) {
		struct otlp_http_attempt a = post_path(h, "/hang", 200);

		assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
		assert_string_equal(a.answer.text, "no answer within 0.2 s");
		assert_int_equal(post(h, 10000).answer.kind, OTLP_ANSWER_OK);
	}
	otlp_http_destroy(h);
	secure_stop(&s);
}

/* The server takes the connection and never says a word of TLS. */
static void test_https_silent_server_is_left_in_time(void **state)
{
	static const struct fault_step step = {.end = FAULT_HANG};
	struct secure s;
	struct fault *f;
	struct otlp_http_attempt a;
	struct otlp_http *h;
	struct timespec start, end;

	(void)state;
	secure_init(&s, "localhost");
	f = fault_start(0, &step, 1);
	h = client("localhost", fault_port(f), s.cert);
	clock_gettime(CLOCK_MONOTONIC, &start);
	a = post(h, 200);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_true(end.tv_sec - start.tv_sec < 5);
	otlp_http_destroy(h);
	/* And nothing was said in plain text instead. */
	assert_int_equal(fault_connections(f), 1);
	assert_int_equal(fault_requests(f), 0);
	fault_stop(f);
	secure_stop(&s);
}

static void test_https_never_falls_back_to_plain_text(void **state)
{
	static const struct fault_step steps[] = {{.end = FAULT_UNREAD}, {.end = FAULT_UNREAD}};
	struct secure s;
	struct fault *f;
	struct otlp_http *h;

	(void)state;
	secure_init(&s, "localhost");
	f = fault_start(0, steps, 2);
	h = client("localhost", fault_port(f), s.cert);
	for (size_t i = 0; i < 3; i++) {
		struct otlp_http_attempt a = post(h, 300);

		assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
		assert_int_equal(a.answer.status, 0);
	}
	assert_int_equal(fault_requests(f), 0);
	otlp_http_destroy(h);
	fault_stop(f);
	secure_stop(&s);
}

static void test_https_needs_its_ca_file(void **state)
{
	struct otlp_http_opts opts = {.ca_file = "/nonexistent/ca.pem"};
	struct otlp_http *h = NULL;
	struct otlp_url u;
	const char *why;

	(void)state;
	assert_int_equal(otlp_url_parse(&u, "https://h", &why), 0);
	opts.url = &u;
	assert_int_equal(otlp_http_create(&h, &opts, &why), -ENOENT);
	assert_string_equal(why, "the CA file cannot be read");
	assert_null(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_https_delivers_and_keeps_the_connection),
		cmocka_unit_test(test_https_refuses_an_unknown_issuer),
		cmocka_unit_test(test_https_refuses_another_name),
		cmocka_unit_test(test_https_deadline_is_total),
		cmocka_unit_test(test_https_silent_server_is_left_in_time),
		cmocka_unit_test(test_https_never_falls_back_to_plain_text),
		cmocka_unit_test(test_https_needs_its_ca_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
