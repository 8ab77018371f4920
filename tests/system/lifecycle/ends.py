# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""However a job ends, it is enforced to the end and nothing of it is left."""
import os
import time

from harness import wait_for
import traces

TRY = "echo x 2>/dev/null >>$DIGITS/a"  # denied


def ends(check, world):
    rows = [
        # what, script, exit status, denials
        ("a job that ends", f"{TRY}; exit 0", 0, 1),
        ("the leader goes, a child stays", f"(sleep 0.5; {TRY}; touch $OUT/late) & exit 3", 3, 1),
        ("a daemon", f"setsid sh -c '(sleep 0.5; {TRY}; touch $OUT/late) &'; exit 3", 3, 1),
        ("killed", f"{TRY}; kill -KILL $$", 137, 1),
        ("killed, and a child stays", f"(sleep 0.5; {TRY}; touch $OUT/late) & kill -KILL $$", 137, 1),
    ]
    for what, script, status, denied in rows:
        job = world.shell(script)
        check.equal(f"{what}: exit status", job.status, status)
        world.whole(check, what, job, denied, adopted=False)
        if "late" in script:
            check.that(f"{what}: the job went on", world.exists("late"))
            os.unlink(f"{world.out}/late")
        world.settles(check, what)


def nested_cgroups(check, world):
    """A job that may make cgroups leaves some, with processes in them."""
    policy = world.policy("nest", rules=[{"id": "cgroups", "path": traces.CGROUP_ROOT, "access": "write"}])
    nest = f"{traces.CGROUP_ROOT}/jobcage-nester/a/b/c"
    job = world.shell(f"mkdir -p {nest}; (echo 0 >{nest}/cgroup.procs; sleep 0.5; {TRY}; touch $OUT/nested) & wait; exit 4",
                      policy=policy, job_id="nester")
    check.equal("nested cgroups: exit status", (job.status, job.err), (4, ""))
    world.whole(check, "nested cgroups", job, 1)
    check.that("nested cgroups: the process in it ran", world.exists("nested"))
    world.settles(check, "nested cgroups")


def fork_bomb(check, world):
    """Under the caller's own pids limit, which holds for the job too; then the job is killed."""
    caller = f"{traces.CGROUP_ROOT}/lifecycle-caller"
    world.write(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "+pids")
    os.mkdir(caller)
    world.write(f"{caller}/pids.max", "40")
    job = world.start("bash", "-c", "bomb() { bomb | bomb & }; bomb; sleep 1000",
                      preexec_fn=lambda: world.write(f"{caller}/cgroup.procs", "0"))
    cgroup = f"{caller}/jobcage-{job.id}"
    time.sleep(3)
    with open(f"{caller}/pids.current", encoding="utf-8") as stream:
        check.that("fork bomb: it went off, within its limit", 20 <= int(stream.read()) <= 40)
    world.write(f"{cgroup}/cgroup.kill", "1")
    job.finish()
    check.equal("fork bomb: exit status", job.status, 137)
    world.whole(check, "fork bomb", job)
    world.settles(check, "fork bomb")
    os.rmdir(caller)


# A fork is refused, by the limit of processes, because of a changed root, or by the policy, which allows no user namespace; what the
# kernel frees then, it frees later. Who asks by unshare() does not fork.
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


def failed_forks(check, world):
    """Who fails to fork stays in the job, or is killed where the kernel would take the label away."""
    world.write(f"{world.root}/failed_fork.py", FAILED_FORK)
    os.chmod(world.patients, 0o755)
    os.chmod(f"{world.patients}/p", 0o644)
    for how, options in (("processes", ["--user", "daemon"]), ("root", []), ("clone", []), ("unshare", [])):
        job = world.start("python3", f"{world.root}/failed_fork.py", how, world.data, options=options).finish()
        ends = (job.status, job.out)
        spared = (0, "denied\n" * 7)
        check.that(f"failed forks: {how}: nothing is opened", ends == spared or how != "unshare" and ends == (137, "denied\n"), (ends, job.err))
        wait_for(job.end)
        killed = int(job.status == 137)
        check.equal(f"failed forks: {how}: a killed one is counted", job.end().get("fork_failures"), killed)


def launcher_killed(check, world):
    """The launcher is killed while it waits for the policy to be in force."""
    for delay_ms in (0, 50, 100, 200, 300, 400):
        job = world.start("sleep", "1000")
        time.sleep(delay_ms / 1000)
        job.process.kill()
        job.finish()
    world.settles(check, "launcher killed while it waits")
