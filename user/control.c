/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The REP protocol of nng keeps clients apart: one that says nothing, says too much, speaks another
 * protocol or goes away is its affair, and an answer that a client does not fetch is thrown away.
 */
#include "user/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include "user/clock.h"
#include "user/control_answer.h"
#include "user/control_path.h"
#include "user/control_request.h"
#include "user/local_socket.h"
#include "user/log.h"

#define CONTROL_TURN 16 /* requests answered before the caller's own work goes on */
#define CONTROL_REQ_HEADER 256 /* of the protocol, before the text: at most 15 hops of 4 bytes */

struct control {
	struct control_opts opts;
	nng_socket socket;
	struct local_socket *local; /* owns the socket */
	int fd;
	uint64_t begun_mono_ns;
};

/* ---- the socket ---- */

static int control_open_socket(struct control *c)
{
	int err = nng_rep0_open(&c->socket);

	if (err)
		return local_socket_errno(err);
	err = nng_socket_set_size(c->socket, NNG_OPT_RECVMAXSZ,
				  CONTROL_REQUEST_BYTES + CONTROL_REQ_HEADER);
	if (!err)
		err = nng_socket_get_int(c->socket, NNG_OPT_RECVFD, &c->fd);
	if (err)
		nng_close(c->socket);
	return local_socket_errno(err);
}

int control_open(struct control **ret, const struct control_opts *opts)
{
	const struct options *o = opts->options;
	struct local_socket_opts local = {
		.option = "--control",
		.what = "control socket",
		.prefix = CONTROL_PREFIX,
		.path = o->control,
		.interfaces = o->interfaces,
		.interfaces_len = o->interfaces_len,
	};
	struct control *c;
	int err;

	*ret = NULL;
	if (o->control && !strcmp(o->control, "none"))
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->opts = *opts;
	c->begun_mono_ns = clock_mono_ns();
	err = control_open_socket(c);
	if (err)
		log_error("cannot make a control socket: %s", strerror(-err));
	else
		err = local_socket_open(&c->local, c->socket, &local);
	if (c->local)
		*ret = c;
	else
		free(c);
	return err;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	local_socket_close(c->local);
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
	local_socket_tend(c->local);
	for (n = 0; n < CONTROL_TURN && !is_stop; n++) {
		if (nng_recvmsg(c->socket, &msg, NNG_FLAG_NONBLOCK))
			break;
		is_stop = control_reply(c, msg);
	}
	return is_stop;
}
