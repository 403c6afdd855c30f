/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/options_env.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "user/log.h"
#include "user/options_value.h"

const char *options_env_get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

uint32_t options_env_number(const char *name, uint32_t min, uint32_t max, const char *unit,
			    uint32_t otherwise)
{
	const char *value = options_env_get(name);
	char why[OPTIONS_WHY_CAP];
	uint64_t v;

	if (!value)
		return otherwise;
	if (options_value_number(value, min, max, &v, why)) {
		log_warn("%s='%.40s' ignored: %s (%s)", name, value, why, unit);
		return otherwise;
	}
	return (uint32_t)v;
}

int options_env_choice(const char *name, const char *const *words, const char *all, int otherwise)
{
	const char *value = options_env_get(name);
	int i;

	if (!value)
		return otherwise;
	for (i = 0; words[i]; i++)
		if (!strcasecmp(value, words[i]))
			return i;
	log_warn("%s='%.40s' ignored: there are %s", name, value, all);
	return otherwise;
}

bool options_env_is_true(const char *name)
{
	static const char *const words[] = {"false", "true", NULL};

	return options_env_choice(name, words, "only true and false", 0) == 1;
}

char *options_env_element(char **list)
{
	char *element = strsep(list, ","), *end;

	if (!element)
		return NULL;
	while (isspace((unsigned char)*element))
		element++;
	end = element + strlen(element);
	while (end > element && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return element;
}

bool options_env_pair(char *element, char **ret_name, char **ret_value)
{
	char *equals = strchr(element, '='), *end;

	if (!equals)
		return false;
	for (end = equals; end > element && isspace((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	*ret_name = element;
	*ret_value = equals + 1 + strspn(equals + 1, " \t");
	return true;
}

int options_pair_set(struct options_pair **list, size_t *len, const char *name, const char *value,
		     int (*compare)(const char *, const char *))
{
	struct options_pair *grown;
	char *copy = strdup(value);
	size_t i;

	if (!copy)
		return -ENOMEM;
	for (i = 0; i < *len; i++)
		if (!compare((*list)[i].name, name)) {
			explicit_bzero((*list)[i].value, strlen((*list)[i].value));
			free((*list)[i].value);
			(*list)[i].value = copy;
			return 0;
		}
	grown = reallocarray(*list, *len + 1, sizeof(**list));
	if (!grown)
		goto fail;
	*list = grown;
	grown[*len].name = strdup(name);
	if (!grown[*len].name)
		goto fail;
	grown[(*len)++].value = copy;
	return 0;
fail:
	explicit_bzero(copy, strlen(copy));
	free(copy);
	return -ENOMEM;
}

void options_pairs_free(struct options_pair *pairs, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		explicit_bzero(pairs[i].value, strlen(pairs[i].value));
		free(pairs[i].value);
		free(pairs[i].name);
	}
	free(pairs);
}
