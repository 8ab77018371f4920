// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where events go; see outlets.h.
 *
 * Addresses are numbers: a name would have to be asked for, and whoever answers slowly would hold
 * up the controller.
 */
#include "policy/outlets_read.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "policy/value.h"

/* Ten years. */
#define AGE_MS_MAX (3650ULL * 24 * 3600 * 1000)
#define INTERVAL_MS_MAX (24ULL * 3600 * 1000)
#define KEEP_MAX 100000

enum {
	SINK_TYPE,
	SINK_NAME,
	SINK_PATH,
	SINK_ADDRESS,
	SINK_QUEUE,
	SINK_MAX_SIZE,
	SINK_MAX_AGE,
	SINK_KEEP,
	SINK_FIELD_CNT,
};

static const struct field sink_fields[] = {
	[SINK_TYPE] = { "type", KIND_STRING, .is_required = true },
	[SINK_NAME] = { "name", KIND_STRING },
	[SINK_PATH] = { "path", KIND_STRING },
	[SINK_ADDRESS] = { "address", KIND_STRING },
	[SINK_QUEUE] = { "queue", KIND_STRING },
	[SINK_MAX_SIZE] = { "max_size", KIND_STRING },
	[SINK_MAX_AGE] = { "max_age", KIND_STRING },
	[SINK_KEEP] = { "keep", KIND_INTEGER },
};

const struct shape sink_shape = { "a sink", FIELDS(sink_fields), NULL, 0 };

enum { AUDIT_KEY, AUDIT_INTERVAL, AUDIT_FIELD_CNT };

static const struct field audit_fields[] = {
	[AUDIT_KEY] = { "key", KIND_STRING },
	[AUDIT_INTERVAL] = { "head_interval", KIND_STRING },
};

const struct shape audit_shape = { "'audit'", FIELDS(audit_fields), NULL, 0 };

static const struct word type_list[] = {
	{ "file", SINK_FILE },
	{ "stdout", SINK_STDOUT },
	{ "syslog", SINK_SYSLOG },
	{ "socket", SINK_SOCKET },
};

static const struct vocabulary type_words = { "type", type_list, ARRAY_SIZE(type_list) };

static const struct {
	const char *prefix;
	enum sink_transport transport;
	enum sink_type type;
} transports[] = {
	{ "unix:", TRANSPORT_UNIX, SINK_SYSLOG },      { "udp:", TRANSPORT_UDP, SINK_SYSLOG },
	{ "tcp:", TRANSPORT_TCP, SINK_SYSLOG },        { "stream:", TRANSPORT_STREAM, SINK_SOCKET },
	{ "seqpacket:", TRANSPORT_SEQPACKET, SINK_SOCKET },
};

void sink_config_clear(struct sink_config *config)
{
	free(config->name);
	free(config->path);
}

static bool read_unix(const char *path, struct sink_config *config)
{
	struct sockaddr_un *addr = (struct sockaddr_un *)&config->addr;

	if (*path != '/' || strlen(path) >= sizeof(addr->sun_path))
		return false;
	addr->sun_family = AF_UNIX;
	strcpy(addr->sun_path, path);
	config->addr_len = sizeof(*addr);
	return true;
}

static bool read_port(const char *text, in_port_t *ret_port)
{
	uint64_t port;

	if (!number_take(&text, &port) || *text || !port || port > UINT16_MAX)
		return false;
	*ret_port = htons((uint16_t)port);
	return true;
}

static bool read_ip(struct sink_config *config, const char *ip, in_port_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&config->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&config->addr;

	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		config->addr_len = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, ip, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = port;
	config->addr_len = sizeof(*v6);
	return true;
}

/* "10.0.0.5:514", "[2001:db8::5]:514" */
static bool read_host(const char *text, struct sink_config *config)
{
	const char *colon = strrchr(text, ':');
	char ip[INET6_ADDRSTRLEN] = "";
	in_port_t port;
	size_t len;

	if (!colon || !read_port(colon + 1, &port))
		return false;
	len = colon - text;
	if (*text == '[' && len > 2 && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(ip))
		return false;
	memcpy(ip, text, len);
	return read_ip(config, ip, port);
}

