/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/options_run.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/options.h"

extern char **environ;

static const char *text_of(const char *text)
{
	return text ? text : "-";
}

static void dump_target(size_t d, const char *signal, const struct options_target *t)
{
	size_t i;

	printf("to%zu %s %s gzip=%d timeout=%u\n", d, signal, text_of(t->url), t->gzip,
	       t->timeout_ms);
	if (t->ca_file || t->cert_file || t->key_file)
		printf("to%zu %s ca=%s cert=%s key=%s\n", d, signal, text_of(t->ca_file),
		       text_of(t->cert_file), text_of(t->key_file));
	for (i = 0; i < t->headers_len; i++)
		printf("to%zu %s header %s=%s\n", d, signal, t->headers[i].name,
		       t->headers[i].value);
}

static void dump_otlp(const struct options *o)
{
	static const char *const signals[] = {"traces", "metrics", "logs"};
	const struct otlp_limits *l = &o->limits;
	size_t d;
	int s;

	printf("console=%d otlp=%d logs=%d given=%d len=%zu\n", o->export_console, o->export_otlp,
	       o->has_logs, o->otlp_given, o->otlp_len);
	for (d = 0; d < OPTIONS_DESTINATIONS_MAX; d++)
		for (s = 0; s < OTLP_SIGNAL_MAX; s++)
			if (d < o->otlp_len)
				dump_target(d, signals[s], &o->otlp[d][s]);
			else if (o->otlp[d][s].url)
				printf("to%zu is not among them\n", d);
	for (s = 0; s < OTLP_SIGNAL_MAX; s++)
		printf("batch %s delay=%u max=%zu queue=%zu budget=%u\n", signals[s],
		       o->batch[s].delay_ms, o->batch[s].max_items, o->batch[s].queue_items,
		       o->batch[s].retry_budget_ms);
	printf("connections=%u dir=%s bytes=%" PRIu64 " window=%u\n", o->connections,
	       text_of(o->queue_dir), o->queue_bytes, o->queue_window_ms);
	printf("limits attrs=%u chars=%u events=%u links=%u event=%u link=%u log=%u logchars=%u\n",
	       l->attrs, l->value_chars, l->events, l->links, l->event_attrs, l->link_attrs,
	       l->log_attrs, l->log_value_chars);
	printf("temporality=%d exemplars=%d\n", o->temporality, o->exemplars);
	printf("split=%#x subnets=%u,%u cap=%u tenants=%d\n", o->metric_attrs, o->subnet_bits[0],
	       o->subnet_bits[1], o->metric_cap, o->tenants != NULL);
	printf("listen=%s at %s port %s\n", text_of(o->metrics_listen), o->metrics_host,
	       o->metrics_port);
	printf("sample_mode=%d\n", o->sample_mode);
}

static void dump(const struct options *o)
{
	size_t i;

	printf("command=%d\n", o->command);
	printf("control=%s request=%s top=%d\n", text_of(o->control), text_of(o->ctl_request),
	       o->ctl_is_top);
	printf("events=%s tail=%s filter=%s form=%d count=%" PRIu64 "\n", text_of(o->events),
	       text_of(o->asked_interface), text_of(o->tail_filter), o->tail_form, o->tail_count);
	for (i = 0; i < o->interfaces_len; i++)
		printf("if=%s\n", o->interfaces[i]);
	printf("mode=%d attach=%d\n", o->xdp_mode, o->xdp_attach);
	printf("n=%" PRIu64 " threshold=%" PRIx64 " th=%s\n", o->sample_n, o->sample_threshold,
	       o->sample_th);
	printf("auto=%d budget=%g,%g,%g,%g\n", o->sample_auto, o->budget.spans_per_s,
	       o->budget.records_per_s, o->budget.cpu_cores, o->budget.ring_share);
	printf("key=%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "\n", o->site_key[0],
	       o->site_key[1], o->site_key[2], o->site_key[3]);
	printf("filter=%s steps=%u\n", text_of(o->filter), o->filter_program.len);
	printf("workers=%u flows=%u ring=%u\n", o->workers, o->max_flows, o->ring_bytes);
	printf("active=%u idle=%u tcp=%u\n", o->active_timeout_ms, o->idle_timeout_ms,
	       o->tcp_idle_timeout_ms);
	dump_otlp(o);
	for (i = 0; i < o->resource_len; i++)
		printf("resource%zu %s=%s\n", i, o->resource[i].name, o->resource[i].value);
	printf("interval=%u duration=%u shutdown=%u verbosity=%d\n", o->interval_ms, o->duration_ms,
	       o->shutdown_timeout_ms, o->verbosity);
}

static void read_all(FILE *f, char *text, size_t cap)
{
	size_t len;

	rewind(f);
	len = fread(text, 1, cap - 1, f);
	text[len] = '\0';
	fclose(f);
}

void options_run(struct options_result *r, const char *args)
{
	char copy[1024], *argv[32] = {(char *)"ringspan"}, *rest = copy, *word;
	FILE *out = tmpfile(), *err = tmpfile();
	struct options *o;
	int argc = 1, status;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", args);
	while ((word = strsep(&rest, " ")))
		if (*word)
			argv[argc++] = strcmp(word, "EMPTY") ? word : word + 5;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		if (options_parse(&o, argc, argv))
			_exit(99);
		dump(o);
		options_destroy(o);
		fflush(stdout);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	r->code = WEXITSTATUS(status);
	read_all(out, r->out, sizeof(r->out));
	read_all(err, r->err, sizeof(r->err));
}

void check_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

void check_count(const char *text, const char *part, int times)
{
	const char *p = text;
	int n = 0;

	while ((p = strstr(p, part))) {
		p++;
		n++;
	}
	if (n != times)
		fail_msg("'%s' is there %d times, not %d, in:\n%s", part, n, times, text);
}

void check_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' should not be in:\n%s", part, text);
}

void check_runs(const char *args, const char *part)
{
	struct options_result r;

	options_run(&r, args);
	if (r.code)
		fail_msg("%s: exit %d: %s", args, r.code, r.err);
	check_contains(r.out, part);
	assert_string_equal(r.err, "");
}

void check_warns(const char *args, const char *part, const char *warning)
{
	struct options_result r;

	options_run(&r, args);
	assert_int_equal(r.code, 0);
	check_contains(r.out, part);
	check_contains(r.err, "ringspan: warning: ");
	check_contains(r.err, warning);
}

void check_refused(const char *args, const char *given, const char *reason)
{
	struct options_result r;
	const char *newline;

	options_run(&r, args);
	if (r.code != 64)
		fail_msg("%s: exit %d, not 64: %s", args, r.code, r.err);
	assert_int_equal(strncmp(r.err, "ringspan: error: ", 17), 0);
	newline = strchr(r.err, '\n');
	assert_non_null(newline);
	assert_string_equal(newline, "\n");
	check_contains(r.err, given);
	check_contains(r.err, reason);
	assert_string_equal(r.out, "");
}

int clear_environment(void **state)
{
	char name[128];
	char **e = environ;

	(void)state;
	while (*e) {
		if (strncmp(*e, "OTEL_", 5) && strncmp(*e, "RINGSPAN_OTLP_", 14)) {
			e++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*e, "="), *e);
		unsetenv(name);
		e = environ;
	}
	return 0;
}
