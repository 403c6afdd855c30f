/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All waiting is poll() on the socket and on a pipe that fault_stop() closes, so the thread always
 * ends.
 */
#include "tests/http_fault.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 20
#define REQUESTS_MAX 4096

struct fault {
	pthread_t thread;
	int listener;
	int stop[2];
	uint16_t port;
	char url[32];
	const struct fault_step *steps; /* the server's */
	size_t steps_len, step;
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t changed;
	struct fault_request *requests[REQUESTS_MAX];
	size_t requests_len;
	size_t connections;
};

struct fault_gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t missing;
};

static void die(const char *what)
{
	fprintf(stderr, "http_fault: %s: %s\n", what, strerror(errno));
	abort();
}

static struct timespec wait_end(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	return until;
}

struct fault_gate *fault_gate_create(size_t requests)
{
	struct fault_gate *g = calloc(1, sizeof(*g));

	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	g->missing = requests;
	return g;
}

void fault_gate_destroy(struct fault_gate *g)
{
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

void fault_gate_pass(struct fault_gate *g)
{
	struct timespec until = wait_end();

	pthread_mutex_lock(&g->lock);
	if (g->missing && --g->missing == 0)
		pthread_cond_broadcast(&g->changed);
	while (g->missing) {
		errno = pthread_cond_timedwait(&g->changed, &g->lock, &until);
		if (errno)
			die("waiting for the other requests");
	}
	pthread_mutex_unlock(&g->lock);
}

/* 1: ready; 0: @pace_ms passed; -1: stop. */
static int wait_for(struct fault *f, int fd, short events, int pace_ms)
{
	struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = f->stop[0], .events = POLLIN}};
	int n = poll(p, 2, pace_ms);

	if (n == 0)
		return 0;
	return p[1].revents ? -1 : 1;
}

