/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * count - the slots of the log2 histograms.
 */
#ifndef KERN_COUNT_BPF_H
#define KERN_COUNT_BPF_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "kern/flow_abi.h"

/* floor(log2) by de Bruijn multiplication: branches would be mispredicted on mixed sizes. Not
 * static: a small constant table would land in a mergeable section, which breaks the object's BTF.
 */
const volatile __u8 count_log2[32] = {1, 10, 2,	 11, 14, 22, 3,	 30, 12, 15, 17, 19, 23, 26, 4, 31,
				      9, 13, 21, 29, 16, 18, 25, 8,  20, 28, 24, 7,  27, 6,  5, 32};

/* ceil(log2 v); 0 for 0. */
static __always_inline __u32 count_log2_slot(__u32 v)
{
	__u32 x = v - 1;

	if (v < 2)
		return 0;
	x |= x >> 1;
	x |= x >> 2;
	x |= x >> 4;
	x |= x >> 8;
	x |= x >> 16;
	return count_log2[(x * 0x07C4ACDDu) >> 27];
}

/* At most the last slot. */
static __always_inline __u32 count_size_slot(__u32 bytes)
{
	__u32 slot = count_log2_slot(bytes);

	return slot < FLOW_SIZE_SLOTS ? slot : FLOW_SIZE_SLOTS - 1;
}

#endif /* KERN_COUNT_BPF_H */
