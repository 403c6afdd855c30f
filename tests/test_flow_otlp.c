/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "tests/flow_samples.h"
#include "user/flow_facts.h"
#include "user/flow_otlp.h"

#define S 1000000000ULL
#define ACTIVE (60 * S)
#define ACTIVE (60 * S)

static const struct flow_otlp_opts opts = {
	.site_key = {0x0102030405060708, 0x1112131415161718, 3, 4},
	.active_timeout_ns = ACTIVE,
};

static const struct otlp_span *span_of(struct flow_otlp *o, struct flow *f,
				       enum flow_report_kind kind, enum flow_end_reason reason)
{
	struct flow_report r = {.kind = kind,
				.reason = reason,
				.is_final = reason != FLOW_ACTIVE_TIMEOUT,
				.start_mono_ns = f->info.first_mono_ns,
				.end_mono_ns = flow_last_mono_ns(f)};
	const struct otlp_span *span;

	if (kind == FLOW_REPORT_INTERVAL)
		r.start_mono_ns = f->report_mono_ns;
	flow_find_initiator(f);
	span = flow_otlp_span(o, f, &r, "eth0");
	f->report_mono_ns = r.end_mono_ns;
	f->reports++;
	return span;
}

static const struct otlp_span *only_span(struct flow_otlp *o, struct flow *f)
{
	return span_of(o, f, FLOW_REPORT_ROOT, FLOW_END_DETECTED);
}

static const struct otlp_attr *attr(const struct otlp_span *s, const char *key)
{
	size_t i;

	for (i = 0; i < s->attrs.len; i++) {
		if (s->attrs.list[i].key.len == strlen(key) &&
		    !memcmp(s->attrs.list[i].key.ptr, key, strlen(key)))
			return &s->attrs.list[i];
	}
	return NULL;
}

static void assert_str(struct otlp_str s, const char *expected)
{
	char text[128] = {0};

	assert_true(s.len < sizeof(text));
	memcpy(text, s.ptr, s.len);
	assert_string_equal(text, expected);
}

static void assert_attr_str(const struct otlp_span *s, const char *key, const char *expected)
{
	const struct otlp_attr *a = attr(s, key);

	assert_non_null(a);
	assert_int_equal(a->type, OTLP_STRING);
	assert_str(a->value.string, expected);
}

