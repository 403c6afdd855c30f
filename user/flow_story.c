/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_story.h"

#include <stdio.h>
#include <string.h>

#include "user/flow_facts.h"
#include "user/flow_names.h"
#include "user/flow_tcp.h"
#include "user/ip_text.h"

/* A list of attributes that grows. */
struct list {
	struct otlp_attr *attrs;
	size_t len;
};

static struct otlp_attr *add(struct list *l, struct otlp_str key, enum otlp_value_type type)
{
	struct otlp_attr *a = &l->attrs[l->len++];

	a->key = key;
	a->type = type;
	return a;
}

static void add_str(struct list *l, struct otlp_str key, const char *value)
{
	add(l, key, OTLP_STRING)->value.string = (struct otlp_str){value, strlen(value)};
}

static void add_int(struct list *l, struct otlp_str key, uint64_t value)
{
	add(l, key, OTLP_INT)->value.integer = (int64_t)value;
}

static void add_int_if_any(struct list *l, struct otlp_str key, uint64_t value)
{
	if (value)
		add_int(l, key, value);
}

/* ---- attributes ---- */

static void add_segments(struct list *l, const struct flow *f, const struct flow_report *r)
{
	const struct flow_tcp *fwd = flow_tcp_detail(f, r, f->initiator);
	const struct flow_tcp *rev = flow_tcp_detail(f, r, !f->initiator);

	if (!fwd || !rev)
		return;
	if (fwd->srtt_us)
		add(l, NAME_TCP_RTT, OTLP_DOUBLE)->value.number = fwd->srtt_us / 1e6;
	if (rev->srtt_us)
		add(l, NAME_REVERSE_TCP_RTT, OTLP_DOUBLE)->value.number = rev->srtt_us / 1e6;
	if (r->kind == FLOW_REPORT_INTERVAL) /* they are totals */
		return;
	add_int_if_any(l, NAME_TCP_RETRANSMISSIONS, fwd->retransmits);
	add_int_if_any(l, NAME_REVERSE_TCP_RETRANSMISSIONS, rev->retransmits);
	add_int_if_any(l, NAME_TCP_OUT_OF_ORDER, fwd->out_of_order);
	add_int_if_any(l, NAME_REVERSE_TCP_OUT_OF_ORDER, rev->out_of_order);
	add_int_if_any(l, NAME_TCP_ZERO_WINDOWS, fwd->zero_windows);
	add_int_if_any(l, NAME_REVERSE_TCP_ZERO_WINDOWS, rev->zero_windows);
}

static void add_tunnel(struct list *l, const struct flow *f)
{
	static const char *const names[FLOW_TUNNEL_MAX] = {
		[FLOW_TUNNEL_VXLAN] = "vxlan",
		[FLOW_TUNNEL_GENEVE] = "geneve",
		[FLOW_TUNNEL_GRE] = "gre",
		[FLOW_TUNNEL_IPIP] = "ipip",
	};

	if (f->key.tunnel == FLOW_TUNNEL_NONE || f->key.tunnel >= FLOW_TUNNEL_MAX)
		return;
	add_str(l, NAME_TUNNEL_TYPE, names[f->key.tunnel]);
	add_int_if_any(l, NAME_TUNNEL_ID, f->key.tunnel_id);
}

size_t flow_story_attrs(const struct flow *f, const struct flow_report *r, bool sees_all,
			struct otlp_attr ret[FLOW_STORY_ATTRS])
{
	uint32_t flags = f->totals[0].flags | f->totals[1].flags;
	bool has_totals = r->kind != FLOW_REPORT_INTERVAL;
	struct list l = {.attrs = ret};
	uint64_t answer_ns;

	if (flags & FLOW_SAW_FRAGMENT) {
		add(&l, NAME_FRAGMENTS, OTLP_BOOL)->value.boolean = true;
	} else if (sees_all && f->key.proto == IPPROTO_TCP) {
		add_str(&l, NAME_TCP_STATE, flow_tcp_state(f, r));
		add_segments(&l, f, r);
	}
	if (sees_all && has_totals && flow_answer_time(f, &answer_ns))
		add(&l, NAME_RESPONSE, OTLP_DOUBLE)->value.number = (double)answer_ns / 1e9;
	if (has_totals && (flags & (FLOW_SAW_CE | FLOW_SAW_ECT)))
		add_str(&l, NAME_ECN, flags & FLOW_SAW_CE ? "congestion experienced" : "capable");
	add_tunnel(&l, f);
	return l.len;
}

/* ---- events ---- */

