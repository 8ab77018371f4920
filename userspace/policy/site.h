/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The site: the datasets that exist on this machine, by name, and who may run which policies.
 * Every registered dataset is closed to every job whose policy does not grant it.
 *
 *     {"version": 1,
 *      "datasets": [{"name": "digits", "path": "/srv/datasets/digits", "owner": "vision-team"}],
 *      "policies": "/etc/jobcage/policies",
 *      "permissions": [{"groups": ["ml"], "policies": ["digits-*"]}],
 *      "limits": {"jobs": 1000, "jobs_per_user": 50}}
 */
#ifndef JOBCAGE_POLICY_SITE_H
#define JOBCAGE_POLICY_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"
#include "policy/outlets.h"

#define SITE_FILE "/etc/jobcage/site.json"
#define SITE_POLICIES "/etc/jobcage/policies"

struct dataset {
	char *name;
	char *path;  /* absolute */
	char *owner; /* or NULL */
	struct origin origin;
};

/* User or group ids; names became ids when the site was loaded. */
struct id_list {
	bool is_everybody;
	uint32_t *ids;
	size_t cnt;
};

/* What the users and the members of the groups may do. */
struct permission {
	struct id_list users;
	struct id_list groups;
	char **policies; /* patterns of names, as fnmatch(3) has them */
	size_t policy_cnt;
	bool own_policies; /* also policies that they bring themselves */
};

/* 0: no such limit. */
struct site_limits {
	uint64_t jobs;
	uint64_t jobs_per_user;
};

struct site {
	char *file;
	struct dataset *datasets;
	size_t dataset_cnt;
	char *policies; /* the folder of policies that are asked for by name */
	struct permission *permissions;
	size_t permission_cnt;
	struct site_limits limits;
	char *alerts;   /* absolute; NULL: the default */
	bool self_test; /* whether each job's rules are tried before its command runs */
	struct sink_config *sinks;
	size_t sink_cnt;
	struct site_audit audit;
};

/*
 * Loads FILE; a file that does not exist is -ENOENT and adds nothing to diags (the caller decides
 * whether that is an error). Returns 0 and the site (free with site_free), or a negative errno
 * with all that is wrong in diags. A user or group that is unknown is a warning: it matches nobody.
 */
int site_load(const char *file, struct diag_list *diags, struct site **ret_site);

/*
 * Loads the site file that was asked for, or, file being NULL, the default one. The default one
 * may be absent: that is 0 and a site of NULL.
 */
int site_find(const char *file, struct diag_list *diags, struct site **ret_site);

void site_free(struct site *site);

/* The dataset of that name, or NULL. site may be NULL. */
const struct dataset *site_dataset(const struct site *site, const char *name);

/*
 * Whether a user with these groups (the primary one too) may run the policy of that name, or
 * policies of the user's own. Root always may; without a site (NULL) nobody else may anything.
 */
bool site_may_run(const struct site *site, uid_t uid, const gid_t *gids, size_t gid_cnt,
		  const char *policy_name);
bool site_may_bring_policy(const struct site *site, uid_t uid, const gid_t *gids, size_t gid_cnt);

/*
 * FOLDER/NAME.json, where FOLDER is the site's, or SITE_POLICIES without a site. -EINVAL: names are
 * 1 to 64 characters of A-Z a-z 0-9 . _ -, without a leading dot, so none leads out of the folder.
 */
int site_policy_path(const struct site *site, const char *name, char **ret_path);

#endif