static void assert_attr_int(const struct otlp_span *s, const char *key, int64_t expected)
{
	const struct otlp_attr *a = attr(s, key);

	assert_non_null(a);
	assert_int_equal(a->type, OTLP_INT);
	assert_int_equal(a->value.integer, expected);
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

/* ---- the family of spans ---- */

static void test_flow_otlp_trace_id_is_one_on_all_hosts(void **state)
{
	struct flow_otlp *o = *state, *other;
	struct flow f = sample_http(), g = sample_http();
	uint8_t id[16];

	assert_int_equal(flow_otlp_create(&other, &opts), 0);
	g.key.if_slot = 7;
	g.info.first_mono_ns += 1000 * S; /* another clock, and an hour does not matter */
	g.clock_offset_ns -= 40 * S;
	g.info.first_hook = FLOW_TRANSMIT;
	g.totals[0].pkts = 1;
	memcpy(id, only_span(o, &f)->trace_id, 16);
	assert_memory_equal(only_span(other, &g)->trace_id, id, 16);
	assert_memory_not_equal(&f.tag, &g.tag, sizeof(f.tag));
	flow_otlp_destroy(other);
}

static void test_flow_otlp_root_has_no_parent_and_children_have_it(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_http();
	const struct otlp_span *s;
	uint8_t trace[16], root[8], child[8];

	s = span_of(o, &f, FLOW_REPORT_ROOT, FLOW_ACTIVE_TIMEOUT);
	assert_false(s->has_parent);
	assert_int_equal(s->flags, OTLP_FLAG_SAMPLED | OTLP_FLAG_RANDOM | OTLP_FLAG_REMOTE_KNOWN);
	assert_str(s->name, "tcp http");
	assert_str(s->trace_state, "ot=th:0");
	assert_attr_int(s, "flow.packets.total", 12);
	assert_attr_str(s, "flow.end_reason", "active timeout");
	memcpy(trace, s->trace_id, 16);
	memcpy(root, s->span_id, 8);

	f.reported[0] = (struct flow_counts){12, 1234};
	f.reported[1] = (struct flow_counts){10, 14321};
	f.totals[0].pkts += 5;
	f.totals[0].bytes += 500;
	f.totals[0].last_mono_ns += 60 * S;
	s = span_of(o, &f, FLOW_REPORT_INTERVAL, FLOW_ACTIVE_TIMEOUT);
	assert_true(s->has_parent);
	assert_memory_equal(s->parent_span_id, root, 8);
	assert_memory_equal(s->trace_id, trace, 16);
	assert_memory_not_equal(s->span_id, root, 8);
	memcpy(child, s->span_id, 8);
	assert_str(s->name, "tcp http interval");
	assert_attr_int(s, "flow.packets.delta", 5);
	assert_attr_int(s, "flow.bytes.delta", 500);
	assert_attr_int(s, "flow.reverse.packets.delta", 0);
	assert_attr_int(s, "flow.reverse.bytes.delta", 0);
	assert_null(attr(s, "flow.packets.total"));

	s = span_of(o, &f, FLOW_REPORT_END, FLOW_IDLE_TIMEOUT);
	assert_memory_equal(s->parent_span_id, root, 8);
	assert_memory_not_equal(s->span_id, child, 8);
	assert_str(s->name, "tcp http end");
	assert_attr_int(s, "flow.packets.total", 17);
	assert_attr_str(s, "flow.end_reason", "idle timeout");
	assert_null(attr(s, "flow.packets.delta"));
}

static void test_flow_otlp_trace_outlives_a_late_syn(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_http();
	uint8_t trace[16];

	f.totals[0].flags = DATA;
	memcpy(trace, span_of(o, &f, FLOW_REPORT_ROOT, FLOW_ACTIVE_TIMEOUT)->trace_id, 16);
	f.totals[0].flags |= SYN;
	assert_memory_equal(span_of(o, &f, FLOW_REPORT_END, FLOW_IDLE_TIMEOUT)->trace_id, trace,
			    16);
}

static void test_flow_otlp_cuts_a_trace_and_links_back(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_http();
	const struct otlp_span *s;
	uint8_t trace[16], root[8];
	unsigned i, spans = 0, cuts = 0;

	for (i = 0; i < 1000; i++) {
		f.totals[0].last_mono_ns = f.info.first_mono_ns + (i + 1) * ACTIVE;
		f.totals[0].pkts++;
		s = span_of(o, &f, i ? FLOW_REPORT_INTERVAL : FLOW_REPORT_ROOT,
			    FLOW_ACTIVE_TIMEOUT);
		if (s->has_parent) {
			assert_memory_equal(s->trace_id, trace, 16);
			assert_memory_equal(s->parent_span_id, root, 8);
			assert_int_equal(s->links_len, 0);
			assert_true(++spans <= 256);
			continue;
		}
		if (i) {
			assert_int_equal(s->links_len, 1);
			assert_memory_equal(s->links[0].trace_id, trace, 16);
			assert_memory_equal(s->links[0].span_id, root, 8);
			assert_memory_not_equal(s->trace_id, trace, 9);
			cuts++;
		}
		assert_memory_equal(s->trace_id + 9, "\x01\x23\x45\x67\x89\xab\xcd", 7);
		memcpy(trace, s->trace_id, 16);
		memcpy(root, s->span_id, 8);
		spans = 1;
	}
	assert_int_equal(cuts, 3);
}

static void test_flow_otlp_span_ids_differ(void **state)
{
	enum { COUNT = 2000 };
	static uint8_t ids[COUNT][8];
	struct flow_otlp *o = *state;
	struct flow f = sample_http();
	unsigned i, j;

	for (i = 0; i < COUNT; i++) {
		memcpy(ids[i], only_span(o, &f)->span_id, 8);
		for (j = 0; j < i; j++)
			assert_memory_not_equal(ids[i], ids[j], 8);
	}
}

/* ---- what a span says ---- */

static void test_flow_otlp_tells_who_talks_to_whom(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_http();
	const struct otlp_span *s = only_span(o, &f);

	assert_attr_str(s, "source.address", "10.1.0.1");
	assert_attr_int(s, "source.port", 41234);
	assert_attr_str(s, "destination.address", "10.1.0.2");
	assert_attr_int(s, "destination.port", 80);
	assert_attr_str(s, "client.address", "10.1.0.1");
	assert_attr_int(s, "client.port", 41234);
	assert_attr_str(s, "server.address", "10.1.0.2");
	assert_attr_int(s, "server.port", 80);
	assert_attr_str(s, "flow.direction", "forward");
	assert_attr_str(s, "network.transport", "tcp");
	assert_attr_str(s, "network.type", "ipv4");
	assert_attr_str(s, "network.interface.name", "eth0");
	assert_attr_int(s, "flow.reverse.packets.total", 10);
	assert_attr_int(s, "flow.reverse.bytes.total", 14321);
	assert_attr_str(s, "flow.tcp.flags", "SYN,ACK,PSH");
	assert_attr_str(s, "flow.reverse.tcp.flags", "SYN,ACK,PSH,FIN");
	assert_null(attr(s, "flow.generation"));
	assert_null(attr(s, "flow.incomplete"));
	assert_null(attr(s, "flow.sampling.mode"));
	assert_int_equal(s->start_unix_ns, 1700000005 * S);
	assert_int_equal(s->end_unix_ns, 1700000005 * S + 3200000);
}

static void test_flow_otlp_does_not_guess_the_initiator(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_flow(IPPROTO_TCP, "10.1.0.2", 80, "10.1.0.1", 41234);
	const struct otlp_span *s;

	f.totals[0].flags = f.totals[1].flags = DATA;
	s = only_span(o, &f);
	assert_attr_str(s, "source.address", "10.1.0.2"); /* as first seen */
	assert_attr_str(s, "flow.direction", "unknown");
	assert_null(attr(s, "client.address"));
	assert_null(attr(s, "server.port"));
	assert_int_equal(s->kind, OTLP_SPAN_INTERNAL);
	assert_str(s->name, "tcp");
}

static void test_flow_otlp_synack_tells_the_initiator(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_flow(IPPROTO_TCP, "10.1.0.2", 443, "10.1.0.1", 41234);
	const struct otlp_span *s;

	f.totals[f.info.first_from].flags = SYNACK | DATA;
	f.info.first_hook = FLOW_TRANSMIT;
	s = only_span(o, &f);
	assert_attr_str(s, "client.address", "10.1.0.1");
	assert_attr_int(s, "flow.packets.total", 10);
	assert_int_equal(s->kind, OTLP_SPAN_SERVER);
	assert_str(s->name, "tcp https");
}

static void test_flow_otlp_kind_says_on_which_side_the_client_is(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_http();

	f.info.first_hook = FLOW_TRANSMIT;
	assert_int_equal(only_span(o, &f)->kind, OTLP_SPAN_CLIENT);
	f.info.first_hook = FLOW_RECEIVE;
	assert_int_equal(only_span(o, &f)->kind, OTLP_SPAN_SERVER);
}

static void test_flow_otlp_names_are_a_closed_set(void **state)
{
	static const struct {
		uint8_t proto;
		const char *source, *destination;
		uint16_t sport, dport;
		const char *name, *transport;
	} known[] = {
		{17, "10.0.0.1", "10.0.0.2", 40000, 53, "udp domain", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 53, 40000, "udp domain", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 53, 123, "udp", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 53, 5353, "udp domain", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 5353, 5353, "udp", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 40000, 50000, "udp", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 32768, 4789, "udp vxlan", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 4789, 50000, "udp vxlan", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 32767, 4789, "udp", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 40000, 51820, "udp", "udp"},
		{17, "10.0.0.1", "10.0.0.2", 51820, 53, "udp domain", "udp"},
		{1, "10.0.0.1", "10.0.0.2", 8, 0, "icmp echo", "icmp"},
		{1, "10.0.0.1", "10.0.0.2", 13, 14, "icmp", "icmp"},
		{1, "10.0.0.1", "10.0.0.2", 8 | FLOW_ICMP_ONEWAY, 0, "icmp", "icmp"},
		{58, "fe80::1", "fe80::2", 128, 129, "icmpv6 echo", "icmpv6"},
		{132, "10.0.0.1", "10.0.0.2", 80, 80, "sctp", "sctp"},
		{47, "10.0.0.1", "10.0.0.2", 0, 0, "gre", "gre"},
		{50, "10.0.0.1", "10.0.0.2", 0, 0, "esp", "esp"},
		{89, "10.0.0.1", "10.0.0.2", 0, 0, "ospf", "ospf"},
		{2, "10.0.0.1", "10.0.0.2", 0, 0, "igmp", "igmp"},
		{200, "10.0.0.1", "10.0.0.2", 0, 0, "ip", "other"},
		{1, "fe80::1", "fe80::2", 0, 0, "ip", "other"},
	};
	const struct otlp_span *s;
	struct flow f;
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		f = sample_flow(known[i].proto, known[i].source, known[i].sport,
				known[i].destination, known[i].dport);
		s = only_span(*state, &f);
		assert_str(s->name, known[i].name);
		assert_attr_str(s, "network.transport", known[i].transport);
	}
}

