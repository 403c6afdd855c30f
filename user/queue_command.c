/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/queue_command.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "otlp/wal_dir.h"
#include "user/clock.h"
#include "user/export.h"
#include "user/log.h"

#define QUEUE_POLL_NS 100000000
#define QUEUE_PROGRESS_NS 5000000000ULL

static const char *const queue_signals[OTLP_SIGNAL_MAX] = {"traces", "metrics", "logs"};

/* The folders that have something in them. */
struct queue_folders {
	struct export_route *list;
	size_t len;
	uint64_t requests;
	int err;
};

/* ---- ls ---- */

static const char *queue_age(uint64_t unix_ns, char buf[32])
{
	struct timespec ts;
	double seconds;

	clock_gettime(CLOCK_REALTIME, &ts);
	seconds = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9 - (double)unix_ns / 1e9;
	if (!unix_ns)
		snprintf(buf, 32, "-");
	else if (seconds < 120)
		snprintf(buf, 32, "%.0f s", seconds > 0 ? seconds : 0);
	else if (seconds < 7200)
		snprintf(buf, 32, "%.0f min", seconds / 60);
	else
		snprintf(buf, 32, "%.0f h", seconds / 3600);
	return buf;
}

static const char *queue_size(uint64_t bytes, char buf[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
	double size = (double)bytes;
	unsigned unit = 0;

	for (; size >= 1024 && unit < 3; unit++)
		size /= 1024;
	snprintf(buf, 32, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
	return buf;
}

static void queue_print(void *ctx, const struct otlp_wal_listing *l)
{
	uint64_t *requests = ctx;
	char age[32], size[32];

	*requests += l->requests;
	printf("%-8s %9" PRIu64 " %10" PRIu64 " %10s %8s  %s\n", queue_signals[l->signal],
	       l->requests, l->items, queue_size(l->bytes, size), queue_age(l->oldest_unix_ns, age),
	       l->url);
	if (l->damage.records)
		printf("         %" PRIu64 " damaged requests, %" PRIu64
		       " items, will be left out and counted\n",
		       l->damage.records, l->damage.items + l->damage.unknown);
}

static int queue_ls(const struct options *o)
{
	const char *why = NULL;
	uint64_t requests = 0;
	bool in_use = false;
	int err;

	printf("%-8s %9s %10s %10s %8s  %s\n", "signal", "requests", "items", "size", "oldest",
	       "for");
	err = otlp_wal_dir_list(o->queue_dir, queue_print, &requests, &in_use, &why);
	if (err) {
		log_error("queue ls %s: %s", o->queue_dir, why ? why : strerror(-err));
		return 1;
	}
	if (in_use)
		printf("in use by a running process, which sends it\n");
	else if (requests)
		printf("to send it: ringspan queue send %s\n", o->queue_dir);
	return 0;
}

/* ---- send ---- */

static void queue_collect(void *ctx, const struct otlp_wal_listing *l)
{
	struct queue_folders *f = ctx;
	struct export_route *list;

	if (!l->requests && !l->damage.records)
		return;
	list = realloc(f->list, (f->len + 1) * sizeof(*list));
	if (!list) {
		f->err = -ENOMEM;
		return;
	}
	f->list = list;
	list[f->len] = (struct export_route){
		.signal = l->signal, .url = strdup(l->whole_url), .queue_name = strdup(l->name)};
	if (!list[f->len].url || !list[f->len].queue_name)
		f->err = -ENOMEM;
	f->len++;
	f->requests += l->requests;
}

static void queue_folders_reset(struct queue_folders *f)
{
	size_t i;

	for (i = 0; i < f->len; i++) {
		free((char *)f->list[i].url);
		free((char *)f->list[i].queue_name);
	}
	free(f->list);
}

/* scheme://authority */
static size_t queue_origin_len(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?") : strlen(url);
}

/* Headers and certificates of the environment are for one server. */
static int queue_check_one_server(const struct queue_folders *f)
{
	size_t len = queue_origin_len(f->list[0].url), i;

	for (i = 1; i < f->len; i++) {
		if (queue_origin_len(f->list[i].url) == len &&
		    !strncmp(f->list[i].url, f->list[0].url, len))
			continue;
		log_error("the queue holds requests for several servers (see ringspan queue ls): "
			  "name those to send to with --otlp-endpoint");
		return -EINVAL;
	}
	return 0;
}

/* The destination that a folder is for; -1: none of those given. */
static int queue_destination(const struct export_route *r, const struct options *o)
{
	size_t i;

	for (i = 0; i < o->otlp_len; i++)
		if (o->otlp[i][r->signal].url && !strcmp(o->otlp[i][r->signal].url, r->url))
			return (int)i;
	return o->otlp_len == 1 && o->otlp[0][r->signal].url ? 0 : -1;
}

/* Without an endpoint all goes where it was to go, with one all goes there, with several each gets
 * its own. What is for nobody is left out, which the exporter tells. */
static int queue_address(struct queue_folders *f, const struct options *o)
{
	size_t i, len = 0;

	if (!o->otlp_given)
		return queue_check_one_server(f);
	for (i = 0; i < f->len; i++) {
		struct export_route *r = &f->list[i];
		int destination = queue_destination(r, o);
		char *url;

		if (destination < 0) {
			free((char *)r->queue_name);
			free((char *)r->url);
			continue;
		}
		r->destination = (size_t)destination;
		url = strdup(o->otlp[destination][r->signal].url);
		free((char *)r->url);
		r->url = url;
		f->list[len++] = *r;
		if (!url)
			f->err = -ENOMEM;
	}
	f->len = len;
	return f->err;
}

struct queue_sum {
	uint64_t found, sent, lost, left, left_requests;
};

static struct queue_sum queue_sum(struct otlp_exporter *x)
{
	struct queue_sum sum = {0};
	struct otlp_signal_stats st;
	size_t d, s, r;

	for (d = 0; d < otlp_exporter_destinations(x); d++)
		for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
			otlp_exporter_stats(x, d, s, &st);
			sum.found += st.submitted;
			sum.sent += st.exported;
			sum.lost += st.rejected;
			for (r = 0; r < OTLP_DROP_MAX; r++)
				sum.lost += st.dropped[r];
			sum.left += st.queued;
			sum.left_requests += st.queued_requests;
		}
	return sum;
}

/* Until all is sent, a signal, or the end of --duration. */
static void queue_wait(struct otlp_exporter *x, const struct options *o)
{
	const struct timespec poll = {.tv_nsec = QUEUE_POLL_NS};
	uint64_t begun_ns = clock_mono_ns(), told_ns = begun_ns, now_ns;
	struct queue_sum sum;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	while ((sum = queue_sum(x)).left) {
		if (sigtimedwait(&signals, NULL, &poll) > 0)
			break;
		now_ns = clock_mono_ns();
		if (o->duration_ms && now_ns - begun_ns >= o->duration_ms * 1000000ULL)
			break;
		if (now_ns - told_ns >= QUEUE_PROGRESS_NS) {
			log_info("%" PRIu64 " items sent, %" PRIu64 " requests left", sum.sent,
				 sum.left_requests);
			told_ns = now_ns;
		}
	}
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

static int queue_send(const struct options *o)
{
	struct queue_folders folders = {0};
	struct otlp_exporter *x = NULL;
	const char *why = NULL;
	struct queue_sum sum;
	bool in_use = false;
	int failed = 1, err;

	err = otlp_wal_dir_list(o->queue_dir, queue_collect, &folders, &in_use, &why);
	if (err || folders.err) {
		log_error("queue send %s: %s", o->queue_dir, why ? why : strerror(ENOMEM));
		goto out;
	}
	if (!folders.len) {
		printf("nothing waits in %s\n", o->queue_dir);
		failed = 0;
		goto out;
	}
	if (queue_address(&folders, o) || export_open_routes(&x, o, folders.list, folders.len))
		goto out;
	log_info("sending %" PRIu64 " requests", folders.requests);
	queue_wait(x, o);
	otlp_exporter_stop(x, o->shutdown_timeout_ms);
	sum = queue_sum(x);
	printf("%" PRIu64 " items found, %" PRIu64 " sent, %" PRIu64 " refused or damaged, %" PRIu64
	       " left\n",
	       sum.found, sum.sent, sum.lost, sum.left);
	failed = sum.left || sum.lost;
out:
	otlp_exporter_destroy(x);
	queue_folders_reset(&folders);
	return failed;
}

int queue_command(const struct options *o)
{
	return o->command == OPTIONS_QUEUE_LS ? queue_ls(o) : queue_send(o);
}
