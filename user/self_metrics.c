/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ringspan.*: the ledger, the queues and the own cost. Losses are there from the start, with every
 * reason: an alert must be able to tell "nothing lost" from "nothing known".
 */
#include <stddef.h>

#include "user/flow_names.h"
#include "user/metric_writer.h"

static const char *const signals[OTLP_SIGNAL_MAX] = {
	[OTLP_TRACES] = "traces",
	[OTLP_METRICS] = "metrics",
	[OTLP_LOGS] = "logs",
};

static void add_loss(struct metric_writer *w, const char *stage, const char *reason, uint64_t count)
{
	metric_count(w, NAME_STAGE, stage, count);
	metric_attr(w, NAME_REASON, reason);
}

static int emit_losses(struct metric_writer *w)
{
	static const struct metric_about about = {
		NAME_LOSSES, "{item}", METRIC_COUNTER,
		"What was lost, by stage and reason; all reasons always"};
	const struct ledger *l = w->s->ledger;
	const __u64 *kern = l->kern.stat;
	struct ledger_row rows[LEDGER_ROWS_MAX];
	unsigned len = ledger_rows(l, rows), row, i;

	for (row = 0; row < len; row++) {
		for (i = 0; i < rows[row].lost_len; i++) {
			add_loss(w, rows[row].stage, rows[row].lost[i].reason,
				 rows[row].lost[i].count);
			if (rows[row].destination)
				metric_destination(w, rows[row].destination,
						   rows[row].server_address);
		}
	}
	/* nothing is missing from a sum for these: a flow is told of packet by packet, or two
	 * connections as one */
	add_loss(w, "flow_state", "map_full", kern[FLOW_STAT_STATE_FULL]);
	add_loss(w, "flow_state", "no_memory", kern[FLOW_STAT_STATE_NOMEM]);
	add_loss(w, "flow_state", "busy", kern[FLOW_STAT_STATE_BUSY]);
	add_loss(w, "flow_state", "other", kern[FLOW_STAT_STATE_OTHER]);
	add_loss(w, "generations", "ring_full", kern[FLOW_STAT_NEXT_GEN_LOST]);
	return metric_end(w, &about);
}

static int emit_packets_and_records(struct metric_writer *w)
{
	static const struct metric_about packets = {NAME_PACKETS, "{packet}", METRIC_COUNTER,
						    "Packets: seen = kept + not_kept + no_flow + "
						    "filtered"};
	static const struct metric_about records = {
		NAME_RECORDS, "{record}", METRIC_COUNTER,
		"Ring records: submitted = consumed + strangers + held; lost: no room"};
	static const struct metric_about held = {NAME_RECORDS_HELD, "{record}", METRIC_GAUGE,
						 "Records waiting in the rings"};
	const struct ledger *l = w->s->ledger;
	int err;

	metric_count(w, NAME_STAGE, "seen", l->pkts_seen);
	metric_count(w, NAME_STAGE, "kept", l->pkts_kept);
	metric_count(w, NAME_STAGE, "not_kept", l->pkts_not_kept);
	metric_count(w, NAME_STAGE, "no_flow", l->pkts_no_flow);
	metric_count(w, NAME_STAGE, "filtered", l->pkts_filtered);
	err = metric_end(w, &packets);
	if (err)
		return err;
	metric_count(w, NAME_STAGE, "submitted", l->records_submitted);
	metric_count(w, NAME_STAGE, "consumed", l->records_consumed);
	metric_count(w, NAME_STAGE, "strangers", l->records_strangers);
	metric_count(w, NAME_STAGE, "lost", l->records_lost);
	err = metric_end(w, &records);
	return err ? err : metric_single(w, &held, l->records_held);
}

