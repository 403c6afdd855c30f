/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_table - which options there are and what --help says of them: watching, queue ls, queue
 * send. What they mean is options_cli's matter. Part of options.
 */
#ifndef USER_OPTIONS_TABLE_H
#define USER_OPTIONS_TABLE_H

#include <argp.h>

enum option_key {
	KEY_INTERFACE = 'i',
	KEY_QUIET = 'q',
	KEY_SAMPLE = 's',
	KEY_VERBOSE = 'v',
	KEY_XDP_MODE = 0x100,
	KEY_XDP_ATTACH,
	KEY_BUDGET,
	KEY_SITE_KEY,
	KEY_SAMPLE_MODE,
	KEY_WORKERS,
	KEY_MAX_FLOWS,
	KEY_DECAP,
	KEY_TRACE_LINKS,
	KEY_RING_SIZE,
	KEY_FILTER,
	KEY_ACTIVE_TIMEOUT,
	KEY_IDLE_TIMEOUT,
	KEY_TCP_IDLE_TIMEOUT,
	KEY_EXPORTER,
	KEY_ENDPOINT,
	KEY_LOGS,
	KEY_INTERVAL,
	KEY_ENVIRONMENT,
	KEY_QUEUE_DIR,
	KEY_QUEUE_SIZE,
	KEY_QUEUE_SYNC,
	KEY_RETRY_BUDGET,
	KEY_CONNECTIONS,
	KEY_CONTROL,
	KEY_EVENTS,
	KEY_METRICS_LISTEN,
	KEY_DURATION,
	KEY_SHUTDOWN_TIMEOUT,
	KEY_SERIES /* and enum options_series; the last */
};

extern const struct argp_option options_table_watch[], options_table_ls[], options_table_send[];
extern const char options_doc_watch[], options_doc_ls[], options_doc_send[];

#endif /* USER_OPTIONS_TABLE_H */
