/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lines are made here from the JSON form, by what makes those of the console, so that there is
 * one form for all. Nothing is read while a line cannot be written: so whoever reads slowly is seen
 * as slow where the losses are counted, by the ringspan that publishes.
 */
#include "user/tail_command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "user/clock.h"
#include "user/control_filter.h"
#include "user/flow_otlp.h"
#include "user/flow_text.h"
#include "user/local_find.h"
#include "user/log.h"
#include "user/span_json.h"
#include "user/stream.h"
#include "user/subscriber.h"

#define TAIL_CONNECT_NS 6000000000ULL
#define TAIL_AGAIN 3 /* times, in a row and quickly, that a lost connection is made again */
#define TAIL_LASTED_NS 3000000000ULL
#define TAIL_SAY_NS 1000000000ULL
#define TAIL_LINE_CAP 1024
#define TAIL_CHUNK 4096 /* PIPE_BUF: a pipe that says "ready" takes it whole */

struct tail {
	const struct options *o;
	const char *path;
	struct subscriber *sub;
	uint64_t connected_mono_ns;
	unsigned again; /* how often it was lost quickly */
	int signals; /* file descriptor */
	struct control_filter filter;
	uint64_t end_mono_ns;
	uint64_t seq, missed, shown;
	uint64_t missed_said, said_mono_ns;
	bool is_shown; /* the flow whose messages come now; of --otlp */
	bool is_over; /* a signal, the reader went away, or it is enough */
	char *copy; /* of a message, to be read */
	size_t copy_cap;
};

/* ---- output ---- */

/* Until @fd is ready for @events, a signal comes, the reader goes away, or it is time. Whether it
 * is ready. */
