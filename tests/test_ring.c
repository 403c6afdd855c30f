/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Read by ring.c: what the kernel wrote into the smallest ring there is, many times around. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include "tests/kern_fixture.h"
#include "user/ring.h"

#include <cmocka.h>

#define RING_BYTES 4096
#define FIRST_PORT 1024

static void send_flow(struct kern *k, unsigned i)
{
	struct frame f;

	frame_begin(&f, 0x0800);
	frame_ipv4(&f, "10.0.0.1", "10.0.0.2", 17, 0, 0);
	frame_udp(&f, (uint16_t)(FIRST_PORT + i), 53, 10);
	kern_xdp(k, &f, 1);
}

static void assert_flow(const struct flow_record *r, unsigned i)
{
	assert_int_equal(r->kind, FLOW_RECORD_UPDATE);
	assert_int_equal(ntohs(r->key.port[0]), FIRST_PORT + i);
	assert_int_equal(ntohs(r->key.port[1]), 53);
	assert_int_equal(r->totals[0].pkts, 1);
	assert_int_equal(r->totals[1].pkts, 0);
}

/* A record and its header are 168 bytes: the end of the ring cuts another place of it each time. */
static void test_ring_puts_cut_records_together(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.ring_bytes = RING_BYTES});
	unsigned sent = 0, got = 0, i;

	(void)state;
	while (sent < 3000) {
		for (i = 0; i < 1 + sent % 24; i++)
			send_flow(k, sent + i);
		kern_drain(k);
		assert_int_equal(k->records_len, 1 + sent % 24);
		for (i = 0; i < k->records_len; i++)
			assert_flow(&k->records[i].record, got++);
		sent = got;
	}
	assert_int_equal(kern_ring_stats(k).lost_full, 0);
	kern_close(k);
}

static void test_ring_gives_the_room_back(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.ring_bytes = RING_BYTES});
	struct flow_ring_stats stats;
	unsigned round, i;

	(void)state;
	for (round = 1; round < 100; round++) {
		for (i = 0; i < 50; i++)
			send_flow(k, 50 * round + i);
		kern_drain(k);
		stats = kern_ring_stats(k);
		assert_in_range(k->records_len, 23, 24); /* all that fit */
		assert_int_equal(stats.submitted + stats.lost_full, 50 * round);
		assert_flow(&k->records[0].record, 50 * round);
	}
	kern_close(k);
}

struct few {
	unsigned next, records;
};

static void on_record(void *ctx, const void *record, size_t size)
{
	struct few *few = ctx;

	assert_int_equal(size, sizeof(struct flow_record));
	assert_flow(record, few->next++);
	few->records++;
}

static void test_ring_stops_after_as_many_as_were_asked_for(void **state)
{
	struct kern *k = kern_open((struct kern_opts){.ring_bytes = RING_BYTES});
	struct few few = {0};
	unsigned i;

	(void)state;
	for (i = 0; i < 10; i++)
		send_flow(k, i);
	assert_int_equal(ring_drain(k->ring, 0, on_record, &few), 0);
	assert_int_equal(ring_drain(k->ring, 3, on_record, &few), 3);
	assert_int_equal(few.records, 3);
	assert_int_equal(ring_drain(k->ring, 100, on_record, &few), 7);
	assert_int_equal(ring_drain(k->ring, 100, on_record, &few), 0);
	assert_int_equal(few.records, 10);
	kern_close(k);
}

static void test_ring_says_what_cannot_be_one(void **state)
{
	struct ring *r;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "no_ring", 4, 4, 1, NULL);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ring_open(&r, -1, RING_BYTES), -EBADF);
	assert_null(r);
	assert_true(ring_open(&r, fd, RING_BYTES) < 0);
	assert_null(r);
	ring_close(NULL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_puts_cut_records_together),
		cmocka_unit_test(test_ring_gives_the_room_back),
		cmocka_unit_test(test_ring_stops_after_as_many_as_were_asked_for),
		cmocka_unit_test(test_ring_says_what_cannot_be_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
