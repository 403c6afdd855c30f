/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The REP protocol of nng keeps clients apart: one that says nothing, says too much, speaks another
 * protocol or goes away is its affair, and an answer that a client does not fetch is thrown away.
 *
 * One thing nng 1.5 does not bear: a client that goes away in the very moment it has come. Its
 * listener takes the broken pipe for its own end, and hands nobody over any more; all that shows it
 * is a number in its statistics. They are looked at once a second, and it is replaced; clients that
 * wait meanwhile connect and ask again by themselves.
 *
 * A socket file outlives a process that is killed. Whether somebody listens on it can be asked, and
 * two that start at the same time take turns: by a lock on the folder, for as long as it takes to
 * ask and to listen. A listener begins under another name and is moved to where it belongs, so that
 * it takes the place of what was there, its own predecessor too, without a gap.
 */
#include "user/control.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include "user/clock.h"
#include "user/control_answer.h"
#include "user/control_path.h"
#include "user/control_request.h"
#include "user/log.h"

#define CONTROL_LOOK_NS 1000000000ULL
#define CONTROL_TURN 16 /* requests answered before the caller's own work goes on */
#define CONTROL_NAMES 64 /* default names that are tried */
#define CONTROL_REQ_HEADER 256 /* of the protocol, before the text: at most 15 hops of 4 bytes */

struct control {
	struct control_opts opts;
	nng_socket socket;
	nng_listener listener;
	bool is_open, is_listening;
	int fd;
	uint64_t looked_mono_ns;
	ino_t inode; /* of the socket file that is ours */
	uint64_t begun_mono_ns;
	char path[CONTROL_PATH_CAP];
};

/* ---- the socket ---- */

/* Of the lock; -1: there is none, and then there are no turns. */
static int control_lock_folder(const char *path)
{
	char copy[CONTROL_PATH_CAP];
	const struct timespec pause = {.tv_nsec = 10000000};
	unsigned tries = 100; /* others hold it for milliseconds, unless it is not for this */
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK && --tries)
		nanosleep(&pause, NULL);
	return fd;
}

static int control_errno(int nng_err)
{
	switch (nng_err) {
	case 0:
		return 0;
	case NNG_EADDRINUSE:
		return -EADDRINUSE;
	case NNG_EPERM:
		return -EACCES;
	case NNG_ENOENT:
	case NNG_EADDRINVAL:
		return -ENOENT;
	case NNG_ENOMEM:
		return -ENOMEM;
	}
	return nng_err & NNG_ESYSERR ? -(nng_err & ~NNG_ESYSERR) : -EIO;
}