static void test_flow_otlp_tells_icmp_apart(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_flow(IPPROTO_ICMP, "10.0.0.9", 8, "10.0.0.2", 0);
	const struct otlp_span *s;

	f.totals[f.info.first_from].flags = FLOW_SAW_ECHO;
	s = only_span(o, &f);
	assert_attr_str(s, "flow.direction", "forward");
	assert_attr_str(s, "source.address", "10.0.0.9");
	assert_attr_int(s, "flow.icmp.type", 8);
	assert_null(attr(s, "flow.icmp.code"));
	assert_null(attr(s, "client.address"));

	f = sample_flow(IPPROTO_ICMP, "10.0.0.9", 3 | FLOW_ICMP_ONEWAY, "10.0.0.2", 1);
	s = only_span(o, &f);
	assert_attr_int(s, "source.port", 3);
	assert_attr_int(s, "destination.port", 1);
	assert_attr_int(s, "flow.icmp.type", 3);
	assert_attr_int(s, "flow.icmp.code", 1);

	f = sample_flow(IPPROTO_ICMP, "10.0.0.9", 0, "10.0.0.2", 0);
	f.totals[0].flags = FLOW_SAW_FRAGMENT;
	s = only_span(o, &f);
	assert_null(attr(s, "flow.icmp.type"));
	assert_str(s->name, "icmp");
}

