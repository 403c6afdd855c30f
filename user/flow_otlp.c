/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_otlp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "user/flow_estimate.h"
#include "user/flow_facts.h"
#include "user/flow_id.h"
#include "user/flow_names.h"
#include "user/flow_service.h"
#include "user/flow_story.h"
#include "user/ip_text.h"

/*
 * A flow's first span is the root; it is sent once, when the flow ends or has gone on for the
 * active timeout, and the later ones are its children: no parent is ever missing. What the later
 * spans must know of the root fits into flow->tag (its span id) and flow->tag_bits:
 *
 *   7        2    0
 *   | epoch  |form|    epoch: its low 6 bits; form: enum flow_id_form
 *
 * A trace that grows for days is slow to open, so a flow's trace is cut by its age into epochs. The
 * first span of an epoch is a root again and links to the root of the epoch before.
 */

#define SPANS_PER_EPOCH 256
#define EPOCH_BITS_MASK 0x3f
#define ATTRS_MAX (40 + FLOW_STORY_ATTRS)
#define FLAGS_CAP 40
#define EPHEMERAL_PORT 32768 /* what Linux chooses for clients begins here; IANA's range later */

struct flow_otlp {
	struct flow_otlp_opts opts;
	uint64_t id_seed;
	uint64_t id_count;
	struct otlp_span span;
	struct otlp_link link;
	struct otlp_event event;
	struct flow_story story;
	struct otlp_attr attrs[ATTRS_MAX];
	size_t attrs_len;
	size_t who_len; /* of them, the first: who talks with whom */
	char name[48];
	char trace_state[FLOW_ID_STATE_CAP]; /* of threshold: few flows have another one */
	size_t trace_state_len;
	uint64_t threshold;
	char community[FLOW_ID_COMMUNITY_CAP];
	char addr[2][IP_TEXT_CAP];
	size_t addr_len[2];
	char flags[2][FLAGS_CAP];
};

int flow_otlp_create(struct flow_otlp **ret, const struct flow_otlp_opts *opts)
{
	struct flow_otlp *o;
	uuid_t random;

	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->opts = *opts;
	uuid_generate_random(random);
	memcpy(&o->id_seed, random, sizeof(o->id_seed));
	memcpy(&o->id_count, random + 8, sizeof(o->id_count));
	o->trace_state_len = flow_id_trace_state(o->threshold, o->trace_state);
	*ret = o;
	return 0;
}

void flow_otlp_destroy(struct flow_otlp *o)
{
	free(o);
}

/* ---- ids ---- */

/* A permutation of the 64-bit numbers: no id comes twice. */
static uint64_t new_span_id(struct flow_otlp *o)
{
	uint64_t x;

	do {
		x = o->id_count++ ^ o->id_seed;
		x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
		x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
		x ^= x >> 31;
	} while (!x);
	return x;
}

static void put_id(uint8_t to[8], uint64_t id)
{
	int i;

	for (i = 0; i < 8; i++)
		to[i] = id >> (56 - 8 * i);
}

/* packet mode sees a flow with a probability that depends on its length: no th is true */
static void set_trace_state(struct flow_otlp *o, const struct flow *f, const struct flow_report *r)
{
	if (f->info.threshold != o->threshold)
		o->trace_state_len = flow_id_trace_state(f->info.threshold, o->trace_state);
	o->threshold = f->info.threshold;
	o->span.trace_state.ptr = o->trace_state;
	o->span.trace_state.len = r->estimate ? 0 : o->trace_state_len;
}

static void link_to_previous_epoch(struct flow_otlp *o, const struct flow *f,
				   enum flow_id_form form, uint64_t epoch)
{
	flow_id_trace(o->opts.site_key, f, form, epoch, o->link.trace_id);
	put_id(o->link.span_id, f->tag);
	o->link.trace_state = o->span.trace_state;
	o->link.flags = o->span.flags;
	o->span.links = &o->link;
	o->span.links_len = 1;
}

