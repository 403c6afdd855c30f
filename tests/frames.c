/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/frames.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static void frame_u8(struct frame *f, uint8_t v)
{
	f->data[f->len++] = v;
}

static void frame_u16(struct frame *f, uint16_t v)
{
	frame_u8(f, (uint8_t)(v >> 8));
	frame_u8(f, (uint8_t)v);
}

static void frame_u32(struct frame *f, uint32_t v)
{
	frame_u16(f, (uint16_t)(v >> 16));
	frame_u16(f, (uint16_t)v);
}

void frame_fill(struct frame *f, size_t bytes)
{
	memset(f->data + f->len, 0xa5, bytes);
	f->len += bytes;
}

/* Writes the IP length field again, now that a layer was added. */
static void frame_fix_length(struct frame *f)
{
	size_t length;

	if (!f->l3)
		return;
	if (f->data[f->l3] >> 4 == 4) {
		length = f->len - f->l3;
		f->data[f->l3 + 2] = (uint8_t)(length >> 8);
		f->data[f->l3 + 3] = (uint8_t)length;
	} else {
		length = f->len - f->l3 - 40;
		f->data[f->l3 + 4] = (uint8_t)(length >> 8);
		f->data[f->l3 + 5] = (uint8_t)length;
	}
}

void frame_begin(struct frame *f, uint16_t ethertype)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};

	memcpy(f->data, macs, sizeof(macs));
	f->len = sizeof(macs);
	f->l3 = 0;
	frame_u16(f, ethertype);
}

void frame_vlan(struct frame *f, uint16_t tpid, uint16_t id, uint16_t ethertype)
{
	f->len -= 2;
	frame_u16(f, tpid);
	frame_u16(f, id);
	frame_u16(f, ethertype);
}

void frame_ipv4(struct frame *f, const char *from, const char *to, uint8_t proto, size_t options,
		uint16_t fragment)
{
	f->l3 = f->len;
	frame_u8(f, (uint8_t)(0x45 + options / 4));
	frame_u8(f, 0);
	frame_u16(f, 0); /* length, fixed below */
	frame_u16(f, 0x1234);
	frame_u16(f, fragment);
	frame_u8(f, 64);
	frame_u8(f, proto);
	frame_u16(f, 0);
	inet_pton(AF_INET, from, f->data + f->len);
	inet_pton(AF_INET, to, f->data + f->len + 4);
	f->len += 8;
	memset(f->data + f->len, 1, options); /* no-operation options */
	f->len += options;
	frame_fix_length(f);
}

void frame_ipv6(struct frame *f, const char *from, const char *to, uint8_t next)
{
	f->l3 = f->len;
	frame_u32(f, 0x60000000);
	frame_u16(f, 0);
	frame_u8(f, next);
	frame_u8(f, 64);
	inet_pton(AF_INET6, from, f->data + f->len);
	inet_pton(AF_INET6, to, f->data + f->len + 16);
	f->len += 32;
	frame_fix_length(f);
}

void frame_extension(struct frame *f, uint8_t next, uint8_t words64)
{
	frame_u8(f, next);
	frame_u8(f, words64);
	frame_fill(f, 6 + 8 * (size_t)words64);
	frame_fix_length(f);
}

void frame_fragment6(struct frame *f, uint8_t next, uint16_t offset_flags)
{
	frame_u8(f, next);
	frame_u8(f, 0);
	frame_u16(f, offset_flags);
	frame_u32(f, 0xfeed);
	frame_fix_length(f);
}

void frame_tcp(struct frame *f, uint16_t from, uint16_t to, uint8_t flags, uint32_t seq,
	       size_t payload)
{
	frame_u16(f, from);
	frame_u16(f, to);
	frame_u32(f, seq);
	frame_u32(f, 0);
	frame_u8(f, 0x50);
	frame_u8(f, flags);
	frame_u16(f, 0x7210);
	frame_u32(f, 0);
	frame_fill(f, payload);
	frame_fix_length(f);
}

void frame_udp(struct frame *f, uint16_t from, uint16_t to, size_t payload)
{
	frame_u16(f, from);
	frame_u16(f, to);
	frame_u16(f, (uint16_t)(8 + payload));
	frame_u16(f, 0);
	frame_fill(f, payload);
	frame_fix_length(f);
}

void frame_icmp(struct frame *f, uint8_t type, uint8_t code, size_t payload)
{
	frame_u8(f, type);
	frame_u8(f, code);
	frame_u16(f, 0);
	frame_fill(f, payload);
	frame_fix_length(f);
}

void frame_sctp(struct frame *f, uint16_t from, uint16_t to)
{
	frame_u16(f, from);
	frame_u16(f, to);
	frame_fill(f, 8 + 16);
	frame_fix_length(f);
}

