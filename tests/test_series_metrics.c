/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/flow_samples.h"
#include "tests/metrics_world.h"

#define ALL (FLOW_ATTR_BIT(FLOW_ATTR_MAX) - 1)
#define BIT(attr) FLOW_ATTR_BIT(FLOW_ATTR_##attr)

static unsigned fail_at;
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return fail_at && !--fail_at ? NULL : __real_calloc(n, size);
}

static void begin(struct world *w, unsigned attrs, size_t cap, const struct tenant_map *tenants)
{
	struct flow_series_opts opts = {
		.attrs = attrs, .subnet_bits = {20, 44}, .cap = cap, .tenants = tenants};

	assert_int_equal(flow_series_create(&w->snapshot.series, &opts), 0);
	w->snapshot.tenants = tenants;
}

static int teardown(void **state)
{
	struct world *w = *state;

	flow_series_destroy(w->snapshot.series);
	return world_teardown(state);
}

static void lacks(const struct world *w, const char *part)
{
	if (strstr(w->dump.text, part))
		fail_msg("'%s' in:\n%s", part, w->dump.text);
}

static void test_series_metrics_are_not_there_unasked(void **state)
{
	struct world *w = *state;

	world_dump(w);
	lacks(w, "xdp.flow.");
	lacks(w, "ringspan.series");
}

static void test_series_metrics_have_all_attributes(void **state)
{
	static const char map[] = "10.1.0.1 blue\n";
	struct flow f = sample_http(),
		    g = sample_flow(58, "2001:db8:18::1", 128, "2001:db8::2", 129);
	struct world *w = *state;
	char why[TENANT_MAP_WHY_CAP];
	struct tenant_map *tenants;

	assert_int_equal(tenant_map_parse(&tenants, map, sizeof(map) - 1, "m", why), 0);
	begin(w, ALL, 10, tenants);
	f.initiator_known = true;
	f.info.first_hook = FLOW_TRANSMIT;
	flow_series_add(w->snapshot.series, &f, "eth0");
	g.key.if_slot = 1;
	g.totals[0].pkts = g.totals[0].bytes = 0; /* nothing came back */
	flow_series_add(w->snapshot.series, &g, "wg0");
	world_dump(w);
	world_assert_has(w,
			 "xdp.flow.packets {packet} sum{network.interface.name=eth0,"
			 "network.io.direction=receive,network.type=ipv4,network.transport=tcp,"
			 "server.port=80,source.subnet=10.1.0.0/20,destination.subnet=10.1.0.0/20,"
			 "source.address=10.1.0.1,destination.address=10.1.0.2,tenant=blue} 10\n"
			 "xdp.flow.packets {packet} sum{network.interface.name=eth0,"
			 "network.io.direction=transmit,network.type=ipv4,network.transport=tcp,"
			 "server.port=80,source.subnet=10.1.0.0/20,destination.subnet=10.1.0.0/20,"
			 "source.address=10.1.0.1,destination.address=10.1.0.2,tenant=blue} 12\n"
			 "xdp.flow.packets {packet} sum{network.interface.name=wg0,"
			 "network.io.direction=receive,network.type=ipv6,network.transport=icmpv6,"
			 "source.subnet=2001:db8:10::/44,destination.subnet=2001:db8::/44,"
			 "source.address=2001:db8:18::1,destination.address=2001:db8::2} 12\n"
			 "xdp.flow.bytes By sum{network.interface.name=eth0,"
			 "network.io.direction=receive,");
	world_assert_has(w, "tenant=blue} 14321\n");
	world_assert_has(w, "tenant=blue} 1234\n");
	world_assert_has(w,
			 "xdp.flow.count {flow} sum{network.interface.name=eth0,network.type=ipv4,"
			 "network.transport=tcp,server.port=80,");
	world_assert_has(w, "ringspan.series.held {series} gauge{} 3\n"
			    "ringspan.series.overflowed {report} sum{} 0\n");
	lacks(w, "otel.metric.overflow");
	tenant_map_destroy(tenants);
}

static void test_series_metrics_have_the_interface_alone(void **state)
{
	struct world *w = *state;
	struct flow f = sample_http();

	begin(w, BIT(INTERFACE), 10, NULL);
	flow_series_add(w->snapshot.series, &f, "eth0");
	world_dump(w);
	world_assert_has(w, "xdp.flow.packets {packet} sum{network.interface.name=eth0} 22\n"
			    "xdp.flow.bytes By sum{network.interface.name=eth0} 15555\n"
			    "xdp.flow.count {flow} sum{network.interface.name=eth0} 1\n");
}

