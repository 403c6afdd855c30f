/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* bare - the baseline: a program that does nothing. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char bare_license[] SEC("license") = "Dual BSD/GPL";

SEC("xdp.frags")
int bare_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
