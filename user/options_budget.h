/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_budget - --budget LIST and what --sample takes → values. Part of options.
 */
#ifndef USER_OPTIONS_BUDGET_H
#define USER_OPTIONS_BUDGET_H

#include "user/options.h"

void options_budget_default(struct auto_budget *ret);

/* "1000spans/s,25%cpu": what is named replaces what @budget has, 0 lifts it. 0, or -EINVAL and
 * @why; then @budget is untouched. */
int options_budget_parse(const char *list, struct auto_budget *budget, char why[OPTIONS_WHY_CAP]);

#endif /* USER_OPTIONS_BUDGET_H */
