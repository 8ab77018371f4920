# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hooks by their programs' names in userspace/kern/hooks.c."""
import os
import re

_TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../userspace/kern/hooks.c")
_ROW = re.compile(r'(?:HOOK|OPTIONAL)\("(\w+)", "(\w+)"|{ "(\w+)", (?:"(\w+)"|NULL), "(\w+)"')


def hooks():
    """Program: the hook that it is attached to, as the self-test names it."""
    with open(_TABLE, encoding="utf-8") as stream:
        rows = _ROW.findall(stream.read())
    return {short or long: hook or lsm or function for short, hook, long, lsm, function in rows}


# What not every kernel of the matrix has: see hooks.c for what stands in its place.
OPTIONAL = {"file_file_truncate", "attr_set_acl", "attr_remove_acl", "attr_file_setattr", "attr_ioctl_compat"}

# They only take back what was noted of an object that is gone, which the next maker at its address does too: no start misses them.
# tests/system/hooks/prove.py counts what is noted.
FORGETTING = ("ipc_addid_failed", "ipc_rmid", "key_key_free")
# The newest kernels only let pass what they stop, and only who is granted CAP_PERFMON: the section "reconnaissance" of tests/escapes.
BESIDE_TRACING = ("guard_mm_access", "guard_mm_accessed")

# They kill who fails to fork, and only where the kernel takes labels away: no start can try them. tests/system/selftest/run shows what
# each is for.
FAILED_FORKS = {"task_copy_creds": "clone", "task_exit_creds": "processes"}