static int emit_flows_and_spans(struct metric_writer *w)
{
	static const struct metric_about flows = {NAME_FLOWS, "{flow}", METRIC_COUNTER,
						  "Kept flows: begun = ended + held"};
	static const struct metric_about held = {NAME_FLOWS_HELD, "{flow}", METRIC_GAUGE,
						 "Kept flows going on"};
	static const struct metric_about spans = {NAME_SPANS, "{span}", METRIC_COUNTER,
						  "Spans of flows; exported: by one destination"};
	const struct ledger *l = w->s->ledger;
	size_t d;
	int err;

	metric_count(w, NAME_STAGE, "begun", l->flows_begun);
	metric_count(w, NAME_STAGE, "ended", l->flows_ended);
	metric_count(w, NAME_STAGE, "adopted", l->flows_adopted);
	metric_count(w, NAME_STAGE, "incomplete", l->flows_incomplete);
	metric_count(w, NAME_STAGE, "evicted", l->flows_evicted);
	err = metric_end(w, &flows);
	if (!err)
		err = metric_single(w, &held, l->flows_held);
	if (err)
		return err;
	metric_count(w, NAME_STAGE, "made", l->spans_made);
	for (d = 0; d < l->destinations_len; d++) {
		if (!l->target[d][OTLP_TRACES].label)
			continue;
		metric_count(w, NAME_STAGE, "exported", l->signal[d][OTLP_TRACES].exported);
		metric_destination(w, (unsigned)d + 1, l->target[d][OTLP_TRACES].server_address);
	}
	return metric_end(w, &spans);
}

/* One number of struct otlp_signal_stats, where it is. */
struct queue_metric {
	struct metric_about about;
	size_t offset;
};
#define STAT(field) offsetof(struct otlp_signal_stats, field)

static int emit_queues(struct metric_writer *w)
{
	static const struct queue_metric metrics[] = {
		{{NAME_QUEUE_ITEMS, "{item}", METRIC_GAUGE, "Items waiting to be exported"},
		 STAT(queued)},
		{{NAME_QUEUE_BYTES, "By", METRIC_GAUGE, "Encoded bytes waiting to be exported"},
		 STAT(queued_bytes)},
		{{NAME_QUEUE_VOLATILE, "{item}", METRIC_GAUGE,
		  "Items waiting that are not on disk: lost if ringspan is killed now"},
		 STAT(queued_volatile)},
		{{NAME_EXPORT_RETRIES, "{attempt}", METRIC_COUNTER, "Attempts that were repeated"},
		 STAT(retries)},
		{{NAME_EXPORT_SENT, "By", METRIC_COUNTER,
		  "Body bytes of requests that went well, as sent"},
		 STAT(sent_bytes)},
	};
	static const struct metric_about capacity = {NAME_QUEUE_CAPACITY, "By", METRIC_GAUGE,
						     "Encoded bytes that may wait"};
	static const struct metric_about connects = {NAME_EXPORT_CONNECTS, "{connection}",
						     METRIC_COUNTER, "Connections opened"};
	const struct ledger *l = w->s->ledger;
	const struct otlp_target_info *to;
	size_t i, d, s;
	int err = 0;

	if (!l->destinations_len)
		return 0;
	for (i = 0; !err && i <= sizeof(metrics) / sizeof(*metrics); i++) {
		const struct queue_metric *m = &metrics[i]; /* after the last: the capacity */
		bool is_capacity = i == sizeof(metrics) / sizeof(*metrics);

		for (d = 0; d < l->destinations_len; d++) {
			for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
				const char *stats = (const char *)&l->signal[d][s];

				to = &l->target[d][s];
				if (!to->label)
					continue;
				metric_count(w, NAME_SIGNAL, signals[s],
					     is_capacity ? to->queue_cap_bytes
							 : *(const uint64_t *)(stats + m->offset));
				metric_destination(w, (unsigned)d + 1, to->server_address);
			}
		}
		err = metric_end(w, is_capacity ? &capacity : &m->about);
	}
	return err ? err : metric_single(w, &connects, l->connects);
}

static int emit_stream(struct metric_writer *w)
{
	static const struct metric_about flows = {NAME_STREAM_FLOWS, "{flow}", METRIC_COUNTER,
						  "Ended flows that were published"};
	static const struct metric_about subscribers = {NAME_STREAM_SUBSCRIBERS, "{subscriber}",
							METRIC_GAUGE, "Who listens to them"};
	static const struct metric_about messages = {
		NAME_STREAM_MESSAGES, "{message}", METRIC_COUNTER,
		"To all subscribers: published = sent + unread + lost + those that wait"};
	const struct stream_stats *s = &w->s->ledger->stream;
	int err;

	if (!w->s->ledger->has_stream)
		return 0;
	err = metric_single(w, &flows, s->flows);
	if (!err)
		err = metric_single(w, &subscribers, s->subscribers);
	if (err)
		return err;
	metric_count(w, NAME_STAGE, "published", s->for_subscribers);
	metric_count(w, NAME_STAGE, "sent", s->sent);
	metric_count(w, NAME_STAGE, "unread", s->unread);
	return metric_end(w, &messages);
}

