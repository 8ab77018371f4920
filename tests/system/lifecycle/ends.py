# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""However a job ends, it is enforced to the end and nothing of it is left."""
import os
import time

from forks import KILLED, SPARED, WAYS, fail_to_fork
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


def failed_forks(check, world):
    """Who fails to fork stays in the job, or is killed where the kernel would take the label away."""
    for how in WAYS:
        job = fail_to_fork(world, how)
        ends = (job.status, job.out)
        check.that(f"failed forks: {how}: nothing is opened", ends == SPARED or how != "unshare" and ends == KILLED, (ends, job.err))
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
