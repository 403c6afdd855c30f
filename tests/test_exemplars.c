/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/flow_samples.h"
#include "user/exemplars.h"

#define SERIES (2 * FLOW_COUNTERS_PER_IF)

static unsigned fail_at; /* the n-th allocation from here on fails; 0: none */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	if (fail_at && !--fail_at)
		return NULL;
	return __real_calloc(n, size);
}

static int setup(void **state)
{
	return exemplars_create((struct exemplars **)state, SERIES);
}

static int teardown(void **state)
{
	exemplars_destroy(*state);
	return 0;
}

static void note(struct exemplars *e, const struct flow *f, uint8_t id, uint64_t end_mono_ns)
{
	const struct flow_report r = {.is_final = true, .end_mono_ns = end_mono_ns};
	const struct otlp_span span = {.trace_id = {0xaa, id},
				       .span_id = {0xbb, id},
				       .end_unix_ns = end_mono_ns + 1000 * S};

	exemplars_note(e, f, &r, &span);
}

static size_t series(unsigned if_slot, enum flow_hook hook, enum flow_net net,
		     enum flow_transport transport)
{
	return flow_counter_index(if_slot, hook, net, transport);
}

static void test_exemplars_are_of_both_directions(void **state)
{
	struct exemplar got[SERIES] = {0};
	struct flow f = sample_http();
	size_t i, there = 0, in = series(0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP);
	size_t out = series(0, FLOW_TRANSMIT, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP);

	f.info.first_hook = FLOW_RECEIVE;
	note(*state, &f, 1, 5 * S);
	exemplars_publish(*state);
	exemplars_collect(*state, got);
	for (i = 0; i < SERIES; i++)
		there += got[i].end_mono_ns != 0;
	assert_int_equal(there, 2);
	assert_int_equal(got[in].pkts, 12);
	assert_int_equal(got[in].bytes, 1234);
	assert_int_equal(got[in].end_mono_ns, 5 * S);
	assert_int_equal(got[in].time_unix_ns, 1005 * S);
	assert_memory_equal(got[in].trace_id, ((uint8_t[16]){0xaa, 1}), 16);
	assert_memory_equal(got[in].span_id, ((uint8_t[8]){0xbb, 1}), 8);
	assert_int_equal(got[out].pkts, 10);
	assert_int_equal(got[out].bytes, 14321);
}

/* The kernel counts a packet by hook, network type and transport: so must this. */
static void test_exemplars_series_are_the_counters(void **state)
{
	static const struct {
		uint8_t proto;
		const char *a, *b;
		enum flow_net net;
		enum flow_transport transport;
	} known[] = {
		{IPPROTO_TCP, "10.0.0.1", "10.0.0.2", FLOW_NET_IPV4, FLOW_TRANSPORT_TCP},
		{IPPROTO_UDP, "fd00::1", "fd00::2", FLOW_NET_IPV6, FLOW_TRANSPORT_UDP},
		{IPPROTO_ICMP, "10.0.0.1", "10.0.0.2", FLOW_NET_IPV4, FLOW_TRANSPORT_ICMP},
		{IPPROTO_ICMP, "fd00::1", "fd00::2", FLOW_NET_IPV6, FLOW_TRANSPORT_OTHER},
		{IPPROTO_ICMPV6, "fd00::1", "fd00::2", FLOW_NET_IPV6, FLOW_TRANSPORT_ICMPV6},
		{IPPROTO_ICMPV6, "10.0.0.1", "10.0.0.2", FLOW_NET_IPV4, FLOW_TRANSPORT_OTHER},
		{IPPROTO_SCTP, "10.0.0.1", "10.0.0.2", FLOW_NET_IPV4, FLOW_TRANSPORT_SCTP},
		{IPPROTO_GRE, "10.0.0.1", "10.0.0.2", FLOW_NET_IPV4, FLOW_TRANSPORT_OTHER},
	};
	struct flow f;
	unsigned first;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		f = sample_flow(known[i].proto, known[i].b, 9, known[i].a, 8);
		f.key.if_slot = 1;
		f.info.first_hook = FLOW_TRANSMIT;
		first = f.info.first_from;
		assert_int_equal(exemplars_series(&f, first),
				 series(1, FLOW_TRANSMIT, known[i].net, known[i].transport));
		assert_int_equal(exemplars_series(&f, !first),
				 series(1, FLOW_RECEIVE, known[i].net, known[i].transport));
	}
}

static void test_exemplars_of_a_silent_direction_are_none(void **state)
{
	struct exemplar got[SERIES] = {0};
	struct flow f = sample_http();

	f.totals[1].pkts = 0;
	f.key.if_slot = 1;
	note(*state, &f, 1, S);
	f.key.if_slot = 2; /* beyond what is counted */
	f.totals[1].pkts = 1;
	note(*state, &f, 2, 2 * S);
	exemplars_publish(*state);
	exemplars_collect(*state, got);
	assert_int_equal(got[exemplars_series(&(struct flow){.key = {.family = 4,
								     .if_slot = 1,
								     .proto = IPPROTO_TCP}},
					      0)]
				 .end_mono_ns,
			 S);
	assert_int_equal(
		got[series(1, FLOW_TRANSMIT, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP)].end_mono_ns, 0);
}

static void test_exemplars_newest_wins(void **state)
{
	struct exemplars *e = *state, *other;
	struct exemplar got[SERIES] = {0};
	struct flow f = sample_http();
	size_t in = exemplars_series(&f, 0), i;

	assert_int_equal(exemplars_create(&other, SERIES), 0);
	note(e, &f, 1, 3 * S);
	exemplars_publish(e);
	note(e, &f, 2, 2 * S); /* an idle flow, told of later, ended before */
	exemplars_publish(e);
	exemplars_collect(e, got);
	assert_int_equal(got[in].trace_id[1], 1);
	note(other, &f, 3, 4 * S); /* of another worker */
	exemplars_collect(other, got);
	assert_int_equal(got[in].trace_id[1], 1); /* not published */
	exemplars_publish(other);
	exemplars_collect(other, got);
	assert_int_equal(got[in].trace_id[1], 3);
	exemplars_collect(e, got);
	assert_int_equal(got[in].trace_id[1], 3);
	for (i = 0; i < 4 * SERIES; i++) /* more than there is room for, if each were kept */
		note(e, &f, 4, 5 * S);
	note(e, &f, 5, 5 * S);
	exemplars_publish(e);
	exemplars_publish(e);
	exemplars_collect(e, got);
	assert_int_equal(got[in].trace_id[1], 5);
	exemplars_destroy(other);
}

static void test_exemplars_survive_each_failing_allocation(void **state)
{
	struct exemplars *e;
	unsigned n;

	(void)state;
	for (n = 1;; n++) {
		fail_at = n;
		if (!exemplars_create(&e, 3))
			break;
	}
	fail_at = 0;
	assert_int_equal(n, 6);
	exemplars_destroy(e);
	exemplars_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exemplars_are_of_both_directions, setup,
						teardown),
		cmocka_unit_test(test_exemplars_series_are_the_counters),
		cmocka_unit_test_setup_teardown(test_exemplars_of_a_silent_direction_are_none,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_exemplars_newest_wins, setup, teardown),
		cmocka_unit_test(test_exemplars_survive_each_failing_allocation),
	};

	return cmocka_run_group_tests_name("exemplars", tests, NULL, NULL);
}