static void frame_make_ipv4(struct frame *f, enum frame_kind kind)
{
	static const char a[] = "10.1.0.1", b[] = "10.1.0.2";

	frame_begin(f, 0x0800);
	switch (kind) {
	case FRAME_VLAN_IPV4_TCP:
		frame_vlan(f, 0x8100, 7, 0x0800);
		/* fall through */
	case FRAME_IPV4_TCP:
		frame_ipv4(f, a, b, IPPROTO_TCP, 0, 0x4000);
		frame_tcp(f, 41234, 80, 0x10, 1000, 20);
		break;
	case FRAME_IPV4_OPTIONS_TCP:
		frame_ipv4(f, a, b, IPPROTO_TCP, 12, 0);
		frame_tcp(f, 41234, 80, 0x10, 1000, 20);
		break;
	case FRAME_IPV4_UDP:
		frame_ipv4(f, a, b, IPPROTO_UDP, 0, 0);
		frame_udp(f, 5353, 53, 30);
		break;
	case FRAME_IPV4_ICMP_ECHO:
		frame_ipv4(f, a, b, IPPROTO_ICMP, 0, 0);
		frame_icmp(f, 8, 0, 56);
		break;
	case FRAME_IPV4_ICMP_UNREACHABLE:
		frame_ipv4(f, a, b, IPPROTO_ICMP, 0, 0);
		frame_icmp(f, 3, 3, 56);
		break;
	case FRAME_IPV4_SCTP:
		frame_ipv4(f, a, b, IPPROTO_SCTP, 0, 0);
		frame_sctp(f, 3000, 3001);
		break;
	case FRAME_IPV4_FIRST_FRAGMENT:
		frame_ipv4(f, a, b, IPPROTO_UDP, 0, 0x2000);
		frame_udp(f, 5353, 53, 1000);
		break;
	case FRAME_IPV4_LATER_FRAGMENT:
		frame_ipv4(f, a, b, IPPROTO_UDP, 0, 126);
		frame_fill(f, 4);
		frame_fix_length(f);
		break;
	default:
		frame_ipv4(f, a, b, IPPROTO_GRE, 0, 0);
		frame_fill(f, 24);
		frame_fix_length(f);
	}
}

static void frame_make_ipv6(struct frame *f, enum frame_kind kind)
{
	static const char a[] = "2001:db8::1", b[] = "2001:db8::2";

	frame_begin(f, 0x86dd);
	switch (kind) {
	case FRAME_IPV6_TCP:
		frame_ipv6(f, a, b, IPPROTO_TCP);
		frame_tcp(f, 41234, 443, 0x10, 1000, 20);
		break;
	case FRAME_IPV6_ICMP_ECHO:
		frame_ipv6(f, a, b, IPPROTO_ICMPV6);
		frame_icmp(f, 128, 0, 56);
		break;
	case FRAME_IPV6_EXTENSIONS_TCP:
		frame_ipv6(f, a, b, IPPROTO_HOPOPTS);
		frame_extension(f, IPPROTO_DSTOPTS, 0);
		frame_extension(f, IPPROTO_ROUTING, 2);
		frame_extension(f, IPPROTO_TCP, 1);
		frame_tcp(f, 41234, 443, 0x10, 1000, 20);
		break;
	case FRAME_IPV6_FRAGMENT:
		frame_ipv6(f, a, b, IPPROTO_FRAGMENT);
		frame_fragment6(f, IPPROTO_UDP, 8 << 3);
		frame_fill(f, 100);
		frame_fix_length(f);
		break;
	case FRAME_IPV6_ATOMIC_FRAGMENT:
		frame_ipv6(f, a, b, IPPROTO_FRAGMENT);
		frame_fragment6(f, IPPROTO_UDP, 0);
		frame_udp(f, 5353, 53, 30);
		break;
	case FRAME_QINQ_IPV6_UDP:
		frame_vlan(f, 0x88a8, 7, 0x8100);
		frame_vlan(f, 0x8100, 8, 0x86dd);
		/* fall through */
	default:
		frame_ipv6(f, a, b, IPPROTO_UDP);
		frame_udp(f, 5353, 53, 30);
	}
}

void frame_make(struct frame *f, enum frame_kind kind)
{
	if (kind == FRAME_ARP || kind == FRAME_LLDP) {
		frame_begin(f, kind == FRAME_ARP ? 0x0806 : 0x88cc);
		frame_fill(f, 46);
	} else if (kind == FRAME_VLAN_IPV4_TCP || kind < FRAME_IPV6_TCP) {
		frame_make_ipv4(f, kind);
	} else {
		frame_make_ipv6(f, kind);
	}
}
