/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * frames - crafted frames for the kernel tests, layer by layer, with valid lengths.
 */
#ifndef TESTS_FRAMES_H
#define TESTS_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct frame {
	uint8_t data[16384];
	size_t len;
	size_t l3; /* where the IP header begins */
};

/* Each appends a layer; begin resets. Ports, types and lengths in host order. */
void frame_begin(struct frame *f, uint16_t ethertype);
void frame_vlan(struct frame *f, uint16_t tpid, uint16_t id, uint16_t ethertype);
/* @options: bytes of IPv4 options, a multiple of 4. @fragment: the flags-and-offset field. */
void frame_ipv4(struct frame *f, const char *from, const char *to, uint8_t proto, size_t options,
		uint16_t fragment);
void frame_ipv6(struct frame *f, const char *from, const char *to, uint8_t next);
/* One IPv6 extension header: @words64 8-byte units beyond the first. */
void frame_extension(struct frame *f, uint8_t next, uint8_t words64);
void frame_fragment6(struct frame *f, uint8_t next, uint16_t offset_flags);
void frame_tcp(struct frame *f, uint16_t from, uint16_t to, uint8_t flags, uint32_t seq,
	       size_t payload);
void frame_udp(struct frame *f, uint16_t from, uint16_t to, size_t payload);
void frame_icmp(struct frame *f, uint8_t type, uint8_t code, size_t payload);
void frame_sctp(struct frame *f, uint16_t from, uint16_t to);
void frame_fill(struct frame *f, size_t bytes);

/* The whole set of valid kinds; the test's table says what each must be counted as. */
enum frame_kind {
	FRAME_IPV4_TCP,
	FRAME_IPV4_UDP,
	FRAME_IPV4_OPTIONS_TCP,
	FRAME_IPV4_ICMP_ECHO,
	FRAME_IPV4_ICMP_UNREACHABLE,
	FRAME_IPV4_SCTP,
	FRAME_IPV4_GRE,
	FRAME_IPV4_FIRST_FRAGMENT,
	FRAME_IPV4_LATER_FRAGMENT,
	FRAME_IPV6_TCP,
	FRAME_IPV6_UDP,
	FRAME_IPV6_ICMP_ECHO,
	FRAME_IPV6_EXTENSIONS_TCP,
	FRAME_IPV6_FRAGMENT,
	FRAME_IPV6_ATOMIC_FRAGMENT,
	FRAME_VLAN_IPV4_TCP,
	FRAME_QINQ_IPV6_UDP,
	FRAME_ARP,
	FRAME_LLDP,
	FRAME_KIND_MAX
};
void frame_make(struct frame *f, enum frame_kind kind);

#endif /* TESTS_FRAMES_H */
