# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One act, again and again, by a process that changes its name, its group, its user and its program.

masks.py FILE TIMES OTHER_PYTHON: opens FILE for writing TIMES times as each.
"""
import ctypes
import os
import sys

PR_SET_NAME = 15


def attempt(path, times):
    for _ in range(times):
        try:
            os.close(os.open(path, os.O_WRONLY))
        except PermissionError:
            pass


def rename():
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"mask", 0, 0, 0)


def main(path, times, other=None):
    changes = [lambda: None, rename, lambda: os.setgid(4001), lambda: os.setuid(4001)] if other else [rename]
    for change in changes:
        change()
        attempt(path, int(times))
    if other:
        os.execv(other, [other, "-B", __file__, path, times])


main(*sys.argv[1:])
