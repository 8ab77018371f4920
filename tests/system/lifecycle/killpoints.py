# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
kill -9 at every system call that matters, of the launcher and of the monitor, from the first to the last.

strace counts the calls of each process by itself, so "the 12th bpf()" is the launcher's or the monitor's, whoever comes to it. Whatever
is hit: the command never does what is denied, and the next run leaves nothing of it.
"""
import collections
import os
import re
import subprocess

from harness import WAIT_S

CALLS = ["bpf", "mkdir", "openat", "write", "rename", "flock", "unlink", "rmdir", "sendto"]

# The denied act first; a breach is seen by its mark. Both are done within the process itself, before any other starts.
COMMAND = 'echo x 2>/dev/null >>$DIGITS/a && echo >$OUT/breach; echo >$OUT/ran'


def strace(world, job_id, inject):
    """Runs one job under strace; returns what it says, by process."""
    log = f"{world.log}/{job_id}.strace"
    wrap = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", log, "-e", "trace=" + ",".join(CALLS), *inject]
    job = world.shell(COMMAND, job_id=job_id, wrap=wrap)
    with open(log, encoding="utf-8", errors="replace") as stream:
        return job, stream.read()


def points(world):
    """How many of each call the busiest process makes: the monitor."""
    counts = collections.defaultdict(collections.Counter)
    for line in strace(world, world.new_id(), [])[1].splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            counts[match[1]][match[2]] += 1
    monitor = max(counts.values(), key=lambda count: count.total(), default={})
    return [(call, n) for call in CALLS for n in range(1, monitor[call] + 1)]


def sample(all_points, wanted):
    """Spread over all, and at least one of each call."""
    if wanted >= len(all_points):
        return all_points
    step = len(all_points) / wanted
    chosen = {all_points[int(i * step)] for i in range(wanted)}
    by_call = collections.defaultdict(list)
    for point in all_points:
        by_call[point[0]].append(point)
    return sorted(chosen | {found[len(found) // 2] for found in by_call.values()}, key=all_points.index)


def kill_at(check, world, point):
    call, n = point
    what = f"killed at {call}() number {n}"
    job, _ = strace(world, world.new_id(), ["-e", f"inject={call}:signal=SIGKILL:when={n}"])
    ran, breached = world.exists("ran"), world.exists("breach")
    check.that(f"{what}: nothing denied is done", not breached)
    check.that(f"{what}: the launcher fails, or the job runs", ran or job.status in (125, 137), f"status {job.status}: {job.err}")
    check.that(f"{what}: status 125 has one line", job.status != 125 or re.fullmatch(r"jobcage run: .+\n", job.err), job.err)
    check.that(f"{what}: status 125 and nothing ran", not (ran and job.status == 125))
    for name in ("ran", "breach"):
        if world.exists(name):
            os.unlink(f"{world.out}/{name}")
    return what, job


def sweep(check, world, what, victim):
    """The next run: it works, unharmed by what it has to clear away, and leaves nothing."""
    helper = world.shell("sleep 0.2; touch $OUT/swept")
    if not check.equal(f"{what}: the next run works", (helper.status, helper.err, world.exists("swept")), (0, "", True)):
        subprocess.run(["rm", "-f", f"{world.out}/swept"], check=True, timeout=WAIT_S)
    else:
        os.unlink(f"{world.out}/swept")
    world.whole(check, f"{what}: the next run", helper)
    world.settles(check, what)
    events = victim.events()
    numbers = [event["metadata"]["sequence"] for event in events]
    codes = [event["metadata"]["event_code"] for event in events]
    check.equal(f"{what}: its lines are numbered without gap or repeat", numbers, [*range(1, len(numbers) + 1)])
    check.that(f"{what}: its record has one start and one end, or none",
               not codes or (codes[0], codes[-1]) == ("job_start", "job_end") and codes.count("job_end") == codes.count("job_start") == 1,
               codes)


def warm(check, world, wanted):
    """With the programs loaded: from launch to end."""
    for point in sample(points(world), wanted):
        what, victim = kill_at(check, world, point)
        sweep(check, world, what, victim)


def cold(check, world, wanted):
    """With nothing loaded: what is killed is also the loading, and the removal."""
    for point in sample_cold(points(world), wanted):
        what, victim = kill_at(check, world, point)
        sweep(check, world, what, victim)


def sample_cold(all_points, wanted):
    """Each costs two loads. The few: while pinning, at the rename, while removing."""
    if wanted >= len(all_points):
        return all_points
    last_unlink = max(n for call, n in all_points if call == "unlink")
    few = [("rename", 1), ("unlink", last_unlink // 2)]
    return (few + sample(all_points, wanted - len(few)))[:max(wanted, 1)] if wanted > len(few) else few[:wanted]
