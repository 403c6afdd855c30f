/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * control - answers `ringspan ctl` on a local socket: status, flows, a change of the rate, an end.
 *
 * One request at a time, read and answered by the main thread, which alone may change the rate and
 * read the balance. A worker is asked through its own slot, for at most a second. What is asked and
 * how is in control_request.h; whoever may open the socket (mode 0600) may ask.
 */
#ifndef USER_CONTROL_H
#define USER_CONTROL_H

#include "user/auto_control.h"
#include "user/meter.h"
#include "user/options.h"
#include "user/probe.h"
#include "user/worker.h"

struct control;

struct control_opts {
	const struct options *options;
	struct probe *probe;
	struct worker *const *workers;
	struct meter *meter;
	struct auto_control *rate;
};

/* Listens. 0 and *ret set; *ret is NULL if there is to be no socket, or if the default one cannot
 * be made, which it then has said. Else -errno, said. @opts is copied, what it points to borrowed.
 */
int control_open(struct control **ret, const struct control_opts *opts);
void control_close(struct control *c); /* NULL is allowed; removes the socket */

/* Readable when a request waits; -1 if there is no socket. */
int control_fd(const struct control *c);

/* Answers what waits, some requests at a time; never waits for a client. To be called once a second
 * in any case. Whether one of them was to stop. NULL is allowed. */
bool control_serve(struct control *c);

#endif /* USER_CONTROL_H */
