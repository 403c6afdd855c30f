/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bench/typical_flows.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define S 1000000000ULL
#define MS 1000000ULL
#define OPENED (FLOW_TCP_SYN | FLOW_SAW_SYN | FLOW_SAW_ISN)
#define ACCEPTED (FLOW_TCP_SYN | FLOW_SAW_SYNACK | FLOW_SAW_ISN)
#define TALKED (FLOW_TCP_ACK | FLOW_TCP_PSH | FLOW_SAW_DATA)
#define R_ALL (1ULL << 56)

static const struct typical {
	const char *name;
	const char *addr[2];
	uint16_t port; /* of endpoint 1 */
	uint8_t proto;
	struct flow_counts counts[2];
	uint64_t lasts_ns;
} typical[TYPICAL_MAX] = {
	[TYPICAL_DNS] = {"UDP DNS",
			 {"10.20.30.40", "192.168.100.53"},
			 53,
			 IPPROTO_UDP,
			 {{1, 84}, {1, 132}},
			 12 * MS},
	[TYPICAL_HTTP] = {"TCP HTTP, short",
			  {"10.20.30.40", "203.0.113.80"},
			  80,
			  IPPROTO_TCP,
			  {{12, 1234}, {10, 14321}},
			  320 * MS},
	[TYPICAL_HTTPS6] = {"TCP HTTPS over IPv6",
			    {"2001:db8:1200:3400::15", "2001:db8:5600:7800:9abc:def0:1234:5678"},
			    443,
			    IPPROTO_TCP,
			    {{25, 4321}, {31, 40123}},
			    2 * S},
	[TYPICAL_ECHO] = {"ICMP echo",
			  {"10.20.30.40", "203.0.113.80"},
			  0,
			  IPPROTO_ICMP,
			  {{4, 392}, {4, 392}},
			  3 * S},
	[TYPICAL_INTERVAL] = {"TCP interval",
			      {"10.20.30.40", "203.0.113.80"},
			      443,
			      IPPROTO_TCP,
			      {{50123, 3400123}, {91234, 131234567}},
			      60 * S},
	[TYPICAL_END] = {"TCP end",
			 {"10.20.30.40", "203.0.113.80"},
			 443,
			 IPPROTO_TCP,
			 {{150123, 10400123}, {291234, 431234567}},
			 200 * S},
	[TYPICAL_ALL] = {"TCP with everything",
			 {"2001:db8:1200:3400::15", "2001:db8:5600:7800:9abc:def0:1234:5678"},
			 443,
			 IPPROTO_TCP,
			 {{150123, 10400123}, {291234, 431234567}},
			 50 * S},
};

static void set_tuple(struct flow *f, const struct typical *t, unsigned i)
{
	f->key.proto = t->proto;
	f->key.family = strchr(t->addr[0], ':') ? 6 : 4;
	inet_pton(f->key.family == 4 ? AF_INET : AF_INET6, t->addr[0], f->key.addr[0]);
	inet_pton(f->key.family == 4 ? AF_INET : AF_INET6, t->addr[1], f->key.addr[1]);
	f->key.port[0] = htons(40000 + i % 20000);
	f->key.port[1] = htons(t->port);
	if (t->proto == IPPROTO_ICMP) {
		f->key.port[0] = htons(8);
		f->key.port[1] = 0;
	}
	f->hash = (i + 1) * 0x9E3779B97F4A7C15;
}

static void set_tcp(struct typical_flow *t, unsigned i)
{
	struct flow *f = &t->flow;

	f->totals[0].flags = OPENED | TALKED | FLOW_TCP_FIN;
	f->totals[1].flags = ACCEPTED | TALKED | FLOW_TCP_FIN;
	f->totals[0].isn = 0x12345678 + i;
	f->totals[1].isn = 0x9abcdef0 + i;
	t->detail[0].tcp.srtt_us = 21234 + i % 1000;
	t->detail[1].tcp.srtt_us = 43 + i % 10;
	t->report.detail = t->detail;
}

