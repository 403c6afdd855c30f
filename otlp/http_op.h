/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http_op - an operation of nng that its beginner waits for, under a deadline and until aborted.
 *
 * One thread at a time, except otlp_http_wait_abort(): any thread. Errors are those of http_conn.h.
 */
#ifndef OTLP_HTTP_OP_H
#define OTLP_HTTP_OP_H

#include <stdbool.h>
#include <stdint.h>
#include <nng/nng.h>

/* How long all operations of one connection are waited for. */
struct otlp_http_wait {
	int abort_fd; /* readable for good once aborted */
	uint64_t deadline_mono_ms; /* 0: none */
};

struct otlp_http_op {
	nng_aio *aio;
	int done_fd; /* readable when it has ended */
	bool is_begun; /* and its end not yet taken note of */
};

int otlp_http_wait_init(struct otlp_http_wait *w); /* 0 or -errno; then to be reset */
void otlp_http_wait_reset(struct otlp_http_wait *w);
uint64_t otlp_http_wait_now_mono_ms(void);
/* 0, or why no operation may begin. */
int otlp_http_wait_check(const struct otlp_http_wait *w);
void otlp_http_wait_abort(struct otlp_http_wait *w);

int otlp_http_op_init(struct otlp_http_op *op); /* 0 or -errno; to be reset either way */
void otlp_http_op_reset(struct otlp_http_op *op);
/* To be handed to nng at once. */
nng_aio *otlp_http_op_begin(struct otlp_http_op *op);
/* Takes note of the end of an operation that was begun; false: none has come. */
bool otlp_http_op_take(struct otlp_http_op *op, int *ret);
/* Waits till @op or @second (NULL: none) has ended. */
int otlp_http_op_await(const struct otlp_http_wait *w, const struct otlp_http_op *op,
		       const struct otlp_http_op *second);
/* Waits for this one and takes note. */
int otlp_http_op_finish(const struct otlp_http_wait *w, struct otlp_http_op *op);
/* Ends it, if it was begun. */
void otlp_http_op_cancel(struct otlp_http_op *op);

int otlp_http_op_errno(int rv); /* of nng */

#endif /* OTLP_HTTP_OP_H */
