/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_otlp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "user/flow_names.h"

/* A span is read back by its attributes, so that a line says what was sent and nothing else. */

#define NAME_COLUMNS 10
#define ENDPOINT_COLUMNS 21 /* the longest IPv4 address and port */

static const struct otlp_attr *find(const struct otlp_span *s, struct otlp_str key)
{
	size_t i;

	for (i = 0; i < s->attrs.len; i++) {
		const struct otlp_str *k = &s->attrs.list[i].key;

		if (k->len == key.len && !memcmp(k->ptr, key.ptr, key.len))
			return &s->attrs.list[i];
	}
	return NULL;
}

static struct otlp_str find_str(const struct otlp_span *s, struct otlp_str key)
{
	const struct otlp_attr *a = find(s, key);

	return a && a->type == OTLP_STRING ? a->value.string : OTLP_STR("");
}

static int64_t find_int(const struct otlp_span *s, struct otlp_str key, struct otlp_str or_key)
{
	const struct otlp_attr *a = find(s, key);

	if (!a)
		a = find(s, or_key);
	return a && a->type == OTLP_INT ? a->value.integer : 0;
}

/* What stands where a port would is one only here: of ICMP it is a type, of others 0. */
static bool has_ports(const struct otlp_span *s)
{
	struct otlp_str t = find_str(s, NAME_TRANSPORT);

	return (t.len == 3 && (!memcmp(t.ptr, "tcp", 3) || !memcmp(t.ptr, "udp", 3))) ||
	       (t.len == 4 && !memcmp(t.ptr, "sctp", 4));
}

static void format_endpoint(const struct otlp_span *s, struct otlp_str address_key,
			    struct otlp_str port_key, char *ret, size_t cap)
{
	struct otlp_str addr = find_str(s, address_key);
	bool is_ipv6 = memchr(addr.ptr, ':', addr.len);

	if (!has_ports(s)) {
		snprintf(ret, cap, "%.*s", (int)addr.len, addr.ptr);
		return;
	}
	snprintf(ret, cap, is_ipv6 ? "[%.*s]:%" PRId64 : "%.*s:%" PRId64, (int)addr.len, addr.ptr,
		 find_int(s, port_key, port_key));
}

static void format_bytes(uint64_t bytes, char *ret, size_t cap)
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

static void format_duration(uint64_t ns, char *ret, size_t cap)
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

static void format_time(uint64_t unix_ns, char *ret, size_t cap)
{
	time_t seconds = unix_ns / 1000000000;
	struct tm tm;
	size_t len = 0;

	if (localtime_r(&seconds, &tm))
		len = strftime(ret, cap, "%H:%M:%S", &tm);
	snprintf(ret + len, cap - len, ".%03u", (unsigned)(unix_ns / 1000000 % 1000));
}

size_t flow_otlp_line(const struct otlp_span *span, char *ret, size_t cap)
{
	struct otlp_str reason = find_str(span, NAME_END_REASON);
	struct otlp_str direction = find_str(span, NAME_DIRECTION);
	bool is_known = direction.len == 7 && !memcmp(direction.ptr, "forward", 7);
	bool is_error = span->status == OTLP_STATUS_ERROR;
	char when[32], from[64], to[64], fwd[16], rev[16], lasted[32];
	int len;

	if (!cap)
		return 0;
	format_time(span->start_unix_ns, when, sizeof(when));
	format_endpoint(span, NAME_SOURCE_ADDRESS, NAME_SOURCE_PORT, from, sizeof(from));
	format_endpoint(span, NAME_DESTINATION_ADDRESS, NAME_DESTINATION_PORT, to, sizeof(to));
	format_bytes(find_int(span, NAME_BYTES_TOTAL, NAME_BYTES_DELTA), fwd, sizeof(fwd));
	format_bytes(find_int(span, NAME_REVERSE_BYTES_TOTAL, NAME_REVERSE_BYTES_DELTA), rev,
		     sizeof(rev));
	format_duration(span->end_unix_ns - span->start_unix_ns, lasted, sizeof(lasted));
	len = snprintf(ret, cap,
		       "%s %-*.*s  %*s %s %-*s %6" PRId64 " pkts %8s ⇄ %6" PRId64
		       " pkts %8s  %9s  %.*s%s%.*s",
		       when, NAME_COLUMNS, (int)span->name.len, span->name.ptr, ENDPOINT_COLUMNS,
		       from, is_known ? "→" : "↔", ENDPOINT_COLUMNS, to,
		       find_int(span, NAME_PACKETS_TOTAL, NAME_PACKETS_DELTA), fwd,
		       find_int(span, NAME_REVERSE_PACKETS_TOTAL, NAME_REVERSE_PACKETS_DELTA), rev,
		       lasted, (int)reason.len, reason.ptr, is_error ? "  ERROR " : "",
		       is_error ? (int)span->status_message.len : 0,
		       is_error ? span->status_message.ptr : "");
	if (len < 0) {
		*ret = '\0';
		return 0;
	}
	return (size_t)len < cap ? (size_t)len : cap - 1;
}
