/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One skeleton holds the maps; each interface has an instance of the object of its own, whose
 * programs use those maps. So an interface's slot and kind are constants of its programs, folded
 * away by the verifier, and a dispatcher can take each instance by itself.
 */
#include "user/probe.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <malloc.h>
#include <net/if_arp.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "flow.skel.h"
#include "user/log.h"
#include "user/privileges.h"
#include "user/probe_impl.h"

#define PROBE_KERNEL(major, minor) ((major) * 1000U + (minor))
#define PROBE_KERNEL_ALL PROBE_KERNEL(5, 18) /* XDP on frames in several buffers */
#define PROBE_KERNEL_LEAST PROBE_KERNEL(5, 8) /* ring buffers; distributions backport the rest */
#define PROBE_ARPHRD_RAWIP 519 /* linux/if_arp.h, which clashes with net/if.h */

/* libbpf's words, for --verbose: line by line, since the verifier speaks in pages. */
static int probe_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *text = NULL, *line, *rest;

	if (log_get_level() < LOG_LEVEL_DEBUG || level == LIBBPF_DEBUG)
		return 0;
	if (vasprintf(&text, fmt, args) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		log_debug("%s", line);
	free(text);
	return 0;
}

static int probe_print_libxdp(enum libxdp_print_level level, const char *fmt, va_list args)
{
	return probe_print(level == LIBXDP_DEBUG ? LIBBPF_DEBUG : LIBBPF_WARN, fmt, args);
}

static int probe_check_system(void)
{
	unsigned major, minor, kernel = PROBE_KERNEL_ALL;
	const char *missing;
	struct utsname u;

	uname(&u);
	if (sscanf(u.release, "%u.%u", &major, &minor) == 2)
		kernel = PROBE_KERNEL(major, minor);
	if (kernel < PROBE_KERNEL_LEAST) {
		log_error("kernel %s is too old: ringspan needs 5.18 or newer", u.release);
		return -ENOTSUP;
	}
	if (kernel < PROBE_KERNEL_ALL)
		log_warn("kernel %s is older than 5.18, which ringspan needs: trying it, as yours may "
			 "have the BPF of a newer one", u.release);
	missing = privileges_missing();
	if (missing) {
		log_error("no permission to load BPF programs: %s is missing; run as root, or with "
			  "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
			  missing);
		return -EPERM;
	}
	return 0;
}

/* What kind of link it is. */
static int probe_inspect(struct probe *p, struct probe_if *i, const char *name)
{
	struct ethtool_drvinfo drv = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq req = {};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(p->ioctl_fd, SIOCGIFFLAGS, &req))
		return -errno;
	i->is_up = req.ifr_flags & IFF_UP;
	i->is_looped = req.ifr_flags & IFF_LOOPBACK;
	if (ioctl(p->ioctl_fd, SIOCGIFHWADDR, &req))
		return -errno;
	i->is_l3 =
	    req.ifr_hwaddr.sa_family == ARPHRD_NONE ||
	    req.ifr_hwaddr.sa_family == PROBE_ARPHRD_RAWIP ||
	    req.ifr_hwaddr.sa_family == ARPHRD_PPP || req.ifr_hwaddr.sa_family == ARPHRD_TUNNEL ||
	    req.ifr_hwaddr.sa_family == ARPHRD_TUNNEL6 || req.ifr_hwaddr.sa_family == ARPHRD_SIT ||
	    req.ifr_hwaddr.sa_family == ARPHRD_IPGRE;
	req.ifr_data = (void *)&drv;
	if (!ioctl(p->ioctl_fd, SIOCETHTOOL, &req))
		i->is_veth = strcmp(drv.driver, "veth") == 0;
	return 0;
}

static int probe_lock(struct probe_if *i, const char *name)
{
	char lock[64];
	struct stat ns;
	int owner, err;

	if (stat("/proc/self/ns/net", &ns))
		return 0;
	snprintf(lock, sizeof(lock), "if-%llx-%d", (unsigned long long)ns.st_ino, i->ifindex);
	err = pin_lock(&i->lock, lock, &owner);
	if (err == -EBUSY) {
		log_error("%s is already watched by the ringspan process %d: stop that one first",
			  name, owner);
		return err;
	}
	if (err)
		log_warn("cannot lock %s (%s): a second ringspan on it would not be noticed", name,
			 strerror(-err));
	return 0;
}

