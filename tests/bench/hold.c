// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hold OBJECT HOW...: attach programs of empty.bpf.c until standard input ends.
 *
 * HOW is lsm or fmod_ret: empty_file_open in one of the two ways that jobcage attaches its own; or a
 * cgroup's path, and PROGRAM... to attach to it. It says "ready" when all is attached.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Only what is wanted is loaded: without BPF LSM rights the others might not be. */
static void choose(struct bpf_object *object, char **names)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, object) {
		bool is_wanted = false;

		for (char **name = names; *name; name++)
			is_wanted |= !strcmp(bpf_program__name(prog), *name);
		bpf_program__set_autoload(prog, is_wanted);
	}
}

static struct bpf_program *find(struct bpf_object *object, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(object, name);

	if (!prog)
		die(name);
	return prog;
}

static void prepare(struct bpf_program *prog, const char *how)
{
	if (strcmp(how, "fmod_ret"))
		return;
	bpf_program__set_type(prog, BPF_PROG_TYPE_TRACING);
	bpf_program__set_expected_attach_type(prog, BPF_MODIFY_RETURN);
	if (bpf_program__set_attach_target(prog, 0, "security_file_open"))
		die("security_file_open");
}

static struct bpf_link *attach(struct bpf_program *prog, const char *how)
{
	int cgroup;

	if (!strcmp(how, "lsm"))
		return bpf_program__attach_lsm(prog);
	if (!strcmp(how, "fmod_ret"))
		return bpf_program__attach_trace(prog);
	cgroup = open(how, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		die(how);
	return bpf_program__attach_cgroup(prog, cgroup);
}

int main(int argc, char **argv)
{
	static char *by_default[] = { (char *)"empty_file_open", NULL };
	struct bpf_object *object = argc >= 3 ? bpf_object__open(argv[1]) : NULL;
	char **names = argc > 3 ? argv + 3 : by_default;
	char rest[64];

	if (!object)
		die("usage: hold OBJECT lsm | fmod_ret | CGROUP PROGRAM...");
	choose(object, names);
	if (names == by_default)
		prepare(find(object, *names), argv[2]);
	if (bpf_object__load(object))
		die("cannot load");
	for (char **name = names; *name; name++)
		if (!attach(find(object, *name), argv[2]))
			die("cannot attach");
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, rest, sizeof(rest)) > 0)
		;
	return 0; /* the links go with the process */
}
