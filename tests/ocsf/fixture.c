// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A policy, a job and records to test alerts with; see fixture.h. */
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "alert/line.h"
#include "alert/message.h"
#include "alert/op.h"

static struct rule_ports nccl_ports[] = { { 29500, 29600 } };
static struct rule_ports object_ports[] = { { 443, 443 }, { 8443, 8443 } };

#define AT(line_)                                                             \
	{                                                                     \
		.file = "rules/digits-train.json", .line = line_, .column = 6 \
	}

/* clang-format off */
static struct rule rules[FIXTURE_RULES] = {
	{
		.id = "dataset:digits", .class = RULE_DATASET, .origin = AT(6),
		.path = "/srv/datasets/digits",
		.dataset = "digits", .access = ACCESS_READ,
	}, {
		.id = "dataset:faces", .class = RULE_DATASET,
		.origin = { .file = "/etc/jobcage/site.json", .line = 4, .column = 4 },
		.path = "/srv/datasets/faces", .dataset = "faces", .access = ACCESS_NONE,
	}, {
		.id = "ckpt", .class = RULE_FILESYSTEM, .origin = AT(9),
		.path = "/srv/checkpoints/digits",
		.access = ACCESS_WRITE,
	}, {
		.id = "config", .class = RULE_FILESYSTEM, .origin = AT(10), .path = "/etc/train",
		.access = ACCESS_READ,
	}, {
		.id = "exec.allow:/usr/bin", .class = RULE_EXEC, .origin = AT(12),
		.path = "/usr/bin",
		.access = EXEC_ALLOW,
	}, {
		.id = "exec.deny:/usr/bin/dash", .class = RULE_EXEC, .origin = AT(13),
		.path = "/usr/bin/dash",
		.access = EXEC_DENY,
	}, {
		.id = "nccl", .class = RULE_EGRESS, .origin = AT(15),
		.addr = { [10] = 0xff, [11] = 0xff, 10, 20 }, .prefixlen = 96 + 16,
		.protocol_cnt = 1, .protocol = { IPPROTO_TCP }, .ports = nccl_ports, .port_cnt = 1,
	}, {
		.id = "objects", .class = RULE_EGRESS, .origin = AT(16),
		.addr = { 0x20, 0x01, 0x0d, 0xb8, 0, 1 }, .prefixlen = 48,
		.protocol_cnt = 2, .protocol = { IPPROTO_TCP, IPPROTO_UDP }, .ports = object_ports,
		.port_cnt = 2,
	},
};
/* clang-format on */

#define POLICY(mode_)                                                                         \
	{                                                                                     \
		.file = "rules/digits-train.json", .name = "digits-train", .canonical = "{}", \
		.digest = "5f8a1d0c6c1f2b7e94d3a05b86e7f4c2910d3e4f5a6b7c8d9e0f1a2b3c4d5e6f", \
		.mode = mode_, .file_default = ACCESS_READ, .exec_default = EXEC_DENY,        \
		.egress_default = EGRESS_DENY, .rules = rules, .rule_cnt = FIXTURE_RULES,     \
	}

const struct policy fixture_policy = POLICY(MODE_ENFORCE);
const struct policy fixture_audit_policy = POLICY(MODE_AUDIT);

const struct alert_job fixture_job = {
	.id = "digits-1041",
	.policy = &fixture_policy,
	.host = "gpu17.example.org",
	.machine_id = "4f6c1d0e2b3a49588d7c6b5a49382716",
	.kernel = "6.12.9-amd64",
	.cgroup = "/user.slice/jobcage-digits-1041",
	.command = "python3 train.py --epochs 20",
	.user = "ada",
	.uid = 1000,
	.pid = 812,
	.start_ms = UINT64_C(1767229200000),
};

static __u8 guard_reason(enum event_op op)
{
	switch (op) {
	case OP_CAPABILITY: return REASON_CAPABILITY;
	case OP_USER_NAMESPACE: return REASON_USER_NAMESPACE;
	case OP_BPF: return REASON_BPF;
	case OP_KEY_REQUEST: return REASON_HELPER;
	case OP_QUOTA_SYNC: return REASON_ALL_QUOTAS;
	case OP_IPC:
	case OP_KEY_USE: return REASON_OBJECT;
	default: return REASON_OUTSIDE;
	}
}

