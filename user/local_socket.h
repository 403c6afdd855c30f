/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * local_socket - a socket of nng at a path of this host: one place, one listener, mode 0600.
 *
 * A path that a person gave must work. Else the socket is in CONTROL_DIR, named after what it is
 * for and the first interface, and where that cannot be, ringspan runs without. Main thread.
 */
#ifndef USER_LOCAL_SOCKET_H
#define USER_LOCAL_SOCKET_H

#include <stddef.h>

#include <nng/nng.h>

struct local_socket;

struct local_socket_opts {
	const char *option; /* that names the path: "--control" */
	const char *what; /* "control socket" */
	const char *prefix; /* of the default name: "ctl" */
	const char *path; /* NULL: by default */
	const char *const *interfaces;
	size_t interfaces_len; /* at least 1 */
};

/* Takes @socket over, in any case, and listens. 0 and *ret set; *ret is NULL if the default one
 * cannot be made, which it then has said. Else -errno, said. @opts and what it points to are not
 * needed any more. */
int local_socket_open(struct local_socket **ret, nng_socket socket,
		      const struct local_socket_opts *opts);

/* Closes the socket, and with it all connections, and removes the file. NULL is allowed. */
void local_socket_close(struct local_socket *l);

/* To be called once a second or more often: keeps it listening. Where that needs a new
 * listener, all clients have to connect again, as those of nng do by themselves. */
void local_socket_tend(struct local_socket *l);

int local_socket_errno(int nng_err); /* of nng → -errno; 0 → 0 */

#endif /* USER_LOCAL_SOCKET_H */
