/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_facts.h"

#include <netinet/in.h>

bool flow_is_over(const struct flow *f)
{
	uint32_t a = f->totals[0].flags, b = f->totals[1].flags;

	return f->key.proto == IPPROTO_TCP && (((a | b) & FLOW_TCP_RST) || (a & b & FLOW_TCP_FIN));
}

void flow_find_initiator(struct flow *f)
{
	uint32_t a = f->totals[0].flags, b = f->totals[1].flags;
	uint32_t asks = (a | b) & FLOW_SAW_SYN ? FLOW_SAW_SYN : FLOW_SAW_ECHO;

	f->initiator = f->info.first_from & 1;
	f->initiator_known = true;
	if ((a ^ b) & asks)
		f->initiator = !(a & asks);
	else if (a & b & asks)
		return; /* both opened at once: the first one did */
	else if ((a ^ b) & FLOW_SAW_SYNACK)
		f->initiator = !!(a & FLOW_SAW_SYNACK);
	else
		f->initiator_known = false;
}
