/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Entries lie one after the other in the order of their coming; an index with open addressing, at
 * most half full, finds them. Whoever sends packets chooses addresses and ports, so the hash is
 * picked at random: a sum of products with secret factors (multilinear: D. Lemire, O. Kaser,
 * "Strongly universal string hashing is fast", 2013), by which two keys meet no more often than by
 * chance, whatever they are. But such a sum takes keys in a row to places in a row, with a step
 * that is short for a few factors, and then chains are long: so it is mixed, with secret factors,
 * too.
 *
 * With the direction asked for an entry is two series of packets, of which each needs a place: then
 * one direction may have found room and the other not.
 */
#include "user/flow_series.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "user/flow_growth.h"
#include "user/flow_service.h"

#define KEY_WORDS (sizeof(struct flow_series_key) / sizeof(uint32_t))

_Static_assert(sizeof(struct flow_series_key) == 44,
	       "no hidden padding: it is hashed and compared");

struct flow_series {
	struct flow_series_opts opts;
	struct {
		uint64_t factor[KEY_WORDS], sum, mix[2]; /* mix: odd */
	} secret;
	uint32_t mask; /* of the index */
	uint32_t *index; /* place of an entry + 1; 0: free */

	pthread_mutex_t lock; /* guards what follows, and both arrays */
	struct flow_series_one *list;
	size_t list_len;
	size_t len; /* series of packets */
	struct flow_series_rest rest;
};

int flow_series_create(struct flow_series **ret, const struct flow_series_opts *opts)
{
	struct flow_series *s = calloc(1, sizeof(*s));
	size_t slots = 2;
	int err = -ENOMEM;

	if (!s)
		return err;
	pthread_mutex_init(&s->lock, NULL);
	s->opts = *opts;
	while (slots < 2 * opts->cap)
		slots *= 2;
	s->mask = (uint32_t)slots - 1;
	s->index = calloc(slots, sizeof(*s->index));
	s->list = calloc(opts->cap, sizeof(*s->list));
	if (!s->index || !s->list)
		goto fail;
	err = -EIO;
	if (getrandom(&s->secret, sizeof(s->secret), 0) != sizeof(s->secret))
		goto fail;
	s->secret.mix[0] |= 1;
	s->secret.mix[1] |= 1;
	*ret = s;
	return 0;
fail:
	flow_series_destroy(s);
	return err;
}

void flow_series_destroy(struct flow_series *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s->index);
	free(s->list);
	free(s);
}

/* ---- which series ---- */

static bool wants(const struct flow_series *s, enum flow_attr attr)
{
	return s->opts.attrs & FLOW_ATTR_BIT(attr);
}

/* An address says which subnet it is of; so it is enough, where both are asked for. */
static void put_address(const struct flow_series *s, struct flow_series_key *k,
			const struct flow *f, unsigned end, enum flow_attr address,
			enum flow_attr subnet)
{
	const uint8_t *from = f->key.addr[end == 0 ? f->initiator : !f->initiator];
	unsigned bits = f->key.family == 6 ? 128 : 32;

	if (!wants(s, address) && !wants(s, subnet))
		return;
	if (!wants(s, address))
		bits = s->opts.subnet_bits[f->key.family == 6];
	k->family = f->key.family;
	memcpy(k->addr[end], from, bits / 8);
	if (bits % 8)
		k->addr[end][bits / 8] = from[bits / 8] & (uint8_t) ~(0xff >> bits % 8);
}

static bool has_server_port(const struct flow *f)
{
	bool has_ports = f->key.proto == IPPROTO_TCP || f->key.proto == IPPROTO_UDP ||
			 f->key.proto == IPPROTO_SCTP;

	return has_ports && f->initiator_known &&
	       !((f->totals[0].flags | f->totals[1].flags) & FLOW_SAW_FRAGMENT);
}

static void find_key(const struct flow_series *s, const struct flow *f, const char *if_name,
		     struct flow_series_key *ret)
{
	struct flow_series_key *k = ret;
	uint32_t peer;

	memset(k, 0, sizeof(*k));
	k->if_slot = f->key.if_slot;
	put_address(s, k, f, 0, FLOW_ATTR_SOURCE_ADDRESS, FLOW_ATTR_SOURCE_SUBNET);
	put_address(s, k, f, 1, FLOW_ATTR_DESTINATION_ADDRESS, FLOW_ATTR_DESTINATION_SUBNET);
	if (wants(s, FLOW_ATTR_TYPE))
		k->family = f->key.family;
	if (wants(s, FLOW_ATTR_TRANSPORT))
		k->proto = strcmp(flow_service_transport(f->key.proto, f->key.family), "other")
				   ? f->key.proto
				   : FLOW_SERIES_OTHER;
	if (wants(s, FLOW_ATTR_SERVER_PORT) && has_server_port(f)) {
		k->has_server_port = 1;
		k->server_port = ntohs(f->key.port[!f->initiator]);
	}
	if (wants(s, FLOW_ATTR_TENANT))
		k->tenant =
			tenant_map_flow(s->opts.tenants, f->key.family, f->key.addr[f->initiator],
					f->key.addr[!f->initiator], if_name, &peer);
}

