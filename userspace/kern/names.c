// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Domains, resolvers and learned addresses in the kernel; see names.h. */
#include "kern/names.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const enum kern_map maps_of_policy[] = {
	MAP_NAMES_BY_POLICY,
	MAP_DOMAINS_BY_POLICY,
	MAP_RESOLVERS_BY_POLICY,
};

/* --- a policy's --------------------------------------------------------------------------------- */

struct table {
	const char *name;
	const void *keys, *values;
	__u32 key_size, value_size;
	size_t cnt;
};

static int fill(const struct table *table, int *ret_fd)
{
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_HASH, table->name, table->key_size,
					     table->value_size, table->cnt ? (__u32)table->cnt : 1, NULL);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < table->cnt; i++)
		if (bpf_map_update_elem(fd, (const char *)table->keys + i * table->key_size,
					(const char *)table->values + i * table->value_size, BPF_NOEXIST))
			return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int store(struct kern *kern, enum kern_map outer, __u32 slot, const struct table *table)
{
	_cleanup_fd_ int fd = -1;
	int r = fill(table, &fd);

	if (!r && bpf_map_update_elem(kern->map_fd[outer], &slot, &fd, BPF_ANY))
		r = -errno;
	return r;
}

struct resolvers {
	__u8 addr[RESOLVERS_MAX][16];
	__u8 value[RESOLVERS_MAX];
	size_t cnt;
};

static void collect_resolvers(const struct policy *policy, struct resolvers *resolvers)
{
	for (size_t i = 0; i < policy->rule_cnt && resolvers->cnt < RESOLVERS_MAX; i++) {
		if (policy->rules[i].class != RULE_RESOLVER)
			continue;
		memcpy(resolvers->addr[resolvers->cnt++], policy->rules[i].addr,
		       sizeof(resolvers->addr[0]));
	}
}

int names_publish(struct kern *kern, __u32 slot, const struct policy *policy,
		  const struct egress_tables *tables)
{
	bool has_names = policy->egress_default == EGRESS_DENY && policy_has_names(policy);
	struct resolvers resolvers = { .cnt = 0 };
	int r = 0;

	kern->policies[slot].has_names = has_names;
	if (!has_names)
		return 0;
	collect_resolvers(policy, &resolvers);
	r = store(kern, MAP_NAMES_BY_POLICY, slot,
		  &(struct table){ "names", tables->name_keys, tables->name_values,
				   sizeof(*tables->name_keys), sizeof(*tables->name_values),
				   tables->name_cnt });
	if (!r)
		r = store(kern, MAP_DOMAINS_BY_POLICY, slot,
			  &(struct table){ "domains", tables->domain_ids, tables->domain_values,
					   sizeof(*tables->domain_ids), sizeof(*tables->domain_values),
					   tables->domain_cnt });
	if (!r)
		r = store(kern, MAP_RESOLVERS_BY_POLICY, slot,
			  &(struct table){ "resolvers", resolvers.addr, resolvers.value,
					   sizeof(resolvers.addr[0]), sizeof(resolvers.value[0]),
					   resolvers.cnt });
	return r;
}

void names_withdraw(struct kern *kern, __u32 slot)
{
	if (!kern->policies[slot].has_names)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(maps_of_policy); i++)
		bpf_map_delete_elem(kern->map_fd[maps_of_policy[i]], &slot);
	kern->policies[slot].has_names = 0;
}

bool names_are_in(const struct kern *kern, __u32 slot)
{
	return slot < POLICY_SLOTS && kern->policies[slot].has_names;
}

/* --- a job's ------------------------------------------------------------------------------------ */

/*
 * To ask learned_by_job, and to take something from it, is to wait for a grace period on older kernels, found or
 * not. So each job says whether it can have a table; before it has one, and until it has none.
 */

int names_begin(struct kern *kern, struct job_label label, struct error *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "learned", 16, sizeof(struct learned),
					     LEARNED_PER_JOB, &opts);

	kern->jobs[label.slot].has_learned = 1;
	if (fd < 0 || bpf_map_update_elem(kern->map_fd[MAP_LEARNED_BY_JOB], &label.slot, &fd, BPF_ANY))
		return error_errno(err, -errno, "cannot make the table of what the job's names lead to");
	return 0;
}

static int open_learned(const struct kern *kern, struct job_label label)
{
	__u32 id;
	int fd;

	if (!kern->jobs[label.slot].has_learned)
		return -ENOENT;
	if (bpf_map_lookup_elem(kern->map_fd[MAP_LEARNED_BY_JOB], &label.slot, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	return fd < 0 ? -errno : fd;
}

/* The job may learn meanwhile: what is seen twice, or not at all, does not matter. */
static size_t collect_learned(int fd, struct learned_address *addresses)
{
	const __u8 *key = NULL;
	size_t cnt = 0;

	for (size_t i = 0; i < LEARNED_PER_JOB; i++) {
		struct learned_address *at = &addresses[cnt];

		if (bpf_map_get_next_key(fd, key, at->addr))
			break;
		if (!bpf_map_lookup_elem(fd, at->addr, &at->learned))
			cnt++;
		key = at->addr;
	}
	return cnt;
}

int names_read(struct kern *kern, struct job_label label, struct learned_address **ret_addresses,
	       size_t *ret_cnt)
{
	_cleanup_free_ struct learned_address *addresses = NULL;
	_cleanup_fd_ int fd = open_learned(kern, label);

	if (fd == -ENOENT) {
		*ret_addresses = NULL;
		*ret_cnt = 0;
		return 0;
	}
	if (fd < 0)
		return fd;
	addresses = calloc(LEARNED_PER_JOB, sizeof(*addresses));
	if (!addresses)
		return -ENOMEM;
	*ret_cnt = collect_learned(fd, addresses);
	*ret_addresses = TAKE_PTR(addresses);
	return 0;
}

void names_end(struct kern *kern, struct job_label label)
{
	struct job_value *value = &kern->jobs[label.slot];

	if (!value->has_learned)
		return;
	bpf_map_delete_elem(kern->map_fd[MAP_LEARNED_BY_JOB], &label.slot);
	value->has_learned = 0;
}
