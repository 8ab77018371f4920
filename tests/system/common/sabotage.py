# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ways to make one part of enforcement not bite, without a trace in what the controller looks at."""
import collections
import contextlib
import ctypes
import glob
import mmap
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import time

from cage import PROJECT
from harness import wait_for
from hook_names import BESIDE_TRACING, FAILED_FORKS, FORGETTING
import traces

KEEP = "/sys/fs/bpf/selftest"  # our own pins
ALLOW, FOREIGN = (f"{PROJECT}/build/tests/{name}.bpf.o" for name in ("allow", "foreign"))

# bpf/abi/tables.h: where they begin, entries, the size of one
Table = collections.namedtuple("Table", "start cnt size")
TABLES = {"job": Table(0, 16384, 32), "policy": Table(16384 * 32, 4096, 128)}

# bpf/abi/policy.h
MODE_AUDIT = 2
SLOTS = 64  # that are looked at
ROOT_KEY = struct.Struct("<IIQ")  # dev, type, ino
GO_AHEAD_S = 0.5  # for a program that has been detached to be called no more


# bpf(2)
MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, MAP_DELETE_ELEM, MAP_GET_FD_BY_ID = 1, 2, 3, 14
OBJ_PIN, OBJ_GET, PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, RAW_TRACEPOINT_OPEN = 6, 7, 13, 15, 17
ATTR_SIZE = 128
LINK_INFO = struct.Struct("<4xII")  # bpf_link_info: id, prog_id

_libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, layout, *values):
    attr = ctypes.create_string_buffer(struct.pack(layout, *values), ATTR_SIZE)
    result = _libc.syscall(traces.SYS_BPF, command, attr, ATTR_SIZE)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command})")
    return result


def obj_get(path):
    name = ctypes.create_string_buffer(path.encode())
    return bpf(OBJ_GET, "<Q", ctypes.addressof(name))


def obj_pin(fd, path):
    name = ctypes.create_string_buffer(path.encode())
    bpf(OBJ_PIN, "<QI", ctypes.addressof(name), fd)


def copy_pin(path, new_path):
    fd = obj_get(path)
    obj_pin(fd, new_path)
    os.close(fd)


def info_of(fd):
    info = ctypes.create_string_buffer(ATTR_SIZE)
    bpf(OBJ_GET_INFO_BY_FD, "<IIQ", fd, ATTR_SIZE, ctypes.addressof(info))
    return info.raw


def link_and_program(path):
    """Id of a pinned link, descriptor of its program."""
    fd = obj_get(path)
    link, program = LINK_INFO.unpack_from(info_of(fd))
    os.close(fd)
    return link, bpf(PROG_GET_FD_BY_ID, "<I", program)


def pin(name):
    return glob.glob(f"{traces.PIN_ROOT}/*/{name}")[0]


def hooks():
    """The programs that are attached to hooks, by their links' pins; not those that no start can try."""
    names = {os.path.basename(path).removeprefix("link_") for path in glob.glob(f"{traces.PIN_ROOT}/*/link_*")}
    return sorted(names - set(FAILED_FORKS) - set(FORGETTING) - set(BESIDE_TRACING))


@contextlib.contextmanager
def detached(program, world):
    """Its link is gone, another one stands under its name; in the end it is attached anew, by a link that is the world's from then on."""
    path = pin(f"link_{program}")
    other = next(other for other in glob.glob(f"{os.path.dirname(path)}/link_*") if other != path)
    link, prog_fd = link_and_program(path)
    os.unlink(path)
    copy_pin(other, path)
    if not wait_for(lambda: link not in traces.bpf_ids("links"), 30):
        raise RuntimeError(f"the link of {program} is still there")
    time.sleep(GO_AHEAD_S)
    yield
    os.unlink(path)
    link_fd = bpf(RAW_TRACEPOINT_OPEN, "<QI", 0, prog_fd)
    obj_pin(link_fd, path)
    world.baseline["bpf links"].remove(link)
    world.baseline["bpf links"].append(LINK_INFO.unpack_from(info_of(link_fd))[0])
    os.close(link_fd)
    os.close(prog_fd)


