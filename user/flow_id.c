/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_id.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <mbedtls/sha1.h>

#define HOUR_NS 3600000000000ULL

static uint8_t *put(uint8_t *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	return to + size;
}

static uint8_t *put_be(uint8_t *to, uint64_t v, unsigned size)
{
	while (size--)
		*to++ = v >> (8 * size);
	return to;
}

static size_t addr_size(const struct flow_key *key)
{
	return key->family == 4 ? 4 : 16;
}

/* Not the library's, which takes the time that secrets need. Returns after it. */
static char *put_base64(char *to, const uint8_t *from, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t three;
	size_t i;

	for (i = 0; i < size; i += 3) {
		three = from[i] << 16 | (i + 1 < size ? from[i + 1] << 8 : 0) |
			(i + 2 < size ? from[i + 2] : 0);
		*to++ = digits[three >> 18];
		*to++ = digits[three >> 12 & 63];
		*to++ = i + 1 < size ? digits[three >> 6 & 63] : '=';
		*to++ = i + 2 < size ? digits[three & 63] : '=';
	}
	return to;
}

enum flow_id_form flow_id_form(const struct flow *f)
{
	const uint32_t opened = FLOW_SAW_SYN | FLOW_SAW_ISN;

	/* where both opened at once, hosts may disagree on who was first */
	if ((f->totals[0].flags & opened) == opened)
		return FLOW_ID_ISN0;
	if ((f->totals[1].flags & opened) == opened)
		return FLOW_ID_ISN1;
	return FLOW_ID_HOUR;
}

/*
 * Hashed as a version 5 UUID is (RFC 9562, 5.5), in the name space of the site key's first half;
 * the epoch is there unless it is 0. Addresses last, so that of IPv4 it is one block of SHA-1.
 *
 *   0          16     17    18     19    21    23            31
 *   | site key |family|proto| form |port0|port1| ISN or hour | addr 0 | addr 1 | epoch |
 *
 * The interface is left out: one connection seen on two of them is one trace. The bytes that hold a
 * UUID's version and variant are not used.
 */
void flow_id_trace(const uint64_t site_key[4], const struct flow *f, enum flow_id_form form,
		   uint64_t epoch, uint8_t ret[16])
{
	uint64_t first_unix_ns = f->info.first_mono_ns + f->clock_offset_ns;
	uint64_t since = form == FLOW_ID_HOUR ? first_unix_ns / HOUR_NS
					      : f->totals[form == FLOW_ID_ISN1].isn;
	uint8_t text[80], digest[20], *p = text;

	p = put_be(put_be(p, site_key[0], 8), site_key[1], 8);
	*p++ = f->key.family;
	*p++ = f->key.proto;
	*p++ = form != FLOW_ID_HOUR;
	p = put(p, f->key.port, sizeof(f->key.port));
	p = put_be(p, since, 8);
	p = put(p, f->key.addr[0], addr_size(&f->key));
	p = put(p, f->key.addr[1], addr_size(&f->key));
	if (epoch)
		p = put_be(p, epoch, 8);
	mbedtls_sha1_ret(text, p - text, digest);
	put_be(put(put(ret, digest, 6), digest + 9, 3), f->hash & FLOW_R_MASK, 7);
}

uint64_t flow_id_interval(uint64_t threshold)
{
	double all = FLOW_R_MASK + 1.0;

	return llround(all / (all - (threshold & FLOW_R_MASK)));
}

size_t flow_id_trace_state(uint64_t threshold, char ret[FLOW_ID_STATE_CAP])
{
	size_t len = snprintf(ret, FLOW_ID_STATE_CAP, "ot=th:%014llx",
			      (unsigned long long)(threshold & FLOW_R_MASK));
	size_t shortest = strlen("ot=th:0");

	while (len > shortest && ret[len - 1] == '0')
		len--;
	ret[len] = '\0';
	return len;
}

bool flow_id_is_oneway(const struct flow_key *key, uint8_t *ret_sender)
{
	bool is_icmp = (key->family == 4 && key->proto == IPPROTO_ICMP) ||
		       (key->family == 6 && key->proto == IPPROTO_ICMPV6);

	*ret_sender = !(ntohs(key->port[0]) & FLOW_ICMP_ONEWAY);
	return is_icmp && ((ntohs(key->port[0]) | ntohs(key->port[1])) & FLOW_ICMP_ONEWAY);
}

static bool proto_has_ports(const struct flow_key *key)
{
	switch (key->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		return true;
	case IPPROTO_ICMP:
		return key->family == 4;
	case IPPROTO_ICMPV6:
		return key->family == 6;
	}
	return false;
}

/* The specification orders the endpoints as flow_key does, but leaves a one-way ICMP message as it
 * was sent. */
size_t flow_id_community(const struct flow_key *key, bool has_ports,
			 char ret[FLOW_ID_COMMUNITY_CAP])
{
	uint8_t text[48], digest[20], *p = text, a = 0, sender;
	uint16_t port[2] = {ntohs(key->port[0]), ntohs(key->port[1])};
	char *end;

	if (flow_id_is_oneway(key, &sender)) {
		a = sender;
		port[a] &= ~FLOW_ICMP_ONEWAY;
	}
	p = put_be(p, 0, 2);
	p = put(p, key->addr[a], addr_size(key));
	p = put(p, key->addr[!a], addr_size(key));
	*p++ = key->proto;
	*p++ = 0;
	if (has_ports && proto_has_ports(key)) {
		p = put_be(p, port[a], 2);
		p = put_be(p, port[!a], 2);
	}
	mbedtls_sha1_ret(text, p - text, digest);
	memcpy(ret, "1:", 2);
	end = put_base64(ret + 2, digest, sizeof(digest));
	*end = '\0';
	return end - ret;
}
