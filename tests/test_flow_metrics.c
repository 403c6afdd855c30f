/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "user/flow_otlp.h"

/* ---- metrics as lines, one a point: "name unit type{key=value,…} value" ---- */

struct dump {
	char text[131072];
	size_t len;
	int fail_after; /* emit fails at this metric, 0: never */
	int metrics;
};

/* The n-th allocation from here on fails; 0: none. */
static unsigned fail_at;
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	if (fail_at && !--fail_at)
		return NULL;
	return __real_calloc(n, size);
}

__attribute__((format(printf, 2, 3))) static void say(struct dump *d, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	d->len += vsnprintf(d->text + d->len, sizeof(d->text) - d->len, fmt, args);
	va_end(args);
	assert_true(d->len < sizeof(d->text));
}

static void say_value(struct dump *d, const struct otlp_metric *m, const struct otlp_point *p)
{
	const struct otlp_exp_histogram *h = &p->histogram;
	uint64_t count = 0;
	size_t i;

	if (m->type != OTLP_EXP_HISTOGRAM) {
		if (p->is_double)
			say(d, "%g", p->number);
		else
			say(d, "%lld", (long long)p->integer);
		return;
	}
	say(d, "scale %d count %llu sum %g offset %d buckets", h->scale,
	    (unsigned long long)h->count, h->sum, h->offset);
	for (i = 0; i < h->buckets_len; i++) {
		say(d, " %llu", (unsigned long long)h->buckets[i]);
		count += h->buckets[i];
	}
	assert_int_equal(count + h->zero_count, h->count);
	assert_true(h->buckets[0] && h->buckets[h->buckets_len - 1]);
}

static void say_attr(struct dump *d, const struct otlp_attr *a, const char *before)
{
	say(d, "%s%.*s=", before, (int)a->key.len, a->key.ptr);
	if (a->type == OTLP_INT)
		say(d, "%lld", (long long)a->value.integer);
	else
		say(d, "%.*s", (int)a->value.string.len, a->value.string.ptr);
}

static int dump_metric(void *ctx, const struct otlp_metric *m)
{
	static const char *const types[] = {"gauge", "sum", "histogram"};
	const struct otlp_exemplar *x;
	struct dump *d = ctx;
	size_t i, k;

	assert_true(m->points_len > 0);
	assert_true(m->description.len > 0);
	assert_false(m->is_monotonic && m->type != OTLP_SUM);
	for (i = 0; i < m->points_len; i++) {
		const struct otlp_point *p = &m->points[i];

		assert_int_equal(p->time_unix_ns, 2000);
		assert_int_equal(p->start_unix_ns, m->type == OTLP_GAUGE ? 0 : 1000);
		say(d, "%.*s %.*s %s{", (int)m->name.len, m->name.ptr, (int)m->unit.len,
		    m->unit.ptr,
		    m->type == OTLP_SUM && !m->is_monotonic ? "updown" : types[m->type]);
		for (k = 0; k < p->attrs.len; k++)
			say_attr(d, &p->attrs.list[k], k ? "," : "");
		say(d, "} ");
		say_value(d, m, p);
		assert_true(p->exemplars_len <= 1);
		x = p->exemplars_len ? p->exemplars : NULL;
		if (x) {
			assert_true(x->has_trace && !x->is_double);
			say(d, " exemplar %lld at %llu of %02x-%02x", (long long)x->integer,
			    (unsigned long long)x->time_unix_ns, x->trace_id[0], x->span_id[0]);
		}
		say(d, "\n");
	}
	return ++d->metrics == d->fail_after ? -ENOSPC : 0;
}

/* ---- a snapshot ---- */

struct world {
	struct flow_otlp *o;
	struct flow_counter counters[2 * FLOW_COUNTERS_PER_IF];
	struct flow_counter previous[2 * FLOW_COUNTERS_PER_IF];
	const char *names[2];
	struct exemplar exemplars[2 * FLOW_COUNTERS_PER_IF];
	struct ledger ledger;
	struct flow_otlp_snapshot snapshot;
	struct dump dump;
};

static struct world world;

