/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What OpenTelemetry's SDK variables mean here. Where ringspan's own default differs from the
 * specification's (batches wait 1 s, a request is tried for 5 minutes), design.md and the README
 * say so; a variable that cannot have its meaning here is warned about, never misunderstood.
 */
#include <string.h>
#include <strings.h>

#include "user/log.h"
#include "user/options_env.h"
#include "user/options_impl.h"

#define HOUR_MS 3600000u
#define BUDGET_MAX_MS (30 * 24 * HOUR_MS)
#define DEFAULT_INTERVAL_MS 10000
#define DEFAULT_BUDGET_MS 300000
#define DEFAULT_DELAY_MS 1000
#define DEFAULT_BATCH 512
#define BATCH_MAX 4096
#define QUEUE_ITEMS_MAX 1000000000
#define DEFAULT_COUNT_LIMIT 128

/* ---- batches ---- */

static void read_batch(struct options_batch *b, const char *delay, const char *queue,
		       const char *batch)
{
	b->delay_ms = options_env_number(delay, 0, HOUR_MS, "milliseconds", DEFAULT_DELAY_MS);
	b->queue_items = options_env_number(queue, 1, QUEUE_ITEMS_MAX, "items", 0);
	b->max_items = options_env_number(batch, 1, BATCH_MAX, "items", 0);
	if (b->queue_items && b->max_items > b->queue_items)
		log_warn("%s=%zu is more than %s=%zu: batches have at most %zu items", batch,
			 b->max_items, queue, b->queue_items, b->queue_items);
	if (!b->max_items)
		b->max_items = DEFAULT_BATCH;
	if (b->queue_items && b->max_items > b->queue_items)
		b->max_items = b->queue_items;
}

/* A queue on disk is there to outlive an outage: no SDK variable shortens that. */
static uint32_t read_budget(const struct options *o, const struct options_given *given,
			    const char *variable)
{
	if (given->retry_budget)
		return given->retry_budget_ms;
	if (!o->queue_dir)
		return options_env_number(variable, 0, BUDGET_MAX_MS, "milliseconds",
					  DEFAULT_BUDGET_MS);
	if (o->command == OPTIONS_WATCH && options_env_get(variable))
		log_warn("%s ignored: with --queue-dir a request is tried without end; "
			 "--retry-budget sets another time",
			 variable);
	return 0;
}