static bool tail_wait(struct tail *t, int fd, short events)
{
	struct pollfd p[] = {
		{.fd = fd, .events = events},
		{.fd = t->signals, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* a pipe that nobody reads */
	};
	uint64_t now_ns = clock_mono_ns();
	int ms = -1;

	if (t->end_mono_ns)
		ms = t->end_mono_ns > now_ns ? (int)((t->end_mono_ns - now_ns) / 1000000) + 1 : 0;
	if (poll(p, 3, ms) <= 0 || p[1].revents || p[2].revents & (POLLERR | POLLNVAL))
		t->is_over = true;
	return !t->is_over;
}

static int tail_write(struct tail *t, const char *data, size_t len)
{
	ssize_t n;

	while (len && tail_wait(t, STDOUT_FILENO, POLLOUT)) {
		n = write(STDOUT_FILENO, data, len < TAIL_CHUNK ? len : TAIL_CHUNK);
		if (n < 0 && errno == EPIPE) {
			t->is_over = true;
			return 0;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			log_error("cannot write: %s", strerror(errno));
			return -errno;
		}
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* What steers a terminal becomes '?': texts come from the network, the name of a host. */
static size_t tail_make_plain(char *line, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	return len;
}

static int tail_write_line(struct tail *t, const struct otlp_span *span)
{
	char line[TAIL_LINE_CAP];
	size_t len = tail_make_plain(line, flow_otlp_line(span, line, sizeof(line) - 1));

	line[len] = '\n';
	return tail_write(t, line, len + 1);
}

/* ---- messages ---- */

static bool tail_fits(struct tail *t, const struct otlp_span *span)
{
	struct otlp_str if_name = flow_text_interface(span);
	struct flow_key key;
	size_t i;

	if (!t->filter.len)
		return true;
	if (!flow_text_key(span, &key))
		return false;
	for (i = 0; i < t->filter.len; i++) {
		struct control_filter_word *w = &t->filter.words[i];

		if (w->kind == CONTROL_FILTER_INTERFACE)
			w->if_slot = strlen(w->name) != if_name.len ||
				     memcmp(w->name, if_name.ptr, if_name.len);
	}
	return control_filter_fits(&t->filter, &key);
}

static void tail_say_missed(struct tail *t, bool is_end)
{
	uint64_t now_ns = clock_mono_ns();

	if (t->missed == t->missed_said || (!is_end && now_ns - t->said_mono_ns < TAIL_SAY_NS))
		return;
	t->missed_said = t->missed;
	t->said_mono_ns = now_ns;
	log_warn("missed %llu flows %s: they came faster than they were read",
		 (unsigned long long)t->missed, is_end ? "in all" : "so far");
}

static int tail_on_json(struct tail *t, const char *text, size_t len)
{
	struct span_json json;
	int err = 0;

	if (len > t->copy_cap) {
		free(t->copy);
		t->copy_cap = 2 * len;
		t->copy = malloc(t->copy_cap);
	}
	if (!t->copy)
		return -ENOMEM;
	memcpy(t->copy, text, len);
	if (span_json_read(&json, t->copy, len)) {
		log_error("%s: a message that is no flow", t->path);
		return -EPROTO;
	}
	if (t->seq && json.seq > t->seq + 1)
		t->missed += json.seq - t->seq - 1;
	t->seq = json.seq;
	tail_say_missed(t, false);
	t->is_shown = tail_fits(t, &json.span);
	if (!t->is_shown || t->o->tail_form == OPTIONS_TAIL_OTLP)
		return 0;
	if (t->o->tail_form == OPTIONS_TAIL_JSON)
		err = tail_write(t, text, len);
	else
		err = tail_write_line(t, &json.span);
	t->shown++;
	return err;
}

/* One after the other, requests are one request: that is how protobuf is made. */
static int tail_on_otlp(struct tail *t, const char *data, size_t len)
{
	bool is_shown = t->is_shown;

	t->is_shown = false;
	if (!is_shown || t->o->tail_form != OPTIONS_TAIL_OTLP)
		return 0;
	t->shown++;
	return tail_write(t, data, len);
}

static int tail_on_message(struct tail *t, const char *data, size_t len)
{
	if (len >= STREAM_TOPIC_LEN && !memcmp(data, STREAM_TOPIC_JSON, STREAM_TOPIC_LEN))
		return tail_on_json(t, data + STREAM_TOPIC_LEN, len - STREAM_TOPIC_LEN);
	if (len >= STREAM_TOPIC_LEN && !memcmp(data, STREAM_TOPIC_OTLP, STREAM_TOPIC_LEN))
		return tail_on_otlp(t, data + STREAM_TOPIC_LEN, len - STREAM_TOPIC_LEN);
	return 0; /* another topic, of a later version */
}

/* ---- all ---- */

/* 0; -ENODATA: there is nobody any more; -errno, said. */
static int tail_connect(struct tail *t)
{
	int err;

	err = subscriber_open(&t->sub, t->path, t->signals, clock_mono_ns() + TAIL_CONNECT_NS);
	t->connected_mono_ns = clock_mono_ns();
	if (err == -ECONNREFUSED || err == -ENOENT || err == -ECONNRESET)
		return -ENODATA;
	if (err == -EINTR)
		t->is_over = true;
	else if (err == -EPROTO)
		log_error("%s is no event stream of a ringspan", t->path);
	else if (err == -ETIMEDOUT)
		log_error("no answer from %s within %llu s: it hangs, or is stopped", t->path,
			  TAIL_CONNECT_NS / 1000000000);
	else if (err)
		log_error("cannot connect to %s: %s", t->path, strerror(-err));
	return err == -EINTR ? 0 : err;
}

/* A listener that was replaced cuts everybody off: then there is another one. 0; -ENODATA: there is
 * none, or it does not want us; -errno, said. */
static int tail_connect_again(struct tail *t)
{
	if (clock_mono_ns() - t->connected_mono_ns > TAIL_LASTED_NS)
		t->again = 0;
	subscriber_close(t->sub);
	t->sub = NULL;
	if (++t->again > TAIL_AGAIN || control_path_probe(t->path))
		return -ENODATA;
	return tail_connect(t);
}

/* Until something ends it. */
static int tail_follow(struct tail *t)
{
	const char *data;
	size_t len;
	int err = 0;

	while (!err && !t->is_over) {
		err = subscriber_next(t->sub, &data, &len);
		if (!err && data)
			err = tail_on_message(t, data, len);
		else if (!err && tail_wait(t, subscriber_fd(t->sub), POLLIN))
			err = subscriber_fill(t->sub);
		if (err == -ENODATA)
			err = tail_connect_again(t);
		if (t->o->tail_count && t->shown == t->o->tail_count)
			t->is_over = true;
	}
	if (err == -EPROTO)
		log_error("%s does not send what a ringspan does", t->path);
	tail_say_missed(t, true);
	return err;
}

static int tail_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int tail_command(const struct options *o)
{
	struct tail t = {.o = o, .said_mono_ns = clock_mono_ns()};
	char path[CONTROL_PATH_CAP], why[CONTROL_WHY_CAP];
	int err;

	if (o->tail_filter &&
	    control_filter_parse(&t.filter, o->tail_filter, strlen(o->tail_filter), why)) {
		log_error("--filter '%s': %s", o->tail_filter, why);
		return EX_USAGE;
	}
	if (o->events)
		snprintf(path, sizeof(path), "%s", o->events);
	else if (local_find(path, CONTROL_EVENTS_PREFIX, o->asked_interface, "--events"))
		return EXIT_FAILURE;
	t.path = path;
	t.signals = tail_signals();
	if (o->duration_ms)
		t.end_mono_ns = clock_mono_ns() + o->duration_ms * 1000000ULL;
	err = local_find_check(path);
	if (!err)
		err = tail_connect(&t);
	if (!err && !t.is_over)
		err = tail_follow(&t);
	if (err == -ENODATA)
		log_error(
			"%s was closed: that ringspan has ended, or it has %d subscribers already",
			path, STREAM_SUBSCRIBERS);
	subscriber_close(t.sub);
	close(t.signals);
	free(t.copy);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
