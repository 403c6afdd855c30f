/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/control_status.h"

#include <inttypes.h>
#include <unistd.h>

#include "user/clock.h"
#include "user/flow_id.h"
#include "user/flow_text.h"
#include "user/json.h"

static const char *const signal_names[OTLP_SIGNAL_MAX] = {"traces", "metrics", "logs"};

/* All numbers of a moment. */
struct status {
	const char *filter; /* NULL: none */
	double uptime_s;
	struct probe_sampling sampling;
	struct auto_control_status rate;
	char th[15];
	struct probe_if_status ifs[FLOW_MAX_IFS];
	struct console_rates rates[FLOW_MAX_IFS];
	size_t ifs_len;
	double ring_pressure;
	bool decap;
	struct ledger ledger;
};

static void status_read(const struct control_opts *o, uint64_t begun_mono_ns, struct status *s)
{
	uint64_t threshold;
	size_t i;

	s->filter = o->options->filter;
	s->uptime_s = (double)(clock_mono_ns() - begun_mono_ns) / 1e9;
	probe_sampling(o->probe, &s->sampling);
	options_sample_threshold(s->sampling.n, &threshold, s->th);
	auto_control_status(o->rate, &s->rate);
	meter_ledger(o->meter, &s->ledger);
	meter_rates(o->meter, s->rates);
	s->ring_pressure = meter_ring_pressure(o->meter);
	s->decap = o->options->decap;
	s->ifs_len = probe_interfaces(o->probe);
	for (i = 0; i < s->ifs_len; i++)
		probe_if_status(o->probe, i, &s->ifs[i]);
}

/* ---- for people ---- */

static void status_direction(const char *way, double pps, double bps, uint64_t pkts, uint64_t bytes,
			     FILE *out)
{
	static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
	char total[32];
	unsigned u = 0;

	for (; bps >= 999.95 && u < 4; u++)
		bps /= 1000;
	flow_text_bytes(bytes, total, sizeof(total));
	fprintf(out, "    %-9s %.0f packets/s, %.1f %s; so far %" PRIu64 " packets, %s\n", way, pps,
		bps, units[u], pkts, total);
}

static void status_text_queues(const struct ledger *l, FILE *out)
{
	size_t d, s;

	for (d = 0; d < l->destinations_len; d++)
		for (s = 0; s < OTLP_SIGNAL_MAX; s++)
			if (l->target[d][s].label)
				fprintf(out,
					"  %-8s %" PRIu64 " items in %" PRIu64
					" requests wait for %s\n",
					signal_names[s], l->signal[d][s].queued,
					l->signal[d][s].queued_requests, l->target[d][s].label);
}

static void status_text_budget(const struct auto_control_status *rate, FILE *out)
{
	const struct auto_budget *b = &rate->budget;
	const double limits[AUTO_ITEMS] = {b->spans_per_s, b->records_per_s, b->cpu_cores,
					   b->ring_share};
	char limit[AUTO_LIMIT_CAP];
	unsigned i, said = 0;

	for (i = 0; i < AUTO_ITEMS; i++)
		if (limits[i] > 0)
			fprintf(out, "%s%.0f %% of %s in use", said++ ? ", " : "; budget: ",
				rate->used[i] * 100, auto_control_limit(b, i, limit));
	if (!said)
		fputs("; no budget", out);
}