static void set_continued(struct typical_flow *t, enum typical_kind kind)
{
	struct flow *f = &t->flow;

	f->tag = 0x1122334455667788;
	f->reports = 3;
	f->report_mono_ns = f->info.first_mono_ns + 180 * S;
	f->reported[0] = (struct flow_counts){100000, 7000000};
	f->reported[1] = (struct flow_counts){200000, 300000000};
	if (kind == TYPICAL_END) {
		t->report.kind = FLOW_REPORT_END;
		return;
	}
	t->report.kind = FLOW_REPORT_INTERVAL;
	t->report.reason = FLOW_ACTIVE_TIMEOUT;
	t->report.is_final = false;
	t->report.start_mono_ns = f->report_mono_ns;
	t->report.end_mono_ns = f->report_mono_ns + 60 * S;
	f->totals[0].pkts += f->reported[0].pkts;
	f->totals[0].bytes += f->reported[0].bytes;
	f->totals[1].pkts += f->reported[1].pkts;
	f->totals[1].bytes += f->reported[1].bytes;
}

/* Whatever a TCP connection may have beside. */
static void set_all(struct typical_flow *t)
{
	static const uint8_t kinds[TYPICAL_NOTES] = {FLOW_NOTE_RETRANSMISSION,
						     FLOW_NOTE_OUT_OF_ORDER, FLOW_NOTE_ZERO_WINDOW,
						     FLOW_NOTE_LINK};
	unsigned i;

	for (i = 0; i < 2; i++) {
		t->detail[i].tcp.retransmits = 17 + i;
		t->detail[i].tcp.out_of_order = 3 + i;
		t->detail[i].tcp.zero_windows = 1 + i;
		t->flow.totals[i].flags |= FLOW_SAW_ECT | FLOW_SAW_CE;
	}
	t->flow.info.generation = 2;
	t->report.notes = t->notes;
	t->report.notes_len = TYPICAL_NOTES;
	for (i = 0; i < TYPICAL_NOTES; i++)
		t->notes[i] = (struct flow_note){.mono_ns = t->report.start_mono_ns + i * S,
						 .kind = kinds[i],
						 .from = i & 1,
						 .count = i + 1};
	memset(t->notes[3].context.trace_id, 0xa5, sizeof(t->notes[3].context.trace_id));
	memset(t->notes[3].context.span_id, 0x5a, sizeof(t->notes[3].context.span_id));
}

void typical_flow(struct typical_flow *ret, enum typical_kind kind, unsigned i, unsigned interval)
{
	const struct typical *t = &typical[kind];
	struct flow *f = &ret->flow;
	unsigned d;

	memset(ret, 0, sizeof(*ret));
	ret->name = t->name;
	set_tuple(f, t, i);
	f->clock_offset_ns = 1700000000 * S;
	f->info.first_mono_ns = 5 * S + i * MS;
	/* rounded as --sample does it: a trace state of five digits */
	f->info.threshold = interval > 1 ? (R_ALL - R_ALL / interval) >> 36 << 36 : 0;
	f->initiator_known = t->proto != IPPROTO_UDP;
	f->handshake.synack = 1 + 750000; /* 12 ms */
	ret->report = (struct flow_report){.kind = FLOW_REPORT_ROOT,
					   .reason = t->proto == IPPROTO_TCP ? FLOW_END_DETECTED
									     : FLOW_IDLE_TIMEOUT,
					   .is_final = true,
					   .start_mono_ns = f->info.first_mono_ns,
					   .end_mono_ns = f->info.first_mono_ns + t->lasts_ns};
	for (d = 0; d < 2; d++)
		f->totals[d] = (struct flow_totals){.pkts = t->counts[d].pkts,
						    .bytes = t->counts[d].bytes + i % 16,
						    .last_mono_ns = ret->report.end_mono_ns};
	if (t->proto == IPPROTO_ICMP)
		f->totals[0].flags = FLOW_SAW_ECHO;
	if (t->proto == IPPROTO_TCP)
		set_tcp(ret, i);
	if (kind == TYPICAL_HTTP || kind == TYPICAL_ALL) {
		f->handshake.syn = 1;
		f->handshake.ack = f->handshake.synack + 10000;
	}
	if (kind == TYPICAL_INTERVAL || kind == TYPICAL_END)
		set_continued(ret, kind);
	if (kind == TYPICAL_ALL)
		set_all(ret);
}
