// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Words, names, ids and paths; see value.h. Amounts are in amount.c, networks and ports in net.c. */
#include "policy/value.h"

#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "abi/socket.h"
#include "base/cleanup.h"
#include "policy/nearest.h"

#define ID_CHARS NAME_CHARS ":/"
#define VARIABLE_CHARS LETTERS "0123456789_"

static const struct word mode_word[] = { { "enforce", MODE_ENFORCE }, { "audit", MODE_AUDIT } };
static const struct word access_word[] = {
	{ "none", ACCESS_NONE },
	{ "read", ACCESS_READ },
	{ "write", ACCESS_WRITE },
};
static const struct word exec_word[] = { { "allow", EXEC_ALLOW }, { "deny", EXEC_DENY } };
static const struct word egress_word[] = { { "deny", EGRESS_DENY }, { "allow", EGRESS_ALLOW } };
static const struct word ingress_word[] = { { "deny", INGRESS_DENY }, { "allow", INGRESS_ALLOW } };
static const struct word unix_word[] = { { "deny", UNIX_DENY }, { "allow", UNIX_ALLOW } };
static const struct word mounts_word[] = {
	{ "deny", MOUNTS_DENY },
	{ "allow", MOUNTS_ALLOW },
};

static const struct word audit_loss_word[] = {
	{ "continue", AUDIT_LOSS_CONTINUE },
	{ "stop", AUDIT_LOSS_STOP },
};

static const struct word protocol_word[] = {
	{ "tcp", PROTOCOL_TCP },
	{ "udp", PROTOCOL_UDP },
	{ "any", PROTOCOL_ANY },
};

static const struct word socket_word[] = {
	{ "ping", SOCKET_PING },     { "mptcp", SOCKET_MPTCP },	    { "sctp", SOCKET_SCTP },
	{ "dccp", SOCKET_DCCP },     { "udplite", SOCKET_UDPLITE }, { "smc", SOCKET_SMC },
	{ "raw", SOCKET_RAW },	     { "packet", SOCKET_PACKET },   { "netlink", SOCKET_NETLINK },
	{ "vsock", SOCKET_VSOCK },   { "xdp", SOCKET_XDP },	    { "alg", SOCKET_ALG },
	{ "rds", SOCKET_RDS },	     { "tipc", SOCKET_TIPC },
};

