/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Variables of OpenTelemetry's SDK, and who we are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/options_run.h"

static void test_options_metric_interval(void **state)
{
	(void)state;
	setenv("OTEL_METRIC_EXPORT_INTERVAL", "2500", 1);
	check_runs("-i a", "interval=2500");
	check_runs("-i a --interval 3", "interval=3000");
	setenv("OTEL_METRIC_EXPORT_INTERVAL", "", 1);
	check_runs("-i a", "interval=10000");
	setenv("OTEL_METRIC_EXPORT_INTERVAL", "10s", 1);
	check_warns("-i a", "interval=10000", "OTEL_METRIC_EXPORT_INTERVAL='10s' ignored");
	check_runs("-i a --interval 3", "interval=3000");
	setenv("OTEL_METRIC_EXPORT_INTERVAL", "99", 1);
	check_warns("-i a", "interval=10000", "from 100 to 3600000 (milliseconds)");
}

static void test_options_batches_have_defaults(void **state)
{
	(void)state;
	check_runs("-i a", "batch traces delay=1000 max=512 queue=0 budget=300000\n"
			   "batch metrics delay=1000 max=512 queue=0 budget=300000\n"
			   "batch logs delay=1000 max=512 queue=0 budget=300000\n");
}

static void test_options_batches_follow_the_environment(void **state)
{
	(void)state;
	setenv("OTEL_BSP_SCHEDULE_DELAY", "5000", 1);
	setenv("OTEL_BSP_EXPORT_TIMEOUT", "30000", 1);
	setenv("OTEL_BSP_MAX_QUEUE_SIZE", "2048", 1);
	setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", 1);
	setenv("OTEL_METRIC_EXPORT_TIMEOUT", "31000", 1);
	check_warns("-i a",
		    "batch traces delay=5000 max=2048 queue=2048 budget=30000\n"
		    "batch metrics delay=1000 max=512 queue=0 budget=31000\n"
		    "batch logs delay=1000 max=512 queue=0 budget=300000\n",
		    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=4096 is more than "
		    "OTEL_BSP_MAX_QUEUE_SIZE=2048");
	setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2048", 1);
	setenv("OTEL_BLRP_SCHEDULE_DELAY", "0", 1);
	setenv("OTEL_BLRP_EXPORT_TIMEOUT", "0", 1);
	setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "7", 1);
	check_runs("-i a", "batch logs delay=0 max=7 queue=7 budget=0\n");
	setenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "6", 1);
	check_runs("-i a", "batch logs delay=0 max=6 queue=7 budget=0\n");
	check_runs("-i a", "batch traces delay=5000 max=2048 queue=2048 budget=30000\n");
}

