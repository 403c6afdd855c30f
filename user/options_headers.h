/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_headers - OTEL_EXPORTER_OTLP_HEADERS and its like → a list. Part of options.
 *
 * OpenTelemetry "OTLP Exporter", W3C Baggage without properties: name=value,name=value; values are
 * percent-encoded (RFC 3986: '+' stays), names are HTTP tokens. A pair that cannot be sent is
 * warned about by its position and skipped: neither names nor values are ever shown, for a key that
 * was pasted wrongly may stand for either.
 */
#ifndef USER_OPTIONS_HEADERS_H
#define USER_OPTIONS_HEADERS_H

#include "user/options.h"

/* Adds to @list, of a name the last; @variable is for the warnings. 0 or -ENOMEM. */
int options_headers_parse(const char *variable, const char *text, struct options_pair **list,
			  size_t *len);

#endif /* USER_OPTIONS_HEADERS_H */
