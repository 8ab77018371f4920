# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A daemon that is killed with something half done that no file of any job names: the next one sets it right."""
import contextlib
import json
import os
import re
import shutil
import struct
import time

from attach import CGROUP, Crowd, cgroup, enter, waiting_in
from harness import read, wait_for
from house import ALICE, ROOT
from replacement import versioned
import sabotage
from toil import Toil
import traces
from watched import Watched, die_at

POLICY_SLOTS = 4096


# --- rules ------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def two_jobs(check, house):
    """One whose rules are to change, and one that has a slot below."""
    house.policy("filler", rules=[{"id": "filler", "path": "/usr/lib", "access": "read"}])
    filler = house.start("sleep", "1000", job_id="filler", policy="filler")
    wait_for(lambda: house.running(filler))
    versioned(house, 0)
    toil = Toil(house, job_id="turned", policy="turning", user=ROOT)
    check.that("they run", toil.goes())

    def end_filler():
        filler.process.kill()
        filler.process.wait()

    yield toil, end_filler
    end_filler()
    toil.end()
    toil.job.finish()
    toil.judge(check, "the job")
    house.record(toil.job)


def stores_until_written(house, toil, version):
    """How many of a reload's stores into maps come before the job's files change: the last of them completes the new rules."""
    versioned(house, version)
    watched = Watched(house)
    house.ask("reload", toil.job.id)
    lines = watched.end()
    end = next(i for i, line in enumerate(lines) if re.match(r"\d+ linkat ", line))
    return sum(bool(re.match(r"\d+ bpf 2 ", line)) for line in lines[:end])


def map_cnt():
    """Once it has stayed the same for a second: the kernel frees maps a little later than they go."""
    cnt, since = len(traces.bpf_maps()), time.monotonic()
    while time.monotonic() < since + 1:
        if (now := len(traces.bpf_maps())) != cnt:
            cnt, since = now, time.monotonic()
        time.sleep(0.1)
    return cnt


def rules_in_part(check, house):
    """Killed with some of a policy's tables in their slot and others not; jobs that ended meanwhile leave lower slots free."""
    with two_jobs(check, house) as (toil, end_filler):
        # Odd versions have as many stores as each other; a look at the roots may come between.
        number = min(stores_until_written(house, toil, version) for version in (1, 3))
        before = map_cnt()
        versioned(house, 5)
        check.that("killed between two tables", die_at(house, number, "bpf 2 ", lambda: house.ask("reload", toil.job.id)))
        left = map_cnt() - before
        check.that("some are left", left > 0, left)
        end_filler()
        house.daemon.start()
        check.that("the job goes on", toil.attempts_on(3))
        check.that("what is left goes while it does", wait_for(lambda: len(traces.bpf_maps()) < before, 20), len(traces.bpf_maps()) - before)
    house.settles(check, "rules in part")


def slot_in_force(content):
    """The policy slot of a job, as job_value of bpf/abi/job.h has it."""
    with sabotage.table("job") as values:
        return struct.unpack_from("IIII", values, content["slot"] * sabotage.TABLES["job"].size)[3]


def another_policy(check, house):
    """
    Killed when the job's file named another policy and before that was in force: it never is, whatever slot is used next. No system
    call is between the two, so the files are written here.
    """
    with two_jobs(check, house) as (toil, _):
        before = house.status(toil.job.id)["digest"]
        name = f"{traces.STATE_JOBS}/{toil.job.id}"
        tried = 0
        for slot in range(5):
            house.daemon.kill()
            content = json.loads(read(f"{name}.json"))
            if slot == slot_in_force(content):
                house.daemon.start()
                continue
            tried += 1
            shutil.copy(f"{traces.STATE_JOBS}/filler.policy", f"{name}.policy-next")
            house.write_json(f"{name}.json", content | {"next_policy_slot": slot})
            house.daemon.start()
            check.equal(f"slot {slot}: it is forgotten", json.loads(read(f"{name}.json"))["next_policy_slot"], POLICY_SLOTS)
            check.that(f"slot {slot}: the job goes on", toil.attempts_on(3))
            # Long enough for its paths to be resolved anew, under another slot.
            toil.attempts_on(50)
        check.that("most slots were tried", tried >= 3, tried)
        check.equal("it obeys its policy", house.status(toil.job.id)["digest"], before)
    house.settles(check, "another policy")


