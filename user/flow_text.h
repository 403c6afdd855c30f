/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_text - what a span says, in words for a person: a part of flow_line, flow_log and tail_command.
 *
 * A span is read back by its attributes, so that the words say what was sent and nothing else.
 * Pure.
 */
#ifndef USER_FLOW_TEXT_H
#define USER_FLOW_TEXT_H

#include "kern/flow_abi.h"
#include "otlp/otlp.h"

const struct otlp_attr *flow_text_find(const struct otlp_span *s, struct otlp_str key);
struct otlp_str flow_text_str(const struct otlp_span *s, struct otlp_str key);
/* The first of the two keys that is there, else 0. */
int64_t flow_text_int(const struct otlp_span *s, struct otlp_str key, struct otlp_str or_key);

struct otlp_str flow_text_interface(const struct otlp_span *s);

/* Ends, transport and family, as far as a span of a flow tells them; the protocol may be another one
 * of the same name. Whether there are two addresses. */
bool flow_text_key(const struct otlp_span *s, struct flow_key *ret);

/* All always NUL-terminated. "10.1.0.1:443", "[fe80::1]:443", "10.1.0.1" without ports. */
void flow_text_endpoint(const struct otlp_span *s, struct otlp_str address_key,
			struct otlp_str port_key, char *ret, size_t cap);
void flow_text_bytes(uint64_t bytes, char *ret, size_t cap); /* "1.2 kB" */
void flow_text_duration(uint64_t ns, char *ret, size_t cap); /* "3.2 ms", "2 min 5 s" */

#endif /* USER_FLOW_TEXT_H */
