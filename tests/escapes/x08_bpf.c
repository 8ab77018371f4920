// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * X8: the programs that hold the job, by bpf(2) and by their pins. EXTRA is an object's pin beside those of jobcage, made for
 * this, or the number of one of its maps, or a cgroup of nobody's.
 */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VALUE_MAX 4096

static long bpf(const char *name, enum bpf_cmd command, union bpf_attr *attr)
{
	step(name);
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static unsigned long address_of(const void *object) { return (unsigned long)object; }

static int map_by_number(void)
{
	union bpf_attr attr = { .map_id = atoi(extra) };

	return bpf("BPF_MAP_GET_FD_BY_ID", BPF_MAP_GET_FD_BY_ID, &attr);
}

/* What is there is put there again. */
static int update_map(void)
{
	char value[VALUE_MAX];
	unsigned int key = 0;
	int map = map_by_number(), r;

	if (map < 0)
		return -errno;
	r = outcome(bpf("BPF_MAP_LOOKUP_ELEM", BPF_MAP_LOOKUP_ELEM,
			&(union bpf_attr){ .map_fd = map, .key = address_of(&key), .value = address_of(value) }));
	if (!r)
		r = outcome(bpf("BPF_MAP_UPDATE_ELEM", BPF_MAP_UPDATE_ELEM,
				&(union bpf_attr){ .map_fd = map, .key = address_of(&key), .value = address_of(value) }));
	close(map);
	return r;
}

static int first_id(const char *name, enum bpf_cmd next, enum bpf_cmd get)
{
	union bpf_attr attr = { .start_id = 0 };

	if (bpf(name, next, &attr))
		return -errno;
	attr = (union bpf_attr){ .link_id = attr.next_id };
	return close_outcome(bpf(name, get, &attr));
}

static int take_link(void) { return first_id("BPF_LINK_GET_FD_BY_ID", BPF_LINK_GET_NEXT_ID, BPF_LINK_GET_FD_BY_ID); }
static int take_program(void) { return first_id("BPF_PROG_GET_FD_BY_ID", BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID); }

static int open_pin(void)
{
	return close_outcome(bpf("BPF_OBJ_GET", BPF_OBJ_GET, &(union bpf_attr){ .pathname = address_of(extra) }));
}

/* return 1; */
static int load(enum bpf_prog_type type)
{
	static const struct bpf_insn program[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1 }, { .code = BPF_JMP | BPF_EXIT } };

	return bpf("BPF_PROG_LOAD", BPF_PROG_LOAD,
		   &(union bpf_attr){ .prog_type = type, .insns = address_of(program), .insn_cnt = 2, .license = address_of("GPL") });
}

static int load_program(void) { return close_outcome(load(BPF_PROG_TYPE_SOCKET_FILTER)); }

/* A program of its own on a cgroup, where it would be asked beside others. */
static int attach_program(void)
{
	union bpf_attr attr = { .target_fd = open(extra, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .attach_type = BPF_CGROUP_INET_EGRESS };
	int program = load(BPF_PROG_TYPE_CGROUP_SKB), r;

	if (program < 0)
		return -errno;
	attr.attach_bpf_fd = program;
	r = outcome(bpf("BPF_PROG_ATTACH", BPF_PROG_ATTACH, &attr)) ?: outcome(bpf("BPF_PROG_DETACH", BPF_PROG_DETACH, &attr));
	close(program);
	close(attr.target_fd);
	return r;
}

static int make_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 };

	return close_outcome(bpf("BPF_MAP_CREATE", BPF_MAP_CREATE, &attr));
}

static int unpin(void) { return step("unlink") && unlink(extra) ? -errno : 0; }

static int move_pin(void)
{
	step("rename");
	return outcome(rename(extra, "/sys/fs/bpf/jobcage-x8"));
}

const struct attempt attempts[] = {
	{ "map-update", update_map },
	{ "map-create", make_map },
	{ "link", take_link },
	{ "program", take_program },
	{ "program-load", load_program },
	{ "program-attach", attach_program },
	{ "pin-open", open_pin },
	{ "unpin", unpin },
	{ "pin-move", move_pin },
	{ NULL, NULL },
};
