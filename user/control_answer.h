/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * control_answer - a request → its answer, and what it asks for done. Main thread; no sockets.
 */
#ifndef USER_CONTROL_ANSWER_H
#define USER_CONTROL_ANSWER_H

#include "user/control.h"

struct control_answer_opts {
	const struct control_opts *control;
	uint64_t begun_mono_ns; /* when ringspan began */
};

/* @len bytes of anything → what goes back, *ret_size bytes at most CONTROL_ANSWER_BYTES; from
 * malloc, NULL: no memory. A request that is refused changes nothing. */
char *control_answer(const struct control_answer_opts *opts, const char *text, size_t len,
		     size_t *ret_size, bool *ret_stop);

#endif /* USER_CONTROL_ANSWER_H */