static void status_text(const struct status *s, FILE *out)
{
	const struct ledger *l = &s->ledger;
	char up[32];
	size_t i;

	flow_text_duration((uint64_t)(s->uptime_s * 1e9), up, sizeof(up));
	fprintf(out, "ringspan " RINGSPAN_VERSION ", process %d, up %s\n", (int)getpid(), up);
	if (s->sampling.mode == OPTIONS_SAMPLE_PACKET)
		fprintf(out, "sampling: 1 packet in %" PRIu64, s->sampling.n);
	else
		fprintf(out, "sampling: 1 flow in %" PRIu64 " (th:%s)", s->sampling.n, s->th);
	if (s->rate.is_auto) {
		fprintf(out, ", auto");
		status_text_budget(&s->rate, out);
	}
	if (s->sampling.floor < s->sampling.threshold)
		fprintf(out, "; flows that began at up to 1 in %" PRIu64 " go on",
			flow_id_interval(s->sampling.floor));
	if (s->filter)
		fprintf(out, "\nfilter: %s", s->filter);
	fprintf(out, "\ntunnels: flows are those %s\ninterfaces:\n",
		s->decap ? "inside" : "of the tunnels themselves");
	for (i = 0; i < s->ifs_len; i++) {
		const struct console_rates *r = &s->rates[i];

		fprintf(out, "  %s (%s): receive by %s, transmit by TC egress (%s)\n",
			s->ifs[i].name,
			s->ifs[i].is_gone ? "gone"
			: s->ifs[i].is_up ? "up"
					  : "down",
			s->ifs[i].receive, s->ifs[i].transmit);
		status_direction("receive", r->rx_pps, r->rx_bps, r->rx_pkts, r->rx_bytes, out);
		status_direction("transmit", r->tx_pps, r->tx_bps, r->tx_pkts, r->tx_bytes, out);
	}
	fprintf(out,
		"flows: %" PRIu64 " held, %" PRIu64 " ended; %" PRIu64
		" spans made; fullest ring %.1f %% full\n",
		l->flows_held, l->flows_ended, l->spans_made, s->ring_pressure * 100);
	if (l->has_stream)
		fprintf(out,
			"stream: %" PRIu64 " subscriber%s; %" PRIu64
			" flows published, %" PRIu64 " messages lost by slow subscribers\n",
			l->stream.subscribers, l->stream.subscribers == 1 ? "" : "s",
			l->stream.flows, l->stream.lost);
	fprintf(out, "queues:%s\n", l->destinations_len ? "" : " none");
	status_text_queues(l, out);
	ledger_print(l, out);
}

/* ---- for programs ---- */

static void status_json_direction(struct json *j, const char *way, double pps, double bps,
				  uint64_t pkts, uint64_t bytes)
{
	json_open_object(j, way);
	json_add_uint(j, "packets", pkts);
	json_add_uint(j, "bytes", bytes);
	json_add_number(j, "packets_per_second", pps);
	json_add_number(j, "bits_per_second", bps);
	json_close(j);
}

static void status_json_interfaces(struct json *j, const struct status *s)
{
	size_t i;

	json_open_array(j, "interfaces");
	for (i = 0; i < s->ifs_len; i++) {
		const struct console_rates *r = &s->rates[i];

		json_open_object(j, NULL);
		json_add_text(j, "name", s->ifs[i].name);
		json_add_text(j, "receive_by", s->ifs[i].receive);
		json_add_text(j, "transmit_by", s->ifs[i].transmit);
		json_add_text(j, "state",
			      s->ifs[i].is_gone ? "gone"
			      : s->ifs[i].is_up ? "up"
						: "down");
		status_json_direction(j, "receive", r->rx_pps, r->rx_bps, r->rx_pkts, r->rx_bytes);
		status_json_direction(j, "transmit", r->tx_pps, r->tx_bps, r->tx_pkts, r->tx_bytes);
		json_close(j);
	}
	json_close(j);
}

static void status_json_queues(struct json *j, const struct ledger *l)
{
	size_t d, s;

	json_open_array(j, "queues");
	for (d = 0; d < l->destinations_len; d++)
		for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
			if (!l->target[d][s].label)
				continue;
			json_open_object(j, NULL);
			json_add_uint(j, "destination", d + 1);
			json_add_text(j, "signal", signal_names[s]);
			json_add_text(j, "url", l->target[d][s].label);
			json_add_uint(j, "items", l->signal[d][s].queued);
			json_add_uint(j, "requests", l->signal[d][s].queued_requests);
			json_add_uint(j, "bytes", l->signal[d][s].queued_bytes);
			json_add_uint(j, "exported", l->signal[d][s].exported);
			json_close(j);
		}
	json_close(j);
}

static void status_json_shares(struct json *j, const char *key, const struct ledger_share *share,
			       unsigned len)
{
	unsigned i;

	json_open_object(j, key);
	for (i = 0; i < len; i++)
		json_add_uint(j, share[i].reason, share[i].count);
	json_close(j);
}

