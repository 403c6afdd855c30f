/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A link of our own goes away with its last descriptor, so nothing can be left behind; it wants the
 * interface for itself. The dispatcher is a program of libxdp's that calls its guests in turn; it
 * stays in the kernel when we are killed, which is why a start looks for guests with our name.
 * Where the kernel refuses to extend programs, libxdp attaches a single program directly.
 */
#include "user/attach_xdp.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <xdp/libxdp.h>

void attach_xdp_init(struct attach_xdp *a, int ifindex)
{
	*a = (struct attach_xdp){.ifindex = ifindex, .link_fd = -1};
}

int attach_xdp_is_taken(int ifindex)
{
	__u32 id = 0;
	int err = bpf_xdp_query_id(ifindex, 0, &id);

	return err ? err : id != 0;
}

static bool attach_xdp_is_ours(const struct xdp_program *prog)
{
	const char *name = prog ? xdp_program__name(prog) : NULL;

	return name && strcmp(name, ATTACH_XDP_PROGRAM) == 0;
}

/* The first guest of our name, or the program alone on the interface if it has our name. */
static struct xdp_program *attach_xdp_leftover(struct xdp_multiprog *mp)
{
	struct xdp_program *prog = NULL;

	if (xdp_multiprog__is_legacy(mp)) {
		prog = xdp_multiprog__main_prog(mp);
		return attach_xdp_is_ours(prog) ? prog : NULL;
	}
	while ((prog = xdp_multiprog__next_prog(prog, mp)))
		if (attach_xdp_is_ours(prog))
			return prog;
	return NULL;
}

/* Detaches all of ours; returns how many there were. */
static int attach_xdp_sweep_here(int ifindex)
{
	struct xdp_multiprog *mp;
	struct xdp_program *prog;
	int swept = 0, err;

	for (;;) {
		mp = xdp_multiprog__get_from_ifindex(ifindex);
		if (libxdp_get_error(mp))
			return swept;
		prog = attach_xdp_leftover(mp);
		if (!prog)
			break;
		err = xdp_program__detach(prog, ifindex, xdp_multiprog__attach_mode(mp), 0);
		if (err)
			break;
		xdp_multiprog__close(mp);
		swept++;
	}
	xdp_multiprog__close(mp);
	return swept;
}

/* In a process of its own: libxdp 1.3 keeps descriptors of the programs it looked at, and with them the
 * old programs and their maps would stay as long as we run. */
int attach_xdp_sweep(int ifindex)
{
	int status;
	pid_t pid;

	if (attach_xdp_is_taken(ifindex) != 1)
		return 0;
	pid = fork();
	if (pid == 0)
		_exit(attach_xdp_sweep_here(ifindex));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 0; /* what is left is met again when we attach */
	return WEXITSTATUS(status);
}

int attach_xdp_link(struct attach_xdp *a, const struct bpf_program *prog, bool is_generic)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = is_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(bpf_program__fd(prog), a->ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return fd == -EEXIST ? -EBUSY : fd;
	a->link_fd = fd;
	return 0;
}

int attach_xdp_guest(struct attach_xdp *a, struct bpf_object *obj)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = obj, .prog_name = ATTACH_XDP_PROGRAM);
	struct xdp_program *prog = xdp_program__create(&opts);
	struct xdp_multiprog *mp;
	int err = libxdp_get_error(prog);

	if (err)
		return err;
	err = xdp_program__attach(prog, a->ifindex, XDP_MODE_NATIVE, 0);
	if (err) {
		xdp_program__close(prog);
		return err;
	}
	a->guest = prog;
	mp = xdp_multiprog__get_from_ifindex(a->ifindex);
	if (!libxdp_get_error(mp)) {
		a->is_alone = xdp_multiprog__is_legacy(mp);
		xdp_multiprog__close(mp);
	}
	return 0;
}

void attach_xdp_detach(struct attach_xdp *a)
{
	if (a->link_fd >= 0)
		close(a->link_fd);
	a->link_fd = -1;
	if (a->guest) {
		xdp_program__detach(a->guest, a->ifindex, XDP_MODE_NATIVE, 0);
		xdp_program__close(a->guest);
	}
	a->guest = NULL;
}
