/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a flow went: its state, its attributes and its events, as they stand in a span. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/flow_samples.h"
#include "user/flow_facts.h"
#include "user/flow_otlp.h"
#include "user/flow_story.h"
#include "user/flow_tcp.h"

#define MS 1000000ULL
#define ACK FLOW_TCP_ACK
#define FIN (FLOW_TCP_FIN | FLOW_TCP_ACK)
#define RST FLOW_TCP_RST

static const struct flow_otlp_opts opts = {.active_timeout_ns = 60 * S};

static struct flow_report report_of(const struct flow *f, enum flow_report_kind kind,
				    enum flow_end_reason reason)
{
	return (struct flow_report){.kind = kind,
				    .reason = reason,
				    .is_final = reason != FLOW_ACTIVE_TIMEOUT,
				    .start_mono_ns = f->info.first_mono_ns,
				    .end_mono_ns = flow_last_mono_ns(f)};
}

static const struct otlp_span *span_of(struct flow_otlp *o, struct flow *f,
				       const struct flow_report *r)
{
	flow_find_initiator(f);
	return flow_otlp_span(o, f, r, "eth0");
}

static const struct otlp_attr *find(struct otlp_attrs attrs, const char *key)
{
	size_t i;

	for (i = 0; i < attrs.len; i++) {
		if (attrs.list[i].key.len == strlen(key) &&
		    !memcmp(attrs.list[i].key.ptr, key, strlen(key)))
			return &attrs.list[i];
	}
	return NULL;
}

static void assert_text(struct otlp_str s, const char *expected)
{
	char text[128] = {0};

	assert_true(s.len < sizeof(text));
	memcpy(text, s.ptr, s.len);
	assert_string_equal(text, expected);
}

/* @expected NULL: the attribute is not there. */
static void assert_str(struct otlp_attrs attrs, const char *key, const char *expected)
{
	const struct otlp_attr *a = find(attrs, key);

	if (!expected) {
		assert_null(a);
		return;
	}
	assert_non_null(a);
	assert_int_equal(a->type, OTLP_STRING);
	assert_text(a->value.string, expected);
}

/* 0: it is not there. */
static void assert_int(struct otlp_attrs attrs, const char *key, int64_t expected)
{
	const struct otlp_attr *a = find(attrs, key);

	if (!expected) {
		assert_null(a);
		return;
	}
	assert_non_null(a);
	assert_int_equal(a->type, OTLP_INT);
	assert_int_equal(a->value.integer, expected);
}

static void assert_number(struct otlp_attrs attrs, const char *key, double expected)
{
	const struct otlp_attr *a = find(attrs, key);

	assert_non_null(a);
	assert_int_equal(a->type, OTLP_DOUBLE);
	assert_true(a->value.number > expected - 1e-9 && a->value.number < expected + 1e-9);
}

static int setup(void **state)
{
	return flow_otlp_create((struct flow_otlp **)state, &opts);
}

static int teardown(void **state)
{
	flow_otlp_destroy(*state);
	return 0;
}

/* ---- the state of a connection ---- */

static const char *state_of(uint32_t client, uint32_t server)
{
	struct flow f = sample_http();
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT);

	f.totals[0].flags = client;
	f.totals[0].pkts = !!client;
	f.totals[1].flags = server;
	f.totals[1].pkts = !!server;
	flow_find_initiator(&f);
	return flow_tcp_state(&f, &r);
}

