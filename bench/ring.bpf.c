/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ring - records of the size of ours into a ring buffer as fast as they go, without a wake-up, as
 * kern/emit.bpf.h writes them.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bench/ring.h"

char ring_license[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} records SEC(".maps");

__u64 dropped;

SEC("xdp")
int ring_fill(struct xdp_md *ctx)
{
	__u64 *r;
	int i;

	(void)ctx;
	for (i = 0; i < RING_BURST; i++) {
		r = bpf_ringbuf_reserve(&records, RING_RECORD_BYTES, 0);
		if (!r) {
			__sync_fetch_and_add(&dropped, 1);
			continue;
		}
		r[0] = i;
		bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	}
	return XDP_PASS;
}
