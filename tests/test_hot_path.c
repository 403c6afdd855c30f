/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way of a record as a worker goes it: flow table, spans, outbox, exporter, a real socket.
 * After a warm-up no memory is asked for on it, but for a fixed number of small pieces a request.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "bench/discard.h"
#include "tests/alloc_count.h"
#include "user/flow_otlp.h"
#include "user/flow_table.h"
#include "user/outbox.h"

#define S 1000000000ULL
#define FLOWS 600 /* that begin and end in a round; a multiple of 3 */
#define LASTING 30 /* that go on through all rounds */
#define LASTING_PORT 40001
#define ROUND_NS (70 * S)
#define ITEM_BYTES 1024
#define WARM_UP 2 /* rounds */
#define ROUNDS 10
/* The body's owner, its place in the queue; the sender: the head of the request. */
#define PER_REQUEST_WORKER 2
#define PER_REQUEST_SENDER 1

static struct {
	pid_t pid;
	uint16_t port;
} receiver;

struct path {
	struct flow_table *table;
	struct flow_otlp *otlp;
	struct otlp_encoder *encoder;
	struct otlp_exporter *exporter;
	struct outbox *outbox;
	uint64_t now_ns;
	uint64_t spans, handshakes, intervals;
};

static bool is_lasting(const struct flow_key *key)
{
	return key->port[0] == htons(LASTING_PORT);
}

static int get_state(void *ctx, const struct flow_key *key, struct flow_state *ret)
{
	struct path *p = ctx;
	uint64_t begin_ns = p->now_ns / ROUND_NS * ROUND_NS;
	int side;

	memset(ret, 0, sizeof(*ret));
	ret->info.first_mono_ns = is_lasting(key) ? ROUND_NS : begin_ns;
	for (side = 0; side < 2; side++) {
		struct flow_dir *d = &ret->dir[side];

		d->totals = (struct flow_totals){.pkts = 20, .last_mono_ns = begin_ns + S};
		if (is_lasting(key))
			d->totals.pkts = d->totals.last_mono_ns = p->now_ns;
		d->totals.bytes = d->totals.pkts * 100;
		if (key->proto != IPPROTO_TCP)
			continue;
		d->totals.flags = FLOW_TCP_ACK | FLOW_SAW_DATA;
		d->totals.flags |= is_lasting(key) ? 0 : FLOW_TCP_FIN;
		d->detail.tcp = (struct flow_tcp){.srtt_us = 1000, .retransmits = 1};
	}
	return 0;
}

static void on_report(void *ctx, struct flow *f, const struct flow_report *r)
{
	struct path *p = ctx;
	const struct otlp_span *span = flow_otlp_span(p->otlp, f, r, "eth0");

	assert_int_equal(outbox_add_span(p->outbox, span, p->now_ns), 0);
	p->spans++;
	p->intervals += r->kind == FLOW_REPORT_INTERVAL;
	span = flow_otlp_handshake(p->otlp, f, r, "eth0");
	if (!span)
		return;
	assert_int_equal(outbox_add_span(p->outbox, span, p->now_ns), 0);
	p->spans++;
	p->handshakes++;
}

static void setup_path(struct path *p, size_t batch)
{
	const struct otlp_source source = {.scope_name = OTLP_STR("test")};
	const struct flow_otlp_opts spans = {.active_timeout_ns = 60 * S};
	struct flow_table_opts table = {.max_flows = 2 * FLOWS,
					.active_timeout_ns = 60 * S,
					.idle_timeout_ns = 15 * S,
					.tcp_idle_timeout_ns = 30 * S,
					.linger_ns = 2 * S};
	struct flow_table_ops ops = {get_state, get_state, on_report, p};
	char url[64];
	struct otlp_destination to = {.target[OTLP_TRACES] = {.url = url}};
	struct otlp_exporter_opts exporter = {.destinations = &to, .destinations_len = 1};
	struct outbox_opts outbox = {
		.signal = OTLP_TRACES, .max_items = batch, .max_bytes = batch * ITEM_BYTES};

	memset(p, 0, sizeof(*p));
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1/traces", receiver.port);
	assert_int_equal(otlp_encoder_create(&p->encoder, &source), 0);
	assert_int_equal(otlp_exporter_create(&p->exporter, &exporter, NULL), 0);
	outbox.encoder = p->encoder;
	outbox.exporter = p->exporter;
	assert_int_equal(outbox_create(&p->outbox, &outbox), 0);
	assert_int_equal(flow_otlp_create(&p->otlp, &spans), 0);
	assert_int_equal(flow_table_create(&p->table, &table, &ops), 0);
}

