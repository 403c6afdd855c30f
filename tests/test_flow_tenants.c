/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tenants on spans and on the metrics of links. */
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

static const char map[] = "10.1.0.0/16 blue\n10.2.0.0/16 red\ninterface eth0 links\n";

struct fixture {
	struct tenant_map *tenants;
	struct flow_otlp *o;
};

static int setup(void **state)
{
	static struct fixture x;
	char why[TENANT_MAP_WHY_CAP];
	struct flow_otlp_opts opts = {.active_timeout_ns = 60 * S};

	*state = &x;
	if (tenant_map_parse(&x.tenants, map, sizeof(map) - 1, "m", why))
		return -1;
	opts.tenants = x.tenants;
	return flow_otlp_create(&x.o, &opts);
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	flow_otlp_destroy(x->o);
	tenant_map_destroy(x->tenants);
	return 0;
}

static void has(const struct otlp_span *span, const char *key, const char *value)
{
	const char *found = NULL;
	size_t i, len = 0;

	for (i = 0; i < span->attrs.len; i++) {
		const struct otlp_attr *a = &span->attrs.list[i];

		if (a->key.len != strlen(key) || memcmp(a->key.ptr, key, a->key.len))
			continue;
		assert_null(found); /* once */
		found = a->value.string.ptr;
		len = a->value.string.len;
	}
	if (!value) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_int_equal(len, strlen(value));
	assert_memory_equal(found, value, len);
}

static void span_has(struct flow_otlp *o, const char *source, const char *destination,
		     const char *if_name, const char *tenant, const char *peer)
{
	struct flow f = sample_flow(IPPROTO_TCP, source, 41234, destination, 80);
	struct flow_report r = {.kind = FLOW_REPORT_ROOT,
				.is_final = true,
				.start_mono_ns = 5 * S,
				.end_mono_ns = 6 * S};
	const struct otlp_span *span;

	f.handshake = (struct flow_handshake){1, 2, 3};
	f.initiator_known = true;
	span = flow_otlp_span(o, &f, &r, if_name);
	has(span, "tenant", tenant);
	has(span, "tenant.peer", peer);
	has(span, "network.interface.name", if_name);
	span = flow_otlp_handshake(o, &f, &r, if_name);
	assert_non_null(span);
	has(span, "tenant", tenant);
	has(span, "tenant.peer", peer);
}

static void test_flow_tenants_are_the_initiators_first(void **state)
{
	struct fixture *x = *state;

	span_has(x->o, "10.1.0.1", "10.2.0.1", "eth1", "blue", "red");
	span_has(x->o, "10.2.0.1", "10.1.0.1", "eth1", "red", "blue");
	span_has(x->o, "10.1.0.1", "10.1.0.2", "eth0", "blue", NULL);
	span_has(x->o, "10.1.0.1", "10.9.0.2", "eth0", "blue", NULL);
	span_has(x->o, "10.9.0.1", "10.2.0.2", "eth0", "red", NULL);
	span_has(x->o, "10.9.0.1", "10.9.0.2", "eth0", "links", NULL);
	span_has(x->o, "10.9.0.1", "10.9.0.2", "eth1", NULL, NULL);
	span_has(x->o, "fd00::1", "fd00::2", "eth1", NULL, NULL);
}

static void test_flow_tenants_are_nobody_without_a_map(void **state)
{
	struct flow_otlp_opts opts = {.active_timeout_ns = 60 * S};
	struct flow_otlp *o;

	(void)state;
	assert_int_equal(flow_otlp_create(&o, &opts), 0);
	span_has(o, "10.1.0.1", "10.2.0.1", "eth0", NULL, NULL);
	flow_otlp_destroy(o);
}

static void test_flow_tenants_of_links_are_the_interfaces(void **state)
{
	struct fixture *x = *state;
	struct world *w;
	void *world;

	assert_int_equal(world_setup(&world), 0);
	w = world;
	w->snapshot.tenants = x->tenants;
	w->snapshot.previous = w->previous;
	w->snapshot.elapsed_ns = S;
	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	world_count(w->counters, 1, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	world_dump(w);
	world_assert_has(w,
			 "xdp.packets.total {packet} sum{network.interface.name=eth0,tenant=links,"
			 "network.io.direction=receive,network.type=ipv4,network.transport=tcp} "
			 "1\n"
			 "xdp.packets.total {packet} sum{network.interface.name=wg0,"
			 "network.io.direction=receive,network.type=ipv4,network.transport=tcp} "
			 "1\n"
			 "xdp.bytes.total By sum{network.interface.name=eth0,tenant=links,");
	world_assert_has(w, "xdp.packets.rate {packet}/s gauge{network.interface.name=eth0,"
			    "tenant=links,");
	world_assert_has(w, "xdp.packet.size By histogram{network.interface.name=eth0,"
			    "tenant=links,");
	world_assert_has(w, "xdp.tcp.segments {segment} sum{network.interface.name=eth0,"
			    "tenant=links,");
	assert_int_equal(world_teardown(&world), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_tenants_are_the_initiators_first),
		cmocka_unit_test(test_flow_tenants_are_nobody_without_a_map),
		cmocka_unit_test(test_flow_tenants_of_links_are_the_interfaces),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
