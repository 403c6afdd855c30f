/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/http_client.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

const uint8_t client_body[] = "\x0a\x03\x00\xff\r\n\r\nnot text";
const size_t client_body_len = sizeof(client_body) - 1;

struct otlp_http_profile *client_profile(bool gzip, uint32_t timeout_ms)
{
	struct otlp_http_header headers[] = {{"Authorization", "Bearer s3cret"},
					     {"x-tenant", "a b\tc"}};
	struct otlp_http_profile_opts opts = {.path = CLIENT_PATH,
					      .headers = headers,
					      .headers_len = 2,
					      .gzip = gzip,
					      .timeout_ms = timeout_ms};
	struct otlp_http_profile *p = NULL;
	const char *why = "";

	assert_int_equal(otlp_http_profile_create(&p, &opts, &why), 0);
	return p;
}

struct otlp_http *client(const char *url)
{
	struct otlp_http_opts opts = {0};
	struct otlp_http *h = NULL;
	struct otlp_url u;
	const char *why = "";

	assert_int_equal(otlp_url_parse(&u, url, &why), 0);
	opts.url = &u;
	assert_int_equal(otlp_http_create(&h, &opts, &why), 0);
	return h;
}

struct otlp_http_attempt post_for(struct otlp_http *h, uint32_t timeout_ms)
{
	struct otlp_http_profile *p = client_profile(false, timeout_ms);
	struct otlp_http_attempt a;

	otlp_http_post(h, p, client_body, client_body_len, &a);
	otlp_http_profile_destroy(p);
	return a;
}

struct otlp_http_attempt post(struct otlp_http *h)
{
	return post_for(h, 10000);
}

struct otlp_http_attempt post_to(const struct fault_step *step)
{
	struct fault *f = fault_start(0, step, 1);
	struct otlp_http *h = client(fault_url(f));
	struct otlp_http_attempt a = post(h);

	/* On a new connection there is nothing that would be sent twice. */
	assert_int_equal(fault_connections(f), 1);
	assert_true(fault_requests(f) <= 1);
	otlp_http_destroy(h);
	fault_stop(f);
	return a;
}

void assert_body(const struct fault_request *r)
{
	assert_int_equal(r->body_len, client_body_len);
	assert_memory_equal(r->body, client_body, client_body_len);
}
