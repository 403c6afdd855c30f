/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All output of one event is put together first and leaves in one write, under the lock, so that a
 * span line never lands inside the status line. The reader may be slow (a pager), stopped (Ctrl-S)
 * or gone: nothing here may hold up a worker for longer than a moment, so before each write the
 * descriptor is asked whether it takes data. A stall is waited for once; while it lasts, lines are
 * counted as skipped at once.
 */
#include "user/console.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CONSOLE_LINES_PER_S 30 /* what an eye can follow */
#define CONSOLE_SECOND_NS 1000000000ULL
#define CONSOLE_STALL_MS 100
#define CONSOLE_CLEAR "\r\033[K"
#define CONSOLE_STATUS_CAP 1024
#define CONSOLE_OUT_CAP 4000 /* below PIPE_BUF: a pipe that says "ready" takes it whole */

struct console {
	pthread_mutex_t lock;
	FILE *out;
	bool is_tty;
	bool is_stalled; /* the last wait was in vain */
	bool is_gone; /* nobody reads any more */
	char status[CONSOLE_STATUS_CAP]; /* as it stands on the terminal; "" for none */
	uint64_t window_mono_ns; /* when the running second began */
	unsigned window_lines;
	uint64_t window_more; /* lines not shown in it */
	uint64_t printed, skipped;
};

struct console_text {
	size_t len;
	char buf[CONSOLE_OUT_CAP];
};

static void text_add(struct console_text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void text_add(struct console_text *t, const char *fmt, ...)
{
	size_t room = sizeof(t->buf) - t->len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->buf + t->len, room, fmt, args);
	va_end(args);
	if (n > 0)
		t->len += (size_t)n < room ? (size_t)n : room - 1;
}

/* Text from outside; what could steer a terminal becomes '?'. */
static void text_add_plain(struct console_text *t, const char *s)
{
	for (; *s && t->len + 1 < sizeof(t->buf); s++)
		t->buf[t->len++] = (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s;
	t->buf[t->len] = '\0';
}

/* 1234567 → 1,234,567 */
static void text_add_count(struct console_text *t, uint64_t v)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, v), i;

	for (i = 0; i < len; i++)
		text_add(t, "%s%c", i && (len - i) % 3 == 0 ? "," : "", digits[i]);
}

