/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_load IF FLOWS_PER_S PACKETS SECONDS [FLOWS_PER_S PACKETS SECONDS]…
 *
 * Sends new UDP flows of so many packets each, at an even rate, one stage after the other; each
 * flow has its own source address and port, counted up, so that no two are the same. The packets of
 * a flow leave one after the other. Prints what it sent, and complains if it could not keep up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SECOND_NS 1000000000ULL
#define BATCH 64
#define FRAME_BYTES 60
#define SLICE_NS 1000000ULL

struct load {
	int fd;
	uint64_t flows, packets; /* so far */
	uint8_t frames[BATCH][FRAME_BYTES];
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	unsigned len;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / SECOND_NS),
			      .tv_nsec = (long)(ns % SECOND_NS)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static void die(const char *what)
{
	fprintf(stderr, "flow_load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void load_flush(struct load *l)
{
	unsigned sent = 0;

	while (sent < l->len) {
		int n = sendmmsg(l->fd, l->msgs + sent, l->len - sent, 0);

		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			die("send");
		if (n > 0)
			sent += (unsigned)n;
	}
	l->packets += l->len;
	l->len = 0;
}

static void load_packet(struct load *l, uint64_t flow)
{
	/* Ethernet, IPv4 of 46 bytes (no checksum: nobody but ringspan looks), UDP to port 9 */
	static const uint8_t head[] = {2,  0, 0, 0, 0, 1,  2,  0, 0, 0,	 0, 2, 8, 0,  0x45, 0, 0,
				       46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 255,  0, 1};
	uint8_t *f = l->frames[l->len];
	uint32_t source = htonl(0x0a000000 | (uint32_t)(flow >> 14 & 0x7fffff));
	uint16_t ports[3] = {htons((uint16_t)(1024 + (flow & 0x3fff))), htons(9), htons(26)};

	memcpy(f, head, sizeof(head));
	memcpy(f + 26, &source, sizeof(source));
	memcpy(f + 34, ports, sizeof(ports));
	if (++l->len == BATCH)
		load_flush(l);
}

static void load_stage(struct load *l, double flows_per_s, unsigned packets, double seconds)
{
	uint64_t begun_ns = now_ns(), end_ns = begun_ns + (uint64_t)(seconds * 1e9), at_ns, due;
	uint64_t total = (uint64_t)(flows_per_s * seconds), done = 0;
	unsigned p;

	for (at_ns = begun_ns; at_ns < end_ns; at_ns += SLICE_NS) {
		sleep_until(at_ns);
		due = (uint64_t)((double)(at_ns - begun_ns + SLICE_NS) / 1e9 * flows_per_s);
		for (; done < due && done < total; done++, l->flows++)
			for (p = 0; p < packets; p++)
				load_packet(l, l->flows);
		load_flush(l);
	}
	at_ns = now_ns();
	if (at_ns > end_ns + SECOND_NS / 4)
		fprintf(stderr, "flow_load: %.3f s late at %g flows/s\n",
			(double)(at_ns - end_ns) / 1e9, flows_per_s);
}

int main(int argc, char **argv)
{
	static struct load l;
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	int i;

	if (argc < 5 || (argc - 2) % 3) {
		fprintf(stderr, "usage: flow_load IF FLOWS_PER_S PACKETS SECONDS…\n");
		return 64;
	}
	l.fd = socket(AF_PACKET, SOCK_RAW, 0);
	to.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (l.fd < 0 || !to.sll_ifindex || bind(l.fd, (struct sockaddr *)&to, sizeof(to)))
		die(argv[1]);
	for (i = 0; i < BATCH; i++) {
		l.iov[i] = (struct iovec){l.frames[i], FRAME_BYTES};
		l.msgs[i].msg_hdr.msg_iov = &l.iov[i];
		l.msgs[i].msg_hdr.msg_iovlen = 1;
	}
	for (i = 2; i < argc; i += 3)
		load_stage(&l, atof(argv[i]), (unsigned)atoi(argv[i + 1]), atof(argv[i + 2]));
	printf("flows=%llu packets=%llu\n", (unsigned long long)l.flows,
	       (unsigned long long)l.packets);
	return EXIT_SUCCESS;
}
