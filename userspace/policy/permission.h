/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The site file's permissions, for site.c: read from the file, and asked later on.
 */
#ifndef JOBCAGE_POLICY_PERMISSION_H
#define JOBCAGE_POLICY_PERMISSION_H

#include "policy/document.h"
#include "policy/shape.h"
#include "policy/site.h"

extern const struct shape permission_shape;

/* What the whole site file may say. */
extern const struct shape site_shape;

/* Sets what is right; what is wrong is reported. */
void read_permission(const struct cursor *at, struct permission *permission);
void permission_clear(struct permission *permission);

bool permission_is_for(const struct permission *permission, uid_t uid, const gid_t *gids,
		       size_t gid_cnt);
bool permission_names(const struct permission *permission, const char *policy_name);

#endif
