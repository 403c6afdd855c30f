/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guard_user - work of one kind, for bench/guard.py to count the instructions of: those of
 * guard_measured(), whatever happens before and after it. Always built optimised and without
 * sanitizers; same work, same order, same numbers each time.
 *
 *	guard_user --key        the compiler and the library that the counts depend on
 *	guard_user WORK [SLOW]  works, and prints of how many items; SLOW: with a needless copy for
 *	                        each item, which a guard has to notice
 */
#include <alloca.h>
#include <arpa/inet.h>
#include <err.h>
#include <gnu/libc-version.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench/bench_spans.h"
#include "bench/typical_flows.h"
#include "user/flow_id.h"
#include "user/flow_otlp.h"
#include "user/outbox.h"
#include "user/prom_text.h"

#define S 1000000000ULL
#define FLOWS 512
#define CAP (1 << 20)
#define IN_LINKS 8

static struct {
	bool is_slow;
	uint8_t request[CAP];
	uint8_t waste[2][4096];
	volatile uint64_t sum; /* of results, so that none is left out */
	struct otlp_encoder *encoder;
	struct outbox *outbox;
	struct flow_otlp *otlp;
	struct flow_table *table;
	uint64_t now_ns;
	uint64_t spans;
	struct typical_flow flows[FLOWS];
	const char *names[IN_LINKS];
	struct flow_counter counters[IN_LINKS * FLOW_COUNTERS_PER_IF];
	struct ledger ledger;
	struct prom_text text;
} g;

static void waste(void)
{
	if (!g.is_slow)
		return;
	memcpy(g.waste[0], g.waste[1], sizeof(g.waste[0]));
	__asm__ volatile("" ::: "memory");
}

/* ---- an exporter that takes everything and gives the buffer back ---- */

bool otlp_exporter_takes(const struct otlp_exporter *x, enum otlp_signal signal)
{
	return x && signal < OTLP_SIGNAL_MAX;
}

uint8_t *otlp_exporter_buffer(struct otlp_exporter *x, size_t size)
{
	return x && size <= CAP ? g.request : NULL;
}

int otlp_exporter_submit(struct otlp_exporter *x, enum otlp_signal signal, uint8_t *data,
			 size_t size, size_t items)
{
	g.sum += size + items + signal;
	return x && data == g.request ? 0 : -1;
}

/* ---- what is worked; each returns how many items that was ---- */

static void setup(void)
{
	static const struct flow_otlp_opts opts = {.site_key = {1, 2, 3, 4},
						   .active_timeout_ns = 60 * S};
	struct outbox_opts outbox = {.exporter = (struct otlp_exporter *)&g,
				     .signal = OTLP_TRACES,
				     .max_items = FLOWS,
				     .max_bytes = CAP};

	if (otlp_encoder_create(&g.encoder, &bench_source) || flow_otlp_create(&g.otlp, &opts))
		errx(EXIT_FAILURE, "create");
	outbox.encoder = g.encoder;
	if (outbox_create(&g.outbox, &outbox))
		errx(EXIT_FAILURE, "create");
}

static size_t work_encode(void)
{
	g.sum += bench_encode(g.encoder, BENCH_SPANS, g.request, CAP);
	return BENCH_SPANS;
}

static size_t work_outbox(void)
{
	const struct otlp_span *spans = bench_spans();
	size_t i;

	for (i = 0; i < BENCH_SPANS; i++) {
		waste();
		if (outbox_add_span(g.outbox, &spans[i], g.now_ns))
			errx(EXIT_FAILURE, "add");
	}
	return BENCH_SPANS;
}

static void make_flows(enum typical_kind kind)
{
	unsigned i;

	for (i = 0; i < FLOWS; i++)
		typical_flow(&g.flows[i], kind, i, 100);
}

static size_t work_spans(void)
{
	size_t i;

	for (i = 0; i < FLOWS; i++) {
		waste();
		g.sum += flow_otlp_span(g.otlp, &g.flows[i].flow, &g.flows[i].report, "eth0")
				 ->attrs.len;
	}
	return FLOWS;
}

