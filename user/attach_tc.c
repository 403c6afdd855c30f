/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * First in the chain: a filter before ours that ends it would hide packets from us, and ours never
 * ends it. The clsact filter has a handle of our own, so that it is found again after a kill and
 * nobody else's is ever replaced; its priority is the first one where the kernel takes it, since
 * filters of another kind cannot share one. libbpf's way to remove the qdisc takes everybody's
 * filters along, so it is only used when a dump shows that there are none.
 */
#include "user/attach_tc.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define ATTACH_TC_HANDLE 0x72737031 /* "rsp1" */
#define ATTACH_TC_PRIORITIES 4
#define ATTACH_TC_PROGRAMS "ringspan_tc_"

/* From linux/bpf.h of kernel 6.6, newer than Debian 12's headers. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47
#define ATTACH_TCX_BEFORE (1U << 3)

void attach_tc_init(struct attach_tc *a, int ifindex, bool is_egress)
{
	*a = (struct attach_tc){.ifindex = ifindex, .is_egress = is_egress, .link_fd = -1};
}

static struct bpf_tc_hook attach_tc_hook(int ifindex, bool is_egress)
{
	return (struct bpf_tc_hook){.sz = sizeof(struct bpf_tc_hook),
				    .ifindex = ifindex,
				    .attach_point = is_egress ? BPF_TC_EGRESS : BPF_TC_INGRESS};
}

/* Whether the filter with our handle at this priority runs a program of our name. */
static bool attach_tc_is_ours(const struct bpf_tc_hook *hook, uint32_t priority)
{
	LIBBPF_OPTS(bpf_tc_opts, query, .handle = ATTACH_TC_HANDLE, .priority = priority);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	bool is_ours;
	int fd;

	if (bpf_tc_query(hook, &query))
		return false;
	fd = bpf_prog_get_fd_by_id(query.prog_id);
	if (fd < 0)
		return false;
	is_ours = !bpf_obj_get_info_by_fd(fd, &info, &len) &&
		  strncmp(info.name, ATTACH_TC_PROGRAMS, strlen(ATTACH_TC_PROGRAMS)) == 0;
	close(fd);
	return is_ours;
}

static int attach_tc_remove(const struct bpf_tc_hook *hook, uint32_t priority)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = ATTACH_TC_HANDLE, .priority = priority);

	return bpf_tc_detach(hook, &opts);
}

int attach_tc_sweep(int ifindex)
{
	uint32_t priority;
	int swept = 0, side;

	for (side = 0; side < 2; side++) {
		struct bpf_tc_hook hook = attach_tc_hook(ifindex, side);

		for (priority = 1; priority <= ATTACH_TC_PRIORITIES; priority++)
			if (attach_tc_is_ours(&hook, priority) &&
			    !attach_tc_remove(&hook, priority))
				swept++;
	}
	return swept;
}

static int attach_tc_clsact(struct attach_tc *a, const struct bpf_program *prog)
{
	struct bpf_tc_hook hook = attach_tc_hook(a->ifindex, a->is_egress);
	uint32_t priority;
	int err;

	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return err;
	a->made_qdisc = !err;
	for (priority = 1; priority <= ATTACH_TC_PRIORITIES; priority++) {
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = ATTACH_TC_HANDLE, .priority = priority,
			    .prog_fd = bpf_program__fd(prog));

		err = bpf_tc_attach(&hook, &opts);
		if (!err) {
			a->priority = priority;
			return 0;
		}
	}
	return err;
}

int attach_tc_attach(struct attach_tc *a, const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = ATTACH_TCX_BEFORE);
	int fd = bpf_link_create(bpf_program__fd(prog), a->ifindex,
				 a->is_egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS, &opts);

	if (fd >= 0) {
		a->link_fd = fd;
		return 0;
	}
	return attach_tc_clsact(a, prog);
}

/* Filters on one side of the clsact qdisc; -errno if they cannot be listed. */
static int attach_tc_count_filters(int ifindex, bool is_egress)
{
	struct {
		struct nlmsghdr nl;
		struct tcmsg tc;
	} request = {
	    .nl = {.nlmsg_len = sizeof(request),
		   .nlmsg_type = RTM_GETTFILTER,
		   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	    .tc = {.tcm_family = AF_UNSPEC,
		   .tcm_ifindex = ifindex,
		   .tcm_parent =
		       TC_H_MAKE(TC_H_CLSACT, is_egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS)},
	};
	_Alignas(struct nlmsghdr) char reply[32768];
	int fd, count = 0, err = -EIO;
	const struct nlmsghdr *nl;
	ssize_t len;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	if (send(fd, &request, sizeof(request), 0) < 0)
		goto out;
	while ((len = recv(fd, reply, sizeof(reply), 0)) > 0) {
		for (nl = (void *)reply; NLMSG_OK(nl, len); nl = NLMSG_NEXT(nl, len)) {
			if (nl->nlmsg_type == NLMSG_DONE) {
				err = count;
				goto out;
			}
			if (nl->nlmsg_type == NLMSG_ERROR)
				goto out;
			count += nl->nlmsg_type == RTM_NEWTFILTER;
		}
	}
out:
	close(fd);
	return err;
}

void attach_tc_detach(struct attach_tc *a)
{
	struct bpf_tc_hook hook = attach_tc_hook(a->ifindex, a->is_egress);

	if (a->link_fd >= 0)
		close(a->link_fd);
	a->link_fd = -1;
	if (a->priority)
		attach_tc_remove(&hook, a->priority);
	a->priority = 0;
	if (a->made_qdisc && attach_tc_count_filters(a->ifindex, false) == 0 &&
	    attach_tc_count_filters(a->ifindex, true) == 0) {
		hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
		bpf_tc_hook_destroy(&hook);
		a->made_qdisc = false;
	}
}

const char *attach_tc_how(const struct attach_tc *a)
{
	return a->link_fd >= 0 ? "TCX" : "clsact";
}