static bool read_address(const char *text, struct sink_config *config)
{
	for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
		size_t len = strlen(transports[i].prefix);

		if (strncmp(text, transports[i].prefix, len) || transports[i].type != config->type)
			continue;
		config->transport = transports[i].transport;
		if (config->transport == TRANSPORT_UDP || config->transport == TRANSPORT_TCP)
			return read_host(text + len, config);
		return read_unix(text + len, config);
	}
	return false;
}

static void take_address(const struct cursor *at, struct sink_config *config)
{
	if (read_address(cursor_string(at), config))
		return;
	cursor_error(at, config->type == SINK_SYSLOG ?
				 "bad address '%s': unix:/dev/log, udp:ADDRESS:PORT or tcp:ADDRESS:PORT, "
				 "with a numeric address, an IPv6 one in []" :
				 "bad address '%s': stream:/PATH or seqpacket:/PATH",
		     cursor_string(at));
}

/* Which keys a type needs and may have. */
static void check_keys(const struct cursor *at, const struct node *const members[],
		       enum sink_type type)
{
	bool is_file = type == SINK_FILE, has_address = type == SINK_SYSLOG || type == SINK_SOCKET;

	for (int i = SINK_PATH; i < SINK_FIELD_CNT; i++) {
		struct cursor member = cursor_at(at, members[i]);
		bool fits = i == SINK_QUEUE || (i == SINK_ADDRESS ? has_address : is_file);

		if (members[i] && !fits)
			cursor_key_error(&member, "'%s' is not for a sink of this type",
					 sink_fields[i].key);
	}
	if (is_file && !members[SINK_PATH])
		cursor_error(at, "a sink of type 'file' needs a 'path'");
	if (has_address && !members[SINK_ADDRESS])
		cursor_error(at, "a sink of this type needs an 'address'");
}

static void take_amounts(const struct cursor *at, const struct node *const members[],
			 struct sink_config *config)
{
	struct cursor queue = cursor_at(at, members[SINK_QUEUE]),
		      size = cursor_at(at, members[SINK_MAX_SIZE]),
		      age = cursor_at(at, members[SINK_MAX_AGE]),
		      keep = cursor_at(at, members[SINK_KEEP]);

	config->queue_bytes = SINK_QUEUE_BYTES;
	if (queue.node)
		value_size(&queue, &config->queue_bytes);
	if (size.node)
		value_size(&size, &config->max_bytes);
	if (age.node)
		value_duration(&age, AGE_MS_MAX, &config->max_age_ms);
	if (keep.node)
		value_count(&keep, KEEP_MAX, &config->keep);
}

/* For people: the sink's name if it was given none. */
static void default_name(const struct cursor *at, const struct node *address,
			 struct sink_config *config)
{
	const char *made = "stdout";

	if (config->name)
		return;
	if (config->path)
		made = config->path;
	else if (address)
		made = json_string_value(address->value);
	config->name = strdup(made);
	if (!config->name)
		cursor_error(at, "out of memory");
}

void read_sink(const struct cursor *at, struct sink_config *config)
{
	const struct node *members[SINK_FIELD_CNT];
	struct cursor type, name, path, address;
	uint8_t word = 0;

	shape_members(&sink_shape, at, members);
	type = cursor_at(at, members[SINK_TYPE]);
	name = cursor_at(at, members[SINK_NAME]);
	path = cursor_at(at, members[SINK_PATH]);
	address = cursor_at(at, members[SINK_ADDRESS]);
	if (!type.node || !value_word(&type, &type_words, &word))
		return;
	config->type = word;
	check_keys(at, members, config->type);
	if (name.node)
		value_name(&name, &config->name);
	if (path.node && config->type == SINK_FILE)
		value_path(&path, &config->path);
	if (address.node && config->type != SINK_FILE && config->type != SINK_STDOUT)
		take_address(&address, config);
	take_amounts(at, members, config);
	default_name(at, address.node, config);
}

void read_audit(const struct cursor *at, struct site_audit *audit)
{
	const struct node *members[AUDIT_FIELD_CNT];
	struct cursor key, interval;

	shape_members(&audit_shape, at, members);
	key = cursor_at(at, members[AUDIT_KEY]);
	interval = cursor_at(at, members[AUDIT_INTERVAL]);
	if (key.node)
		value_path(&key, &audit->key);
	if (interval.node)
		value_duration(&interval, INTERVAL_MS_MAX, &audit->interval_ms);
}
