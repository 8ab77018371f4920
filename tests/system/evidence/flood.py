# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Floods: what is not an event of its own is in a count or is counted as lost, exactly, and the first of a kind is always there."""
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import time

from cage import PROJECT, is_decision
from eventfile import END_OF_LINE
from harness import WAIT_S, wait_for
from watched import KILLPOINT

FLOOD = os.environ.get("JOBCAGE_FLOOD", f"{PROJECT}/build/tests/flood")
MASKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "masks.py")

# A queue holds 8 MiB for one sink; the rest is what the daemon has anyway.
MEMORY_KIB = 32 * 1024

LAST = ["file_mkdir", "file_unlink", "file_truncate", "file_symlink"]


def start(house, repeats, names):
    job_id = house.new_id()
    return house.start(FLOOD, house.digits, str(repeats), str(names), f"{house.out}/go", f"{house.out}/done-{job_id}", job_id=job_id,
                       alerts=f"{house.log}/{job_id}.jsonl")


# Of an event what can be told without parsing it all: a million of them would take an hour, and more memory than there is. No name
# can pass for it, for in a string of JSON its quotes would be escaped.
HEAD = re.compile(rb'"start_time":(\d+),"end_time":(\d+),"count":(\d+),"metadata":{.*?"sequence":(\d+),"event_code":"(\w+)"')
RECORD = re.compile(rb'"record":(\d+),"gid"')

Event = collections.namedtuple("Event", "start end count sequence code record line")


def read(job):
    """All events of a file that is one job's, with the line of the first of each kind."""
    seen = set()
    with open(job.alerts, "rb") as stream:
        for line in stream:
            if not line.endswith(END_OF_LINE.encode() + b"\n"): # what a killed writer left of one
                continue
            *numbers, code = HEAD.search(line).groups()
            record = RECORD.search(line)
            yield Event(*map(int, numbers), code.decode(), record and int(record[1]), None if code in seen else line)
            seen.add(code)


def end_of(job):
    """What job_end counts, or {}; of a file that may be large."""
    if not os.path.exists(job.alerts):
        return {}
    with open(job.alerts, "rb") as stream:
        stream.seek(max(0, os.path.getsize(job.alerts) - 2**16))
        last = stream.read().rpartition(b"\n")[0].rpartition(b"\n")[2]
    return json.loads(last)["unmapped"]["jobcage"] if b'"event_code":"job_end"' in last else {}


def account(check, what, job):
    """Attempts made = delivered + counted as lost, in the record's lines too. Returns the decisions and the end's counts."""
    wait_for(lambda: end_of(job), 300)
    events, end = list(read(job)), end_of(job)
    decisions = [event for event in events if not event.code.startswith("job_") and event.code != "finding"]
    attempts, lost, told = int(job.out or 0), end["lost"], sum(event.count for event in decisions)
    print(f"#    {what}: {attempts} attempts = {told} told by {len(decisions)} events + {lost} lost; {end['folded']} folded", flush=True)
    check.equal(f"{what}: all was refused", job.status, 0)
    check.equal(f"{what}: attempts are counted", (end["decisions"], end["denied"]["file"]), (attempts, attempts))
    check.equal(f"{what}: what events tell and what is lost are all there were", told + lost, attempts)
    check.equal(f"{what}: in kernel too", (end["delivered"], end["emitted"] + end["folded"], sum(end["lost_by_kind"].values())),
                (told, told, lost))
    check.equal(f"{what}: complete is true", end["complete"], lost == 0)
    check.that(f"{what}: lines are numbered without a gap", all(event.sequence == i for i, event in enumerate(events, 1)))
    check.that(f"{what}: times are in order", all(event.start <= event.end for event in decisions))
    return decisions, end


def has_firsts(check, what, job, decisions):
    """The kinds that came last, into a ring that was full, with their names."""
    firsts = {event.code: json.loads(event.line)["file"].get("path") for event in decisions if event.line}
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
    check.that("names were lost", all(end_of(job)["lost"] > 0 for job in jobs))
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


def masked(check, house, _):
    """Repeats by a process that becomes another, in name, group, user or program, are told under what it was at each."""
    other, python = f"{house.root}/other-python", os.path.realpath("/usr/bin/python3")
    shutil.copy(python, other)
    job = house.start(python, "-B", MASKS, f"{house.digits}/a", "300", other, alerts=f"{house.log}/masked.jsonl").finish()
    wait_for(job.end)
    told, folded = collections.Counter(), collections.Counter()
    for event in job.events():
        if event["metadata"]["event_code"] != "file_open_write":
            continue
        process = event["actor"]["process"]
        who = process["name"], event["unmapped"]["jobcage"]["gid"], process["user"]["uid"], process["file"]["path"]
        told[who] += event["count"]
        folded[who] += event["count"] > 1
    name = os.path.basename(python)
    expected = [(name, 0, "0", python), ("mask", 0, "0", python), ("mask", 4001, "0", python), ("mask", 4001, "4001", python),
                ("mask", 4001, "4001", other)]
    check.equal("masked: each is told of what it did", told, dict.fromkeys(expected, 300))
    check.that("masked: in counts", all(folded[who] for who in expected), folded)
    check.equal("masked: nothing is lost", (job.end()["lost"], job.end()["complete"]), (0, True))


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


