/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * prom_text - metrics as text for Prometheus: its text format 0.0.4, or OpenMetrics 1.0.
 *
 * Names are prom_name's. Values, labels and start times are those of the points; there are no
 * timestamps on samples. An exponential histogram becomes a classic one, with its own bounds.
 * Exemplars and start times are in OpenMetrics alone. Pure; what comes out is always UTF-8.
 */
#ifndef USER_PROM_TEXT_H
#define USER_PROM_TEXT_H

#include "otlp/otlp.h"

enum prom_format { PROM_TEXT, PROM_OPENMETRICS, PROM_FORMATS };

struct prom_text {
	enum prom_format format;
	char *data; /* not NUL-terminated */
	size_t len, cap;
	size_t skipped; /* metrics that cannot be said in this format */
	bool is_short; /* there was no memory */
};

/* Begins an empty text. */
void prom_text_init(struct prom_text *t, enum prom_format format);
void prom_text_reset(struct prom_text *t);

/* Who speaks, as target_info. */
void prom_text_source(struct prom_text *t, struct otlp_attrs resource);

/* All points of a metric, which is cumulative; each name once in a text. */
void prom_text_add(struct prom_text *t, const struct otlp_metric *m);

/* Makes it complete. 0; -ENOMEM: it is not. */
int prom_text_end(struct prom_text *t);

#endif /* USER_PROM_TEXT_H */