/* Each step of a connection's life, and each way that ends it. */
static void test_flow_story_state_follows_the_connection(void **state)
{
	(void)state;
	assert_string_equal(state_of(SYN, 0), "syn sent");
	assert_string_equal(state_of(SYN, ACK), "syn sent"); /* of an older connection */
	assert_string_equal(state_of(SYN, SYNACK), "half-open");
	assert_string_equal(state_of(0, SYNACK), "half-open");
	assert_string_equal(state_of(SYN | ACK, SYNACK), "established");
	assert_string_equal(state_of(SYN | DATA, SYNACK | DATA), "established");
	assert_string_equal(state_of(SYN | DATA | FIN, SYNACK | DATA), "half-closed");
	assert_string_equal(state_of(SYN | DATA, SYNACK | DATA | FIN), "half-closed");
	assert_string_equal(state_of(SYN | DATA | FIN, SYNACK | DATA | FIN), "closed");
	assert_string_equal(state_of(SYN | DATA | FIN | RST, SYNACK | DATA | FIN), "closed");
	assert_string_equal(state_of(SYN, RST | ACK), "refused");
	assert_string_equal(state_of(SYN | RST, 0), "reset"); /* by the one who asked */
	assert_string_equal(state_of(SYN, SYNACK | RST), "reset");
	assert_string_equal(state_of(SYN | ACK, SYNACK | RST), "reset");
	assert_string_equal(state_of(SYN | DATA, RST), "reset");
	assert_string_equal(state_of(SYN | DATA | FIN, SYNACK | DATA | RST), "reset");
	/* opened by both at once */
	assert_string_equal(state_of(SYN, SYN), "syn sent");
	assert_string_equal(state_of(SYN | SYNACK, SYN | SYNACK), "established");
}

static void test_flow_story_state_of_what_is_seen_in_part(void **state)
{
	(void)state;
	assert_string_equal(state_of(ACK, ACK), "mid-stream");
	assert_string_equal(state_of(DATA, 0), "mid-stream");
	assert_string_equal(state_of(DATA, DATA | FIN), "half-closed");
	assert_string_equal(state_of(FIN, FIN), "closed");
	assert_string_equal(state_of(DATA, RST), "reset");
	/* one direction passes elsewhere: what is acknowledged was there */
	assert_string_equal(state_of(SYN | DATA, 0), "established");
	assert_string_equal(state_of(0, SYNACK | DATA), "established");
}

/* An established connection whose one side is gone, while the other one goes on asking. */
static void test_flow_story_state_notices_a_side_that_fell_silent(void **state)
{
	union flow_detail detail[2] = {{.tcp.retransmits = 4}, {.tcp.retransmits = 0}};
	struct flow f = sample_http();
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT);

	(void)state;
	flow_find_initiator(&f);
	f.totals[1].flags = SYNACK | DATA;
	f.totals[0].last_mono_ns = f.totals[1].last_mono_ns + 3 * S;
	r.detail = detail;
	assert_string_equal(flow_tcp_state(&f, &r), "half-open");
	f.totals[0].last_mono_ns--;
	assert_string_equal(flow_tcp_state(&f, &r), "established");
	f.totals[0].last_mono_ns++;
	r.reason = FLOW_ACTIVE_TIMEOUT; /* an answer may be under way */
	assert_string_equal(flow_tcp_state(&f, &r), "established");
	r.reason = FLOW_IDLE_TIMEOUT;
	detail[0].tcp.retransmits = 0; /* nothing was asked twice */
	assert_string_equal(flow_tcp_state(&f, &r), "established");
	detail[1].tcp.retransmits = 1; /* of the other side: no */
	assert_string_equal(flow_tcp_state(&f, &r), "established");
	f.totals[1].last_mono_ns = f.totals[0].last_mono_ns + 3 * S;
	assert_string_equal(flow_tcp_state(&f, &r), "half-open");
	r.detail = NULL;
	assert_string_equal(flow_tcp_state(&f, &r), "established");
	/* one that was never seen here is not gone */
	r.detail = detail;
	f.totals[0].pkts = f.totals[0].last_mono_ns = 0;
	assert_string_equal(flow_tcp_state(&f, &r), "established");
}

/* ---- attributes ---- */

static const union flow_detail bumpy[2] = {
	{.tcp = {.srtt_us = 12345, .retransmits = 3, .out_of_order = 1, .zero_windows = 65535}},
	{.tcp = {.srtt_us = 250, .retransmits = 7, .out_of_order = 2, .zero_windows = 4}},
};

