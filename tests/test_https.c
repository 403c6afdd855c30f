/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TLS (reference list 1.4): who is trusted, what is said of who is not, and that nothing is ever
 * said in plain text instead.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "otlp/http.h"
#include "tests/http_fault.h"
#include "tests/https_fixture.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Trusts @ca and shows NAME.pem, if not NULL. */
static struct otlp_http *client(const char *host, uint16_t port, const char *ca, const char *name)
{
	char cert[32];
	struct otlp_http_opts opts = {.ca_file = https_cert(ca)};
	struct otlp_http *h = NULL;
	struct otlp_url u;
	const char *why = "";
	char url[64];

	snprintf(url, sizeof(url), "https://%s:%u", host, port);
	assert_int_equal(otlp_url_parse(&u, url, &why), 0);
	opts.url = &u;
	if (name) {
		snprintf(cert, sizeof(cert), "%s.pem", name);
		opts.cert_file = https_cert(cert);
		opts.key_file = https_cert("client.key");
	}
	assert_int_equal(otlp_http_create(&h, &opts, &why), 0);
	return h;
}

static struct otlp_http_attempt post_body(struct otlp_http *h, const char *path, const void *body,
					  size_t size, uint32_t timeout_ms)
{
	struct otlp_http_profile_opts opts = {.path = path, .timeout_ms = timeout_ms};
	struct otlp_http_profile *p = NULL;
	struct otlp_http_attempt a;
	const char *why;

	assert_int_equal(otlp_http_profile_create(&p, &opts, &why), 0);
	otlp_http_post(h, p, body, size, &a);
	otlp_http_profile_destroy(p);
	return a;
}

static struct otlp_http_attempt post_path(struct otlp_http *h, const char *path,
					  uint32_t timeout_ms)
{
	return post_body(h, path, "spans", 5, timeout_ms);
}

static struct otlp_http_attempt post(struct otlp_http *h)
{
	return post_path(h, "/v1/traces", 10000);
}

static void assert_untold(const struct otlp_http_attempt *a)
{
	assert_int_equal(a->answer.kind, OTLP_ANSWER_RETRY);
	assert_int_equal(a->answer.status, 0);
	assert_false(a->is_aborted);
}

/* Posts twice to a server of NAME.pem: retried both times, with words that begin so. */
static void assert_fails(const char *name, const char *options, const char *host, const char *ca,
			 const char *client_name, const char *words)
{
	struct https_server s;
	struct otlp_http *h;

	https_start(&s, name, options);
	h = client(host, s.port, ca, client_name);
	for (int i = 0; i < 2; i++) {
		struct otlp_http_attempt a = post(h);

		assert_untold(&a);
		a.answer.text[strlen(words)] = '\0';
		assert_string_equal(a.answer.text, words);
	}
	otlp_http_destroy(h);
	https_stop(&s);
}

static void test_https_delivers_and_keeps_the_connection(void **state)
{
	struct https_server s;
	struct otlp_http *h;

	(void)state;
	https_start(&s, "good", NULL);
	h = client("localhost", s.port, "ca.pem", NULL);
	for (size_t i = 0; i < 5; i++) {
		struct otlp_http_attempt a = post(h);

		assert_string_equal(a.answer.text, "");
		assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
		assert_int_equal(a.answer.status, 200);
		assert_int_equal(a.connects, i == 0);
	}
	otlp_http_destroy(h);
	https_stop(&s);
}

static void test_https_sends_large_bodies(void **state)
{
	size_t size = 6 << 20;
	uint8_t *zeros = calloc(1, size);
	struct https_server s;
	struct otlp_http *h;

	(void)state;
	https_start(&s, "good", NULL);
	h = client("localhost", s.port, "ca.pem", NULL);
	for (size_t i = 0; i < 2; i++) {
		struct otlp_http_attempt a = post_body(h, "/", zeros, size, 20000);

		assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
		assert_int_equal(a.connects, i == 0);
	}
	otlp_http_destroy(h);
	https_stop(&s);
	free(zeros);
}

static void test_https_early_413_is_read_while_sending(void **state)
{
	size_t size = 16 << 20;
	uint8_t *zeros = calloc(1, size);
	struct https_server s;
	struct otlp_http *h;
	struct otlp_http_attempt a;

	(void)state;
	https_start(&s, "good", NULL);
	h = client("localhost", s.port, "ca.pem", NULL);
	a = post_body(h, "/early", zeros, size, 20000);
	assert_int_equal(a.answer.status, 413);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_REFUSED);
	a = post(h);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
	assert_int_equal(a.connects, 1);
	otlp_http_destroy(h);
	https_stop(&s);
	free(zeros);
}