static void test_flow_otlp_tells_sampling_generation_and_gaps(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_http();
	const struct otlp_span *s;

	f.info.threshold = 0xfd70a000000000;
	f.info.generation = 3;
	f.is_incomplete = true;
	s = only_span(o, &f);
	assert_str(s->trace_state, "ot=th:fd70a");
	assert_attr_str(s, "flow.sampling.mode", "flow");
	assert_attr_int(s, "flow.sampling.interval", 100);
	assert_attr_int(s, "flow.generation", 3);
	assert_true(attr(s, "flow.incomplete")->value.boolean);
}

static void test_flow_otlp_reports_only_real_failures(void **state)
{
	static const struct {
		uint32_t client, server;
		uint64_t server_pkts;
		enum flow_end_reason reason;
		uint64_t lasted_ns;
		const char *message;
	} known[] = {
		{SYN, FLOW_TCP_RST | FLOW_TCP_ACK, 1, FLOW_END_DETECTED, 0, "connection refused"},
		{SYN | FLOW_TCP_ACK | FLOW_TCP_RST, SYNACK, 1, FLOW_END_DETECTED, 0,
		 "reset before data"},
		{SYN | FLOW_TCP_ACK, SYNACK | FLOW_TCP_RST, 2, FLOW_END_DETECTED, 0,
		 "reset before data"},
		{SYN, 0, 0, FLOW_IDLE_TIMEOUT, 0, "SYN without answer"},
		{SYN, 0, 0, FLOW_END_DETECTED, 0, "SYN without answer"},
		{SYN, 0, 0, FLOW_FORCED_END, 2 * S, "SYN without answer"},
		{SYN, 0, 0, FLOW_FORCED_END, S / 2, NULL},
		{SYN, 0, 0, FLOW_ACTIVE_TIMEOUT, 70 * S, NULL},
		{SYN | DATA, 0, 0, FLOW_IDLE_TIMEOUT, 0, NULL}, /* answered on another way */
		{SYN | DATA | FLOW_TCP_RST, SYNACK | DATA, 2, FLOW_END_DETECTED, 0, NULL},
		{SYN | DATA | FLOW_TCP_RST, SYNACK, 2, FLOW_END_DETECTED, 0, NULL},
		{FLOW_TCP_RST, 0, 0, FLOW_END_DETECTED, 0, NULL}, /* its beginning was not seen */
		{SYN | DATA, SYNACK | DATA, 2, FLOW_IDLE_TIMEOUT, 0, NULL},
	};
	const struct otlp_span *s;
	struct flow f;
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		f = sample_http();
		f.totals[0].flags = known[i].client;
		f.totals[0].last_mono_ns = f.info.first_mono_ns + known[i].lasted_ns;
		f.totals[1].flags = known[i].server;
		f.totals[1].pkts = known[i].server_pkts;
		f.totals[1].last_mono_ns = 0;
		s = span_of(*state, &f, FLOW_REPORT_ROOT, known[i].reason);
		assert_int_equal(s->status,
				 known[i].message ? OTLP_STATUS_ERROR : OTLP_STATUS_UNSET);
		if (known[i].message)
			assert_str(s->status_message, known[i].message);
	}
}

