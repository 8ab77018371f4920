# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""All that jobcage leaves in a machine while it works: what must be the same again when a job has ended."""
import ctypes
import glob
import os

CGROUP_ROOT = "/sys/fs/cgroup"
PIN_ROOT = "/sys/fs/bpf/jobcage"
STATE_JOBS = "/run/jobcage/jobs"
MONITOR_COMM = "jobcage-monitor"

# bpf(2)
SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
NEXT_ID = {"programs": 11, "maps": 12, "links": 31}
GET_MAP_FD, GET_INFO = 14, 15

# A ring stays in its slot for the next job, up to so many (userspace/kern/jobs.h).
RINGS_KEPT = 128

_libc = ctypes.CDLL(None, use_errno=True)


class _IdAttr(ctypes.Structure):
    _fields_ = [("start_id", ctypes.c_uint32), ("next_id", ctypes.c_uint32), ("flags", ctypes.c_uint32)]


def bpf_ids(kind):
    """Every program, map or link in the kernel, whoever holds it."""
    attr, ids = _IdAttr(), []
    while _libc.syscall(SYS_BPF, NEXT_ID[kind], ctypes.byref(attr), ctypes.sizeof(attr)) == 0:
        ids.append(attr.next_id)
        attr.start_id = attr.next_id
    return ids


class _InfoAttr(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_uint32), ("len", ctypes.c_uint32), ("info", ctypes.c_uint64)]


def _map_name(map_id):
    """'' for a map that is gone meanwhile."""
    attr = _IdAttr(map_id)
    fd = _libc.syscall(SYS_BPF, GET_MAP_FD, ctypes.byref(attr), ctypes.sizeof(attr))
    if fd < 0:
        return ""
    info = (ctypes.c_char * 80)()
    asked = _InfoAttr(fd, len(info), ctypes.addressof(info))
    _libc.syscall(SYS_BPF, GET_INFO, ctypes.byref(asked), ctypes.sizeof(asked))
    os.close(fd)
    return info.raw[24:40].split(b"\0")[0].decode()  # struct bpf_map_info: six numbers, then the name


def lasting_maps():
    """Every map but the rings, as long as no more of those are kept than there may be."""
    names = {map_id: _map_name(map_id) for map_id in bpf_ids("maps")}
    rings = [map_id for map_id, name in names.items() if name == "ring"]
    return [map_id for map_id in names if map_id not in rings] + rings[RINGS_KEPT:]


def monitors():
    """Process ids of the monitors."""
    pids = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path, encoding="utf-8") as stream:
                comm = stream.read().strip()
        except OSError:
            continue
        if comm == MONITOR_COMM:
            pids.append(int(path.split("/")[2]))
    return sorted(pids)


def holder(job_id):
    """The monitor that holds the lock on the job's state file, or None."""
    for pid in monitors():
        for fd in glob.glob(f"/proc/{pid}/fd/*"):
            try:
                if os.path.samefile(fd, f"{STATE_JOBS}/{job_id}.json"):
                    return pid
            except OSError:
                continue
    return None


def cgroups():
    return sorted(os.path.join(top, name) for top, names, _ in os.walk(CGROUP_ROOT) for name in names
                  if name.startswith("jobcage-"))


def pins():
    return sorted(os.path.join(top, name) for top, folders, files in os.walk(PIN_ROOT)
                  for name in folders + files) + [PIN_ROOT] * os.path.isdir(PIN_ROOT)


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        return stream.read().splitlines()


def snapshot():
    return {
        "cgroup": cgroups(),
        "pin": pins(),
        "state file": sorted(glob.glob(f"{STATE_JOBS}/*")),
        "monitor": monitors(),
        "mount": mounts(),
        "bpf programs": bpf_ids("programs"),
        "bpf links": bpf_ids("links"),
        "bpf maps": lasting_maps(),
    }


def difference(before, after):
    """In words; empty if there is none."""
    words = []
    for kind in before:
        more = [str(item) for item in after[kind] if item not in before[kind]]
        less = [str(item) for item in before[kind] if item not in after[kind]]
        words += [f"{kind} left: {', '.join(more)}"] * bool(more) + [f"{kind} gone: {', '.join(less)}"] * bool(less)
    return "; ".join(words)