static size_t work_handshakes(void)
{
	const struct otlp_span *span;
	size_t i;

	flow_otlp_span(g.otlp, &g.flows[0].flow, &g.flows[0].report, "eth0");
	for (i = 0; i < FLOWS; i++) {
		span = flow_otlp_handshake(g.otlp, &g.flows[i].flow, &g.flows[i].report, "eth0");
		if (!span)
			errx(EXIT_FAILURE, "no handshake");
		waste();
		g.sum += span->attrs.len;
	}
	return FLOWS;
}

static size_t work_community_ids(void)
{
	char text[FLOW_ID_COMMUNITY_CAP];
	size_t i;

	for (i = 0; i < FLOWS; i++) {
		waste();
		g.sum += flow_id_community(&g.flows[i].flow.key, true, text);
	}
	return FLOWS;
}

/* ---- records through a flow table to spans ---- */

static int get_state(void *ctx, const struct flow_key *key, struct flow_state *ret)
{
	(void)ctx;
	memset(ret, 0, sizeof(*ret));
	return key->proto ? -1 : 0;
}

static void on_report(void *ctx, struct flow *f, const struct flow_report *r)
{
	(void)ctx;
	waste();
	g.sum += flow_otlp_span(g.otlp, f, r, "eth0")->attrs.len;
	g.spans++;
	if (flow_otlp_handshake(g.otlp, f, r, "eth0"))
		g.spans++;
}

static void setup_table(void)
{
	struct flow_table_opts opts = {.max_flows = 2 * FLOWS,
				       .active_timeout_ns = 60 * S,
				       .idle_timeout_ns = 15 * S,
				       .tcp_idle_timeout_ns = 30 * S,
				       .linger_ns = 2 * S};
	struct flow_table_ops ops = {get_state, get_state, on_report, NULL};

	setup();
	make_flows(TYPICAL_HTTP);
	g.now_ns = 5 * S;
	if (flow_table_create(&g.table, &opts, &ops))
		errx(EXIT_FAILURE, "create");
}

static void add_record(const struct flow *f, unsigned nr)
{
	static const uint8_t flags[] = {FLOW_TCP_SYN, FLOW_TCP_SYN | FLOW_TCP_ACK,
					FLOW_TCP_ACK, FLOW_TCP_ACK | FLOW_TCP_PSH,
					FLOW_TCP_ACK, FLOW_TCP_ACK};
	static const uint32_t seen[] = {FLOW_SAW_SYN | FLOW_SAW_ISN,
					FLOW_SAW_SYNACK | FLOW_SAW_ISN,
					0,
					FLOW_SAW_DATA,
					0,
					0};
	struct flow_record r = {.version = FLOW_ABI_VERSION,
				.from = nr & 1,
				.tcp_flags = flags[nr],
				.mono_ns = g.now_ns,
				.hash = f->hash,
				.key = f->key,
				.info = f->info};
	const struct flow_record *list[] = {&r};

	r.info.first_mono_ns = 5 * S;
	r.totals[nr & 1] = (struct flow_totals){.pkts = 1 + nr / 2,
						.bytes = 100 + nr,
						.last_mono_ns = g.now_ns,
						.isn = 7,
						.flags = flags[nr] | seen[nr]};
	flow_table_add(g.table, list, 1, 0);
}

/* Six records of each flow, in turn. */
static size_t work_records(void)
{
	unsigned i, nr;

	for (nr = 0; nr < 6; nr++) {
		for (i = 0; i < FLOWS; i++)
			add_record(&g.flows[i].flow, nr);
		g.now_ns += S / 100;
	}
	return (size_t)FLOWS * 6;
}

static size_t work_flow_ends(void)
{
	for (; g.now_ns < 60 * S; g.now_ns += S / 10)
		while (flow_table_advance(g.table, g.now_ns, 16) == 16)
			;
	if (g.spans != 2 * FLOWS)
		errx(EXIT_FAILURE, "%llu spans", (unsigned long long)g.spans);
	return g.spans;
}

static size_t work_flows(void)
{
	work_records();
	return work_flow_ends();
}

/* ---- metrics ---- */

