/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * otlp - the data model of traces, metrics and logs as plain structs.
 *
 * Everything is borrowed: a struct points to the caller's memory and is read only during the
 * call it is passed to. Strings are UTF-8 with a length, not NUL-terminated; the encoder replaces
 * what is not valid UTF-8. Times are nanoseconds since 1970 UTC. Names and rules follow
 * opentelemetry-proto 1.11 (trace/v1, metrics/v1, logs/v1, resource/v1, common/v1).
 */
#ifndef OTLP_OTLP_H
#define OTLP_OTLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum otlp_signal {
	OTLP_TRACES,
	OTLP_METRICS,
	OTLP_LOGS,
	OTLP_SIGNAL_MAX
};

struct otlp_str {
	const char *ptr;
	size_t len;
};
#define OTLP_STR(literal) ((struct otlp_str){"" literal, sizeof(literal) - 1})

enum otlp_value_type {
	OTLP_STRING,
	OTLP_BOOL,
	OTLP_INT,
	OTLP_DOUBLE
};

struct otlp_attr {
	struct otlp_str key; /* unique within a list */
	enum otlp_value_type type;
	union {
		struct otlp_str string;
		bool boolean;
		int64_t integer;
		double number;
	} value;
};

struct otlp_attrs {
	const struct otlp_attr *list;
	size_t len;
};

/* Who speaks: encoded once per request. */
struct otlp_source {
	struct otlp_attrs resource;
	struct otlp_str scope_name;
	struct otlp_str scope_version;
	struct otlp_str schema_url; /* may be empty */
};

enum otlp_span_kind {
	OTLP_SPAN_INTERNAL = 1,
	OTLP_SPAN_SERVER = 2,
	OTLP_SPAN_CLIENT = 3
};

enum otlp_status {
	OTLP_STATUS_UNSET = 0,
	OTLP_STATUS_OK = 1,
	OTLP_STATUS_ERROR = 2
};

#define OTLP_FLAG_SAMPLED 0x01        /* W3C trace flags */
#define OTLP_FLAG_RANDOM 0x02         /* the last 7 bytes of the trace id are random */
#define OTLP_FLAG_REMOTE_KNOWN 0x100  /* Span.flags: bit 9 says whether the parent is remote */
#define OTLP_FLAG_REMOTE 0x200        /* bit 9; of a link: the linked one is */

struct otlp_event {
	uint64_t time_unix_ns;
	struct otlp_str name;
	struct otlp_attrs attrs;
};

struct otlp_link {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	struct otlp_str trace_state;
	struct otlp_attrs attrs;
	uint32_t flags;
};

struct otlp_span {
	uint8_t trace_id[16]; /* not all zero */
	uint8_t span_id[8];   /* not all zero */
	uint8_t parent_span_id[8];
	bool has_parent; /* false: a root span */
	struct otlp_str trace_state;
	struct otlp_str name; /* not empty */
	enum otlp_span_kind kind;
	uint32_t flags;
	uint64_t start_unix_ns;
	uint64_t end_unix_ns; /* at or after the start */
	struct otlp_attrs attrs;
	const struct otlp_event *events;
	size_t events_len;
	uint32_t events_dropped; /* more of them that are not in the list */
	const struct otlp_link *links;
	size_t links_len;
	enum otlp_status status;
	struct otlp_str status_message; /* only with OTLP_STATUS_ERROR */
};

enum otlp_metric_type {
	OTLP_GAUGE,
	OTLP_SUM, /* cumulative or delta */
	OTLP_EXP_HISTOGRAM /* cumulative or delta, positive buckets only */
};

/* One measurement that its point has counted, and the span it belongs to. */
struct otlp_exemplar {
	uint64_t time_unix_ns;
	bool is_double; /* which of the next two */
	int64_t integer;
	double number;
	bool has_trace; /* trace_id and span_id are valid */
	uint8_t trace_id[16];
	uint8_t span_id[8];
};

struct otlp_exp_histogram {
	uint64_t count; /* zero_count + all buckets */
	double sum;
	int32_t scale;
	uint64_t zero_count;
	int32_t offset; /* index of buckets[0] */
	const uint64_t *buckets;
	size_t buckets_len;
};

struct otlp_point {
	struct otlp_attrs attrs;
	uint64_t start_unix_ns; /* 0 for gauges: not written */
	uint64_t time_unix_ns;
	bool is_double; /* gauge, sum: which of the next two */
	int64_t integer;
	double number;
	struct otlp_exp_histogram histogram; /* OTLP_EXP_HISTOGRAM only */
	const struct otlp_exemplar *exemplars; /* written for sums and histograms, not for gauges */
	size_t exemplars_len;
};

struct otlp_metric {
	struct otlp_str name;
	struct otlp_str description;
	struct otlp_str unit;
	enum otlp_metric_type type;
	bool is_monotonic; /* OTLP_SUM */
	bool is_delta; /* sums and histograms; else cumulative */
	const struct otlp_point *points;
	size_t points_len; /* at least 1 */
};

enum otlp_severity {
	OTLP_SEVERITY_DEBUG = 5,
	OTLP_SEVERITY_INFO = 9,
	OTLP_SEVERITY_WARN = 13,
	OTLP_SEVERITY_ERROR = 17
};

struct otlp_log {
	uint64_t time_unix_ns;
	uint64_t observed_unix_ns;
	enum otlp_severity severity;
	struct otlp_str severity_text; /* the same in the source's words; may be empty */
	struct otlp_str body;
	struct otlp_str event_name;
	struct otlp_attrs attrs;
	bool has_trace; /* trace_id and span_id are valid */
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint32_t flags;
};

/* What the encoder cuts off: OpenTelemetry "Span Limits", "Attribute Limits". The first ones of a
 * list stay; a text is cut to so many characters (Unicode code points). Resources and metrics have
 * no limits. */
#define OTLP_NO_LIMIT UINT32_MAX
struct otlp_limits {
	uint32_t attrs; /* of a span */
	uint32_t value_chars; /* of texts in attributes of spans, events and links */
	uint32_t events;
	uint32_t links;
	uint32_t event_attrs; /* of each event */
	uint32_t link_attrs; /* of each link */
	uint32_t log_attrs; /* of a log record */
	uint32_t log_value_chars; /* of texts in those; a log record's body is never cut */
};

#define OTLP_REQUEST_BYTES ((size_t)4 << 20) /* soft limit of one request before compression */

#endif /* OTLP_OTLP_H */
