/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_load [-k KIND] [-s SEED] [-r ROUNDS] IF FLOWS_PER_S PACKETS SECONDS [FLOWS_PER_S …]…
 *
 * Sends new flows of so many packets each, at an even rate, one stage after the other; the packets
 * of a flow leave one after the other. 0 flows a second: as many as go. All stages are run ROUNDS
 * times, each time with the same flows. Prints what it sent, and complains if it could not keep up.
 *
 * Kinds, all from the seed and a flow's number alone:
 *   udp   each flow has its own source address and port, counted up: no two are the same
 *   syn   a TCP SYN to one port from a random address and port
 *   scan  a TCP SYN from one address and port to each port of one host after the other
 *   bent  IPv4 and IPv6, TCP and UDP, of which one to three fields are wrong: header, packet and
 *         datagram lengths, fragments, protocols, any byte, or the end of the frame missing
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/frame_sender.h"

#define BATCH 64
#define BENT_BYTES 128 /* more than any of them has */
#define SLICE_NS 1000000ULL

/* Makes the frame of a flow's packet; returns its length. */
typedef size_t (*frame_fn)(uint8_t *frame, uint64_t flow, uint64_t seed);

struct load {
	struct frame_sender *sender;
	frame_fn frame;
	uint64_t seed;
	uint64_t flows; /* so far */
};

/* ---- frames: Ethernet, IP, TCP or UDP; no checksums, nobody but ringspan looks ---- */

static const uint8_t head4[] = {2,  0, 0, 0, 0, 1,  2,	0, 0, 0,  0, 2, 8, 0,  0x45, 0, 0,
				46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 255,  0, 1};
#define L3 14
#define L4_OF_IP4 (L3 + 20)
#define L4_OF_IP6 (L3 + 40)

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9E3779B97F4A7C15ULL;

	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
	return x ^ (x >> 31);
}

static size_t frame_udp(uint8_t *f, uint64_t flow, uint64_t seed)
{
	(void)seed;
	memcpy(f, head4, sizeof(head4));
	put32(f + L3 + 12, 0x0a000000 | (flow >> 14 & 0x7fffff));
	put16(f + L4_OF_IP4, 1024 + (flow & 0x3fff));
	put16(f + L4_OF_IP4 + 2, 9);
	put16(f + L4_OF_IP4 + 4, 26);
	return FRAME_SHORTEST;
}

static size_t frame_tcp_syn(uint8_t *f, uint32_t from, uint16_t from_port, uint16_t to_port,
			    uint32_t seq)
{
	memcpy(f, head4, sizeof(head4));
	put16(f + L3 + 2, 40);
	f[L3 + 9] = IPPROTO_TCP;
	put32(f + L3 + 12, from);
	put16(f + L4_OF_IP4, from_port);
	put16(f + L4_OF_IP4 + 2, to_port);
	put32(f + L4_OF_IP4 + 4, seq);
	f[L4_OF_IP4 + 12] = 0x50;
	f[L4_OF_IP4 + 13] = 0x02;
	return FRAME_SHORTEST;
}

static size_t frame_syn(uint8_t *f, uint64_t flow, uint64_t seed)
{
	uint64_t state = seed ^ flow << 20, r = next_random(&state);

	return frame_tcp_syn(f, (uint32_t)(r >> 32), (uint16_t)(r >> 16), 80,
			     (uint32_t)next_random(&state));
}

static size_t frame_scan(uint8_t *f, uint64_t flow, uint64_t seed)
{
	size_t len = frame_tcp_syn(f, 0x0a420042, 40000, (uint16_t)flow, (uint32_t)seed);

	f[L3 + 18] = (uint8_t)(flow >> 16); /* the next host after 65536 ports */
	return len;
}

/* A valid frame between a few hosts and ports, so that connections come about. */
static size_t frame_valid(uint8_t *f, uint64_t r, bool is_6, bool is_tcp)
{
	size_t l4 = is_6 ? L4_OF_IP6 : L4_OF_IP4, len = l4 + (is_tcp ? 20 : 8) + (r >> 40 & 31);

	memcpy(f, head4, L4_OF_IP4);
	f[L3 + 15] = (uint8_t)(r & 7);
	f[L3 + 9] = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
	put16(f + L3 + 2, len - L3);
	if (is_6) {
		put16(f + 12, ETHERTYPE_IPV6);
		memset(f + L3, 0, 40);
		f[L3] = 0x60;
		put16(f + L3 + 4, len - l4);
		f[L3 + 6] = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
		f[L3 + 8] = f[L3 + 24] = 0xfd;
		f[L3 + 23] = (uint8_t)(r & 7);
	}
	put16(f + l4, 1024 + (r >> 8 & 63));
	put16(f + l4 + 2, 80);
	if (is_tcp) {
		put32(f + l4 + 4, r >> 16 & 0xffff);
		f[l4 + 12] = 0x50;
		f[l4 + 13] = (uint8_t)(r >> 32);
	} else {
		put16(f + l4 + 4, len - l4);
	}
	return len;
}

