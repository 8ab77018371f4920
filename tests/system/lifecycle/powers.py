#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every capability of the kernel's list, by an operation that needs it; as root.

usage: powers.py FOLDER

FOLDER is on ext4 and holds `theirs`, a file of another user that nobody but he may open. Prints for each capability 'CAP_NAME ANSWER': OK, an
error's name, or a word for what the kernel did instead. An operation leaves nothing changed, or does it in a child that ends.
"""
import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
import time

OTHER = 1  # a user that is not root
ME = 0

# include/uapi and x86-64
SYS = {"acct": 163, "bpf": 321, "delete_module": 176, "ioperm": 173, "mlock": 149, "name_to_handle_at": 303,
       "open_by_handle_at": 304, "perf_event_open": 298, "prctl": 157, "process_vm_readv": 310, "reboot": 169, "sethostname": 170,
       "settimeofday": 164, "shmat": 30, "shmctl": 31, "shmget": 29, "syslog": 103, "timerfd_create": 283, "vhangup": 153}
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IMMUTABLE_FL = 0x80086601, 0x40086602, 0x10
SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, NETLINK_AUDIT = 270, 8, 9
AUDIT_GET, AUDIT_USER, AUDIT_NLGRP_READLOG = 1000, 1005, 1
SO_SNDBUFFORCE, IP_TRANSPARENT = 32, 19
PR_CAPBSET_DROP, CAP_SYS_BOOT = 24, 22
CLOCK_REALTIME_ALARM, EPOLLWAKEUP = 8, 1 << 29
SYSLOG_SIZE_UNREAD, IPC_RMID, O_PATH = 9, 0, 0o10000000

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(name, *args):
    """A system call; raises OSError."""
    result = libc.syscall(SYS[name], *(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args))
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def answer(act):
    try:
        return act() or "OK"
    except OSError as error:
        return errno.errorcode[error.errno]
    except ValueError:  # what setrlimit() makes of EPERM
        return "EPERM"


def in_child(act):
    """What it answers, from a process that ends with it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(writer, answer(act).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        said = stream.read()
    os.waitpid(pid, 0)
    return said


class Neighbour:
    """A process of the same job that is another user. It stays until the end of the with."""

    def __init__(self, before=lambda: 0):
        self.before = before

    def __enter__(self):
        reader, writer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.setresgid(OTHER, OTHER, OTHER)
            os.setresuid(OTHER, OTHER, OTHER)
            os.write(writer, str(self.before()).encode())
            signal.pause()
        os.close(writer)
        self.said = int(os.read(reader, 32))
        os.close(reader)
        return self

    def __exit__(self, *_):
        # As its own user, whom it must not need a capability to end.
        killer = os.fork()
        if not killer:
            os.setresuid(OTHER, OTHER, OTHER)
            os.kill(self.pid, signal.SIGKILL)
            os._exit(0)
        os.waitpid(killer, 0)
        os.waitpid(self.pid, 0)


def fresh(name, uid=ME, mode=0o600):
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)
    os.fchmod(fd, mode)
    os.fchown(fd, uid, uid)
    os.close(fd)
    return name


# --- files ----------------------------------------------------------------------------------------------------

def chown():
    os.chown(fresh("file"), OTHER, OTHER)


def dac_override():
    os.close(os.open("theirs", os.O_WRONLY))


def dac_read_search():
    """By handle, for which the capability that override is does not do."""
    handle, mount = ctypes.create_string_buffer(struct.pack("<Ii", 128, 0), 136), ctypes.c_int()
    folder = os.open(".", os.O_RDONLY)
    call("name_to_handle_at", folder, b"file", handle, ctypes.byref(mount), 0)
    os.close(call("open_by_handle_at", folder, handle, os.O_RDONLY))


def fowner():
    os.chmod(fresh("file", OTHER), 0o644)


def fsetid():
    """The kernel drops the bit without a word."""
    fd = os.open(fresh("file"), os.O_RDWR)
    os.fchown(fd, ME, OTHER)
    os.fchmod(fd, 0o2640)
    return None if os.fstat(fd).st_mode & 0o2000 else "DROPPED"


def linux_immutable():
    fd = os.open(fresh("file"), os.O_RDONLY)
    flags = struct.unpack("<i", fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(4)))[0]
    fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("<i", flags | FS_IMMUTABLE_FL))
    fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("<i", flags))


def mknod():
    os.mknod("node", 0o20600, os.makedev(1, 3))
    os.unlink("node")


def lease():
    fd = os.open(fresh("file", OTHER, 0o644), os.O_RDONLY)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)


def setfcap():
    os.setxattr(fresh("file"), "security.capability", struct.pack("<5I", 0x02000000, 1 << 13, 0, 0, 0))


def sys_chroot():
    os.chroot(".")


def checkpoint_restore():
    with open("/proc/self/maps", encoding="ascii") as maps:
        name = next(line.split()[0] for line in maps if "/libc" in line)
    start, end = (int(part, 16) for part in name.split("-"))
    os.close(os.open(f"/proc/self/map_files/{start:x}-{end:x}", O_PATH))


# --- processes ------------------------------------------------------------------------------------------------

def kill():
    with Neighbour() as neighbour:
        os.kill(neighbour.pid, signal.SIGURG)


def sys_ptrace():
    byte = ctypes.create_string_buffer(1)
    vector = struct.pack("<QQ", ctypes.addressof(byte), 1)
    with Neighbour() as neighbour:
        call("process_vm_readv", neighbour.pid, vector, 1, vector, 1, 0)


def setgid():
    os.setgroups([OTHER])


def setuid():
    os.setresuid(OTHER, OTHER, OTHER)