/* Closed by the server while idle, with TLS's own good-bye and without. */
static void test_https_replaces_a_connection_that_went_away(void **state)
{
	static const char *const paths[] = {"/bye", "/gone"};
	struct https_server s;
	struct otlp_http *h;

	(void)state;
	https_start(&s, "good", NULL);
	h = client("localhost", s.port, "ca.pem", NULL);
	for (size_t i = 0; i < 10; i++) {
		struct otlp_http_attempt a = post_path(h, paths[i / 5], 10000);

		assert_string_equal(a.answer.text, "");
		assert_int_equal(a.answer.kind, OTLP_ANSWER_OK);
		assert_int_equal(a.connects, 1);
	}
	otlp_http_destroy(h);
	https_stop(&s);
}

static void test_https_incomplete_answer_is_retried(void **state)
{
	struct https_server s;
	struct otlp_http *h;
	struct otlp_http_attempt a;

	(void)state;
	https_start(&s, "good", NULL);
	h = client("localhost", s.port, "ca.pem", NULL);
	a = post_path(h, "/cut", 10000);
	assert_untold(&a);
	assert_string_equal(a.answer.text,
			    "the connection was closed before the answer was complete");
	assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	otlp_http_destroy(h);
	https_stop(&s);
}

/* The server is killed between two requests. */
static void test_https_survives_the_end_of_the_server(void **state)
{
	struct https_server s;
	struct otlp_http *h;
	struct otlp_http_attempt a;

	(void)state;
	https_start(&s, "good", NULL);
	h = client("localhost", s.port, "ca.pem", NULL);
	assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	https_stop(&s);
	a = post(h);
	assert_untold(&a);
	assert_string_equal(a.answer.text, "connection refused");
	otlp_http_destroy(h);
}

static void test_https_server_name_is_sent(void **state)
{
	struct https_server s;
	struct otlp_http *h;

	(void)state;
	https_start(&s, "good", "sni=localhost");
	h = client("localhost", s.port, "ca.pem", NULL);
	assert_int_equal(post(h).answer.status, 200);
	otlp_http_destroy(h);
	https_stop(&s);
	https_start(&s, "good", "sni=another"); /* the server does look */
	h = client("localhost", s.port, "ca.pem", NULL);
	assert_int_equal(post(h).answer.status, 400);
	otlp_http_destroy(h);
	https_stop(&s);
}

static void test_https_client_certificate_is_shown(void **state)
{
	struct https_server s;
	struct otlp_http *h;

	(void)state;
	https_start(&s, "good", "client-ca=%s/ca.pem");
	h = client("localhost", s.port, "ca.pem", "client");
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	otlp_http_destroy(h);
	https_stop(&s);
}

struct poster {
	uint16_t port;
	unsigned ok, connects;
};

static void *post_often(void *arg)
{
	struct poster *p = arg;
	struct otlp_http *h = client("localhost", p->port, "ca.pem", "client");

	for (int i = 0; i < 20; i++) {
		struct otlp_http_attempt a = post(h);

		p->ok += a.answer.kind == OTLP_ANSWER_OK;
		p->connects += a.connects;
	}
	otlp_http_destroy(h);
	return NULL;
}

