/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_env - one variable of the environment → a value in range, and lists in variables. Part of
 * options.
 *
 * Follows OpenTelemetry's "Environment Variable Specification": an empty variable is an unset one,
 * words are compared without regard to case, a bad value is warned about and counts as unset.
 */
#ifndef USER_OPTIONS_ENV_H
#define USER_OPTIONS_ENV_H

#include "user/options.h"

const char *options_env_get(const char *name); /* NULL: unset */

/* @unit is for the warning: "milliseconds", "items". */
uint32_t options_env_number(const char *name, uint32_t min, uint32_t max, const char *unit,
			    uint32_t otherwise);

/* The index in @words, which end in NULL; @all names them to a person. */
int options_env_choice(const char *name, const char *const *words, const char *all, int otherwise);

/* "true"; anything but that and "false" is warned about. */
bool options_env_is_true(const char *name);

/* Cuts the next element off a comma list, without the spaces around it; NULL at the end. */
char *options_env_element(char **list);

/* Splits "name = value"; false without '='. */
bool options_env_pair(char *element, char **ret_name, char **ret_value);

/* Adds a pair, or gives an older one of that name the new value. 0 or -ENOMEM. */
int options_pair_set(struct options_pair **list, size_t *len, const char *name, const char *value,
		     int (*compare)(const char *, const char *));
void options_pairs_free(struct options_pair *pairs, size_t len); /* wipes values */

#endif /* USER_OPTIONS_ENV_H */
