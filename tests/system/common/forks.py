# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Jobs that fail to fork. What the kernel frees then, it frees later; some kernels free the parent's label with it.
"""
import os

# Refused by the limit of processes, because of a changed root, or by the policy, which allows no user namespace. Who asks by unshare()
# does not fork.
FAILED_FORK = """
import ctypes, os, resource, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def tell():
    try:
        os.close(os.open("patients/p", os.O_RDONLY)); print("OPENED", flush=True)
    except PermissionError: print("denied", flush=True)
os.chdir(sys.argv[2])  # from where it opens, whatever its root is
tell()
if sys.argv[1] == "processes":
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    try: os.fork(); print("forked", flush=True)
    except BlockingIOError: pass
elif sys.argv[1] == "unshare":
    if not libc.unshare(0x10000000): print("unshared", flush=True)
else:
    if sys.argv[1] == "root": os.chroot("/proc/self/fdinfo")
    if libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) >= 0: print("cloned", flush=True)  # a user namespace
for _ in range(6):
    time.sleep(0.3); tell()
"""

# Status and output of one that stays in its job, and of one that is killed instead of leaving it.
SPARED = (0, "denied\n" * 7)
KILLED = (137, "denied\n")

# How, and with which options of `jobcage run`.
WAYS = {"processes": ["--user", "daemon"], "root": [], "clone": [], "unshare": []}


def fail_to_fork(world, how):
    world.write(f"{world.root}/failed_fork.py", FAILED_FORK)
    os.chmod(world.patients, 0o755)
    os.chmod(f"{world.patients}/p", 0o644)
    return world.start("python3", f"{world.root}/failed_fork.py", how, world.data, options=WAYS[how]).finish()
