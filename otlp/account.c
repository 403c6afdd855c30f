/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/account.h"

const char *otlp_drop_reason_name(enum otlp_drop_reason r)
{
	static const char *const names[] = {"queue_full", "refused", "retry_budget",
					    "shutdown",	  "damaged", "too_large"};

	return r < OTLP_DROP_MAX ? names[r] : "unknown";
}

const char *otlp_items_name(enum otlp_signal signal, uint64_t n)
{
	static const char *const one[] = {"span", "data point", "log record"};
	static const char *const many[] = {"spans", "data points", "log records"};

	return n == 1 ? one[signal] : many[signal];
}
