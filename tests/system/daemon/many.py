# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A thousand jobs at once, and ten thousand one after the other: all under their rules, and nothing adds up."""
import collections
import contextlib
import glob
import json
import os
import resource
import subprocess
import time

from harness import wait_for
from toil import ATTEMPTS, Toil
import traces

# Jobs that are being started at the same time, and how often each of the crowd attempts what is denied.
LANES, PERIOD_MS = 8, 10000
# After a warm-up, what the daemon may hold more (the allocator's scatter), and what it may hold at all.
GROWN_KIB, RSS_KIB = 256, 8 * 1024
# Of its own memory: its view of the rings is not its own.
PER_JOB_KIB = 12

SECRET_REFUSED = "Permission denied"


class Account:
    """What the daemon and the kernel hold for jobs."""

    def __init__(self, house):
        with open(f"/proc/{house.daemon.pid}/status", encoding="ascii") as stream:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in stream if ":\t" in line)
        self.rss_kib, self.anonymous_kib = (int(status[name].split()[0]) for name in ("VmRSS", "RssAnon"))
        self.threads = int(status["Threads"])
        self.fds = house.daemon.fd_cnt()
        self.files = sorted(os.path.relpath(path, "/run/jobcage") for path in glob.glob("/run/jobcage/*") + glob.glob("/run/jobcage/*/*"))
        self.cgroups = len(traces.cgroups())
        self.labelled_cgroups = labelled_cgroups()

    def __str__(self):
        return f"{self.rss_kib} KiB resident, {self.anonymous_kib} of it its own, {self.fds} descriptors, {self.threads} threads"


def labelled_cgroups():
    """Entries of job_by_cgroup: one for each job, as long as there is one."""
    pin = glob.glob(f"{traces.PIN_ROOT}/*/**/job_by_cgroup", recursive=True)
    shown = subprocess.run(["bpftool", "--json", "map", "dump", "pinned", *pin], capture_output=True, text=True, check=True)
    return len(json.loads(shown.stdout))


def same_as(check, house, what, before):
    """Of all that jobs had, nothing is left."""
    wait_for(lambda: Account(house).threads <= before.threads and Account(house).cgroups <= before.cgroups, 30)
    now = Account(house)
    for name in ("threads", "fds", "files", "cgroups", "labelled_cgroups"):
        check.equal(f"{what}: {name}", getattr(now, name), getattr(before, name))
    print(f"#    {what}: {now}", flush=True)
    return now


def events_of(path):
    """The lines of each job."""
    found = collections.defaultdict(list)
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            event = json.loads(line)["metadata"]
            found[event["correlation_uid"]].append((event["event_code"], event["sequence"]))
    return found


def complete(check, what, path, ids, denials):
    """Each job has its whole record, and at least so many denials in it. Returns how many denials there were."""
    found, bad, cnt = events_of(path), [], 0
    for job_id in ids:
        codes = [code for code, _ in found[job_id]]
        denied = len(codes) - 2
        cnt += denied
        if (codes[:1] != ["job_start"] or codes[-1:] != ["job_end"] or denied < denials or
                [number for _, number in found[job_id]] != [*range(1, len(codes) + 1)]):
            bad.append((job_id, codes))
    check.equal(f"{what}: jobs without a whole record", bad[:3], [])
    check.equal(f"{what}: records of other jobs", set(found) - set(ids), set())
    return cnt


@contextlib.contextmanager
def own_alerts(house, name):
    """Apart from what is checked line by line later: there is very much of it."""
    path = f"{house.root}/{name}.jsonl"
    yield path
    os.unlink(path)


def started(house, cnt, alerts):
    """So many jobs that wait for the word, a few starting at a time."""
    jobs, starting = [], []
    for _ in range(cnt):
        jobs.append(Toil(house, period_ms=PERIOD_MS, alerts=alerts))
        starting.append(jobs[-1])
        if len(starting) == LANES:
            wait_for(lambda: any(job.is_up() for job in starting))
            starting = [job for job in starting if not job.is_up()]
    wait_for(lambda: all(job.is_up() for job in jobs))
    return jobs


