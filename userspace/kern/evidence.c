// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The page of a job's evidence; see evidence.h. */
#include "kern/evidence.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>

#include "base/cleanup.h"

/* --- pages ------------------------------------------------------------------------------------ */

static struct job_value *first_of_group(struct kern *kern, __u32 slot)
{
	return &kern->jobs[slot - slot % EVIDENCE_GROUP];
}

static void set_id(struct kern *kern, __u32 slot, __u32 id)
{
	struct job_value *jobs = first_of_group(kern, slot);

	for (int i = 0; i < EVIDENCE_GROUP; i++)
		jobs[i].evidence_id = id;
}

int evidence_make(struct kern *kern, __u32 slot)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	__u32 group = slot / EVIDENCE_GROUP, len = sizeof(struct bpf_map_info);
	struct bpf_map_info info = {};
	_cleanup_fd_ int fd = -1;

	if (kern->jobs[slot].evidence_id)
		return 0;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "evidence", sizeof(__u32), sizeof(struct evidence),
			    EVIDENCE_GROUP, &opts);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) ||
	    bpf_map_update_elem(kern->map_fd[MAP_EVIDENCE_BY_GROUP], &group, &fd, BPF_ANY))
		return -errno;
	set_id(kern, slot, info.id);
	return 0;
}

void evidence_release(struct kern *kern, __u32 slot)
{
	const struct job_value *jobs = first_of_group(kern, slot);
	__u32 group = slot / EVIDENCE_GROUP;

	for (int i = 0; i < EVIDENCE_GROUP; i++)
		if (__atomic_load_n(&jobs[i].force.word, __ATOMIC_ACQUIRE))
			return;
	/* First, so that a controller that dies here leaves no id of what is gone. */
	set_id(kern, slot, 0);
	bpf_map_delete_elem(kern->map_fd[MAP_EVIDENCE_BY_GROUP], &group);
}

static int open_pages(struct kern *kern, __u32 slot)
{
	__u32 id = kern->jobs[slot].evidence_id;
	int fd;

	if (!id)
		return -ENOENT;
	fd = bpf_map_get_fd_by_id(id);
	return fd < 0 ? -errno : fd;
}

int evidence_reset(struct kern *kern, struct job_label label)
{
	struct evidence empty = { .generation = label.generation };
	__u32 index = label.slot % EVIDENCE_GROUP;
	_cleanup_fd_ int fd = open_pages(kern, label.slot);

	if (fd < 0)
		return fd;
	return bpf_map_update_elem(fd, &index, &empty, BPF_ANY) ? -errno : 0;
}

struct evidence *evidence_map(struct kern *kern, struct job_label label)
{
	off_t offset = (off_t)(label.slot % EVIDENCE_GROUP * sizeof(struct evidence));
	_cleanup_fd_ int fd = label.slot < JOB_SLOTS ? open_pages(kern, label.slot) : -ENOENT;
	struct evidence *evidence;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	evidence = mmap(NULL, sizeof(*evidence), PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	if (evidence == MAP_FAILED)
		return NULL;
	if (evidence->generation == label.generation)
		return evidence;
	evidence_unmap(evidence);
	errno = ESTALE;
	return NULL;
}

void evidence_unmap(struct evidence *evidence)
{
	if (evidence)
		munmap(evidence, sizeof(*evidence));
}

/* --- folds ------------------------------------------------------------------------------------ */

/* The time of the first act is stored after it has been counted, so it may be the last one's. */
bool fold_read(const struct fold *fold, struct fold_reading *ret_reading)
{
	struct fold_reading reading = { .word = __atomic_load_n(&fold->word, __ATOMIC_ACQUIRE) };

	if (reading.word >> FOLD_STATE_SHIFT != FOLD_OPEN)
		return false;
	reading.head = fold->event;
	reading.counted = reading.word & FOLD_COUNT_MASK;
	reading.cnt = reading.counted - fold->told;
	reading.end_ns = __atomic_load_n(&fold->last_ns, __ATOMIC_RELAXED);
	reading.start_ns = __atomic_load_n(&fold->event.time_ns, __ATOMIC_RELAXED);
	if (reading.start_ns > reading.end_ns)
		reading.start_ns = reading.end_ns;
	*ret_reading = reading;
	return true;
}

void fold_told(struct fold *fold, __u64 counted)
{
	__atomic_store_n(&fold->told, counted, __ATOMIC_RELEASE);
}

void fold_close(struct fold *fold, const struct fold_reading *reading)
{
	__u64 incarnation = (reading->word >> FOLD_COUNT_BITS) + 1;
	__u64 mask = (1ULL << (FOLD_STATE_SHIFT - FOLD_COUNT_BITS)) - 1, word = reading->word;

	__atomic_compare_exchange_n(&fold->word, &word, (incarnation & mask) << FOLD_COUNT_BITS,
				    false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}
