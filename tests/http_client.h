/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http_client - what the tests of otlp/http post with: a client, and the one request it sends.
 */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H

#include "otlp/http.h"
#include "tests/http_fault.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define OK_EMPTY OK_HEAD "Content-Length: 0\r\n\r\n"
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define CLIENT_PATH "/v1/traces?q=1"

/* Not text, with an empty line in it. */
extern const uint8_t client_body[];
extern const size_t client_body_len;

/* With an Authorization and an x-tenant header. */
struct otlp_http_profile *client_profile(bool gzip, uint32_t timeout_ms);
struct otlp_http *client(const char *url);

/* One attempt, for at most 10 s, or @timeout_ms. */
struct otlp_http_attempt post(struct otlp_http *h);
struct otlp_http_attempt post_for(struct otlp_http *h, uint32_t timeout_ms);
/* With a fresh client against a server of one step. */
struct otlp_http_attempt post_to(const struct fault_step *step);

void assert_body(const struct fault_request *r);

#endif /* TESTS_HTTP_CLIENT_H */
