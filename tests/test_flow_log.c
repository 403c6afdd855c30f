/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/flow_samples.h"
#include "user/flow_facts.h"
#include "user/flow_log.h"
#include "user/flow_otlp.h"

static const struct flow_otlp_opts opts = {.site_key = {1, 2, 3, 4}, .active_timeout_ns = 60 * S};

static int setup(void **state)
{
	return flow_otlp_create((struct flow_otlp **)state, &opts);
}

static int teardown(void **state)
{
	flow_otlp_destroy(*state);
	return 0;
}

static const struct otlp_span *span_of(struct flow_otlp *o, struct flow *f,
				       enum flow_end_reason reason)
{
	struct flow_report r = {.kind = FLOW_REPORT_ROOT,
				.reason = reason,
				.is_final = reason != FLOW_ACTIVE_TIMEOUT,
				.start_mono_ns = f->info.first_mono_ns,
				.end_mono_ns = flow_last_mono_ns(f)};

	flow_find_initiator(f);
	return flow_otlp_span(o, f, &r, "eth0");
}

/* A SYN from 10.0.0.1:40000 to 10.0.0.2:443, and nothing else yet. */
static struct flow sample_syn(void)
{
	struct flow f = sample_flow(IPPROTO_TCP, "10.0.0.1", 40000, "10.0.0.2", 443);

	f.totals[0] = (struct flow_totals){
		.pkts = 1, .bytes = 74, .last_mono_ns = 5 * S, .flags = SYN, .isn = 7};
	f.totals[1] = (struct flow_totals){0};
	return f;
}

static void answer(struct flow *f, uint32_t flags, uint64_t after_ns)
{
	f->totals[1] = (struct flow_totals){.pkts = 1, .bytes = 54, .flags = flags};
	f->totals[1].last_mono_ns = f->info.first_mono_ns + after_ns;
}

static void assert_str(struct otlp_str s, const char *expected)
{
	char text[400] = {0};

	assert_true(s.len < sizeof(text));
	memcpy(text, s.ptr, s.len);
	assert_string_equal(text, expected);
}

static const struct otlp_attr *attr(const struct otlp_log *l, const char *key)
{
	size_t i;

	for (i = 0; i < l->attrs.len; i++)
		if (l->attrs.list[i].key.len == strlen(key) &&
		    !memcmp(l->attrs.list[i].key.ptr, key, strlen(key)))
			return &l->attrs.list[i];
	fail_msg("no attribute %s", key);
	return NULL;
}

static void test_flow_log_names_the_icmp_error_that_came_instead(void **state)
{
	struct flow f = sample_syn();
	const struct otlp_log *log;
	struct flow_log l;

	f.icmp_type = 3;
	f.icmp_code = 1;
	log = flow_log_connection(&l, span_of(*state, &f, FLOW_IDLE_TIMEOUT), 42 * S);
	assert_non_null(log);
	assert_str(log->event_name, "flow.connection.unanswered");
	assert_non_null(strstr(l.body, " got no answer"));
	assert_string_equal(l.body + strlen(l.body) - 23, ": ICMP host unreachable");
}

static void test_flow_log_tells_of_a_refused_connection(void **state)
{
	struct flow f = sample_syn();
	const struct otlp_span *span;
	const struct otlp_log *log;
	struct flow_log l;

	answer(&f, FLOW_TCP_RST | FLOW_TCP_ACK, 1200000);
	span = span_of(*state, &f, FLOW_END_DETECTED);
	log = flow_log_connection(&l, span, 42 * S);
	assert_non_null(log);
	assert_str(log->event_name, "flow.connection.refused");
	assert_str(log->body,
		   "connection from 10.0.0.1:40000 to 10.0.0.2:443 refused after 1.2 ms");
	assert_int_equal(log->severity, OTLP_SEVERITY_WARN);
	assert_str(log->severity_text, "WARN");
	assert_int_equal(log->time_unix_ns, span->end_unix_ns);
	assert_int_equal(log->observed_unix_ns, 42 * S);
	assert_true(log->has_trace);
	assert_memory_equal(log->trace_id, span->trace_id, 16);
	assert_memory_equal(log->span_id, span->span_id, 8);
	assert_int_equal(log->flags, OTLP_FLAG_SAMPLED | OTLP_FLAG_RANDOM);
	assert_int_equal(log->attrs.len, 7);
	assert_str(attr(log, "source.address")->value.string, "10.0.0.1");
	assert_int_equal(attr(log, "source.port")->value.integer, 40000);
	assert_str(attr(log, "destination.address")->value.string, "10.0.0.2");
	assert_int_equal(attr(log, "destination.port")->value.integer, 443);
	assert_str(attr(log, "network.transport")->value.string, "tcp");
	assert_str(attr(log, "network.interface.name")->value.string, "eth0");
	assert_int_equal(attr(log, "flow.community_id")->value.string.len, 30);
}