static int control_listen(struct control *c)
{
	char url[CONTROL_PATH_CAP + sizeof("ipc://~")];
	const char *fresh = url + sizeof("ipc://") - 1;
	struct stat st;
	int err;

	snprintf(url, sizeof(url), "ipc://%s~", c->path);
	err = nng_listener_create(&c->listener, c->socket, url);
	if (err)
		return control_errno(err);
	/* set before it listens: nobody else can come in between */
	err = nng_listener_set_int(c->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
	if (!err)
		err = nng_listener_start(c->listener, 0);
	if (err)
		nng_listener_close(c->listener);
	c->is_listening = !err;
	if (err)
		return control_errno(err);
	if (stat(fresh, &st) || rename(fresh, c->path)) {
		err = -errno;
		nng_listener_close(c->listener);
		c->is_listening = false;
		return err;
	}
	c->inode = st.st_ino;
	return 0;
}

static int control_open_socket(struct control *c)
{
	int err = nng_rep0_open(&c->socket);

	if (err)
		return control_errno(err);
	c->is_open = true;
	err = nng_socket_set_size(c->socket, NNG_OPT_RECVMAXSZ,
				  CONTROL_REQUEST_BYTES + CONTROL_REQ_HEADER);
	if (!err)
		err = nng_socket_get_int(c->socket, NNG_OPT_RECVFD, &c->fd);
	return control_errno(err);
}

/* Whether the listener met an error that it may not have survived. */
static bool control_is_broken(const struct control *c)
{
	nng_stat *all, *mine;
	bool is_broken;

	if (!c->is_listening)
		return true;
	if (nng_stats_get(&all))
		return false;
	mine = nng_stat_find_listener(all, c->listener);
	mine = mine ? nng_stat_find(mine, "other") : NULL;
	is_broken = mine && nng_stat_value(mine);
	nng_stats_free(all);
	return is_broken;
}

static void control_heal(struct control *c)
{
	uint64_t now_ns = clock_mono_ns();
	bool was_listening = c->is_listening;
	nng_listener old = c->listener;
	int err;

	if (now_ns - c->looked_mono_ns < CONTROL_LOOK_NS)
		return;
	c->looked_mono_ns = now_ns;
	if (!control_is_broken(c))
		return;
	err = control_listen(c);
	if (was_listening)
		nng_listener_close(old);
	if (err)
		log_debug("control socket %s: %s; trying again", c->path, strerror(-err));
}

/* At c->path. -EADDRINUSE: another instance listens there. */
static int control_take(struct control *c)
{
	int lock = control_lock_folder(c->path), err = control_path_probe(c->path);

	if (!err)
		err = -EADDRINUSE;
	else if (err == -ECONNREFUSED || err == -ENOENT) /* left behind, or none */
		err = control_listen(c);
	if (lock >= 0)
		close(lock);
	return err;
}

/* By the first interface, which nobody else can watch, unless in another network namespace. */
static int control_take_default(struct control *c)
{
	const struct options *o = c->opts.options;
	char more[24] = "", again[16] = "";
	struct stat st;
	unsigned n;
	int err;

	if (mkdir(CONTROL_DIR, 0700) && errno != EEXIST)
		return -errno;
	if (!stat(CONTROL_DIR, &st) && st.st_uid == geteuid() && (st.st_mode & 077) &&
	    chmod(CONTROL_DIR, 0700))
		return -errno;
	if (o->interfaces_len > 1)
		snprintf(more, sizeof(more), "+%zu", o->interfaces_len - 1);
	for (n = 1; n <= CONTROL_NAMES; n++) {
		snprintf(c->path, sizeof(c->path), CONTROL_DIR "/ctl-%.15s%s%s.sock",
			 o->interfaces[0], more, again);
		err = control_take(c);
		if (err != -EADDRINUSE)
			return err;
		snprintf(again, sizeof(again), ".%u", n + 1);
	}
	return err;
}

int control_open(struct control **ret, const struct control_opts *opts)
{
	const char *path = opts->options->control;
	struct control *c;
	int err;

	*ret = NULL;
	if (path && !strcmp(path, "none"))
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->opts = *opts;
	c->begun_mono_ns = c->looked_mono_ns = clock_mono_ns();
	err = control_open_socket(c);
	if (err) {
		log_error("cannot make a control socket: %s", strerror(-err));
		control_close(c);
		return err;
	}
	if (path) {
		snprintf(c->path, sizeof(c->path), "%s", path);
		err = control_take(c);
	} else {
		err = control_take_default(c);
	}
	if (!err) {
		log_debug("control socket: %s", c->path);
		*ret = c;
		return 0;
	}
	if (!path)
		log_warn("no control socket in " CONTROL_DIR
			 ": %s; running without (--control PATH gives another place)",
			 strerror(-err));
	else if (err == -EADDRINUSE)
		log_error("--control %s: another process listens there: give another path", path);
	else if (err == -ENOTSOCK)
		log_error("--control %s: there is something else than a socket: give another path",
			  path);
	else
		log_error("--control %s: cannot make a socket there: %s", path, strerror(-err));
	control_close(c);
	return path ? err : 0;
}

void control_close(struct control *c)
{
	struct stat st;

	if (!c)
		return;
	if (c->is_open)
		nng_close(c->socket);
	if (c->inode && !stat(c->path, &st) && st.st_ino == c->inode)
		unlink(c->path);
	free(c);
}

int control_fd(const struct control *c)
{
	return c ? c->fd : -1;
}

/* ---- requests ---- */

/* Takes @msg over. */
static bool control_reply(struct control *c, nng_msg *msg)
{
	struct control_answer_opts opts = {&c->opts, c->begun_mono_ns};
	bool is_stop = false;
	size_t size = 0;
	char *text;

	text = control_answer(&opts, nng_msg_body(msg), nng_msg_len(msg), &size, &is_stop);
	nng_msg_clear(msg);
	if (!text || nng_msg_append(msg, text, size) ||
	    nng_sendmsg(c->socket, msg, NNG_FLAG_NONBLOCK))
		nng_msg_free(msg); /* there is no memory, or nobody waits for it */
	free(text);
	return is_stop;
}

bool control_serve(struct control *c)
{
	bool is_stop = false;
	nng_msg *msg;
	unsigned n;

	if (!c)
		return false;
	control_heal(c);
	for (n = 0; n < CONTROL_TURN && !is_stop; n++) {
		if (nng_recvmsg(c->socket, &msg, NNG_FLAG_NONBLOCK))
			break;
		is_stop = control_reply(c, msg);
	}
	return is_stop;
}