@contextlib.contextmanager
def toothless(program):
    """A program of the same name and type, which lets everything through, in place of a cgroup's."""
    path = pin(program)
    os.mkdir(KEEP)
    try:
        subprocess.run([traces.BPFTOOL, "prog", "loadall", ALLOW, f"{KEEP}/allow"], check=True)
        copy_pin(path, f"{KEEP}/real")
        os.unlink(path)
        copy_pin(f"{KEEP}/allow/{program}", path)
        yield
        os.unlink(path)
        copy_pin(f"{KEEP}/real", path)
    finally:
        shutil.rmtree(KEEP, ignore_errors=True)


@contextlib.contextmanager
def foreign(program):
    """A program of somebody else's, which refuses before ours is asked: of several, the one that was attached last comes first."""
    os.mkdir(KEEP)
    try:
        subprocess.run([traces.BPFTOOL, "prog", "loadall", FOREIGN, f"{KEEP}/foreign"], check=True)
        prog_fd = obj_get(f"{KEEP}/foreign/{program}")
        link_fd = bpf(RAW_TRACEPOINT_OPEN, "<QI", 0, prog_fd)
        yield
        os.close(link_fd)
        os.close(prog_fd)
    finally:
        shutil.rmtree(KEEP, ignore_errors=True)


# --- the maps of a job that is about to be tested -------------------------------------------------------------

def map_call(command, fd, key, value=None, flags=0):
    """Looks up, updates or deletes; value is a buffer. Returns whether the key was there."""
    key = ctypes.create_string_buffer(key, len(key))
    try:
        bpf(command, "<IxxxxQQQ", fd, ctypes.addressof(key), ctypes.addressof(value) if value else 0, flags)
    except FileNotFoundError:
        return False
    return True


def last_policy():
    """Slot and id of the map of roots of the policy published last: slots are given out in order."""
    fd, found, value = obj_get(pin("roots_by_policy")), None, ctypes.create_string_buffer(4)
    for slot in range(SLOTS):
        if map_call(MAP_LOOKUP_ELEM, fd, struct.pack("<I", slot), value):
            found = slot, struct.unpack("<I", value.raw)[0]
    os.close(fd)
    return found


def remove_root(path):
    """The rule for that directory is not in the kernel."""
    info = os.stat(path)
    key = ROOT_KEY.pack(os.major(info.st_dev) << 20 | os.minor(info.st_dev), stat.S_IFMT(info.st_mode) >> 12, info.st_ino)
    fd = bpf(MAP_GET_FD_BY_ID, "<I", last_policy()[1])
    if not map_call(MAP_DELETE_ELEM, fd, key):
        raise RuntimeError(f"no rule for {path} in the kernel")
    os.close(fd)


@contextlib.contextmanager
def table(kind):
    """One of the tables that hooks and controllers share, as bytes: of jobs, or of policies."""
    start, cnt, size = TABLES[kind]
    fd = obj_get(pin("tables"))
    with mmap.mmap(fd, start + cnt * size) as tables:
        os.close(fd)
        with memoryview(tables) as whole, whole[start:] as values:
            yield values


def set_audit(_):
    """The kernel holds the policy for one of audit mode."""
    slot = last_policy()[0]
    with table("policy") as values:
        struct.pack_into("<I", values, slot * TABLES["policy"].size, MODE_AUDIT)


def start_with(world, policy, sabotage, argument):
    """Starts a job that is stopped before its canary is made, in a system call of the controller alone, and does the damage meanwhile."""
    job_id = world.new_id()
    log = f"{world.log}/{job_id}.strace"
    wrap = ["strace", "-f", "-q", "-o", log, "-e", "trace=mkdirat", "-e", "inject=mkdirat:signal=SIGSTOP"]
    job = world.start("touch", f"{world.out}/started", job_id=job_id, policy=policy, wrap=wrap)
    pid = wait_for(lambda: stopped_by(log))
    sabotage(argument)
    os.kill(pid, signal.SIGCONT)
    return job.finish()


def stopped_by(log):
    """The process that strace tells of being stopped, or None."""
    if not os.path.exists(log):
        return None
    with open(log, encoding="utf-8") as stream:
        stopped = re.search(r"^(\d+) .*stopped by SIGSTOP", stream.read(), re.MULTILINE)
    return int(stopped[1]) if stopped else None
