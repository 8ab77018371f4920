/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The values of policies: names, ids, paths, words, amounts, networks and ports.
 *
 * Each function checks the value at a cursor, whose JSON type is right already. It returns true
 * and the value, or false after reporting what is wrong; then the result is untouched. Strings
 * returned are the caller's to free.
 */
#ifndef JOBCAGE_POLICY_VALUE_H
#define JOBCAGE_POLICY_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/document.h"
#include "policy/policy.h"

#define POLICY_VERSION 1
#define NAME_LEN_MAX 64
/* As the SPIFFE-ID standard has them. */
#define SPIFFE_ID_MAX 2048
#define SPIFFE_DOMAIN_MAX 255
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define NAME_CHARS LETTERS "0123456789._-"

struct word {
	const char *text;
	uint8_t value;
};

/* The words that one key may have. */
struct vocabulary {
	const char *what;
	const struct word *words;
	size_t word_cnt;
};

enum protocol_word { PROTOCOL_TCP = 1, PROTOCOL_UDP, PROTOCOL_ANY };

extern const struct vocabulary mode_words;     /* enum policy_mode */
extern const struct vocabulary access_words;   /* enum access */
extern const struct vocabulary exec_words;     /* enum exec_access */
extern const struct vocabulary egress_words;   /* enum egress_default */
extern const struct vocabulary ingress_words;  /* enum ingress_default */
extern const struct vocabulary unix_words;     /* enum unix_access, as a default */
extern const struct vocabulary protocol_words; /* enum protocol_word */
extern const struct vocabulary mounts_words;   /* enum mount_default */
extern const struct vocabulary audit_loss_words; /* enum audit_loss */
extern const struct vocabulary socket_words;   /* enum socket_class, those that can be named */
extern const struct vocabulary device_words;   /* enum device_group */
extern const struct vocabulary capability_words; /* CAP_* */

/* The word of a value, or NULL. */
const char *word_text(const struct vocabulary *vocabulary, uint8_t value);

bool value_word(const struct cursor *at, const struct vocabulary *vocabulary, uint8_t *ret_value);
bool value_version(const struct cursor *at);

/* 1 to 64 characters of [A-Za-z0-9._-]; ids also have ':' and '/'. */
bool value_name(const struct cursor *at, char **ret_name);
bool value_id(const struct cursor *at, char **ret_id);
/* spiffe://TRUST-DOMAIN/PATH as the SPIFFE-ID standard has it. */
bool value_spiffe_id(const struct cursor *at, char **ret_id);

/* An absolute path without '.' and '..'; comes back without doubled and trailing slashes. */
bool value_path(const struct cursor *at, char **ret_path);

/*
 * A variable's name, or in a pattern also the beginning of one and '*'. text is the value at the
 * cursor, or its key.
 */
bool variable_is_name(const char *text);
bool variable_is_pattern(const char *text);

/* 1 to max. */
bool value_count(const struct cursor *at, uint64_t max, uint64_t *ret_count);

/* "90s", "1h30m": days, hours, minutes and seconds in this order; more than 0, up to max_ms. */
bool value_duration(const struct cursor *at, uint64_t max_ms, uint64_t *ret_ms);

/* "512MiB", "1TB": more than 0, up to INT64_MAX bytes. */
bool value_size(const struct cursor *at, uint64_t *ret_bytes);

/*
 * Digits without leading zeros; moves *text behind them. What does not fit is UINT64_MAX. False,
 * and nothing moved, if there are none.
 */
bool number_take(const char **text, uint64_t *ret_number);

/* Sets addr and prefixlen; ports and port_cnt; protocol and protocol_cnt. */
bool value_cidr(const struct cursor *at, struct rule *rule);
bool value_ports(const struct cursor *at, struct rule *rule);

/*
 * A name, or "*." and a name: lower case and without a dot at its end. An address: sets addr and prefixlen.
 */
bool value_domain(const struct cursor *at, char **ret_domain);
bool value_address(const struct cursor *at, struct rule *rule);
void rule_set_protocol(struct rule *rule, enum protocol_word word);

#endif
