/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading keys that several sections of a policy have: node is the key's, NULL if it is absent. An
 * absent key reads well and changes nothing. False: it is bad, and was reported.
 */
#ifndef JOBCAGE_POLICY_READ_H
#define JOBCAGE_POLICY_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/draft.h"
#include "policy/value.h"

bool read_id(const struct cursor *at, const struct node *node, struct rule *rule);
bool read_path(const struct cursor *at, const struct node *node, struct rule *rule);
bool read_word(const struct cursor *at, const struct node *node,
	       const struct vocabulary *vocabulary, uint8_t *ret_value);
bool read_flag(const struct node *node);

typedef void (*entry_reader)(struct draft *draft, const struct cursor *at, uint8_t access);

/* Reads each entry of a list that is of a kind that the field takes. */
void read_list(struct draft *draft, const struct cursor *at, const struct node *list,
	       const struct field *field, entry_reader read, uint8_t access);

#endif
