# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A file system whose server can be made to answer nothing: what a server of files that is away, or a hostile one, is to whoever asks."""
import ctypes
import mmap
import os
import signal
import stat
import struct
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2
LOOKUP, GETATTR, OPEN, STATFS, RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR, FORGET, INTERRUPT = 1, 3, 14, 17, 18, 25, 26, 27, 29, 2, 36
IN = struct.Struct("<IIQQIIII")
ROOT, FILE = 1, 2
ENDLESS = 255


def _attributes(node):
    mode = stat.S_IFDIR | 0o777 if node == ROOT else stat.S_IFREG | 0o666
    return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def _reply(opcode, node):
    if opcode == INIT:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 16, 12, 65536, 1, 0, 0, 0)
    if opcode == LOOKUP:  # nothing is cached: every walk asks
        return struct.pack("<QQQQII", FILE, 1, 0, 0, 0, 0) + _attributes(FILE)
    if opcode == GETATTR:
        return struct.pack("<QII", 0, 0, 0) + _attributes(node)
    if opcode in (OPEN, OPENDIR):
        return struct.pack("<QII", 1, 0, 0)
    if opcode == STATFS:
        return bytes(80)
    return b"" if opcode in (RELEASE, RELEASEDIR, FLUSH) else None


def _spend(left):
    """Stops before a walk that is one too many."""
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    elif left[0] != ENDLESS:
        left[0] -= 1


def _serve(fd, left):
    while True:
        data = os.read(fd, 1 << 17)
        _, opcode, unique, node, *_ = IN.unpack_from(data)
        if opcode in (FORGET, INTERRUPT):
            continue
        if opcode == LOOKUP:
            _spend(left)
        body = _reply(opcode, node)
        error = -38 if body is None else 0
        os.write(fd, struct.pack("<IiQ", 16 + len(body or b""), error, unique) + (body or b""))


class DeadFs:
    """Every name in it is an empty file."""

    def __init__(self, path):
        subprocess.run(["modprobe", "fuse"], check=True)
        os.mkdir(path)
        self.path, self.file = path, f"{path}/file"
        fd = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"dead", path.encode(), b"fuse.dead", 0, options.encode()):
            raise OSError(ctypes.get_errno(), "mount")
        self._left = mmap.mmap(-1, 1)
        self._left[0] = ENDLESS
        self.pid = os.fork()
        if not self.pid:
            try:
                _serve(fd, self._left)
            finally:
                os._exit(0)
        os.close(fd)

    def die(self):
        os.kill(self.pid, signal.SIGSTOP)

    def die_after(self, walks):
        """Answers so many walks to the file, and the next one no more."""
        self._left[0] = walks

    def revive(self):
        self._left[0] = ENDLESS
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Whoever still waits gets an error."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        _libc.umount2(self.path.encode(), MNT_DETACH)
        os.rmdir(self.path)
