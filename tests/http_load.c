/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http_load - short HTTP connections, as many as a core makes, and an own count of them.
 *
 *   http_load server ADDRESS PORT
 *   http_load client ADDRESS PORT SECONDS AT_ONCE [MOST]
 *
 * The server closes first, so that its side waits and the client's port is free again at once. The
 * client prints a line "PORT COUNT" for each local port it used, after "connections N".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256

static const char request[] = "GET / HTTP/1.0\r\nHost: test\r\n\r\n";
static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

struct load {
	struct sockaddr_storage address;
	socklen_t address_len;
	int epoll;
	uint64_t begun, done, most;
	uint64_t end_ns;
	unsigned active;
	uint32_t by_port[65536];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "http_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void parse_address(struct load *l, const char *text, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&l->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&l->address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(port));
		l->address_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)atoi(port));
		l->address_len = sizeof(*v6);
	} else {
		errno = EINVAL;
		die(text);
	}
}

static void watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
		die("epoll_ctl");
}

/* ---- server ---- */

static void serve_one(int epoll, int listener, const struct epoll_event *e)
{
	char buffer[512];
	int fd;

	if (e->data.fd == listener) {
		while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
			watch(epoll, fd, EPOLLIN);
		return;
	}
	if (read(e->data.fd, buffer, sizeof(buffer)) > 0 &&
	    write(e->data.fd, answer, sizeof(answer) - 1) < 0)
		die("answer");
	close(e->data.fd);
}

static _Noreturn void serve(struct load *l)
{
	struct epoll_event events[EVENTS];
	int listener, on = 1, n, i;

	listener = socket(l->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(listener, (struct sockaddr *)&l->address, l->address_len) ||
	    listen(listener, 4096))
		die("listen");
	watch(l->epoll, listener, EPOLLIN);
	puts("listening");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(l->epoll, events, EVENTS, -1);
		for (i = 0; i < n; i++)
			serve_one(l->epoll, listener, &events[i]);
	}
}

/* ---- client ---- */

static bool may_begin(const struct load *l)
{
	return now_ns() < l->end_ns && (!l->most || l->begun < l->most);
}

static void begin(struct load *l)
{
	int fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&l->address, l->address_len) && errno != EINPROGRESS)
		die("connect");
	watch(l->epoll, fd, EPOLLOUT);
	l->begun++;
	l->active++;
}

/* The server has closed: its answer must be whole. */
static void end(struct load *l, int fd)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);

	/* sin_port and sin6_port lie at the same place */
	if (getsockname(fd, (struct sockaddr *)&own, &len))
		die("getsockname");
	l->by_port[ntohs(((struct sockaddr_in *)&own)->sin_port)]++;
	close(fd);
	l->active--;
	l->done++;
}

static void step(struct load *l, const struct epoll_event *e)
{
	struct epoll_event next = {.events = EPOLLIN, .data.fd = e->data.fd};
	char buffer[512];
	ssize_t n;

	if (e->events & EPOLLOUT) {
		if (write(e->data.fd, request, sizeof(request) - 1) != sizeof(request) - 1)
			die("request");
		if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, e->data.fd, &next))
			die("epoll_ctl");
		return;
	}
	n = read(e->data.fd, buffer, sizeof(buffer));
	if (n < 0 && errno != EAGAIN)
		die("answer");
	if (n == 0)
		end(l, e->data.fd);
}

static int drive(struct load *l, unsigned at_once)
{
	struct epoll_event events[EVENTS];
	unsigned port;
	int n, i;

	while (may_begin(l) || l->active) {
		while (l->active < at_once && may_begin(l))
			begin(l);
		n = epoll_wait(l->epoll, events, EVENTS, 1000);
		for (i = 0; i < n; i++)
			step(l, &events[i]);
	}
	printf("connections %llu\n", (unsigned long long)l->done);
	for (port = 0; port < 65536; port++)
		if (l->by_port[port])
			printf("%u %u\n", port, l->by_port[port]);
	return l->done == l->begun ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct load l;

	if (argc < 4)
		return 64;
	parse_address(&l, argv[2], argv[3]);
	l.epoll = epoll_create1(0);
	if (l.epoll < 0)
		die("epoll_create1");
	if (strcmp(argv[1], "server") == 0)
		serve(&l);
	if (argc < 6)
		return 64;
	l.end_ns = now_ns() + (uint64_t)(atof(argv[4]) * 1e9);
	l.most = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
	return drive(&l, (unsigned)atoi(argv[5]));
}
