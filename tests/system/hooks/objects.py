# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""System V objects and a key of this process, which is in no job; and how many of those that jobs made are remembered."""
import ctypes
import json
import subprocess
import time

import world

IPC_PRIVATE, IPC_CREAT, IPC_RMID = 0, 0o1000, 0
SYS_ADD_KEY, SYS_KEYCTL = 248, 250
KEY_SPEC_PROCESS_KEYRING, KEYCTL_SETPERM = -2, 5
KEY_OF_USER = 0x3f3f0000
SHMMNI = '/proc/sys/kernel/shmmni'
MAP = 'maker_by_object'

_libc = ctypes.CDLL(None, use_errno=True)


class Objects:
    """Until close(); by the names that lines of acts have them by."""

    def __init__(self):
        self.segment = _libc.shmget(IPC_PRIVATE, ctypes.c_size_t(1), IPC_CREAT | 0o600)
        self.semaphores = _libc.semget(IPC_PRIVATE, 1, IPC_CREAT | 0o600)
        self.queue = _libc.msgget(IPC_PRIVATE, IPC_CREAT | 0o600)
        self.key = _libc.syscall(SYS_ADD_KEY, b'user', b'jobcage:hooks', b'x', ctypes.c_size_t(1), KEY_SPEC_PROCESS_KEYRING)
        _libc.syscall(SYS_KEYCTL, KEYCTL_SETPERM, self.key, KEY_OF_USER)

    def words(self):
        return {name: str(value) for name, value in vars(self).items()}

    def close(self):
        """What is left of them."""
        _libc.shmctl(self.segment, IPC_RMID, None)
        _libc.semctl(self.semaphores, 0, IPC_RMID)
        _libc.msgctl(self.queue, IPC_RMID, None)


class no_more_segments:
    """Nobody makes one."""

    def __enter__(self):
        with open(SHMMNI, encoding='ascii') as file:
            self.before = file.read()
        self.set('0')

    def __exit__(self, *_):
        self.set(self.before)

    @staticmethod
    def set(text):
        with open(SHMMNI, 'w', encoding='ascii') as file:
            file.write(text)


def remembered():
    dump = subprocess.run([world.BPFTOOL, '-j', 'map', 'dump', 'name', MAP], check=True, stdout=subprocess.PIPE).stdout
    return len(json.loads(dump))


def settled():
    """The same when it has not changed for a second: keys are freed a moment after they were thrown away."""
    before, since = remembered(), time.monotonic()
    while time.monotonic() < since + 1:
        now = remembered()
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.1)
    return before

