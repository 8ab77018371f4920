# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Floods: what is not an event of its own is in a count or is counted as lost, exactly, and the first of a kind is always there."""
import json
import os
import signal
import subprocess
import time

from cage import PROJECT, is_decision
from harness import wait_for

FLOOD = os.environ.get("JOBCAGE_FLOOD", f"{PROJECT}/build/tests/flood")

LAST = ["file_mkdir", "file_unlink", "file_truncate", "file_symlink"]


def start(house, repeats, names):
    job_id = house.new_id()
    return house.start(FLOOD, house.digits, str(repeats), str(names), f"{house.out}/go", f"{house.out}/done-{job_id}", job_id=job_id,
                       alerts=f"{house.log}/{job_id}.jsonl")


def account(check, what, job):
    """Attempts made = delivered + counted as lost, in the record's lines too. Returns the decisions and the end's counts."""
    wait_for(job.end, 60)
    events, end = job.events(), job.end()
    decisions = [event for event in events if is_decision(event)]
    attempts, lost, told = int(job.out or 0), end["lost"], sum(event["count"] for event in decisions)
    print(f"#    {what}: {attempts} attempts = {told} told by {len(decisions)} events + {lost} lost; {end['folded']} folded", flush=True)
    check.equal(f"{what}: all was refused", job.status, 0)
    check.equal(f"{what}: attempts are counted", (end["decisions"], end["denied"]["file"]), (attempts, attempts))
    check.equal(f"{what}: what events tell and what is lost are all there were", told + lost, attempts)
    check.equal(f"{what}: in kernel too", (end["delivered"], end["emitted"] + end["folded"], sum(end["lost_by_kind"].values())),
                (told, told, lost))
    check.equal(f"{what}: complete is true", end["complete"], lost == 0)
    check.equal(f"{what}: lines are numbered without a gap", [event["metadata"]["sequence"] for event in events],
                [*range(1, len(events) + 1)])
    check.that(f"{what}: times are in order", all(event["start_time"] <= event["end_time"] for event in decisions))
    return decisions, end


def has_firsts(check, what, job, decisions):
    """The kinds that came last, into a ring that was full, with their names."""
    firsts = {}
    for event in decisions:
        firsts.setdefault(event["metadata"]["event_code"], event.get("file", {}).get("path"))
    digits = job.world.digits
    check.equal(f"{what}: the first of each kind, by name", [firsts.get(code) for code in LAST],
                [f"{digits}/last", f"{digits}/a", f"{digits}/a", f"{digits}/last"])


def tidy(house):
    for name in os.listdir(house.out):
        os.unlink(f"{house.out}/{name}")


def flood(check, house, jobs_cnt, repeats, names, stopped_s):
    """Several flood while nobody reads for a while; one that is quiet loses nothing."""
    jobs = [start(house, repeats, names) for _ in range(jobs_cnt)]
    quiet = start(house, 3, 5)
    check.that("they run", wait_for(lambda: all(house.running(job) for job in [*jobs, quiet])))
    with house.daemon.stopped():
        house.touch("go")
        until = time.monotonic() + stopped_s
        wait_for(lambda: time.monotonic() > until or all(house.exists(f"done-{job.id}") for job in jobs), stopped_s + 60)
    for job in [*jobs, quiet]:
        job.process.wait()
    for i, job in enumerate(jobs):
        decisions, end = account(check, f"job {i}", job)
        has_firsts(check, f"job {i}", job, decisions)
        check.that(f"job {i}: repeats are folded", end["folded"] > repeats // 2, end)
    decisions, end = account(check, "quiet job", quiet)
    check.equal("quiet job: nothing is lost, nothing folded", (end["lost"], end["folded"], len(decisions)), (0, 0, 12))
    has_firsts(check, "quiet job", quiet, decisions)
    tidy(house)
    return jobs


def several(check, house, _):
    """While nobody reads all the time, names overflow the ring; repeats and the first of a kind do not need it."""
    jobs = flood(check, house, 3, 6000, 3000, 60)
    check.that("names were lost", all(job.end()["lost"] > 0 for job in jobs))
    result = subprocess.run([f"{PROJECT}/tests/ocsf/check", jobs[0].alerts], capture_output=True, text=True, check=False)
    check.equal("every line is valid OCSF", (result.returncode, result.stderr[-300:]), (0, ""))


def repeats(check, house, _):
    """With somebody reading, repeats are told of within seconds, and nothing is lost."""
    job = house.start("sh", "-c", f"{FLOOD} $0 3000 0 $1/go $1/done; sleep 1000", house.digits, house.out,
                      alerts=f"{house.log}/repeats.jsonl")
    house.touch("go")
    check.that("repeats: done", house.appears("done"))
    folded = wait_for(lambda: [event for event in job.events() if event["count"] > 1])
    check.that("repeats: told while it runs", folded)
    event = folded[0]
    check.that("repeats: in the words of their record", event["message"] == job.events()[1]["message"], event["message"])
    check.that("repeats: of a record", event["unmapped"]["jobcage"]["repeats_of"] > 1 and "record" not in event["unmapped"]["jobcage"])
    kinds = json.loads(house.ask("status", "--json", job.id).stdout)["kinds"]
    check.equal("repeats: status counts them", kinds[0]["count"], 3000)
    house.ask("kill", job.id)
    job.process.wait()
    wait_for(job.end)
    decisions, end = [event for event in job.events() if is_decision(event)], job.end()
    check.equal("repeats: all are told", (sum(event["count"] for event in decisions), end["lost"], end["complete"]), (3004, 0, True))
    check.that("repeats: by few events", len(decisions) < 600, len(decisions))
    rows = house.ask("alerts", "--kind", "file_open_write", job.alerts).stdout
    check.that("repeats: one row for people", " x3000 " in rows, rows[:500])
    tidy(house)


def orphaned(check, house, _):
    """What was counted while there was no controller is told by the next one."""
    job = start(house, 3000, 10)
    wait_for(lambda: house.running(job))
    os.kill(house.daemon.pid, signal.SIGSTOP)
    house.touch("go")
    check.that("orphaned: the job goes on", house.appears(f"done-{job.id}"))
    house.daemon.restart()
    job.process.wait()
    decisions, end = account(check, "orphaned", job)
    check.equal("orphaned: nothing is lost", (end["lost"], end["adopted"]), (0, True))
    has_firsts(check, "orphaned", job, decisions)
    tidy(house)


def eight_jobs(acts, check, house, _):
    """So many denials, a tenth of them with names of their own, and nobody reads for ten seconds."""
    flood(check, house, 8, acts * 9 // 80, acts // 80, 10)
