// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Policies and jobs in the kernel's maps; see publish.h. */
#include "kern/publish.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"

static void cleanup_egress(struct egress_tables *tables)
{
	egress_tables_free(tables);
}

/* --- policies --------------------------------------------------------------------------------- */

static int find_policy_slot(struct kern *kern, __u32 *ret_slot)
{
	struct policy_value value;

	for (__u32 slot = 0; slot < POLICY_SLOTS; slot++) {
		if (bpf_map_lookup_elem(kern->map_fd[MAP_POLICY_BY_SLOT], &slot, &value))
			return -errno;
		if (!value.mode) {
			*ret_slot = slot;
			return 0;
		}
	}
	return -ENOSPC;
}

static int fill_roots(const struct roots *roots, int *ret_fd)
{
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "roots", sizeof(struct root_key),
					     sizeof(struct root_value), roots->cnt ? roots->cnt : 1,
					     NULL);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < roots->cnt; i++)
		if (bpf_map_update_elem(fd, &roots->items[i].key, &roots->items[i].value,
					BPF_NOEXIST))
			return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int fill_nets(const struct egress_tables *tables, int *ret_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "nets", sizeof(struct net_key),
					     sizeof(struct net_value),
					     tables->net_cnt ? tables->net_cnt : 1, &opts);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < tables->net_cnt; i++)
		if (bpf_map_update_elem(fd, &tables->net_keys[i], &tables->net_values[i],
					BPF_NOEXIST))
			return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int fill_ports(const struct egress_tables *tables, int *ret_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ports", sizeof(__u32),
					     sizeof(struct port_range),
					     tables->port_cnt ? tables->port_cnt : 1, &opts);

	if (fd < 0)
		return -errno;
	for (__u32 i = 0; i < tables->port_cnt; i++)
		if (bpf_map_update_elem(fd, &i, &tables->ports[i], BPF_ANY))
			return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int publish_inner(struct kern *kern, enum kern_map outer, __u32 slot, int inner_fd)
{
	return bpf_map_update_elem(kern->map_fd[outer], &slot, &inner_fd, BPF_ANY) ? -errno : 0;
}

static int publish_maps(struct kern *kern, __u32 slot, const struct roots *roots,
			const struct egress_tables *tables)
{
	_cleanup_fd_ int roots_fd = -1, nets_fd = -1, ports_fd = -1;
	int r;

	r = fill_roots(roots, &roots_fd);
	if (!r)
		r = fill_nets(tables, &nets_fd);
	if (!r)
		r = fill_ports(tables, &ports_fd);
	if (!r)
		r = publish_inner(kern, MAP_ROOTS_BY_POLICY, slot, roots_fd);
	if (!r)
		r = publish_inner(kern, MAP_NETS_BY_POLICY, slot, nets_fd);
	if (!r)
		r = publish_inner(kern, MAP_PORTS_BY_POLICY, slot, ports_fd);
	return r;
}

static int publish_value(struct kern *kern, __u32 slot, const struct policy *policy,
			 const struct roots *roots)
{
	struct policy_value value = {
		.mode = policy->mode,
		.file_default = policy->file_default,
		.exec_default = policy->exec_default,
		.egress_default = policy->egress_default,
		.dev_cnt = roots->dev_cnt,
	};

	if (roots->dev_cnt <= POLICY_DEVS && roots->dev_cnt)
		memcpy(value.devs, roots->devs, roots->dev_cnt * sizeof(*roots->devs));
	return bpf_map_update_elem(kern->map_fd[MAP_POLICY_BY_SLOT], &slot, &value, BPF_ANY)
		       ? -errno
		       : 0;
}

int policy_choose_slot(struct kern *kern, struct error *err, __u32 *ret_slot)
{
	int r = find_policy_slot(kern, ret_slot);

	if (r)
		return error_errno(err, r, "no room for another policy in the kernel (%d at most)",
				   POLICY_SLOTS);
	return 0;
}

int policy_publish(struct kern *kern, const struct policy *policy, const char *const *own,
		   __u32 slot, struct error *err, struct roots *ret_roots)
{
	_cleanup_(cleanup_egress) struct egress_tables tables = { 0 };
	_cleanup_(roots_free) struct roots roots = { 0 };
	int r;

	r = roots_resolve(kern, policy, own, err, &roots);
	if (r)
		return r;
	r = egress_compile(policy, &tables);
	if (!r)
		r = publish_maps(kern, slot, &roots, &tables);
	if (!r)
		r = publish_value(kern, slot, policy, &roots);
	if (r) {
		policy_withdraw(kern, slot);
		return error_errno(err, r, "cannot put the policy's rules into the kernel");
	}
	*ret_roots = roots;
	roots = (struct roots){ 0 };
	return 0;
}

