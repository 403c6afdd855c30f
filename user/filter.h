/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * filter - the text of --filter → the program that kern/filter.bpf.h runs on each packet. Pure.
 *
 * A flow has two directions and is in or out as a whole: every condition fits either endpoint.
 *
 *   expression = term { ("or" | "||") term }
 *   term       = factor { ("and" | "&&") factor }
 *   factor     = ("not" | "!") factor | "(" expression ")" | condition
 *   condition  = transport [ports] | ports | family [address | protocol] | address | protocol
 *   transport  = "tcp" | "udp" | "sctp"            ports    = "port" N | "portrange" N "-" N
 *   family     = "ip" | "ip6"                      address  = "host" ADDRESS | "net" CIDR
 *   protocol   = "icmp" | "icmp6" | "proto" N      ("ip icmp" is none: icmp says it already)
 *
 * The words are those of tcpdump; unlike there "and" binds stronger than "or".
 */
#ifndef USER_FILTER_H
#define USER_FILTER_H

#include "kern/flow_abi.h"

#define FILTER_TEXT_MAX 2000 /* bytes */
#define FILTER_DEPTH_MAX 32 /* "not" and parentheses within each other */
#define FILTER_WHY_CAP 200

/* 0; or -EINVAL and @why says in one line where and what is wrong, and what is right. */
int filter_parse(struct filter_program *ret, const char *text, char why[FILTER_WHY_CAP]);

#endif /* USER_FILTER_H */