static void teardown_path(struct path *p)
{
	flow_table_destroy(p->table);
	flow_otlp_destroy(p->otlp);
	outbox_destroy(p->outbox);
	otlp_exporter_destroy(p->exporter);
	otlp_encoder_destroy(p->encoder);
}

/* TCP over IPv4, TCP over IPv6 and UDP in turn. */
static struct flow_record record_of(struct path *p, uint32_t flow, uint8_t from, uint8_t tcp_flags,
				    uint32_t seen)
{
	struct flow_record r = {.version = FLOW_ABI_VERSION,
				.from = from,
				.tcp_flags = tcp_flags,
				.mono_ns = p->now_ns};
	uint32_t address = htonl(flow + 1);

	r.key.proto = flow % 3 == 2 ? IPPROTO_UDP : IPPROTO_TCP;
	r.key.family = flow % 3 == 1 ? 6 : 4;
	memcpy(r.key.addr[0], &address, sizeof(address));
	r.key.addr[1][0] = 240;
	r.key.port[0] = htons(40000);
	r.key.port[1] = htons(443);
	r.hash = (flow + 1) * 0x9E3779B97F4A7C15;
	r.info.first_mono_ns = p->now_ns / ROUND_NS * ROUND_NS;
	r.totals[from] = (struct flow_totals){.pkts = 1,
					      .bytes = 100,
					      .last_mono_ns = p->now_ns,
					      .isn = 7,
					      .flags = r.key.proto == IPPROTO_TCP ? seen : 0};
	return r;
}

static void add(struct path *p, struct flow_record r)
{
	const struct flow_record *list[] = {&r};

	if (r.key.proto != IPPROTO_TCP)
		r.tcp_flags = r.event = 0;
	flow_table_add(p->table, list, 1, 0);
	p->now_ns += 1000;
}

static void add_connection(struct path *p, uint32_t flow)
{
	struct flow_record r;

	add(p, record_of(p, flow, 0, FLOW_TCP_SYN, FLOW_TCP_SYN | FLOW_SAW_SYN | FLOW_SAW_ISN));
	add(p, record_of(p, flow, 1, FLOW_TCP_SYN | FLOW_TCP_ACK,
			 FLOW_TCP_SYN | FLOW_TCP_ACK | FLOW_SAW_SYNACK | FLOW_SAW_ISN));
	add(p, record_of(p, flow, 0, FLOW_TCP_ACK, FLOW_TCP_ACK));
	r = record_of(p, flow, 1, FLOW_TCP_ACK, FLOW_TCP_ACK | FLOW_SAW_DATA);
	r.event = FLOW_EVENT_RETRANSMISSION;
	r.event_count = 1;
	add(p, r);
	add(p, record_of(p, flow, 0, FLOW_TCP_FIN, FLOW_TCP_ACK | FLOW_TCP_FIN));
	add(p, record_of(p, flow, 1, FLOW_TCP_FIN, FLOW_TCP_ACK | FLOW_TCP_FIN));
}

static void add_lasting(struct path *p, uint32_t flow)
{
	struct flow_record r = record_of(p, flow, 0, FLOW_TCP_ACK, FLOW_TCP_ACK);

	r.key.port[0] = htons(LASTING_PORT);
	r.info.first_mono_ns = ROUND_NS;
	r.totals[0].pkts = p->now_ns;
	add(p, r);
}