void policy_withdraw(struct kern *kern, __u32 slot)
{
	static const enum kern_map outer[] = { MAP_ROOTS_BY_POLICY, MAP_NETS_BY_POLICY,
					       MAP_PORTS_BY_POLICY };
	struct policy_value value = { 0 };

	bpf_map_update_elem(kern->map_fd[MAP_POLICY_BY_SLOT], &slot, &value, BPF_ANY);
	for (size_t i = 0; i < ARRAY_SIZE(outer); i++)
		bpf_map_delete_elem(kern->map_fd[outer[i]], &slot);
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* A slot is free if no job is published there and none is being made: those have a ring already. */
static bool is_free(struct kern *kern, __u32 slot)
{
	struct job_value value;
	__u32 ring_id;

	if (bpf_map_lookup_elem(kern->map_fd[MAP_JOB_BY_SLOT], &slot, &value) || value.generation)
		return false;
	return bpf_map_lookup_elem(kern->map_fd[MAP_RING_BY_JOB], &slot, &ring_id) &&
	       errno == ENOENT;
}

static int find_job_slot(struct kern *kern, __u32 *ret_slot)
{
	for (__u32 slot = JOB_SLOT_NONE + 1; slot < JOB_SLOTS; slot++) {
		if (is_free(kern, slot)) {
			*ret_slot = slot;
			return 0;
		}
	}
	return -ENOSPC;
}

static __u32 random_generation(void)
{
	__u32 generation = 0;

	while (!generation)
		if (getrandom(&generation, sizeof(generation), 0) != sizeof(generation))
			generation = 0;
	return generation;
}

int job_choose_slot(struct kern *kern, struct error *err, struct job_label *ret_label)
{
	struct job_label label = { .generation = random_generation() };
	int r = find_job_slot(kern, &label.slot);

	if (r)
		return error_errno(err, r, "no room for another job in the kernel (%d at most)",
				   JOB_SLOTS - 1);
	*ret_label = label;
	return 0;
}

int job_make_ring(struct kern *kern, struct job_label label, struct error *err)
{
	struct job_stats stats = { 0 };
	_cleanup_fd_ int fd = -1;
	int r = 0;

	if (bpf_map_update_elem(kern->map_fd[MAP_STATS_BY_JOB], &label.slot, &stats, BPF_ANY))
		return error_errno(err, -errno, "cannot clear the job's counters");
	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, RING_SIZE, NULL);
	if (fd < 0)
		r = -errno;
	else
		r = publish_inner(kern, MAP_RING_BY_JOB, label.slot, fd);
	if (r)
		return error_errno(err, r, "cannot make the job's ring buffer");
	return 0;
}

int job_reset_stats(struct kern *kern, struct job_label label)
{
	struct job_stats stats = { 0 };

	return bpf_map_update_elem(kern->map_fd[MAP_STATS_BY_JOB], &label.slot, &stats, BPF_ANY)
		       ? -errno
		       : 0;
}

int job_publish(struct kern *kern, struct job_label label, __u32 policy_slot, struct error *err)
{
	struct job_value value = { .generation = label.generation, .policy = policy_slot };

	if (bpf_map_update_elem(kern->map_fd[MAP_JOB_BY_SLOT], &label.slot, &value, BPF_ANY))
		return error_errno(err, -errno, "cannot put the job in force");
	return 0;
}

void job_withdraw(struct kern *kern, struct job_label label)
{
	struct job_value value = { 0 };

	bpf_map_update_elem(kern->map_fd[MAP_JOB_BY_SLOT], &label.slot, &value, BPF_ANY);
	bpf_map_delete_elem(kern->map_fd[MAP_RING_BY_JOB], &label.slot);
}

int job_label_task(struct kern *kern, int pidfd, struct job_label label, struct error *err)
{
	if (bpf_map_update_elem(kern->map_fd[MAP_JOB_BY_TASK], &pidfd, &label, BPF_ANY))
		return error_errno(err, -errno, "cannot label the job's first process");
	return 0;
}

void job_unlabel_task(struct kern *kern, int pidfd)
{
	bpf_map_delete_elem(kern->map_fd[MAP_JOB_BY_TASK], &pidfd);
}

int job_label_cgroup(struct kern *kern, uint64_t cgroup_id, struct job_label label,
		     struct error *err)
{
	if (bpf_map_update_elem(kern->map_fd[MAP_JOB_BY_CGROUP], &cgroup_id, &label, BPF_ANY))
		return error_errno(err, -errno, "cannot label the job's cgroup");
	return 0;
}

/* By the label, because the cgroup and so its id may be gone. */
void job_forget_cgroup(struct kern *kern, struct job_label label)
{
	int fd = kern->map_fd[MAP_JOB_BY_CGROUP];
	__u64 id, *from = NULL;
	struct job_label found;

	while (!bpf_map_get_next_key(fd, from, &id)) {
		if (!bpf_map_lookup_elem(fd, &id, &found) && found.slot == label.slot &&
		    found.generation == label.generation) {
			bpf_map_delete_elem(fd, &id);
			return;
		}
		from = &id;
	}
}

int job_read_stats(struct kern *kern, struct job_label label, struct job_stats *ret_stats)
{
	return bpf_map_lookup_elem(kern->map_fd[MAP_STATS_BY_JOB], &label.slot, ret_stats) ? -errno
											   : 0;
}