static int probe_add_interface(struct probe *p, const char *name)
{
	struct probe_if *i = &p->ifs[p->ifs_len];
	int err;

	i->lock.fd = -1;
	i->ifindex = if_nametoindex(name);
	if (!i->ifindex) {
		log_error("no interface %s here: `ip link` lists those there are", name);
		return -ENODEV;
	}
	attach_xdp_init(&i->xdp, i->ifindex);
	attach_tc_init(&i->rx, i->ifindex, false);
	attach_tc_init(&i->tx, i->ifindex, true);
	err = probe_set_name(i, name);
	if (err)
		return err;
	p->ifs_len++; /* from here on destroy cares for it */
	err = probe_inspect(p, i, name);
	if (err) {
		log_error("cannot look at %s: %s", name, strerror(-err));
		return err;
	}
	return probe_lock(i, name);
}

static int probe_create_rings(struct probe *p)
{
	unsigned w;

	for (w = 0; w < p->o->workers; w++) {
		p->ring_fds[w] =
		    bpf_map_create(BPF_MAP_TYPE_RINGBUF, "flow_ring", 0, 0, p->o->ring_bytes, NULL);
		if (p->ring_fds[w] < 0)
			return -errno;
		if (bpf_map_update_elem(bpf_map__fd(p->maps->maps.flow_rings), &w, &p->ring_fds[w],
					BPF_ANY))
			return -errno;
	}
	return 0;
}

static int probe_create_maps(struct probe *p)
{
	struct bpf_program *prog;
	int err;

	p->maps = flow_bpf__open();
	if (!p->maps)
		return -errno;
	bpf_object__for_each_program(prog, p->maps->obj) bpf_program__set_autoload(prog, false);
	bpf_map__set_max_entries(p->maps->maps.flow_counters, FLOW_COUNTERS_PER_IF * p->ifs_len);
	bpf_map__set_max_entries(p->maps->maps.flow_costs, FLOW_HOOK_MAX * p->ifs_len);
	bpf_map__set_max_entries(p->maps->maps.flow_states, p->o->max_flows);
	bpf_map__set_max_entries(p->maps->maps.flow_rings, p->o->workers);
	err = flow_bpf__load(p->maps);
	if (err)
		return err;
	p->sample_n = p->o->sample_n;
	if (p->o->sample_mode == OPTIONS_SAMPLE_PACKET)
		p->maps->bss->sample_interval = p->o->sample_n;
	else
		p->maps->bss->sample_threshold = p->o->sample_threshold;
	p->states_fd = bpf_map__fd(p->maps->maps.flow_states);
	p->mirror_fd = bpf_map_create(BPF_MAP_TYPE_HASH, PIN_MAP_NAME, sizeof(__u32),
				      sizeof(struct xdp_stats), 1, NULL);
	if (p->mirror_fd < 0)
		return -errno;
	return probe_create_rings(p);
}

int probe_create(struct probe **ret, const struct options *o)
{
	struct probe *p;
	size_t i;
	int err;

	libbpf_set_print(probe_print);
	libxdp_set_print(probe_print_libxdp);
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->o = o;
	p->mirror_fd = p->ioctl_fd = -1;
	p->pin.lock.fd = -1;
	for (i = 0; i < FLOW_MAX_WORKERS; i++)
		p->ring_fds[i] = -1;
	err = probe_check_system();
	if (err)
		goto fail;
	p->cpus = libbpf_num_possible_cpus();
	p->percpu = calloc(p->cpus > 0 ? p->cpus : 1, sizeof(struct flow_counter));
	p->ioctl_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->cpus < 0 || !p->percpu || p->ioctl_fd < 0) {
		err = p->cpus < 0 ? p->cpus : p->percpu ? -errno : -ENOMEM;
		log_error("cannot start: %s", strerror(-err));
		goto fail;
	}
	for (i = 0; i < o->interfaces_len; i++) {
		err = probe_add_interface(p, o->interfaces[i]);
		if (err)
			goto fail;
	}
	err = probe_create_maps(p);
	if (err) {
		log_error("cannot create the BPF maps: %s%s", strerror(-err),
			  err == -ENOMEM ? "; try a smaller --max-flows or --ring-size" : "");
		goto fail;
	}
	*ret = p;
	return 0;
fail:
	probe_destroy(p);
	return err;
}