/* The source is the opener, whichever endpoint that is. */
static void test_flow_story_says_how_segments_came_along(void **state)
{
	struct flow f = sample_flow(IPPROTO_TCP, "10.1.0.9", 41234, "10.1.0.2", 80);
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_END_DETECTED);
	struct otlp_attrs a;
	struct flow g;

	f.totals[1].flags = SYN | DATA;
	f.totals[0].flags = SYNACK | DATA;
	r.detail = bumpy;
	g = f;
	a = span_of(*state, &g, &r)->attrs;
	assert_int_equal(g.initiator, 1);
	assert_number(a, "flow.tcp.rtt.smoothed", 0.00025);
	assert_number(a, "flow.reverse.tcp.rtt.smoothed", 0.012345);
	assert_int(a, "flow.tcp.retransmissions", 7);
	assert_int(a, "flow.reverse.tcp.retransmissions", 3);
	assert_int(a, "flow.tcp.out_of_order", 2);
	assert_int(a, "flow.reverse.tcp.out_of_order", 1);
	assert_int(a, "flow.tcp.zero_windows", 4);
	assert_int(a, "flow.reverse.tcp.zero_windows", 65535);
	assert_str(a, "flow.tcp.state", "established");
	r.kind = FLOW_REPORT_INTERVAL; /* has no totals */
	a = span_of(*state, &f, &r)->attrs;
	assert_number(a, "flow.tcp.rtt.smoothed", 0.00025);
	assert_str(a, "flow.tcp.state", "established");
	assert_int(a, "flow.tcp.retransmissions", 0);
	assert_int(a, "flow.reverse.tcp.zero_windows", 0);
}

static void test_flow_story_says_nothing_of_what_did_not_happen(void **state)
{
	static const union flow_detail smooth[2];
	struct flow f = sample_http();
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_END_DETECTED);
	size_t without = span_of(*state, &f, &r)->attrs.len;
	struct otlp_attr attrs[FLOW_STORY_ATTRS];
	struct otlp_attrs a;
	size_t i;

	r.detail = smooth;
	a = span_of(*state, &f, &r)->attrs;
	assert_int_equal(a.len, without);
	for (i = 0; i < a.len; i++)
		assert_null(memmem(a.list[i].key.ptr, a.list[i].key.len, "rtt", 3));
	assert_str(a, "flow.ecn", NULL);
	assert_str(a, "flow.tunnel.type", NULL);
	assert_null(find(a, "flow.response.duration"));
	/* of a UDP flow the detail is no TCP's */
	f = sample_flow(IPPROTO_UDP, "10.1.0.1", 41234, "10.1.0.2", 53);
	r.detail = bumpy;
	assert_null(find(span_of(*state, &f, &r)->attrs, "flow.tcp.rtt.smoothed"));
	assert_str(span_of(*state, &f, &r)->attrs, "flow.tcp.state", NULL);
	/* where packets were passed over, what was not seen may have been there */
	f = sample_http();
	assert_int_equal(flow_story_attrs(&f, &r, false, attrs), 0);
}

static void test_flow_story_tells_ecn_and_tunnels(void **state)
{
	static const struct {
		uint8_t tunnel;
		uint32_t id;
		const char *type;
	} tunnels[] = {
		{FLOW_TUNNEL_VXLAN, 42, "vxlan"},     {FLOW_TUNNEL_GENEVE, 0xffffff, "geneve"},
		{FLOW_TUNNEL_GRE, 0xfffffffe, "gre"}, {FLOW_TUNNEL_GRE, 0, "gre"},
		{FLOW_TUNNEL_IPIP, 0, "ipip"},	      {FLOW_TUNNEL_MAX, 1, NULL}};
	struct flow f = sample_flow(IPPROTO_UDP, "10.1.0.1", 41234, "10.1.0.2", 53);
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT);
	struct otlp_attrs a;
	size_t i;

	f.totals[1].flags = FLOW_SAW_ECT;
	assert_str(span_of(*state, &f, &r)->attrs, "flow.ecn", "capable");
	f.totals[0].flags = FLOW_SAW_CE;
	assert_str(span_of(*state, &f, &r)->attrs, "flow.ecn", "congestion experienced");
	for (i = 0; i < sizeof(tunnels) / sizeof(*tunnels); i++) {
		f.key.tunnel = tunnels[i].tunnel;
		f.key.tunnel_id = tunnels[i].id;
		a = span_of(*state, &f, &r)->attrs;
		assert_str(a, "flow.tunnel.type", tunnels[i].type);
		assert_int(a, "flow.tunnel.id", tunnels[i].type ? tunnels[i].id : 0);
	}
}

