/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Wires the parts, waits for a signal, tears down in the order of the data. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/auto_control.h"
#include "user/clock.h"
#include "user/command.h"
#include "user/console.h"
#include "user/control.h"
#include "user/export.h"
#include "user/ledger.h"
#include "user/log.h"
#include "user/meter.h"
#include "user/notify.h"
#include "user/options.h"
#include "user/probe.h"
#include "user/stream.h"
#include "user/wait.h"
#include "user/worker.h"

#define APP_TICK_NS 1000000000ULL

struct app {
	struct options *options;
	struct probe *probe;
	struct otlp_encoder *encoder;
	struct otlp_exporter *exporter;
	struct console *console;
	struct stream *stream;
	struct worker *workers[FLOW_MAX_WORKERS];
	struct meter *meter;
	struct auto_control *rate;
	struct control *control;
	struct wait wait;
};

static int app_start(struct app *a)
{
	struct worker_opts worker = {.options = a->options};
	struct meter_opts meter = {.options = a->options, .workers = a->workers};
	int err = probe_create(&a->probe, a->options) ?: probe_attach(a->probe);

	err = err ?: export_open(&a->encoder, &a->exporter, a->options);
	err = err ?: stream_open(&a->stream, a->options, a->encoder);
	if (err)
		return err;
	err = a->options->export_console ? console_create(&a->console, stdout) : 0;
	worker.probe = meter.probe = a->probe;
	worker.encoder = meter.encoder = a->encoder;
	worker.exporter = meter.exporter = a->exporter;
	worker.console = meter.console = a->console;
	worker.stream = meter.stream = a->stream;
	err = err ?: meter_create(&a->meter, &meter);
	worker.series = meter_series(a->meter);
	for (; !err && worker.index < a->options->workers; worker.index++)
		err = worker_start(&a->workers[worker.index], &worker);
	err = err ?: auto_control_create(&a->rate, &(struct auto_control_opts){
							   a->options, a->probe, a->workers, a->meter});
	if (err)
		log_error("cannot start: %s", strerror(-err));
	return err ?: meter_listen(a->meter) ?: control_open(&a->control, &(struct control_opts){
				a->options, a->probe, a->workers, a->meter, a->rate});
}

/* Until a signal, a request to stop, the end of --duration, or the last interface is gone. */
static int app_run(struct app *a)
{
	uint64_t now_ns = clock_mono_ns(), tick_ns = now_ns + APP_TICK_NS, end_ns = UINT64_MAX;

	if (a->options->duration_ms)
		end_ns = now_ns + a->options->duration_ms * 1000000ULL;
	while (now_ns < end_ns) {
		if (wait_until(&a->wait, control_fd(a->control),
			       tick_ns < end_ns ? tick_ns : end_ns) ||
		    control_serve(a->control))
			break;
		now_ns = clock_mono_ns();
		if (now_ns < tick_ns)
			continue;
		tick_ns = now_ns + APP_TICK_NS;
		stream_tend(a->stream);
		meter_tick(a->meter, now_ns, false);
		auto_control_tick(a->rate, now_ns);
		if (!probe_tick(a->probe))
			return log_error("no interface is left to watch: ending"), -ENODEV;
	}
	return 0;
}

/* From here on a second signal ends the process at once. */
static void app_stop(struct app *a)
{
	struct ledger l;

	wait_release(&a->wait);
	notify_systemd("STOPPING=1");
	meter_set_state(a->meter, SCRAPE_STOPPING);
	probe_detach(a->probe);
	for (unsigned w = 0; w < a->options->workers; w++)
		worker_stop(a->workers[w]);
	stream_stop(a->stream);
	probe_tick(a->probe);
	meter_tick(a->meter, clock_mono_ns(), true);
	otlp_exporter_stop(a->exporter, a->options->shutdown_timeout_ms);
	meter_ledger(a->meter, &l);
	console_destroy(a->console);
	a->console = NULL;
	ledger_print(&l, stderr);
}

static int app_watch(struct app *a)
{
	int err = app_start(a);

	if (!err) {
		auto_control_say_ready(a->rate);
		notify_systemd("READY=1");
		meter_set_state(a->meter, SCRAPE_READY);
		err = app_run(a);
		app_stop(a);
	}
	control_close(a->control); /* by now the answer to who asked for the end has left */
	for (unsigned w = 0; w < FLOW_MAX_WORKERS; w++)
		worker_destroy(a->workers[w]);
	auto_control_destroy(a->rate);
	meter_destroy(a->meter);
	stream_close(a->stream);
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

	if (options_parse(&a.options, argc, argv) || wait_init(&a.wait))
		return EXIT_FAILURE;
	log_set_level(a.options->verbosity);
	err = a.options->command == OPTIONS_WATCH ? app_watch(&a) : command_run(a.options);
	options_destroy(a.options);
	return err < 0 ? EXIT_FAILURE : err;
}
