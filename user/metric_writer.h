/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metric_writer - the points of one metric at a time, laid out in scratch memory: a private part of
 * flow_metrics, self_metrics, sdk_metrics and series_metrics.
 *
 * The points of a metric are begun one after the other, each with its attributes; ending the metric
 * hands it out and makes room for the next. Made for one call: metrics leave every few seconds.
 */
#ifndef USER_METRIC_WRITER_H
#define USER_METRIC_WRITER_H

#include "user/flow_otlp.h"

#define METRIC_POINT_ATTRS 10
#define METRIC_SLOTS 24 /* of a histogram that the kernel counts */

struct metric_writer {
	const struct flow_otlp_snapshot *s;
	flow_otlp_metric_fn emit;
	void *ctx;
	struct otlp_point *points; /* cap of them */
	struct otlp_attr *attrs; /* METRIC_POINT_ATTRS for each point */
	struct otlp_exemplar *exemplars; /* one for each point */
	uint64_t (*buckets)[METRIC_SLOTS]; /* one for each interface and direction */
	size_t cap;
	size_t len;
};

/* What a metric is: monotonic sums are counters, others what semantic conventions call
 * UpDownCounter. */
enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_UPDOWN, METRIC_HISTOGRAM };

struct metric_about {
	struct otlp_str name;
	const char *unit;
	enum metric_kind kind;
	const char *description;
};

/* Room for @points points. 0, -ENOMEM. */
int metric_writer_init(struct metric_writer *w, const struct flow_otlp_snapshot *s, size_t points,
		       flow_otlp_metric_fn emit, void *ctx);
void metric_writer_reset(struct metric_writer *w);

struct otlp_point *metric_point(struct metric_writer *w);
/* Attributes of the last point begun; strings are borrowed until metric_end(). */
void metric_attr(struct metric_writer *w, struct otlp_str key, const char *value);
void metric_attr_int(struct metric_writer *w, struct otlp_str key, int64_t value);
void metric_attr_bool(struct metric_writer *w, struct otlp_str key, bool value);

/* Which link and direction it is of; and whose link that is, if the tenant map names it. */
void metric_interface(struct metric_writer *w, size_t if_slot);
void metric_link(struct metric_writer *w, size_t if_slot, enum flow_hook hook);

/* A point of a link's histogram, from slots of the kernel: slot s is bucket s-1 at scale 0, in units
 * of 2^@unit_log2. None if all of them are empty, and then false. One for each link and direction in
 * a metric. */
bool metric_link_slots(struct metric_writer *w, size_t if_slot, enum flow_hook hook,
		       const __u64 *slots, unsigned slots_len, int unit_log2, double sum);

/* A point of an integer and one attribute. */
void metric_count(struct metric_writer *w, struct otlp_str key, const char *value, uint64_t count);

/* Hands out the metric of the points so far; without points there is none. What emit returned. */
int metric_end(struct metric_writer *w, const struct metric_about *about);

/* Metrics of one point without attributes. */
int metric_single(struct metric_writer *w, const struct metric_about *about, uint64_t value);
int metric_single_number(struct metric_writer *w, const struct metric_about *about, double value);

/* Where there are several destinations: which one; a point is of one of them. */
void metric_destination(struct metric_writer *w, unsigned destination, const char *server_address);

/* The parts; each hands out its metrics and returns the first error of emit. */
int self_metrics(struct metric_writer *w);
int sdk_metrics(struct metric_writer *w);

/* The same of s->series, of which there may be many more: it makes a writer of its own. */
int series_metrics(const struct flow_otlp_snapshot *s, flow_otlp_metric_fn emit, void *ctx);

#endif /* USER_METRIC_WRITER_H */
