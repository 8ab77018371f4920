// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * landlocked FILE COMMAND...: run COMMAND under Landlock, the kernel's own unprivileged sandbox, which may
 * read below the paths that FILE lists, one per line, and write nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define CHANGING                                                        \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |  \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR)

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static void add_rule(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = READING };

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		die(path);
	close(rule.parent_fd);
}

static void add_rules(int ruleset, const char *file)
{
	FILE *list = fopen(file, "re");
	char path[4096];

	if (!list)
		die(file);
	while (fgets(path, sizeof(path), list)) {
		path[strcspn(path, "\n")] = '\0';
		add_rule(ruleset, path);
	}
	fclose(list);
}

int main(int argc, char **argv)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = READING | CHANGING };
	int ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (argc < 3 || ruleset < 0)
		die("landlock_create_ruleset");
	add_rules(ruleset, argv[1]);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, ruleset, 0))
		die("landlock_restrict_self");
	close(ruleset);
	execv(argv[2], argv + 2);
	die(argv[2]);
}