def setpcap():
    call("prctl", PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0)


def sys_nice():
    os.setpriority(os.PRIO_PROCESS, 0, -5)


def sys_resource():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 1024))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 2048))


def ipc_lock():
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
    page = ctypes.create_string_buffer(4096)
    call("mlock", page, 1)


def ipc_owner():
    with Neighbour(lambda: call("shmget", 0, 4096, 0o1600)) as neighbour:
        try:
            call("shmat", neighbour.said, None, 0o10000)
        finally:
            killer = os.fork()
            if not killer:
                os.setresuid(OTHER, OTHER, OTHER)
                call("shmctl", neighbour.said, IPC_RMID, None)
                os._exit(0)
            os.waitpid(killer, 0)


def sys_tty_config():
    os.setsid()
    call("vhangup")


def block_suspend():
    """The kernel drops the flag without a word."""
    poll, pipe = libc.epoll_create1(0), os.pipe()[0]
    event = struct.pack("<IQ", EPOLLWAKEUP | 1, 0)
    if libc.epoll_ctl(poll, 1, pipe, event):
        raise OSError(ctypes.get_errno(), "epoll_ctl")
    with open(f"/proc/self/fdinfo/{poll}", encoding="ascii") as info:
        events = next(line.split()[3] for line in info if line.startswith("tfd:"))
    return None if int(events, 16) & EPOLLWAKEUP else "DROPPED"


# --- the network ----------------------------------------------------------------------------------------------

def net_bind_service():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.0.0.1", 99))


def net_broadcast():
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    netlink.setsockopt(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1)


def net_admin():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 4096)


def net_raw():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)


def audit(kind, payload=b""):
    """The kernel's answer is an error of its own, or what was asked for."""
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT)
    netlink.settimeout(2)
    netlink.sendto(struct.pack("<IHHII", 16 + len(payload), kind, 5, 1, 0) + payload, (0, 0))
    said = netlink.recv(4096)
    if struct.unpack_from("<H", said, 4)[0] == 2 and (error := -struct.unpack_from("<i", said, 16)[0]):
        raise OSError(error, "audit")


def audit_write():
    audit(AUDIT_USER, b"jobcage")


def audit_control():
    audit(AUDIT_GET)


def audit_read():
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT)
    netlink.bind((0, AUDIT_NLGRP_READLOG))


# --- the machine ----------------------------------------------------------------------------------------------

def sys_module():
    call("delete_module", b"no_such_module", os.O_NONBLOCK)


def sys_rawio():
    call("ioperm", 0x80, 1, 1)


def sys_pacct():
    call("acct", None)


def sys_admin():
    name = socket.gethostname().encode()
    call("sethostname", name, len(name))


def sys_boot():
    """Without the magic numbers."""
    call("reboot", 0, 0, 0, None)


def sys_time():
    now = time.time_ns()
    call("settimeofday", struct.pack("<qq", now // 10**9, now % 10**9 // 1000), None)


def syslog():
    call("syslog", SYSLOG_SIZE_UNREAD, None, 0)


def wake_alarm():
    os.close(call("timerfd_create", CLOCK_REALTIME_ALARM, 0))


def perfmon():
    """A software clock of a whole processor."""
    attr = ctypes.create_string_buffer(struct.pack("<II", 1, 112), 112)
    os.close(call("perf_event_open", attr, -1, 0, -1, 0))


def bpf():
    """Of an object that is not there."""
    path = ctypes.create_string_buffer(b"/no/such/object")
    attr = ctypes.create_string_buffer(struct.pack("<Q", ctypes.addressof(path)), 128)
    call("bpf", 7, attr, 128)


# In the kernel's order. None: only Smack, and AppArmor or SELinux, ask for it, and these kernels run without them.
POWERS = [
    ("CHOWN", chown), ("DAC_OVERRIDE", dac_override), ("DAC_READ_SEARCH", dac_read_search), ("FOWNER", fowner), ("FSETID", fsetid),
    ("KILL", kill), ("SETGID", setgid), ("SETUID", setuid), ("SETPCAP", setpcap), ("LINUX_IMMUTABLE", linux_immutable),
    ("NET_BIND_SERVICE", net_bind_service), ("NET_BROADCAST", net_broadcast), ("NET_ADMIN", net_admin), ("NET_RAW", net_raw),
    ("IPC_LOCK", ipc_lock), ("IPC_OWNER", ipc_owner), ("SYS_MODULE", sys_module), ("SYS_RAWIO", sys_rawio), ("SYS_CHROOT", sys_chroot),
    ("SYS_PTRACE", sys_ptrace), ("SYS_PACCT", sys_pacct), ("SYS_ADMIN", sys_admin), ("SYS_BOOT", sys_boot), ("SYS_NICE", sys_nice),
    ("SYS_RESOURCE", sys_resource), ("SYS_TIME", sys_time), ("SYS_TTY_CONFIG", sys_tty_config), ("MKNOD", mknod), ("LEASE", lease),
    ("AUDIT_WRITE", audit_write), ("AUDIT_CONTROL", audit_control), ("SETFCAP", setfcap), ("MAC_OVERRIDE", None), ("MAC_ADMIN", None),
    ("SYSLOG", syslog), ("WAKE_ALARM", wake_alarm), ("BLOCK_SUSPEND", block_suspend), ("AUDIT_READ", audit_read), ("PERFMON", perfmon),
    ("BPF", bpf), ("CHECKPOINT_RESTORE", checkpoint_restore),
]


def main():
    os.chdir(sys.argv[1])
    for name, act in POWERS:
        if act:
            print(f"CAP_{name}", in_child(act), flush=True)


if __name__ == "__main__":
    main()