static void test_flow_log_tells_of_resets_and_silence(void **state)
{
	struct flow f = sample_syn();
	const struct otlp_log *log;
	struct flow_log l;

	log = flow_log_connection(&l, span_of(*state, &f, FLOW_IDLE_TIMEOUT), S);
	assert_str(log->event_name, "flow.connection.unanswered");
	assert_str(log->body, "connection from 10.0.0.1:40000 to 10.0.0.2:443 got no answer");
	f.totals[0].pkts = 3;
	f.totals[0].last_mono_ns += 3100000000;
	log = flow_log_connection(&l, span_of(*state, &f, FLOW_IDLE_TIMEOUT), S);
	assert_str(log->body, "connection from 10.0.0.1:40000 to 10.0.0.2:443 got no answer to 3 "
			      "packets in 3.1 s");
	f = sample_syn();
	f.totals[0].flags |= FLOW_TCP_ACK | FLOW_TCP_RST;
	answer(&f, SYNACK, 2500);
	log = flow_log_connection(&l, span_of(*state, &f, FLOW_END_DETECTED), S);
	assert_str(log->event_name, "flow.connection.reset");
	assert_str(log->body, "connection from 10.0.0.1:40000 to 10.0.0.2:443 reset before any "
			      "data, after 2.5 us");
}

static void test_flow_log_brackets_ipv6(void **state)
{
	struct flow f = sample_flow(IPPROTO_TCP, "2001:db8::1", 40000, "2001:db8::2", 22);
	struct flow_log l;

	f.totals[0].flags = SYN;
	f.totals[1].flags = FLOW_TCP_RST | FLOW_TCP_ACK;
	assert_str(flow_log_connection(&l, span_of(*state, &f, FLOW_END_DETECTED), S)->body,
		   "connection from [2001:db8::1]:40000 to [2001:db8::2]:22 refused after 3.2 ms");
}

static void test_flow_log_is_silent_where_nothing_failed(void **state)
{
	struct flow f = sample_http();
	struct otlp_span span = {.status = OTLP_STATUS_ERROR};
	struct flow_log l;

	assert_null(flow_log_connection(&l, span_of(*state, &f, FLOW_END_DETECTED), S));
	f = sample_syn();
	assert_null(flow_log_connection(&l, span_of(*state, &f, FLOW_ACTIVE_TIMEOUT), S));
	span.status_message = OTLP_STR("something else");
	assert_null(flow_log_connection(&l, &span, S));
	span.status_message = OTLP_STR("connection refused");
	assert_non_null(flow_log_connection(&l, &span, S));
	span.status = OTLP_STATUS_UNSET;
	assert_null(flow_log_connection(&l, &span, S));
}

static void test_flow_log_tells_of_losses(void **state)
{
	struct ledger_growth loss = {.stage = "records", .reason = "ring_full", .count = 12};
	const struct otlp_log *log;
	struct flow_log l;

	(void)state;
	log = flow_log_loss(&l, &loss, 9 * S);
	assert_str(log->event_name, "ringspan.loss");
	assert_str(log->body, "12 lost at stage records: ring_full");
	assert_int_equal(log->time_unix_ns, 9 * S);
	assert_int_equal(log->observed_unix_ns, 9 * S);
	assert_int_equal(log->severity, OTLP_SEVERITY_WARN);
	assert_false(log->has_trace);
	assert_int_equal(log->attrs.len, 3);
	assert_str(attr(log, "ringspan.stage")->value.string, "records");
	assert_str(attr(log, "ringspan.reason")->value.string, "ring_full");
	assert_int_equal(attr(log, "ringspan.count")->value.integer, 12);
	loss.destination = 2;
	loss.server_address = "b.example";
	log = flow_log_loss(&l, &loss, 9 * S);
	assert_int_equal(attr(log, "destination")->value.integer, 2);
	assert_str(attr(log, "server.address")->value.string, "b.example");
}

static void test_flow_log_tells_of_clock_steps(void **state)
{
	const struct otlp_log *log;
	struct flow_log l;

	(void)state;
	log = flow_log_clock_step(&l, -1500000000, 9 * S);
	assert_str(log->event_name, "ringspan.clock.step");
	assert_str(log->body, "the wall clock stepped by -1500 ms; flows that began before keep "
			      "their time");
	assert_true(attr(log, "ringspan.clock.step.seconds")->value.number == -1.5);
}

static void test_flow_log_tells_of_another_rate_and_why(void **state)
{
	struct flow_log l;
	const struct otlp_log *log = flow_log_sampling(&l, false, 4, 32, "spans", "more than 5 spans/s", S);

	(void)state;
	assert_str(log->event_name, "ringspan.sampling.change");
	assert_str(log->body, "sampling changed from 1 flow in 4 to 1 in 32: more than 5 spans/s");
	assert_int_equal(attr(log, "ringspan.sampling.interval")->value.integer, 32);
	assert_int_equal(attr(log, "ringspan.sampling.interval.before")->value.integer, 4);
	assert_str(attr(log, "ringspan.sampling.reason")->value.string, "spans");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_log_names_the_icmp_error_that_came_instead),
		cmocka_unit_test(test_flow_log_tells_of_a_refused_connection),
		cmocka_unit_test(test_flow_log_tells_of_resets_and_silence),
		cmocka_unit_test(test_flow_log_brackets_ipv6),
		cmocka_unit_test(test_flow_log_is_silent_where_nothing_failed),
		cmocka_unit_test(test_flow_log_tells_of_losses),
		cmocka_unit_test(test_flow_log_tells_of_clock_steps),
		cmocka_unit_test(test_flow_log_tells_of_another_rate_and_why),
	};

	return cmocka_run_group_tests_name("flow_log", tests, setup, teardown);
}
