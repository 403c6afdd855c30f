/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "user/flow_names.h"
#include "user/flow_service.h"

const struct otlp_attr *flow_text_find(const struct otlp_span *s, struct otlp_str key)
{
	size_t i;

	for (i = 0; i < s->attrs.len; i++) {
		const struct otlp_str *k = &s->attrs.list[i].key;

		if (k->len == key.len && !memcmp(k->ptr, key.ptr, key.len))
			return &s->attrs.list[i];
	}
	return NULL;
}

struct otlp_str flow_text_str(const struct otlp_span *s, struct otlp_str key)
{
	const struct otlp_attr *a = flow_text_find(s, key);

	return a && a->type == OTLP_STRING ? a->value.string : OTLP_STR("");
}

int64_t flow_text_int(const struct otlp_span *s, struct otlp_str key, struct otlp_str or_key)
{
	const struct otlp_attr *a = flow_text_find(s, key);

	if (!a)
		a = flow_text_find(s, or_key);
	return a && a->type == OTLP_INT ? a->value.integer : 0;
}

/* What stands where a port would is one only here: of ICMP it is a type, of others 0. */
static bool has_ports(const struct otlp_span *s)
{
	struct otlp_str t = flow_text_str(s, NAME_TRANSPORT);

	return (t.len == 3 && (!memcmp(t.ptr, "tcp", 3) || !memcmp(t.ptr, "udp", 3))) ||
	       (t.len == 4 && !memcmp(t.ptr, "sctp", 4));
}

struct otlp_str flow_text_interface(const struct otlp_span *s)
{
	return flow_text_str(s, NAME_INTERFACE);
}

static uint8_t find_proto(struct otlp_str transport, uint8_t family)
{
	unsigned proto;
	const char *name;

	for (proto = 0; proto < 255; proto++) {
		name = flow_service_transport((uint8_t)proto, family);
		if (strlen(name) == transport.len && !memcmp(name, transport.ptr, transport.len))
			break;
	}
	return (uint8_t)proto;
}

bool flow_text_key(const struct otlp_span *s, struct flow_key *ret)
{
	const struct otlp_str addrs[] = {NAME_SOURCE_ADDRESS, NAME_DESTINATION_ADDRESS};
	const struct otlp_str ports[] = {NAME_SOURCE_PORT, NAME_DESTINATION_PORT};
	char text[INET6_ADDRSTRLEN];
	int end;

	memset(ret, 0, sizeof(*ret));
	for (end = 0; end < 2; end++) {
		struct otlp_str addr = flow_text_str(s, addrs[end]);

		if (addr.len >= sizeof(text))
			return false;
		memcpy(text, addr.ptr, addr.len);
		text[addr.len] = '\0';
		ret->family = strchr(text, ':') ? 6 : 4;
		if (inet_pton(ret->family == 6 ? AF_INET6 : AF_INET, text, ret->addr[end]) != 1)
			return false;
		ret->port[end] = htons((uint16_t)flow_text_int(s, ports[end], ports[end]));
	}
	ret->proto = find_proto(flow_text_str(s, NAME_TRANSPORT), ret->family);
	return true;
}

void flow_text_endpoint(const struct otlp_span *s, struct otlp_str address_key,
			struct otlp_str port_key, char *ret, size_t cap)
{
	struct otlp_str addr = flow_text_str(s, address_key);
	bool is_ipv6 = memchr(addr.ptr, ':', addr.len);

	if (!has_ports(s)) {
		snprintf(ret, cap, "%.*s", (int)addr.len, addr.ptr);
		return;
	}
	snprintf(ret, cap, is_ipv6 ? "[%.*s]:%" PRId64 : "%.*s:%" PRId64, (int)addr.len, addr.ptr,
		 flow_text_int(s, port_key, port_key));
}

void flow_text_bytes(uint64_t bytes, char *ret, size_t cap)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double v = bytes;
	int i = -1;

	while (v >= 999.95 && i < 5) {
		v /= 1000;
		i++;
	}
	if (i < 0)
		snprintf(ret, cap, "%" PRIu64 " B", bytes);
	else
		snprintf(ret, cap, "%.1f %s", v, units[i]);
}

void flow_text_duration(uint64_t ns, char *ret, size_t cap)
{
	uint64_t s = ns / 1000000000;

	if (ns < 999950)
		snprintf(ret, cap, "%.1f us", ns / 1e3);
	else if (ns < 999950000)
		snprintf(ret, cap, "%.1f ms", ns / 1e6);
	else if (s < 60)
		snprintf(ret, cap, "%.1f s", ns / 1e9);
	else if (s < 3600)
		snprintf(ret, cap, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		snprintf(ret, cap, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
}
