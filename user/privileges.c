/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, as it did before they were split from it.
 */
#include "user/privileges.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <cap-ng.h>

/* libcap-ng has only macros for these where the headers are older than the kernel. */
static const struct {
	unsigned int cap;
	const char *name;
} privileges_needed[] = {
    {CAP_BPF, "CAP_BPF"},
    {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
    {CAP_PERFMON, "CAP_PERFMON"},
};

static bool privileges_have(unsigned int cap)
{
	return capng_have_capability(CAPNG_EFFECTIVE, cap) ||
	       (cap != CAP_NET_ADMIN && capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN));
}

const char *privileges_missing(void)
{
	size_t i;

	capng_get_caps_process();
	for (i = 0; i < sizeof(privileges_needed) / sizeof(privileges_needed[0]); i++)
		if (!privileges_have(privileges_needed[i].cap))
			return privileges_needed[i].name;
	return NULL;
}

int privileges_drop(bool dispatcher)
{
	/* CAP_SYS_ADMIN: libxdp finds the other programs by their ids */
	static const unsigned int reserve[] = {CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN};
	unsigned int kept[3], kept_len = 0, i;
	unsigned int bpf;

	capng_get_caps_process();
	bpf = capng_have_capability(CAPNG_PERMITTED, CAP_BPF) ? CAP_BPF : CAP_SYS_ADMIN;
	for (i = 0; i < (dispatcher ? 3 : 1); i++)
		if (capng_have_capability(CAPNG_PERMITTED, reserve[i]))
			kept[kept_len++] = reserve[i];
	capng_clear(CAPNG_SELECT_BOTH);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, bpf);
	for (i = 0; i < kept_len; i++)
		capng_update(CAPNG_ADD, CAPNG_PERMITTED, kept[i]);
	if (capng_apply(CAPNG_SELECT_BOTH) && capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -EPERM : 0;
}

void privileges_raise(void)
{
	unsigned int cap;

	capng_get_caps_process();
	for (cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capng_have_capability(CAPNG_PERMITTED, cap))
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, cap);
	capng_apply(CAPNG_SELECT_CAPS);
}
