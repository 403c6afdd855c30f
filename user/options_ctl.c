/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `ringspan ctl REQUEST`: becomes the line that is sent (user/control_request.h). What can be known
 * to be wrong without asking is refused here.
 */
#include <argp.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/log.h"
#include "user/options_arg.h"
#include "user/options_impl.h"

#define CTL_PATH_MAX 106 /* bytes of a socket's address, with one more while it is made */
#define CTL_FILTER_MAX 1000
#define CTL_LIMIT_MAX 1000

enum ctl_key {
	KEY_QUIET = 'q',
	KEY_VERBOSE = 'v',
	KEY_INTERFACE = 'i',
	KEY_CONTROL = 0x100,
	KEY_JSON,
	KEY_FILTER,
	KEY_SORT,
	KEY_LIMIT
};

static const struct argp_option ctl_table[] = {
	{"control", KEY_CONTROL, "PATH", 0,
	 "the socket of the ringspan to ask (default: the only one there is in /run/ringspan)", 1},
	{"interface", KEY_INTERFACE, "IF", 0,
	 "the ringspan whose first interface this is, where several run", 1},
	{"json", KEY_JSON, 0, 0, "answer for programs; not with top", 1},
	{0, 0, 0, 0, "With flows and top:", 2},
	{"filter", KEY_FILTER, "WORDS", 0,
	 "only flows that fit all the words: an address, a network (10.0.0.0/8), a port, a "
	 "transport "
	 "(tcp), an interface",
	 2},
	{"sort", KEY_SORT, "BY", 0, "packets, bytes or age (default: packets)", 2},
	{"limit", KEY_LIMIT, "N", 0, "at most this many flows, up to 1000 (default: 20)", 2},
	{0, 0, 0, 0, "Other:", 3},
	{"verbose", KEY_VERBOSE, 0, 0, "say more", 3},
	{"quiet", KEY_QUIET, 0, 0, "say only warnings and errors", 3},
	{0}};

static const char ctl_doc[] =
	"Asks a running ringspan.\v"
	"status     how it is doing: rates, sampling, flows, queues, balance\n"
	"sample     from now on keep one flow in N, or auto, as --sample takes it;\n"
	"           flows that are kept already stay whole\n"
	"flush      send what is gathered for a request, do not wait for more\n"
	"flows      the flows that are alive\n"
	"top        the same, again every 2 seconds, until Ctrl-C\n"
	"stop       end as at SIGTERM\n\n"
	"Exit codes: 0 done, 1 not done, 64 usage.";

static const char *const ctl_verbs[] = {"status", "sample", "flush", "flows", "top", "stop"};
#define CTL_ALL "status, sample, flush, flows, top, stop"

struct ctl {
	struct options *o;
	const char *verb, *share, *filter;
	int sort; /* -1: not given */
	unsigned limit; /* 0: not given */
	bool json;
};

int options_ctl_set_path(char **ret, const char *option, const char *path)
{
	if (!*path || strlen(path) > CTL_PATH_MAX)
		options_arg_refuse("%s '%.120s': not a path of 1 to %d bytes", option, path,
				   CTL_PATH_MAX);
	free(*ret);
	*ret = strdup(path);
	return *ret ? 0 : ENOMEM;
}

int options_ctl_set_interface(struct options *o, const char *what, const char *socket,
			      const char *name)
{
	if (o->asked_interface)
		options_arg_refuse("%s '%.100s': one too many: give one interface", what, name);
	if (!*name || strlen(name) >= IFNAMSIZ || strchr(name, '/'))
		options_arg_refuse("%s '%.100s': not a name of an interface: a socket is named "
				   "with %s",
				   what, name, socket);
	o->asked_interface = strdup(name);
	return o->asked_interface ? 0 : ENOMEM;
}