# --- attach -----------------------------------------------------------------------------------------------------

def attach(house):
    return house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch")


def is_frozen():
    return "frozen 1" in read(f"{CGROUP}/cgroup.events")


@contextlib.contextmanager
def crowd_in_cgroup(house):
    house.write(f"{house.out}/allowed", "")
    with cgroup():
        crowd = Crowd(house, 2, 2, "stay")
        for pid in crowd.pids:
            enter(pid)
        yield crowd


def frozen_cgroup(check, house):
    """Killed when it was about to thaw, the second time, a cgroup whose processes it had labelled: they go on, as a job."""
    with crowd_in_cgroup(house) as crowd:
        check.that("killed before it thaws", die_at(house, 4, "cgroup.freeze", lambda: attach(house)))
        check.that("the cgroup is frozen", is_frozen())
        house.daemon.start()
        check.that("thawed", wait_for(lambda: not is_frozen(), 20))
        check.that("it is a job", "batch" in house.job_ids())
        check.equal("all of it", {house.ask("whois", str(pid)).stdout.split()[0] for pid in crowd.pids}, {"batch"})
        crowd.judge()
        time.sleep(0.5)
        attempts, wrong = crowd.end()
        check.equal("wrong verdicts", (wrong, attempts > 0), (0, True))
        check.that("it ends", wait_for(lambda: "batch" not in house.job_ids()))
    house.settles(check, "a cgroup that was frozen")


def not_tested(check, house):
    """Killed before the rules were seen to bite: the cgroup is no job, and can be made one."""
    with crowd_in_cgroup(house) as crowd:
        check.that("killed before the self-test", die_at(house, 1, "canary", lambda: attach(house)))
        with waiting_in(house, CGROUP) as is_free:
            house.daemon.start()
            check.that("no job is left of it", wait_for(lambda: "batch" not in house.job_ids() and
                                                        not os.path.exists(f"{traces.STATE_JOBS}/batch.json"), 20))
            check.that("who came meanwhile is free", is_free())
        check.equal("its processes are in none", {house.ask("whois", str(pid)).returncode for pid in crowd.pids}, {1})
        check.equal("attached again", attach(house).returncode, 0)
        crowd.judge()
        check.equal("wrong verdicts", crowd.end()[1], 0)
        check.that("it ends", wait_for(lambda: "batch" not in house.job_ids()))
    house.settles(check, "a cgroup that was not tested")


# --- kill -------------------------------------------------------------------------------------------------------

def half_killed(check, house):
    """Killed when the job could make no more processes, and had all it had: the next one kills them. Nobody else's."""
    job, other = (house.start("sleep", "1000", user=ALICE) for _ in range(2))
    check.that("two jobs run", wait_for(lambda: house.running(job) and house.running(other)))
    check.that("killed before it kills", die_at(house, 1, "cgroup.kill", lambda: house.ask("kill", job.id, user=ALICE)))
    check.equal("the job lives", job.process.poll(), None)
    house.daemon.start()
    ended = wait_for(lambda: job.process.poll() is not None, 20)
    check.equal("the job is killed", (ended, job.status), (True, 137))
    check.matches("the record says so", house.record(job)[-1]["message"], "killed by request")
    check.that("the other job goes on", house.running(other) and house.status(other.id))
    for one in (job, other):
        one.process.kill()
        one.finish()
    house.record(other)
    house.settles(check, "a job that was half killed")
