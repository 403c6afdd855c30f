/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/control_request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/options.h"

static const char *const verbs[CONTROL_VERB_MAX] = {
	[CONTROL_STATUS] = "status", [CONTROL_SAMPLE] = "sample", [CONTROL_FLUSH] = "flush",
	[CONTROL_FLOWS] = "flows",   [CONTROL_STOP] = "stop",
};
static const char *const sorts[] = {"packets", "bytes", "age"};

_Static_assert(CONTROL_WHY_CAP >= OPTIONS_WHY_CAP, "reasons are passed on");

__attribute__((format(printf, 2, 3))) static int refuse(char why[CONTROL_WHY_CAP], const char *fmt,
							...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, CONTROL_WHY_CAP, fmt, args);
	va_end(args);
	return -EINVAL;
}

static int read_sort(const char *text, enum control_sort *ret, char *why)
{
	size_t i;

	for (i = 0; i < sizeof(sorts) / sizeof(*sorts); i++)
		if (!strcmp(text, sorts[i])) {
			*ret = i;
			return 0;
		}
	return refuse(why, "no way to sort: give packets, bytes or age");
}

static int read_limit(const char *text, unsigned *ret, char *why)
{
	size_t len = strlen(text);
	unsigned long n = strtoul(text, NULL, 10);

	if (!len || len > 6 || strspn(text, "0123456789") != len || n < 1 || n > CONTROL_LIMIT_MAX)
		return refuse(why, "not a number of flows: give 1 to %d", CONTROL_LIMIT_MAX);
	*ret = (unsigned)n;
	return 0;
}

static int read_verb(struct control_request *r, const char *word, char *why)
{
	for (r->verb = 0; r->verb < CONTROL_VERB_MAX; r->verb++)
		if (!strcmp(word, verbs[r->verb]))
			return 0;
	return refuse(why, "'%.40s': no such request: there are status, sample, flush, flows, stop",
		      word);
}

/* A word after the verb. */
static int read_word(struct control_request *r, const char *word, bool *has_share, char *why)
{
	char reason[CONTROL_WHY_CAP];

	if (!strcmp(word, "json")) {
		r->json = true;
		return 0;
	}
	if (r->verb == CONTROL_SAMPLE && !*has_share) {
		*has_share = true;
		if (!options_parse_rate(word, &r->sample_auto, &r->sample_n, reason))
			return 0;
		return refuse(why, "sample '%.40s': %.140s", word, reason);
	}
	if (r->verb == CONTROL_FLOWS && !strncmp(word, "sort=", 5)) {
		if (!read_sort(word + 5, &r->sort, reason))
			return 0;
		return refuse(why, "'%.40s': %.140s", word, reason);
	}
	if (r->verb == CONTROL_FLOWS && !strncmp(word, "limit=", 6)) {
		if (!read_limit(word + 6, &r->limit, reason))
			return 0;
		return refuse(why, "'%.40s': %.140s", word, reason);
	}
	return refuse(why, "%s: '%.40s' is not understood", verbs[r->verb], word);
}

/* @line ends in NUL and has nothing but characters that can be shown. */
static int parse_line(struct control_request *r, char *line, char *why)
{
	static const char filter[] = "filter=";
	char *rest = line, *word = strsep(&rest, " "), reason[CONTROL_WHY_CAP];
	bool has_share = false;

	if (read_verb(r, word, why))
		return -EINVAL;
	while (rest) {
		if (r->verb == CONTROL_FLOWS && !strncmp(rest, filter, sizeof(filter) - 1)) {
			rest += sizeof(filter) - 1;
			if (!control_filter_parse(&r->filter, rest, strlen(rest), reason))
				break;
			return refuse(why, "filter: %.180s", reason);
		}
		word = strsep(&rest, " ");
		if (*word && read_word(r, word, &has_share, why))
			return -EINVAL;
	}
	if (r->verb == CONTROL_SAMPLE && !has_share)
		return refuse(why, "sample: no rate given: give 1/N, such as 1/100, or auto");
	return 0;
}

int control_request_parse(struct control_request *ret, const char *text, size_t len,
			  char why[CONTROL_WHY_CAP])
{
	char line[CONTROL_REQUEST_BYTES + 1];
	size_t i;

	*ret = (struct control_request){.sample_n = 1, .limit = CONTROL_LIMIT_DEFAULT};
	if (len && text[len - 1] == '\n')
		len--;
	if (!len || len > CONTROL_REQUEST_BYTES)
		return refuse(why, len ? "the request is too long" : "the request is empty");
	for (i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return refuse(why, "the request is not a line of plain text");
	memcpy(line, text, len);
	line[len] = '\0';
	return parse_line(ret, line, why);
}
