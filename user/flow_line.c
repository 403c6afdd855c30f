/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_otlp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "user/flow_names.h"
#include "user/flow_text.h"

/* A span is read back by its attributes, so that a line says what was sent and nothing else. */

#define NAME_COLUMNS 10
#define ENDPOINT_COLUMNS 21 /* the longest IPv4 address and port */

static void format_time(uint64_t unix_ns, char *ret, size_t cap)
{
	time_t seconds = unix_ns / 1000000000;
	struct tm tm;
	size_t len = 0;

	if (localtime_r(&seconds, &tm))
		len = strftime(ret, cap, "%H:%M:%S", &tm);
	snprintf(ret + len, cap - len, ".%03u", (unsigned)(unix_ns / 1000000 % 1000));
}

/* How the segments came along, where that is worth a word. */
static void format_segments(const struct otlp_span *span, char *ret, size_t cap)
{
	const struct otlp_attr *rtt = flow_text_find(span, NAME_TCP_RTT);
	int64_t again = flow_text_int(span, NAME_TCP_RETRANSMISSIONS, NAME_TCP_RETRANSMISSIONS) +
			flow_text_int(span, NAME_REVERSE_TCP_RETRANSMISSIONS,
				      NAME_REVERSE_TCP_RETRANSMISSIONS);
	size_t len = 0;
	char text[32];

	*ret = '\0';
	if (rtt) {
		flow_text_duration((uint64_t)(rtt->value.number * 1e9), text, sizeof(text));
		len = (size_t)snprintf(ret, cap, "  rtt %s", text);
	}
	if (again)
		snprintf(ret + len, cap - len, "  %" PRId64 " retransmitted", again);
}

/* Both of a direction, exact or estimated. */
struct line_counts {
	char pkts[24], bytes[24];
};

static void format_counts(const struct otlp_span *span, bool is_reverse, struct line_counts *ret)
{
	static const struct otlp_str exact[2][4] = {
		{NAME_PACKETS_TOTAL, NAME_PACKETS_DELTA, NAME_BYTES_TOTAL, NAME_BYTES_DELTA},
		{NAME_REVERSE_PACKETS_TOTAL, NAME_REVERSE_PACKETS_DELTA, NAME_REVERSE_BYTES_TOTAL,
		 NAME_REVERSE_BYTES_DELTA},
	};
	static const struct otlp_str estimated[2][4] = {
		{NAME_PACKETS_ESTIMATED, NAME_PACKETS_ESTIMATED_DELTA, NAME_BYTES_ESTIMATED,
		 NAME_BYTES_ESTIMATED_DELTA},
		{NAME_REVERSE_PACKETS_ESTIMATED, NAME_REVERSE_PACKETS_ESTIMATED_DELTA,
		 NAME_REVERSE_BYTES_ESTIMATED, NAME_REVERSE_BYTES_ESTIMATED_DELTA},
	};
	bool is_estimated = flow_text_find(span, estimated[is_reverse][0]) ||
			    flow_text_find(span, estimated[is_reverse][1]);
	const struct otlp_str *keys = (is_estimated ? estimated : exact)[is_reverse];

	snprintf(ret->pkts, sizeof(ret->pkts), "%s%" PRId64, is_estimated ? "~" : "",
		 flow_text_int(span, keys[0], keys[1]));
	flow_text_bytes(flow_text_int(span, keys[2], keys[3]), ret->bytes, sizeof(ret->bytes));
}

size_t flow_otlp_line(const struct otlp_span *span, char *ret, size_t cap)
{
	struct otlp_str reason = flow_text_str(span, NAME_END_REASON);
	struct otlp_str direction = flow_text_str(span, NAME_DIRECTION);
	bool is_known = direction.len == 7 && !memcmp(direction.ptr, "forward", 7);
	bool is_error = span->status == OTLP_STATUS_ERROR;
	char when[32], from[64], to[64], lasted[32], segments[80];
	struct line_counts fwd, rev;
	int len;

	if (!cap)
		return 0;
	format_time(span->start_unix_ns, when, sizeof(when));
	flow_text_endpoint(span, NAME_SOURCE_ADDRESS, NAME_SOURCE_PORT, from, sizeof(from));
	flow_text_endpoint(span, NAME_DESTINATION_ADDRESS, NAME_DESTINATION_PORT, to, sizeof(to));
	format_counts(span, false, &fwd);
	format_counts(span, true, &rev);
	flow_text_duration(span->end_unix_ns - span->start_unix_ns, lasted, sizeof(lasted));
	format_segments(span, segments, sizeof(segments));
	len = snprintf(ret, cap,
		       "%s %-*.*s  %*s %s %-*s %6s pkts %8s ⇄ %6s pkts %8s  %9s  %.*s%s%s%.*s",
		       when, NAME_COLUMNS, (int)span->name.len, span->name.ptr, ENDPOINT_COLUMNS,
		       from, is_known ? "→" : "↔", ENDPOINT_COLUMNS, to, fwd.pkts, fwd.bytes,
		       rev.pkts, rev.bytes, lasted, (int)reason.len, reason.ptr, segments,
		       is_error ? "  ERROR " : "",
		       is_error ? (int)span->status_message.len : 0,
		       is_error ? span->status_message.ptr : "");
	if (len < 0) {
		*ret = '\0';
		return 0;
	}
	return (size_t)len < cap ? (size_t)len : cap - 1;
}