static void text_add_rate(struct console_text *t, const char *way, double pps, double bps)
{
	static const char *const unit[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
	size_t u = 0;

	while (bps >= 999.95 && u + 1 < sizeof(unit) / sizeof(unit[0])) {
		bps /= 1000;
		u++;
	}
	text_add(t, "  %s ", way);
	text_add_count(t, pps > 0 ? (uint64_t)(pps + 0.5) : 0);
	text_add(t, " pps %.*f %s", u ? 1 : 0, bps, unit[u]);
}

/* Whether a write would not block. Files always take data. */
static bool console_is_ready(struct console *c)
{
	struct pollfd p = {.fd = fileno(c->out), .events = POLLOUT};

	if (c->is_gone)
		return false;
	if (p.fd < 0)
		return true; /* a stream in memory */
	c->is_stalled = poll(&p, 1, c->is_stalled ? 0 : CONSOLE_STALL_MS) != 1;
	return !c->is_stalled;
}

/* Writes and flushes all of @t. SIGPIPE is ours to swallow: it goes to the writing thread, and the
 * rest of the program may have wanted it to act otherwise. */
static bool console_write(struct console *c, const struct console_text *t)
{
	const struct timespec at_once = {0};
	sigset_t pipe_set, old, pending;
	bool ok, was_pending;
	int err;

	if (!console_is_ready(c))
		return false;
	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	ok = fwrite(t->buf, 1, t->len, c->out) == t->len && fflush(c->out) == 0;
	err = errno;
	if (!ok) {
		clearerr(c->out);
		c->is_gone = err == EPIPE;
		if (c->is_gone && !was_pending)
			sigtimedwait(&pipe_set, NULL, &at_once);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

/* The line "… and N more spans" of a second that had too many. */
static void console_add_more(struct console *c, struct console_text *t)
{
	if (!c->window_more)
		return;
	text_add(t, "… and ");
	text_add_count(t, c->window_more);
	text_add(t, " more span%s\n", c->window_more == 1 ? "" : "s");
	c->window_more = 0;
}

int console_create(struct console **ret, FILE *out)
{
	struct console *c = calloc(1, sizeof(*c));
	int fd = fileno(out);

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->out = out;
	c->is_tty = fd >= 0 && isatty(fd);
	*ret = c;
	return 0;
}

void console_destroy(struct console *c)
{
	struct console_text t = {0};

	if (!c)
		return;
	if (c->status[0])
		text_add(&t, CONSOLE_CLEAR);
	console_add_more(c, &t);
	if (t.len)
		console_write(c, &t);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void console_span(struct console *c, const char *line, uint64_t now_mono_ns)
{
	struct console_text t = {0};

	pthread_mutex_lock(&c->lock);
	if (c->is_tty) {
		if (c->status[0])
			text_add(&t, CONSOLE_CLEAR);
		/* workers' clocks are read before the lock: a little out of order */
		if (now_mono_ns >= c->window_mono_ns + CONSOLE_SECOND_NS) {
			console_add_more(c, &t);
			c->window_mono_ns = now_mono_ns;
			c->window_lines = 0;
		}
		if (c->window_lines >= CONSOLE_LINES_PER_S) {
			c->window_more++;
			c->skipped++;
			goto out;
		}
		c->window_lines++;
	}
	text_add_plain(&t, line);
	text_add(&t, "\n%s", c->status);
	if (console_write(c, &t))
		c->printed++;
	else
		c->skipped++;
out:
	pthread_mutex_unlock(&c->lock);
}

/* A line that wraps cannot be rewritten in place. All columns are one byte but the ellipsis. */
static void console_cut(struct console *c, struct console_text *t)
{
	struct winsize w;
	size_t columns = 80;

	if (ioctl(fileno(c->out), TIOCGWINSZ, &w) == 0 && w.ws_col)
		columns = w.ws_col;
	if (t->len < columns && t->len < sizeof(c->status))
		return;
	t->len = columns < sizeof(c->status) - 8 ? columns - 1 : sizeof(c->status) - 8;
	if (t->len)
		t->len--;
	t->buf[t->len] = '\0';
	text_add(t, "…");
}

void console_status(struct console *c, const struct console_status *s)
{
	struct console_text t = {0}, whole = {0};
	size_t i;

	for (i = 0; i < s->interfaces_len; i++) {
		const struct console_rates *r = &s->interfaces[i];

		if (i)
			text_add(&t, " | ");
		text_add_plain(&t, r->if_name);
		text_add_rate(&t, "rx", r->rx_pps, r->rx_bps);
		text_add_rate(&t, "tx", r->tx_pps, r->tx_bps);
	}
	text_add(&t, " | flows ");
	text_add_count(&t, s->flows_held);
	text_add(&t, " live ");
	text_add_count(&t, s->flows_ended);
	text_add(&t, " ended | lost ");
	text_add_count(&t, s->lost);

	pthread_mutex_lock(&c->lock);
	if (c->is_tty) {
		console_cut(c, &t);
		if (c->status[0])
			text_add(&whole, CONSOLE_CLEAR);
		console_add_more(c, &whole);
		memcpy(c->status, t.buf, t.len + 1);
		text_add(&whole, "%s", c->status);
	} else {
		text_add(&whole, "%.*s\n", CONSOLE_OUT_CAP - 2, t.buf);
	}
	console_write(c, &whole);
	pthread_mutex_unlock(&c->lock);
}

void console_counts(struct console *c, uint64_t *ret_printed, uint64_t *ret_skipped)
{
	pthread_mutex_lock(&c->lock);
	*ret_printed = c->printed;
	*ret_skipped = c->skipped;
	pthread_mutex_unlock(&c->lock);
}
