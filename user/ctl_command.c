/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether somebody listens is asked first, since nng does not say what is wrong: it goes on trying.
 */
#include "user/ctl_command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include "user/clock.h"
#include "user/control_path.h"
#include "user/control_request.h"
#include "user/local_find.h"
#include "user/log.h"

#define CTL_TIMEOUT_MS 5000
#define CTL_TOP_NS 2000000000ULL
#define CTL_TOP_CLEAR "\033[H\033[2J"

/* Sends @request, and waits for the answer until the time is over. 0 and *ret set, or an nng error.
 */
static int ctl_exchange(nng_socket s, const char *request, nng_msg **ret)
{
	uint64_t begun_ns = clock_mono_ns();
	nng_duration left;
	nng_msg *msg;
	int err = nng_msg_alloc(&msg, 0);

	if (err)
		return err;
	err = nng_msg_append(msg, request, strlen(request));
	if (!err)
		err = nng_socket_set_ms(s, NNG_OPT_SENDTIMEO, CTL_TIMEOUT_MS);
	if (!err)
		err = nng_sendmsg(s, msg, 0);
	if (err) {
		nng_msg_free(msg);
		return err;
	}
	left = CTL_TIMEOUT_MS - (nng_duration)((clock_mono_ns() - begun_ns) / 1000000);
	err = nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, left > 1 ? left : 1);
	return err ? err : nng_recvmsg(s, ret, 0);
}

static int ctl_open(nng_socket *ret, const char *path)
{
	char url[CONTROL_PATH_CAP + sizeof("ipc://")];
	int err = nng_req0_open(ret);

	if (err)
		return err;
	snprintf(url, sizeof(url), "ipc://%s", path);
	err = nng_socket_set_size(*ret, NNG_OPT_RECVMAXSZ, CONTROL_ANSWER_BYTES + 4096);
	if (!err) /* again only where the connection was lost, as when the other side heals */
		err = nng_socket_set_ms(*ret, NNG_OPT_REQ_RESENDTIME, 20 * CTL_TIMEOUT_MS);
	if (!err)
		err = nng_dial(*ret, url, NULL, NNG_FLAG_NONBLOCK);
	if (err)
		nng_close(*ret);
	return err;
}

/* Shows an answer. 0; 1: it is an error. */
static int ctl_show(const char *text, size_t len, const char *path)
{
	const char *rest = memchr(text, '\n', len);
	size_t head = rest ? (size_t)(rest - text) : 0;

	if (rest && head == 2 && !memcmp(text, "ok", 2)) {
		rest++;
		fwrite(rest, 1, len - 3, stdout);
		return fflush(stdout) ? 1 : 0;
	}
	if (rest && head == 5 && !memcmp(text, "error", 5))
		log_error("%.*s", (int)strcspn(rest + 1, "\n"), rest + 1);
	else
		log_error("%s does not answer as a ringspan does", path);
	return 1;
}

static int ctl_ask(const struct options *o, const char *path)
{
	nng_socket socket;
	nng_msg *msg = NULL;
	int err, failed = 1;

	if (local_find_check(path))
		return 1;
	err = ctl_open(&socket, path);
	if (!err) {
		err = ctl_exchange(socket, o->ctl_request, &msg);
		nng_close(socket);
	}
	if (err == NNG_ETIMEDOUT) {
		log_error("no answer from %s within %d s: it hangs, or is stopped", path,
			  CTL_TIMEOUT_MS / 1000);
	} else if (err) {
		log_error("cannot ask %s: %s", path, nng_strerror(err));
	} else if (!nng_msg_append(msg, "", 1)) { /* so that it ends in NUL */
		failed = ctl_show(nng_msg_body(msg), nng_msg_len(msg) - 1, path);
	}
	nng_msg_free(msg);
	return failed;
}

/* Until a signal, or until there is nobody to ask. */
static int ctl_top(const struct options *o, const char *path)
{
	const struct timespec pause = {.tv_sec = CTL_TOP_NS / 1000000000,
				       .tv_nsec = CTL_TOP_NS % 1000000000};
	sigset_t signals;
	int failed;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	do {
		fputs(CTL_TOP_CLEAR, stdout);
		failed = ctl_ask(o, path);
	} while (!failed && sigtimedwait(&signals, NULL, &pause) < 0);
	return failed;
}

static void ctl_unblock(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_UNBLOCK, &all, NULL);
}

int ctl_command(const struct options *o)
{
	char path[CONTROL_PATH_CAP];

	if (o->control)
		snprintf(path, sizeof(path), "%s", o->control);
	else if (local_find(path, CONTROL_PREFIX, o->asked_interface, "--control"))
		return 1;
	if (o->ctl_is_top && isatty(STDOUT_FILENO))
		return ctl_top(o, path);
	ctl_unblock();
	return ctl_ask(o, path);
}
