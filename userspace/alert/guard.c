// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a guarded act is about; see guard.h. */
#include "alert/guard.h"

#include <stdint.h>
#include <stdio.h>

#include "policy/value.h"

static void capability_name(uint64_t number, char *ret_name)
{
	const char *word = number <= UINT8_MAX ? word_text(&capability_words, (uint8_t)number) : NULL;

	if (word)
		snprintf(ret_name, GUARD_NAME_LEN, "%s", word);
	else
		snprintf(ret_name, GUARD_NAME_LEN, "capability %llu", (unsigned long long)number);
}

void guard_name(const struct event *event, char ret_name[static GUARD_NAME_LEN])
{
	unsigned long long number = event->guard.number;

	if (event->reason == REASON_OWNER) {
		snprintf(ret_name, GUARD_NAME_LEN, "whom a descriptor signals");
		return;
	}
	switch (event->op) {
	case OP_CAPABILITY: capability_name(number, ret_name); break;
	case OP_USER_NAMESPACE: snprintf(ret_name, GUARD_NAME_LEN, "user namespace"); break;
	case OP_KEY_REQUEST: snprintf(ret_name, GUARD_NAME_LEN, "key request"); break;
	case OP_QUOTA_SYNC: snprintf(ret_name, GUARD_NAME_LEN, "all quotas"); break;
	case OP_BPF: snprintf(ret_name, GUARD_NAME_LEN, "bpf command %llu", number); break;
	case OP_IPC: snprintf(ret_name, GUARD_NAME_LEN, "System V object %llu", number); break;
	case OP_KEY_USE: snprintf(ret_name, GUARD_NAME_LEN, "key %llu", number); break;
	default: snprintf(ret_name, GUARD_NAME_LEN, "process %llu", number);
	}
}
