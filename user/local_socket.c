/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One thing nng 1.5 does not bear: a client that goes away in the very moment it has come. Its
 * listener takes the broken pipe for its own end, and greets but hands nobody over any more. All
 * that shows it is a number in its statistics, which also grows when a client leaves in the middle
 * of something. So when it has grown, we come as a client that nobody wants; if a tick later
 * nobody was accepted, the listener is replaced. It is closed then, with all that it has accepted,
 * for the sake of those who wait at it: they connect and ask again.
 *
 * A socket file outlives a process that is killed. Whether somebody listens on it can be asked, and
 * two that start at the same time take turns: by a lock on the folder, for as long as it takes to
 * ask and to listen. A listener begins under another name and is moved to where it belongs, so that
 * it takes the place of what was there, its own predecessor too, without a gap.
 */
#include "user/local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "user/clock.h"
#include "user/control_path.h"
#include "user/log.h"

#define LOCAL_LOOK_NS 500000000ULL /* less than the tick of who tends */
#define LOCAL_NAMES 64 /* default names that are tried */

struct local_socket {
	nng_socket socket;
	nng_listener listener;
	bool is_listening;
	uint64_t looked_mono_ns;
	uint64_t errors, accepted; /* of the listener, when it was last suspected */
	int knock; /* our own connection, to see whether it is accepted; -1: none */
	ino_t inode; /* of the socket file that is ours */
	char path[CONTROL_PATH_CAP];
};

/* Of the lock; -1: there is none, and then there are no turns. */
static int local_lock_folder(const char *path)
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

int local_socket_errno(int nng_err)
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

static int local_listen(struct local_socket *l)
{
	char url[CONTROL_PATH_CAP + sizeof("ipc://~")];
	const char *fresh = url + sizeof("ipc://") - 1;
	struct stat st;
	int err;

	snprintf(url, sizeof(url), "ipc://%s~", l->path);
	err = nng_listener_create(&l->listener, l->socket, url);
	if (err)
		return local_socket_errno(err);
	/* set before it listens: nobody else can come in between */
	err = nng_listener_set_int(l->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
	if (!err)
		err = nng_listener_start(l->listener, 0);
	if (err)
		nng_listener_close(l->listener);
	l->is_listening = !err;
	if (err)
		return local_socket_errno(err);
	if (stat(fresh, &st) || rename(fresh, l->path)) {
		err = -errno;
		nng_listener_close(l->listener);
		l->is_listening = false;
		return err;
	}
	l->inode = st.st_ino;
	return 0;
}

static uint64_t local_number(nng_stat *listener, const char *name)
{
	nng_stat *stat = nng_stat_find(listener, name);

	return stat ? nng_stat_value(stat) : 0;
}

/* A number of a listener; 0 if it is not known. nng_stat_find_listener() of 1.5 finds any of them.
 */
static uint64_t local_stat(nng_stat *all, nng_listener listener, const char *name)
{
	uint64_t id = (uint64_t)nng_listener_id(listener);
	nng_stat *one;

	for (one = nng_stat_child(all); one; one = nng_stat_next(one))
		if (!strcmp(nng_stat_name(one), "listener") && local_number(one, "id") == id)
			return local_number(one, name);
	return 0;
}

/* Comes with a greeting of no protocol. The file descriptor, or -1: nobody lets us in. */
static int local_knock(const char *path)
{
	static const unsigned char greeting[] = {0, 'S', 'P', 0, 0xff, 0xff, 0, 0};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (fd >= 0 && (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
			send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Looks at the numbers of the listener; whether it is known to be broken. */
static bool local_is_broken(struct local_socket *l, nng_stat *all)
{
	uint64_t errors = local_stat(all, l->listener, "other");
	uint64_t accepted = local_stat(all, l->listener, "accept");

	if (l->knock >= 0) {
		close(l->knock);
		l->knock = -1;
		return accepted == l->accepted;
	}
	if (errors == l->errors)
		return false;
	l->errors = errors;
	l->accepted = accepted;
	l->knock = local_knock(l->path);
	return l->knock < 0;
}

void local_socket_tend(struct local_socket *l)
{
	uint64_t now_ns = clock_mono_ns();
	bool was_listening = l->is_listening, is_broken;
	nng_listener old = l->listener;
	nng_stat *all;
	int err;

	if (now_ns - l->looked_mono_ns < LOCAL_LOOK_NS || nng_stats_get(&all))
		return;
	l->looked_mono_ns = now_ns;
	is_broken = !was_listening || local_is_broken(l, all);
	nng_stats_free(all);
	if (!is_broken)
		return;
	l->errors = 0;
	err = local_listen(l);
	if (was_listening)
		nng_listener_close(old);
	if (err)
		log_debug("socket %s: %s; trying again", l->path, strerror(-err));
}

/* At l->path. -EADDRINUSE: another instance listens there. */
static int local_take(struct local_socket *l)
{
	int lock = local_lock_folder(l->path), err = control_path_probe(l->path);

	if (!err)
		err = -EADDRINUSE;
	else if (err == -ECONNREFUSED || err == -ENOENT) /* left behind, or none */
		err = local_listen(l);
	if (lock >= 0)
		close(lock);
	return err;
}

/* By the first interface, which nobody else can watch, unless in another network namespace. */
static int local_take_default(struct local_socket *l, const struct local_socket_opts *o)
{
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
	for (n = 1; n <= LOCAL_NAMES; n++) {
		snprintf(l->path, sizeof(l->path), CONTROL_DIR "/%.10s-%.15s%s%s.sock", o->prefix,
			 o->interfaces[0], more, again);
		err = local_take(l);
		if (err != -EADDRINUSE)
			return err;
		snprintf(again, sizeof(again), ".%u", n + 1);
	}
	return err;
}

static void local_say(const struct local_socket_opts *o, int err)
{
	if (!o->path)
		log_warn("no %s in " CONTROL_DIR
			 ": %s; running without (%s PATH gives another place)",
			 o->what, strerror(-err), o->option);
	else if (err == -EADDRINUSE)
		log_error("%s %s: another process listens there: give another path", o->option,
			  o->path);
	else if (err == -ENOTSOCK)
		log_error("%s %s: there is something else than a socket: give another path",
			  o->option, o->path);
	else
		log_error("%s %s: cannot make a socket there: %s", o->option, o->path,
			  strerror(-err));
}

int local_socket_open(struct local_socket **ret, nng_socket socket,
		      const struct local_socket_opts *opts)
{
	struct local_socket *l = calloc(1, sizeof(*l));
	int err;

	*ret = NULL;
	if (!l) {
		nng_close(socket);
		return -ENOMEM;
	}
	l->socket = socket;
	l->knock = -1;
	l->looked_mono_ns = clock_mono_ns();
	if (opts->path) {
		snprintf(l->path, sizeof(l->path), "%s", opts->path);
		err = local_take(l);
	} else {
		err = local_take_default(l, opts);
	}
	if (!err) {
		log_debug("%s: %s", opts->what, l->path);
		*ret = l;
		return 0;
	}
	local_say(opts, err);
	local_socket_close(l);
	return opts->path ? err : 0;
}

void local_socket_close(struct local_socket *l)
{
	struct stat st;

	if (!l)
		return;
	if (l->knock >= 0)
		close(l->knock);
	nng_close(l->socket);
	if (l->inode && !stat(l->path, &st) && st.st_ino == l->inode)
		unlink(l->path);
	free(l);
}
