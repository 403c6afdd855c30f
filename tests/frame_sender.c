/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/frame_sender.h"

#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64

struct frame_sender {
	int fd;
	uint64_t frames, bytes;
	unsigned len; /* of what waits */
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	uint8_t frame[BATCH][FRAME_LONGEST];
};

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

void sleep_until(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / SECOND_NS),
			      .tv_nsec = (long)(ns % SECOND_NS)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

void die(const char *what)
{
	err(EXIT_FAILURE, "%s", what);
}

struct frame_sender *frame_sender_create(const char *interface)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	struct frame_sender *s = calloc(1, sizeof(*s));
	int i;

	if (!s)
		die("memory");
	s->fd = socket(AF_PACKET, SOCK_RAW, 0);
	to.sll_ifindex = (int)if_nametoindex(interface);
	if (s->fd < 0 || !to.sll_ifindex || bind(s->fd, (struct sockaddr *)&to, sizeof(to)))
		die(interface);
	for (i = 0; i < BATCH; i++) {
		s->iov[i].iov_base = s->frame[i];
		s->msgs[i].msg_hdr.msg_iov = &s->iov[i];
		s->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	return s;
}

uint8_t *frame_sender_next(struct frame_sender *s)
{
	return s->frame[s->len];
}

void frame_sender_add(struct frame_sender *s, size_t len)
{
	s->iov[s->len].iov_len = len;
	s->bytes += len;
	if (++s->len == BATCH)
		frame_sender_flush(s);
}

void frame_sender_flush(struct frame_sender *s)
{
	unsigned sent = 0;

	while (sent < s->len) {
		int n = sendmmsg(s->fd, s->msgs + sent, s->len - sent, 0);

		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			die("send");
		if (n > 0)
			sent += (unsigned)n;
	}
	s->frames += s->len;
	s->len = 0;
}

uint64_t frame_sender_frames(const struct frame_sender *s)
{
	return s->frames;
}

uint64_t frame_sender_bytes(const struct frame_sender *s)
{
	return s->bytes;
}