static int setup(void **state)
{
	struct flow_otlp_opts opts = {.active_timeout_ns = 1};
	struct world *w = &world;

	memset(w, 0, sizeof(*w));
	w->names[0] = "eth0";
	w->names[1] = "wg0";
	w->snapshot = (struct flow_otlp_snapshot){
		.start_unix_ns = 1000,
		.time_unix_ns = 2000,
		.interfaces = 2,
		.if_names = w->names,
		.counters = w->counters,
		.ledger = &w->ledger,
		.sample_n = 100,
		.cpu_seconds = 1.5,
		.rss_bytes = 4096,
		.ring_pressure = 0.25,
	};
	*state = w;
	return flow_otlp_create(&w->o, &opts);
}

static int teardown(void **state)
{
	flow_otlp_destroy(((struct world *)*state)->o);
	return 0;
}

/* One packet of @bytes, as the kernel counts it. */
static void count(struct flow_counter *counters, unsigned if_slot, unsigned hook, unsigned net,
		  unsigned transport, uint32_t bytes)
{
	struct flow_counter *c = &counters[flow_counter_index(if_slot, hook, net, transport)];
	unsigned slot = 0;

	while (slot < FLOW_SIZE_SLOTS - 1 && (1u << slot) < bytes)
		slot++;
	c->size[slot]++;
	c->bytes += bytes;
}

static void has_destination(struct world *w, unsigned d, const char *address, uint16_t port)
{
	unsigned s;

	for (s = 0; s < OTLP_SIGNAL_MAX; s++)
		w->ledger.target[d][s] = (struct otlp_target_info){"http://x", address, port, 9000};
	w->ledger.destinations_len = d + 1;
	w->ledger.has_logs = true;
}

static const char *dump(struct world *w)
{
	w->dump.len = 0;
	assert_int_equal(flow_otlp_metrics(w->o, &w->snapshot, dump_metric, &w->dump), 0);
	return w->dump.text;
}

static void assert_has(struct world *w, const char *line)
{
	if (!strstr(w->dump.text, line))
		fail_msg("no \"%s\" in:\n%s", line, w->dump.text);
}

static void test_flow_metrics_counts_each_class_seen(void **state)
{
	struct world *w = *state;

	count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 1514);
	count(w->counters, 0, FLOW_TRANSMIT, FLOW_NET_OTHER, FLOW_TRANSPORT_OTHER, 42);
	count(w->counters, 1, FLOW_TRANSMIT, FLOW_NET_IPV6, FLOW_TRANSPORT_SCTP, 100);
	count(w->counters, 1, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_ICMPV6, 90);
	dump(w);
	assert_has(w,
		   "xdp.packets.total {packet} sum{network.interface.name=eth0,"
		   "network.io.direction=receive,network.type=ipv4,network.transport=tcp} 2\n"
		   "xdp.packets.total {packet} sum{network.interface.name=eth0,"
		   "network.io.direction=transmit,network.type=other,network.transport=other} 1\n"
		   "xdp.packets.total {packet} sum{network.interface.name=wg0,"
		   "network.io.direction=receive,network.type=ipv6,network.transport=icmpv6} 1\n"
		   "xdp.packets.total {packet} sum{network.interface.name=wg0,"
		   "network.io.direction=transmit,network.type=ipv6,network.transport=sctp} 1\n"
		   "xdp.bytes.total By sum{network.interface.name=eth0,"
		   "network.io.direction=receive,network.type=ipv4,network.transport=tcp} 1574\n");
	assert_null(strstr(w->dump.text, "xdp.packets.rate"));
}

static void test_flow_metrics_holds_every_class_at_once(void **state)
{
	struct world *w = *state;
	unsigned i, points = 0;
	const char *p;

	for (i = 0; i < 2 * FLOW_COUNTERS_PER_IF; i++)
		w->counters[i].size[7] = 1;
	dump(w);
	for (p = w->dump.text; (p = strstr(p, "xdp.packets.total ")); p++)
		points++;
	assert_int_equal(points, 2 * FLOW_COUNTERS_PER_IF);
}