/* All at once, in the longest words: within bounds, and each key once. */
static void test_flow_story_has_room_for_all(void **state)
{
	struct flow f = sample_http();
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_LACK_OF_RESOURCES);
	struct otlp_attrs a;
	size_t i, j;

	f.info.threshold = 1ULL << 55;
	f.info.generation = 1;
	f.is_incomplete = true;
	f.totals[0].flags |= FLOW_SAW_CE;
	f.key.tunnel = FLOW_TUNNEL_VXLAN;
	f.key.tunnel_id = 1;
	r.detail = bumpy;
	a = span_of(*state, &f, &r)->attrs;
	assert_int_equal(a.len, 36);
	for (i = 0; i < a.len; i++) {
		for (j = 0; j < i; j++)
			assert_false(
				a.list[i].key.len == a.list[j].key.len &&
				!memcmp(a.list[i].key.ptr, a.list[j].key.ptr, a.list[i].key.len));
	}
}

/* All fragments between two hosts: whatever they belong to, its ports and its state are not known.
 */
static void test_flow_story_calls_fragments_so(void **state)
{
	struct flow f = sample_http();
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT);
	struct otlp_attrs a;

	r.detail = bumpy;
	assert_null(find(span_of(*state, &f, &r)->attrs, "flow.fragments"));
	f.totals[1].flags = FLOW_SAW_FRAGMENT;
	a = span_of(*state, &f, &r)->attrs;
	assert_true(find(a, "flow.fragments")->value.boolean);
	assert_str(a, "flow.tcp.state", NULL);
	assert_null(find(a, "flow.tcp.rtt.smoothed"));
}

static size_t bytes_of(const struct otlp_span *span)
{
	static const struct otlp_source nobody;
	struct otlp_encoder *e;
	struct otlp_batch b;
	uint8_t data[4096];
	size_t empty;

	assert_int_equal(otlp_encoder_create(&e, &nobody), 0);
	assert_int_equal(otlp_batch_begin(&b, e, OTLP_TRACES, data, sizeof(data)), 0);
	empty = b.len;
	assert_int_equal(otlp_batch_add_span(&b, span), 0);
	otlp_encoder_destroy(e);
	return b.len - empty;
}

/* To a connection that went well it adds the state and two round trips, and few bytes. */
static void test_flow_story_costs_few_bytes_where_nothing_happened(void **state)
{
	static const union flow_detail usual[2] = {{.tcp.srtt_us = 12345}, {.tcp.srtt_us = 250}};
	struct flow f = sample_http();
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_END_DETECTED);
	struct otlp_attr attrs[FLOW_STORY_ATTRS];
	struct otlp_span span;
	size_t bytes;

	r.detail = usual;
	span = *span_of(*state, &f, &r);
	bytes = bytes_of(&span);
	assert_int_equal(flow_story_attrs(&f, &r, true, attrs), 3);
	span.attrs.len -= 3;
	assert_true(bytes - bytes_of(&span) <= 120);
}

/* ---- the first answer ---- */