def at_once(check, house, cnt):
    """All run at the same time, are denied what they must be, are known to the daemon, and end."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, hard), hard))
    before, start = Account(house), time.monotonic()
    with own_alerts(house, "crowd") as alerts:
        jobs = started(house, cnt, alerts)
        print(f"#    {cnt} jobs started in {time.monotonic() - start:.0f} s", flush=True)
        check.equal("all run", sum(job.goes() for job in jobs), cnt)
        check.that("each is denied, again and again", wait_for(lambda: all(job[ATTEMPTS] >= 2 for job in jobs)))
        amid = Account(house)
        print(f"#    {cnt} jobs: {amid}", flush=True)
        check.equal("jobcage jobs lists all", set(house.job_ids()), {job.job.id for job in jobs} | {"keeper"})
        check.equal("each has a cgroup of its own", (amid.cgroups, amid.labelled_cgroups), (before.cgroups + cnt, before.labelled_cgroups + cnt))
        grown = amid.anonymous_kib - before.anonymous_kib
        check.that("the daemon's memory for each is small", grown <= cnt * PER_JOB_KIB, f"{grown / cnt:.1f} KiB")
        ended = end_all(check, house, jobs)
        denials = complete(check, f"{cnt} jobs", alerts, ended, 2)
    check.equal("every attempt is an event", denials, sum(job[ATTEMPTS] for job in jobs))
    same_as(check, house, f"after {cnt} jobs", before)
    house.settles(check, f"{cnt} jobs")


def end_all(check, house, jobs):
    start = time.monotonic()
    for job in jobs:
        job.end()
    check.equal("all end by themselves", {job.job.finish().status for job in jobs}, {0})
    check.that("the daemon knows", wait_for(lambda: house.job_ids() == ["keeper"]), house.job_ids()[:3])
    print(f"#    ended in {time.monotonic() - start:.0f} s", flush=True)
    check.equal("attempts that succeeded", sum(job.breaches for job in jobs), 0)
    check.equal("allowed acts that were refused", sum(job.refusals for job in jobs), 0)
    return [job.job.id for job in jobs]


def run_in_lanes(house, first, cnt, alerts):
    """Jobs that try to read what is denied, some at a time. What they printed, and what they complained of."""
    command = ["xargs", "-P", str(LANES), "-I{}", house.jobcage, "run", "--policy", "plain", "--alerts", alerts, "--job", "cycle{}", "--",
               "cat", f"{house.patients}/p"]
    numbers = "\n".join(str(number) for number in range(first, first + cnt))
    return subprocess.run(command, input=numbers, capture_output=True, text=True, check=False)


def cycle(check, house, first, cnt):
    start = time.monotonic()
    what = f"jobs {first} to {first + cnt - 1}"
    with own_alerts(house, "cycles") as alerts:
        result = run_in_lanes(house, first, cnt, alerts)
        check.equal(f"{what}: secrets that were read", result.stdout, "")
        refusals = collections.Counter(line.endswith(SECRET_REFUSED) for line in result.stderr.splitlines())
        check.equal(f"{what}: refused", refusals, {True: cnt})
        check.that(f"{what}: all end", wait_for(lambda: house.job_ids() == ["keeper"]), house.job_ids()[:3])
        complete(check, what, alerts, [f"cycle{number}" for number in range(first, first + cnt)], 1)
    print(f"#    {what}: {time.monotonic() - start:.0f} s", flush=True)


def cycles(check, house, cnt):
    """Started and ended, over and over: what the daemon holds after the last thousand is what it held after the first."""
    before = Account(house)
    cycle(check, house, 1, 1000)
    early = same_as(check, house, "after 1000 jobs", before)
    for first in range(1001, cnt, 1000):
        cycle(check, house, first, min(1000, cnt - first + 1))
    late = same_as(check, house, f"after {cnt} jobs", before)
    check.that("the daemon's memory stays", late.rss_kib <= early.rss_kib + GROWN_KIB, f"{early.rss_kib} KiB, then {late.rss_kib}")
    check.that("and is small", late.rss_kib <= RSS_KIB, f"{late.rss_kib} KiB")
    house.settles(check, f"{cnt} jobs, one after the other")
