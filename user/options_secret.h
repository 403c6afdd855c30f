/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_secret - files that hold secrets, which a service manager or a container hands over. Part
 * of options.
 *
 * What is in such a file is never shown; nor is a "path" that looks like the secret itself.
 */
#ifndef USER_OPTIONS_SECRET_H
#define USER_OPTIONS_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "user/options.h"

/* Adds the pairs of the file that @variable names to @list, of a name the last: as
 * options_headers.h has it, also one pair a line. An unset variable and an empty file add nothing.
 * 0; -ENOMEM; -EINVAL and @fault, a sentence of OPTIONS_FAULT_CAP bytes. */
int options_secret_headers(const char *variable, struct options_pair **list, size_t *len,
			   char *fault);

/* Whether there is nothing but white space in the file; false if it cannot be read. */
bool options_secret_is_empty(const char *path);

/* Warns that others than its owner may read the file of this mode, unless they may not: what lies
 * in systemd's $CREDENTIALS_DIRECTORY is guarded by that directory. @what: "headers"; @risk: what
 * who has it can do. */
void options_secret_check_mode(const char *what, const char *path, mode_t mode, const char *risk);

#endif /* USER_OPTIONS_SECRET_H */
