/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One thread, poll(), and a fixed number of places. A place reads until a head is complete, writes
 * the answer, and reads again, or says that it will write no more and waits a moment for the other
 * end to close, without which a client may lose the end of its answer. Each of these has a
 * deadline. When all places are taken, the one that has waited longest for another request is
 * closed; if all are busy, who comes waits in the kernel's queue.
 *
 * How many old texts there can be is bounded by the deadline for an answer.
 */
#include "user/pull.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "user/clock.h"
#include "user/log.h"
#include "user/pull_listen.h"
#include "user/pull_request.h"

#define PULL_REQUEST_NS                                                                            \
	5000000000ULL /* for a head, from its first byte or from the connection on */
#define PULL_ANSWER_NS 10000000000ULL /* until an answer is taken */
#define PULL_IDLE_NS 300000000000ULL /* between requests */
#define PULL_END_NS 1000000000ULL /* for the other end to close */
#define PULL_PAUSE_NS 100000000ULL
#define PULL_ANSWER_HEAD_CAP 512

enum place_state { PLACE_FREE, PLACE_READS, PLACE_WRITES, PLACE_ENDS };

struct pull_place {
	enum place_state state;
	int fd;
	bool is_idle; /* no byte of a request has come since the last answer */
	bool keeps_alive; /* after the answer that is being sent */
	uint64_t since_mono_ns; /* in this state */
	uint64_t deadline_mono_ns;
	char request[PULL_REQUEST_CAP];
	size_t request_len;
	char head[PULL_ANSWER_HEAD_CAP];
	size_t head_len;
	struct pull_text *text; /* the body; NULL: none */
	size_t sent; /* of both */
};

struct pull {
	int fd, wake_fd;
	pthread_t thread;
	bool is_started;
	atomic_bool stop;
	uint64_t pause_until_mono_ns; /* nobody is let in before: there are no descriptors */
	struct pull_board *board;
	struct pull_place places[PULL_CLIENTS]; /* the thread's own */
};

static const char *const reasons[PULL_STATUSES] = {
	[PULL_200] = "OK",
	[PULL_400] = "Bad Request",
	[PULL_404] = "Not Found",
	[PULL_405] = "Method Not Allowed",
	[PULL_408] = "Request Timeout",
	[PULL_431] = "Request Header Fields Too Large",
	[PULL_503] = "Service Unavailable",
	[PULL_505] = "HTTP Version Not Supported",
};
static const char index_page[] =
	"ringspan\n"
	"/metrics  numbers, for Prometheus: its text format, or OpenMetrics "
	"if asked for\n"
	"/healthz  200 while the main loop turns\n"
	"/readyz   200 while packets are watched\n";

/* ---- answers ---- */

static enum pull_status status_of(unsigned code)
{
	enum pull_status s = PULL_200;

	while (s < PULL_505 && pull_status_code(s) != code)
		s++;
	return s;
}

/* Head and body of a plain answer, or what @text is of @type. Takes @text over. */
static void place_answer(struct pull *p, struct pull_place *c, enum pull_status status,
			 const char *type, struct pull_text *text, bool is_head)
{
	size_t len = text ? text->len : 0;

	pull_board_count(p->board, status);
	c->head_len =
		(size_t)snprintf(c->head, sizeof(c->head),
				 "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
				 "Cache-Control: no-store\r\nVary: Accept\r\n%s%s\r\n",
				 pull_status_code(status), reasons[status], type, len,
				 status == PULL_405 ? "Allow: GET, HEAD\r\n" : "",
				 c->keeps_alive ? "" : "Connection: close\r\n");
	if (is_head) {
		pull_text_put(text);
		text = NULL;
	}
	c->text = text;
	c->sent = 0;
	c->state = PLACE_WRITES;
}

static void place_refuse(struct pull *p, struct pull_place *c, enum pull_status status,
			 const char *why, bool is_head)
{
	place_answer(p, c, status, "text/plain; charset=utf-8", pull_text_copy(why), is_head);
}

