/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The site: the datasets that exist on this machine, by name. Every registered dataset is closed
 * to every job whose policy does not grant it.
 *
 *     {"version": 1, "datasets": [
 *         {"name": "digits", "path": "/srv/datasets/digits", "owner": "vision-team"}]}
 */
#ifndef JOBCAGE_POLICY_SITE_H
#define JOBCAGE_POLICY_SITE_H

#include "base/diag.h"

#define SITE_FILE "/etc/jobcage/site.json"

struct dataset {
	char *name;
	char *path;  /* absolute */
	char *owner; /* or NULL */
	struct origin origin;
};

struct site {
	char *file;
	struct dataset *datasets;
	size_t dataset_cnt;
};

/*
 * Loads FILE; a file that does not exist is -ENOENT and adds nothing to diags (the caller decides
 * whether that is an error). Returns 0 and the site (free with site_free), or a negative errno
 * with all that is wrong in diags.
 */
int site_load(const char *file, struct diag_list *diags, struct site **ret_site);
void site_free(struct site *site);

/* The dataset of that name, or NULL. site may be NULL. */
const struct dataset *site_dataset(const struct site *site, const char *name);

#endif
