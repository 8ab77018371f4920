# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hooks that are not like the others, by their programs' names in userspace/kern/hooks.c."""

# What not every kernel of the matrix has: see hooks.c for what stands in its place.
OPTIONAL = {"file_file_truncate", "attr_set_acl", "attr_remove_acl", "attr_file_setattr", "attr_ioctl_compat"}

# They kill who fails to fork, and only where the kernel takes labels away: no start can try them, the life cycle's tests do.
FAILED_FORKS = {"task_copy_creds", "task_exit_creds"}
