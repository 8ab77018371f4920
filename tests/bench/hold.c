// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * hold OBJECT lsm | fmod_ret | CGROUP: attach one of the programs of empty.bpf.c until standard input ends.
 *
 * It says "ready" when the program is attached: empty_file_open in one of the two ways that jobcage
 * attaches its own, or empty_connect4 to the cgroup with that path.
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

/* Only the program that is wanted is loaded: without BPF LSM rights the other one might not be. */
static struct bpf_program *choose(struct bpf_object *object, const char *name)
{
	struct bpf_program *prog, *chosen = NULL;

	bpf_object__for_each_program(prog, object) {
		bool is_it = !strcmp(bpf_program__name(prog), name);

		bpf_program__set_autoload(prog, is_it);
		if (is_it)
			chosen = prog;
	}
	if (!chosen)
		die(name);
	return chosen;
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
	struct bpf_object *object = argc == 3 ? bpf_object__open(argv[1]) : NULL;
	struct bpf_program *prog;
	struct bpf_link *link;
	char rest[64];

	if (!object)
		die("usage: hold OBJECT lsm | fmod_ret | CGROUP");
	prog = choose(object, *argv[2] == '/' ? "empty_connect4" : "empty_file_open");
	prepare(prog, argv[2]);
	if (bpf_object__load(object))
		die("cannot load");
	link = attach(prog, argv[2]);
	if (!link)
		die("cannot attach");
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, rest, sizeof(rest)) > 0)
		;
	bpf_link__destroy(link);
	bpf_object__close(object);
	return 0;
}
