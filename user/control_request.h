/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * control_request - what a client of the control socket asks for: one line of text. Pure.
 *
 *	status [json]
 *	sample 1/N|N%|auto [json]
 *	flush [json]
 *	flows [json] [sort=packets|bytes|age] [limit=N] [filter=WORD…]     filter comes last
 *	stop [json]
 *
 * The answer begins with a line "ok" or "error"; what follows is for the person or program that
 * asked: for an error, one line that says what was wrong.
 */
#ifndef USER_CONTROL_REQUEST_H
#define USER_CONTROL_REQUEST_H

#include "user/control_filter.h"

#define CONTROL_REQUEST_BYTES 4096
#define CONTROL_ANSWER_BYTES (1024 * 1024)
#define CONTROL_LIMIT_DEFAULT 20
#define CONTROL_LIMIT_MAX 1000

enum control_verb {
	CONTROL_STATUS,
	CONTROL_SAMPLE,
	CONTROL_FLUSH,
	CONTROL_FLOWS,
	CONTROL_STOP,
	CONTROL_VERB_MAX
};

enum control_sort { CONTROL_BY_PACKETS, CONTROL_BY_BYTES, CONTROL_BY_AGE };

struct control_request {
	enum control_verb verb;
	bool json;
	bool sample_auto; /* of CONTROL_SAMPLE, as the next; then N is not given */
	uint64_t sample_n; /* the rest is of CONTROL_FLOWS */
	enum control_sort sort;
	unsigned limit;
	struct control_filter filter;
};

/* @len bytes of anything. 0, or -EINVAL and @why is a line for the one who asked. */
int control_request_parse(struct control_request *ret, const char *text, size_t len,
			  char why[CONTROL_WHY_CAP]);

#endif /* USER_CONTROL_REQUEST_H */