/* One thing about a valid frame is made wrong; its new length. */
static size_t frame_bend(uint8_t *f, size_t len, bool is_6, bool is_tcp, uint64_t r)
{
	static const uint8_t protos[] = {0, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 60, 132, 135};
	size_t l4 = is_6 ? L4_OF_IP6 : L4_OF_IP4;
	uint64_t value = r >> 8;

	switch (r & 7) {
	case 0: /* version and header length, or class */
		f[L3] = (uint8_t)value;
		return len;
	case 1: /* the packet's length */
		put16(f + L3 + (is_6 ? 4 : 2), value & 1 ? value >> 1 : (value >> 1) % 100);
		return len;
	case 2: /* flags and offset of a fragment; the hop limit */
		put16(f + L3 + 6 + is_6, value);
		return len;
	case 3: /* what follows: perhaps an extension header that is none */
		f[L3 + (is_6 ? 6 : 9)] = protos[value % sizeof(protos)];
		return len;
	case 4: /* TCP: header length and flags; UDP: the datagram's length */
		put16(f + l4 + (is_tcp ? 12 : 4), value);
		return len;
	case 5: /* the frame ends early */
		return L3 + 1 + value % (len - L3);
	default:
		f[L3 + value % (len - L3)] = (uint8_t)(value >> 32);
		return len;
	}
}

static size_t frame_bent(uint8_t *f, uint64_t flow, uint64_t seed)
{
	uint64_t state = seed ^ flow << 20, r = next_random(&state);
	bool is_6 = r >> 62 & 1, is_tcp = r >> 63;
	size_t len, bends;

	memset(f, 0, BENT_BYTES);
	len = frame_valid(f, r, is_6, is_tcp);
	for (bends = 1 + (r >> 56) % 3; bends; bends--) {
		r = next_random(&state);
		if ((r & 7) != 5 || bends == 1) /* the others need a whole frame */
			len = frame_bend(f, len, is_6, is_tcp, r);
	}
	return len;
}

static const struct {
	const char *name;
	frame_fn frame;
} kinds[] = {{"udp", frame_udp}, {"syn", frame_syn}, {"scan", frame_scan}, {"bent", frame_bent}};

static frame_fn kind_frame(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].frame;
	return NULL;
}

/* ---- the load ---- */

static void load_packet(struct load *l, uint64_t flow)
{
	frame_sender_add(l->sender, l->frame(frame_sender_next(l->sender), flow, l->seed));
}

static void load_flow(struct load *l, unsigned packets)
{
	for (; packets; packets--)
		load_packet(l, l->flows);
	l->flows++;
}

static void load_most(struct load *l, unsigned packets, double seconds)
{
	uint64_t end_ns = now_ns() + (uint64_t)(seconds * 1e9);
	unsigned i;

	while (now_ns() < end_ns)
		for (i = 0; i < BATCH; i++)
			load_flow(l, packets);
	frame_sender_flush(l->sender);
}

static void load_stage(struct load *l, double flows_per_s, unsigned packets, double seconds)
{
	uint64_t begun_ns = now_ns(), end_ns = begun_ns + (uint64_t)(seconds * 1e9), at_ns, due;
	uint64_t total = (uint64_t)(flows_per_s * seconds), done = 0;

	if (flows_per_s <= 0) {
		load_most(l, packets, seconds);
		return;
	}
	for (at_ns = begun_ns; at_ns < end_ns; at_ns += SLICE_NS) {
		sleep_until(at_ns);
		due = (uint64_t)((double)(at_ns - begun_ns + SLICE_NS) / 1e9 * flows_per_s);
		for (; done < due && done < total; done++)
			load_flow(l, packets);
		frame_sender_flush(l->sender);
	}
	at_ns = now_ns();
	if (at_ns > end_ns + SECOND_NS / 4)
		fprintf(stderr, "flow_load: %.3f s late at %g flows/s\n",
			(double)(at_ns - end_ns) / 1e9, flows_per_s);
}

int main(int argc, char **argv)
{
	static struct load l = {.frame = frame_udp, .seed = 1};
	unsigned rounds = 1;
	int option, i;

	while ((option = getopt(argc, argv, "k:s:r:")) != -1) {
		if (option == 'k')
			l.frame = kind_frame(optarg);
		else if (option == 's')
			l.seed = strtoull(optarg, NULL, 0);
		else if (option == 'r')
			rounds = (unsigned)atoi(optarg);
		else
			l.frame = NULL;
	}
	if (!l.frame || argc - optind < 4 || (argc - optind - 1) % 3) {
		fprintf(stderr, "usage: flow_load [-k udp|syn|scan|bent] [-s SEED] [-r ROUNDS] IF "
				"FLOWS_PER_S PACKETS SECONDS…\n");
		return 64;
	}
	l.sender = frame_sender_create(argv[optind]);
	for (; rounds; rounds--) {
		l.flows = 0;
		for (i = optind + 1; i < argc; i += 3)
			load_stage(&l, atof(argv[i]), (unsigned)atoi(argv[i + 1]),
				   atof(argv[i + 2]));
	}
	printf("flows=%llu packets=%llu\n", (unsigned long long)l.flows,
	       (unsigned long long)frame_sender_frames(l.sender));
	return EXIT_SUCCESS;
}
