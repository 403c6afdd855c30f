/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "user/flow_names.h"
#include "user/flow_text.h"

#define W3C_TRACE_FLAGS 0xff /* of the span's flags, what a log record may have */

static void begin(struct flow_log *l, struct otlp_str event_name, uint64_t time_unix_ns,
		  uint64_t observed_unix_ns)
{
	l->log = (struct otlp_log){
		.time_unix_ns = time_unix_ns,
		.observed_unix_ns = observed_unix_ns,
		.severity = OTLP_SEVERITY_WARN,
		.severity_text = OTLP_STR("WARN"),
		.event_name = event_name,
		.attrs = {l->attrs, 0},
	};
}

__attribute__((format(printf, 2, 3))) static void say(struct flow_log *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(l->body, sizeof(l->body), fmt, args);
	va_end(args);
	l->log.body = (struct otlp_str){l->body, strlen(l->body)};
}

static struct otlp_attr *add(struct flow_log *l, struct otlp_str key, enum otlp_value_type type)
{
	struct otlp_attr *a = &l->attrs[l->log.attrs.len++];

	a->key = key;
	a->type = type;
	return a;
}

static void add_text(struct flow_log *l, struct otlp_str key, const char *text)
{
	add(l, key, OTLP_STRING)->value.string = (struct otlp_str){text, strlen(text)};
}

/* ---- connections ---- */

static bool is_same(struct otlp_str a, struct otlp_str b)
{
	return a.len == b.len && !memcmp(a.ptr, b.ptr, a.len);
}

static bool begins_with(struct otlp_str s, struct otlp_str start)
{
	return s.len >= start.len && !memcmp(s.ptr, start.ptr, start.len);
}

static void add_from_span(struct flow_log *l, const struct otlp_span *span)
{
	const struct otlp_str keys[] = {
		NAME_SOURCE_ADDRESS,   NAME_SOURCE_PORT, NAME_DESTINATION_ADDRESS,
		NAME_DESTINATION_PORT, NAME_TRANSPORT,	 NAME_INTERFACE,
		NAME_COMMUNITY_ID,
	};
	const struct otlp_attr *a;
	size_t i;

	_Static_assert(sizeof(keys) / sizeof(*keys) <= FLOW_LOG_ATTRS, "room");
	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		a = flow_text_find(span, keys[i]);
		if (a)
			l->attrs[l->log.attrs.len++] = *a;
	}
}

const struct otlp_log *flow_log_connection(struct flow_log *l, const struct otlp_span *span,
					   uint64_t observed_unix_ns)
{
	char from[64], to[64], lasted[32];
	uint64_t lasted_ns = span->end_unix_ns - span->start_unix_ns;
	int64_t asked = flow_text_int(span, NAME_PACKETS_TOTAL, NAME_PACKETS_DELTA);
	struct otlp_str why = span->status_message, event;
	const char *error = "";
	int error_len = 0;

	if (span->status != OTLP_STATUS_ERROR)
		return NULL;
	event = is_same(why, FAILURE_REFUSED)	   ? EVENT_REFUSED
		: is_same(why, FAILURE_RESET)	   ? EVENT_RESET
		: begins_with(why, FAILURE_UNANSWERED) ? EVENT_UNANSWERED
						       : OTLP_STR("");
	if (!event.len)
		return NULL;
	if (is_same(event, EVENT_UNANSWERED)) { /* ": ICMP …", if there was one */
		error = why.ptr + FAILURE_UNANSWERED.len;
		error_len = (int)(why.len - FAILURE_UNANSWERED.len);
	}
	begin(l, event, span->end_unix_ns, observed_unix_ns);
	flow_text_endpoint(span, NAME_SOURCE_ADDRESS, NAME_SOURCE_PORT, from, sizeof(from));
	flow_text_endpoint(span, NAME_DESTINATION_ADDRESS, NAME_DESTINATION_PORT, to, sizeof(to));
	flow_text_duration(lasted_ns, lasted, sizeof(lasted));
	if (is_same(why, FAILURE_REFUSED))
		say(l, "connection from %s to %s refused after %s", from, to, lasted);
	else if (is_same(why, FAILURE_RESET))
		say(l, "connection from %s to %s reset before any data, after %s", from, to,
		    lasted);
	else if (asked > 1)
		say(l, "connection from %s to %s got no answer to %" PRId64 " packets in %s%.*s",
		    from, to, asked, lasted, error_len, error);
	else
		say(l, "connection from %s to %s got no answer%.*s", from, to, error_len, error);
	add_from_span(l, span);
	memcpy(l->log.trace_id, span->trace_id, sizeof(l->log.trace_id));
	memcpy(l->log.span_id, span->span_id, sizeof(l->log.span_id));
	l->log.has_trace = true;
	l->log.flags = span->flags & W3C_TRACE_FLAGS;
	return &l->log;
}

/* ---- ringspan itself ---- */

const struct otlp_log *flow_log_loss(struct flow_log *l, const struct ledger_growth *loss,
				     uint64_t now_unix_ns)
{
	begin(l, EVENT_LOSS, now_unix_ns, now_unix_ns);
	say(l, "%" PRIu64 " lost at stage %s: %s", loss->count, loss->stage, loss->reason);
	add_text(l, NAME_LOSS_STAGE, loss->stage);
	add_text(l, NAME_LOSS_REASON, loss->reason);
	add(l, NAME_LOSS_COUNT, OTLP_INT)->value.integer = (int64_t)loss->count;
	if (loss->destination) {
		add(l, NAME_DESTINATION, OTLP_INT)->value.integer = loss->destination;
		add_text(l, NAME_SERVER_ADDRESS, loss->server_address);
	}
	return &l->log;
}

const struct otlp_log *flow_log_clock_step(struct flow_log *l, int64_t step_ns,
					   uint64_t now_unix_ns)
{
	begin(l, EVENT_CLOCK_STEP, now_unix_ns, now_unix_ns);
	say(l, "the wall clock stepped by %" PRId64 " ms; flows that began before keep their time",
	    step_ns / 1000000);
	add(l, NAME_CLOCK_STEP_SECONDS, OTLP_DOUBLE)->value.number = (double)step_ns / 1e9;
	return &l->log;
}

const struct otlp_log *flow_log_sampling(struct flow_log *l, bool by_packets, uint64_t before,
					 uint64_t n, const char *reason, const char *because,
					 uint64_t now_unix_ns)
{
	begin(l, EVENT_SAMPLING_CHANGE, now_unix_ns, now_unix_ns);
	l->log.severity = OTLP_SEVERITY_INFO;
	l->log.severity_text = OTLP_STR("INFO");
	say(l, "sampling changed from 1 %s in %" PRIu64 " to 1 in %" PRIu64 ": %s",
	    by_packets ? "packet" : "flow", before, n, because);
	add(l, NAME_RATE_IN_FORCE, OTLP_INT)->value.integer = (int64_t)n;
	add(l, NAME_INTERVAL_BEFORE, OTLP_INT)->value.integer = (int64_t)before;
	add_text(l, NAME_SAMPLING_REASON, reason);
	return &l->log;
}
