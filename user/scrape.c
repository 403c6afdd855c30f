/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Texts are made when somebody may want them, not when somebody does: so nobody who fetches one has
 * to wait, and no number of them costs the main thread more than one.
 */
#include "user/scrape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/clock.h"
#include "user/json.h"
#include "user/log.h"
#include "user/pull.h"

#define SCRAPE_SECOND_NS 1000000000ULL
#define SCRAPE_SOON_NS (900 * 1000000ULL) /* ticks come a little more than a second apart */
#define SCRAPE_SELDOM_NS (10 * SCRAPE_SECOND_NS)
#define SCRAPE_INTEREST_NS (60 * SCRAPE_SECOND_NS)
#define SCRAPE_SHARE 10 /* making texts takes at most one part in so many */

struct scrape {
	const struct options *options;
	const struct probe *probe;
	struct pull_board *board;
	struct pull *pull;
	struct otlp_attr *resource;
	uint64_t made_mono_ns, took_ns;
	bool has_said_skipped;
	struct pull_stats stats;

	size_t counters_len;
	struct flow_counter *before; /* when the last whole interval began */
	uint64_t before_mono_ns;

	/* What has been exported, and when that last grew; 0: never. */
	uint64_t exported[LEDGER_DESTINATIONS][OTLP_SIGNAL_MAX];
	uint64_t grew_mono_ns[LEDGER_DESTINATIONS][OTLP_SIGNAL_MAX];
};

static struct otlp_attr *copy_resource(const struct options *o)
{
	struct otlp_attr *ret = calloc(o->resource_len + 1, sizeof(*ret));
	size_t i;

	for (i = 0; ret && i < o->resource_len; i++) {
		const struct options_pair *pair = &o->resource[i];

		ret[i].key = (struct otlp_str){pair->name, strlen(pair->name)};
		ret[i].value.string = (struct otlp_str){pair->value, strlen(pair->value)};
	}
	return ret;
}

int scrape_open(struct scrape **ret, const struct options *o, const struct probe *probe)
{
	struct scrape *s;
	int err = -ENOMEM;

	*ret = NULL;
	if (!o->metrics_listen)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		goto fail;
	s->options = o;
	s->probe = probe;
	s->before_mono_ns = clock_mono_ns();
	s->counters_len = probe_interfaces(probe) * FLOW_COUNTERS_PER_IF;
	s->before = calloc(s->counters_len, sizeof(*s->before));
	s->resource = copy_resource(o);
	if (!s->before || !s->resource)
		goto fail;
	if (pull_board_create(&s->board))
		goto fail;
	err = pull_open(&s->pull, o, s->board);
	if (!err) {
		*ret = s;
		return 0;
	}
	scrape_close(s);
	return err;
fail:
	log_error("--metrics-listen %s: %s", o->metrics_listen, strerror(-err));
	scrape_close(s);
	return err;
}

void scrape_close(struct scrape *s)
{
	if (!s)
		return;
	pull_close(s->pull);
	pull_board_destroy(s->board);
	free(s->before);
	free(s->resource);
	free(s);
}

/* ---- numbers ---- */

static bool is_wanted(const struct scrape *s, enum prom_format format, uint64_t now_mono_ns)
{
	uint64_t asked_ns = pull_board_asked_mono_ns(s->board, format);

	return asked_ns && now_mono_ns < asked_ns + SCRAPE_INTEREST_NS;
}

bool scrape_is_due(const struct scrape *s, uint64_t now_mono_ns)
{
	uint64_t since_ns;

	if (!s)
		return false;
	since_ns = now_mono_ns - s->made_mono_ns;
	if (since_ns < s->took_ns * SCRAPE_SHARE)
		return false;
	return since_ns >= SCRAPE_SELDOM_NS ||
	       (since_ns >= SCRAPE_SOON_NS && (is_wanted(s, PROM_TEXT, now_mono_ns) ||
					       is_wanted(s, PROM_OPENMETRICS, now_mono_ns)));
}

static int scrape_add(void *ctx, const struct otlp_metric *metric)
{
	prom_text_add(ctx, metric);
	return 0;
}

static void scrape_make_one(struct scrape *s, struct flow_otlp *otlp,
			    const struct flow_otlp_snapshot *snapshot, enum prom_format format)
{
	struct prom_text text;
	int err;

	prom_text_init(&text, format);
	prom_text_source(&text, (struct otlp_attrs){s->resource, s->options->resource_len});
	err = flow_otlp_metrics(otlp, snapshot, scrape_add, &text);
	if (!err)
		err = prom_text_end(&text);
	if (err)
		log_warn("metrics for those who fetch them stay old: %s", strerror(-err));
	else
		pull_board_publish(s->board, &text);
	if (text.skipped && !s->has_said_skipped)
		log_warn("%zu metrics have no name in Prometheus", text.skipped);
	s->has_said_skipped |= text.skipped;
	prom_text_reset(&text);
}