static void set_ids(struct flow_otlp *o, struct flow *f, const struct flow_report *r)
{
	uint64_t id = new_span_id(o), epoch_ns = SPANS_PER_EPOCH * o->opts.active_timeout_ns;
	uint64_t age_ns = f->tag ? f->report_mono_ns - f->info.first_mono_ns : 0;
	uint64_t epoch = epoch_ns ? age_ns / epoch_ns : 0;
	uint8_t epochs_on = (epoch - (f->tag_bits >> 2)) & EPOCH_BITS_MASK;
	enum flow_id_form form = f->tag ? f->tag_bits & 3 : flow_id_form(f);

	set_trace_state(o, f, r);
	/* bit 2: the last 7 bytes are a keyed hash of a tuple, which strangers cannot steer and
	 * samplers may take as random, as they must for th to be true */
	o->span.flags = OTLP_FLAG_SAMPLED | OTLP_FLAG_RANDOM | OTLP_FLAG_REMOTE_KNOWN;
	flow_id_trace(o->opts.site_key, f, form, epoch, o->span.trace_id);
	put_id(o->span.span_id, id);
	if (f->tag && !epochs_on) {
		put_id(o->span.parent_span_id, f->tag);
		o->span.has_parent = true;
		return;
	}
	if (f->tag)
		link_to_previous_epoch(o, f, form, epoch - epochs_on);
	f->tag = id;
	f->tag_bits = (epoch & EPOCH_BITS_MASK) << 2 | form;
}

/* ---- attributes ---- */

static struct otlp_attr *add(struct flow_otlp *o, struct otlp_str key, enum otlp_value_type type)
{
	struct otlp_attr *a = &o->attrs[o->attrs_len++];

	a->key = key;
	a->type = type;
	return a;
}

static void add_str(struct flow_otlp *o, struct otlp_str key, const char *value)
{
	add(o, key, OTLP_STRING)->value.string = (struct otlp_str){value, strlen(value)};
}

static void add_int(struct flow_otlp *o, struct otlp_str key, uint64_t value)
{
	add(o, key, OTLP_INT)->value.integer = value;
}

static void add_seconds(struct flow_otlp *o, struct otlp_str key, uint64_t ns)
{
	add(o, key, OTLP_DOUBLE)->value.number = (double)ns / 1e9;
}

static void add_endpoint(struct flow_otlp *o, const struct flow *f, uint8_t endpoint,
			 struct otlp_str address_key, struct otlp_str port_key)
{
	uint16_t port = ntohs(f->key.port[endpoint]);
	uint8_t sender;

	if (flow_id_is_oneway(&f->key, &sender) && sender == endpoint)
		port &= ~FLOW_ICMP_ONEWAY;
	add(o, address_key, OTLP_STRING)->value.string =
		(struct otlp_str){o->addr[endpoint], o->addr_len[endpoint]};
	add_int(o, port_key, port);
}

static bool flow_has_ports(const struct flow *f)
{
	return !((f->totals[0].flags | f->totals[1].flags) & FLOW_SAW_FRAGMENT);
}