static void place_serve(struct pull *p, struct pull_place *c, const struct pull_request *r,
			uint64_t now_ns)
{
	static const char *const types[PROM_FORMATS] = {
		[PROM_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
		[PROM_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8"};
	enum prom_format format = r->wants_openmetrics ? PROM_OPENMETRICS : PROM_TEXT;
	enum pull_status status = PULL_200;
	struct pull_text *text;

	c->keeps_alive = r->keeps_alive;
	if (r->refused) {
		place_refuse(p, c, status_of(r->refused),
			     r->refused == 405 ? "only GET and HEAD\n"
					       : "this is no request of HTTP/1.1\n",
			     r->is_head);
		return;
	}
	switch (r->page) {
	case PULL_METRICS:
		text = pull_board_metrics(p->board, format, now_ns);
		if (text)
			place_answer(p, c, status, types[format], text, r->is_head);
		else
			place_refuse(p, c, PULL_503, "there are no numbers yet\n", r->is_head);
		return;
	case PULL_HEALTH:
	case PULL_READY:
		text = pull_board_state(p->board, r->page == PULL_HEALTH, now_ns, &status);
		place_answer(p, c, status, "application/json", text, r->is_head);
		return;
	case PULL_INDEX:
		place_refuse(p, c, PULL_200, index_page, r->is_head);
		return;
	case PULL_NOT_FOUND:
		break;
	}
	place_refuse(p, c, PULL_404, "there are /metrics, /healthz and /readyz\n", r->is_head);
}

/* ---- places ---- */

static void place_enter(struct pull_place *c, enum place_state state, uint64_t now_ns,
			uint64_t for_ns)
{
	c->state = state;
	c->since_mono_ns = now_ns;
	c->deadline_mono_ns = now_ns + for_ns;
}

static void place_free(struct pull_place *c)
{
	close(c->fd);
	pull_text_put(c->text);
	c->text = NULL;
	c->state = PLACE_FREE;
}

static void place_sent(struct pull_place *c, uint64_t now_ns)
{
	pull_text_put(c->text);
	c->text = NULL;
	if (c->keeps_alive) {
		c->is_idle = !c->request_len;
		place_enter(c, PLACE_READS, now_ns, c->is_idle ? PULL_IDLE_NS : PULL_REQUEST_NS);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	place_enter(c, PLACE_ENDS, now_ns, PULL_END_NS);
}

static void place_send(struct pull_place *c, uint64_t now_ns)
{
	size_t body_len = c->text ? c->text->len : 0, body_sent;
	struct iovec iov[2];
	struct msghdr msg = {.msg_iov = iov};
	ssize_t n;

	while (c->sent < c->head_len + body_len) {
		msg.msg_iovlen = 0;
		if (c->sent < c->head_len)
			iov[msg.msg_iovlen++] =
				(struct iovec){c->head + c->sent, c->head_len - c->sent};
		body_sent = c->sent > c->head_len ? c->sent - c->head_len : 0;
		if (body_len > body_sent)
			iov[msg.msg_iovlen++] =
				(struct iovec){c->text->data + body_sent, body_len - body_sent};
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			place_free(c);
			return;
		}
		c->sent += (size_t)n;
	}
	place_sent(c, now_ns);
}

/* Answers what has come, if it is a whole request; whether it was. */
static bool place_look(struct pull *p, struct pull_place *c, uint64_t now_ns)
{
	size_t len = pull_request_head(c->request, c->request_len);
	struct pull_request r;

	if (len) {
		pull_request_parse(&r, c->request, len);
		c->request_len -= len;
		memmove(c->request, c->request + len, c->request_len);
		place_serve(p, c, &r, now_ns);
	} else if (c->request_len == sizeof(c->request)) {
		c->keeps_alive = false;
		place_refuse(p, c, PULL_431, "the request is too long\n", false);
	} else {
		return false;
	}
	place_enter(c, PLACE_WRITES, now_ns, PULL_ANSWER_NS);
	place_send(c, now_ns);
	return true;
}

static void place_receive(struct pull_place *c, uint64_t now_ns)
{
	char *to = c->request + c->request_len;
	size_t room = sizeof(c->request) - c->request_len;
	ssize_t n;

	if (c->state == PLACE_ENDS) { /* what comes now does not matter */
		to = c->request;
		room = sizeof(c->request);
	}
	n = recv(c->fd, to, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		place_free(c);
		return;
	}
	if (c->state == PLACE_ENDS)
		return;
	if (c->is_idle)
		place_enter(c, PLACE_READS, now_ns, PULL_REQUEST_NS);
	c->is_idle = false;
	c->request_len += (size_t)n;
}

/* Its time is over. */
static void place_expire(struct pull *p, struct pull_place *c, uint64_t now_ns)
{
	if (c->state != PLACE_READS || c->is_idle || !c->request_len) {
		place_free(c);
		return;
	}
	c->keeps_alive = false;
	place_refuse(p, c, PULL_408, "the rest of the request did not come\n", false);
	place_enter(c, PLACE_WRITES, now_ns, PULL_END_NS);
	place_send(c, now_ns);
}

static void pull_accept(struct pull *p, struct pull_place *c, uint64_t now_ns)
{
	int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			p->pause_until_mono_ns = now_ns + PULL_PAUSE_NS;
		return;
	}
	c->fd = fd;
	c->request_len = 0;
	c->is_idle = false;
	place_enter(c, PLACE_READS, now_ns, PULL_REQUEST_NS);
}

/* A free one, or one that can be made so; NULL: all are busy. */
static struct pull_place *pull_find_place(struct pull *p)
{
	struct pull_place *oldest = NULL, *c;

	for (c = p->places; c < p->places + PULL_CLIENTS; c++) {
		if (c->state == PLACE_FREE)
			return c;
		if (((c->state == PLACE_READS && c->is_idle) || c->state == PLACE_ENDS) &&
		    (!oldest || c->since_mono_ns < oldest->since_mono_ns))
			oldest = c;
	}
	return oldest;
}

/* ---- the thread ---- */

/* Milliseconds until the next deadline, rounded up. */
static int pull_timeout_ms(const struct pull *p, uint64_t now_ns)
{
	uint64_t next_ns = p->pause_until_mono_ns > now_ns ? p->pause_until_mono_ns : UINT64_MAX;
	const struct pull_place *c;

	for (c = p->places; c < p->places + PULL_CLIENTS; c++)
		if (c->state != PLACE_FREE && c->deadline_mono_ns < next_ns)
			next_ns = c->deadline_mono_ns;
	if (next_ns == UINT64_MAX)
		return -1;
	return next_ns > now_ns ? (int)((next_ns - now_ns) / 1000000) + 1 : 0;
}

static void place_turn(struct pull *p, struct pull_place *c, short events, uint64_t now_ns)
{
	if (events && c->state == PLACE_WRITES)
		place_send(c, now_ns);
	else if (events)
		place_receive(c, now_ns);
	/* several requests may have come at once */
	while (c->state == PLACE_READS && c->request_len && place_look(p, c, now_ns))
		;
	if (c->state != PLACE_FREE && now_ns >= c->deadline_mono_ns)
		place_expire(p, c, now_ns);
}

static void pull_let_in(struct pull *p, uint64_t now_ns)
{
	struct pull_place *c = pull_find_place(p);

	if (c && c->state != PLACE_FREE)
		place_free(c);
	if (c)
		pull_accept(p, c, now_ns);
}

/* What is waited for. Only what there is: poll() takes no more than there may be descriptors. */
struct watch {
	struct pollfd fds[2 + PULL_CLIENTS]; /* an end, those who come, places */
	struct pull_place *places[PULL_CLIENTS];
	size_t places_len;
};

static void pull_watch(struct pull *p, struct watch *ret, uint64_t now_ns)
{
	bool lets_in = now_ns >= p->pause_until_mono_ns && pull_find_place(p);
	struct pull_place *c;

	ret->fds[0] = (struct pollfd){.fd = p->wake_fd, .events = POLLIN};
	ret->fds[1] = (struct pollfd){.fd = lets_in ? p->fd : -1, .events = POLLIN};
	ret->places_len = 0;
	for (c = p->places; c < p->places + PULL_CLIENTS; c++) {
		if (c->state == PLACE_FREE)
			continue;
		ret->fds[2 + ret->places_len] = (struct pollfd){
			.fd = c->fd, .events = c->state == PLACE_WRITES ? POLLOUT : POLLIN};
		ret->places[ret->places_len++] = c;
	}
}

static void *pull_main(void *arg)
{
	struct pull *p = arg;
	uint64_t now_ns;
	struct watch w;
	size_t i;

	prctl(PR_SET_NAME, "ringspan-pull");
	while (!atomic_load(&p->stop)) {
		now_ns = clock_mono_ns();
		pull_watch(p, &w, now_ns);
		if (poll(w.fds, 2 + w.places_len, pull_timeout_ms(p, now_ns)) < 0)
			continue;
		now_ns = clock_mono_ns();
		for (i = 0; i < w.places_len; i++)
			place_turn(p, w.places[i], w.fds[2 + i].revents, now_ns);
		if (w.fds[1].revents & POLLIN)
			pull_let_in(p, now_ns);
	}
	for (i = 0; i < PULL_CLIENTS; i++)
		if (p->places[i].state != PLACE_FREE)
			place_free(&p->places[i]);
	return NULL;
}

/* ---- the owner ---- */

int pull_open(struct pull **ret, const struct options *o, struct pull_board *board)
{
	struct pull *p;
	int err = -ENOMEM;

	p = calloc(1, sizeof(*p));
	if (!p)
		goto fail;
	p->board = board;
	p->wake_fd = -1;
	p->fd = pull_listen(o);
	if (p->fd < 0) {
		err = p->fd;
		pull_close(p);
		return err; /* it has said why */
	}
	p->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (p->wake_fd < 0) {
		err = -errno;
		goto fail;
	}
	err = -pthread_create(&p->thread, NULL, pull_main, p);
	if (err)
		goto fail;
	p->is_started = true;
	*ret = p;
	return 0;
fail:
	log_error("--metrics-listen %s: cannot start: %s", o->metrics_listen, strerror(-err));
	pull_close(p);
	return err;
}

void pull_close(struct pull *p)
{
	uint64_t one = 1;

	if (!p)
		return;
	if (p->is_started) {
		atomic_store(&p->stop, true);
		while (write(p->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
		pthread_join(p->thread, NULL);
	}
	if (p->fd >= 0)
		close(p->fd);
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	free(p);
}
