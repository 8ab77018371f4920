/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What --policy says: a policy of the site by its name, or a file.
 */
#ifndef JOBCAGE_CMD_NAMED_H
#define JOBCAGE_CMD_NAMED_H

#include <jansson.h>
#include <stdbool.h>

/* A file has a '/' or ends in ".json"; anything else is a name. */
bool named_is_file(const char *policy);

/* The path from the root directory, whatever the working directory; NULL without memory. */
char *named_absolute(const char *path);

/* The members of a request by root that name it. NULL without memory. */
json_t *named_policy(const char *policy);

#endif
