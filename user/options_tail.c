/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `ringspan tail`: which ringspan, which flows, in which form, how many.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/log.h"
#include "user/options_arg.h"
#include "user/options_impl.h"

#define TAIL_COUNT_MAX 1000000000000ULL
#define TAIL_DURATION_MAX_MS (30 * 86400000u)

enum tail_key {
	KEY_QUIET = 'q',
	KEY_VERBOSE = 'v',
	KEY_EVENTS = 0x100,
	KEY_JSON,
	KEY_OTLP,
	KEY_FILTER,
	KEY_COUNT,
	KEY_DURATION
};

static const struct argp_option tail_table[] = {
	{"events", KEY_EVENTS, "PATH", 0,
	 "the event socket of the ringspan (default: the only one there is in /run/ringspan)", 1},
	{0, 0, 0, 0, "What to show:", 2},
	{"json", KEY_JSON, 0, 0, "a line of JSON for each flow, as it was published", 2},
	{"otlp", KEY_OTLP, 0, 0,
	 "the same as OpenTelemetry has it: all that is written is one ExportTraceServiceRequest",
	 2},
	{"filter", KEY_FILTER, "WORDS", 0,
	 "only flows that fit all the words: an address, a network (10.0.0.0/8), a port, a "
	 "transport (tcp), an interface",
	 2},
	{"count", KEY_COUNT, "N", 0, "end after this many flows", 2},
	{"duration", KEY_DURATION, "SECONDS", 0, "end after this long", 2},
	{0, 0, 0, 0, "Other:", 3},
	{"verbose", KEY_VERBOSE, 0, 0, "say more", 3},
	{"quiet", KEY_QUIET, 0, 0, "say only warnings and errors", 3},
	{0}};

static const char tail_doc[] =
	"Shows flows of a running ringspan as they end, one a line.\v"
	"INTERFACE is the first that the ringspan watches, where several run. Flows that came "
	"faster than they were read are missed; how many is said on stderr.\n\n"
	"Exit codes: 0 done, or ended by Ctrl-C or by its reader; 1 not done, or that ringspan has "
	"ended; 64 usage.";

static void set_form(struct options *o, enum options_tail_form form)
{
	if (o->tail_form != OPTIONS_TAIL_LINES && o->tail_form != form)
		options_arg_refuse("tail: --json and --otlp: give one of them");
	o->tail_form = form;
}

static error_t parse_tail(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case KEY_EVENTS:
		return options_ctl_set_path(&o->events, "--events", arg);
	case KEY_JSON:
		set_form(o, OPTIONS_TAIL_JSON);
		return 0;
	case KEY_OTLP:
		set_form(o, OPTIONS_TAIL_OTLP);
		return 0;
	case KEY_FILTER:
		options_ctl_check_filter(arg);
		free(o->tail_filter);
		o->tail_filter = strdup(arg);
		return o->tail_filter ? 0 : ENOMEM;
	case KEY_COUNT:
		o->tail_count = options_arg_number("--count", arg, 1, TAIL_COUNT_MAX);
		return 0;
	case KEY_DURATION:
		o->duration_ms = options_arg_seconds("--duration", arg, 1, TAIL_DURATION_MAX_MS);
		return 0;
	case KEY_VERBOSE:
	case KEY_QUIET:
		o->verbosity = key == KEY_VERBOSE ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
		return 0;
	case ARGP_KEY_ARG:
		return options_ctl_set_interface(o, "tail", "--events", arg);
	case ARGP_KEY_END:
		if (o->events && o->asked_interface)
			options_arg_refuse("tail '%s': --events names the socket already: give "
					   "one of them",
					   o->asked_interface);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int options_tail_parse(struct options *o, int argc, char **argv)
{
	static const struct argp tail = {tail_table, parse_tail, "[INTERFACE]", tail_doc,
					 NULL,	     NULL,	 NULL};
	char name[] = "ringspan tail", *word = argv[1];
	int err;

	o->command = OPTIONS_TAIL;
	argv[1] = name; /* what argp calls the program */
	err = argp_parse(&tail, argc - 1, argv + 1, 0, NULL, o);
	argv[1] = word;
	return err;
}