static void test_https_clients_run_in_parallel(void **state)
{
	struct poster posters[4];
	pthread_t threads[4];
	struct https_server s;

	(void)state;
	https_start(&s, "good", "client-ca=%s/ca.pem");
	for (size_t i = 0; i < 4; i++) {
		posters[i] = (struct poster){.port = s.port};
		assert_int_equal(pthread_create(&threads[i], NULL, post_often, &posters[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(posters[i].ok, 20);
		assert_int_equal(posters[i].connects, 1);
	}
	https_stop(&s);
}

/* ---- who is not trusted, and why ---- */

static void test_https_unknown_ca_is_named(void **state)
{
	(void)state;
	assert_fails("good", NULL, "localhost", "ca2.pem", NULL,
		     "the server's certificate is signed by O=ringspan tests, CN=First CA, an "
		     "unknown CA: give that CA's certificate as the CA file");
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK)) {
		print_message("this system has no CA certificates: not tried with them\n");
		return;
	}
	assert_fails("good", NULL, "localhost", NULL, NULL,
		     "the server's certificate is signed by O=ringspan tests, CN=First CA, an "
		     "unknown CA: give that CA's certificate as the CA file");
}

static void test_https_self_signed_is_named(void **state)
{
	struct https_server s;
	struct otlp_http *h;

	(void)state;
	assert_fails("self", NULL, "localhost", "ca.pem", NULL,
		     "the server's certificate is signed by itself and not among those that are "
		     "trusted: add it to the CA file");
	/* Given as the CA file it is good. */
	https_start(&s, "self", NULL);
	h = client("localhost", s.port, "self.crt", NULL);
	assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	otlp_http_destroy(h);
	https_stop(&s);
}

static void test_https_expired_is_named(void **state)
{
	(void)state;
	assert_fails("expired", NULL, "localhost", "ca.pem", NULL,
		     "the server's certificate expired on 2024-01-02");
}

static void test_https_not_yet_valid_is_named(void **state)
{
	(void)state;
	assert_fails("future", NULL, "localhost", "ca.pem", NULL,
		     "the server's certificate is valid only from 2090-03-04 on: is the clock of "
		     "this host right?");
}

static void test_https_wrong_name_is_named(void **state)
{
	(void)state;
	assert_fails("other", NULL, "localhost", "ca.pem", NULL,
		     "the server's certificate is for elsewhere.example, b.example, not for "
		     "localhost");
}

/* As an address that the certificate has; a name that only looks like it does not count. */
static void test_https_address_in_the_url_is_verified(void **state)
{
	struct https_server s;
	struct otlp_http *h;

	(void)state;
	https_start(&s, "ip", "sni=none"); /* an address is not sent as a server name */
	h = client("127.0.0.1", s.port, "ca.pem", NULL);
	assert_int_equal(post(h).answer.status, 200);
	otlp_http_destroy(h);
	https_stop(&s);
	assert_fails("ip", "address=127.0.0.2", "127.0.0.2", "ca.pem", NULL,
		     "the server's certificate is for 127.0.0.1, localhost, not for 127.0.0.2");
	assert_fails("good", NULL, "127.0.0.1", "ca.pem", NULL,
		     "the server's certificate is for localhost, not for 127.0.0.1");
	assert_fails("cn", NULL, "127.0.0.1", "ca.pem", NULL,
		     "the server's certificate is for 127.0.0.1 as a name, not for 127.0.0.1");
}

static void test_https_missing_client_certificate_is_named(void **state)
{
	(void)state;
	assert_fails("good", "client-ca=%s/ca.pem", "localhost", "ca.pem", NULL,
		     "the server wants a client certificate, and none is given");
}

/* And why, unless the alert is overtaken by the end of the connection. */
static void test_https_refused_client_certificate_is_named(void **state)
{
	(void)state;
	assert_fails("good", "client-ca=%s/ca.pem", "localhost", "ca.pem", "client2",
		     "the server refuses our client certificate");
}

static void test_https_other_tls_version_is_named(void **state)
{
	(void)state;
	assert_fails("good", "tls=1.3", "localhost", "ca.pem", NULL,
		     "the server does not speak TLS 1.2, the only version that can be used");
}

/* ---- servers of a script: no TLS at all ---- */

static const char plain[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
#define PLAIN                                                                                      \
	{                                                                                          \
		.bytes = plain, .blind = true, .end = FAULT_CLOSE                                  \
	}

#define SSH                                                                                        \
	{                                                                                          \
		.bytes = "SSH-2.0-OpenSSH_9.2\r\n", .blind = true, .end = FAULT_CLOSE              \
	}

static void test_https_a_server_without_tls_is_named(void **state)
{
	static const struct {
		struct fault_step step;
		const char *words;
	} cases[] = {
		{PLAIN, "the server speaks plain HTTP on this port, not TLS"},
		{SSH, "the server does not speak TLS on this port"},
		{{.end = FAULT_UNREAD},
		 "the server closed the connection during the TLS handshake"},
		{{.blind = true, .end = FAULT_CLOSE},
		 "the server closed the connection during the TLS handshake"},
	};

	(void)state;
	https_need_certs();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct fault_step steps[] = {cases[i].step, cases[i].step};
		struct fault *f = fault_start(0, steps, 2);
		struct otlp_http *h = client("localhost", fault_port(f), "ca.pem", NULL);

		for (size_t n = 1; n <= 2; n++) {
			struct otlp_http_attempt a = post(h);

			assert_untold(&a);
			assert_string_equal(a.answer.text, cases[i].words);
			assert_int_equal(fault_connections(f), n);
			assert_int_equal(fault_requests(f), 0);
		}
		otlp_http_destroy(h);
		fault_stop(f);
	}
}

struct aborter {
	struct fault_gate *gate;
	struct otlp_http *h;
};

static void *abort_at_gate(void *arg)
{
	struct aborter *a = arg;

	fault_gate_pass(a->gate);
	otlp_http_abort(a->h);
	return NULL;
}

static void test_https_handshake_can_be_aborted(void **state)
{
	struct aborter arg = {.gate = fault_gate_create(2)};
	struct fault_step step = {.blind = true, .gate = arg.gate, .end = FAULT_HANG};
	struct fault *f;
	struct otlp_http_attempt a;
	pthread_t thread;

	(void)state;
	https_need_certs();
	f = fault_start(0, &step, 1);
	arg.h = client("localhost", fault_port(f), "ca.pem", NULL);
	assert_int_equal(pthread_create(&thread, NULL, abort_at_gate, &arg), 0);
	a = post_path(arg.h, "/", 0);
	pthread_join(thread, NULL);
	assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
	assert_true(a.is_aborted);
	otlp_http_destroy(arg.h);
	fault_stop(f);
	fault_gate_destroy(arg.gate);
}

static void test_https_deadline_is_total(void **state)
{
	struct https_server s;
	struct otlp_http *h;

	(void)state;
	https_start(&s, "good", NULL);
	h = client("localhost", s.port, "ca.pem", NULL);
	for (size_t i = 0; i < 3; i++) {
		struct otlp_http_attempt a = post_path(h, "/hang", 200);

		assert_int_equal(a.answer.kind, OTLP_ANSWER_RETRY);
		assert_string_equal(a.answer.text, "no answer within 0.2 s");
		assert_int_equal(post(h).answer.kind, OTLP_ANSWER_OK);
	}
	otlp_http_destroy(h);
	https_stop(&s);
}

/* The server takes the connection and never says a word of TLS. */
static void test_https_silent_server_is_left_in_time(void **state)
{
	static const struct fault_step step = {.end = FAULT_HANG};
	struct fault *f;
	struct otlp_http_attempt a;
	struct otlp_http *h;
	uint64_t start = now_ms();

	(void)state;
	https_need_certs();
	f = fault_start(0, &step, 1);
	h = client("localhost", fault_port(f), "ca.pem", NULL);
	a = post_path(h, "/", 200);
	assert_untold(&a);
	assert_string_equal(a.answer.text, "no answer within 0.2 s");
	assert_true(now_ms() - start < 5000);
	otlp_http_destroy(h);
	/* And nothing was said in plain text instead. */
	assert_int_equal(fault_connections(f), 1);
	assert_int_equal(fault_requests(f), 0);
	fault_stop(f);
}

static void test_https_never_falls_back_to_plain_text(void **state)
{
	static const struct fault_step steps[] = {{.end = FAULT_UNREAD}, {.end = FAULT_UNREAD}};
	struct fault *f;
	struct otlp_http *h;

	(void)state;
	https_need_certs();
	f = fault_start(0, steps, 2);
	h = client("localhost", fault_port(f), "ca.pem", NULL);
	for (size_t i = 0; i < 3; i++) {
		struct otlp_http_attempt a = post_path(h, "/", 300);

		assert_untold(&a);
	}
	assert_int_equal(fault_requests(f), 0);
	otlp_http_destroy(h);
	fault_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_https_delivers_and_keeps_the_connection),
		cmocka_unit_test(test_https_sends_large_bodies),
		cmocka_unit_test(test_https_early_413_is_read_while_sending),
		cmocka_unit_test(test_https_replaces_a_connection_that_went_away),
		cmocka_unit_test(test_https_incomplete_answer_is_retried),
		cmocka_unit_test(test_https_survives_the_end_of_the_server),
		cmocka_unit_test(test_https_server_name_is_sent),
		cmocka_unit_test(test_https_client_certificate_is_shown),
		cmocka_unit_test(test_https_clients_run_in_parallel),
		cmocka_unit_test(test_https_unknown_ca_is_named),
		cmocka_unit_test(test_https_self_signed_is_named),
		cmocka_unit_test(test_https_expired_is_named),
		cmocka_unit_test(test_https_not_yet_valid_is_named),
		cmocka_unit_test(test_https_wrong_name_is_named),
		cmocka_unit_test(test_https_address_in_the_url_is_verified),
		cmocka_unit_test(test_https_missing_client_certificate_is_named),
		cmocka_unit_test(test_https_refused_client_certificate_is_named),
		cmocka_unit_test(test_https_other_tls_version_is_named),
		cmocka_unit_test(test_https_a_server_without_tls_is_named),
		cmocka_unit_test(test_https_handshake_can_be_aborted),
		cmocka_unit_test(test_https_deadline_is_total),
		cmocka_unit_test(test_https_silent_server_is_left_in_time),
		cmocka_unit_test(test_https_never_falls_back_to_plain_text),
	};

	return cmocka_run_group_tests(tests, https_make_certs, https_remove_certs);
}
