/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_tcp - what the two sides of a TCP connection were when they were last seen. Pure.
 *
 * Judged by what was not seen, too, so only where every packet of a flow is looked at. The first
 * line that fits counts; the source is the side that opened the connection, where that is known:
 *
 *   state         what was seen
 *   closed        FIN from both sides
 *   refused       SYN of the source, RST of the destination, no SYN/ACK, no data
 *   reset         any other RST
 *   half-closed   FIN from one side
 *   mid-stream    neither SYN nor SYN/ACK: it began before, or on another way
 *   syn sent      SYN, no SYN/ACK, and the source acknowledged nothing
 *   half-open     SYN/ACK, which the source did not acknowledge and after which no data came; or it
 *                 ended by an idle timeout, and one side went on for 3 s and more, sending again
 *                 what it had sent, after the other's last packet
 *   established   all else
 *
 * An acknowledgement answers something, even if that went another way. An established connection
 * of which one direction was never seen is not half-open: only one side of it passes here.
 */
#ifndef USER_FLOW_TCP_H
#define USER_FLOW_TCP_H

#include "user/flow_table.h"

/* One of the words above. The initiator must be found. */
const char *flow_tcp_state(const struct flow *f, const struct flow_report *r);

/* How the segments that @endpoint sent came along; NULL: unknown. */
const struct flow_tcp *flow_tcp_detail(const struct flow *f, const struct flow_report *r,
				       uint8_t endpoint);

#endif /* USER_FLOW_TCP_H */