static bool flow_is_icmp(const struct flow *f)
{
	return f->key.proto == (f->key.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
	       flow_has_ports(f);
}

static void add_who(struct flow_otlp *o, const struct flow *f)
{
	uint8_t source = f->initiator, i;

	for (i = 0; i < 2; i++)
		o->addr_len[i] = ip_text(f->key.family, f->key.addr[i], o->addr[i]);
	add_endpoint(o, f, source, NAME_SOURCE_ADDRESS, NAME_SOURCE_PORT);
	add_endpoint(o, f, !source, NAME_DESTINATION_ADDRESS, NAME_DESTINATION_PORT);
	if (f->initiator_known && f->key.proto == IPPROTO_TCP) {
		add_endpoint(o, f, source, NAME_CLIENT_ADDRESS, NAME_CLIENT_PORT);
		add_endpoint(o, f, !source, NAME_SERVER_ADDRESS, NAME_SERVER_PORT);
	}
	add_str(o, NAME_DIRECTION, f->initiator_known ? "forward" : "unknown");
	flow_id_community(&f->key, flow_has_ports(f), o->community);
	add_str(o, NAME_COMMUNITY_ID, o->community);
	o->who_len = o->attrs_len;
}

/* One direction's names in packet mode; of each pair the second is of intervals. */
static const struct sampled_names {
	struct otlp_str taken_pkts[2], taken_bytes[2], pkts[2], bytes[2], error;
} sampled_names[2] = {
	{
		{NAME_SAMPLED_PACKETS, NAME_SAMPLED_PACKETS_DELTA},
		{NAME_SAMPLED_BYTES, NAME_SAMPLED_BYTES_DELTA},
		{NAME_PACKETS_ESTIMATED, NAME_PACKETS_ESTIMATED_DELTA},
		{NAME_BYTES_ESTIMATED, NAME_BYTES_ESTIMATED_DELTA},
		NAME_ESTIMATE_ERROR,
	},
	{
		{NAME_REVERSE_SAMPLED_PACKETS, NAME_REVERSE_SAMPLED_PACKETS_DELTA},
		{NAME_REVERSE_SAMPLED_BYTES, NAME_REVERSE_SAMPLED_BYTES_DELTA},
		{NAME_REVERSE_PACKETS_ESTIMATED, NAME_REVERSE_PACKETS_ESTIMATED_DELTA},
		{NAME_REVERSE_BYTES_ESTIMATED, NAME_REVERSE_BYTES_ESTIMATED_DELTA},
		NAME_REVERSE_ESTIMATE_ERROR,
	},
};

/* Nothing where there is no sample: that would look like a count of nothing. */
static void add_sampled(struct flow_otlp *o, const struct flow *f, const struct flow_report *r,
			unsigned from, const struct sampled_names *names)
{
	struct flow_sampled s = flow_sampled(f, r, from);
	int i = r->kind == FLOW_REPORT_INTERVAL;

	if (!s.taken.pkts)
		return;
	add_int(o, names->taken_pkts[i], s.taken.pkts);
	add_int(o, names->taken_bytes[i], s.taken.bytes);
	add_int(o, names->pkts[i], s.estimated.pkts);
	add_int(o, names->bytes[i], s.estimated.bytes);
	add(o, names->error, OTLP_DOUBLE)->value.number = s.error;
}

static void add_how_much(struct flow_otlp *o, const struct flow *f, const struct flow_report *r)
{
	const struct flow_totals *fwd = &f->totals[f->initiator], *rev = &f->totals[!f->initiator];
	const struct flow_counts *fwd_old = &f->reported[f->initiator];
	const struct flow_counts *rev_old = &f->reported[!f->initiator];

	if (r->estimate) {
		add_sampled(o, f, r, f->initiator, &sampled_names[0]);
		add_sampled(o, f, r, !f->initiator, &sampled_names[1]);
	} else if (r->kind == FLOW_REPORT_INTERVAL) {
		add_int(o, NAME_PACKETS_DELTA, fwd->pkts - fwd_old->pkts);
		add_int(o, NAME_BYTES_DELTA, fwd->bytes - fwd_old->bytes);
		add_int(o, NAME_REVERSE_PACKETS_DELTA, rev->pkts - rev_old->pkts);
		add_int(o, NAME_REVERSE_BYTES_DELTA, rev->bytes - rev_old->bytes);
	} else {
		add_int(o, NAME_PACKETS_TOTAL, fwd->pkts);
		add_int(o, NAME_BYTES_TOTAL, fwd->bytes);
		add_int(o, NAME_REVERSE_PACKETS_TOTAL, rev->pkts);
		add_int(o, NAME_REVERSE_BYTES_TOTAL, rev->bytes);
	}
	if (f->is_incomplete)
		add(o, NAME_INCOMPLETE, OTLP_BOOL)->value.boolean = true;
}

static const char *tcp_flags_text(uint32_t flags, char ret[FLAGS_CAP])
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {
		{FLOW_TCP_SYN, "SYN"}, {FLOW_TCP_ACK, "ACK"}, {FLOW_TCP_PSH, "PSH"},
		{0x20, "URG"},	       {0x40, "ECE"},	      {0x80, "CWR"},
		{FLOW_TCP_FIN, "FIN"}, {FLOW_TCP_RST, "RST"},
	};
	char *p = ret;
	size_t i;

	*p = '\0';
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!(flags & names[i].bit))
			continue;
		if (p != ret)
			*p++ = ',';
		p = stpcpy(p, names[i].name);
	}
	return ret;
}

static void add_tcp(struct flow_otlp *o, const struct flow *f)
{
	const char *fwd = tcp_flags_text(f->totals[f->initiator].flags, o->flags[0]);
	const char *rev = tcp_flags_text(f->totals[!f->initiator].flags, o->flags[1]);

	if (*fwd)
		add_str(o, NAME_TCP_FLAGS, fwd);
	if (*rev)
		add_str(o, NAME_REVERSE_TCP_FLAGS, rev);
}

static void add_icmp(struct flow_otlp *o, const struct flow *f)
{
	uint8_t sender;

	if (!flow_id_is_oneway(&f->key, &sender)) {
		add_int(o, NAME_ICMP_TYPE, ntohs(f->key.port[f->initiator]));
		return;
	}
	add_int(o, NAME_ICMP_TYPE, ntohs(f->key.port[sender]) & ~FLOW_ICMP_ONEWAY);
	add_int(o, NAME_ICMP_CODE, ntohs(f->key.port[!sender]));
}