static void test_flow_metrics_rate_is_over_the_last_interval(void **state)
{
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < 30; i++)
		count(i < 10 ? w->previous : w->counters, 1, FLOW_TRANSMIT, FLOW_NET_IPV4,
		      i % FLOW_TRANSPORT_MAX, 60);
	for (i = 0; i < 10; i++)
		count(w->counters, 1, FLOW_TRANSMIT, FLOW_NET_IPV4, 0, 60);
	w->snapshot.previous = w->previous;
	w->snapshot.elapsed_ns = 8000000000;
	dump(w);
	assert_has(w, "xdp.packets.rate {packet}/s gauge{network.interface.name=wg0,"
		      "network.io.direction=transmit} 2.5\n");
	assert_has(w, "xdp.packets.rate {packet}/s gauge{network.interface.name=eth0,"
		      "network.io.direction=receive} 0\n");
}

static void test_flow_metrics_size_falls_into_the_bucket_of_the_specification(void **state)
{
	static const struct {
		uint32_t bytes;
		int bucket;
	} known[] = {{1, -1}, {2, 0},  {3, 1},	   {4, 1},     {5, 2},
		     {64, 5}, {65, 6}, {1500, 10}, {9000, 13}, {65536, 15}};
	char line[128];
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		memset(world.counters, 0, sizeof(world.counters));
		count(world.counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, 0, known[i].bytes);
		dump(*state);
		snprintf(line, sizeof(line),
			 "direction=receive} scale 0 count 1 sum %u offset %d buckets 1\n",
			 known[i].bytes, known[i].bucket);
		assert_has(*state, line);
	}
}

static void test_flow_metrics_size_has_a_histogram_for_each_direction(void **state)
{
	struct world *w = *state;

	count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, 1500);
	count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, 1400);
	count(w->counters, 1, FLOW_TRANSMIT, FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, 300);
	dump(w);
	assert_has(w,
		   "xdp.packet.size By histogram{network.interface.name=eth0,"
		   "network.io.direction=receive} scale 0 count 3 sum 2960 offset 5 buckets "
		   "1 0 0 0 0 2\n"
		   "xdp.packet.size By histogram{network.interface.name=wg0,"
		   "network.io.direction=transmit} scale 0 count 1 sum 300 offset 8 buckets 1\n");
}

static void test_flow_metrics_names_all_losses_even_when_there_are_none(void **state)
{
	static const char *const reasons[] = {
		"flow_state,reason=map_full",	     "flow_state,reason=no_memory",
		"flow_state,reason=busy",	     "flow_state,reason=other",
		"kept_packets,reason=no_record",     "generations,reason=ring_full",
		"records,reason=ring_full",	     "records,reason=strangers",
		"spans,reason=unencodable",	     "spans,reason=unsent",
		"spans_otlp,reason=rejected",	     "spans_otlp,reason=queue_full",
		"spans_otlp,reason=refused",	     "spans_otlp,reason=retry_budget",
		"spans_otlp,reason=shutdown",	     "metric_points,reason=shutdown",
		"spans_otlp,reason=damaged",	     "log_records,reason=too_large",
		"metrics,reason=unencodable",	     "logs,reason=unsent",
	};
	struct world *w = *state;
	char line[128];
	size_t i;

	has_destination(w, 0, "a", 1);
	dump(w);
	for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		snprintf(line, sizeof(line), "ringspan.losses {item} sum{stage=%s} 0\n",
			 reasons[i]);
		assert_has(w, line);
	}
}