static void test_flow_story_answer_is_the_first_one(void **state)
{
	struct flow f = sample_flow(IPPROTO_UDP, "10.1.0.9", 41234, "10.1.0.2", 53);
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT);
	uint64_t first = f.info.first_mono_ns;

	f.totals[0].pkts = 1;
	assert_null(find(span_of(*state, &f, &r)->attrs, "flow.response.duration"));
	flow_note_handshake(&f, 1, 0, first);
	flow_note_handshake(&f, 1, 0, first + 1 * MS); /* asked again */
	assert_null(find(span_of(*state, &f, &r)->attrs, "flow.response.duration"));
	f.totals[0].pkts = 2;
	flow_note_handshake(&f, 0, 0, first + 9 * MS); /* swapped records */
	flow_note_handshake(&f, 0, 0, first + 8 * MS);
	flow_note_handshake(&f, 0, 0, first + 10 * MS);
	assert_number(span_of(*state, &f, &r)->attrs, "flow.response.duration", 0.008);
	assert_str(span_of(*state, &f, &r)->attrs, "flow.direction", "unknown");
	r.kind = FLOW_REPORT_INTERVAL;
	assert_null(find(span_of(*state, &f, &r)->attrs, "flow.response.duration"));
	r.kind = FLOW_REPORT_ROOT;
	f.totals[0].flags = FLOW_SAW_FRAGMENT; /* whose answer? */
	assert_null(find(span_of(*state, &f, &r)->attrs, "flow.response.duration"));
	/* a later packet is not the first one, if nothing was heard of that */
	f = sample_flow(IPPROTO_UDP, "10.1.0.9", 41234, "10.1.0.2", 53);
	f.totals[0].pkts = 5;
	flow_note_handshake(&f, 0, 0, first + 8 * MS);
	assert_int_equal(f.handshake.synack, 0);
	f.totals[0].pkts = 4;
	flow_note_handshake(&f, 0, 0, first + 8 * MS);
	assert_int_not_equal(f.handshake.synack, 0);
	f.key.proto = 47;
	assert_null(find(span_of(*state, &f, &r)->attrs, "flow.response.duration"));
}

static void test_flow_story_answer_of_an_echo(void **state)
{
	struct flow f = sample_flow(IPPROTO_ICMP, "10.1.0.1", 8, "10.1.0.2", 0);
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT);
	uint64_t first = f.info.first_mono_ns;

	f.totals[0].flags = FLOW_SAW_ECHO;
	f.totals[0].pkts = f.totals[1].pkts = 1;
	flow_note_handshake(&f, 1, 0, first + 5 * MS);
	assert_number(span_of(*state, &f, &r)->attrs, "flow.response.duration", 0.005);
	/* seen from its middle on: the next question is no answer */
	f.info.first_from = 1;
	f.handshake.synack = 0;
	flow_note_handshake(&f, 0, 0, first + 900 * MS);
	assert_int_not_equal(f.handshake.synack, 0);
	assert_null(find(span_of(*state, &f, &r)->attrs, "flow.response.duration"));
}

static void test_flow_story_sctp_begins_and_ends(void **state)
{
	struct flow f = sample_flow(IPPROTO_SCTP, "10.1.0.1", 3000, "10.1.0.2", 3001);
	unsigned e;

	(void)state;
	f.totals[0].flags = f.totals[1].flags = FLOW_TCP_FIN | FLOW_TCP_RST | FLOW_SAW_ECHO;
	assert_false(flow_is_over(&f)); /* of SCTP these bits say nothing */
	for (e = 0; e < 2; e++) {
		f.totals[e].flags = FLOW_SAW_ECHO;
		f.totals[!e].flags = 0;
		f.info.first_from = !e; /* the answer was seen first */
		f.initiator_known = false;
		flow_find_initiator(&f);
		assert_true(f.initiator_known);
		assert_int_equal(f.initiator, e);
		f.totals[!e].flags = FLOW_SAW_ECHO; /* both at once: who was first */
		flow_find_initiator(&f);
		assert_true(f.initiator_known);
		assert_int_equal(f.initiator, !e);
		f.totals[0].flags = f.totals[1].flags = 0;
		assert_false(flow_is_over(&f));
		flow_find_initiator(&f);
		assert_false(f.initiator_known);
		f.totals[e].flags = FLOW_SAW_END;
		assert_true(flow_is_over(&f));
		flow_find_initiator(&f);
		assert_false(f.initiator_known);
		f.key.proto = IPPROTO_UDP;
		assert_false(flow_is_over(&f));
		f.key.proto = IPPROTO_SCTP;
	}
}

