/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Wires the parts, waits for a signal, tears down in the order of the data. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "user/clock.h"
#include "user/console.h"
#include "user/export.h"
#include "user/ledger.h"
#include "user/log.h"
#include "user/meter.h"
#include "user/notify.h"
#include "user/options.h"
#include "user/probe.h"
#include "user/queue_command.h"
#include "user/worker.h"

struct app {
	struct options *options;
	struct probe *probe;
	struct otlp_encoder *encoder;
	struct otlp_exporter *exporter;
	struct console *console;
	struct worker *workers[FLOW_MAX_WORKERS];
	struct meter *meter;
	sigset_t signals;
};

static int app_start(struct app *a)
{
	struct worker_opts worker = {.options = a->options};
	struct meter_opts meter = {.options = a->options, .workers = a->workers};
	int err;

	err = probe_create(&a->probe, a->options);
	if (!err)
		err = probe_attach(a->probe);
	if (!err && a->options->export_otlp)
		err = export_open(&a->encoder, &a->exporter, a->options);
	if (err)
		return err;
	if (a->options->export_console)
		err = console_create(&a->console, stdout);
	worker.probe = meter.probe = a->probe;
	worker.encoder = meter.encoder = a->encoder;
	worker.exporter = meter.exporter = a->exporter;
	worker.console = meter.console = a->console;
	for (; !err && worker.index < a->options->workers; worker.index++)
		err = worker_start(&a->workers[worker.index], &worker);
	if (!err)
		err = meter_create(&a->meter, &meter);
	if (err)
		log_error("cannot start: %s", strerror(-err));
	return err;
}

/* Until a signal, the end of --duration, or the last interface is gone. */
static int app_run(struct app *a)
{
	uint64_t begun_ns = clock_mono_ns(), now_ns, left_ns;
	uint64_t duration_ns = a->options->duration_ms * 1000000ULL;
	struct timespec wait;

	for (;;) {
		wait = (struct timespec){.tv_sec = 1};
		now_ns = clock_mono_ns();
		if (duration_ns) {
			if (now_ns - begun_ns >= duration_ns)
				return 0;
			left_ns = duration_ns - (now_ns - begun_ns);
			if (left_ns < 1000000000ULL)
				wait = (struct timespec){.tv_nsec = (long)left_ns};
		}
		if (sigtimedwait(&a->signals, NULL, &wait) > 0)
			return 0;
		meter_tick(a->meter, clock_mono_ns(), false);
		if (!probe_tick(a->probe)) {
			log_error("no interface is left to watch: ending");
			return -ENODEV;
		}
	}
}

/* From here on a second signal ends the process at once. */
static void app_stop(struct app *a)
{
	struct ledger l;
	unsigned w;

	pthread_sigmask(SIG_UNBLOCK, &a->signals, NULL);
	notify_systemd("STOPPING=1");
	probe_detach(a->probe);
	for (w = 0; w < a->options->workers; w++)
		worker_stop(a->workers[w]);
	probe_tick(a->probe);
	meter_tick(a->meter, clock_mono_ns(), true);
	if (a->exporter)
		otlp_exporter_stop(a->exporter, a->options->shutdown_timeout_ms);
	meter_ledger(a->meter, &l);
	console_destroy(a->console);
	a->console = NULL;
	ledger_print(&l, stderr);
}

static int app_watch(struct app *a)
{
	int err = app_start(a);
	unsigned w;

	if (!err) {
		fprintf(stderr, "ringspan ready: watching %zu interface%s, keeping 1 flow in %llu\n",
			a->options->interfaces_len, a->options->interfaces_len == 1 ? "" : "s",
			(unsigned long long)a->options->sample_n);
		notify_systemd("READY=1");
		err = app_run(a);
		app_stop(a);
	}
	for (w = 0; w < FLOW_MAX_WORKERS; w++)
		worker_destroy(a->workers[w]);
	meter_destroy(a->meter);
	otlp_exporter_destroy(a->exporter);
	otlp_encoder_destroy(a->encoder);
	console_destroy(a->console);
	probe_destroy(a->probe);
	return err;
}

int main(int argc, char **argv)
{
	struct app a = {};
	int err;

	sigemptyset(&a.signals);
	sigaddset(&a.signals, SIGINT);
	sigaddset(&a.signals, SIGTERM);
	sigaddset(&a.signals, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (options_parse(&a.options, argc, argv))
		return EXIT_FAILURE;
	log_set_level(a.options->verbosity);
	pthread_sigmask(SIG_BLOCK, &a.signals, NULL);
	err = a.options->command == OPTIONS_WATCH ? app_watch(&a) : queue_command(a.options);
	options_destroy(a.options);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
