/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bench/discard.h"

#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD_MAX 8192

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/* Reads a head; what came behind it of the body is in *ret_body. The body's size, or -1 at the end.
 */
static long long read_head(int fd, size_t *ret_body)
{
	char head[HEAD_MAX + 1], *end, *length;
	size_t len = 0;
	ssize_t n;

	do {
		n = recv(fd, head + len, HEAD_MAX - len, 0);
		if (n <= 0)
			return -1;
		len += (size_t)n;
		head[len] = '\0';
		end = strstr(head, "\r\n\r\n");
	} while (!end);
	*ret_body = len - (size_t)(end + 4 - head);
	*end = '\0';
	length = strcasestr(head, "\r\nContent-Length:");
	return length ? atoll(length + strlen("\r\nContent-Length:")) : 0;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	long long size;
	size_t got;
	ssize_t n;

	while ((size = read_head(fd, &got)) >= 0) {
		while (got < (size_t)size) {
			/* MSG_TRUNC: the kernel throws them away itself */
			n = recv(fd, NULL, (size_t)size - got, MSG_TRUNC);
			if (n <= 0)
				goto out;
			got += (size_t)n;
		}
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
			break;
	}
out:
	close(fd);
	return NULL;
}

static _Noreturn void accept_all(int listener)
{
	pthread_t thread;
	int fd;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
			_exit(EXIT_FAILURE);
		pthread_detach(thread);
	}
}

uint16_t discard_start(pid_t *ret)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(address);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 16) || getsockname(listener, (struct sockaddr *)&address, &len))
		err(EXIT_FAILURE, "no server on 127.0.0.1");
	*ret = fork();
	if (*ret < 0)
		err(EXIT_FAILURE, "fork");
	if (*ret == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		accept_all(listener);
	}
	close(listener);
	return ntohs(address.sin_port);
}

void discard_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
