# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A machine with a hybrid layout of cgroups: controllers in hierarchies of v1, and v2, without them, at 'unified'."""
import contextlib
import os
import re
import socket
import subprocess

from attach import enter, waiting_in
from harness import wait_for
from house import ALICE, ROOT
from scheduler import rmdir_fails
import traces

TOP = traces.CGROUP_ROOT
UNIFIED, BATCH = f"{TOP}/unified", f"{TOP}/unified/batch"
STEP, ELSEWHERE = f"{TOP}/pids/step", f"{TOP}/pids/elsewhere"

# What it may not do in its cgroup of v2, and where it is; then once more after it has gone elsewhere in v1.
SCRIPT = r"""
attempt() {
    cat /proc/self/cgroup
    (echo x >>$DIGITS/a) 2>/dev/null && echo wrote
    (echo x >/dev/tcp/127.0.0.1/$PORT) 2>/dev/null && echo connected
    true
}
attempt
if test -n "$ELSEWHERE"; then echo $$ >$ELSEWHERE/cgroup.procs && echo went && attempt; fi
exit 7
"""


def mount(*words):
    return subprocess.run(["mount", *words], check=False).returncode == 0


@contextlib.contextmanager
def hybrid(house):
    """As systemd.unified_cgroup_hierarchy=0 leaves a machine. Yields the controllers that are in v1. No daemon runs, nor a job."""
    with open(f"{TOP}/cgroup.subtree_control", "w", encoding="ascii") as stream:
        stream.write("-memory -pids")
    subprocess.run(["umount", TOP], check=True)
    mount("-t", "tmpfs", "none", TOP)
    os.mkdir(UNIFIED)
    mount("-t", "cgroup2", "none", UNIFIED)
    in_v1 = []
    for name in ("pids", "memory"):
        os.mkdir(f"{TOP}/{name}")
        in_v1 += [name] * mount("-t", "cgroup", "-o", name, "none", f"{TOP}/{name}")
    house.rest()
    try:
        yield in_v1
    finally:
        subprocess.run(["umount", "-R", TOP], check=True)
        mount("-t", "cgroup2", "none", TOP)
        house.rest()


@contextlib.contextmanager
def stepped_aside():
    """This process, and what it starts, is in another place in v1 than in v2: who takes one for the other is found out."""
    os.mkdir(STEP)
    enter(os.getpid(), STEP)
    try:
        yield
    finally:
        enter(os.getpid(), f"{TOP}/pids")
        wait_for(lambda: not rmdir_fails(STEP))


@contextlib.contextmanager
def listening():
    """On the loopback; yields its port and a function that tells whether anybody has connected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        def is_met():
            with contextlib.suppress(BlockingIOError):
                server.accept()[0].close()
                return True
            return False

        yield server.getsockname()[1], is_met


def judged(check, house, what, port, is_met, **how):
    """A job of one process, in its cgroup of v2 and in those of v1 where its launcher was."""
    env = os.environ | {"DIGITS": house.digits, "PORT": str(port), "ELSEWHERE": ELSEWHERE if how.get("policy") else ""}
    job = house.start("bash", "-c", SCRIPT, env=env, **how).finish()
    check.equal(f"{what}: status, standard error", (job.status, job.err), (7, ""))
    check.matches(f"{what}: in its cgroup of v2", job.out, rf"^0::/jobcage-{job.id}$")
    check.matches(f"{what}: in that of v1 where it was", job.out, r"^\d+:pids:/step$")
    check.that(f"{what}: it could not write to the dataset", "wrote" not in job.out, job.out)
    check.that(f"{what}: nor connect", "connected" not in job.out and not is_met(), job.out)
    house.record(job)
    check.equal(f"{what}: both are in the record", [job.end().get("denied", {}).get(kind, 0) > 0 for kind in ("file", "network")], [True, True])
    return job


def gone_elsewhere(check, house, port, is_met):
    """A job that may write to a cgroup of v1 goes there: that changes neither its cgroup of v2 nor its label."""
    os.mkdir(ELSEWHERE)
    house.policy("turning", rules=[{"id": "v1", "path": ELSEWHERE, "access": "write"}])
    job = judged(check, house, "gone elsewhere in v1", port, is_met, policy="turning")
    check.equal("it went", (job.out.count("went"), len(re.findall(r"^\d+:pids:/elsewhere$", job.out, re.MULTILINE))), (1, 1))
    check.equal("its cgroup of v2 stayed", job.out.count(f"0::/jobcage-{job.id}\n"), 2)
    check.that("its attempts were denied there too", sum(job.end()["denied"].values()) >= 4, job.end()["denied"])
    wait_for(lambda: not os.path.exists(ELSEWHERE) or not rmdir_fails(ELSEWHERE))


def limit_refused(check, house):
    house.policy("few", limits={"processes": 8})
    for user in (ALICE, ROOT):
        few = house.shell("echo ran", user=user, policy="few")
        check.equal(f"limits.processes, {user.name}: refused", (few.status, few.out), (125, ""))
        check.matches(f"limits.processes, {user.name}: says why", few.err, r"\Ajobcage run: .*limits\.processes.*hybrid layout.*cgroup_no_v1=pids.*\n\Z")


def attached(check, house):
    os.mkdir(BATCH)
    with waiting_in(house, BATCH) as is_free:
        result = house.ask("attach", "--cgroup", BATCH, "--policy", "plain", "--job", "batch")
        check.equal("attach", (result.returncode, result.stdout, result.stderr), (0, "batch\n", ""))
        check.that("what was in it is governed", not is_free())
    check.that("it ends when it is empty", wait_for(lambda: "batch" not in house.job_ids()))
    check.equal("and the cgroup stays", os.path.isdir(BATCH), True)
    os.rmdir(BATCH)


def killed(check, house):
    job = house.start_shell("sleep 1000 & sleep 1000", user=ALICE)
    check.that("a job runs", wait_for(lambda: house.running(job)))
    check.equal("kill", house.ask("kill", job.id, user=ALICE).returncode, 0)
    check.equal("it is killed, whole", job.finish().status, 137)
    check.that("its cgroup is gone", wait_for(lambda: not os.path.exists(f"{UNIFIED}/jobcage-{job.id}")))


def all_ways(check, house, port, is_met):
    judged(check, house, "by a monitor", port, is_met, alerts=f"{house.alerts}/monitor.jsonl")
    house.settles(check, "by a monitor")
    house.daemon.start()
    judged(check, house, "by the daemon", port, is_met, user=ALICE)
    gone_elsewhere(check, house, port, is_met)
    limit_refused(check, house)
    attached(check, house)
    killed(check, house)
    house.daemon.stop()
    house.settles(check, "hybrid layout")


def layout(check, house):
    """All that jobcage does with cgroups, by a monitor and by the daemon."""
    with hybrid(house) as in_v1, listening() as (port, is_met):
        check.that("pids is in v1", "pids" in in_v1, in_v1)
        with socket.create_connection(("127.0.0.1", port)):
            check.that("outside a job one may connect", is_met())
        with stepped_aside():
            all_ways(check, house, port, is_met)
        print(f"#    in v1: {', '.join(in_v1)}", flush=True)