/* An instance of the programs for one interface, on the shared maps; opened, not loaded. */
static int probe_open_instance(struct probe *p, size_t slot)
{
	struct probe_if *i = &p->ifs[slot];
	struct bpf_map *map, *shared;

	i->skel = flow_bpf__open();
	if (!i->skel)
		return -errno;
	i->skel->rodata->if_slot = slot;
	i->skel->rodata->if_is_l3 = i->is_l3;
	i->skel->rodata->if_is_looped = i->is_looped;
	i->skel->rodata->ring_count = p->o->workers;
	i->skel->rodata->sample_packets = p->o->sample_mode == OPTIONS_SAMPLE_PACKET;
	i->skel->rodata->decap = p->o->decap;
	i->skel->rodata->trace_links = p->o->trace_links;
	memcpy((void *)i->skel->rodata->site_key, p->o->site_key, sizeof(p->o->site_key));
	memcpy((void *)&i->skel->rodata->filter, &p->o->filter_program,
	       sizeof(p->o->filter_program));
	bpf_object__for_each_map(map, i->skel->obj)
	{
		if (map == i->skel->maps.rodata)
			continue;
		shared = bpf_object__find_map_by_name(p->maps->obj, bpf_map__name(map));
		if (!shared || bpf_map__reuse_fd(map, bpf_map__fd(shared)))
			return -EINVAL;
	}
	return 0;
}

enum probe_choice { PROBE_RX_TC, PROBE_RX_LINK, PROBE_RX_GUEST };

/* How to receive on this interface, and why. */
static enum probe_choice probe_choose(const struct probe *p, const struct probe_if *i,
				      const char **ret_why)
{
	enum options_xdp_mode mode = p->o->xdp_mode;

	if (mode == OPTIONS_XDP_AUTO && p->o->xdp_attach != OPTIONS_ATTACH_AUTO)
		mode = OPTIONS_XDP_NATIVE; /* who says how to attach XDP wants XDP */
	*ret_why = "as asked";
	if (mode == OPTIONS_XDP_TC)
		return PROBE_RX_TC;
	if (mode == OPTIONS_XDP_AUTO && (i->is_veth || i->is_looped)) {
		*ret_why = i->is_veth ? "native XDP on veth would switch segmentation offload off, "
					"--xdp-mode native asks for it"
				      : "loopback has no native XDP";
		return PROBE_RX_TC;
	}
	if (mode == OPTIONS_XDP_AUTO)
		*ret_why = "the driver offers it";
	if (p->o->xdp_attach == OPTIONS_ATTACH_DISPATCHER)
		return PROBE_RX_GUEST;
	if (p->o->xdp_attach == OPTIONS_ATTACH_AUTO && mode != OPTIONS_XDP_GENERIC &&
	    attach_xdp_is_taken(i->ifindex) == 1) {
		*ret_why = "beside the XDP programs that are there";
		return PROBE_RX_GUEST;
	}
	return PROBE_RX_LINK;
}

static int probe_fail_xdp(const char *name, enum probe_choice choice, int err)
{
	if (err == -EBUSY && choice == PROBE_RX_LINK)
		log_error("cannot attach XDP to %s: another XDP program is there; share it with "
			  "--xdp-attach dispatcher, or use --xdp-mode tc",
			  name);
	else if (err == -EBUSY)
		log_error(
		    "cannot attach XDP to %s: the program that is there does not use libxdp's "
		    "dispatcher, so it cannot be shared; remove it, or use --xdp-mode tc",
		    name);
	else if (err == -EOPNOTSUPP || err == -ENOTSUP)
		log_error("cannot attach XDP to %s: its driver or this kernel does not support it "
			  "this way; use --xdp-mode tc",
			  name);
	else
		log_error("cannot attach XDP to %s: %s; --xdp-mode tc does without XDP", name,
			  strerror(-err));
	return err;
}

static int probe_attach_rx(struct probe *p, struct probe_if *i, const char **ret_how,
			   const char **ret_why)
{
	const char *name = atomic_load(&i->name)->name;
	enum probe_choice choice = probe_choose(p, i, ret_why);
	bool is_generic = p->o->xdp_mode == OPTIONS_XDP_GENERIC;
	bool may_fall_back = p->o->xdp_mode == OPTIONS_XDP_AUTO &&
			     p->o->xdp_attach == OPTIONS_ATTACH_AUTO;
	int err;

	if (choice == PROBE_RX_GUEST) {
		err = attach_xdp_guest(&i->xdp, i->skel->obj);
		*ret_how = i->xdp.is_alone ? "native XDP (by libxdp, without a dispatcher: this "
					     "kernel refuses program extensions)"
					   : "native XDP (libxdp's dispatcher)";
		if (!err || !may_fall_back)
			return err ? probe_fail_xdp(name, choice, err) : 0;
		/* libxdp has changed the object: another one */
		*ret_why = "the XDP program that is there cannot be shared";
		flow_bpf__destroy(i->skel);
		err = probe_open_instance(p, i - p->ifs);
		if (err)
			return err;
		choice = PROBE_RX_TC;
	}
	err = bpf_object__load(i->skel->obj);
	if (err) {
		log_error("the kernel refused the BPF programs: %s; -v shows its words",
			  strerror(-err));
		return err;
	}
	if (choice == PROBE_RX_LINK) {
		err = attach_xdp_link(&i->xdp, i->skel->progs.ringspan_xdp, is_generic);
		*ret_how = is_generic ? "generic XDP (own link)" : "native XDP (own link)";
		if (!err || !may_fall_back)
			return err ? probe_fail_xdp(name, choice, err) : 0;
		*ret_why = "no native XDP here";
	}
	err = attach_tc_attach(&i->rx, i->skel->progs.ringspan_tc_rx);
	if (err) {
		log_error("cannot attach to TC ingress of %s: %s", name, strerror(-err));
		return err;
	}
	i->has_rx_tc = true;
	*ret_how = i->rx.link_fd >= 0 ? "TC ingress (TCX)" : "TC ingress (clsact)";
	return 0;
}

