// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Parents, from /proc; see ancestry.h. */
#include "daemon/ancestry.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The kernel's USER_HZ, in which /proc tells times: of x86-64 and arm64, as of nearly all. */
#define TICK_NS 10000000

struct process {
	uint32_t pid, parent;
	uint64_t start_ticks;
	char name[64];
};

/* False: it has ended. */
static bool read_stat(uint32_t pid, char *room, size_t size)
{
	char path[64];
	_cleanup_fd_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, room, size - 1);
	room[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* "812 (name) S 811 ...": a name may hold anything, so its end is the last parenthesis. */
static bool read_process(uint32_t pid, struct process *ret_process)
{
	struct process process = { .pid = pid };
	char text[1024], *name, *end;

	if (!read_stat(pid, text, sizeof(text)))
		return false;
	name = strchr(text, '(');
	end = strrchr(text, ')');
	if (!name || !end ||
	    sscanf(end + 1,
		   " %*c %" SCNu32 " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%*s %*s %" SCNu64,
		   &process.parent, &process.start_ticks) != 2)
		return false;
	*end = '\0';
	snprintf(process.name, sizeof(process.name), "%s", name + 1);
	*ret_process = process;
	return true;
}

/*
 * Its program, not its arguments: these are in its memory, and who reads that may have to wait until the
 * process, one of the job's perhaps, has it filled.
 */
static void read_program(uint32_t pid, char *room, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, room, size - 1);
	room[n > 0 ? n : 0] = '\0';
}

/*
 * Who is still the parent after it was looked at has been it all the time: a parent that ends gives its
 * children away.
 */
static bool read_parent(const struct process *child, struct process *ret_parent,
			struct ancestor *ret_ancestor)
{
	struct process parent, again;
	struct ancestor found = { 0 };

	if (child->parent <= 1 || !read_process(child->parent, &parent))
		return false;
	read_program(parent.pid, found.program, sizeof(found.program));
	if (!read_process(child->pid, &again) || again.start_ticks != child->start_ticks ||
	    again.parent != parent.pid)
		return false;
	found.pid = parent.pid;
	found.start_ns = parent.start_ticks * TICK_NS;
	snprintf(found.name, sizeof(found.name), "%s", parent.name);
	*ret_ancestor = found;
	*ret_parent = parent;
	return true;
}

static void look_up(struct ancestry *ancestry, const struct event *event)
{
	struct process process;

	*ancestry = (struct ancestry){
		.pid = event->tgid, .ppid = event->ppid, .start_ns = event->start_ns
	};
	/* Whoever was given it since it acted has started nothing. */
	if (!event->start_ns || !read_process(event->tgid, &process) ||
	    process.start_ticks != event->start_ns / TICK_NS || process.parent != event->ppid)
		return;
	while (ancestry->cnt < ANCESTORS_MAX &&
	       read_parent(&process, &process, &ancestry->items[ancestry->cnt]))
		ancestry->cnt++;
}

void ancestry_find(struct ancestry *ancestry, struct decoded_event *event)
{
	if (event->event.flags & EVENT_WITHOUT_TASK)
		return;
	if (ancestry->pid != event->event.tgid || ancestry->ppid != event->event.ppid ||
	    ancestry->start_ns != event->event.start_ns)
		look_up(ancestry, &event->event);
	event->ancestors = ancestry->items;
	event->ancestor_cnt = ancestry->cnt;
}