static uint32_t hash(const struct flow_series *s, const struct flow_series_key *k)
{
	uint64_t sum = s->secret.sum;
	uint32_t words[KEY_WORDS];
	unsigned i;

	memcpy(words, k, sizeof(words));
	for (i = 0; i < KEY_WORDS; i++)
		sum += s->secret.factor[i] * words[i];
	sum = (sum ^ sum >> 32) * s->secret.mix[0];
	sum = (sum ^ sum >> 32) * s->secret.mix[1];
	return sum >> 32;
}

/* The entry of a key, or a new one. NULL: there is no room. */
static struct flow_series_one *find(struct flow_series *s, const struct flow_series_key *k)
{
	uint32_t i = hash(s, k) & s->mask;

	for (; s->index[i]; i = (i + 1) & s->mask)
		if (!memcmp(&s->list[s->index[i] - 1].key, k, sizeof(*k)))
			return &s->list[s->index[i] - 1];
	if (s->len == s->opts.cap || s->list_len == s->opts.cap)
		return NULL;
	s->list[s->list_len].key = *k;
	s->index[i] = (uint32_t)++s->list_len;
	return &s->list[s->list_len - 1];
}

/* ---- how much ---- */

/* Where packets and bytes of a direction are added; NULL: there is no room. */
static struct flow_counts *find_counts(struct flow_series *s, struct flow_series_one *one,
				       unsigned hook)
{
	if (!one)
		return NULL;
	if (!one->has[hook]) {
		if (s->len == s->opts.cap)
			return NULL;
		one->has[hook] = true;
		s->len++;
	}
	return &one->counts[hook];
}

/* True: it went to the rest. */
static bool add_counts(struct flow_series *s, struct flow_series_one *one, unsigned hook,
		       const struct flow_counts *growth)
{
	struct flow_counts *to;

	if (!growth->pkts && !growth->bytes)
		return false;
	to = find_counts(s, one, hook);
	if (!to)
		one = NULL;
	to = to ? to : &s->rest.counts;
	to->pkts += growth->pkts;
	to->bytes += growth->bytes;
	return !one;
}

static bool add_flows(struct flow_series *s, struct flow_series_one *one, uint64_t flows)
{
	if (!flows)
		return false;
	if (one)
		one->has_flows = true;
	*(one ? &one->flows : &s->rest.flows) += flows;
	return !one;
}

void flow_series_add(struct flow_series *s, const struct flow *f, const char *if_name)
{
	struct flow_growth growth = flow_growth(f);
	struct flow_series_one *one;
	struct flow_series_key key;
	bool is_rest;
	unsigned i, hook;

	if (!growth.flows && !growth.counts[0].pkts && !growth.counts[1].pkts)
		return;
	find_key(s, f, if_name, &key);
	pthread_mutex_lock(&s->lock);
	one = find(s, &key);
	is_rest = add_flows(s, one, growth.flows);
	for (i = 0; i < 2; i++) {
		/* what comes back on a link goes the other way through it */
		hook = i == f->info.first_from ? f->info.first_hook : !f->info.first_hook;
		if (!wants(s, FLOW_ATTR_IO_DIRECTION))
			hook = 0;
		is_rest |= add_counts(s, one, hook, &growth.counts[i]);
	}
	s->rest.reports += is_rest;
	pthread_mutex_unlock(&s->lock);
}

/* ---- reading ---- */

size_t flow_series_read(struct flow_series *s, size_t first, struct flow_series_one *ret,
			size_t len)
{
	pthread_mutex_lock(&s->lock);
	if (first > s->list_len)
		first = s->list_len;
	if (len > s->list_len - first)
		len = s->list_len - first;
	memcpy(ret, s->list + first, len * sizeof(*ret));
	pthread_mutex_unlock(&s->lock);
	return len;
}

void flow_series_rest(struct flow_series *s, struct flow_series_rest *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->rest;
	pthread_mutex_unlock(&s->lock);
}

size_t flow_series_len(struct flow_series *s)
{
	size_t len;

	pthread_mutex_lock(&s->lock);
	len = s->len;
	pthread_mutex_unlock(&s->lock);
	return len;
}

const struct flow_series_opts *flow_series_opts(const struct flow_series *s)
{
	return &s->opts;
}