static void test_flow_otlp_attributes_are_unique(void **state)
{
	struct flow f = sample_http();
	const struct otlp_span *s;
	size_t i, j;

	f.info.threshold = 1ULL << 55;
	f.info.generation = 1;
	f.is_incomplete = true;
	s = only_span(*state, &f);
	for (i = 0; i < s->attrs.len; i++) {
		for (j = 0; j < i; j++)
			assert_false(s->attrs.list[i].key.len == s->attrs.list[j].key.len &&
				     !memcmp(s->attrs.list[i].key.ptr, s->attrs.list[j].key.ptr,
					     s->attrs.list[i].key.len));
	}
	assert_int_equal(s->attrs.len, 25);
}

static void test_flow_otlp_never_ends_before_it_starts(void **state)
{
	struct flow f = sample_http();
	struct flow_report r = {.start_mono_ns = 7 * S, .end_mono_ns = 6 * S, .is_final = true};
	const struct otlp_span *s = flow_otlp_span(*state, &f, &r, "eth0");

	assert_int_equal(s->start_unix_ns, s->end_unix_ns);
}

/* ---- a line for a person ---- */

static void test_flow_otlp_line_says_it_all(void **state)
{
	struct flow f = sample_http();
	char line[256], cut[20];
	size_t len;

	setenv("TZ", "UTC", 1);
	tzset();
	len = flow_otlp_line(only_span(*state, &f), line, sizeof(line));
	assert_int_equal(len, strlen(line));
	assert_string_equal(line, "22:13:25.000 tcp http           10.1.0.1:41234 → 10.1.0.2:80"
				  "               12 pkts   1.2 kB ⇄     10 pkts  14.3 kB"
				  "     3.2 ms  end of flow detected");
	assert_int_equal(flow_otlp_line(only_span(*state, &f), cut, sizeof(cut)), 19);
	assert_memory_equal(cut, line, 19);
	assert_int_equal(cut[19], 0);
	assert_int_equal(flow_otlp_line(only_span(*state, &f), cut, 0), 0);
}

static void test_flow_otlp_line_brackets_ipv6_and_shows_errors(void **state)
{
	struct flow f = sample_flow(IPPROTO_TCP, "2001:db8::2", 41234, "2001:db8::1", 22);
	char line[256];

	f.totals[f.initiator].flags = SYN;
	f.totals[!f.initiator].flags = FLOW_TCP_RST;
	f.totals[!f.initiator].bytes = 5000000;
	flow_otlp_line(only_span(*state, &f), line, sizeof(line));
	assert_non_null(strstr(line, "tcp ssh "));
	assert_non_null(strstr(line, "[2001:db8::2]:41234 → [2001:db8::1]:22 "));
	assert_non_null(strstr(line, "  5.0 MB "));
	assert_non_null(strstr(line, "  ERROR connection refused"));
}

/* ---- the handshake ---- */

static const struct otlp_span *handshake_of(struct flow_otlp *o, struct flow *f,
					    enum flow_report_kind kind)
{
	struct flow_report r = {.kind = kind};

