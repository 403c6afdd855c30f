/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdp_pass - somebody else's XDP program: counts and passes. It goes before ringspan in libxdp's
 * dispatcher and lets the chain go on, and without frags support, as many programs still are.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

char pass_license[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(xdp_pass);

__u64 passed;

SEC("xdp")
int xdp_pass(struct xdp_md *ctx)
{
	(void)ctx;
	__sync_fetch_and_add(&passed, 1);
	return XDP_PASS;
}
