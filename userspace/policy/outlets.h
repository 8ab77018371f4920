/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The site file's 'sinks' and 'audit': where events go besides the alerts file, and how its chain
 * is vouched for.
 */
#ifndef JOBCAGE_POLICY_OUTLETS_H
#define JOBCAGE_POLICY_OUTLETS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Where logs are kept: made when it is not there, and closed to jobs as a whole, so that a file that
 * takes a rotated one's place is closed too. */
#define LOG_ROOT "/var/log/jobcage"

#define SINK_QUEUE_BYTES (8u << 20)
#define HEAD_INTERVAL_MS (5 * 60 * 1000)

enum sink_type {
	SINK_FILE = 1,
	SINK_STDOUT = 2,
	SINK_SYSLOG = 3, /* RFC 5424 */
	SINK_SOCKET = 4, /* one JSON object per line, or per packet */
};

enum sink_transport {
	TRANSPORT_NONE = 0,
	TRANSPORT_UNIX = 1, /* the system's log socket: datagrams, or a stream if it is one */
	TRANSPORT_UDP = 2,
	TRANSPORT_TCP = 3,
	TRANSPORT_STREAM = 4, /* a unix socket */
	TRANSPORT_SEQPACKET = 5,
};

struct sink_config {
	enum sink_type type;
	enum sink_transport transport;
	char *name; /* unique; made from what it leads to if the file gives none */
	char *path; /* SINK_FILE */
	struct sockaddr_storage addr; /* the others but SINK_STDOUT */
	socklen_t addr_len;
	uint64_t queue_bytes; /* what waits while the sink takes nothing */
	uint64_t max_bytes;   /* SINK_FILE: rotated before it grows beyond; 0: never */
	uint64_t max_age_ms;  /* SINK_FILE: rotated when its first line is so old; 0: never */
	uint64_t keep;        /* SINK_FILE: rotated files that are kept; 0: all */
};

struct site_audit {
	char *key;            /* a private Ed25519 key in PEM that signs heads; NULL: none */
	uint64_t interval_ms; /* between heads */
};

void sink_config_clear(struct sink_config *config);

#endif