static void test_options_bad_batches_are_ignored(void **state)
{
	static const char *const table[][2] = {{"OTEL_BSP_SCHEDULE_DELAY", "-1"},
					       {"OTEL_BSP_SCHEDULE_DELAY", "3600001"},
					       {"OTEL_BSP_EXPORT_TIMEOUT", "30s"},
					       {"OTEL_BSP_MAX_QUEUE_SIZE", "0"},
					       {"OTEL_BSP_MAX_QUEUE_SIZE", "1000000001"},
					       {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4097"},
					       {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"},
					       {"OTEL_METRIC_EXPORT_TIMEOUT", "1e3"},
					       {"OTEL_BLRP_EXPORT_TIMEOUT", "2592000001"}};
	char part[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		setenv(table[i][0], table[i][1], 1);
		snprintf(part, sizeof(part), "%s='%s' ignored", table[i][0], table[i][1]);
		check_warns("-i a",
			    "batch traces delay=1000 max=512 queue=0 budget=300000\n"
			    "batch metrics delay=1000 max=512 queue=0 budget=300000\n"
			    "batch logs delay=1000 max=512 queue=0 budget=300000\n",
			    part);
		unsetenv(table[i][0]);
	}
}

static void test_options_retry_budget_wins(void **state)
{
	(void)state;
	setenv("OTEL_BSP_EXPORT_TIMEOUT", "30000", 1);
	check_runs("-i a --retry-budget 1.5",
		   "batch traces delay=1000 max=512 queue=0 budget=1500\n"
		   "batch metrics delay=1000 max=512 queue=0 budget=1500\n"
		   "batch logs delay=1000 max=512 queue=0 budget=1500\n");
	check_runs("-i a --retry-budget 0", "queue=0 budget=0\n");
	check_runs("-i a --queue-dir /q --retry-budget 60", "queue=0 budget=60000\n");
	check_warns("-i a --queue-dir /q", "batch traces delay=1000 max=512 queue=0 budget=0\n",
		    "OTEL_BSP_EXPORT_TIMEOUT ignored: with --queue-dir");
	unsetenv("OTEL_BSP_EXPORT_TIMEOUT");
	check_runs("-i a --queue-dir /q", "batch metrics delay=1000 max=512 queue=0 budget=0\n");
}

#define NO_LIMIT "4294967295"

static void test_options_limits_have_defaults(void **state)
{
	(void)state;
	check_runs("-i a",
		   "limits attrs=128 chars=" NO_LIMIT
		   " events=128 links=128 event=128 link=128 log=128 logchars=" NO_LIMIT "\n");
}

static void test_options_limits_of_a_kind_beat_the_general_ones(void **state)
{
	(void)state;
	setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "10", 1);
	setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "20", 1);
	check_runs("-i a", "limits attrs=10 chars=20 events=128 links=128 event=128 link=128 "
			   "log=10 logchars=20\n");
	setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "11", 1);
	setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "21", 1);
	setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "1", 1);
	setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "2", 1);
	setenv("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "3", 1);
	setenv("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "0", 1);
	check_runs("-i a", "limits attrs=11 chars=21 events=1 links=2 event=3 link=0 log=10 "
			   "logchars=20\n");
	setenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "12", 1);
	setenv("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "22", 1);
	check_runs("-i a", "link=0 log=12 logchars=22\n");
	setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-1", 1);
	check_warns("-i a", "limits attrs=10 chars=21",
		    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT='-1' ignored");
	setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", NO_LIMIT, 1);
	check_warns("-i a", "limits attrs=10", "out of range");
}

static void test_options_temporality(void **state)
{
	const char *name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

	(void)state;
	check_runs("-i a", "temporality=0");
	setenv(name, "Delta", 1);
	check_runs("-i a", "temporality=1");
	setenv(name, "LOWMEMORY", 1);
	check_runs("-i a", "temporality=2");
	setenv(name, "cumulative", 1);
	check_runs("-i a", "temporality=0");
	setenv(name, "deltas", 1);
	check_warns("-i a", "temporality=0", "'deltas' ignored: there are cumulative, delta and");
}

static void test_options_exemplar_filter(void **state)
{
	const char *name = "OTEL_METRICS_EXEMPLAR_FILTER";

	(void)state;
	check_runs("-i a", "exemplars=0");
	setenv(name, "Always_On", 1);
	check_runs("-i a", "exemplars=1");
	setenv(name, "always_off", 1);
	check_runs("-i a", "exemplars=2");
	setenv(name, "trace_based", 1);
	check_runs("-i a", "exemplars=0");
	setenv(name, "on", 1);
	check_warns("-i a", "exemplars=0", "OTEL_METRICS_EXEMPLAR_FILTER='on' ignored");
}

static void test_options_histograms_are_exponential(void **state)
{
	const char *name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";

	(void)state;
	setenv(name, "BASE2_exponential_bucket_histogram", 1);
	check_runs("-i a", "if=a");
	setenv(name, "explicit_bucket_histogram", 1);
	check_warns("-i a", "if=a", "histograms are always base2_exponential_bucket_histogram");
	setenv(name, "what", 1);
	check_warns("-i a", "if=a", "='what' ignored");
}

static void test_options_log_level(void **state)
{
	static const struct {
		const char *word, *part;
	} table[] = {{"ERROR", "verbosity=0"},	 {"none", "verbosity=0"}, {"warn", "verbosity=1"},
		     {"Warning", "verbosity=1"}, {"info", "verbosity=2"}, {"debug", "verbosity=3"},
		     {"trace", "verbosity=3"},	 {"", "verbosity=2"}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		setenv("OTEL_LOG_LEVEL", table[i].word, 1);
		check_runs("-i a", table[i].part);
		check_runs("queue ls d", table[i].part);
		check_runs("-i a -q", "verbosity=1");
		check_runs("-i a -v", "verbosity=3");
	}
	setenv("OTEL_LOG_LEVEL", "loud", 1);
	check_warns("-i a", "verbosity=2", "OTEL_LOG_LEVEL='loud' ignored");
	check_runs("-i a -v", "verbosity=3");
}

static void test_options_what_has_no_meaning_here_is_said(void **state)
{
	(void)state;
	setenv("OTEL_CONFIG_FILE", "/x", 1);
	check_warns("-i a", "if=a", "OTEL_CONFIG_FILE ignored");
	unsetenv("OTEL_CONFIG_FILE");
	setenv("OTEL_EXPERIMENTAL_CONFIG_FILE", "/x", 1);
	check_warns("-i a", "if=a", "OTEL_EXPERIMENTAL_CONFIG_FILE ignored");
	setenv("OTEL_EXPERIMENTAL_CONFIG_FILE", "", 1);
	check_runs("-i a", "if=a");
	setenv("OTEL_TRACES_SAMPLER", "traceidratio", 1);
	check_warns("-i a", "n=1 ", "OTEL_TRACES_SAMPLER='traceidratio' ignored");
	check_warns("-i a", "n=1 ", "--sample");
	check_runs("-i a --sample 1/2", "n=2 ");
	setenv("OTEL_TRACES_SAMPLER", "ParentBased_Always_On", 1);
	check_runs("-i a", "n=1 ");
	setenv("OTEL_TRACES_SAMPLER", "always_on", 1);
	setenv("OTEL_TRACES_SAMPLER_ARG", "0.5", 1);
	setenv("OTEL_PROPAGATORS", "b3", 1);
	check_runs("-i a", "n=1 ");
}

static void test_options_resource_names_who_we_are(void **state)
{
	char host[256], part[300];

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	snprintf(part, sizeof(part), " host.name=%s\n", host);
	check_runs("-i a", "resource0 service.name=xdp-packet-counter\n"
			   "resource1 service.version=0.1.0\nresource2 service.instance.id=");
	check_runs("-i a", part);
	check_runs("-i a", " os.type=linux\n");
	check_runs("-i a", " host.arch=");
}

static void test_options_instance_id_is_a_new_uuid(void **state)
{
	struct options_result a, b;
	const char *id;

	(void)state;
	options_run(&a, "-i a");
	options_run(&b, "-i a");
	id = strstr(a.out, "service.instance.id=") + 20;
	assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
	assert_int_equal(id[14], '4');
	assert_non_null(strchr("89ab", id[19]));
	assert_int_not_equal(strncmp(id, strstr(b.out, "service.instance.id=") + 20, 36), 0);
}

static void test_options_resource_attributes_add_and_override(void **state)
{
	(void)state;
	setenv("OTEL_RESOURCE_ATTRIBUTES",
	       "team=a%2Cb%3Dc, host.name = other ,service.name=mine,deployment.environment=env",
	       1);
	check_runs("-i a", "resource0 service.name=mine\n");
	check_runs("-i a", " host.name=other\n");
	check_runs("-i a", " team=a,b=c\n");
	check_runs("-i a", " deployment.environment=env\n");
	check_runs("-i a --environment option", " deployment.environment=option\n");
	setenv("OTEL_SERVICE_NAME", "named", 1);
	check_runs("-i a", "resource0 service.name=named\n");
	setenv("OTEL_SERVICE_NAME", "", 1);
	check_runs("-i a", "resource0 service.name=mine\n");
}

static void test_options_broken_resource_attributes_count_for_nothing(void **state)
{
	static const char *const broken[] = {"team=a,novalue", "team=a,x=%2",  "team=a,=x",
					     "team=a,,x=1",    "team=a,x=%zz", "team=a,x=%00"};
	struct options_result r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		setenv("OTEL_RESOURCE_ATTRIBUTES", broken[i], 1);
		options_run(&r, "-i a");
		assert_int_equal(r.code, 0);
		check_contains(r.err, "OTEL_RESOURCE_ATTRIBUTES ignored as a whole");
		check_lacks(r.out, "team");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_options_metric_interval, clear_environment),
		cmocka_unit_test_setup(test_options_batches_have_defaults, clear_environment),
		cmocka_unit_test_setup(test_options_batches_follow_the_environment,
				       clear_environment),
		cmocka_unit_test_setup(test_options_bad_batches_are_ignored, clear_environment),
		cmocka_unit_test_setup(test_options_retry_budget_wins, clear_environment),
		cmocka_unit_test_setup(test_options_limits_have_defaults, clear_environment),
		cmocka_unit_test_setup(test_options_limits_of_a_kind_beat_the_general_ones,
				       clear_environment),
		cmocka_unit_test_setup(test_options_temporality, clear_environment),
		cmocka_unit_test_setup(test_options_exemplar_filter, clear_environment),
		cmocka_unit_test_setup(test_options_histograms_are_exponential, clear_environment),
		cmocka_unit_test_setup(test_options_log_level, clear_environment),
		cmocka_unit_test_setup(test_options_what_has_no_meaning_here_is_said,
				       clear_environment),
		cmocka_unit_test_setup(test_options_resource_names_who_we_are, clear_environment),
		cmocka_unit_test_setup(test_options_instance_id_is_a_new_uuid, clear_environment),
		cmocka_unit_test_setup(test_options_resource_attributes_add_and_override,
				       clear_environment),
		cmocka_unit_test_setup(test_options_broken_resource_attributes_count_for_nothing,
				       clear_environment),
	};

	return cmocka_run_group_tests_name("options_env", tests, NULL, NULL);
}
