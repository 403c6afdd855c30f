/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The callback of an nng_aio writes to an eventfd, abort to another, and the thread that began the
 * operation polls them for what is left of the time. So it is always this thread that cancels: nng
 * 1.5.2 lets a cancellation by another thread, or by its own timeout, run on into a connection that
 * was meanwhile closed and freed.
 */
#include "otlp/http_op.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

uint64_t otlp_http_wait_now_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int otlp_http_op_errno(int rv)
{
	switch (rv) {
	case 0:
		return 0;
	case NNG_ETIMEDOUT:
		return -ETIMEDOUT;
	case NNG_ECANCELED:
		return -ECANCELED;
	case NNG_ECONNREFUSED:
		return -ECONNREFUSED;
	case NNG_ECONNSHUT:
	case NNG_ECONNRESET:
	case NNG_ECONNABORTED:
	case NNG_ECLOSED:
		return -EPIPE;
	case NNG_EPROTO:
		return -EPROTO;
	case NNG_EADDRINVAL:
	case NNG_EAGAIN:
		return -EADDRNOTAVAIL;
	case NNG_EUNREACHABLE:
		return -EHOSTUNREACH;
	case NNG_ECRYPTO:
	case NNG_EPEERAUTH:
		return -EKEYREJECTED;
	case NNG_ENOMEM:
		return -ENOMEM;
	default:
		if (rv > NNG_ESYSERR && rv < NNG_ESYSERR + 4096)
			return -(rv - NNG_ESYSERR);
		/* What getaddrinfo() calls EAI_… is negative. */
		return rv < NNG_ESYSERR && rv > NNG_ESYSERR - 4096 ? -EADDRNOTAVAIL : -EIO;
	}
}

static void on_done(void *arg)
{
	struct otlp_http_op *op = arg;

	eventfd_write(op->done_fd, 1);
}

/* For poll(): up, so that a wait never ends before the deadline. */
static int time_left_ms(const struct otlp_http_wait *w)
{
	uint64_t now = otlp_http_wait_now_mono_ms();

	if (!w->deadline_mono_ms)
		return -1;
	if (now >= w->deadline_mono_ms)
		return 0;
	return w->deadline_mono_ms - now < INT_MAX ? (int)(w->deadline_mono_ms - now) : INT_MAX;
}

int otlp_http_wait_check(const struct otlp_http_wait *w)
{
	struct pollfd aborted = {.fd = w->abort_fd, .events = POLLIN};

	if (poll(&aborted, 1, 0) > 0)
		return -ECANCELED;
	return time_left_ms(w) == 0 ? -ETIMEDOUT : 0;
}

bool otlp_http_op_take(struct otlp_http_op *op, int *ret)
{
	eventfd_t count;

	if (!op->is_begun || eventfd_read(op->done_fd, &count))
		return false;
	nng_aio_wait(op->aio); /* for the return of the callback */
	op->is_begun = false;
	*ret = otlp_http_op_errno(nng_aio_result(op->aio));
	return true;
}

int otlp_http_op_await(const struct otlp_http_wait *w, const struct otlp_http_op *op,
		       const struct otlp_http_op *second)
{
	struct pollfd fds[] = {
		{.fd = w->abort_fd, .events = POLLIN},
		{.fd = op->is_begun ? op->done_fd : -1, .events = POLLIN},
		{.fd = second && second->is_begun ? second->done_fd : -1, .events = POLLIN}};
	int n;

	do
		n = poll(fds, 3, time_left_ms(w));
	while (n < 0 && errno == EINTR);
	if (fds[1].revents || fds[2].revents)
		return 0;
	return fds[0].revents ? -ECANCELED : -ETIMEDOUT;
}

int otlp_http_op_finish(const struct otlp_http_wait *w, struct otlp_http_op *op)
{
	int err = otlp_http_op_await(w, op, NULL), result = 0;

	if (!err)
		otlp_http_op_take(op, &result);
	return err ? err : result;
}

void otlp_http_op_cancel(struct otlp_http_op *op)
{
	int err;

	if (!op->is_begun)
		return;
	nng_aio_cancel(op->aio);
	nng_aio_wait(op->aio);
	otlp_http_op_take(op, &err);
}

int otlp_http_op_init(struct otlp_http_op *op)
{
	op->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (op->done_fd < 0)
		return -errno;
	return nng_aio_alloc(&op->aio, on_done, op) ? -ENOMEM : 0;
}

void otlp_http_op_reset(struct otlp_http_op *op)
{
	if (op->aio)
		nng_aio_free(op->aio);
	if (op->done_fd >= 0)
		close(op->done_fd);
}

nng_aio *otlp_http_op_begin(struct otlp_http_op *op)
{
	op->is_begun = true;
	return op->aio;
}

int otlp_http_wait_init(struct otlp_http_wait *w)
{
	w->abort_fd = eventfd(0, EFD_CLOEXEC);
	return w->abort_fd < 0 ? -errno : 0;
}

void otlp_http_wait_reset(struct otlp_http_wait *w)
{
	if (w->abort_fd >= 0)
		close(w->abort_fd);
}

void otlp_http_wait_abort(struct otlp_http_wait *w)
{
	eventfd_write(w->abort_fd, 1);
}
