// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The table of operations; see op.h. */
#include "alert/op.h"

#include <stddef.h>

#include "alert/decode.h"
#include "alert/ocsf_enum.h"
#include "base/cleanup.h"

/* clang-format off */
static const struct op_info ops[] = {
	[OP_OPEN_READ] = {
		.name = "open for reading", .code = "file_open_read", .kind = EVENT_FILE,
		.activity = FILE_READ, .access = ACCESS_READ,
		.before = "opening ", .after = " for reading",
	},
	[OP_OPEN_WRITE] = {
		.name = "open for writing", .code = "file_open_write", .kind = EVENT_FILE,
		.activity = FILE_UPDATE, .access = ACCESS_WRITE,
		.before = "opening ", .after = " for writing",
	},
	[OP_CREATE] = {
		.name = "create", .code = "file_create", .kind = EVENT_FILE,
		.activity = FILE_CREATE, .access = ACCESS_WRITE, .is_entry = true,
		.file_type = TYPE_REGULAR,
		.before = "creating ", .after = "",
	},
	[OP_MKNOD] = {
		.name = "create node", .code = "file_mknod", .kind = EVENT_FILE,
		.activity = FILE_CREATE, .access = ACCESS_WRITE, .is_entry = true,
		.before = "creating the device, FIFO or socket ", .after = "",
	},
	[OP_MKDIR] = {
		.name = "create directory", .code = "file_mkdir", .kind = EVENT_FILE,
		.activity = FILE_CREATE, .access = ACCESS_WRITE, .is_entry = true,
		.file_type = TYPE_FOLDER,
		.before = "creating the directory ", .after = "",
	},
	[OP_SYMLINK] = {
		.name = "create symbolic link", .code = "file_symlink", .kind = EVENT_FILE,
		.activity = FILE_CREATE, .access = ACCESS_WRITE, .is_entry = true,
		.file_type = TYPE_SYMLINK,
		.before = "creating the symbolic link ", .after = "",
	},
	[OP_LINK] = {
		.name = "link", .code = "file_link", .kind = EVENT_FILE,
		.activity = FILE_CREATE, .access = ACCESS_WRITE, .is_entry = true,
		.has_path2 = true,
		.before = "giving ", .between = " a second name ", .after = "",
	},
	[OP_UNLINK] = {
		.name = "remove", .code = "file_unlink", .kind = EVENT_FILE,
		.activity = FILE_DELETE, .access = ACCESS_WRITE, .is_entry = true,
		.before = "removing ", .after = "",
	},
	[OP_RMDIR] = {
		.name = "remove directory", .code = "file_rmdir", .kind = EVENT_FILE,
		.activity = FILE_DELETE, .access = ACCESS_WRITE, .is_entry = true,
		.file_type = TYPE_FOLDER,
		.before = "removing the directory ", .after = "",
	},
	[OP_RENAME] = {
		.name = "rename", .code = "file_rename", .kind = EVENT_FILE,
		.activity = FILE_RENAME, .access = ACCESS_WRITE, .is_entry = true,
		.has_path2 = true,
		.before = "renaming ", .between = " to ", .after = "",
	},
	[OP_TRUNCATE] = {
		.name = "truncate", .code = "file_truncate", .kind = EVENT_FILE,
		.activity = FILE_UPDATE, .access = ACCESS_WRITE, .file_type = TYPE_REGULAR,
		.before = "truncating ", .after = "",
	},
	[OP_CHMOD] = {
		.name = "change mode", .code = "file_chmod", .kind = EVENT_FILE,
		.activity = FILE_SET_SECURITY, .access = ACCESS_WRITE,
		.before = "changing the mode of ", .after = "",
	},
	[OP_CHOWN] = {
		.name = "change owner", .code = "file_chown", .kind = EVENT_FILE,
		.activity = FILE_SET_SECURITY, .access = ACCESS_WRITE,
		.before = "changing the owner of ", .after = "",
	},
	[OP_CHROOT] = {
		.name = "change root", .code = "file_chroot", .kind = EVENT_FILE,
		.activity = ACTIVITY_OTHER, .access = ACCESS_READ, .file_type = TYPE_FOLDER,
		.before = "changing its root directory to ", .after = "",
	},
	[OP_EXEC] = {
		.name = "execute", .code = "exec", .kind = EVENT_EXEC,
		.activity = PROCESS_LAUNCH, .file_type = TYPE_EXECUTABLE,
		.before = "running ", .after = "",
	},
	[OP_CONNECT] = {
		.name = "connect", .code = "net_connect", .kind = EVENT_NET,
		.before = "connecting to ", .after = "",
	},
	[OP_SENDMSG] = {
		.name = "send", .code = "net_sendmsg", .kind = EVENT_NET,
		.before = "sending to ", .after = "",
	},
	[OP_SOCKET] = {
		.name = "make socket", .code = "net_socket", .kind = EVENT_NET,
		.before = "making a socket of ", .after = "",
	},
	[OP_PACKET_OUT] = {
		.name = "send packet", .code = "net_packet_out", .kind = EVENT_NET,
		.before = "sending a packet to ", .after = "",
	},
	[OP_PACKET_IN] = {
		.name = "receive packet", .code = "net_packet_in", .kind = EVENT_NET,
		.before = "receiving from ", .after = "",
	},
	[OP_UNIX] = {
		.name = "connect to Unix socket", .code = "net_unix", .kind = EVENT_NET, .is_unix = true,
		.before = "connecting to ", .after = "",
	},
	[OP_RECEIVE_READ] = {
		.name = "receive for reading", .code = "file_receive_read", .kind = EVENT_FILE,
		.activity = FILE_READ, .access = ACCESS_READ,
		.before = "receiving ", .after = " open for reading",
	},
	[OP_RECEIVE_WRITE] = {
		.name = "receive for writing", .code = "file_receive_write", .kind = EVENT_FILE,
		.activity = FILE_UPDATE, .access = ACCESS_WRITE,
		.before = "receiving ", .after = " open for writing",
	},
	[OP_UTIMES] = {
		.name = "change timestamps", .code = "file_utimes", .kind = EVENT_FILE,
		.activity = FILE_SET_ATTRIBUTES, .access = ACCESS_WRITE,
		.before = "changing the timestamps of ", .after = "",
	},
	[OP_SETXATTR] = {
		.name = "set extended attribute", .code = "file_setxattr", .kind = EVENT_FILE,
		.activity = FILE_SET_ATTRIBUTES, .access = ACCESS_WRITE,
		.before = "setting an extended attribute of ", .after = "",
	},
	[OP_REMOVEXATTR] = {
		.name = "remove extended attribute", .code = "file_removexattr", .kind = EVENT_FILE,
		.activity = FILE_SET_ATTRIBUTES, .access = ACCESS_WRITE,
		.before = "removing an extended attribute of ", .after = "",
	},
	[OP_ACL] = {
		.name = "change access control list", .code = "file_acl", .kind = EVENT_FILE,
		.activity = FILE_SET_SECURITY, .access = ACCESS_WRITE,
		.before = "changing the access control list of ", .after = "",
	},
	[OP_IOCTL] = {
		.name = "ioctl", .code = "file_ioctl", .kind = EVENT_FILE,
		.activity = FILE_UPDATE, .access = ACCESS_WRITE,
		.before = "altering ", .after = " by ioctl",
	},
	[OP_FILEATTR] = {
		.name = "change inode flags", .code = "file_setattr", .kind = EVENT_FILE,
		.activity = FILE_SET_ATTRIBUTES, .access = ACCESS_WRITE,
		.before = "changing the inode flags of ", .after = "",
	},
	[OP_MOUNT] = {
		.name = "mount", .code = "file_mount", .kind = EVENT_FILE,
		.activity = FILE_MOUNT, .access = ACCESS_WRITE,
		.before = "mounting at ", .after = "",
	},
	[OP_UMOUNT] = {
		.name = "unmount", .code = "file_umount", .kind = EVENT_FILE,
		.activity = FILE_UNMOUNT, .access = ACCESS_WRITE,
		.before = "unmounting ", .after = "",
	},
	[OP_REMOUNT] = {
		.name = "remount", .code = "file_remount", .kind = EVENT_FILE,
		.activity = FILE_MOUNT, .access = ACCESS_WRITE,
		.before = "remounting ", .after = "",
	},
	[OP_MOVE_MOUNT] = {
		.name = "move mount", .code = "file_move_mount", .kind = EVENT_FILE,
		.activity = FILE_MOUNT, .access = ACCESS_WRITE, .has_path2 = true,
		.before = "moving the mount ", .between = " to ", .after = "",
	},
	[OP_PIVOT_ROOT] = {
		.name = "change root mount", .code = "file_pivot_root", .kind = EVENT_FILE,
		.activity = FILE_MOUNT, .access = ACCESS_WRITE, .file_type = TYPE_FOLDER,
		.before = "making ", .after = " its root mount",
	},
	[OP_RECEIVE_SOCKET] = {
		.name = "receive a socket", .code = "net_receive", .kind = EVENT_NET, .is_unix = true,
		.before = "receiving ", .after = "",
	},
	[OP_CAPABILITY] = {
		.name = "use capability", .code = "guard_capability", .kind = EVENT_GUARD,
		.activity = KERNEL_INVOKE, .before = "using ", .after = "",
	},
	[OP_USER_NAMESPACE] = {
		.name = "make user namespace", .code = "guard_user_namespace", .kind = EVENT_GUARD,
		.activity = KERNEL_CREATE, .before = "making a user namespace", .after = "",
	},
	[OP_TRACE] = {
		.name = "trace process", .code = "guard_trace", .kind = EVENT_GUARD,
		.activity = KERNEL_INVOKE, .before = "tracing or reading ", .after = "",
	},
	[OP_SIGNAL] = {
		.name = "signal process", .code = "guard_signal", .kind = EVENT_GUARD,
		.activity = KERNEL_INVOKE, .before = "sending a signal to ", .after = "",
	},
	[OP_CONTROL] = {
		.name = "control process", .code = "guard_control", .kind = EVENT_GUARD,
		.activity = KERNEL_INVOKE, .before = "changing the priority or limits of ", .after = "",
	},
	[OP_BPF] = {
		.name = "use bpf", .code = "guard_bpf", .kind = EVENT_GUARD,
		.activity = KERNEL_INVOKE, .before = "calling bpf()", .after = "",
	},
	[OP_KEY_REQUEST] = {
		.name = "request key", .code = "guard_key_request", .kind = EVENT_GUARD,
		.activity = KERNEL_INVOKE, .before = "having the kernel fetch a key", .after = "",
	},
	[OP_GETXATTR] = {
		.name = "read extended attribute", .code = "file_getxattr", .kind = EVENT_FILE,
		.activity = FILE_GET_ATTRIBUTES, .access = ACCESS_READ,
		.before = "reading an extended attribute of ", .after = "",
	},
	[OP_READLINK] = {
		.name = "read symbolic link", .code = "file_readlink", .kind = EVENT_FILE,
		.activity = FILE_READ, .access = ACCESS_READ, .file_type = TYPE_SYMLINK,
		.before = "reading the target of ", .after = "",
	},
	[OP_WATCH] = {
		.name = "watch", .code = "file_watch", .kind = EVENT_FILE,
		.activity = FILE_READ, .access = ACCESS_READ,
		.before = "watching ", .after = "",
	},
	[OP_MAP_EXEC] = {
		.name = "map as code", .code = "exec_map", .kind = EVENT_EXEC,
		.activity = MODULE_LOAD, .file_type = TYPE_REGULAR,
		.before = "mapping ", .after = " as code",
	},
	[OP_QUOTA] = {
		.name = "change quotas", .code = "file_quota", .kind = EVENT_FILE,
		.activity = FILE_SET_ATTRIBUTES, .access = ACCESS_WRITE, .file_type = TYPE_FOLDER,
		.before = "changing quotas of the file system at ", .after = "",
	},
	[OP_QUOTA_SYNC] = {
		.name = "sync quotas", .code = "guard_quota_sync", .kind = EVENT_GUARD,
		.activity = KERNEL_INVOKE, .before = "having the quotas of all file systems written", .after = "",
	},
	[OP_IPC] = {
		.name = "use System V object", .code = "guard_ipc", .kind = EVENT_GUARD,
		.activity = KERNEL_INVOKE, .before = "using, changing or removing ", .after = "",
	},
	[OP_KEY_USE] = {
		.name = "use key", .code = "guard_key", .kind = EVENT_GUARD,
		.activity = KERNEL_INVOKE, .before = "reading, changing or linking ", .after = "",
	},
	[OP_RESOLVE] = {
		.name = "resolve name", .code = "net_resolve", .kind = EVENT_NET, .is_name = true,
		.before = "asking ", .after = "",
	},
};
/* clang-format on */

const struct op_info *op_info(unsigned int op)
{
	return op < ARRAY_SIZE(ops) && ops[op].name ? &ops[op] : NULL;
}

const char *event_op_name(enum event_op op)
{
	const struct op_info *info = op_info(op);

	return info ? info->name : "unknown operation";
}
