/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What --policy says, a policy of the site by its name or a file, and what --user does.
 */
#ifndef JOBCAGE_CMD_NAMED_H
#define JOBCAGE_CMD_NAMED_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "job/launch.h"

/* A file has a '/' or ends in ".json"; anything else is a name. */
bool named_is_file(const char *policy);

/* The path from the root directory, whatever the working directory. Returns 0 or -errno. */
int named_absolute(const char *path, struct error *err, char **ret_path);

/* Adds the member that names it to a request by root. Returns 0 or -errno. */
int named_policy(json_t *members, const char *policy, struct error *err);

/* Adds whom the job runs as to a request by root. */
void named_user(json_t *members, const struct launch_user *user);

#endif
