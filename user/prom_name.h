/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * prom_name - names of OpenTelemetry → names of Prometheus, as its own OTLP receiver and the
 * Collector make them (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility";
 * strategy UnderscoreEscapingWithSuffixes). Pure.
 */
#ifndef USER_PROM_NAME_H
#define USER_PROM_NAME_H

#include "otlp/otlp.h"

#define PROM_NAME_CAP 200
#define PROM_UNIT_CAP 64

struct prom_name {
	char family[PROM_NAME_CAP]; /* of a counter without the suffix "_total", which comes on top
				     */
	char unit[PROM_UNIT_CAP]; /* what the family ends in; empty: nothing that is a unit */
	bool is_counter;
};

/* Of a metric that is cumulative. 0; -EINVAL: nothing is left of the name, or it is too long. */
int prom_name_metric(const struct otlp_metric *m, struct prom_name *ret);

/* The label of an attribute; what does not fit is cut off. -EINVAL: nothing is left of the key. */
int prom_name_label(struct otlp_str key, char ret[PROM_NAME_CAP]);

#endif /* USER_PROM_NAME_H */