	return flow_otlp_handshake(o, f, &r, "eth0");
}

static void test_flow_otlp_handshake_is_a_child_of_the_root(void **state)
{
	struct flow_otlp *o = *state;
	struct flow f = sample_http();
	struct otlp_span root;
	const struct otlp_span *s;
	uint64_t first = f.info.first_mono_ns;

	flow_note_handshake(&f, 0, FLOW_TCP_SYN, first);
	flow_note_handshake(&f, 1, FLOW_TCP_SYN | FLOW_TCP_ACK, first + 3200000);
	flow_note_handshake(&f, 0, FLOW_TCP_ACK, first + 4000000);
	root = *only_span(o, &f);
	s = handshake_of(o, &f, FLOW_REPORT_ROOT);
	assert_non_null(s);
	assert_memory_equal(s->name.ptr, "tcp handshake", s->name.len);
	assert_memory_equal(s->trace_id, root.trace_id, 16);
	assert_true(s->has_parent);
	assert_memory_equal(s->parent_span_id, root.span_id, 8);
	assert_memory_not_equal(s->span_id, root.span_id, 8);
	assert_int_equal(s->start_unix_ns, root.start_unix_ns);
	assert_int_equal(s->end_unix_ns, root.start_unix_ns + 4000000);
	assert_true(attr(s, "flow.tcp.handshake.server.duration")->value.number == 0.0032);
	assert_true(attr(s, "flow.tcp.handshake.client.duration")->value.number == 0.0008);
	assert_memory_equal(attr(s, "flow.tcp.handshake.class")->value.string.ptr, "1ms", 4);
	assert_int_equal(attr(s, "source.port")->value.integer, 41234);
	assert_non_null(attr(s, "flow.community_id"));
	assert_null(attr(s, "flow.packets.total"));
	assert_int_equal(s->events_len, 1);
	assert_int_equal(s->events[0].time_unix_ns, root.start_unix_ns + 3200000);
	assert_null(handshake_of(o, &f, FLOW_REPORT_END));
}