void scrape_make(struct scrape *s, struct flow_otlp *otlp,
		 const struct flow_otlp_snapshot *snapshot, uint64_t now_mono_ns, bool is_interval)
{
	struct flow_otlp_snapshot now = *snapshot;
	uint64_t begun_ns = clock_mono_ns();
	enum prom_format format;

	if (!s)
		return;
	if (is_interval) {
		memcpy(s->before, now.previous, s->counters_len * sizeof(*s->before));
		s->before_mono_ns = now_mono_ns - now.elapsed_ns;
	} else {
		now.previous = s->before;
		now.elapsed_ns = now_mono_ns - s->before_mono_ns;
	}
	/* what nobody wants now is made often enough that it is not old when somebody does */
	for (format = 0; format < PROM_FORMATS; format++)
		if (is_interval || now_mono_ns - s->made_mono_ns >= SCRAPE_SELDOM_NS ||
		    is_wanted(s, format, now_mono_ns))
			scrape_make_one(s, otlp, &now, format);
	s->made_mono_ns = now_mono_ns;
	s->took_ns = clock_mono_ns() - begun_ns;
}

const struct pull_stats *scrape_stats(struct scrape *s)
{
	if (!s)
		return NULL;
	pull_board_stats(s->board, &s->stats);
	return &s->stats;
}

/* ---- how we are ---- */

static void note_exports(struct scrape *s, const struct ledger *l, uint64_t now_mono_ns)
{
	size_t d, signal;

	for (d = 0; d < l->destinations_len; d++) {
		for (signal = 0; signal < OTLP_SIGNAL_MAX; signal++) {
			if (l->signal[d][signal].exported > s->exported[d][signal])
				s->grew_mono_ns[d][signal] = now_mono_ns;
			s->exported[d][signal] = l->signal[d][signal].exported;
		}
	}
}

static void write_exports(const struct scrape *s, struct json *j, const struct ledger *l,
			  uint64_t now_mono_ns)
{
	static const char *const signals[OTLP_SIGNAL_MAX] = {
		[OTLP_TRACES] = "traces", [OTLP_METRICS] = "metrics", [OTLP_LOGS] = "logs"};
	size_t d, signal;

	json_open_array(j, "exports");
	for (d = 0; d < l->destinations_len; d++) {
		for (signal = 0; signal < OTLP_SIGNAL_MAX; signal++) {
			uint64_t grew_ns = s->grew_mono_ns[d][signal];

			if (!l->target[d][signal].label)
				continue;
			json_open_object(j, NULL);
			json_add_uint(j, "destination", d + 1);
			json_add_text(j, "signal", signals[signal]);
			json_add_uint(j, "waiting", l->signal[d][signal].queued);
			if (grew_ns)
				json_add_uint(j, "seconds_since_success",
					      (now_mono_ns - grew_ns) / SCRAPE_SECOND_NS);
			else
				json_add_text(j, "seconds_since_success", NULL);
			json_close(j);
		}
	}
	json_close(j);
}

void scrape_tick(struct scrape *s, enum scrape_state state, const struct ledger *l,
		 uint64_t now_mono_ns)
{
	static const char *const states[] = {[SCRAPE_STARTING] = "starting",
					     [SCRAPE_READY] = "ready",
					     [SCRAPE_STOPPING] = "stopping"};
	char text[PULL_STATE_CAP] = "";
	struct probe_if_status status;
	struct json j;
	FILE *out;
	size_t i;

	if (!s)
		return;
	note_exports(s, l, now_mono_ns);
	out = fmemopen(text, sizeof(text) - 1, "w");
	if (out) {
		json_init(&j, out);
		json_open_object(&j, NULL);
		json_add_text(&j, "state", states[state]);
		json_open_array(&j, "interfaces");
		for (i = 0; i < probe_interfaces(s->probe); i++) {
			probe_if_status(s->probe, i, &status);
			if (!status.is_gone)
				json_add_text(&j, NULL, status.name);
		}
		json_close(&j);
		write_exports(s, &j, l, now_mono_ns);
		json_close(&j);
		fputc('\n', out);
		fclose(out);
	}
	pull_board_tick(s->board, state == SCRAPE_READY, text, now_mono_ns);
}