/* ---- events ---- */

static void test_flow_story_events_say_who_and_how_often(void **state)
{
	static const struct {
		uint8_t kind;
		const char *name;
		bool has_count;
	} kinds[] = {
		{FLOW_NOTE_RETRANSMISSION, "tcp retransmission", true},
		{FLOW_NOTE_OUT_OF_ORDER, "tcp out_of_order", true},
		{FLOW_NOTE_ZERO_WINDOW, "tcp zero_window", true},
		{FLOW_NOTE_CONGESTION, "ip congestion_experienced", false},
		{FLOW_NOTE_RESET, "tcp reset", false},
	};
	struct flow_note notes[5] = {0};
	struct flow f = sample_flow(IPPROTO_TCP, "10.1.0.9", 41234, "10.1.0.2", 80);
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_END_DETECTED);
	const struct otlp_span *s;
	unsigned i;

	f.totals[1].flags = SYN | DATA;
	for (i = 0; i < 5; i++)
		notes[i] = (struct flow_note){.kind = kinds[i].kind,
					      .mono_ns = f.info.first_mono_ns + i * MS,
					      .from = i % 2,
					      .count = 10 + i};
	r.notes = notes;
	r.notes_len = 5;
	r.notes_dropped = 77;
	s = span_of(*state, &f, &r);
	assert_int_equal(s->events_len, 5);
	assert_int_equal(s->events_dropped, 77);
	for (i = 0; i < 5; i++) {
		assert_text(s->events[i].name, kinds[i].name);
		assert_int_equal(s->events[i].time_unix_ns, s->start_unix_ns + i * MS);
		assert_str(s->events[i].attrs, "flow.event.from", i % 2 ? "source" : "destination");
		assert_int(s->events[i].attrs, "flow.tcp.event.count",
			   kinds[i].has_count ? 10 + i : 0);
	}
	r.notes_len = r.notes_dropped = 0;
	s = span_of(*state, &f, &r);
	assert_int_equal(s->events_len, 0);
	assert_int_equal(s->events_dropped, 0);
}

static void test_flow_story_events_of_icmp_name_the_reporter(void **state)
{
	struct flow_note notes[FLOW_NOTES_MAX];
	struct flow f = sample_flow(IPPROTO_UDP, "2001:db8::1", 41234, "2001:db8::2", 53);
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT);
	const struct otlp_span *s;
	unsigned i;

	for (i = 0; i < FLOW_NOTES_MAX; i++)
		notes[i] = (struct flow_note){.kind = FLOW_NOTE_ICMP,
					      .mono_ns = f.info.first_mono_ns,
					      .quote = {.reporter = {0xfe, 0x80, [15] = i},
							.type = i % 2 ? 2 : 1,
							.code = 4,
							.mtu = i % 2 ? 1280 + i : 0}};
	r.notes = notes;
	r.notes_len = FLOW_NOTES_MAX;
	s = span_of(*state, &f, &r);
	assert_int_equal(s->status, OTLP_STATUS_UNSET); /* UDP promises no answer */
	assert_str(s->events[9].attrs, "flow.icmp.reporter", "fe80::9");
	assert_str(s->events[9].attrs, "flow.icmp.error", "packet too big");
	assert_int(s->events[9].attrs, "flow.icmp.type", 2);
	assert_int(s->events[9].attrs, "flow.icmp.mtu", 1289);
	assert_str(s->events[10].attrs, "flow.icmp.reporter", "fe80::a");
	assert_str(s->events[10].attrs, "flow.icmp.error", "port unreachable");
	assert_int(s->events[10].attrs, "flow.icmp.code", 4);
	assert_int(s->events[10].attrs, "flow.icmp.mtu", 0);
	assert_str(s->events[10].attrs, "flow.event.from", "source");
	assert_text(s->events[10].name, "icmp error");
	/* IPv4 reads its 4 bytes, and the same numbers otherwise; unknown ones are numbers alone */
	f = sample_flow(IPPROTO_UDP, "10.0.0.1", 41234, "10.0.0.2", 53);
	notes[0].quote = (struct flow_quote){.reporter = {192, 0, 2, 7}, .type = 3, .code = 1};
	notes[1].quote.type = 5;
	s = span_of(*state, &f, &r);
	assert_str(s->events[0].attrs, "flow.icmp.reporter", "192.0.2.7");
	assert_str(s->events[0].attrs, "flow.icmp.error", "host unreachable");
	assert_str(s->events[1].attrs, "flow.icmp.error", NULL);
	assert_int(s->events[1].attrs, "flow.icmp.type", 5);
}

