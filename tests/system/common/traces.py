# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""All that jobcage leaves in a machine while it works: what must be the same again when a job has ended."""
import ctypes
import glob
import os

CGROUP_ROOT = "/sys/fs/cgroup"
PIN_ROOT = "/sys/fs/bpf/jobcage"
STATE_JOBS = "/run/jobcage/jobs"
CANARY_FOLDERS = "/run/jobcage/canary-*"
MONITOR_COMM = "jobcage-monitor"
BPFTOOL = next((path for path in ("/usr/sbin/bpftool", "/usr/local/sbin/bpftool") if os.path.exists(path)), "bpftool")

# bpf(2)
SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
NEXT_ID = {"programs": 11, "maps": 12, "links": 31}
MAP_GET_FD_BY_ID = 14

# What stays for the next job of a slot: its ring, and the pages for evidence of its group; as fdinfo tells of them.
KEPT = [{"map_type:\t27"}, {"map_type:\t2", "value_size:\t4096", "max_entries:\t16"}]

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


def is_kept(map_id):
    attr = _IdAttr(start_id=map_id)
    fd = _libc.syscall(SYS_BPF, MAP_GET_FD_BY_ID, ctypes.byref(attr), ctypes.sizeof(attr))
    if fd < 0:
        return False
    with open(f"/proc/self/fdinfo/{fd}", encoding="utf-8") as stream:
        info = set(stream.read().splitlines())
    os.close(fd)
    return any(kept <= info for kept in KEPT)


def bpf_maps():
    """All but those that wait for the next job of their slot, as long as another job keeps the programs."""
    ids = bpf_ids("maps")
    return [map_id for map_id in ids if not is_kept(map_id)] if os.path.isdir(PIN_ROOT) else ids


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
        "canary's folder": sorted(glob.glob(CANARY_FOLDERS)),
        "monitor": monitors(),
        "mount": mounts(),
        "bpf programs": bpf_ids("programs"),
        "bpf maps": bpf_maps(),
        "bpf links": bpf_ids("links"),
    }


def difference(before, after):
    """In words; empty if there is none."""
    words = []
    for kind in before:
        more = [str(item) for item in after[kind] if item not in before[kind]]
        less = [str(item) for item in before[kind] if item not in after[kind]]
        words += [f"{kind} left: {', '.join(more)}"] * bool(more) + [f"{kind} gone: {', '.join(less)}"] * bool(less)
    return "; ".join(words)
