/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * export - options → the OTLP encoder and exporter of this process. Main thread.
 */
#ifndef USER_EXPORT_H
#define USER_EXPORT_H

#include "otlp/exporter.h"
#include "user/options.h"

/* The exporter only if OTLP is exported. 0, or -errno, and then it has said why. Whatever was set is
 * the caller's to destroy. */
int export_open(struct otlp_encoder **ret_encoder, struct otlp_exporter **ret_exporter,
		const struct options *o);

/* A folder of the queue directory, to be sent with the settings of a destination. */
struct export_route {
	size_t destination; /* index in options.otlp */
	enum otlp_signal signal;
	const char *url;
	const char *queue_name;
};
int export_open_routes(struct otlp_exporter **ret, const struct options *o,
		       const struct export_route *routes, size_t routes_len);

#endif /* USER_EXPORT_H */
