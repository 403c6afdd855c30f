/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * discard_serve - the receiver of bench/discard.h as a program: prints its port, and throws away
 * what comes until a signal ends it.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench/discard.h"

int main(void)
{
	pid_t server;

	printf("%u\n", discard_start(&server));
	fflush(stdout);
	for (;;)
		pause();
}