static void test_flow_metrics_tells_the_ledger(void **state)
{
	struct world *w = *state;
	struct ledger *l = &w->ledger;

	l->pkts_seen = 10;
	l->pkts_kept = 5;
	l->pkts_not_kept = 3;
	l->pkts_no_flow = 2;
	l->records_submitted = 9;
	l->records_held = 1;
	l->records_lost = 4;
	l->kern.stat[FLOW_STAT_STATE_FULL] = 6;
	l->flows_begun = 8;
	l->flows_held = 7;
	l->spans_made = 11;
	l->signal[0][OTLP_TRACES].exported = 12;
	l->signal[0][OTLP_METRICS].dropped[OTLP_DROP_REFUSED] = 13;
	l->signal[0][OTLP_LOGS].queued = 14;
	l->connects = 16;
	l->signal[0][OTLP_TRACES].retries = 17;
	l->signal[0][OTLP_TRACES].queued_volatile = 18;
	l->signal[0][OTLP_METRICS].sent_bytes = 19;
	has_destination(w, 0, "a", 1);
	l->clock_steps = 15;
	dump(w);
	assert_has(w, "ringspan.packets {packet} sum{stage=seen} 10\n"
		      "ringspan.packets {packet} sum{stage=kept} 5\n"
		      "ringspan.packets {packet} sum{stage=not_kept} 3\n"
		      "ringspan.packets {packet} sum{stage=no_flow} 2\n");
	assert_has(w, "ringspan.records {record} sum{stage=submitted} 9\n");
	assert_has(w, "ringspan.records.held {record} gauge{} 1\n");
	assert_has(w, "ringspan.losses {item} sum{stage=records,reason=ring_full} 4\n");
	assert_has(w, "ringspan.losses {item} sum{stage=flow_state,reason=map_full} 6\n");
	assert_has(w, "ringspan.losses {item} sum{stage=metric_points,reason=refused} 13\n");
	assert_has(w, "ringspan.flows {flow} sum{stage=begun} 8\n");
	assert_has(w, "ringspan.flows.held {flow} gauge{} 7\n");
	assert_has(w, "ringspan.spans {span} sum{stage=made} 11\n");
	assert_has(w, "ringspan.spans {span} sum{stage=exported} 12\n");
	assert_has(w, "ringspan.queue.items {item} gauge{signal=logs} 14\n");
	assert_has(w, "ringspan.queue.bytes By gauge{signal=traces} 0\n");
	assert_has(w, "ringspan.queue.capacity By gauge{signal=logs} 9000\n");
	assert_has(w, "ringspan.queue.volatile {item} gauge{signal=traces} 18\n");
	assert_has(w, "ringspan.export.retries {attempt} sum{signal=traces} 17\n");
	assert_has(w, "ringspan.export.sent By sum{signal=metrics} 19\n");
	assert_has(w, "ringspan.export.connects {connection} sum{} 16\n");
	assert_has(w, "ringspan.ring.pressure 1 gauge{} 0.25\n");
	assert_has(w, "ringspan.sampling.interval {flow} gauge{} 100\n");
	assert_has(w, "ringspan.process.cpu.time s sum{} 1.5\n");
	assert_has(w, "ringspan.process.memory By gauge{} 4096\n");
	assert_has(w, "ringspan.clock.steps {step} sum{} 15\n");
}

/* ---- exemplars ---- */

static void exemplar(struct world *w, unsigned hook, unsigned transport, uint8_t id, uint64_t end,
		     uint64_t pkts, uint64_t bytes)
{
	w->exemplars[flow_counter_index(0, hook, FLOW_NET_IPV4, transport)] = (struct exemplar){
		.end_mono_ns = end, .time_unix_ns = 1000 + end, .pkts = pkts, .bytes = bytes,
		.trace_id = {id}, .span_id = {id + 1}};
	w->snapshot.exemplars = w->exemplars;
}

static void test_flow_metrics_points_name_a_span(void **state)
{
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < 3; i++)
		count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 100);
	count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_UDP, 60);
	count(w->counters, 0, FLOW_TRANSMIT, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 100);
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_TCP, 0xa0, 500, 2, 190);
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_UDP, 0xc0, 499, 1, 60);
	exemplar(w, FLOW_TRANSMIT, FLOW_TRANSPORT_UDP, 0xe0, 501, 1, 60); /* no such point */
	dump(w);
	assert_has(w, "direction=receive,network.type=ipv4,network.transport=tcp} 3 exemplar 2 at "
		      "1500 of a0-a1\n");
	assert_has(w, "direction=receive,network.type=ipv4,network.transport=tcp} 300 exemplar 190 "
		      "at 1500 of a0-a1\n");
	assert_has(w, "direction=receive,network.type=ipv4,network.transport=udp} 60 exemplar 60 "
		      "at 1499 of c0-c1\n");
	assert_has(w, "direction=transmit,network.type=ipv4,network.transport=tcp} 100\n");
	/* the newest of the direction, its mean size */
	assert_has(w, "count 4 sum 360 offset 5 buckets 1 3 exemplar 95 at 1500 of a0-a1\n");
}

static void test_flow_metrics_size_exemplar_was_counted(void **state)
{
	struct world *w = *state;

	count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 1500);
	/* no packet had this size: the next newest, or none */
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_TCP, 0xa0, 500, 2, 1560);
	dump(w);
	assert_has(w, "buckets 1 0 0 0 0 1\n");
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_UDP, 0xc0, 400, 3, 192);
	dump(w);
	assert_has(w, "buckets 1 0 0 0 0 1 exemplar 64 at 1400 of c0-c1\n");
}

