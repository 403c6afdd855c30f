/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The noting thread has a copy of its own, and a list of what has changed in it, so that publishing
 * twenty times a second costs nothing where nothing happens.
 */
#include "user/exemplars.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct exemplars {
	size_t series;
	struct exemplar *noted;
	bool *is_changed;
	uint32_t *changed; /* series, each once */
	size_t changed_len;
	pthread_mutex_t lock; /* guards published */
	struct exemplar *published;
};

int exemplars_create(struct exemplars **ret, size_t series)
{
	struct exemplars *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	pthread_mutex_init(&e->lock, NULL);
	e->series = series;
	e->noted = calloc(series + 1, sizeof(*e->noted));
	e->is_changed = calloc(series + 1, sizeof(*e->is_changed));
	e->changed = calloc(series + 1, sizeof(*e->changed));
	e->published = calloc(series + 1, sizeof(*e->published));
	if (!e->noted || !e->is_changed || !e->changed || !e->published)
		goto fail;
	*ret = e;
	return 0;
fail:
	exemplars_destroy(e);
	return -ENOMEM;
}

void exemplars_destroy(struct exemplars *e)
{
	if (!e)
		return;
	free(e->noted);
	free(e->is_changed);
	free(e->changed);
	free(e->published);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

/* As the kernel classes a packet of this flow. */
static uint32_t transport_of(const struct flow_key *key)
{
	switch (key->proto) {
	case IPPROTO_TCP:
		return FLOW_TRANSPORT_TCP;
	case IPPROTO_UDP:
		return FLOW_TRANSPORT_UDP;
	case IPPROTO_ICMP:
		return key->family == 4 ? FLOW_TRANSPORT_ICMP : FLOW_TRANSPORT_OTHER;
	case IPPROTO_ICMPV6:
		return key->family == 6 ? FLOW_TRANSPORT_ICMPV6 : FLOW_TRANSPORT_OTHER;
	case IPPROTO_SCTP:
		return FLOW_TRANSPORT_SCTP;
	default:
		return FLOW_TRANSPORT_OTHER;
	}
}

/* What comes back on a link goes the other way through it; only a mirror port shows both ways as
 * received, and its transmitted packets, if any, are not of the flows that it shows. */
size_t exemplars_series(const struct flow *f, unsigned from)
{
	bool is_first = from == f->info.first_from;
	uint32_t hook = is_first ? f->info.first_hook : !f->info.first_hook;

	return flow_counter_index(f->key.if_slot, hook,
				  f->key.family == 4 ? FLOW_NET_IPV4 : FLOW_NET_IPV6,
				  transport_of(&f->key));
}

void exemplars_note(struct exemplars *e, const struct flow *f, const struct flow_report *r,
		    const struct otlp_span *span)
{
	unsigned from;
	size_t i;

	for (from = 0; from < 2; from++) {
		struct exemplar *x;

		i = exemplars_series(f, from);
		if (!f->totals[from].pkts || i >= e->series)
			continue;
		x = &e->noted[i];
		if (r->end_mono_ns < x->end_mono_ns)
			continue;
		*x = (struct exemplar){.end_mono_ns = r->end_mono_ns,
				       .time_unix_ns = span->end_unix_ns,
				       .pkts = r->estimate ? r->estimate[from].pkts
							   : f->totals[from].pkts,
				       .bytes = r->estimate ? r->estimate[from].bytes
							    : f->totals[from].bytes};
		memcpy(x->trace_id, span->trace_id, sizeof(x->trace_id));
		memcpy(x->span_id, span->span_id, sizeof(x->span_id));
		if (!e->is_changed[i])
			e->changed[e->changed_len++] = (uint32_t)i;
		e->is_changed[i] = true;
	}
}

void exemplars_publish(struct exemplars *e)
{
	if (!e->changed_len)
		return;
	pthread_mutex_lock(&e->lock);
	while (e->changed_len) {
		uint32_t i = e->changed[--e->changed_len];

		e->published[i] = e->noted[i];
		e->is_changed[i] = false;
	}
	pthread_mutex_unlock(&e->lock);
}

void exemplars_collect(struct exemplars *e, struct exemplar *into)
{
	size_t i;

	pthread_mutex_lock(&e->lock);
	for (i = 0; i < e->series; i++)
		if (e->published[i].end_mono_ns > into[i].end_mono_ns)
			into[i] = e->published[i];
	pthread_mutex_unlock(&e->lock);
}