/* Whatever order the records come in, and however often a segment is sent: the first of each. */
static void test_flow_otlp_handshake_class_is_its_power_of_ten(void **state)
{
	static const struct {
		uint64_t us;
		const char *name;
	} of[] = {
		{0, "0ms"},	 {999, "0ms"},	  {1000, "1ms"},     {9999, "1ms"},
		{10000, "10ms"}, {99999, "10ms"}, {100000, "100ms"}, {999999, "100ms"},
		{1000000, "1s"}, {9999999, "1s"}, {10000000, "1s"},  {60000000, "1s"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(of) / sizeof(*of); i++) {
		struct flow_handshake_times t = {.syn_mono_ns = 7 * S};

		t.ack_mono_ns = t.syn_mono_ns + of[i].us * 1000;
		t.synack_mono_ns = t.ack_mono_ns; /* whoever took the time */
		assert_string_equal(flow_handshake_class(&t), of[i].name);
		t.synack_mono_ns = t.syn_mono_ns;
		assert_string_equal(flow_handshake_class(&t), of[i].name);
	}
}

static void test_flow_otlp_handshake_is_of_first_segments(void **state)
{
	struct flow f = sample_http();
	struct flow_handshake_times t;
	uint64_t first = f.info.first_mono_ns;

	(void)state;
	flow_note_handshake(&f, 0, FLOW_TCP_ACK, first + 90 * S / 1000);
	flow_note_handshake(&f, 0, FLOW_TCP_ACK, first + 80 * S / 1000);
	flow_note_handshake(&f, 1, FLOW_TCP_SYN | FLOW_TCP_ACK, first + 70 * S / 1000);
	flow_note_handshake(&f, 1, FLOW_TCP_SYN | FLOW_TCP_ACK, first + 60 * S / 1000);
	flow_note_handshake(&f, 0, FLOW_TCP_SYN, first + 50 * S / 1000);
	assert_true(flow_handshake_times(&f, &t));
	flow_note_handshake(&f, 0, FLOW_TCP_SYN, first);
	flow_note_handshake(&f, 1, FLOW_TCP_ACK, first + 1); /* not the opener's */
	flow_note_handshake(&f, 0, FLOW_TCP_ACK | FLOW_TCP_FIN, first + 65 * S / 1000);
	assert_true(flow_handshake_times(&f, &t));
	assert_int_equal(t.syn_mono_ns, first);
	assert_int_equal(t.synack_mono_ns, first + 60 * S / 1000);
	assert_int_equal(t.ack_mono_ns, first + 80 * S / 1000);
}

static void test_flow_otlp_handshake_without_a_segment_is_none(void **state)
{
	static const uint8_t flags[] = {FLOW_TCP_SYN, FLOW_TCP_SYN | FLOW_TCP_ACK, FLOW_TCP_ACK};
	struct flow_handshake_times t;
	unsigned missing, i;
	struct flow f;

	(void)state;
	for (missing = 0; missing < 3; missing++) {
		f = sample_http();
		for (i = 0; i < 3; i++)
			if (i != missing)
				flow_note_handshake(&f, i == 1, flags[i],
						    f.info.first_mono_ns + i * 1000);
		assert_false(flow_handshake_times(&f, &t));
	}
	/* both opened: whose share would be whose? */
	f = sample_http();
	for (i = 0; i < 3; i++)
		flow_note_handshake(&f, i == 1, flags[i], f.info.first_mono_ns + i * 1000);
	assert_true(flow_handshake_times(&f, &t));
	f.totals[0].flags |= FLOW_SAW_SYN;
	f.totals[1].flags |= FLOW_SAW_SYN;
	assert_false(flow_handshake_times(&f, &t));
	/* an answer from before the question: of another connection */
	f = sample_http();
	for (i = 0; i < 3; i++)
		flow_note_handshake(&f, i == 1, flags[i], f.info.first_mono_ns + (3 - i) * 1000);
	assert_false(flow_handshake_times(&f, &t));
	/* later than a minute after the first packet */
	f = sample_http();
	for (i = 0; i < 3; i++)
		flow_note_handshake(&f, i == 1, flags[i], f.info.first_mono_ns + i * 40 * S);
	assert_false(flow_handshake_times(&f, &t));
	/* a packet of before the flow, and another protocol */
	f = sample_http();
	flow_note_handshake(&f, 0, FLOW_TCP_SYN, f.info.first_mono_ns - 1);
	assert_int_equal(f.handshake.syn, 0);
	f.key.proto = IPPROTO_UDP;
	flow_note_handshake(&f, 0, FLOW_TCP_SYN, f.info.first_mono_ns);
	assert_int_equal(f.handshake.syn, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_otlp_trace_id_is_one_on_all_hosts),
		cmocka_unit_test(test_flow_otlp_root_has_no_parent_and_children_have_it),
		cmocka_unit_test(test_flow_otlp_trace_outlives_a_late_syn),
		cmocka_unit_test(test_flow_otlp_cuts_a_trace_and_links_back),
		cmocka_unit_test(test_flow_otlp_span_ids_differ),
		cmocka_unit_test(test_flow_otlp_tells_who_talks_to_whom),
		cmocka_unit_test(test_flow_otlp_does_not_guess_the_initiator),
		cmocka_unit_test(test_flow_otlp_synack_tells_the_initiator),
		cmocka_unit_test(test_flow_otlp_kind_says_on_which_side_the_client_is),
		cmocka_unit_test(test_flow_otlp_names_are_a_closed_set),
		cmocka_unit_test(test_flow_otlp_tells_icmp_apart),
		cmocka_unit_test(test_flow_otlp_tells_sampling_generation_and_gaps),
		cmocka_unit_test(test_flow_otlp_reports_only_real_failures),
		cmocka_unit_test(test_flow_otlp_attributes_are_unique),
		cmocka_unit_test(test_flow_otlp_never_ends_before_it_starts),
		cmocka_unit_test(test_flow_otlp_line_says_it_all),
		cmocka_unit_test(test_flow_otlp_line_brackets_ipv6_and_shows_errors),
		cmocka_unit_test(test_flow_otlp_handshake_class_is_its_power_of_ten),
		cmocka_unit_test(test_flow_otlp_handshake_is_a_child_of_the_root),
		cmocka_unit_test(test_flow_otlp_handshake_is_of_first_segments),
		cmocka_unit_test(test_flow_otlp_handshake_without_a_segment_is_none),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