struct event fixture_event(enum event_op op)
{
	struct event event = {
		.time_ns = UINT64_C(3605250000000),
		.sequence = 1,
		.start_ns = UINT64_C(3600000000000),
		.slot = 7,
		.generation = 3,
		.policy = 2,
		.rule = RULE_NONE,
		.tgid = 812,
		.tid = 812,
		.ppid = 640,
		.uid = 1000,
		.gid = 1000,
		.kind = (__u8)op_info(op)->kind,
		.verdict = VERDICT_DENY,
		.reason = REASON_DEFAULT,
		.op = (__u8)op,
		.comm = "python3",
	};

	if (event.kind == EVENT_GUARD) {
		event.reason = guard_reason(op);
		event.guard = (struct event_guard){ .number = 21, .detail = 9 };
	} else if (event.kind == EVENT_NET) {
		event.net = (struct event_net){
			.addr = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 7 },
			.port = 443,
			.family = AF_INET,
			.type = op == OP_SENDMSG ? SOCK_DGRAM : SOCK_STREAM,
			.protocol = op == OP_SENDMSG ? IPPROTO_UDP : IPPROTO_TCP,
		};
	} else {
		event.file = (struct event_file){ .dev = 8 << 20 | 1, .ino = 131074 };
	}
	return event;
}

struct event by_rule(enum event_op op, uint32_t rule)
{
	struct event event = fixture_event(op);

	event.reason = REASON_RULE;
	event.rule = rule;
	return event;
}

struct event by_reason(enum event_op op, enum event_reason reason)
{
	struct event event = fixture_event(op);

	event.reason = (__u8)reason;
	return event;
}

/* "/a/b" becomes "b" NUL "a" NUL. Returns the bytes put. */
static uint32_t put_run(unsigned char *out, const char *path)
{
	size_t end = strlen(path), len = 0;

	while (end > 0) {
		size_t start = end;

		while (start > 0 && path[start - 1] != '/')
			start--;
		if (end > start) {
			memcpy(out + len, path + start, end - start);
			len += end - start;
			out[len++] = '\0';
		}
		end = start ? start - 1 : 0;
	}
	return (uint32_t)len;
}

size_t fixture_record(unsigned char buf[static FIXTURE_RECORD_MAX], struct event event,
		      const char *path, const char *path2, const char *exe)
{
	unsigned char *out = buf + sizeof(event);

	event.path_len = path ? put_run(out, path) : 0;
	event.path2_len = path2 ? put_run(out + event.path_len, path2) : 0;
	event.exe_len = exe ? put_run(out + event.path_len + event.path2_len, exe) : 0;
	event.strings_len = event.path_len + event.path2_len + event.exe_len;
	memcpy(buf, &event, sizeof(event));
	return sizeof(event) + event.strings_len;
}

int fixture_decision(const struct alert_job *job, const struct decoded_event *event,
		     uint64_t sequence, int64_t boot_offset_ms, json_t **ret_event)
{
	struct line *line;
	int r = ocsf_decision(job, event, sequence, boot_offset_ms, &line);

	if (r)
		return r;
	*ret_event = json_loadb(line->text, line->len, JSON_REJECT_DUPLICATES, NULL);
	r = *ret_event ? 0 : -EBADMSG;
	line_unref(line);
	return r;
}

char *fixture_message(const struct decoded_event *event, const struct cause *cause)
{
	struct json_out out = { 0 };
	json_t *string = NULL;
	char *text = NULL;

	message_write(&out, NULL, event, cause);
	if (!out_finish(&out))
		string = json_loadb(out.text, out.len, JSON_DECODE_ANY, NULL);
	if (string)
		text = strdup(json_string_value(string));
	json_decref(string);
	out_free(&out);
	return text;
}
