// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Budgets in the kernel's maps; see budget.h. */
#include "kern/budget.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* More than a bucket of the kernel's hash holds. */
#define BATCH 4096

/* --- what policies allow ------------------------------------------------------------------------ */

int budget_publish(struct kern *kern, __u32 slot, const struct budget *budgets, size_t cnt)
{
	for (__u32 i = 0; i < cnt; i++) {
		struct budget_key key = { .policy = slot, .index = i };

		if (bpf_map_update_elem(kern->map_fd[MAP_BUDGET_BY_RULE], &key, &budgets[i],
					BPF_ANY))
			return -errno;
	}
	return 0;
}

void budget_withdraw(struct kern *kern, __u32 slot, size_t cnt)
{
	for (__u32 i = 0; i < cnt; i++) {
		struct budget_key key = { .policy = slot, .index = i };

		bpf_map_delete_elem(kern->map_fd[MAP_BUDGET_BY_RULE], &key);
	}
}

/* --- what a job has sent ------------------------------------------------------------------------ */

struct visit {
	int fd;
	size_t key_size, value_size;
	void (*found)(struct visit *visit, const void *key, const void *value);
	struct job_label label;
	struct destination_count *counts;
	size_t cnt;
};

/* Calls found() with each entry of a map, which it may remove. Returns 0 or -errno. */
static int visit_all(struct visit *visit)
{
	_cleanup_free_ char *keys = calloc(BATCH, visit->key_size);
	_cleanup_free_ char *values = calloc(BATCH, visit->value_size);
	__u32 token = 0;
	bool is_first = true;
	int r = 0;

	if (!keys || !values)
		return -ENOMEM;
	while (!r) {
		__u32 cnt = BATCH;

		r = bpf_map_lookup_batch(visit->fd, is_first ? NULL : &token, &token, keys, values,
					 &cnt, NULL);
		if (r && errno != ENOENT)
			return -errno;
		for (__u32 i = 0; i < cnt; i++)
			visit->found(visit, keys + i * visit->key_size,
				     values + i * visit->value_size);
		is_first = false;
	}
	return 0;
}

static struct visit visit_spent(const struct kern *kern, struct job_label label)
{
	return (struct visit){
		.fd = kern->map_fd[MAP_SPENT_BY_JOB],
		.key_size = sizeof(struct spent_key),
		.value_size = sizeof(struct spent),
		.label = label,
	};
}

static struct visit visit_destinations(const struct kern *kern, struct job_label label)
{
	return (struct visit){
		.fd = kern->map_fd[MAP_DESTINATION_BY_JOB],
		.key_size = sizeof(struct destination_key),
		.value_size = sizeof(struct destination_value),
		.label = label,
	};
}

static struct destination_key key_of_others(struct job_label label)
{
	return (struct destination_key){ .label = label };
}

int spent_make(struct kern *kern, struct job_label label, const struct policy *policy)
{
	_cleanup_free_ struct budget *budgets = NULL;
	struct destination_key others = key_of_others(label);
	struct destination_value none = { 0 };
	struct spent nothing = { 0 };
	size_t cnt;
	int r = budgets_of(policy, &budgets, &cnt);

	for (size_t i = 0; !r && i < cnt; i++) {
		struct spent_key key = { .label = label, .id = budgets[i].id };

		if (bpf_map_update_elem(kern->map_fd[MAP_SPENT_BY_JOB], &key, &nothing,
					BPF_NOEXIST) &&
		    errno != EEXIST)
			r = -errno;
	}
	/* If the map is full, destinations are not counted. */
	if (!r && cnt)
		bpf_map_update_elem(kern->map_fd[MAP_DESTINATION_BY_JOB], &others, &none,
				    BPF_NOEXIST);
	return r;
}

static bool is_counted(struct kern *kern, struct job_label label)
{
	struct spent spent;

	return !spent_read(kern, label, 0, &spent);
}

static void zero_spent(struct visit *visit, const void *key, const void *value)
{
	const struct spent_key *spent = key;
	struct spent nothing = { 0 };

	(void)value;
	if (job_label_equal(spent->label, visit->label))
		bpf_map_update_elem(visit->fd, key, &nothing, BPF_EXIST);
}

static void remove_spent(struct visit *visit, const void *key, const void *value)
{
	const struct spent_key *spent = key;

	(void)value;
	if (spent->id && job_label_equal(spent->label, visit->label))
		bpf_map_delete_elem(visit->fd, key);
}

static void remove_destination(struct visit *visit, const void *key, const void *value)
{
	const struct destination_key *destination = key;

	(void)value;
	if (job_label_equal(destination->label, visit->label))
		bpf_map_delete_elem(visit->fd, key);
}

int spent_reset(struct kern *kern, struct job_label label)
{
	struct visit destinations = visit_destinations(kern, label);
	struct visit spent = visit_spent(kern, label);
	struct destination_key others = key_of_others(label);
	struct destination_value none = { 0 };
	int r;

	if (!is_counted(kern, label))
		return 0;
	destinations.found = remove_destination;
	r = visit_all(&destinations);
	bpf_map_update_elem(destinations.fd, &others, &none, BPF_ANY);
	spent.found = zero_spent;
	return r ? r : visit_all(&spent);
}

/* The job's own count, which says that there is anything, goes last: a controller may die meanwhile. */
void spent_remove(struct kern *kern, struct job_label label)
{
	struct visit destinations = visit_destinations(kern, label);
	struct visit spent = visit_spent(kern, label);
	struct spent_key own = { .label = label };

	if (!is_counted(kern, label))
		return;
	destinations.found = remove_destination;
	visit_all(&destinations);
	spent.found = remove_spent;
	visit_all(&spent);
	bpf_map_delete_elem(spent.fd, &own);
}

int spent_read(struct kern *kern, struct job_label label, __u64 id, struct spent *ret_spent)
{
	struct spent_key key = { .label = label, .id = id };

	return bpf_map_lookup_elem(kern->map_fd[MAP_SPENT_BY_JOB], &key, ret_spent) ? -errno : 0;
}

static void keep_destination(struct visit *visit, const void *key, const void *value)
{
	struct destination_count *count = &visit->counts[visit->cnt];

	if (visit->cnt > DESTINATIONS_PER_JOB ||
	    !job_label_equal(((const struct destination_key *)key)->label, visit->label))
		return;
	memcpy(&count->key, key, sizeof(count->key));
	memcpy(&count->value, value, sizeof(count->value));
	visit->cnt++;
}

static int compare_counts(const void *a, const void *b)
{
	const struct destination_count *left = a, *right = b;

	if (left->value.bytes != right->value.bytes)
		return left->value.bytes < right->value.bytes ? 1 : -1;
	return memcmp(&left->key, &right->key, sizeof(left->key));
}

int spent_destinations(struct kern *kern, struct job_label label,
		       struct destination_count **ret_counts, size_t *ret_cnt)
{
	struct visit visit = visit_destinations(kern, label);
	_cleanup_free_ struct destination_count *counts =
		calloc(DESTINATIONS_PER_JOB + 1, sizeof(*counts));
	int r;

	if (!counts)
		return -ENOMEM;
	visit.found = keep_destination;
	visit.counts = counts;
	r = visit_all(&visit);
	if (r)
		return r;
	qsort(counts, visit.cnt, sizeof(*counts), compare_counts);
	*ret_counts = TAKE_PTR(counts);
	*ret_cnt = visit.cnt;
	return 0;
}