static int probe_attach_interface(struct probe *p, size_t slot)
{
	const char *how = "", *why = "", *name = probe_interface_name(p, slot);
	struct probe_if *i = &p->ifs[slot];
	int swept, err;

	swept = attach_xdp_sweep(i->ifindex) + attach_tc_sweep(i->ifindex);
	if (swept)
		log_info("%s: removed %d program%s that an earlier ringspan left behind", name,
			 swept, swept == 1 ? "" : "s");
	err = probe_open_instance(p, slot);
	if (err) {
		log_error("cannot prepare the BPF programs: %s", strerror(-err));
		return err;
	}
	err = probe_attach_rx(p, i, &how, &why);
	if (err)
		return err;
	err = attach_tc_attach(&i->tx, i->skel->progs.ringspan_tc_tx);
	if (err) {
		log_error("cannot attach to TC egress of %s: %s", name, strerror(-err));
		return err;
	}
	i->has_tx = true;
	i->receive = how;
	if (!i->xdp.guest) { /* the attachments hold the programs; libxdp wants the object, too */
		flow_bpf__destroy(i->skel);
		i->skel = NULL;
	}
	log_info("%s: receive by %s: %s; transmit by TC egress (%s)%s", name, how, why,
		 attach_tc_how(&i->tx), i->is_up ? "" : "; the interface is down, waiting for it");
	return 0;
}

static bool probe_has_guest(const struct probe *p)
{
	size_t i;

	for (i = 0; i < p->ifs_len; i++)
		if (p->ifs[i].xdp.guest)
			return true;
	return false;
}

int probe_attach(struct probe *p)
{
	size_t i;
	int err;

	p->is_attached = true; /* also half way: detach knows what there is */
	for (i = 0; i < p->ifs_len; i++) {
		err = probe_attach_interface(p, i);
		if (err)
			goto fail;
	}
	probe_tick(p); /* other readers find the map filled from the start */
	err = pin_map(&p->pin, p->mirror_fd);
	if (err)
		log_warn("no pin for " PIN_MAP_NAME ": %s; running without",
			 err == -ENOENT ? "no bpffs is mounted at " PIN_BPFFS
					  " (mount -t bpf bpf " PIN_BPFFS ")"
					: strerror(-err));
	err = privileges_drop(probe_has_guest(p));
	if (err)
		log_warn("cannot give up privileges: %s; going on with them", strerror(-err));
	malloc_trim(0); /* loading takes megabytes that nothing needs any more */
	return 0;
fail:
	probe_detach(p);
	return err;
}

void probe_detach(struct probe *p)
{
	struct probe_if *i;

	if (!p->is_attached)
		return;
	p->is_attached = false;
	privileges_raise();
	for (i = p->ifs; i < p->ifs + p->ifs_len; i++) {
		attach_xdp_detach(&i->xdp);
		if (i->has_rx_tc)
			attach_tc_detach(&i->rx);
		if (i->has_tx)
			attach_tc_detach(&i->tx);
		i->has_rx_tc = i->has_tx = false;
		flow_bpf__destroy(i->skel);
		i->skel = NULL;
		pin_unlock(&i->lock);
	}
	pin_unmap(&p->pin);
}

void probe_destroy(struct probe *p)
{
	struct probe_name *n, *older;
	size_t i;

	if (!p)
		return;
	probe_detach(p);
	for (i = 0; i < p->ifs_len; i++) {
		pin_unlock(&p->ifs[i].lock);
		for (n = atomic_load(&p->ifs[i].name); n; n = older) {
			older = n->older;
			free(n);
		}
	}
	for (i = 0; i < FLOW_MAX_WORKERS; i++)
		if (p->ring_fds[i] >= 0)
			close(p->ring_fds[i]);
	if (p->mirror_fd >= 0)
		close(p->mirror_fd);
	if (p->ioctl_fd >= 0)
		close(p->ioctl_fd);
	flow_bpf__destroy(p->maps);
	free(p->percpu);
	free(p);
}