static void test_series_metrics_other_protocols_are_one_series(void **state)
{
	struct flow flows[] = {sample_flow(143, "10.0.0.1", 0, "10.0.0.2", 0),
			       sample_flow(144, "10.0.0.1", 0, "10.0.0.2", 0),
			       sample_flow(IPPROTO_ICMPV6, "10.0.0.1", 0, "10.0.0.2", 0),
			       sample_flow(IPPROTO_ICMP, "fd00::1", 0, "fd00::2", 0)};
	struct world *w = *state;
	unsigned i;

	begin(w, BIT(TRANSPORT), 10, NULL);
	for (i = 0; i < 4; i++)
		flow_series_add(w->snapshot.series, &flows[i], "eth0");
	world_dump(w);
	world_assert_has(w, "xdp.flow.count {flow} sum{network.interface.name=eth0,"
			    "network.transport=other} 4\n"
			    "ringspan.series.held {series} gauge{} 1\n");
}

static void test_series_metrics_overflow_has_its_attribute_alone(void **state)
{
	struct world *w = *state;
	struct flow f;
	unsigned i;

	begin(w, BIT(SERVER_PORT), 2, NULL);
	for (i = 0; i < 9; i++) {
		f = sample_http();
		f.initiator_known = true;
		f.key.port[1] = htons((uint16_t)(i + 1));
		flow_series_add(w->snapshot.series, &f, "eth0");
	}
	world_dump(w);
	world_assert_has(w, "xdp.flow.packets {packet} sum{network.interface.name=eth0,"
			    "server.port=1} 22\n"
			    "xdp.flow.packets {packet} sum{network.interface.name=eth0,"
			    "server.port=2} 22\n"
			    "xdp.flow.packets {packet} sum{otel.metric.overflow=true} 154\n"
			    "xdp.flow.bytes ");
	world_assert_has(w, "xdp.flow.bytes By sum{otel.metric.overflow=true} 108885\n");
	world_assert_has(w, "xdp.flow.count {flow} sum{otel.metric.overflow=true} 7\n");
	world_assert_has(w, "ringspan.series.held {series} gauge{} 2\n"
			    "ringspan.series.overflowed {report} sum{} 7\n");
}

/* More than are read at once, and both directions of each. */
static int count_points(void *ctx, const struct otlp_metric *m)
{
	size_t i;

	if (m->name.len == 16 && !memcmp(m->name.ptr, "xdp.flow.packets", 16))
		for (i = 0; i < m->points_len; i++)
			*(uint64_t *)ctx += (uint64_t)m->points[i].integer + (1ULL << 32);
	return 0;
}

static void test_series_metrics_hold_all_series(void **state)
{
	struct world *w = *state;
	uint64_t sum = 0;
	struct flow f;
	unsigned i;

	begin(w, BIT(SERVER_PORT) | BIT(IO_DIRECTION), 3000, NULL);
	for (i = 0; i < 1500; i++) {
		f = sample_http();
		f.initiator_known = true;
		f.key.port[1] = htons((uint16_t)i);
		flow_series_add(w->snapshot.series, &f, "eth0");
	}
	assert_int_equal(flow_otlp_metrics(w->o, &w->snapshot, count_points, &sum), 0);
	assert_int_equal(sum >> 32, 3000);
	assert_int_equal(sum & UINT32_MAX, 1500 * 22);
}

static void test_series_metrics_stop_at_the_first_error(void **state)
{
	struct world *w = *state;
	struct flow f = sample_http();
	int all, i;

	begin(w, BIT(INTERFACE), 2, NULL);
	flow_series_add(w->snapshot.series, &f, "eth0");
	world_dump(w);
	all = w->dump.metrics;
	for (i = 1; i <= all; i++) {
		w->dump = (struct dump){.fail_after = i};
		assert_int_equal(flow_otlp_metrics(w->o, &w->snapshot, world_emit, &w->dump),
				 -ENOSPC);
		assert_int_equal(w->dump.metrics, i);
	}
	for (i = 5; i <= 10; i++) { /* the first four are the other metrics' */
		w->dump = (struct dump){0};
		fail_at = (unsigned)i;
		assert_int_equal(flow_otlp_metrics(w->o, &w->snapshot, world_emit, &w->dump),
				 -ENOMEM);
		assert_int_equal(fail_at, 0);
		lacks(w, "xdp.flow");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_series_metrics_are_not_there_unasked),
		TEST(test_series_metrics_have_all_attributes),
		TEST(test_series_metrics_have_the_interface_alone),
		TEST(test_series_metrics_other_protocols_are_one_series),
		TEST(test_series_metrics_overflow_has_its_attribute_alone),
		TEST(test_series_metrics_hold_all_series),
		TEST(test_series_metrics_stop_at_the_first_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