static void add_tenants(struct flow_otlp *o, const struct flow *f, const char *if_name)
{
	const struct tenant_map *m = o->opts.tenants;
	uint32_t peer, tenant = tenant_map_flow(m, f->key.family, f->key.addr[f->initiator],
						f->key.addr[!f->initiator], if_name, &peer);

	if (tenant)
		add_str(o, NAME_TENANT, tenant_map_name(m, tenant));
	if (peer)
		add_str(o, NAME_TENANT_PEER, tenant_map_name(m, peer));
}

static void add_where(struct flow_otlp *o, const struct flow *f, const char *if_name)
{
	add_str(o, NAME_TRANSPORT, flow_service_transport(f->key.proto, f->key.family));
	add_str(o, NAME_TYPE, f->key.family == 4 ? "ipv4" : "ipv6");
	add_str(o, NAME_INTERFACE, if_name);
	if (o->opts.tenants)
		add_tenants(o, f, if_name);
}

static void add_how(struct flow_otlp *o, const struct flow *f, const struct flow_report *r)
{
	add_str(o, NAME_END_REASON, flow_end_reason_name(r->reason));
	if (f->key.proto == IPPROTO_TCP)
		add_tcp(o, f);
	else if (flow_is_icmp(f))
		add_icmp(o, f);
	if (f->info.generation)
		add_int(o, NAME_GENERATION, f->info.generation);
	if (r->estimate) {
		add_str(o, NAME_SAMPLING_MODE, "packet");
		add_int(o, NAME_SAMPLING_INTERVAL, f->info.interval);
	} else if (f->info.threshold) {
		add_str(o, NAME_SAMPLING_MODE, "flow");
		add_int(o, NAME_SAMPLING_INTERVAL, flow_id_interval(f->info.threshold));
	}
}

/* ---- the span itself ---- */

/* Whether @port, where nobody knows who asked, is a server's all the same: clients have none below
 * 1024, and none below EPHEMERAL_PORT where the other one is from there on, as a client's is. */
static bool is_servers(uint16_t port, uint16_t other)
{
	return port < 1024 || (port < EPHEMERAL_PORT && other >= EPHEMERAL_PORT);
}

static const char *flow_service(const struct flow *f)
{
	uint16_t a = ntohs(f->key.port[f->initiator]), b = ntohs(f->key.port[!f->initiator]);
	const char *of_a, *of_b;

	if (flow_is_icmp(f)) {
		/* one-way types carry their mark here, so they never equal these */
		uint16_t echo = f->key.family == 4 ? 8 : 128, reply = f->key.family == 4 ? 0 : 129;

		return (a == echo && b == reply) || (a == reply && b == echo) ? "echo" : NULL;
	}
	of_b = flow_service_name(f->key.proto, b);
	if (f->initiator_known)
		return of_b;
	if (f->key.proto != IPPROTO_UDP)
		return NULL;
	of_a = is_servers(a, b) ? flow_service_name(f->key.proto, a) : NULL;
	if (!is_servers(b, a))
		of_b = NULL;
	return of_a && of_b ? NULL : of_a ? of_a : of_b;
}

static void set_name(struct flow_otlp *o, const struct flow *f, const struct flow_report *r)
{
	const char *transport = flow_service_transport(f->key.proto, f->key.family);
	const char *service = flow_service(f);
	char *end = o->name;
	const char *part = r->kind == FLOW_REPORT_INTERVAL ? " interval"
			   : r->kind == FLOW_REPORT_END	   ? " end"
							   : "";

	if (!strcmp(transport, "other"))
		transport = "ip";
	end = stpcpy(end, transport);
	if (service)
		end = stpcpy(stpcpy(end, " "), service);
	end = stpcpy(end, part);
	o->span.name = (struct otlp_str){o->name, end - o->name};
}

/* By the interface: whose packets leave through it is asked on this side. */
static enum otlp_span_kind flow_kind(const struct flow *f)
{
	bool is_first = f->info.first_from == f->initiator;

	if (!f->initiator_known)
		return OTLP_SPAN_INTERNAL;
	return (f->info.first_hook == FLOW_TRANSMIT) == is_first ? OTLP_SPAN_CLIENT
								 : OTLP_SPAN_SERVER;
}

