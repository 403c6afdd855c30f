/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pull_request - the head of an HTTP/1.x request → what is asked for (RFC 9110, 9112); and which
 * answers there are. Pure.
 */
#ifndef USER_PULL_REQUEST_H
#define USER_PULL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PULL_REQUEST_CAP 8192 /* longer heads are refused */

enum pull_page { PULL_INDEX, PULL_METRICS, PULL_HEALTH, PULL_READY, PULL_NOT_FOUND };

struct pull_request {
	/* 0: it can be answered; else the status that says why not: 400, 405, 505, and only
	 * is_head and keeps_alive are of use */
	unsigned refused;
	enum pull_page page;
	bool is_head; /* nobody wants the body */
	bool wants_openmetrics; /* of metrics: rather than the text format */
	bool keeps_alive; /* another request may follow at once */
};

/* How many bytes of @data are the head, with the empty line at its end; 0: it is not complete. */
size_t pull_request_head(const char *data, size_t len);

/* Reads such a head. */
void pull_request_parse(struct pull_request *ret, const char *head, size_t len);

/* Answers so far, by status. */
enum pull_status {
	PULL_200,
	PULL_400,
	PULL_404,
	PULL_405,
	PULL_408,
	PULL_431,
	PULL_503,
	PULL_505,
	PULL_STATUSES
};
struct pull_stats {
	uint64_t answers[PULL_STATUSES];
};
unsigned pull_status_code(enum pull_status status); /* 200, 400, … */

#endif /* USER_PULL_REQUEST_H */
