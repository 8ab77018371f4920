/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A policy, a job and ring records as the kernel would send them, for what tests the alerts: unit
 * tests, the fuzzer and the examples in docs/alerts.md.
 */
#ifndef JOBCAGE_TESTS_OCSF_FIXTURE_H
#define JOBCAGE_TESTS_OCSF_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"
#include "alert/cause.h"
#include "alert/ocsf.h"

/* Rule numbers of fixture_policy. */
enum fixture_rule {
	FIXTURE_DIGITS = 1, /* dataset, read: /srv/datasets/digits */
	FIXTURE_FACES,      /* dataset, none: /srv/datasets/faces */
	FIXTURE_CKPT,       /* filesystem, write: /srv/checkpoints/digits */
	FIXTURE_CONFIG,     /* filesystem, read: /etc/train */
	FIXTURE_USR_BIN,    /* exec, allow: /usr/bin */
	FIXTURE_NO_SHELL,   /* exec, deny: /usr/bin/dash */
	FIXTURE_NCCL,       /* egress: 10.20.0.0/16 tcp 29500-29600 */
	FIXTURE_OBJECTS,    /* egress: 2001:db8:1::/48 tcp,udp 443,8443 */
};

#define FIXTURE_RULES 8

extern const struct policy fixture_policy;
extern const struct policy fixture_audit_policy; /* the same in audit mode */
extern const struct alert_job fixture_job;

/* Unix time of the machine's start, for ocsf_decision(). */
#define FIXTURE_BOOT_MS INT64_C(1767225600000)

#define FIXTURE_RECORD_MAX (sizeof(struct event) + EVENT_STRINGS_MAX)

/* A header that decode_event() accepts for op: denied by the default, of python3, pid 812. */
struct event fixture_event(enum event_op op);

/* The same, denied by that rule of the policy, or for that reason. */
struct event by_rule(enum event_op op, uint32_t rule);
struct event by_reason(enum event_op op, enum event_reason reason);

/* What message_write() writes, without JSON's escapes: a new string, or NULL. */
char *fixture_message(const struct decoded_event *event, const struct cause *cause);

/* ocsf_decision(), and its line as a tree: a new reference. */
int fixture_decision(const struct alert_job *job, const struct decoded_event *event,
		     uint64_t sequence, int64_t boot_offset_ms, json_t **ret_event);

/*
 * Puts header and strings into buf as a record, with all lengths set. Paths are absolute or NULL.
 * Returns the record's length.
 */
size_t fixture_record(unsigned char buf[static FIXTURE_RECORD_MAX], struct event event,
		      const char *path, const char *path2, const char *exe);

#endif
