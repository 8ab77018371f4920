# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The world that is measured in: a root of its own on tmpfs, so that no file comes from the host's disk.

The guest's root is the host's, over 9p: each file looked at may wait for the host, and how long is chance. So
whatever is run here was copied before. Only this script itself, between two measurements, runs from there.
"""
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = "/b"
CGROUPS = "/sys/fs/cgroup"
ENVIRONMENT = {"PATH": "/usr/bin"}
SYSTEM = ("true", "sleep", "bwrap", "crun")
OWN = ("opens", "connects", "talks", "spawns", "landlocked", "denials", "lines", "calls")

OPENS = 20000
# How long the machine is left alone for what it has put off: after boot, and after programs were unloaded.
SETTLE_S, REST_S = 60, 20

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_SLAVE, MNT_DETACH = 0x20000, 0x4000, 1 << 19, 2
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}[os.uname().machine]


class Failed(Exception):
    """A program that measures did not come to its end."""


def say(text):
    """Progress, for whoever waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def wait_for(what, ready, timeout_s=120):
    end = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {timeout_s} s")
        time.sleep(0.05)


def libraries(program):
    """The shared objects that ld.so loads for a program, by the paths under which it looks for them."""
    found = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", found)


def call(name, *arguments):
    if getattr(_libc, name)(*arguments):
        raise OSError(ctypes.get_errno(), name)


def rooted_namespace():
    """A mount namespace whose root is ROOT, as a descriptor: who is in a chroot may make no user namespace, and so proves less."""
    ready, other = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            call("unshare", CLONE_NEWNS)
            call("mount", b"none", b"/", None, MS_REC | MS_SLAVE, None)
            os.chdir(ROOT)
            call("syscall", SYS_PIVOT_ROOT, b".", b".")
            call("umount2", b".", MNT_DETACH)
            os.write(other, b"1")
            signal.pause()
        os._exit(1)
    os.close(other)
    if not os.read(ready, 1):
        raise Failed(f"no namespace for {ROOT}")
    namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(ready)
    return namespace


class World:
    def __init__(self, build):
        self.build = build
        # Where a program lies decides how many page tables it needs: chance, in the starts of programs.
        with open("/proc/sys/kernel/randomize_va_space", "w", encoding="utf-8") as stream:
            stream.write("0")
        for place in ("", "/data", "/plain"):
            os.makedirs(ROOT + place, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", ROOT + place], check=True)
        self._make_tree()
        self._copy_programs()
        self.namespace = rooted_namespace()

    def _make_tree(self):
        for folder in ("bin", "sbin", "lib", "lib64"):
            os.makedirs(f"{ROOT}/usr/{folder}")
            os.symlink(f"usr/{folder}", f"{ROOT}/{folder}")
        for folder in ("etc/jobcage", "tmp", "bench", "proc", "sys", "dev", "run", "var/log"):
            os.makedirs(f"{ROOT}/{folder}")
        for folder in ("proc", "sys", "dev", "run"):
            subprocess.run(["mount", "--rbind", f"/{folder}", f"{ROOT}/{folder}"], check=True)
        for name in ("passwd", "group", "ld.so.cache"):
            shutil.copy(f"/etc/{name}", f"{ROOT}/etc")
        # Other sources of names would need their libraries.
        self.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\n")

    def _copy_programs(self):
        for name in SYSTEM:
            self._copy(shutil.which(name), f"/usr/bin/{name}")
        self._copy(f"{self.build}/jobcage", "/usr/bin/jobcage")
        for name in OWN:
            self._copy(f"{self.build}/bench/{name}", f"/bench/{name}")

    @staticmethod
    def _copy(source, target):
        shutil.copy(source, ROOT + target)
        for library in libraries(source):
            if not os.path.exists(ROOT + library):
                os.makedirs(os.path.dirname(ROOT + library), exist_ok=True)
                shutil.copy(library, ROOT + library)

    # --- files ---

    @staticmethod
    def write(path, content):
        """Returns the path as it is called inside."""
        os.makedirs(os.path.dirname(ROOT + path), exist_ok=True)
        with open(ROOT + path, "w", encoding="utf-8") as stream:
            stream.write(content if isinstance(content, str) else json.dumps(content))
        return path

    # --- programs ---

    def start(self, *argv, cgroup=None, confined=None, **popen):
        """A program inside; in a cgroup, by its path, or under an AppArmor profile, by its name, if given."""
        def enter():
            if cgroup:
                with open(f"{cgroup}/cgroup.procs", "w", encoding="utf-8") as stream:
                    stream.write("0")
            if confined:
                with open("/proc/self/attr/apparmor/exec", "w", encoding="utf-8") as stream:
                    stream.write(f"exec {confined}")
            call("setns", self.namespace, CLONE_NEWNS)

        popen = {"stdin": subprocess.DEVNULL, "env": ENVIRONMENT} | popen
        return subprocess.Popen(argv, preexec_fn=enter, text=True, **popen)

    def run(self, *argv, **how):
        """Standard output of a program that must succeed."""
        with self.start(*argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how) as process:
            out, err = process.communicate()
        if process.returncode:
            raise Failed(f"{' '.join(argv)}: status {process.returncode}: {err or out}")
        return out

    def numbers(self, *argv, **how):
        return [float(word) for word in self.run(*argv, **how).split()]

    def opens(self, path, *, before=(), cnt=OPENS, **how):
        """Instructions of (open and close, a read) of a file."""
        return self.numbers(*before, "/bench/opens", str(cnt), path, **how)

    def hold(self, how, *programs):
        """Empty programs attached, until the process ends: see hold.c."""
        process = subprocess.Popen([f"{self.build}/bench/hold", f"{self.build}/bench/empty.bpf.o", how, *programs],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            raise Failed(f"hold {how}: not attached")
        return process


def release(process):
    """Ends a program that lives until its standard input ends."""
    process.stdin.close()
    process.wait()
    process.stdout.close()


def settle(seconds):
    """Guest time passes at once while nothing runs."""
    say(f"waiting {seconds} s of guest time")
    time.sleep(seconds)


def make_cgroup(name):
    path = f"{CGROUPS}/{name}"
    os.makedirs(path, exist_ok=True)
    return path
