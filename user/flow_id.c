/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_id.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <mbedtls/base64.h>
#include <mbedtls/sha1.h>
#include <uuid/uuid.h>

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
 * Hashed, under the first 16 bytes of the site key as the name space of a version 5 UUID:
 *
 *   0        16       32    34    36    37      38    39              (47)
 *   | addr 0 | addr 1 |port0|port1|proto|family| form | ISN or hour | epoch, if not 0 |
 *
 * The interface is left out: one connection seen on two of them is one trace. Of the UUID the bytes
 * that hold its version and variant are not used.
 */
void flow_id_trace(const uint64_t site_key[4], const struct flow *f, enum flow_id_form form,
		   uint64_t epoch, uint8_t ret[16])
{
	uint8_t text[64], *p = text, *q;
	uint64_t first_unix_ns = f->info.first_mono_ns + f->clock_offset_ns;
	uuid_t space, uuid;

	put_be(put_be(space, site_key[0], 8), site_key[1], 8);
	p = put(p, f->key.addr, sizeof(f->key.addr));
	p = put(p, f->key.port, sizeof(f->key.port));
	*p++ = f->key.proto;
	*p++ = f->key.family;
	*p++ = form != FLOW_ID_HOUR;
	if (form != FLOW_ID_HOUR)
		p = put_be(p, f->totals[form == FLOW_ID_ISN1].isn, 8);
	else
		p = put_be(p, first_unix_ns / HOUR_NS, 8);
	if (epoch)
		p = put_be(p, epoch, 8);
	uuid_generate_sha1(uuid, space, (const char *)text, p - text);
	q = put(ret, uuid, 6);
	q = put(q, uuid + 9, 3);
	put_be(q, f->info.hash & FLOW_R_MASK, 7);
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
	size_t addr_size = key->family == 4 ? 4 : 16, len = 0;
	uint8_t text[48], digest[20], *p = text, a = 0, sender;
	uint16_t port[2] = {ntohs(key->port[0]), ntohs(key->port[1])};

	if (flow_id_is_oneway(key, &sender)) {
		a = sender;
		port[a] &= ~FLOW_ICMP_ONEWAY;
	}
	p = put_be(p, 0, 2);
	p = put(p, key->addr[a], addr_size);
	p = put(p, key->addr[!a], addr_size);
	*p++ = key->proto;
	*p++ = 0;
	if (has_ports && proto_has_ports(key)) {
		p = put_be(p, port[a], 2);
		p = put_be(p, port[!a], 2);
	}
	mbedtls_sha1_ret(text, p - text, digest);
	memcpy(ret, "1:", 2);
	mbedtls_base64_encode((unsigned char *)ret + 2, FLOW_ID_COMMUNITY_CAP - 2, &len, digest,
			      sizeof(digest));
	return 2 + len;
}