/* Till everything has left, so that a round finds what the last one used. */
static uint64_t wait_sent(struct path *p)
{
	struct timespec now, end;
	struct otlp_signal_stats s;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 20;
	for (;;) {
		otlp_exporter_stats(p->exporter, 0, OTLP_TRACES, &s);
		if (!s.queued)
			break;
		clock_gettime(CLOCK_MONOTONIC, &now);
		assert_true(now.tv_sec < end.tv_sec);
		sched_yield();
	}
	assert_int_equal(s.exported, s.submitted);
	return s.requests;
}

static void run_round(struct path *p)
{
	uint64_t begin = p->now_ns / ROUND_NS * ROUND_NS + ROUND_NS, at;
	uint32_t i;

	p->now_ns = begin;
	for (i = 0; i < FLOWS; i++) {
		add_connection(p, i);
		wait_sent(p);
	}
	for (at = S; at < ROUND_NS; at += S) {
		p->now_ns = begin + at;
		for (i = 0; i < LASTING; i++)
			add_lasting(p, 3 * i);
		while (flow_table_advance(p->table, p->now_ns, 16) == 16)
			wait_sent(p);
	}
	wait_sent(p);
}

/* As many buffers as are ever in use at once, whatever the threads' order: one that fills, one that
 * is being sent. */
static void send_buffers(struct path *p, size_t size)
{
	const struct otlp_span span = {.trace_id = {1}, .span_id = {1}, .name = OTLP_STR("x")};
	uint8_t *data[3];
	size_t i;

	for (i = 0; i < 3; i++)
		assert_non_null(data[i] = otlp_exporter_buffer(p->exporter, size));
	for (i = 0; i < 3; i++) {
		struct otlp_batch b;

		assert_int_equal(otlp_batch_begin(&b, p->encoder, OTLP_TRACES, data[i], size), 0);
		assert_int_equal(otlp_batch_add_span(&b, &span), 0);
		assert_int_equal(otlp_exporter_submit(p->exporter, OTLP_TRACES, data[i],
						      otlp_batch_end(&b), 1),
				 0);
	}
	wait_sent(p);
}

/* Whatever the size of the requests: what a span needed would show as another number of each. */
static void check_path(size_t batch)
{
	struct alloc_count before, after;
	uint64_t requests, spans;
	struct path p;
	int i;

	setup_path(&p, batch);
	before = alloc_count();
	send_buffers(&p, batch * ITEM_BYTES);
	for (i = 0; i < WARM_UP; i++)
		run_round(&p);
	after = alloc_count();
	assert_true(after.all > before.all); /* it does count */
	requests = wait_sent(&p);
	spans = p.spans;
	before = alloc_count();
	for (i = 0; i < ROUNDS; i++)
		run_round(&p);
	after = alloc_count();
	requests = wait_sent(&p) - requests;
	spans = p.spans - spans;
	print_message("%llu spans in %llu requests: %zu allocations by the worker, %zu in all\n",
		      (unsigned long long)spans, (unsigned long long)requests,
		      after.own - before.own, after.all - before.all);
	assert_true(spans >= (FLOWS + LASTING) * ROUNDS && requests >= spans / batch - 1);
	assert_true(p.handshakes >= FLOWS / 2 * ROUNDS);
	assert_true(p.intervals >= LASTING * ROUNDS / 2);
	assert_int_equal(after.own - before.own, PER_REQUEST_WORKER * requests);
	assert_int_equal(after.all - before.all,
			 (PER_REQUEST_WORKER + PER_REQUEST_SENDER) * requests);
	teardown_path(&p);
}

static void test_hot_path_asks_for_no_memory_per_span(void **state)
{
	(void)state;
	check_path(128);
	check_path(512);
}

/* Before there are threads: it is a fork, and has threads of its own. */
static int start_receiver(void **state)
{
	(void)state;
	receiver.port = discard_start(&receiver.pid);
	return 0;
}

static int stop_receiver(void **state)
{
	(void)state;
	discard_stop(receiver.pid);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hot_path_asks_for_no_memory_per_span),
	};

	return cmocka_run_group_tests_name("hot path", tests, start_receiver, stop_receiver);
}
