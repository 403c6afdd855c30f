/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * console - what a person sees on the terminal: spans as lines on stdout, live rates.
 *
 * On a terminal the rates are one status line that is rewritten in place and span lines are limited
 * to what an eye can follow, the rest counted; into a pipe or file every span is a line and the
 * rates are a line per interval. Any thread: one lock inside, held while writing.
 */
#ifndef USER_CONSOLE_H
#define USER_CONSOLE_H

#include <stdint.h>
#include <stdio.h>

struct console;

/* 0 and *ret set, -ENOMEM. @out is borrowed. */
int console_create(struct console **ret, FILE *out);
void console_destroy(struct console *c); /* NULL is allowed; clears the status line */

void console_span(struct console *c, const char *line, uint64_t now_mono_ns);

struct console_rates {
	const char *if_name;
	double rx_pps, rx_bps, tx_pps, tx_bps; /* packets and bits per second */
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes; /* totals */
};
struct console_status {
	const struct console_rates *interfaces;
	size_t interfaces_len;
	uint64_t flows_held, flows_ended;
	uint64_t lost; /* sum of all losses in the ledger */
};
void console_status(struct console *c, const struct console_status *s);

void console_counts(struct console *c, uint64_t *ret_printed, uint64_t *ret_skipped);

#endif /* USER_CONSOLE_H */
