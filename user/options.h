/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options - argv and the OTEL_* environment → one immutable struct. The only module that parses
 * or validates what a person wrote. Options win over variables, which win over defaults.
 */
#ifndef USER_OPTIONS_H
#define USER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/flow_abi.h"
#include "otlp/otlp.h"
#include "user/auto_rate.h"
#include "user/tenant_map.h"

enum options_sample_mode { OPTIONS_SAMPLE_FLOW, OPTIONS_SAMPLE_PACKET };

enum options_xdp_mode { OPTIONS_XDP_AUTO, OPTIONS_XDP_NATIVE, OPTIONS_XDP_TC, OPTIONS_XDP_GENERIC };

enum options_xdp_attach {
	OPTIONS_ATTACH_AUTO, /* own link, the dispatcher where others are */
	OPTIONS_ATTACH_LINK,
	OPTIONS_ATTACH_DISPATCHER
};

enum options_temporality { OPTIONS_CUMULATIVE, OPTIONS_DELTA, OPTIONS_LOWMEMORY };

enum options_exemplars {
	OPTIONS_EXEMPLARS_TRACE_BASED,
	OPTIONS_EXEMPLARS_ALWAYS_ON,
	OPTIONS_EXEMPLARS_ALWAYS_OFF
};

enum options_command {
	OPTIONS_WATCH,
	OPTIONS_QUEUE_LS, /* queue_dir, verbosity count, nothing else */
	OPTIONS_QUEUE_SEND, /* and what says where to, how, for how long */
	OPTIONS_CTL, /* control, ctl_request, ctl_is_top */
	OPTIONS_TAIL /* events, tail_…, duration_ms */
};

enum options_tail_form { OPTIONS_TAIL_LINES, OPTIONS_TAIL_JSON, OPTIONS_TAIL_OTLP };

struct options_pair {
	char *name;
	char *value;
};

/* Where one signal goes, and how. */
struct options_target {
	char *url; /* full; NULL: not exported */
	struct options_pair *headers; /* values are secrets */
	size_t headers_len;
	bool gzip;
	uint32_t timeout_ms; /* of one attempt, 0: no limit */
	char *ca_file, *cert_file, *key_file; /* PEM, readable at the start; NULL: none; cert and
					       * key both or none */
};
#define OPTIONS_DESTINATIONS_MAX 8

/* How items of one signal gather and wait. */
struct options_batch {
	uint32_t delay_ms; /* how long an item waits for its batch to fill; 0: not at all */
	size_t max_items;
	size_t queue_items; /* 0: no limit other than bytes; else at least max_items */
	uint32_t retry_budget_ms; /* 0: no end */
};

struct options {
	enum options_command command;
	const char *interfaces[FLOW_MAX_IFS];
	size_t interfaces_len; /* to watch: at least 1, all different; existence is checked by
				* probe */
	enum options_xdp_mode xdp_mode;
	enum options_xdp_attach xdp_attach;

	bool sample_auto; /* N goes by the budget, from sample_n on */
	struct auto_budget budget;
	enum options_sample_mode sample_mode;
	uint64_t sample_n; /* one flow, or packet, in N */
	uint64_t sample_threshold; /* 56-bit rejection threshold of 1/N, rounded as OpenTelemetry
				    * does */
	char sample_th[15]; /* the same as `th`: "fd70a"; "0" for 1/1 */
	uint64_t site_key[4]; /* from --site-key, else random */

	char *filter; /* which flows are wanted, as given; NULL: all */
	struct filter_program filter_program; /* the same; without steps: all */

	unsigned workers;
	uint32_t max_flows; /* concurrent kept flows */
	bool decap; /* flows of tunnelled packets are those inside */
	uint32_t ring_bytes; /* per worker, a power of two of pages */
	uint32_t active_timeout_ms, idle_timeout_ms, tcp_idle_timeout_ms;

	bool trace_links; /* to the traces that requests in plain text name */
	bool export_console, export_otlp;
	bool has_logs; /* log records are made and sent */
	/* By enum otlp_signal. To send a queue without an endpoint: all of them, without URLs; the
	 * k-th says how what was recorded for the k-th destination is sent. */
	struct options_target otlp[OPTIONS_DESTINATIONS_MAX][OTLP_SIGNAL_MAX];
	size_t otlp_len;
	bool otlp_given; /* an option or variable named an endpoint */
	struct options_batch batch[OTLP_SIGNAL_MAX];
	unsigned connections; /* to one server at the same time */
	char *queue_dir; /* NULL: memory only */
	uint64_t queue_bytes; /* that may wait for each destination and signal */
	uint32_t queue_window_ms; /* what waited longer is on disk */
	struct otlp_limits limits;
	enum options_temporality temporality;
	enum options_exemplars exemplars;
	uint32_t interval_ms; /* metrics */
	unsigned metric_attrs; /* bits of enum flow_attr: what flow metrics are split by; 0: none */
	uint8_t subnet_bits[2]; /* of IPv4 and IPv6 */
	uint32_t metric_cap; /* series of each flow metric */
	struct tenant_map *tenants; /* NULL: none */
	struct options_pair *resource; /* attributes; service.name is always the first */
	size_t resource_len;

	char *metrics_listen; /* where others fetch metrics, as given; NULL: nowhere */
	char metrics_host[256], metrics_port[6]; /* the same, for getaddrinfo() */

	char *asked_interface; /* ctl, tail: of the ringspan that is meant; NULL: the only one */
	char *control; /* path of the control socket; NULL: by default, "none": none */
	char *ctl_request; /* a line as control_request.h has it */
	bool ctl_is_top; /* to be asked again and again */

	char *events; /* path of the event socket; NULL: by default, "none": none */
	char *tail_filter; /* plain text; NULL: all */
	enum options_tail_form tail_form;
	uint64_t tail_count; /* 0: no end */

	uint32_t duration_ms; /* 0: until a signal */
	uint32_t shutdown_timeout_ms;
	int verbosity; /* enum log_level */
};

/* Parses; on --help, --version or an error it prints and ends the process as argp does (0, or 64
 * for usage). Warnings about the environment go to log. Free with options_destroy(). */
int options_parse(struct options **ret, int argc, char **argv);
void options_destroy(struct options *o); /* NULL is allowed; wipes secrets */

/* Parts that are tested alone. 0, or -EINVAL and @why says what is wrong and what is right. */
#define OPTIONS_WHY_CAP 200
int options_parse_sample(const char *text, uint64_t *ret_n, char why[OPTIONS_WHY_CAP]);
/* The same, or "auto": then *ret_n is untouched. */
int options_parse_rate(const char *text, bool *ret_auto, uint64_t *ret_n,
		       char why[OPTIONS_WHY_CAP]);
void options_sample_threshold(uint64_t n, uint64_t *ret_threshold, char ret_th[15]);

#endif /* USER_OPTIONS_H */
