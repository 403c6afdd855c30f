/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http_profile - what http and the maker of profiles share: the inside of one.
 */
#ifndef OTLP_HTTP_PROFILE_H
#define OTLP_HTTP_PROFILE_H

#include "otlp/http.h"

struct otlp_http_profile {
	char *path;
	struct otlp_http_header *headers; /* all that are sent, our own first; strings owned */
	size_t headers_len;
	bool gzip;
	uint32_t timeout_ms;
};

#endif /* OTLP_HTTP_PROFILE_H */
