/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/ip_text.h"

#include <arpa/inet.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

static char *put_decimal(char *to, unsigned byte)
{
	if (byte >= 100) {
		*to++ = digits[byte / 100];
		byte %= 100;
		*to++ = digits[byte / 10];
	} else if (byte >= 10) {
		*to++ = digits[byte / 10];
	}
	*to++ = digits[byte % 10];
	return to;
}

static char *put_hex(char *to, unsigned group)
{
	if (group >= 0x1000)
		*to++ = digits[group >> 12];
	if (group >= 0x100)
		*to++ = digits[group >> 8 & 15];
	if (group >= 0x10)
		*to++ = digits[group >> 4 & 15];
	*to++ = digits[group & 15];
	return to;
}

/* Of the runs of more than one group of zeros the first longest one: where it begins, and after it.
 * Both 8: there is none. */
static void find_zeros(const unsigned group[8], unsigned *ret_begin, unsigned *ret_end)
{
	unsigned begin = 8, end = 9, i, j;

	for (i = 0; i < 8; i = j + 1) {
		for (j = i; j < 8 && !group[j]; j++)
			;
		if (j - i > end - begin) {
			begin = i;
			end = j;
		}
	}
	*ret_begin = begin;
	*ret_end = begin < 8 ? end : 8;
}

size_t ip_text(uint8_t family, const uint8_t *addr, char ret[IP_TEXT_CAP])
{
	unsigned group[8], begin, end, i, any = 0;
	char *to = ret;

	if (family == 4) {
		for (i = 0; i < 4; i++) {
			if (i)
				*to++ = '.';
			to = put_decimal(to, addr[i]);
		}
		*to = '\0';
		return to - ret;
	}
	for (i = 0; i < 8; i++) {
		group[i] = addr[2 * i] << 8 | addr[2 * i + 1];
		any |= i < 4 ? group[i] : 0;
	}
	if (!any) { /* those with an IPv4 address inside have a form of their own */
		inet_ntop(AF_INET6, addr, ret, IP_TEXT_CAP);
		return strlen(ret);
	}
	find_zeros(group, &begin, &end);
	for (i = 0; i < 8; i++) {
		if (i == begin) {
			*to++ = ':';
			i = end;
		}
		if (i)
			*to++ = ':';
		if (i == 8)
			break;
		to = put_hex(to, group[i]);
	}
	*to = '\0';
	return to - ret;
}
