// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where a job comes from; see origin.h. */
#include "job/origin.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const char *const names[] = {
	/* batch systems */
	"SLURM_CLUSTER_NAME",
	"SLURM_JOB_ID",
	"SLURM_ARRAY_JOB_ID",
	"SLURM_ARRAY_TASK_ID",
	"SLURM_STEP_ID",
	"SLURM_PROCID",
	"PBS_JOBID",
	"LSB_JOBID",
	"LSB_JOBINDEX",
	"OAR_JOB_ID",
	"FLUX_JOB_ID",
	"RAY_JOB_ID",
	"AWS_BATCH_JOB_ID",
	/* pods, by the names that their documentation gives the downward API */
	"POD_NAME",
	"POD_NAMESPACE",
	"POD_UID",
	/* containers: which runtime, and which one */
	"container",
	"container_uuid",
	"APPTAINER_NAME",
	"SINGULARITY_NAME",
	/* a systemd unit; CI */
	"INVOCATION_ID",
	"CI_JOB_ID",
	"GITHUB_RUN_ID",
};

/* What is no UTF-8 is no id of theirs. */
static void take(json_t *origin, const char *name, const char *value)
{
	if (value && *value && strlen(value) <= ORIGIN_VALUE_MAX)
		json_object_set_new(origin, name, json_string(value));
}

static json_t *keep(json_t *origin)
{
	return json_object_size(origin) ? json_incref(origin) : NULL;
}

json_t *origin_of_environment(void)
{
	json_auto_t *origin = json_object();

	for (size_t i = 0; origin && i < ARRAY_SIZE(names); i++)
		take(origin, names[i], getenv(names[i]));
	return keep(origin);
}

json_t *origin_check(const json_t *given)
{
	json_auto_t *origin = json_object();

	for (size_t i = 0; origin && i < ARRAY_SIZE(names); i++)
		take(origin, names[i], json_string_value(json_object_get(given, names[i])));
	return keep(origin);
}
