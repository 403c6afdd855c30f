/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A flow's notes are a list, the newest first: records come nearly in order, so most go in front.
 * Indices are plus one, 0 ends a list. Nodes are 24 bytes:
 *
 *   0      4     5     6        8                    16     20    24
 *   | next |kind |from |count   | mono_ns            | mtu  | pad |
 *                      |typ|code|                      | span_id    |
 *
 * The one of an ICMP error, or of a link (whose count is its flags), is followed by a second node,
 * in which the last 16 bytes are the reporter's address, or the trace id.
 */
struct flow_event_node {
	uint32_t next;
	uint8_t kind; /* enum flow_note_kind; KIND_SECOND: the second node of another one */
	uint8_t from;
	union {
		uint16_t count;
		struct {
			uint8_t type, code;
		};
	};
	union {
		struct {
			uint64_t mono_ns;
			union {
				uint32_t mtu;
				uint8_t span_id[8];
			};
		};
		uint8_t second[16];
	};
};
#define KIND_SECOND FLOW_NOTE_MAX

_Static_assert(sizeof(struct flow_event_node) == 24, "layout");

int flow_events_init(struct flow_events *e, size_t max_flows)
{
	memset(e, 0, sizeof(*e));
	e->cap = (uint32_t)(max_flows / 4 + 2 * FLOW_NOTES_MAX);
	e->nodes = calloc(e->cap, sizeof(*e->nodes));
	return e->nodes ? 0 : -ENOMEM;
}

void flow_events_reset(struct flow_events *e)
{
	free(e->nodes);
	e->nodes = NULL;
}

static struct flow_event_node *node_of(struct flow_events *e, uint32_t entry)
{
	return &e->nodes[entry - 1];
}

/* 0: there is none. */
static uint32_t node_get(struct flow_events *e)
{
	uint32_t entry = e->free;

	if (entry)
		e->free = node_of(e, entry)->next;
	else if (e->used < e->cap)
		entry = ++e->used;
	return entry;
}

static void node_put(struct flow_events *e, uint32_t entry)
{
	node_of(e, entry)->next = e->free;
	e->free = entry;
}

static bool has_second(uint8_t kind)
{
	return kind == FLOW_NOTE_ICMP || kind == FLOW_NOTE_LINK;
}

static uint32_t after(struct flow_events *e, uint32_t entry)
{
	struct flow_event_node *n = node_of(e, entry);

	return has_second(n->kind) ? node_of(e, n->next)->next : n->next;
}

/* The node or nodes of a note, not yet in a list; 0: no room. */
static uint32_t nodes_make(struct flow_events *e, const struct flow_note *note)
{
	uint32_t entry = node_get(e), second;
	struct flow_event_node *n;

	if (!entry)
		return 0;
	n = node_of(e, entry);
	*n = (struct flow_event_node){.kind = note->kind, .from = note->from};
	n->mono_ns = note->mono_ns;
	n->count = note->count;
	if (!has_second(note->kind))
		return entry;
	second = node_get(e);
	if (!second) {
		node_put(e, entry);
		return 0;
	}
	n->next = second;
	node_of(e, second)->kind = KIND_SECOND;
	if (note->kind == FLOW_NOTE_LINK) {
		n->count = note->context.flags;
		memcpy(n->span_id, note->context.span_id, sizeof(n->span_id));
		memcpy(node_of(e, second)->second, note->context.trace_id, 16);
	} else {
		n->type = note->quote.type;
		n->code = note->quote.code;
		n->mtu = note->quote.mtu;
		memcpy(node_of(e, second)->second, note->quote.reporter, 16);
	}
	return entry;
}

static void link_by_time(struct flow_events *e, struct flow *f, uint32_t entry)
{
	struct flow_event_node *n = node_of(e, entry);
	struct flow_event_node *tail = has_second(n->kind) ? node_of(e, n->next) : n;
	uint32_t at = f->events, newer = 0;

	while (at && node_of(e, at)->mono_ns > n->mono_ns) {
		newer = at;
		at = after(e, at);
	}
	tail->next = at;
	if (!newer) {
		f->events = entry;
		return;
	}
	tail = node_of(e, newer);
	if (has_second(tail->kind))
		tail = node_of(e, tail->next);
	tail->next = entry;
}

static bool is_of_segment(uint8_t kind)
{
	return kind == FLOW_NOTE_RETRANSMISSION || kind == FLOW_NOTE_OUT_OF_ORDER ||
	       kind == FLOW_NOTE_ZERO_WINDOW || kind == FLOW_NOTE_LINK;
}

void flow_events_late(struct flow_events *e)
{
	e->stats.seen++;
	e->stats.late++;
}

void flow_events_add(struct flow_events *e, struct flow *f, const struct flow_note *note)
{
	uint32_t entry;

	e->stats.seen++;
	if (!f) {
		e->stats.no_flow++;
		return;
	}
	if (f->events_len >=
	    (is_of_segment(note->kind) ? FLOW_NOTES_OF_SEGMENTS : FLOW_NOTES_MAX)) {
		e->stats.flow_limit++;
	} else {
		entry = nodes_make(e, note);
		if (entry) {
			link_by_time(e, f, entry);
			f->events_len++;
			e->stats.held++;
			return;
		}
		e->stats.pool_full++;
	}
	if (f->events_dropped < UINT16_MAX)
		f->events_dropped++;
}

unsigned flow_events_take(struct flow_events *e, struct flow *f,
			  struct flow_note ret[FLOW_NOTES_MAX], uint32_t *ret_dropped)
{
	unsigned len = f->events_len, i = len;
	uint32_t entry = f->events, next;

	for (; entry; entry = next) {
		struct flow_event_node *n = node_of(e, entry);
		struct flow_note *to = &ret[--i];

		next = after(e, entry);
		*to = (struct flow_note){.mono_ns = n->mono_ns, .kind = n->kind, .from = n->from};
		if (n->kind == FLOW_NOTE_ICMP) {
			to->quote.type = n->type;
			to->quote.code = n->code;
			to->quote.mtu = n->mtu;
			memcpy(to->quote.reporter, node_of(e, n->next)->second, 16);
		} else if (n->kind == FLOW_NOTE_LINK) {
			to->context.flags = n->count;
			memcpy(to->context.span_id, n->span_id, sizeof(n->span_id));
			memcpy(to->context.trace_id, node_of(e, n->next)->second, 16);
		} else {
			to->count = n->count;
		}
		if (has_second(n->kind))
			node_put(e, n->next);
		node_put(e, entry);
	}
	*ret_dropped = f->events_dropped;
	f->events = f->events_dropped = f->events_len = 0;
	e->stats.held -= len;
	e->stats.reported += len;
	return len;
}