void options_ctl_check_filter(const char *text)
{
	size_t i;

	for (i = 0; text[i]; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			break;
	if (text[i] || i > CTL_FILTER_MAX)
		options_arg_refuse("--filter: not plain text of at most %d characters",
				   CTL_FILTER_MAX);
}

static void set_argument(struct ctl *c, const char *arg)
{
	char why[OPTIONS_WHY_CAP];
	bool is_auto;
	uint64_t n;

	if (!c->verb) {
		c->verb = ctl_verbs[options_arg_choice("ctl", arg, ctl_verbs, 6, CTL_ALL)];
		return;
	}
	if (strcmp(c->verb, "sample") || c->share)
		options_arg_refuse("ctl %s '%.100s': one too many", c->verb, arg);
	options_arg_check(options_parse_rate(arg, &is_auto, &n, why), "ctl sample", arg, why);
	c->share = arg;
}

/* The line that is sent. */
static int finish(struct ctl *c)
{
	static const char *const sorts[] = {"packets", "bytes", "age"};
	struct options *o = c->o;
	bool is_flows;
	char limit[32] = "";

	if (o->control && o->asked_interface)
		options_arg_refuse("ctl: --control and --interface: one of them says who is meant");
	if (!c->verb)
		options_arg_refuse("ctl: nothing to do given: there are " CTL_ALL);
	o->ctl_is_top = !strcmp(c->verb, "top");
	is_flows = o->ctl_is_top || !strcmp(c->verb, "flows");
	if (!strcmp(c->verb, "sample") && !c->share)
		options_arg_refuse("ctl sample: no rate given: give 1/N, such as 1/100, or "
				   "auto");
	if (!is_flows && (c->filter || c->sort >= 0 || c->limit))
		options_arg_refuse("ctl %s: --filter, --sort and --limit are for flows and top",
				   c->verb);
	if (o->ctl_is_top && c->json)
		options_arg_refuse("ctl top: no --json: ask for flows again and again");
	if (c->limit)
		snprintf(limit, sizeof(limit), " limit=%u", c->limit);
	if (asprintf(&o->ctl_request, "%s%s%s%s%s%s%s%s%s", is_flows ? "flows" : c->verb,
		     c->json ? " json" : "", c->share ? " " : "", c->share ? c->share : "",
		     c->sort >= 0 ? " sort=" : "", c->sort >= 0 ? sorts[c->sort] : "", limit,
		     c->filter ? " filter=" : "", c->filter ? c->filter : "") < 0) {
		o->ctl_request = NULL;
		return ENOMEM;
	}
	return 0;
}

static error_t parse_ctl(int key, char *arg, struct argp_state *state)
{
	static const char *const sorts[] = {"packets", "bytes", "age"};
	struct ctl *c = state->input;

	switch (key) {
	case KEY_CONTROL:
		return options_ctl_set_path(&c->o->control, "--control", arg);
	case KEY_INTERFACE:
		return options_ctl_set_interface(c->o, "ctl --interface", "--control", arg);
	case KEY_JSON:
		c->json = true;
		return 0;
	case KEY_FILTER:
		options_ctl_check_filter(arg);
		c->filter = arg;
		return 0;
	case KEY_SORT:
		c->sort = options_arg_choice("--sort", arg, sorts, 3, "packets, bytes, age");
		return 0;
	case KEY_LIMIT:
		c->limit = (unsigned)options_arg_number("--limit", arg, 1, CTL_LIMIT_MAX);
		return 0;
	case KEY_VERBOSE:
	case KEY_QUIET:
		c->o->verbosity = key == KEY_VERBOSE ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
		return 0;
	case ARGP_KEY_ARG:
		set_argument(c, arg);
		return 0;
	case ARGP_KEY_END:
		return finish(c);
	}
	return ARGP_ERR_UNKNOWN;
}

int options_ctl_parse(struct options *o, int argc, char **argv)
{
	static const struct argp ctl = {ctl_table, parse_ctl, "REQUEST [1/N|auto]", ctl_doc, NULL,
					NULL,	   NULL};
	char name[] = "ringspan ctl", *word = argv[1];
	struct ctl c = {.o = o, .sort = -1};
	int err;

	o->command = OPTIONS_CTL;
	argv[1] = name; /* what argp calls the program */
	err = argp_parse(&ctl, argc - 1, argv + 1, 0, NULL, &c);
	argv[1] = word;
	return err;
}