/* After the wall clock stepped back. */
static void test_flow_metrics_no_exemplar_is_of_the_future(void **state)
{
	struct world *w = *state;

	count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_TCP, 0xa0, 1001, 1, 60);
	dump(w);
	assert_null(strstr(w->dump.text, "exemplar"));
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_TCP, 0xa0, 1000, 1, 60);
	dump(w);
	assert_non_null(strstr(w->dump.text, "exemplar"));
	w->snapshot.exemplars = NULL;
	dump(w);
	assert_null(strstr(w->dump.text, "exemplar"));
}

/* ---- the names of the semantic conventions ---- */

#define SPAN_EXPORTER                                                                              \
	"otel.component.type=otlp_http_span_exporter,"                                             \
	"otel.component.name=otlp_http_span_exporter/0,server.address=a,server.port=4318"
#define SPAN_PROCESSOR                                                                             \
	"otel.component.type=batching_span_processor,"                                             \
	"otel.component.name=batching_span_processor/0"

static void test_flow_metrics_sdk_names_tell_the_export(void **state)
{
	struct world *w = *state;
	struct otlp_signal_stats *traces = &w->ledger.signal[0][OTLP_TRACES];

	has_destination(w, 0, "a", 4318);
	*traces = (struct otlp_signal_stats){
		.submitted = 120, .exported = 60, .rejected = 7, .queued = 30, .in_flight = 10,
		.dropped = {[OTLP_DROP_QUEUE_FULL] = 12, [OTLP_DROP_REFUSED] = 11}};
	w->ledger.outbox[OTLP_TRACES] =
		(struct outbox_stats){.made = 130, .waiting = 6, .unencodable = 3, .unsent = 1};
	w->ledger.signal[0][OTLP_METRICS].dropped[OTLP_DROP_QUEUE_FULL] = 5;
	dump(w);
	assert_has(w, "otel.sdk.exporter.span.exported {span} sum{" SPAN_EXPORTER "} 60\n");
	assert_has(w, "otel.sdk.exporter.span.exported {span} sum{" SPAN_EXPORTER
		      ",error.type=rejected} 7\n");
	assert_has(w, "otel.sdk.exporter.span.exported {span} sum{" SPAN_EXPORTER
		      ",error.type=refused} 11\n");
	assert_null(strstr(w->dump.text, SPAN_EXPORTER ",error.type=queue_full"));
	assert_null(strstr(w->dump.text, "error.type=shutdown"));
	assert_has(w, "otel.sdk.exporter.span.inflight {span} updown{" SPAN_EXPORTER "} 10\n");
	assert_has(w, "otel.sdk.processor.span.queue.size {span} updown{" SPAN_PROCESSOR "} 26\n");
	assert_null(strstr(w->dump.text, "queue.capacity {span}"));
	assert_has(w, "otel.sdk.processor.span.processed {span} sum{" SPAN_PROCESSOR "} 78\n");
	assert_has(w, SPAN_PROCESSOR ",error.type=queue_full} 12\n");
	assert_has(w, SPAN_PROCESSOR ",error.type=unencodable} 3\n");
	assert_has(w, SPAN_PROCESSOR ",error.type=unsent} 1\n");
	/* readers of metrics have no queue: the exporter's */
	assert_has(w, "otel.sdk.exporter.metric_data_point.exported {data_point} sum{"
		      "otel.component.type=otlp_http_metric_exporter,"
		      "otel.component.name=otlp_http_metric_exporter/0,server.address=a,"
		      "server.port=4318,error.type=queue_full} 5\n");
	assert_null(strstr(w->dump.text, "processor.metric"));
	assert_has(w, "otel.sdk.exporter.log.inflight {log_record} updown{"
		      "otel.component.type=otlp_http_log_exporter,");
	assert_has(w, "otel.sdk.processor.log.queue.size {log_record} updown{"
		      "otel.component.type=batching_log_processor,"
		      "otel.component.name=batching_log_processor/0} 0\n");
	w->snapshot.queue_items[OTLP_TRACES] = 2048;
	w->ledger.has_logs = false;
	w->ledger.target[0][OTLP_LOGS].label = NULL;
	dump(w);
	assert_has(w, "otel.sdk.processor.span.queue.capacity {span} updown{" SPAN_PROCESSOR
		      "} 2048\n");
	assert_null(strstr(w->dump.text, "sdk.exporter.log"));
	assert_null(strstr(w->dump.text, "signal=logs"));
}