static int emit_pull(struct metric_writer *w)
{
	static const struct metric_about about = {NAME_PULL_REQUESTS, "{request}", METRIC_COUNTER,
						  "Requests for metrics or health, by answer"};
	enum pull_status status;

	if (!w->s->pull)
		return 0;
	for (status = 0; status < PULL_STATUSES; status++) {
		metric_point(w)->integer = (int64_t)w->s->pull->answers[status];
		metric_attr_int(w, NAME_STATUS_CODE, pull_status_code(status));
	}
	return metric_end(w, &about);
}

static int emit_packet_cost(struct metric_writer *w)
{
	static const struct metric_about about = {
		NAME_PACKET_DURATION, "s", METRIC_HISTOGRAM,
		"Time that ringspan takes for a packet in the kernel; of a sample of them"};
	const struct flow_cost *c = w->s->costs;
	unsigned hook;
	size_t i;

	for (i = 0; c && i < w->s->interfaces; i++)
		for (hook = 0; hook < FLOW_HOOK_MAX; hook++, c++)
			metric_link_slots(w, i, hook, c->slot, FLOW_COST_SLOTS,
					  -FLOW_COST_UNIT_LOG2, (double)c->sum_ns / 1e9);
	return metric_end(w, &about);
}

static int emit_process(struct metric_writer *w)
{
	static const struct metric_about pressure = {NAME_RING_PRESSURE, "1", METRIC_GAUGE,
						     "How full the fullest ring was, 0 to 1"};
	static const struct metric_about flow_rate = {NAME_RATE_IN_FORCE, "{flow}", METRIC_GAUGE,
						      "One flow in N is kept"};
	static const struct metric_about packet_rate = {NAME_RATE_IN_FORCE, "{packet}",
							METRIC_GAUGE, "One packet in N is taken"};
	static const struct metric_about cpu = {NAME_CPU_TIME, "s", METRIC_COUNTER,
						"CPU time of ringspan"};
	static const struct metric_about memory = {NAME_MEMORY, "By", METRIC_GAUGE,
						   "Resident memory of ringspan"};
	static const struct metric_about steps = {NAME_CLOCK_STEPS, "{step}", METRIC_COUNTER,
						  "Steps of the wall clock noticed"};
	const struct flow_otlp_snapshot *s = w->s;
	int err = metric_single_number(w, &pressure, s->ring_pressure);

	if (!err)
		err = metric_single(w, s->ledger->by_packets ? &packet_rate : &flow_rate,
				    s->sample_n);
	if (!err)
		err = metric_single_number(w, &cpu, s->cpu_seconds);
	if (!err)
		err = metric_single(w, &memory, s->rss_bytes);
	return err ? err : metric_single(w, &steps, s->ledger->clock_steps);
}

static void add_use(struct metric_writer *w, enum auto_item item, double limit)
{
	struct otlp_point *p;

	if (limit <= 0)
		return;
	p = metric_point(w);
	metric_attr(w, NAME_BUDGET, auto_item_name(item));
	p->is_double = true;
	p->number = w->s->budget_used[item];
}

static int emit_sampling(struct metric_writer *w)
{
	static const struct metric_about changes = {NAME_SAMPLING_CHANGES, "{change}",
						    METRIC_COUNTER, "Changes of the sampling rate"};
	static const struct metric_about used = {NAME_BUDGET_USED, "1", METRIC_GAUGE,
						 "Share of the budget that is in use, 1 is all"};
	const struct auto_budget *b = w->s->budget;
	int err = metric_single(w, &changes, w->s->sample_changes);

	if (err || !b)
		return err;
	add_use(w, AUTO_ITEM_SPANS, b->spans_per_s);
	add_use(w, AUTO_ITEM_RECORDS, b->records_per_s);
	add_use(w, AUTO_ITEM_CPU, b->cpu_cores);
	add_use(w, AUTO_ITEM_RING, b->ring_share);
	return metric_end(w, &used);
}

int self_metrics(struct metric_writer *w)
{
	static int (*const parts[])(struct metric_writer * w) = {
		emit_packets_and_records,
		emit_losses,
		emit_flows_and_spans,
		emit_queues,
		emit_stream,
		emit_pull,
		emit_packet_cost,
		emit_process,
		emit_sampling,
	};
	size_t i;
	int err = 0;

	for (i = 0; !err && i < sizeof(parts) / sizeof(*parts); i++)
		err = parts[i](w);
	return err;
}
