/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench_export - what it costs to send flow spans, encoding included, against encoding alone: to a
 * receiver on 127.0.0.1 that throws them away. What counts is the processor time of all threads of
 * this process, the kernel's part of sending included; the receiver is another process. The time on
 * the clock is told beside it. A round is A B A: encode, export, encode; medians with p10..p90 of
 * rounds. So that one sees what of it is the kernel's: the same POSTs on a bare blocking socket.
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/bench_spans.h"
#include "bench/discard.h"
#include "otlp/exporter.h"
#include "user/outbox.h"

#define ROUNDS 11
#define EXPORT_TARGET 2 /* times encoding alone */
#define SPANS_A_ROUND (1 << 17)
#define SPAN_BYTES_MAX 640
#define ITEM_BYTES 1024 /* room that a worker takes for a span */
#define BATCH_MAX 4096
#define WAITING_MAX 16 /* requests */
#define POLL_US 50

struct cost {
	double cpu_ns; /* a span */
	double wall_ns;
};

static struct otlp_encoder *encoder;
static struct otlp_exporter *exporter;
static struct outbox *outbox; /* of the present batch */
static int bare_socket;
static size_t batch; /* spans in a request */
static uint8_t encoded[BATCH_MAX * SPAN_BYTES_MAX];

static uint64_t queued(void)
{
	struct otlp_signal_stats stats;

	otlp_exporter_stats(exporter, 0, OTLP_TRACES, &stats);
	if (stats.dropped[OTLP_DROP_QUEUE_FULL] || stats.dropped[OTLP_DROP_REFUSED] ||
	    stats.retries)
		errx(EXIT_FAILURE, "the receiver did not take everything");
	return stats.queued;
}

/* Seldom, so that asking costs nothing. */
static void wait_for_room(uint64_t most)
{
	if (queued() <= most)
		return;
	do
		usleep(POLL_US);
	while (queued() > most / 2);
}

/* Returns the size. */
static size_t encode_batch(void)
{
	return bench_encode(encoder, batch, encoded, sizeof(encoded));
}

static void encode_once(void)
{
	encode_batch();
}

/* As a worker does it. */
static void export_once(void)
{
	const struct otlp_span *list = bench_spans();
	size_t i;

	for (i = 0; i < batch; i++)
		if (outbox_add_span(outbox, &list[i % BENCH_SPANS], 0))
			errx(EXIT_FAILURE, "outbox");
	wait_for_room(WAITING_MAX * batch);
}

static void create_outbox(void)
{
	struct outbox_opts opts = {.encoder = encoder,
				   .exporter = exporter,
				   .signal = OTLP_TRACES,
				   .max_items = batch,
				   .max_bytes = batch * ITEM_BYTES};

	if (outbox_create(&outbox, &opts))
		err(EXIT_FAILURE, "outbox");
}

static void post_once(void)
{
	size_t size = encode_batch(), sent;
	char head[128], answer[256];
	ssize_t n = snprintf(head, sizeof(head),
			     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", size);

	if (send(bare_socket, head, (size_t)n, MSG_MORE | MSG_NOSIGNAL) != n)
		err(EXIT_FAILURE, "send");
	for (sent = 0; sent < size; sent += (size_t)n) {
		n = send(bare_socket, encoded + sent, size - sent, MSG_NOSIGNAL);
		if (n < 0)
			err(EXIT_FAILURE, "send");
	}
	if (recv(bare_socket, answer, sizeof(answer), 0) <= 0)
		err(EXIT_FAILURE, "no answer");
}

static void open_bare_socket(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port)};

	bare_socket = socket(AF_INET, SOCK_STREAM, 0);
	if (bare_socket < 0 || connect(bare_socket, (struct sockaddr *)&to, sizeof(to)))
		err(EXIT_FAILURE, "connect");
}

static struct cost measure(void (*run)(void))
{
	size_t requests = SPANS_A_ROUND / batch, i;
	double cpu, wall;

	run();
	wait_for_room(0);
	cpu = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID);
	wall = bench_now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < requests; i++)
		run();
	wait_for_room(0);
	return (struct cost){
		.cpu_ns = (bench_now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / SPANS_A_ROUND,
		.wall_ns = (bench_now_ns(CLOCK_MONOTONIC) - wall) / SPANS_A_ROUND,
	};
}

static void print_row(const char *what, const char *unit, enum bench_better better, double *values)
{
	char name[80];
	struct bench_row row = {name, unit, better, EXPORT_TARGET};

	snprintf(name, sizeof(name), "%s, batches of %zu", what, batch);
	bench_row(&row, values, bench_runs(ROUNDS));
}

static void bench_batches(size_t spans)
{
	double encode[ROUNDS], export[ROUNDS], wall[ROUNDS], cpu_ratio[ROUNDS], wall_ratio[ROUNDS];
	double bare_ratio[ROUNDS], a;
	struct cost before, own, after;
	size_t rounds = bench_runs(ROUNDS), i;

	batch = spans;
	create_outbox();
	for (i = 0; i < rounds; i++) {
		before = measure(encode_once);
		own = measure(export_once);
		after = measure(encode_once);
		a = (before.cpu_ns + after.cpu_ns) / 2;
		encode[i] = a / 1e3;
		export[i] = own.cpu_ns / 1e3;
		wall[i] = own.wall_ns / 1e3;
		cpu_ratio[i] = own.cpu_ns / a;
		bare_ratio[i] = measure(post_once).cpu_ns / a;
		wall_ratio[i] = own.wall_ns / ((before.wall_ns + after.wall_ns) / 2);
	}
	print_row("encode alone, CPU a span", "us", BENCH_LOWER, encode);
	print_row("export, CPU a span", "us", BENCH_LOWER, export);
	print_row("export, clock a span", "us", BENCH_LOWER, wall);
	print_row("export against encode, CPU", "x", BENCH_AT_MOST, cpu_ratio);
	print_row("export against encode, clock", "x", BENCH_LOWER, wall_ratio);
	print_row("encode + bare socket against encode, CPU", "x", BENCH_NEITHER, bare_ratio);
	outbox_destroy(outbox);
}

int main(void)
{
	char url[64];
	struct otlp_destination to = {.target[OTLP_TRACES] = {.url = url, .timeout_ms = 10000}};
	struct otlp_exporter_opts opts = {
		.destinations = &to, .destinations_len = 1, .queue_bytes = (size_t)128 << 20};
	char error[OTLP_ERROR_CAP] = "no memory";
	uint16_t port;
	pid_t receiver;

	port = discard_start(&receiver);
	open_bare_socket(port);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1/traces", port);
	if (otlp_encoder_create(&encoder, &bench_source) ||
	    otlp_exporter_create(&exporter, &opts, error))
		errx(EXIT_FAILURE, "exporter: %s", error);
	bench_print_machine();
	bench_batches(512);
	bench_batches(BATCH_MAX);
	otlp_exporter_stop(exporter, 1000);
	otlp_exporter_destroy(exporter);
	otlp_encoder_destroy(encoder);
	close(bare_socket);
	discard_stop(receiver);
	return EXIT_SUCCESS;
}