static const struct word capability_word[] = {
	{ "CAP_CHOWN", CAP_CHOWN },
	{ "CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE },
	{ "CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH },
	{ "CAP_FOWNER", CAP_FOWNER },
	{ "CAP_FSETID", CAP_FSETID },
	{ "CAP_KILL", CAP_KILL },
	{ "CAP_SETGID", CAP_SETGID },
	{ "CAP_SETUID", CAP_SETUID },
	{ "CAP_SETPCAP", CAP_SETPCAP },
	{ "CAP_LINUX_IMMUTABLE", CAP_LINUX_IMMUTABLE },
	{ "CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE },
	{ "CAP_NET_BROADCAST", CAP_NET_BROADCAST },
	{ "CAP_NET_ADMIN", CAP_NET_ADMIN },
	{ "CAP_NET_RAW", CAP_NET_RAW },
	{ "CAP_IPC_LOCK", CAP_IPC_LOCK },
	{ "CAP_IPC_OWNER", CAP_IPC_OWNER },
	{ "CAP_SYS_MODULE", CAP_SYS_MODULE },
	{ "CAP_SYS_RAWIO", CAP_SYS_RAWIO },
	{ "CAP_SYS_CHROOT", CAP_SYS_CHROOT },
	{ "CAP_SYS_PTRACE", CAP_SYS_PTRACE },
	{ "CAP_SYS_PACCT", CAP_SYS_PACCT },
	{ "CAP_SYS_ADMIN", CAP_SYS_ADMIN },
	{ "CAP_SYS_BOOT", CAP_SYS_BOOT },
	{ "CAP_SYS_NICE", CAP_SYS_NICE },
	{ "CAP_SYS_RESOURCE", CAP_SYS_RESOURCE },
	{ "CAP_SYS_TIME", CAP_SYS_TIME },
	{ "CAP_SYS_TTY_CONFIG", CAP_SYS_TTY_CONFIG },
	{ "CAP_MKNOD", CAP_MKNOD },
	{ "CAP_LEASE", CAP_LEASE },
	{ "CAP_AUDIT_WRITE", CAP_AUDIT_WRITE },
	{ "CAP_AUDIT_CONTROL", CAP_AUDIT_CONTROL },
	{ "CAP_SETFCAP", CAP_SETFCAP },
	{ "CAP_MAC_OVERRIDE", CAP_MAC_OVERRIDE },
	{ "CAP_MAC_ADMIN", CAP_MAC_ADMIN },
	{ "CAP_SYSLOG", CAP_SYSLOG },
	{ "CAP_WAKE_ALARM", CAP_WAKE_ALARM },
	{ "CAP_BLOCK_SUSPEND", CAP_BLOCK_SUSPEND },
	{ "CAP_AUDIT_READ", CAP_AUDIT_READ },
	{ "CAP_PERFMON", CAP_PERFMON },
	{ "CAP_BPF", CAP_BPF },
	{ "CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE },
};

static const struct word device_word[] = {
	{ "gpu", DEVICE_GPU },
	{ "rdma", DEVICE_RDMA },
	{ "kvm", DEVICE_KVM },
	{ "fuse", DEVICE_FUSE },
};

#define VOCABULARY(what, words) { what, words, ARRAY_SIZE(words) }

const struct vocabulary mode_words = VOCABULARY("mode", mode_word);
const struct vocabulary access_words = VOCABULARY("access", access_word);
const struct vocabulary exec_words = VOCABULARY("exec default", exec_word);
const struct vocabulary egress_words = VOCABULARY("egress default", egress_word);
const struct vocabulary ingress_words = VOCABULARY("ingress default", ingress_word);
const struct vocabulary unix_words = VOCABULARY("unix default", unix_word);
const struct vocabulary protocol_words = VOCABULARY("protocol", protocol_word);
const struct vocabulary mounts_words = VOCABULARY("value of mounts", mounts_word);
const struct vocabulary audit_loss_words = VOCABULARY("value of on_audit_loss", audit_loss_word);
const struct vocabulary socket_words = VOCABULARY("kind of socket", socket_word);
const struct vocabulary device_words = VOCABULARY("group of devices", device_word);
const struct vocabulary capability_words = VOCABULARY("capability", capability_word);

const char *word_text(const struct vocabulary *vocabulary, uint8_t value)
{
	for (size_t i = 0; i < vocabulary->word_cnt; i++) {
		if (vocabulary->words[i].value == value)
			return vocabulary->words[i].text;
	}
	return NULL;
}

/* The words that there are, where they fit a line. */
static void report_word(const struct cursor *at, const struct vocabulary *vocabulary)
{
	struct nearest nearest = nearest_start(cursor_string(at));
	char all[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < vocabulary->word_cnt; i++) {
		nearest_offer(&nearest, vocabulary->words[i].text);
		if (len < sizeof(all))
			len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "",
						vocabulary->words[i].text);
	}
	if (len >= sizeof(all))
		cursor_error(at, nearest.best ? "unknown %s '%s'; did you mean '%s'?" : "unknown %s '%s'",
			     vocabulary->what, nearest.word, nearest.best);
	else if (nearest.best)
		cursor_error(at, "unknown %s '%s'; did you mean '%s'? (one of: %s)",
			     vocabulary->what, nearest.word, nearest.best, all);
	else
		cursor_error(at, "unknown %s '%s'; one of: %s", vocabulary->what, nearest.word,
			     all);
}

bool value_word(const struct cursor *at, const struct vocabulary *vocabulary, uint8_t *ret_value)
{
	for (size_t i = 0; i < vocabulary->word_cnt; i++) {
		if (strcmp(vocabulary->words[i].text, cursor_string(at)))
			continue;
		*ret_value = vocabulary->words[i].value;
		return true;
	}
	report_word(at, vocabulary);
	return false;
}

bool value_version(const struct cursor *at)
{
	if (json_integer_value(at->node->value) == POLICY_VERSION)
		return true;
	cursor_error(at, "version %lld is unknown to this jobcage, which reads version %d",
		     (long long)json_integer_value(at->node->value), POLICY_VERSION);
	return false;
}

static bool give(const struct cursor *at, char *owned, char **ret_text)
{
	if (owned)
		*ret_text = owned;
	else
		cursor_error(at, "out of memory");
	return owned;
}

static bool value_token(const struct cursor *at, const char *what, const char *chars,
			const char *chars_text, char **ret_text)
{
	const char *text = cursor_string(at);
	size_t len = strlen(text);

	if (len && len <= NAME_LEN_MAX && text[strspn(text, chars)] == '\0')
		return give(at, strdup(text), ret_text);
	cursor_error(at, "bad %s '%s': 1 to %d characters of %s", what, text, NAME_LEN_MAX,
		     chars_text);
	return false;
}

bool value_name(const struct cursor *at, char **ret_name)
{
	return value_token(at, "name", NAME_CHARS, "A-Z a-z 0-9 . _ -", ret_name);
}

bool value_id(const struct cursor *at, char **ret_id)
{
	return value_token(at, "id", ID_CHARS, "A-Z a-z 0-9 . _ : / -", ret_id);
}

/* Segments, each of name characters, and none of dots alone that leads elsewhere. */
static bool is_spiffe_path(const char *path)
{
	for (size_t len; *path; path += len) {
		if (*path++ != '/')
			return false;
		len = strspn(path, NAME_CHARS);
		if (!len || (len == 1 && *path == '.') || (len == 2 && !strncmp(path, "..", 2)))
			return false;
	}
	return true;
}

bool value_spiffe_id(const struct cursor *at, char **ret_id)
{
	static const char scheme[] = "spiffe://", domain_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *text = cursor_string(at), *domain = text + strlen(scheme);
	size_t len = strncmp(text, scheme, strlen(scheme)) ? 0 : strspn(domain, domain_chars);

	if (len && len <= SPIFFE_DOMAIN_MAX && strlen(text) <= SPIFFE_ID_MAX && is_spiffe_path(domain + len))
		return give(at, strdup(text), ret_id);
	cursor_error(at, "bad SPIFFE id '%s': spiffe://DOMAIN/PATH, the domain of a-z 0-9 . _ -, at most %d bytes",
		     text, SPIFFE_ID_MAX);
	return false;
}

/* Appends the components that matter; false at '.' and '..'. */
static bool copy_components(const char *text, char *path)
{
	size_t len, path_len = 0;

	for (; *text; text += len) {
		text += strspn(text, "/");
		len = strcspn(text, "/");
		if ((len == 1 && text[0] == '.') || (len == 2 && !strncmp(text, "..", 2)))
			return false;
		if (!len)
			break;
		path[path_len++] = '/';
		memcpy(path + path_len, text, len);
		path_len += len;
	}
	if (!path_len)
		path[path_len++] = '/';
	path[path_len] = '\0';
	return true;
}

static bool has_control(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	}
	return false;
}

bool value_path(const struct cursor *at, char **ret_path)
{
	const char *text = cursor_string(at);
	char path[PATH_MAX];

	if (text[0] != '/')
		cursor_error(at, "path '%s' is relative; paths begin with '/'", text);
	else if (strlen(text) >= sizeof(path))
		cursor_error(at, "path is longer than %zu bytes", sizeof(path) - 1);
	else if (has_control(text))
		cursor_error(at, "path '%s' has a control character", text);
	else if (!copy_components(text, path))
		cursor_error(at, "path '%s' has a '.' or '..'; write where it leads", text);
	else
		return give(at, strdup(path), ret_path);
	return false;
}

/* How many characters could begin a variable's name. */
static size_t variable_len(const char *text)
{
	return *text >= '0' && *text <= '9' ? 0 : strspn(text, VARIABLE_CHARS);
}

bool variable_is_name(const char *text)
{
	size_t len = variable_len(text);

	return len && !text[len];
}

bool variable_is_pattern(const char *text)
{
	return variable_is_name(text) || !strcmp(text + variable_len(text), "*");
}