static void test_flow_metrics_durations_are_a_histogram(void **state)
{
	struct world *w = *state;
	struct otlp_durations *d = &w->ledger.signal[0][OTLP_TRACES].durations;

	has_destination(w, 0, "a", 4318);
	dump(w);
	assert_null(strstr(w->dump.text, "operation.duration"));
	d->buckets[10] = 3; /* (2^-10, 2^-9] s */
	d->buckets[12] = 1;
	d->count = 4;
	d->sum_s = 0.0125;
	dump(w);
	assert_has(w, "otel.sdk.exporter.operation.duration s histogram{" SPAN_EXPORTER
		      "} scale 0 count 4 sum 0.0125 offset -10 buckets 3 0 1\n");
	d->buckets[0] = d->buckets[OTLP_DURATION_BUCKETS - 1] = 1;
	d->count = 6;
	dump(w);
	assert_has(w, "count 6 sum 0.0125 offset -20 buckets 1 0 0");
}

static void test_flow_metrics_tell_destinations_apart(void **state)
{
	struct world *w = *state;
	unsigned d;

	for (d = 0; d < LEDGER_DESTINATIONS; d++) {
		has_destination(w, d, d ? "b" : "a", (uint16_t)(4318 + d));
		w->ledger.signal[d][OTLP_TRACES].dropped[OTLP_DROP_REFUSED] = 20 + d;
		w->ledger.signal[d][OTLP_TRACES].exported = 40 + d;
		w->ledger.signal[d][OTLP_LOGS].queued = 60 + d;
		/* as many points as there can be */
		memset(w->ledger.signal[d][OTLP_METRICS].dropped, 1,
		       sizeof(w->ledger.signal[d][OTLP_METRICS].dropped));
	}
	dump(w);
	assert_has(w, "ringspan.losses {item} sum{stage=spans_otlp,reason=refused,destination=1,"
		      "server.address=a} 20\n");
	assert_has(w, "ringspan.losses {item} sum{stage=spans_otlp,reason=refused,destination=8,"
		      "server.address=b} 27\n");
	assert_has(w, "ringspan.losses {item} sum{stage=spans,reason=unsent} 0\n");
	assert_has(w, "ringspan.spans {span} sum{stage=exported,destination=2,server.address=b} "
		      "41\n");
	assert_has(w, "ringspan.queue.items {item} gauge{signal=logs,destination=3,"
		      "server.address=b} 62\n");
	assert_has(w, "otlp_http_span_exporter/7,server.address=b,server.port=4325} 47\n");
}

static void test_flow_metrics_stops_at_the_first_error(void **state)
{
	struct world *w = *state;
	int n, all;

	dump(w);
	all = w->dump.metrics;
	for (n = 1; n <= all; n++) {
		w->dump = (struct dump){.fail_after = n};
		assert_int_equal(flow_otlp_metrics(w->o, &w->snapshot, dump_metric, &w->dump),
				 -ENOSPC);
		assert_int_equal(w->dump.metrics, n);
	}
}

static void test_flow_metrics_survives_each_failing_allocation(void **state)
{
	struct world *w = *state;
	unsigned n;
	int err;

	for (n = 1;; n++) {
		fail_at = n;
		err = flow_otlp_metrics(w->o, &w->snapshot, dump_metric, &w->dump);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
	}
	fail_at = 0;
	assert_int_equal(n, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flow_metrics_counts_each_class_seen, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_holds_every_class_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_rate_is_over_the_last_interval,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_flow_metrics_size_falls_into_the_bucket_of_the_specification, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_flow_metrics_size_has_a_histogram_for_each_direction, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_flow_metrics_names_all_losses_even_when_there_are_none, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_tells_the_ledger, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_points_name_a_span, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_size_exemplar_was_counted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_no_exemplar_is_of_the_future,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_sdk_names_tell_the_export, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_durations_are_a_histogram, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_tell_destinations_apart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_stops_at_the_first_error, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_survives_each_failing_allocation,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
