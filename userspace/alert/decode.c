// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From a ring record to a checked struct; see decode.h.
 *
 * Strings come leaf first, each component ended by NUL. An empty run is the root itself: "/".
 */
#include "alert/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi/policy.h"
#include "alert/op.h"
#include "base/cleanup.h"

#define KNOWN_FLAGS                                                                                \
	(EVENT_PATH_TRUNCATED | EVENT_PATH2_TRUNCATED | EVENT_EXE_TRUNCATED | EVENT_PATH_DELETED | \
	 EVENT_PATH_DETACHED | EVENT_PATH_MISSING | EVENT_BY_CGROUP | EVENT_WITHOUT_TASK)

static bool layout_ok(const struct event *event, size_t len)
{
	uint64_t sum = (uint64_t)event->path_len + event->path2_len + event->exe_len;

	return sum == event->strings_len && sum <= EVENT_STRINGS_MAX && len - sizeof(*event) == sum;
}

/* Is the act one on a file, or on a socket that may have a name? */
static bool may_have_path(const struct event *event)
{
	return event->kind == EVENT_FILE || event->kind == EVENT_EXEC ||
	       (event->kind == EVENT_NET &&
		(op_info(event->op)->is_unix || op_info(event->op)->is_name));
}

enum kind_bits {
	FILES = 1 << EVENT_FILE,
	EXECS = 1 << EVENT_EXEC,
	NETS = 1 << EVENT_NET,
	GUARDS = 1 << EVENT_GUARD,
	ALL = FILES | EXECS | NETS | GUARDS,
};

/* The acts that a reason belongs to. */
struct scope {
	unsigned int kinds;              /* enum kind_bits; 0: there is no such reason */
	enum event_op first_op, last_op; /* 0: any of these kinds */
	bool needs_path;
};

#define ONE_OP(of_kinds, op) { .kinds = of_kinds, .first_op = op, .last_op = op }

static const struct scope scopes[] = {
	[REASON_RULE] = { .kinds = ALL & ~GUARDS },
	[REASON_DEFAULT] = { .kinds = ALL & ~GUARDS },
	[REASON_WALK_LIMIT] = { .kinds = ALL, .needs_path = true },
	[REASON_DISCONNECTED] = { .kinds = ALL, .needs_path = true },
	[REASON_NAMELESS] = { .kinds = EXECS },
	[REASON_PROTECTED] = { .kinds = FILES },
	[REASON_FAMILY] = { .kinds = NETS },
	[REASON_NOT_IN_FORCE] = { .kinds = ALL },
	[REASON_OWN] = { .kinds = FILES | NETS },
	[REASON_SOCKET] = { .kinds = NETS },
	[REASON_LEFT_CGROUP] = { .kinds = NETS },
	[REASON_HEADER] = { .kinds = NETS },
	[REASON_MOUNTS] = { .kinds = FILES },
	[REASON_KERNEL_FILE] = { .kinds = FILES },
	[REASON_INDIRECT] = { .kinds = FILES },
	[REASON_RING] = { .kinds = FILES },
	[REASON_OVERLAY] = { .kinds = FILES },
	[REASON_FOREIGN_SOCKET] = { .kinds = NETS },
	[REASON_CAPABILITY] = ONE_OP(GUARDS, OP_CAPABILITY),
	[REASON_USER_NAMESPACE] = ONE_OP(GUARDS, OP_USER_NAMESPACE),
	[REASON_OUTSIDE] = { .kinds = GUARDS, .first_op = OP_TRACE, .last_op = OP_CONTROL },
	[REASON_BPF] = ONE_OP(GUARDS, OP_BPF),
	[REASON_DEVICE] = { .kinds = FILES },
	[REASON_TERMINAL] = { .kinds = FILES },
	[REASON_HELPER] = ONE_OP(GUARDS, OP_KEY_REQUEST),
	[REASON_OWNER] = ONE_OP(GUARDS, OP_SIGNAL),
	[REASON_SETID] = { .kinds = FILES },
	[REASON_ALL_QUOTAS] = ONE_OP(GUARDS, OP_QUOTA_SYNC),
	[REASON_NODE] = ONE_OP(FILES, OP_MKNOD),
	[REASON_LINKED] = { .kinds = FILES },
	[REASON_BUDGET] = { .kinds = NETS },
	[REASON_OBJECT] = { .kinds = GUARDS, .first_op = OP_IPC, .last_op = OP_KEY_USE },
	[REASON_QUEUE] = { .kinds = FILES },
	[REASON_QUESTION] = ONE_OP(NETS, OP_RESOLVE),
	[REASON_MOVED_SOCKET] = ONE_OP(FILES, OP_RENAME),
	[REASON_PRIVATE] = { .kinds = NETS, .first_op = OP_CONNECT, .last_op = OP_RECEIVE_SOCKET },
};

static bool is_in_scope(const struct event *event, const struct scope *scope)
{
	bool is_its_op = !scope->first_op ||
			 (event->op >= scope->first_op && event->op <= scope->last_op);

	return scope->kinds >> event->kind & 1 && is_its_op &&
	       (!scope->needs_path || may_have_path(event));
}

/* A rule has its number, a budget may have, everything else has none; and only what the policy says allows. */
static bool reason_ok(const struct event *event)
{
	bool is_by_rule = event->reason == REASON_RULE;
	bool may_allow = is_by_rule || event->reason == REASON_DEFAULT;

	return event->reason < ARRAY_SIZE(scopes) && is_in_scope(event, &scopes[event->reason]) &&
	       (event->reason == REASON_BUDGET || is_by_rule == (event->rule != RULE_NONE)) &&
	       (may_allow || event->verdict != VERDICT_ALLOW);
}

