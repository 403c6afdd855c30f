/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * scale_send IF FILE - sends the packets of a flow list that scale.py made, each at its time.
 *
 * Prints what it sent and how late it was at worst. The file, in the byte order of the machine that
 * reads it:
 *
 *   0        8           12            16
 *   | "RSFLOWS1" | flows   | packets     |
 *   flows    × | source 4 | destination 4 | ports 2 × 2 | protocol 1 | 0, 3 |           16 bytes
 *   packets  × | time, ns 8 | flow 4 | payload 2 | from 1 | TCP flags 1 |              16 bytes
 *
 * Addresses and ports are in network order. Packets are in order of time. Sequence numbers follow
 * from the payload, so that no segment looks like a retransmission.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ULL
#define BATCH 64
#define FRAME_MAX 1514
#define SHORT_BYTES 60 /* the least an Ethernet has */
#define SLICE_NS 500000ULL /* what is due within one leaves together */
#define L3 14
#define L4 (L3 + 20)
#define SYN_OR_FIN 0x03

struct flow {
	uint32_t addr[2];
	uint16_t port[2];
	uint8_t proto, zero[3];
};

struct packet {
	uint64_t at_ns;
	uint32_t flow;
	uint16_t payload;
	uint8_t from, tcp_flags;
};

struct list {
	char magic[8];
	uint32_t flows_len, packets_len;
	struct flow flows[];
};
_Static_assert(sizeof(struct flow) == 16 && sizeof(struct packet) == 16, "layout");

struct load {
	int fd;
	const struct list *list;
	const struct packet *packets;
	uint32_t (*seq)[2]; /* by flow and endpoint: the next one */
	uint64_t sent, bytes, late_ns;
	uint8_t frames[BATCH][FRAME_MAX];
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
	fprintf(stderr, "scale_send: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* No checksums: nobody but ringspan looks. */
static size_t load_frame(struct load *l, uint8_t *f, const struct packet *p)
{
	static const uint8_t ethernet[L3] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	const struct flow *flow = &l->list->flows[p->flow];
	uint32_t *seq = l->seq[p->flow];
	unsigned from = p->from & 1, head = flow->proto == IPPROTO_TCP ? 20 : 8;
	size_t len = L4 + head + p->payload;

	if (len > FRAME_MAX) {
		errno = EMSGSIZE;
		die("a packet of the list");
	}
	memset(f, 0, len < SHORT_BYTES ? SHORT_BYTES : len);
	memcpy(f, ethernet, L3);
	f[L3] = 0x45;
	put16(f + L3 + 2, (uint32_t)(len - L3));
	f[L3 + 8] = 64;
	f[L3 + 9] = flow->proto;
	memcpy(f + L3 + 12, &flow->addr[from], 4);
	memcpy(f + L3 + 16, &flow->addr[!from], 4);
	memcpy(f + L4, &flow->port[from], 2);
	memcpy(f + L4 + 2, &flow->port[!from], 2);
	if (flow->proto == IPPROTO_TCP) {
		put32(f + L4 + 4, seq[from]);
		put32(f + L4 + 8, p->tcp_flags & 0x10 ? seq[!from] : 0);
		f[L4 + 12] = 0x50;
		f[L4 + 13] = p->tcp_flags;
		put16(f + L4 + 14, 0xffff);
		seq[from] += p->payload + (p->tcp_flags & SYN_OR_FIN ? 1 : 0);
	} else {
		put16(f + L4 + 4, (uint32_t)(len - L4));
	}
	return len < SHORT_BYTES ? SHORT_BYTES : len;
}

static void load_flush(struct load *l)
{
	unsigned sent = 0, i;

	while (sent < l->len) {
		int n = sendmmsg(l->fd, l->msgs + sent, l->len - sent, 0);

		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			die("send");
		if (n > 0)
			sent += (unsigned)n;
	}
	for (i = 0; i < l->len; i++)
		l->bytes += l->iov[i].iov_len;
	l->sent += l->len;
	l->len = 0;
}

static void load_run(struct load *l)
{
	uint64_t begun_ns = now_ns(), now = begun_ns;
	uint32_t i;

	for (i = 0; i < l->list->packets_len; i++) {
		const struct packet *p = &l->packets[i];

		if (begun_ns + p->at_ns > now) {
			load_flush(l);
			sleep_until(begun_ns + p->at_ns + SLICE_NS);
			now = now_ns();
			if (now - begun_ns - p->at_ns > l->late_ns)
				l->late_ns = now - begun_ns - p->at_ns;
		}
		if (p->flow >= l->list->flows_len)
			die("a packet of no flow");
		l->iov[l->len].iov_len = load_frame(l, l->frames[l->len], p);
		if (++l->len == BATCH)
			load_flush(l);
	}
	load_flush(l);
}

static void load_read(struct load *l, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t i;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	errno = EINVAL;
	if ((size_t)st.st_size < sizeof(struct list))
		die(path);
	l->list = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (l->list == MAP_FAILED)
		die(path);
	close(fd);
	if (memcmp(l->list->magic, "RSFLOWS1", 8) ||
	    (size_t)st.st_size !=
		    sizeof(struct list) + 16ULL * l->list->flows_len + 16ULL * l->list->packets_len)
		die(path);
	l->packets = (const void *)&l->list->flows[l->list->flows_len];
	l->seq = calloc(l->list->flows_len, sizeof(*l->seq));
	if (!l->seq)
		die(path);
	for (i = 0; i < l->list->flows_len; i++) {
		l->seq[i][0] = i * 2654435761U;
		l->seq[i][1] = i * 2246822519U + 1;
	}
}

static void load_open(struct load *l, const char *interface)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	int i;

	l->fd = socket(AF_PACKET, SOCK_RAW, 0);
	to.sll_ifindex = (int)if_nametoindex(interface);
	if (l->fd < 0 || !to.sll_ifindex || bind(l->fd, (struct sockaddr *)&to, sizeof(to)))
		die(interface);
	for (i = 0; i < BATCH; i++) {
		l->iov[i].iov_base = l->frames[i];
		l->msgs[i].msg_hdr.msg_iov = &l->iov[i];
		l->msgs[i].msg_hdr.msg_iovlen = 1;
	}
}

int main(int argc, char **argv)
{
	static struct load l;

	if (argc != 3) {
		fprintf(stderr, "usage: scale_send IF FILE\n");
		return 64;
	}
	load_read(&l, argv[2]);
	load_open(&l, argv[1]);
	load_run(&l);
	printf("flows=%u packets=%llu bytes=%llu late_ms=%.1f\n", l.list->flows_len,
	       (unsigned long long)l.sent, (unsigned long long)l.bytes, (double)l.late_ns / 1e6);
	return EXIT_SUCCESS;
}
