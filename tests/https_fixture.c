/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/https_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_https.XXXXXX";
static bool has_certs;

int https_make_certs(void **state)
{
	char command[300];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(command, sizeof(command), "exec " HTTPS_TESTS "/https_certs.sh %s", folder);
	has_certs = system(command) == 0;
	return 0;
}

int https_remove_certs(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

void https_need_certs(void)
{
	if (has_certs)
		return;
	print_message("no openssl to make certificates with\n");
	skip();
}

const char *https_cert(const char *name)
{
	static _Thread_local char paths[8][64];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 8];

	if (!name)
		return NULL;
	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

void https_start(struct https_server *s, const char *name, const char *options)
{
	char command[500], fifo[64], line[16] = "", more[200] = "";
	const char *at = options ? strstr(options, "%s") : NULL;
	FILE *out;

	https_need_certs();
	if (at)
		snprintf(more, sizeof(more), "%.*s%s%s", (int)(at - options), options, folder,
			 at + 2);
	else if (options)
		snprintf(more, sizeof(more), "%s", options);
	snprintf(fifo, sizeof(fifo), "%s/port", folder);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	snprintf(command, sizeof(command), "exec " HTTPS_TESTS "/https_server.py %s/%s.pem %s >%s",
		 folder, name, more, fifo);
	s->in = popen(command, "w");
	assert_non_null(s->in);
	out = fopen(fifo, "r");
	assert_non_null(out);
	unlink(fifo);
	if (!fgets(line, sizeof(line), out))
		line[0] = '\0';
	fclose(out);
	s->port = (uint16_t)atoi(line);
	if (s->port)
		return;
	https_stop(s);
	print_message("the server does not start: no python3?\n");
	skip();
}

void https_stop(struct https_server *s)
{
	pclose(s->in);
}