static bool header_ok(const struct event *event)
{
	const struct op_info *op = op_info(event->op);

	return op && op->kind == event->kind && event->verdict >= VERDICT_ALLOW &&
	       event->verdict <= VERDICT_WOULD_DENY && reason_ok(event) && event->sequence > 0 &&
	       event->slot != JOB_SLOT_NONE && event->slot < JOB_SLOTS &&
	       event->policy < POLICY_SLOTS && event->object_mode <= UINT16_MAX &&
	       (event->flags & ~(uint32_t)KNOWN_FLAGS) == 0 &&
	       memchr(event->comm, '\0', sizeof(event->comm));
}

/* Which strings a record of its kind may have. */
static bool presence_ok(const struct event *event)
{
	if (event->flags & EVENT_PATH_MISSING)
		return event->strings_len == 0;
	if (!may_have_path(event) && event->path_len)
		return false;
	return op_info(event->op)->has_path2 || !event->path2_len;
}

/*
 * Every component: at least one byte, no '/', ended by NUL. The name of a file that is in no tree, a
 * memfd's say, is the only one of its run and may be anything.
 */
static bool run_ok(const char *run, size_t len)
{
	if (len == 0)
		return true;
	if (run[0] == '\0' || run[len - 1] != '\0')
		return false;
	if (memchr(run, '\0', len) == run + len - 1)
		return strcmp(run, "/") != 0;
	if (memchr(run, '/', len))
		return false;
	for (size_t i = 1; i < len; i++)
		if (run[i] == '\0' && run[i - 1] == '\0')
			return false;
	return true;
}

static bool strings_ok(const struct event *event, const char *strings)
{
	return run_ok(strings, event->path_len) &&
	       run_ok(strings + event->path_len, event->path2_len) &&
	       run_ok(strings + event->path_len + event->path2_len, event->exe_len);
}

/*
 * run is valid. "..." goes in front if components are missing there; the result is at most len + 4
 * bytes.
 */
static char *join(const char *run, size_t len, bool is_truncated)
{
	char *path = malloc(len + sizeof("...") + 1), *out = path;
	size_t end = len;

	if (!path)
		return NULL;
	if (is_truncated)
		out = stpcpy(out, "...");
	else if (len == 0)
		*out++ = '/';
	while (end > 0) {
		size_t start = end - 1;

		while (start > 0 && run[start - 1] != '\0')
			start--;
		*out++ = '/';
		out = stpcpy(out, run + start);
		end = start;
	}
	*out = '\0';
	return path;
}

/* A name in DNS: its labels, from the host on. */
static char *join_labels(const char *run, size_t len)
{
	char *name = len ? malloc(len) : strdup(".");

	if (!name || !len)
		return name;
	memcpy(name, run, len);
	for (size_t i = 0; i + 1 < len; i++)
		if (!name[i])
			name[i] = '.';
	return name;
}

static int build_paths(const char *strings, struct decoded_event *decoded)
{
	const struct event *event = &decoded->event;
	const char *path2 = strings + event->path_len, *exe = path2 + event->path2_len;
	bool is_missing = event->flags & EVENT_PATH_MISSING;
	/* The walk ended at the object itself: a memfd, say, which is below nothing. */
	bool is_rootless = event->flags & EVENT_PATH_DETACHED && !event->path_len;

	bool has_path = event->kind == EVENT_FILE || event->kind == EVENT_EXEC || event->path_len;

	if (has_path && !is_missing && !is_rootless) {
		decoded->path = op_info(event->op)->is_name ?
					join_labels(strings, event->path_len) :
					join(strings, event->path_len,
					     event->flags & EVENT_PATH_TRUNCATED);
		if (!decoded->path)
			return -ENOMEM;
	}
	if (op_info(event->op)->has_path2 && !is_missing) {
		decoded->path2 =
			join(path2, event->path2_len, event->flags & EVENT_PATH2_TRUNCATED);
		if (!decoded->path2)
			return -ENOMEM;
	}
	/* A directory is no program: an empty run says that the program is not known. */
	if (event->exe_len) {
		decoded->exe = join(exe, event->exe_len, event->flags & EVENT_EXE_TRUNCATED);
		if (!decoded->exe)
			return -ENOMEM;
	}
	return 0;
}

int decode_event(const void *data, size_t len, struct decoded_event *ret_event)
{
	struct decoded_event decoded = { 0 };
	const char *strings = (const char *)data + sizeof(struct event);
	int ret;

	if (len < sizeof(struct event))
		return -EBADMSG;
	memcpy(&decoded.event, data, sizeof(decoded.event)); /* the ring need not align it for us */
	decoded.cnt = 1;
	decoded.start_ns = decoded.event.time_ns;
	if (!layout_ok(&decoded.event, len) || !header_ok(&decoded.event) ||
	    !presence_ok(&decoded.event) || !strings_ok(&decoded.event, strings))
		return -EBADMSG;
	ret = build_paths(strings, &decoded);
	if (ret) {
		decoded_event_free(&decoded);
		return ret;
	}
	*ret_event = decoded;
	return 0;
}

void decoded_event_free(struct decoded_event *event)
{
	free(event->path);
	free(event->path2);
	free(event->exe);
	*event = (struct decoded_event){ 0 };
}
