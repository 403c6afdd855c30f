/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * control_filter - which flows a person wants to see: words that must all fit. Pure.
 *
 * A word is an address (10.0.0.1), a network (10.0.0.0/8, fd00::/8), a port (443), a transport
 * (tcp, udp, …) or the name of an interface. Addresses and ports fit either end.
 */
#ifndef USER_CONTROL_FILTER_H
#define USER_CONTROL_FILTER_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/flow_abi.h"

#define CONTROL_FILTER_WORDS 8
#define CONTROL_WHY_CAP 200

enum control_filter_kind {
	CONTROL_FILTER_NETWORK,
	CONTROL_FILTER_PORT,
	CONTROL_FILTER_TRANSPORT,
	CONTROL_FILTER_INTERFACE
};

struct control_filter_word {
	enum control_filter_kind kind;
	uint8_t family, bits; /* of a network */
	uint8_t addr[16];
	uint16_t port; /* host order */
	char name[IFNAMSIZ]; /* of a transport or an interface */
	uint16_t if_slot; /* of an interface: for the caller to set, by its name */
};

struct control_filter {
	struct control_filter_word words[CONTROL_FILTER_WORDS];
	size_t len; /* 0: everything fits */
};

/* Words between blanks; @len bytes. 0, or -EINVAL and @why is a sentence without an end. */
int control_filter_parse(struct control_filter *ret, const char *text, size_t len,
			 char why[CONTROL_WHY_CAP]);

bool control_filter_fits(const struct control_filter *f, const struct flow_key *key);

#endif /* USER_CONTROL_FILTER_H */