static void setup_metrics(void)
{
	static char names[IN_LINKS][8];
	uint32_t i, k;

	setup();
	for (i = 0; i < IN_LINKS; i++) {
		snprintf(names[i], sizeof(names[i]), "eth%u", i);
		g.names[i] = names[i];
		for (k = 0; k < FLOW_COUNTERS_PER_IF; k += 5) {
			struct flow_counter *c = &g.counters[i * FLOW_COUNTERS_PER_IF + k];

			c->bytes = 12345678ULL * (i + 1);
			c->size[7] = c->kept = 1000 + k;
			c->size[11] = c->not_kept = 100000 * k;
		}
	}
	prom_text_init(&g.text, PROM_TEXT);
}

static int add_metric(void *ctx, const struct otlp_metric *m)
{
	(void)ctx;
	waste();
	prom_text_add(&g.text, m);
	return 0;
}

static size_t work_metrics(void)
{
	struct flow_otlp_snapshot s = {.start_unix_ns = 1000,
				       .time_unix_ns = 2000,
				       .interfaces = IN_LINKS,
				       .if_names = g.names,
				       .counters = g.counters,
				       .ledger = &g.ledger,
				       .sample_n = 100,
				       .cpu_seconds = 1.5,
				       .rss_bytes = 4096,
				       .ring_pressure = 0.25};
	size_t i, lines = 0;

	if (flow_otlp_metrics(g.otlp, &s, add_metric, NULL) || prom_text_end(&g.text))
		errx(EXIT_FAILURE, "metrics");
	for (i = 0; i < g.text.len; i++)
		lines += g.text.data[i] == '\n';
	return lines;
}

/* ---- */

static void setup_spans(void)
{
	setup();
	bench_spans();
	work_encode();
}

#define SETUP_OF(name, kind)                                                                       \
	static void setup_##name(void)                                                             \
	{                                                                                          \
		setup();                                                                           \
		make_flows(kind);                                                                  \
	}
SETUP_OF(dns, TYPICAL_DNS)
SETUP_OF(http, TYPICAL_HTTP)
SETUP_OF(https6, TYPICAL_HTTPS6)
SETUP_OF(interval, TYPICAL_INTERVAL)
SETUP_OF(all, TYPICAL_ALL)

static void setup_ends(void)
{
	setup_table();
	work_records();
}

static const struct work {
	const char *name;
	void (*setup)(void);
	size_t (*work)(void);
} works[] = {
	{"encode", setup_spans, work_encode},
	{"outbox", setup_spans, work_outbox},
	{"span_dns", setup_dns, work_spans},
	{"span_http", setup_http, work_spans},
	{"span_https6", setup_https6, work_spans},
	{"span_interval", setup_interval, work_spans},
	{"span_all", setup_all, work_spans},
	{"handshake", setup_http, work_handshakes},
	{"community_id", setup_http, work_community_ids},
	{"records", setup_table, work_records},
	{"flow_ends", setup_ends, work_flow_ends},
	{"flows", setup_table, work_flows},
	{"metrics", setup_metrics, work_metrics},
};

size_t guard_measured(size_t (*work)(void));

__attribute__((noinline)) size_t guard_measured(size_t (*work)(void))
{
	/* String functions count differently where their strings lie differently in a page:
	 * whatever the environment has put on the stack, begin at the same place. */
	volatile char *gap = alloca(((uintptr_t)__builtin_frame_address(0) & 4095) + 1);
	size_t items;

	*gap = 0;
	items = work();
	__asm__ volatile("" ::: "memory"); /* no tail call: this function must end last */
	return items;
}

static void print_key(void)
{
	struct utsname u;

	if (uname(&u))
		err(EXIT_FAILURE, "uname");
#ifdef __clang__
	printf("clang %d.%d.%d", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
	printf("gcc %s", __VERSION__);
#endif
	printf(", glibc %s, %s\n", gnu_get_libc_version(), u.machine);
}

int main(int argc, char **argv)
{
	const struct work *w = works;

	if (argc > 1 && !strcmp(argv[1], "--key")) {
		print_key();
		return EXIT_SUCCESS;
	}
	while (argc > 1 && w < works + sizeof(works) / sizeof(*works) && strcmp(w->name, argv[1]))
		w++;
	if (argc < 2 || w == works + sizeof(works) / sizeof(*works))
		errx(EXIT_FAILURE, "usage: guard_user --key | WORK [SLOW]");
	g.is_slow = argc > 2;
	w->setup();
	printf("%zu\n", guard_measured(w->work));
	return EXIT_SUCCESS;
}
