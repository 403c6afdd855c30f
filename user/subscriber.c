/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/subscriber.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/clock.h"

#define GREETING_BYTES 8
#define HEAD_BYTES 9
#define BODY_MAX (1024 * 1024) /* larger ones are none of ours */
#define BUFFER_BYTES (HEAD_BYTES + BODY_MAX)
#define GREET_NS 1500000000ULL /* then it may be a listener that has been replaced: once more */

struct subscriber {
	int fd;
	size_t begin, end; /* what has been read and not been taken */
	char buffer[BUFFER_BYTES];
};

static const unsigned char sub_greeting[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x21, 0, 0};
static const unsigned char pub_greeting[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x20, 0, 0};

/* 0: readable or closed; -ETIMEDOUT; -EINTR. */
static int subscriber_wait(int fd, int stop_fd, uint64_t deadline_mono_ns)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
	uint64_t now_ns = clock_mono_ns();
	int ms = deadline_mono_ns > now_ns ? (int)((deadline_mono_ns - now_ns) / 1000000) + 1 : 0;
	int n = poll(p, 2, ms);

	if (n > 0 && p[1].revents)
		return -EINTR;
	return n > 0 ? 0 : -ETIMEDOUT;
}

static int subscriber_greet(int fd, int stop_fd, uint64_t deadline_mono_ns)
{
	unsigned char got[GREETING_BYTES];
	size_t len = 0;
	ssize_t n;
	int err;

	if (send(fd, sub_greeting, GREETING_BYTES, MSG_NOSIGNAL) != GREETING_BYTES)
		return -ECONNRESET;
	while (len < GREETING_BYTES) {
		err = subscriber_wait(fd, stop_fd, deadline_mono_ns);
		if (err)
			return err;
		n = recv(fd, got + len, GREETING_BYTES - len, 0);
		if (n <= 0)
			return -ECONNRESET;
		len += (size_t)n;
	}
	return memcmp(got, pub_greeting, GREETING_BYTES) ? -EPROTO : 0;
}

static int subscriber_connect(struct subscriber *s, const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path));
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&sa, sizeof(sa)))
		return -errno;
	return 0;
}

int subscriber_open(struct subscriber **ret, const char *path, int stop_fd,
		    uint64_t deadline_mono_ns)
{
	struct subscriber *s = malloc(sizeof(*s));
	uint64_t now_ns;
	int err;

	if (!s)
		return -ENOMEM;
	s->begin = s->end = 0;
	do {
		now_ns = clock_mono_ns();
		err = subscriber_connect(s, path);
		if (!err)
			err = subscriber_greet(s->fd, stop_fd,
					       now_ns + GREET_NS < deadline_mono_ns
						       ? now_ns + GREET_NS
						       : deadline_mono_ns);
		if (!err) {
			*ret = s;
			return 0;
		}
		if (s->fd >= 0)
			close(s->fd);
		if (err == -ECONNRESET && subscriber_wait(-1, stop_fd, now_ns + GREET_NS / 10))
			continue; /* not at once again */
	} while ((err == -ECONNRESET || err == -ETIMEDOUT) && clock_mono_ns() < deadline_mono_ns);
	free(s);
	return err;
}

void subscriber_close(struct subscriber *s)
{
	if (!s)
		return;
	close(s->fd);
	free(s);
}

static uint64_t read_be64(const char *at)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | (unsigned char)at[i];
	return v;
}

int subscriber_next(struct subscriber *s, const char **ret_data, size_t *ret_len)
{
	const char *head = s->buffer + s->begin;
	uint64_t len;

	*ret_data = NULL;
	if (s->end - s->begin < HEAD_BYTES)
		return 0;
	len = read_be64(head + 1);
	if (head[0] != 1 || len > BODY_MAX)
		return -EPROTO;
	if (s->end - s->begin < HEAD_BYTES + len)
		return 0;
	*ret_data = head + HEAD_BYTES;
	*ret_len = len;
	s->begin += HEAD_BYTES + len;
	return 0;
}

int subscriber_fd(const struct subscriber *s)
{
	return s->fd;
}

int subscriber_fill(struct subscriber *s)
{
	ssize_t n;

	/* a whole message always fits, so there is room behind a part of one */
	memmove(s->buffer, s->buffer + s->begin, s->end - s->begin);
	s->end -= s->begin;
	s->begin = 0;
	n = recv(s->fd, s->buffer + s->end, sizeof(s->buffer) - s->end, MSG_DONTWAIT);
	if (n > 0)
		s->end += (size_t)n;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return errno == ECONNRESET ? -ENODATA : -errno;
	return n ? 0 : -ENODATA;
}
