/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * export - options → the OTLP encoder and exporter of this process. Main thread.
 */
#ifndef USER_EXPORT_H
#define USER_EXPORT_H

#include "otlp/encode.h"
#include "otlp/exporter.h"
#include "user/options.h"

/* 0 and both set, or -errno, and then it has said why. */
int export_open(struct otlp_encoder **ret_encoder, struct otlp_exporter **ret_exporter,
		const struct options *o);

#endif /* USER_EXPORT_H */
