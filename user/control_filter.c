/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/control_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/flow_service.h"

#define WORD_CAP 64 /* more than any address with its prefix length */

static bool is_digits(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static bool is_transport(const char *text)
{
	unsigned proto;

	for (proto = 0; proto < 256; proto++)
		if (!strcmp(text, flow_service_transport((uint8_t)proto, 4)) ||
		    !strcmp(text, flow_service_transport((uint8_t)proto, 6)))
			return true;
	return false;
}

/* An address, and if @slash the length of its prefix. */
static bool read_network(struct control_filter_word *w, const char *addr, const char *slash)
{
	unsigned most;

	w->kind = CONTROL_FILTER_NETWORK;
	w->family = strchr(addr, ':') ? 6 : 4;
	most = w->family == 6 ? 128 : 32;
	w->bits = (uint8_t)most;
	if (inet_pton(w->family == 6 ? AF_INET6 : AF_INET, addr, w->addr) != 1)
		return false;
	if (!slash)
		return true;
	if (!is_digits(slash) || strlen(slash) > 3 || strtoul(slash, NULL, 10) > most)
		return false;
	w->bits = (uint8_t)strtoul(slash, NULL, 10);
	return true;
}

static int read_word(struct control_filter_word *w, char *text, char why[CONTROL_WHY_CAP])
{
	char *slash = strchr(text, '/');
	size_t len = strlen(text);

	memset(w, 0, sizeof(*w));
	if (is_digits(text)) {
		w->kind = CONTROL_FILTER_PORT;
		w->port = (uint16_t)strtoul(text, NULL, 10);
		if (len <= 5 && strtoul(text, NULL, 10) <= UINT16_MAX)
			return 0;
		snprintf(why, CONTROL_WHY_CAP, "'%s' is no port: give 0 to 65535", text);
		return -EINVAL;
	}
	if (is_transport(text)) {
		w->kind = CONTROL_FILTER_TRANSPORT;
		snprintf(w->name, sizeof(w->name), "%s", text);
		return 0;
	}
	if (slash)
		*slash++ = '\0';
	if (read_network(w, text, slash))
		return 0;
	if (slash || len >= IFNAMSIZ || strchr(text, ':')) {
		snprintf(why, CONTROL_WHY_CAP,
			 "'%s%s%s' is no address, network, port, transport or interface", text,
			 slash ? "/" : "", slash ? slash : "");
		return -EINVAL;
	}
	memset(w, 0, sizeof(*w));
	w->kind = CONTROL_FILTER_INTERFACE;
	snprintf(w->name, sizeof(w->name), "%s", text);
	return 0;
}

int control_filter_parse(struct control_filter *ret, const char *text, size_t len,
			 char why[CONTROL_WHY_CAP])
{
	const char *end = text + len, *p = text;
	char word[WORD_CAP];
	size_t word_len;

	ret->len = 0;
	for (;;) {
		while (p < end && *p == ' ')
			p++;
		if (p == end)
			return 0;
		for (word_len = 0; p + word_len < end && p[word_len] != ' ';)
			word_len++;
		if (word_len >= sizeof(word)) {
			snprintf(why, CONTROL_WHY_CAP,
				 "'%.20s…' is too long for an address or a name", p);
			return -EINVAL;
		}
		if (ret->len == CONTROL_FILTER_WORDS) {
			snprintf(why, CONTROL_WHY_CAP, "too many words: give at most %d",
				 CONTROL_FILTER_WORDS);
			return -EINVAL;
		}
		memcpy(word, p, word_len);
		word[word_len] = '\0';
		if (read_word(&ret->words[ret->len], word, why))
			return -EINVAL;
		ret->len++;
		p += word_len;
	}
}

static bool is_inside(const struct control_filter_word *w, const uint8_t *addr)
{
	unsigned whole = w->bits / 8, rest = w->bits % 8;

	return !memcmp(w->addr, addr, whole) &&
	       (!rest || !((w->addr[whole] ^ addr[whole]) >> (8 - rest)));
}

static bool word_fits(const struct control_filter_word *w, const struct flow_key *key)
{
	switch (w->kind) {
	case CONTROL_FILTER_NETWORK:
		return key->family == w->family &&
		       (is_inside(w, key->addr[0]) || is_inside(w, key->addr[1]));
	case CONTROL_FILTER_PORT:
		return ntohs(key->port[0]) == w->port || ntohs(key->port[1]) == w->port;
	case CONTROL_FILTER_TRANSPORT:
		return !strcmp(w->name, flow_service_transport(key->proto, key->family));
	case CONTROL_FILTER_INTERFACE:
		return key->if_slot == w->if_slot;
	}
	return false;
}

bool control_filter_fits(const struct control_filter *f, const struct flow_key *key)
{
	size_t i;

	for (i = 0; i < f->len; i++)
		if (!word_fits(&f->words[i], key))
			return false;
	return true;
}