static void status_json_ledger(struct json *j, const struct ledger *l)
{
	struct ledger_row rows[LEDGER_ROWS_MAX];
	unsigned len = ledger_rows(l, rows), i;

	json_open_array(j, "ledger");
	for (i = 0; i < len; i++) {
		json_open_object(j, NULL);
		json_add_text(j, "stage", rows[i].stage);
		if (rows[i].destination)
			json_add_uint(j, "destination", rows[i].destination);
		json_add_uint(j, "in", rows[i].in);
		json_add_uint(j, "out", rows[i].out);
		json_add_uint(j, "held", rows[i].held);
		status_json_shares(j, "aside", rows[i].aside, rows[i].aside_len);
		status_json_shares(j, "lost", rows[i].lost, rows[i].lost_len);
		json_add_bool(j, "closed", rows[i].is_closed);
		json_close(j);
	}
	json_close(j);
}

static void status_json_stream(struct json *j, const struct stream_stats *s)
{
	json_open_object(j, "stream");
	json_add_uint(j, "subscribers", s->subscribers);
	json_add_uint(j, "flows", s->flows);
	json_add_uint(j, "messages", s->for_subscribers);
	json_add_uint(j, "sent", s->sent);
	json_add_uint(j, "waiting", s->waiting);
	json_add_uint(j, "unread", s->unread);
	json_add_uint(j, "lost", s->lost);
	json_add_uint(j, "turned_away", s->turned_away);
	json_close(j);
}

static void status_json_budget(struct json *j, const struct auto_control_status *rate)
{
	const struct auto_budget *b = &rate->budget;
	const double limits[AUTO_ITEMS] = {b->spans_per_s, b->records_per_s, b->cpu_cores,
					   b->ring_share};
	unsigned i;

	json_open_object(j, "budget");
	for (i = 0; i < AUTO_ITEMS; i++) {
		if (limits[i] <= 0)
			continue;
		json_open_object(j, auto_item_name(i));
		json_add_number(j, "limit", limits[i]);
		json_add_number(j, "used", rate->used[i]);
		json_close(j);
	}
	json_close(j);
}

static void status_json_sampling(struct json *j, const struct status *s)
{
	bool by_packets = s->sampling.mode == OPTIONS_SAMPLE_PACKET;

	json_open_object(j, "sampling");
	json_add_text(j, "mode", by_packets ? "packet" : "flow");
	json_add_uint(j, "interval", s->sampling.n);
	if (!by_packets) {
		json_add_text(j, "threshold", s->th);
		json_add_uint(j, "lowest_interval_alive", flow_id_interval(s->sampling.floor));
	}
	json_add_bool(j, "auto", s->rate.is_auto);
	if (s->rate.is_auto)
		status_json_budget(j, &s->rate);
	json_close(j);
}

static void status_json(const struct status *s, FILE *out)
{
	const struct ledger *l = &s->ledger;
	struct json j;

	json_init(&j, out);
	json_open_object(&j, NULL);
	json_add_text(&j, "version", RINGSPAN_VERSION);
	json_add_uint(&j, "pid", (uint64_t)getpid());
	json_add_number(&j, "uptime_seconds", s->uptime_s);
	status_json_sampling(&j, s);
	if (s->filter)
		json_add_text(&j, "filter", s->filter);
	json_add_bool(&j, "decap", s->decap);
	status_json_interfaces(&j, s);
	json_open_object(&j, "flows");
	json_add_uint(&j, "begun", l->flows_begun);
	json_add_uint(&j, "ended", l->flows_ended);
	json_add_uint(&j, "held", l->flows_held);
	json_close(&j);
	json_add_uint(&j, "spans", l->spans_made);
	json_add_number(&j, "ring_pressure", s->ring_pressure);
	if (l->has_stream)
		status_json_stream(&j, &l->stream);
	status_json_queues(&j, l);
	status_json_ledger(&j, l);
	json_close(&j);
	fputc('\n', out);
}

void control_status_write(const struct control_opts *o, uint64_t begun_mono_ns, bool json,
			  FILE *out)
{
	struct status s;

	status_read(o, begun_mono_ns, &s);
	if (json)
		status_json(&s, out);
	else
		status_text(&s, out);
}
