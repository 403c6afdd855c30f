/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/pull_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/log.h"

#define LISTEN_BACKLOG 256

static bool is_local(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

	if (sa->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	return ntohl(in->sin_addr.s_addr) >> 24 == 127;
}

static int listen_at(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, at->ai_addr, at->ai_addrlen) && !listen(fd, LISTEN_BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void say(const struct options *o, int err)
{
	const char *where = o->metrics_listen;

	if (err == -EADDRINUSE)
		log_error("--metrics-listen %s: another process listens there: give another port",
			  where);
	else if (err == -EADDRNOTAVAIL)
		log_error("--metrics-listen %s: this host has no such address: give one that it "
			  "has",
			  where);
	else
		log_error("--metrics-listen %s: cannot listen there: %s", where, strerror(-err));
}

int pull_listen(const struct options *o)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list, *at;
	int fd = -EADDRNOTAVAIL, err;

	err = getaddrinfo(o->metrics_host, o->metrics_port, &hints, &list);
	if (err) {
		log_error("--metrics-listen %s: %s: give an address of this host",
			  o->metrics_listen, gai_strerror(err));
		return -EINVAL;
	}
	for (at = list; at && fd < 0; at = at->ai_next) {
		if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
			continue;
		fd = listen_at(at);
		if (fd >= 0 && !is_local(at->ai_addr))
			log_warn("--metrics-listen %s: whoever can reach this host can read the "
				 "metrics: there is no password and no encryption",
				 o->metrics_listen);
	}
	freeaddrinfo(list);
	if (fd < 0)
		say(o, fd);
	return fd;
}
