// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The hooks that enforcement stands on; see hooks.h. */
#include "kern/hooks.h"

#include "base/cleanup.h"

#define HOOK(program, lsm, guards) { program, lsm, "security_" lsm, guards, NULL }
#define OPTIONAL(program, lsm, guards, instead) { program, lsm, "security_" lsm, guards, instead }

const struct hook hooks[] = {
	HOOK("task_task_alloc", "task_alloc", "membership of child processes"),
	{ "enter_cgroup_move_task", NULL, "cgroup_move_task", "membership of tasks that enter a cgroup",
	  NULL },
	{ "task_copy_creds", NULL, "copy_creds", "membership of who fails to fork", NULL },
	{ "task_exit_creds", NULL, "exit_creds", "membership of who fails to fork", NULL },
	HOOK("file_file_open", "file_open", "opening files"),
	HOOK("file_path_mknod", "path_mknod", "creating files and nodes"),
	HOOK("file_path_mkdir", "path_mkdir", "creating directories"),
	HOOK("file_path_symlink", "path_symlink", "creating symbolic links"),
	HOOK("file_path_link", "path_link", "hard links"),
	HOOK("file_path_unlink", "path_unlink", "removing files"),
	HOOK("file_path_rmdir", "path_rmdir", "removing directories"),
	HOOK("file_path_rename", "path_rename", "renaming"),
	HOOK("file_path_truncate", "path_truncate", "truncation by name"),
	HOOK("file_path_chmod", "path_chmod", "changing modes"),
	HOOK("file_path_chown", "path_chown", "changing owners"),
	HOOK("file_path_chroot", "path_chroot", "chroot into closed datasets"),
	{ "exec_bprm_check", "bprm_check_security", "security_bprm_check", "running programs", NULL },
	HOOK("sock_socket_connect", "socket_connect", "connections of any family"),
	HOOK("sock_socket_create", "socket_create", "which kinds of sockets are made"),
	HOOK("unix_unix_stream_connect", "unix_stream_connect", "connections to Unix sockets"),
	HOOK("unix_unix_may_send", "unix_may_send", "datagrams to Unix sockets"),
	HOOK("receive_file_receive", "file_receive", "descriptors from other processes"),
	OPTIONAL("file_file_truncate", "file_truncate", "truncation by descriptor", "path_truncate"),
	HOOK("attr_setattr", "inode_setattr", "changing timestamps"),
	HOOK("attr_setxattr", "inode_setxattr", "setting extended attributes"),
	HOOK("attr_removexattr", "inode_removexattr", "removing extended attributes"),
	OPTIONAL("attr_set_acl", "inode_set_acl", "setting access control lists", "inode_setxattr"),
	OPTIONAL("attr_remove_acl", "inode_remove_acl", "removing access control lists",
		 "inode_removexattr"),
	OPTIONAL("attr_file_setattr", "inode_file_setattr", "inode flags by path", "file_ioctl"),
	HOOK("attr_file_ioctl", "file_ioctl", "altering files by ioctl"),
	OPTIONAL("attr_ioctl_compat", "file_ioctl_compat", "the same by 32-bit programs",
		 "file_ioctl"),
	HOOK("attr_quotactl", "quotactl", "setting quotas"),
	HOOK("mount_sb_mount", "sb_mount", "mounting"),
	HOOK("mount_kern_mount", "sb_kern_mount", "new file systems"),
	HOOK("mount_umount", "sb_umount", "unmounting"),
	HOOK("mount_remount", "sb_remount", "remounting"),
	HOOK("mount_move_mount", "move_mount", "moving mounts"),
	HOOK("mount_pivotroot", "sb_pivotroot", "changing the root mount"),
	HOOK("guard_capable", "capable", "capabilities"),
	{ "guard_userns_create", "userns_create", "security_create_user_ns", "user namespaces",
	  NULL },
	HOOK("guard_ptrace_access_check", "ptrace_access_check", "tracing and reading other processes"),
	HOOK("guard_task_kill", "task_kill", "signals to other processes"),
	HOOK("guard_file_fcntl", "file_fcntl", "signals that descriptors send to other processes"),
	HOOK("guard_task_setnice", "task_setnice", "priorities of other processes"),
	HOOK("guard_task_setioprio", "task_setioprio", "I/O priorities of other processes"),
	HOOK("guard_task_setscheduler", "task_setscheduler", "scheduling of other processes"),
	HOOK("guard_task_setrlimit", "task_setrlimit", "limits of other processes"),
	HOOK("guard_key_alloc", "key_alloc", "keys that a helper of the kernel's fetches"),
	HOOK("guard_bpf", "bpf", "bpf()"),
};

const size_t hook_cnt = ARRAY_SIZE(hooks);