static void read_batches(struct options *o, const struct options_given *given)
{
	static const char *const timeouts[OTLP_SIGNAL_MAX] = {
		[OTLP_TRACES] = "OTEL_BSP_EXPORT_TIMEOUT",
		[OTLP_METRICS] = "OTEL_METRIC_EXPORT_TIMEOUT",
		[OTLP_LOGS] = "OTEL_BLRP_EXPORT_TIMEOUT"};
	int s;

	read_batch(&o->batch[OTLP_TRACES], "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_QUEUE_SIZE",
		   "OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
	read_batch(&o->batch[OTLP_LOGS], "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_BLRP_MAX_QUEUE_SIZE",
		   "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE");
	o->batch[OTLP_METRICS] =
		(struct options_batch){.delay_ms = DEFAULT_DELAY_MS, .max_items = DEFAULT_BATCH};
	for (s = 0; s < OTLP_SIGNAL_MAX; s++)
		o->batch[s].retry_budget_ms = read_budget(o, given, timeouts[s]);
}

/* ---- limits ---- */

static uint32_t count_limit(const char *variable, uint32_t otherwise)
{
	return options_env_number(variable, 0, OTLP_NO_LIMIT - 1, "a count", otherwise);
}

static uint32_t length_limit(const char *variable, uint32_t otherwise)
{
	return options_env_number(variable, 0, OTLP_NO_LIMIT - 1, "characters", otherwise);
}

/* What is set for spans or log records beats what is set for all; events and links have only their
 * own. */
static void read_limits(struct otlp_limits *l)
{
	uint32_t count = count_limit("OTEL_ATTRIBUTE_COUNT_LIMIT", DEFAULT_COUNT_LIMIT);
	uint32_t length = length_limit("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", OTLP_NO_LIMIT);

	l->attrs = count_limit("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", count);
	l->value_chars = length_limit("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", length);
	l->events = count_limit("OTEL_SPAN_EVENT_COUNT_LIMIT", DEFAULT_COUNT_LIMIT);
	l->links = count_limit("OTEL_SPAN_LINK_COUNT_LIMIT", DEFAULT_COUNT_LIMIT);
	l->event_attrs = count_limit("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", DEFAULT_COUNT_LIMIT);
	l->link_attrs = count_limit("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", DEFAULT_COUNT_LIMIT);
	l->log_attrs = count_limit("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", count);
	l->log_value_chars = length_limit("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", length);
}

/* ---- metrics ---- */

static void read_metrics(struct options *o, const struct options_given *given)
{
	/* in the order of their enums */
	static const char *const temporalities[] = {"cumulative", "delta", "lowmemory", NULL};
	static const char *const filters[] = {"trace_based", "always_on", "always_off", NULL};
	static const char *const shapes[] = {"base2_exponential_bucket_histogram",
					     "explicit_bucket_histogram", NULL};

	if (!given->interval)
		o->interval_ms = options_env_number("OTEL_METRIC_EXPORT_INTERVAL", 100, HOUR_MS,
						    "milliseconds", DEFAULT_INTERVAL_MS);
	o->temporality = options_env_choice("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
					    temporalities, "cumulative, delta and lowmemory",
					    OPTIONS_CUMULATIVE);
	o->exemplars = options_env_choice("OTEL_METRICS_EXEMPLAR_FILTER", filters,
					  "trace_based, always_on and always_off",
					  OPTIONS_EXEMPLARS_TRACE_BASED);
	if (options_env_choice("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", shapes,
			       "only base2_exponential_bucket_histogram here", 0) == 1)
		log_warn("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="
			 "explicit_bucket_histogram ignored: ringspan's histograms are always "
			 "base2_exponential_bucket_histogram");
}

/* ---- ourselves ---- */

static void read_log_level(struct options *o)
{
	static const char *const words[] = {"none", "off",   "fatal", "error", "warn", "warning",
					    "info", "debug", "trace", "all",   NULL};
	static const int levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_ERROR, LOG_LEVEL_ERROR,
				     LOG_LEVEL_ERROR, LOG_LEVEL_WARN,  LOG_LEVEL_WARN,
				     LOG_LEVEL_INFO,  LOG_LEVEL_DEBUG, LOG_LEVEL_DEBUG,
				     LOG_LEVEL_DEBUG};

	o->verbosity = levels[options_env_choice("OTEL_LOG_LEVEL", words,
						 "error, warn, info and debug", 6)];
}

static void warn_of_unsupported(const struct options_given *given)
{
	static const char *const files[] = {"OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"};
	const char *sampler = options_env_get("OTEL_TRACES_SAMPLER");
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (options_env_get(files[i]))
			log_warn("%s ignored: ringspan reads no configuration file; options and "
				 "variables count",
				 files[i]);
	if (sampler && !given->sample && strcasecmp(sampler, "always_on") &&
	    strcasecmp(sampler, "parentbased_always_on"))
		log_warn("OTEL_TRACES_SAMPLER='%.40s' ignored: flows are sampled in the kernel: "
			 "give --sample",
			 sampler);
}

void options_sdk_read(struct options *o, const struct options_given *given)
{
	if (!given->verbosity)
		read_log_level(o);
	if (o->command == OPTIONS_QUEUE_LS)
		return;
	read_batches(o, given);
	if (o->command != OPTIONS_WATCH)
		return;
	read_limits(&o->limits);
	read_metrics(o, given);
	warn_of_unsupported(given);
}