static void test_flow_story_unanswered_says_which_error_came(void **state)
{
	static const struct {
		uint8_t type, code;
		const char *message;
	} known[] = {
		{0, 0, "SYN without answer"},
		{3, 1, "SYN without answer: ICMP host unreachable"},
		{3, 3, "SYN without answer: ICMP port unreachable"},
		{3, 13, "SYN without answer: ICMP administratively prohibited"},
		{3, 7, "SYN without answer: ICMP destination unreachable"},
		{11, 0, "SYN without answer: ICMP time exceeded"},
		{5, 1, "SYN without answer"}, /* a redirect hinders nothing */
	};
	struct flow f = sample_http();
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT);
	const struct otlp_span *s;
	size_t i;

	f.totals[0].flags = SYN;
	memset(&f.totals[1], 0, sizeof(f.totals[1]));
	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		f.icmp_type = known[i].type;
		f.icmp_code = known[i].code;
		s = span_of(*state, &f, &r);
		assert_int_equal(s->status, OTLP_STATUS_ERROR);
		assert_text(s->status_message, known[i].message);
	}
	/* what was cut short is no failure, but an error is known at once */
	r.reason = FLOW_FORCED_END;
	r.end_mono_ns = r.start_mono_ns;
	f.icmp_type = 0;
	assert_int_equal(span_of(*state, &f, &r)->status, OTLP_STATUS_UNSET);
	f.icmp_type = 3;
	f.icmp_code = 0;
	assert_text(span_of(*state, &f, &r)->status_message,
		    "SYN without answer: ICMP network unreachable");
}

static void test_flow_story_line_mentions_what_is_worth_it(void **state)
{
	struct flow f = sample_http();
	struct flow_report r = report_of(&f, FLOW_REPORT_ROOT, FLOW_END_DETECTED);
	char line[512];

	flow_otlp_line(span_of(*state, &f, &r), line, sizeof(line));
	assert_null(strstr(line, "rtt"));
	assert_null(strstr(line, "retransmitted"));
	r.detail = bumpy;
	flow_otlp_line(span_of(*state, &f, &r), line, sizeof(line));
	assert_non_null(strstr(line, "  end of flow detected  rtt 12.3 ms  10 retransmitted"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_story_state_follows_the_connection),
		cmocka_unit_test(test_flow_story_state_of_what_is_seen_in_part),
		cmocka_unit_test(test_flow_story_state_notices_a_side_that_fell_silent),
		cmocka_unit_test(test_flow_story_says_how_segments_came_along),
		cmocka_unit_test(test_flow_story_says_nothing_of_what_did_not_happen),
		cmocka_unit_test(test_flow_story_tells_ecn_and_tunnels),
		cmocka_unit_test(test_flow_story_calls_fragments_so),
		cmocka_unit_test(test_flow_story_has_room_for_all),
		cmocka_unit_test(test_flow_story_costs_few_bytes_where_nothing_happened),
		cmocka_unit_test(test_flow_story_answer_is_the_first_one),
		cmocka_unit_test(test_flow_story_answer_of_an_echo),
		cmocka_unit_test(test_flow_story_events_say_who_and_how_often),
		cmocka_unit_test(test_flow_story_sctp_begins_and_ends),
		cmocka_unit_test(test_flow_story_events_of_icmp_name_the_reporter),
		cmocka_unit_test(test_flow_story_unanswered_says_which_error_came),
		cmocka_unit_test(test_flow_story_line_mentions_what_is_worth_it),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