def stopped_at_loss(check, house, _):
    """A job whose record has a hole is killed if its policy says so; one that loses nothing is not, nor one whose policy does not."""
    house.policy("strict", on_audit_loss="stop")

    def begin(policy, names):
        job_id = house.new_id()
        return house.start("sh", "-c", f"{FLOOD} $0 0 {names} $1/go $1/done-{job_id}; sleep 1000", house.digits, house.out,
                           job_id=job_id, policy=policy, alerts=f"{house.log}/{job_id}.jsonl")

    jobs = killed, quiet, lenient = begin("strict", 3000), begin("strict", 10), begin("plain", 3000)
    check.that("loss: they run", wait_for(lambda: all(house.running(job) for job in jobs)))
    with house.daemon.stopped():
        house.touch("go")
        check.that("loss: all is attempted", all(house.appears(f"done-{job.id}") for job in jobs))
    end = wait_for(lambda: end_of(killed), 30) or {}
    check.that("loss: something was lost", end.get("lost", 0) > 0 and not end["complete"], end)
    check.equal("loss: the job was killed", killed.process.wait(30), -signal.SIGKILL)
    codes = {event.code: json.loads(event.line) for event in read(killed) if event.line}
    check.that("loss: a finding says so", codes["finding"]["finding_info"]["title"] == "Evidence lost", codes["finding"]["message"])
    check.that("loss: the end says so", "on_audit_loss" in codes["job_end"]["status_detail"], codes["job_end"])
    check.equal("loss: who lost nothing runs", (quiet.process.poll(), end_of(quiet)), (None, {}))
    check.equal("loss: who may lose runs", (lenient.process.poll(), end_of(lenient)), (None, {}))
    for job in (quiet, lenient):
        house.ask("kill", job.id)
        job.process.wait()
        wait_for(lambda: end_of(job))
    check.equal("loss: only the lenient one's record has a hole", (end_of(quiet)["complete"], end_of(lenient)["complete"]), (True, False))
    tidy(house)


def full_queue(check, house, _):
    """The log of all jobs takes nothing, and one floods it: who does not loses no line, and is not stopped for what others lose."""
    house.policy("strict", on_audit_loss="stop")

    def begin(policy, names, go):
        job_id = house.new_id()
        return house.start("sh", "-c", f"{FLOOD} $0 0 {names} $1/{go} $1/done-{job_id}; while [ ! -e $1/end ]; do sleep 0.05; done",
                           house.digits, house.out, job_id=job_id, policy=policy)

    def log():
        return next(sink for sink in house.status(quiet.id)["sinks"] if sink["sink"] == house.site_alerts)

    flooder, quiet = begin("plain", 6000, "go-flood"), begin("strict", 30, "go-quiet")
    check.that("full queue: they run", wait_for(lambda: house.running(flooder) and house.running(quiet)))
    moved = f"{house.alerts}/moved"
    os.rename(house.site_alerts, moved)
    os.mkdir(house.site_alerts)
    house.touch("go-flood")
    check.that("full queue: all is attempted", house.appears(f"done-{flooder.id}"))
    check.that("full queue: lines are dropped", wait_for(lambda: log()["dropped"]))
    house.touch("go-quiet")
    check.that("full queue: the quiet one does its acts", house.appears(f"done-{quiet.id}"))
    time.sleep(4) # a job is stopped within two seconds
    check.equal("full queue: who lost nothing runs", quiet.process.poll(), None)
    os.rmdir(house.site_alerts)
    os.rename(moved, house.site_alerts)
    check.that("full queue: what waited is written", wait_for(lambda: log()["ok"] and not log()["waiting"]))
    house.touch("end")
    for job in (flooder, quiet):
        job.finish()
        wait_for(job.end)
    decisions = [event for event in quiet.events() if is_decision(event)]
    check.equal("full queue: its record is whole", (len(decisions), quiet.end()["complete"], quiet.end()["write_failures"]), (34, True, 0))
    check.that("full queue: the flood's has a hole, which is counted", not flooder.end()["complete"] and
               flooder.end()["write_failures"] > 0, flooder.end())
    tidy(house)


def killed_writers(check, house, _):
    """kill -9 at a write of many lines: before it, in its middle, and before it is noted. No event is lost or told twice."""
    for extent in ([], ["half"], ["done"]):
        what = f"killed writer: {extent[0] if extent else 'not'} written"
        job = start(house, 0, 400)
        wait_for(lambda: house.running(job))
        with subprocess.Popen([KILLPOINT, str(house.daemon.pid), "2", r'\{"time":', *extent], stdout=subprocess.PIPE, text=True) as killer:
            check.equal(f"{what}: watched", killer.stdout.readline(), "ready\n")
            house.touch("go")
            check.equal(f"{what}: by SIGKILL", house.daemon.process.wait(WAIT_S), -signal.SIGKILL)
        house.daemon.start()
        job.process.wait()
        decisions, end = account(check, what, job)
        check.equal(f"{what}: nothing is lost", (end["lost"], end["write_failures"], end["adopted"]), (0, 0, True))
        check.equal(f"{what}: none is told twice", len({event.record for event in decisions}), len(decisions))
        tidy(house)


def eight_jobs(acts, check, house, _):
    """So many denials, a tenth of them with names of their own, and nobody reads for ten seconds."""
    house.daemon.forget_peak()
    flood(check, house, 8, acts * 9 // 80, acts // 80, 10)
    print(f"#    the daemon's memory: at most {house.daemon.peak_kib()} KiB", flush=True)
    check.that("eight jobs: its memory is bounded", house.daemon.peak_kib() < MEMORY_KIB, house.daemon.peak_kib())
