/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The values of OCSF 1.8.0 that jobcage uses, by name. The checker in tests/ocsf holds them against
 * the schema.
 */
#ifndef JOBCAGE_ALERT_OCSF_ENUM_H
#define JOBCAGE_ALERT_OCSF_ENUM_H

#define OCSF_VERSION "1.8.0"

enum ocsf_class {
	CLASS_FILE = 1001,
	CLASS_KERNEL = 1003,
	CLASS_MODULE = 1005,
	CLASS_JOB = 1006,
	CLASS_PROCESS = 1007,
	CLASS_FINDING = 2004,
	CLASS_NETWORK = 4001,
	CLASS_LOG = 6002,
};

/* activity_id, by class; 99 is the same in all. */
enum file_activity {
	FILE_CREATE = 1,
	FILE_READ = 2,
	FILE_UPDATE = 3,
	FILE_DELETE = 4,
	FILE_RENAME = 5,
	FILE_SET_ATTRIBUTES = 6,
	FILE_SET_SECURITY = 7,
	FILE_GET_ATTRIBUTES = 8,
	FILE_MOUNT = 12,
	FILE_UNMOUNT = 13,
};

enum kernel_activity {
	KERNEL_CREATE = 1,
	KERNEL_INVOKE = 4,
};

enum module_activity {
	MODULE_LOAD = 1,
};

enum process_activity {
	PROCESS_LAUNCH = 1,
};

enum network_activity {
	NETWORK_OPEN = 1,
	NETWORK_REFUSE = 5,
	NETWORK_TRAFFIC = 6,
};

enum job_activity {
	JOB_UPDATE = 2,
	JOB_START = 6,
};

enum finding_activity {
	FINDING_CREATE = 1,
};

#define ACTIVITY_OTHER 99

/* file.type_id */
enum file_type {
	TYPE_UNKNOWN = 0,
	TYPE_REGULAR = 1,
	TYPE_FOLDER = 2,
	TYPE_CHARACTER = 3,
	TYPE_BLOCK = 4,
	TYPE_SOCKET = 5,
	TYPE_FIFO = 6,
	TYPE_SYMLINK = 7,
	TYPE_EXECUTABLE = 8,
};

enum severity {
	SEVERITY_INFORMATIONAL = 1,
	SEVERITY_MEDIUM = 3,
	SEVERITY_HIGH = 4,
};

/* status_id of activities */
enum status {
	STATUS_SUCCESS = 1,
	STATUS_FAILURE = 2,
};

/* status_id of findings */
#define FINDING_STATUS_NEW 1

enum action {
	ACTION_ALLOWED = 1,
	ACTION_DENIED = 2,
	ACTION_OBSERVED = 3,
};

enum disposition {
	DISPOSITION_ALLOWED = 1,
	DISPOSITION_BLOCKED = 2,
	DISPOSITION_DETECTED = 15, /* a violation was seen, nothing was done about it */
};

#define DEVICE_SERVER 1
#define OS_LINUX 200
#define LAUNCH_EXEC 3
#define LOAD_MAPPED 4
#define DIRECTION_INBOUND 1
#define DIRECTION_OUTBOUND 2
#define KERNEL_TYPE_OTHER 99
#define RUN_STATE_UNKNOWN 0
#define RUN_STATE_RUNNING 3
#define RUN_STATE_STOPPED 4

#endif
