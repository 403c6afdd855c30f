/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_story - how a flow went, beyond its totals: a private part of flow_otlp.
 *
 * What it hands out lives in the caller's memory or is constant. Pure.
 */
#ifndef USER_FLOW_STORY_H
#define USER_FLOW_STORY_H

#include <netinet/in.h>

#include "otlp/otlp.h"
#include "user/flow_table.h"

#define FLOW_STORY_ATTRS 14 /* the most that flow_story_attrs() adds */
#define FLOW_STORY_EVENT_ATTRS 6

/* The events of one span, and its status message. */
struct flow_story {
	struct otlp_event events[FLOW_NOTES_MAX];
	struct otlp_attr attrs[FLOW_NOTES_MAX][FLOW_STORY_EVENT_ATTRS];
	char reporter[FLOW_NOTES_MAX][INET6_ADDRSTRLEN];
	struct otlp_link links[1 + FLOW_NOTES_MAX];
	char failure[64];
};

/* Round trips, retransmissions and the like, ECN, TCP's state, time to the first answer, tunnel;
 * only what is known and worth the bytes; of fragments, that they are. @sees_all: every packet of
 * the flow was looked at; if not, nothing is said that depends on it. Returns how many attributes.
 */
size_t flow_story_attrs(const struct flow *f, const struct flow_report *r, bool sees_all,
			struct otlp_attr ret[FLOW_STORY_ATTRS]);

/* Sets the span's events. */
void flow_story_events(struct flow_story *s, const struct flow *f, const struct flow_report *r,
		       struct otlp_span *span);

/* Adds links to the traces that requests on the connection belong to; @span may have one link. */
void flow_story_links(struct flow_story *s, const struct flow_report *r, struct otlp_span *span);

/* Why nothing answered a SYN: with the ICMP error that came, if one did. */
struct otlp_str flow_story_unanswered(struct flow_story *s, const struct flow *f);

#endif /* USER_FLOW_STORY_H */
