/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One OCSF 1.8.0 event as a JSON object: what the SOC reads. docs/alerts.md documents every field.
 *
 * Classes: 1001 file, 1007 process (exec), 4001 network, 1006 job start and end, 2004 finding.
 * Every function returns 0 and a new reference, or -ENOMEM.
 */
#ifndef JOBCAGE_ALERT_OCSF_H
#define JOBCAGE_ALERT_OCSF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/job.h"
#include "alert/decode.h"
#include "policy/policy.h"

struct line;

/* What every event of a job says about it. Borrowed by the functions below. */
struct alert_job {
	const char *id;              /* --job, or made: metadata.correlation_uid */
	const struct policy *policy; /* name, digest, mode, rule table */
	const char *host;            /* device.hostname */
	const char *machine_id;      /* device.uid; NULL if unknown */
	const char *kernel;          /* uname release: device.os.kernel_release or the like */
	const char *cgroup;          /* path below the cgroup root */
	const json_t *origin;  /* ids by name, of schedulers and containers: metadata.tags; or NULL */
	const char *command;         /* the command line, bounded, for people */
	const char *user;            /* who runs the job */
	uint32_t uid;
	uint32_t asked_by; /* uid of who asked for the job */
	uint32_t pid;      /* the job's first process */
	uint64_t start_ms; /* Unix time */
};

/* How a job ended. */
struct alert_end {
	uint64_t end_ms;         /* Unix time */
	struct job_stats stats;  /* as read from the kernel last */
	uint64_t delivered;      /* decisions that events tell of */
	uint64_t malformed;      /* records refused by decode_event() */
	uint64_t write_failures; /* events that the sink refused */
	uint64_t waiting;        /* events that it has not taken yet */
	bool adopted;            /* finished by another controller than the one that started it */
	json_t *budgets;         /* what was sent under each budget; NULL: not known. Borrowed */
	json_t *destinations;    /* and where to */
	const char *reason;      /* "exited", "killed", "not started": in words */
};

/* complete: everything that was to be recorded became an event. */
bool alert_end_complete(const struct alert_end *end);

/* Of a count by kind of act: all kinds together. */
uint64_t alert_sum(const __u64 by_kind[static EVENT_KINDS]);

/*
 * sequence: the event's gapless number in its job. boot_offset_ms: Unix time of CLOCK_BOOTTIME's
 * zero. As a line at once: decisions come in floods.
 */
int ocsf_decision(const struct alert_job *job, const struct decoded_event *event, uint64_t sequence,
		  int64_t boot_offset_ms, struct line **ret_line);
/* self_test: what it came to, a JSON object; NULL: there was none. Borrowed. */
int ocsf_job_start(const struct alert_job *job, uint64_t sequence, const char *backend,
		   json_t *self_test, json_t **ret_event);
/* The job obeys job->policy from now on, and not that of the digest old. */
int ocsf_job_policy(const struct alert_job *job, const char *old, uint64_t time_ms,
		    uint64_t sequence, json_t **ret_event);
int ocsf_job_end(const struct alert_job *job, const struct alert_end *end, uint64_t sequence,
		 json_t **ret_event);
/* A finding: the record is incomplete, a root was replaced. title is short, text in plain words. */
int ocsf_finding(const struct alert_job *job, const char *title, const char *text, uint64_t time_ms,
		 uint64_t sequence, json_t **ret_event);

#endif
