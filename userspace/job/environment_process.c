// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A job's variables and its working directory; see environment.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/environment.h"

static int set_variable(const char *name, const char *value, struct error *err)
{
	if (setenv(name, value, 1))
		return error_errno(err, -errno, "cannot set variable %s", name);
	return 0;
}

static int filter_variables(const struct environment *environment, struct error *err)
{
	size_t kept = 0, cnt = 0;
	char **variables;

	while (environ && environ[cnt])
		cnt++;
	/* A vector of our own, never freed: environ may be the kernel's. */
	variables = calloc(cnt + 1, sizeof(*variables));
	if (!variables)
		return error_errno(err, -ENOMEM, "cannot filter the variables");
	for (size_t i = 0; i < cnt; i++)
		if (environment_keeps(environment, environ[i]))
			variables[kept++] = environ[i];
	environ = variables;
	return 0;
}

static const char *find_scratch(const struct environment *environment)
{
	for (size_t i = 0; i < environment->path_cnt; i++)
		if (environment->paths[i].kind == ENV_SCRATCH)
			return environment->paths[i].path;
	return NULL;
}

/* A TMPDIR below the launcher's own /tmp, as schedulers set it, is not there any more. */
static const char *find_tmp(const struct environment *environment)
{
	for (size_t i = 0; i < environment->path_cnt; i++)
		if (environment->paths[i].kind == ENV_PRIVATE &&
		    !strcmp(environment->paths[i].path, "/tmp"))
			return "/tmp";
	return NULL;
}

int environment_variables(const struct policy *policy, struct error *err)
{
	const struct environment *environment = &policy->environment;
	const char *scratch = find_scratch(environment);
	const char *tmp = scratch ? scratch : find_tmp(environment);
	int r = 0;

	if (environment->is_filtered)
		r = filter_variables(environment, err);
	if (!r && scratch)
		r = set_variable("JOBCAGE_SCRATCH", scratch, err);
	if (!r && tmp)
		r = set_variable("TMPDIR", tmp, err);
	for (size_t i = 0; !r && i < environment->set_cnt; i++)
		r = set_variable(environment->set[i].name, environment->set[i].value, err);
	return r;
}

int environment_enter_directory(const struct policy *policy, struct error *err)
{
	const struct environment *environment = &policy->environment;
	_cleanup_free_ char *own = NULL;
	const char *path = environment->directory;

	if (!path && !environment->is_present)
		return 0;
	if (!path)
		path = own = getcwd(NULL, 0);
	if (!path)
		return error_errno(err, -errno, "cannot name the working directory");
	if (!chdir(path))
		return 0;
	return error_errno(
		err, -errno,
		"cannot enter %s in the job's environment; name another working directory "
		"in environment.directory",
		path);
}
