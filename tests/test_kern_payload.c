/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What leaves the kernel of a packet's content: the beginning of HTTP requests, if that was asked
 * for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/kern_fixture.h"

#include <cmocka.h>
#include <netinet/in.h>

static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
#define REQUEST_LEN (sizeof(request) - 1)

static void ask_for_links(struct flow_bpf *skel)
{
	skel->rodata->trace_links = true;
}

static struct kern *open_links(void)
{
	return kern_open((struct kern_opts){.prepare = ask_for_links});
}

/* A segment with this payload; @length is what the IP header says of it. */
static void segment(struct frame *f, const char *text, size_t len, size_t length)
{
	frame_begin(f, 0x0800);
	frame_ipv4(f, "10.0.0.1", "10.0.0.2", IPPROTO_TCP, 0, 0);
	frame_tcp(f, 5000, 80, FLOW_TCP_ACK, 1, length);
	f->len = f->len - length + len;
	memcpy(f->data + f->len - len, text, len);
}

static const struct flow_record_payload *told(struct kern *k)
{
	kern_drain(k);
	return kern_last_of_kind(k, FLOW_RECORD_PAYLOAD) ? &k->payload : NULL;
}

static void test_kern_payload_leaves_only_when_asked_for(void **state)
{
	struct kern *k = kern_open((struct kern_opts){});
	struct frame f;

	(void)state;
	segment(&f, request, REQUEST_LEN, REQUEST_LEN);
	kern_xdp(k, &f, 1);
	kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
	assert_null(told(k));
	kern_close(k);
}

static void test_kern_payload_is_the_request_and_whose_it_is(void **state)
{
	const struct flow_record_payload *r;
	struct kern *k = open_links();
	struct frame f;
	int hook;

	(void)state;
	segment(&f, request, REQUEST_LEN, REQUEST_LEN);
	frame_fill(&f, 7); /* padding is none of it */
	for (hook = 0; hook < FLOW_HOOK_MAX; hook++) {
		if (hook == FLOW_RECEIVE)
			kern_xdp(k, &f, 1);
		else
			kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
		r = told(k);
		assert_non_null(r);
		assert_int_equal(r->record.version, FLOW_ABI_VERSION);
		assert_int_equal(r->record.hook, hook);
		assert_int_equal(r->len, REQUEST_LEN);
		assert_memory_equal(r->data, request, r->len);
		assert_memory_equal(&r->record.key, &k->records[0].record.key,
				    sizeof(r->record.key));
		assert_true(r->record.hash == k->records[0].record.hash);
		assert_int_equal(r->record.from, k->records[0].record.from);
	}
	kern_close(k);
}

static void test_kern_payload_knows_requests(void **state)
{
	static const struct {
		const char *text;
		bool is_told;
	} cases[] = {
		{"GET / HTTP/1.1\r\n", true},
		{"HEAD / HTTP/1.1\r\n", true},
		{"POST / HTTP/1.1\r\n", true},
		{"PUT / HTTP/1.1\r\n", true},
		{"DELETE / HTTP/1.1\r\n", true},
		{"PATCH / HTTP/1.1\r\n", true},
		{"OPTIONS * HTTP/1.1\r\n", true},
		{"HTTP/1.1 200 OK\r\n", false},
		{"\x16\x03\x01\x02", false},
		{"get / HTTP/1.1\r\n", false},
		{"PRI * HTTP/2.0\r\n\r\n", false},
		{"GET", false},
		{"", false},
	};
	struct kern *k = open_links();
	struct frame f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		segment(&f, cases[i].text, strlen(cases[i].text), strlen(cases[i].text));
		kern_xdp(k, &f, 1);
		assert_int_equal(told(k) != NULL, cases[i].is_told);
		kern_tc(k->skel->progs.ringspan_tc_tx, &f, NULL);
		assert_int_equal(told(k) != NULL, cases[i].is_told);
	}
	kern_close(k);
}

static void test_kern_payload_is_bounded(void **state)
{
	struct kern *k = open_links();
	char text[FLOW_PAYLOAD_MAX + 1];
	struct frame f;
	size_t len;
	int i, n = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "GET /", 5);
	for (len = FLOW_PAYLOAD_MAX - 1; len <= FLOW_PAYLOAD_MAX + 1; len++, n++) {
		segment(&f, text, len, len);
		kern_tc(k->skel->progs.ringspan_tc_rx, &f, NULL);
		assert_non_null(told(k));
		assert_int_equal(k->payload.len, len < FLOW_PAYLOAD_MAX ? len : FLOW_PAYLOAD_MAX);
		assert_memory_equal(k->payload.data, text, k->payload.len);
	}
	/* the IP header says more than there is */
	segment(&f, request, REQUEST_LEN, 200);
	kern_xdp(k, &f, 1);
	assert_non_null(told(k));
	assert_int_equal(k->payload.len, 0);
	/* so many of one connection, and no more */
	segment(&f, request, REQUEST_LEN, REQUEST_LEN);
	for (i = n + 1; i < FLOW_REQUESTS_MAX; i++) {
		kern_xdp(k, &f, 1);
		assert_non_null(told(k));
	}
	kern_xdp(k, &f, 1);
	assert_null(told(k));
	kern_close(k);
}

static void test_kern_payload_of_flows_that_are_not_kept_stays(void **state)
{
	struct kern *k = open_links();
	struct frame f;

	(void)state;
	k->skel->bss->sample_threshold = FLOW_R_MASK;
	segment(&f, request, REQUEST_LEN, REQUEST_LEN);
	kern_xdp(k, &f, 1);
	assert_null(told(k));
	kern_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_payload_leaves_only_when_asked_for),
		cmocka_unit_test(test_kern_payload_is_the_request_and_whose_it_is),
		cmocka_unit_test(test_kern_payload_knows_requests),
		cmocka_unit_test(test_kern_payload_is_bounded),
		cmocka_unit_test(test_kern_payload_of_flows_that_are_not_kept_stays),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: loading BPF programs needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
