// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who carries a label: an iterator over all tasks.
 *
 * A job's cgroup says that its last process is gone, but not whether one was moved out of it. The
 * label cannot be shed, so the controller asks here before it ends a job, and whom to kill; and
 * before a job starts, whether a program is being executed that was judged before there was a label,
 * and whether somebody else opens files in the table that the job uses.
 * A build of another layout asks as well, and takes anything that is written of a task for a label.
 */
#include "lib/jobcage.bpf.h"
#include "lib/maps.bpf.h"

SEC("iter/task")
int member_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct job_member member = {};
	struct task_label *found;
	struct files_struct *files;

	/* A zombie keeps its storage until it is reaped, and does nothing any more. */
	if (!task || task->exit_state || !task->bpf_storage)
		return 0;
	found = bpf_task_storage_get(&job_by_task, task, 0, 0);
	if (!found)
		return 0;
	member.label = found->label;
	member.tgid = task->tgid;
	files = task->files;
	member.files = (__u64)files;
	member.files_cnt = files ? BPF_CORE_READ(files, count.counter) : 0;
	member.in_execve = BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
	bpf_seq_write(ctx->meta->seq, &member, sizeof(member));
	return 0;
}