/* Why the connection came to nothing; empty: it did not, or nobody can tell. */
static struct otlp_str flow_failure(struct flow_otlp *o, const struct flow *f,
				    const struct flow_report *r)
{
	const struct flow_totals *fwd = &f->totals[f->initiator], *rev = &f->totals[!f->initiator];
	uint32_t all = fwd->flags | rev->flags;
	bool was_cut = r->reason == FLOW_FORCED_END || r->reason == FLOW_LACK_OF_RESOURCES;

	if (r->estimate) /* what was not seen may have been there */
		return OTLP_STR("");
	if (!r->is_final || f->key.proto != IPPROTO_TCP || !f->initiator_known)
		return OTLP_STR("");
	if ((fwd->flags & FLOW_SAW_SYN) && (rev->flags & FLOW_TCP_RST) &&
	    !(rev->flags & FLOW_SAW_SYNACK) && !(all & FLOW_SAW_DATA))
		return FAILURE_REFUSED;
	if ((all & FLOW_TCP_RST) && !(all & FLOW_SAW_DATA))
		return FAILURE_RESET;
	/* an ACK answers something, even if the answer went another way */
	if ((fwd->flags & FLOW_SAW_SYN) && !(fwd->flags & FLOW_TCP_ACK) && !rev->pkts &&
	    !(was_cut && !f->icmp_type && r->end_mono_ns - r->start_mono_ns < 1000000000ULL))
		return flow_story_unanswered(&o->story, f);
	return OTLP_STR("");
}

/* Both shares are of the round trip as seen here: the server's from the SYN to its answer, the
 * client's from there to the acknowledgement. Together they are the whole one. */
const struct otlp_span *flow_otlp_handshake(struct flow_otlp *o, const struct flow *f,
					    const struct flow_report *r, const char *if_name)
{
	struct flow_handshake_times t;
	struct otlp_span *s = &o->span;

	if (r->kind != FLOW_REPORT_ROOT || !flow_handshake_times(f, &t))
		return NULL;
	/* packet mode: the first ACK that was taken need not be the one that ends the handshake */
	if (r->estimate && !flow_is_whole(r))
		return NULL;
	memcpy(s->parent_span_id, s->span_id, sizeof(s->parent_span_id));
	s->has_parent = true;
	put_id(s->span_id, new_span_id(o));
	s->name = SPAN_HANDSHAKE;
	s->start_unix_ns = t.syn_mono_ns + f->clock_offset_ns;
	s->end_unix_ns = t.ack_mono_ns + f->clock_offset_ns;
	s->status = OTLP_STATUS_UNSET;
	s->status_message = OTLP_STR("");
	s->links_len = 0;
	o->attrs_len = o->who_len; /* the root's: a hash and two addresses in text are not made again */
	add_where(o, f, if_name);
	add_seconds(o, NAME_HANDSHAKE_SERVER, t.synack_mono_ns - t.syn_mono_ns);
	add_seconds(o, NAME_HANDSHAKE_CLIENT, t.ack_mono_ns - t.synack_mono_ns);
	add_str(o, NAME_HANDSHAKE_CLASS, flow_handshake_class(&t));
	s->attrs = (struct otlp_attrs){o->attrs, o->attrs_len};
	o->event = (struct otlp_event){.time_unix_ns = t.synack_mono_ns + f->clock_offset_ns,
				       .name = EVENT_SYNACK};
	s->events = &o->event;
	s->events_len = 1;
	s->events_dropped = 0;
	return s;
}

const struct otlp_span *flow_otlp_span(struct flow_otlp *o, struct flow *f,
				       const struct flow_report *r, const char *if_name)
{
	struct otlp_span *s = &o->span;
	struct otlp_str failure = flow_failure(o, f, r);

	*s = (struct otlp_span){.kind = flow_kind(f)};
	o->attrs_len = 0;
	set_ids(o, f, r);
	set_name(o, f, r);
	s->start_unix_ns = r->start_mono_ns + f->clock_offset_ns;
	s->end_unix_ns = (r->end_mono_ns > r->start_mono_ns ? r->end_mono_ns : r->start_mono_ns) +
			 f->clock_offset_ns;
	add_who(o, f);
	add_how_much(o, f, r);
	add_where(o, f, if_name);
	add_how(o, f, r);
	o->attrs_len += flow_story_attrs(f, r, !r->estimate, &o->attrs[o->attrs_len]);
	flow_story_events(&o->story, f, r, s);
	flow_story_links(&o->story, r, s);
	s->attrs = (struct otlp_attrs){o->attrs, o->attrs_len};
	if (failure.len) {
		s->status = OTLP_STATUS_ERROR;
		s->status_message = failure;
	}
	return s;
}
