# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Limits and environment, for an ordinary user whose job the daemon starts."""
import contextlib
import os
import subprocess
import time

from harness import wait_for
from house import ALICE, ROOT
import traces

OWN = f"{traces.CGROUP_ROOT}/jobcage-test-alone"

# Enters a cgroup of its own, as a scheduler's step does, and is the user from then on.
ALONE = ["sh", "-c", f'echo $$ >{OWN}/cgroup.procs && exec setpriv --reuid {ALICE.uid} --regid {ALICE.gid} --clear-groups "$@"', "sh"]


def runtime(check, house):
    house.policy("few", limits={"runtime": "2s"})
    start = time.monotonic()
    job = house.shell("trap '' TERM INT HUP; sleep 100 & setsid sleep 100 & wait; sleep 100", user=ALICE, policy="few")
    took = time.monotonic() - start
    check.equal("limits.runtime: the job is killed", job.status, 137)
    check.that("after that time", 1.9 < took < 20, f"{took:.1f} s")
    check.matches("limits.runtime: the record says so", house.record(job)[-1]["message"], "limits.runtime")
    check.equal("one that is in time ends by itself", house.shell("sleep 0.2; exit 4", user=ALICE, policy="few").status, 4)
    house.settles(check, "limits.runtime")


def processes(check, house):
    house.policy("few", limits={"processes": 8})
    house.write(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "+pids")
    os.mkdir(OWN)
    try:
        forks = "i=0; while [ $i -lt 40 ]; do sleep 3 & i=$((i+1)); done; echo all"
        many = house.shell(forks, wrap=ALONE, policy="few")
        check.that("limits.processes: the ninth is refused", "all" not in many.out and "fork" in many.err, many.out + many.err)
        house.record(many)
        few = house.shell("for i in 1 2 3; do sleep 0.1 & done; wait; id -u; cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/pids.max",
                          wrap=ALONE, policy="few")
        check.equal("limits.processes: a few are granted", (few.status, few.out), (0, f"{ALICE.uid}\n8\n"))
        house.record(few)
        wait_for(lambda: not lines_of("cgroup.subtree_control"))
        with subprocess.Popen(["sleep", "1000"]) as neighbour:
            house.write(f"{OWN}/cgroup.procs", str(neighbour.pid))
            crowded = house.shell("true", wrap=ALONE, policy="few")
            neighbour.kill()
        check.equal("limits.processes: beside another process it cannot hold", crowded.status, 125)
        check.matches("and that is said", crowded.err, r"limits\.processes")
    finally:
        wait_for(lambda: gone(OWN))
        house.write(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "-pids")
    house.settles(check, "limits.processes")


def give_to_alice():
    for name in ("", "/cgroup.procs", "/cgroup.subtree_control"):
        os.chown(f"{OWN}{name}", ALICE.uid, ALICE.gid)


def lifted(check, house):
    """The user owns the cgroup above, as a delegated one, and switches the controller off: the limit comes back, and that is told of once."""
    house.policy("few", limits={"processes": 8})
    house.write(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "+pids")
    os.mkdir(OWN)
    give_to_alice()
    try:
        job = house.start_shell("until [ -e $OUT/fork ]; do sleep 0.1; done; i=0; while [ $i -lt 40 ]; do sleep 3 & i=$((i+1)); done; echo all",
                                wrap=ALONE, policy="few")
        check.that("it runs", wait_for(lambda: house.running(job) and pids_max(job) == "8\n"))
        for turn in range(2):
            lift = subprocess.run(["sh", "-c", f"echo -pids >{OWN}/cgroup.subtree_control"], check=False, **ALICE.popen())
            check.equal(f"turn {turn}: lifted, set again", (lift.returncode, wait_for(lambda: pids_max(job) == "8\n", 10)), (0, True))
        house.touch("fork")
        job.finish()
        check.that("it binds", "all" not in job.out and "fork" in job.err, job.out + job.err)
        told = [event["message"] for event in house.record(job) if event["metadata"]["event_code"] == "finding"]
        check.equal("findings", len(told), 1)
        check.matches("which say so", "".join(told), "limits.processes.*set again")
        os.unlink(f"{house.out}/fork")
        quiet = house.shell("sleep 2.5", wrap=ALONE, policy="few")
        check.equal("of a limit that stays nothing is told", [event["metadata"]["event_code"] for event in house.record(quiet)], ["job_start", "job_end"])
    finally:
        wait_for(lambda: gone(OWN))
        house.write(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "-pids")
    house.settles(check, "a limit that is lifted")


def pids_max(job):
    with contextlib.suppress(OSError), open(f"{OWN}/jobcage-{job.id}/pids.max", encoding="ascii") as stream:
        return stream.read()
    return ""


def lines_of(name):
    with open(f"{OWN}/{name}", encoding="ascii") as stream:
        return stream.read().split()


def gone(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
        return True
    return not os.path.exists(path)


SCRIPT = r"""
echo "$JOBCAGE_SCRATCH $TMPDIR $LEFT $GIVEN $(pwd) $(id -u)"
find /tmp /var/tmp /srv/hidden -mindepth 1 | wc -l
echo mine >/tmp/file && cat /tmp/file
head -c 600K /dev/zero >$JOBCAGE_SCRATCH/a && echo fits
head -c 1M /dev/zero >$JOBCAGE_SCRATCH/b 2>/dev/null || echo full
(echo x >>$DIGITS/a) 2>&1 | grep -o 'Read-only file system'
cat $DIGITS/a
cat $PATIENTS/p >/dev/null 2>&1 || echo closed
cp /bin/true $JOBCAGE_SCRATCH/program && $JOBCAGE_SCRATCH/program || echo no program
"""


def environment(check, house):
    """What the policy's environment is for the user; outside, nothing of it is seen, and nothing stays."""
    os.makedirs("/srv/hidden/inner", exist_ok=True)
    house.write("/tmp/outside", "")
    house.policy("env", limits={"scratch": "1MiB"}, exec={"default": "deny", "allow": ["/usr/bin", "/usr/lib"]}, environment={
        "private": ["/tmp"], "scratch": "/var/tmp", "hide": ["/srv/hidden"], "read_only_datasets": True, "directory": "/tmp",
        "variables": {"keep": ["PATH", "OUT", "DIGITS", "PATIENTS"], "set": {"GIVEN": "given"}}})
    env = os.environ | {"LEFT": "left", "OUT": house.out, "DIGITS": house.digits, "PATIENTS": house.patients}
    for user in (ALICE, ROOT):
        job = house.start("sh", "-c", SCRIPT, user=user, policy="env", env=env).finish()
        check.equal(f"{user.name}: what the job sees", job.out, "\n".join([
            f"/var/tmp /var/tmp  given /tmp {user.uid}", "0", "mine", "fits", "full",
            "Read-only file system", "0 1 2", "closed", "no program", ""]))
        check.equal(f"{user.name}: standard error", [line for line in job.err.split("\n") if line and "program" not in line], [])
    check.equal("outside, /tmp is what it was", (os.path.exists("/tmp/outside"), os.path.exists("/tmp/file")), (True, False))
    os.unlink("/tmp/outside")
    os.rmdir("/srv/hidden/inner")
    os.rmdir("/srv/hidden")
    house.settles(check, "environment")
