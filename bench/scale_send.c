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
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/frame_sender.h"

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
	struct frame_sender *sender;
	const struct list *list;
	const struct packet *packets;
	uint32_t (*seq)[2]; /* by flow and endpoint: the next one */
	uint64_t late_ns;
};

/* No checksums: nobody but ringspan looks. */
static size_t load_frame(struct load *l, uint8_t *f, const struct packet *p)
{
	static const uint8_t ethernet[L3] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	const struct flow *flow = &l->list->flows[p->flow];
	uint32_t *seq = l->seq[p->flow];
	unsigned from = p->from & 1, head = flow->proto == IPPROTO_TCP ? 20 : 8;
	size_t len = L4 + head + p->payload;

	if (len > FRAME_LONGEST) {
		errno = EMSGSIZE;
		die("a packet of the list");
	}
	memset(f, 0, len < FRAME_SHORTEST ? FRAME_SHORTEST : len);
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
	return len < FRAME_SHORTEST ? FRAME_SHORTEST : len;
}

static void load_run(struct load *l)
{
	uint64_t begun_ns = now_ns(), now = begun_ns;
	uint32_t i;

	for (i = 0; i < l->list->packets_len; i++) {
		const struct packet *p = &l->packets[i];

		if (begun_ns + p->at_ns > now) {
			frame_sender_flush(l->sender);
			sleep_until(begun_ns + p->at_ns + SLICE_NS);
			now = now_ns();
			if (now - begun_ns - p->at_ns > l->late_ns)
				l->late_ns = now - begun_ns - p->at_ns;
		}
		if (p->flow >= l->list->flows_len)
			die("a packet of no flow");
		frame_sender_add(l->sender, load_frame(l, frame_sender_next(l->sender), p));
	}
	frame_sender_flush(l->sender);
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

int main(int argc, char **argv)
{
	static struct load l;

	if (argc != 3) {
		fprintf(stderr, "usage: scale_send IF FILE\n");
		return 64;
	}
	load_read(&l, argv[2]);
	l.sender = frame_sender_create(argv[1]);
	load_run(&l);
	printf("flows=%u packets=%llu bytes=%llu late_ms=%.1f\n", l.list->flows_len,
	       (unsigned long long)frame_sender_frames(l.sender),
	       (unsigned long long)frame_sender_bytes(l.sender), (double)l.late_ns / 1e6);
	return EXIT_SUCCESS;
}