/* What an ICMP error says; NULL: nothing that has a name here. */
static const char *icmp_error_name(uint8_t family, uint8_t type, uint8_t code)
{
	static const struct {
		uint8_t family, type;
		int code; /* -1: any other */
		const char *name;
	} errors[] = {
		{4, 3, 0, "network unreachable"},
		{4, 3, 1, "host unreachable"},
		{4, 3, 2, "protocol unreachable"},
		{4, 3, 3, "port unreachable"},
		{4, 3, 4, "fragmentation needed"},
		{4, 3, 9, "administratively prohibited"},
		{4, 3, 10, "administratively prohibited"},
		{4, 3, 13, "administratively prohibited"},
		{4, 3, -1, "destination unreachable"},
		{4, 11, -1, "time exceeded"},
		{4, 12, -1, "parameter problem"},
		{6, 1, 0, "no route"},
		{6, 1, 1, "administratively prohibited"},
		{6, 1, 3, "address unreachable"},
		{6, 1, 4, "port unreachable"},
		{6, 1, -1, "destination unreachable"},
		{6, 2, -1, "packet too big"},
		{6, 3, -1, "time exceeded"},
		{6, 4, -1, "parameter problem"},
	};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		if (errors[i].family == family && errors[i].type == type &&
		    (errors[i].code == code || errors[i].code < 0))
			return errors[i].name;
	}
	return NULL;
}

struct otlp_str flow_story_unanswered(struct flow_story *s, const struct flow *f)
{
	const char *error = icmp_error_name(f->key.family, f->icmp_type, f->icmp_code);
	struct otlp_str plain = FAILURE_UNANSWERED;

	if (!error)
		return plain;
	return (struct otlp_str){s->failure, (size_t)snprintf(s->failure, sizeof(s->failure),
							      "%s: ICMP %s", plain.ptr, error)};
}

static void add_icmp_error(struct list *l, const struct flow *f, const struct flow_note *n,
			   char reporter[IP_TEXT_CAP])
{
	const char *error = icmp_error_name(f->key.family, n->quote.type, n->quote.code);

	if (error)
		add_str(l, NAME_ICMP_ERROR, error);
	add_int(l, NAME_ICMP_TYPE, n->quote.type);
	add_int(l, NAME_ICMP_CODE, n->quote.code);
	ip_text(f->key.family, n->quote.reporter, reporter);
	add_str(l, NAME_ICMP_REPORTER, reporter);
	add_int_if_any(l, NAME_ICMP_MTU, n->quote.mtu);
}

void flow_story_events(struct flow_story *s, const struct flow *f, const struct flow_report *r,
		       struct otlp_span *span)
{
	const struct otlp_str names[FLOW_NOTE_MAX] = {
		[FLOW_NOTE_RETRANSMISSION] = EVENT_RETRANSMISSION,
		[FLOW_NOTE_OUT_OF_ORDER] = EVENT_OUT_OF_ORDER,
		[FLOW_NOTE_ZERO_WINDOW] = EVENT_ZERO_WINDOW,
		[FLOW_NOTE_CONGESTION] = EVENT_CONGESTION,
		[FLOW_NOTE_RESET] = EVENT_TCP_RESET,
		[FLOW_NOTE_ICMP] = EVENT_ICMP_ERROR,
	};
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < r->notes_len; i++) {
		const struct flow_note *n = &r->notes[i];
		struct list l = {.attrs = s->attrs[i]};

		if (n->kind == FLOW_NOTE_LINK)
			continue;

		add_str(&l, NAME_EVENT_FROM, n->from == f->initiator ? "source" : "destination");
		if (n->kind == FLOW_NOTE_ICMP)
			add_icmp_error(&l, f, n, s->reporter[i]);
		else if (n->kind < FLOW_NOTE_CONGESTION)
			add_int(&l, NAME_TCP_EVENT_COUNT, n->count);
		s->events[len++] =
			(struct otlp_event){.time_unix_ns = n->mono_ns + f->clock_offset_ns,
					    .name = names[n->kind],
					    .attrs = {l.attrs, l.len}};
	}
	span->events = s->events;
	span->events_len = len;
	span->events_dropped = r->notes_dropped;
}

void flow_story_links(struct flow_story *s, const struct flow_report *r, struct otlp_span *span)
{
	size_t len = span->links_len;
	uint32_t i;

	if (len)
		s->links[0] = span->links[0];
	for (i = 0; i < r->notes_len; i++) {
		const struct flow_context *c = &r->notes[i].context;
		struct otlp_link *link = &s->links[len];

		if (r->notes[i].kind != FLOW_NOTE_LINK)
			continue;
		*link = (struct otlp_link){.flags = c->flags | OTLP_FLAG_REMOTE_KNOWN |
						    OTLP_FLAG_REMOTE};
		memcpy(link->trace_id, c->trace_id, sizeof(link->trace_id));
		memcpy(link->span_id, c->span_id, sizeof(link->span_id));
		len++;
	}
	span->links = s->links;
	span->links_len = len;
}