/* False: the client or the test has gone. */
static bool send_all(struct fault *f, int fd, const char *bytes, size_t len,
		     const struct fault_step *s)
{
	while (len) {
		size_t part = s->byte_by_byte ? 1 : len;
		ssize_t n;

		if (wait_for(f, fd, POLLOUT, -1) < 0)
			return false;
		n = send(fd, bytes, part, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
		if (s->pace_ms && wait_for(f, -1, 0, (int)s->pace_ms) < 0)
			return false;
	}
	return true;
}

static void wait_for_client_to_go(struct fault *f, int fd)
{
	char scrap[4096];

	while (wait_for(f, fd, POLLIN, -1) > 0 && recv(fd, scrap, sizeof(scrap), 0) > 0)
		;
}

static void keep_request(struct fault *f, struct fault_request *r)
{
	pthread_mutex_lock(&f->lock);
	if (f->requests_len == REQUESTS_MAX)
		die("too many requests");
	f->requests[f->requests_len++] = r;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static bool read_exactly(struct fault *f, int fd, void *buf, size_t len)
{
	char *at = buf;

	while (len) {
		ssize_t n;

		if (wait_for(f, fd, POLLIN, -1) < 0)
			return false;
		n = recv(fd, at, len, 0);
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* Reads one request; false: the client or the test has gone. */
static bool read_request(struct fault *f, int fd, bool head_only)
{
	struct fault_request *r = calloc(1, sizeof(*r));
	size_t len = 0;
	char number[32];

	r->head = calloc(1, 16384);
	while (len < 16383 && !strstr(r->head, "\r\n\r\n")) {
		if (!read_exactly(f, fd, r->head + len++, 1))
			goto gone;
	}
	if (head_only || !fault_header(r, "Content-Length", number, sizeof(number)))
		strcpy(number, "0");
	r->body_len = strtoul(number, NULL, 10);
	r->body = malloc(r->body_len + 1);
	if (!read_exactly(f, fd, r->body, r->body_len))
		goto gone;
	keep_request(f, r);
	return true;
gone:
	free(r->head);
	free(r->body);
	free(r);
	return false;
}

static void serve(struct fault *f, int fd)
{
	static const struct fault_step well = {.bytes = "HTTP/1.1 200 OK\r\n"
							"Content-Length: 0\r\n\r\n"};
	static const struct linger reset = {.l_onoff = 1};
	char scrap[4096];

	for (;;) {
		const struct fault_step *s = f->step < f->steps_len ? &f->steps[f->step] : &well;
		size_t len = s->len ? s->len : s->bytes ? strlen(s->bytes) : 0;

		if (s->end == FAULT_UNREAD) {
			f->step++;
			return;
		}
		if (s->blind &&
		    (wait_for(f, fd, POLLIN, -1) < 0 || recv(fd, scrap, sizeof(scrap), 0) <= 0))
			return;
		if (!s->blind && !read_request(f, fd, s->head_only))
			return;
		f->step++;
		if (s->gate)
			fault_gate_pass(s->gate);
		if (s->head && !send_all(f, fd, s->head, strlen(s->head), s))
			return;
		do {
			if (!send_all(f, fd, s->bytes, len, s))
				return;
		} while (s->end == FAULT_REPEAT);
		if (s->end == FAULT_HANG && s->head_only)
			wait_for(f, -1, 0, -1);
		else if (s->end == FAULT_HANG)
			wait_for_client_to_go(f, fd);
		if (s->end == FAULT_RESET)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		if (s->end != FAULT_KEEP)
			return;
	}
}

static void *run(void *arg)
{
	struct fault *f = arg;
	static const int one = 1;

	while (wait_for(f, f->listener, POLLIN, -1) > 0) {
		int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		pthread_mutex_lock(&f->lock);
		f->connections++;
		pthread_mutex_unlock(&f->lock);
		serve(f, fd);
		close(fd);
	}
	return NULL;
}

static int listen_at(const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, sa, len) || listen(fd, 16)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int listen_on(uint16_t port, uint16_t *ret_port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = listen_at((struct sockaddr *)&sa, len);

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&sa, &len))
		die("listen");
	*ret_port = ntohs(sa.sin_port);
	return fd;
}

static struct fault *start(struct fault *f, const struct fault_step *steps, size_t len)
{
	f->steps = steps;
	f->steps_len = len;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	if (pipe(f->stop) || pthread_create(&f->thread, NULL, run, f))
		die("start");
	return f;
}

struct fault *fault_start(uint16_t port, const struct fault_step *steps, size_t len)
{
	struct fault *f = calloc(1, sizeof(*f));

	f->listener = listen_on(port, &f->port);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", f->port);
	return start(f, steps, len);
}

struct fault *fault_start_ipv6(const struct fault_step *steps, size_t len)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t sa_len = sizeof(sa);
	int fd = listen_at((struct sockaddr *)&sa, sa_len);
	struct fault *f;

	if (fd < 0)
		return NULL;
	if (getsockname(fd, (struct sockaddr *)&sa, &sa_len))
		die("listen");
	f = calloc(1, sizeof(*f));
	f->listener = fd;
	f->port = ntohs(sa.sin6_port);
	snprintf(f->url, sizeof(f->url), "http://[::1]:%u", f->port);
	return start(f, steps, len);
}

void fault_stop(struct fault *f)
{
	close(f->stop[1]);
	pthread_join(f->thread, NULL);
	close(f->stop[0]);
	close(f->listener);
	for (size_t i = 0; i < f->requests_len; i++) {
		free(f->requests[i]->head);
		free(f->requests[i]->body);
		free(f->requests[i]);
	}
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

uint16_t fault_port(const struct fault *f)
{
	return f->port;
}

const char *fault_url(const struct fault *f)
{
	return f->url;
}

void fault_wait(struct fault *f, size_t requests)
{
	struct timespec until = wait_end();

	pthread_mutex_lock(&f->lock);
	while (f->requests_len < requests) {
		errno = pthread_cond_timedwait(&f->changed, &f->lock, &until);
		if (errno)
			die("waiting for a request");
	}
	pthread_mutex_unlock(&f->lock);
}

size_t fault_requests(struct fault *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->requests_len;
	pthread_mutex_unlock(&f->lock);
	return n;
}

size_t fault_connections(struct fault *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->connections;
	pthread_mutex_unlock(&f->lock);
	return n;
}

const struct fault_request *fault_request(struct fault *f, size_t i)
{
	const struct fault_request *r;

	fault_wait(f, i + 1);
	pthread_mutex_lock(&f->lock);
	r = f->requests[i];
	pthread_mutex_unlock(&f->lock);
	return r;
}

bool fault_header(const struct fault_request *r, const char *name, char *buf, size_t cap)
{
	size_t len = strlen(name);

	for (const char *line = strstr(r->head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) || line[len] != ':')
			continue;
		line += len + 1 + strspn(line + len + 1, " ");
		snprintf(buf, cap, "%.*s", (int)strcspn(line, "\r"), line);
		return true;
	}
	return false;
}

uint16_t fault_closed_port(void)
{
	uint16_t port;

	close(listen_on(0, &port));
	return port;
}
