/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http_fault - a server on 127.0.0.1 or ::1 that answers by a script of raw bytes and keeps what it
 * was sent. One thread, one connection at a time. Waiting functions fail the process after 20 s.
 */
#ifndef TESTS_HTTP_FAULT_H
#define TESTS_HTTP_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_end {
	FAULT_KEEP, /* the connection waits for the next request */
	FAULT_CLOSE, /* orderly */
	FAULT_RESET,
	FAULT_HANG, /* says nothing more, till the client goes */
	FAULT_REPEAT, /* the same bytes again and again, till the client goes */
	FAULT_UNREAD /* closes without having read the request or written a byte */
};

/* Opens for all when so many requests, of any servers, wait at it. */
struct fault_gate;
struct fault_gate *fault_gate_create(size_t requests);
void fault_gate_destroy(struct fault_gate *g);
void fault_gate_pass(struct fault_gate *g); /* counts as one, and waits for the rest */

struct fault_step {
	const char *head; /* sent first, once; NULL: none */
	const char *bytes; /* NULL: none */
	size_t len; /* 0: strlen(bytes) */
	enum fault_end end;
	bool byte_by_byte;
	unsigned pace_ms; /* between writes */
	bool blind; /* answers to the first bytes that come, whatever they are */
	bool head_only; /* answers to the head of the request and never reads its body */
	struct fault_gate *gate; /* passed before answering; NULL: none */
};

struct fault_request {
	char *head; /* up to the empty line */
	uint8_t *body;
	size_t body_len;
};

struct fault;

/* Listens on a free port, or on @port. Steps are borrowed; after the last one it answers 200. With
 * no step left at a request, the connection is kept. */
struct fault *fault_start(uint16_t port, const struct fault_step *steps, size_t len);
/* The same on ::1; NULL: this machine has none. */
struct fault *fault_start_ipv6(const struct fault_step *steps, size_t len);
void fault_stop(struct fault *f);

uint16_t fault_port(const struct fault *f);
const char *fault_url(const struct fault *f); /* http://127.0.0.1:PORT, or http://[::1]:PORT */

void fault_wait(struct fault *f, size_t requests); /* till so many have been read */
size_t fault_requests(struct fault *f);
size_t fault_connections(struct fault *f);
/* What came; valid until fault_stop(). */
const struct fault_request *fault_request(struct fault *f, size_t i);
/* Value of a header line, copied to @buf; false: not there. */
bool fault_header(const struct fault_request *r, const char *name, char *buf, size_t cap);

/* A port where nobody listens. */
uint16_t fault_closed_port(void);

#endif /* TESTS_HTTP_FAULT_H */
