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
import traces

CALLS = ["bpf", "mkdir", "openat", "write", "rename", "flock", "unlink", "rmdir", "sendto"]

# Where one thing is done and what belongs to it is not: hit in every run, whatever the sample.
CROSSROADS = [
    r"BPF_MAP_TYPE_RINGBUF",   # the state file is there, the job's slot still looks free
    r'map_name="roots"',       # the job's slot is taken, its policy's still looks free
    r"cgroup\.procs",          # the first process has its label, but not its cgroup
    r"sendto\(",               # all is in force, and the launcher does not know it
    r"cgroup\.kill",           # the end is written, and the job is still there
    r"BPF_MAP_DELETE_ELEM",    # the slots are half free again
    r"unlink\(.*\.progress",   # all but the job's files is gone
    r"unlink\(.*\.json",       # the job's file has lost its other half
]

# The denied act first; a breach is seen by its mark. Both are done within the process itself, before any other starts.
COMMAND = 'echo x 2>/dev/null >>$DIGITS/a && echo >$OUT/breach; echo >$OUT/ran'


def strace(world, job_id, inject=None):
    """Runs one job under strace; returns the job and what strace wrote."""
    for name in ("ran", "breach"):
        if world.exists(name):
            os.unlink(f"{world.out}/{name}")
    log = f"{world.log}/{job_id}.strace"
    # --seccomp-bpf is quick, but strace drops the signals that it is to inject.
    how = ["-e", inject] if inject else ["--seccomp-bpf"]
    wrap = ["strace", "-f", "-q", "-o", log, "-e", "trace=" + ",".join(CALLS), *how]
    job = world.shell(COMMAND, job_id=job_id, wrap=wrap)
    with open(log, encoding="utf-8", errors="replace") as stream:
        return job, stream.read()


def points(world):
    """All calls of the busiest process, the monitor: (call, its number, the line that strace writes of it), in their order."""
    by_process = collections.defaultdict(list)
    for line in strace(world, world.new_id())[1].splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            calls = by_process[match[1]]
            calls.append((match[2], 1 + sum(call == match[2] for call, _, _ in calls), line))
    return max(by_process.values(), key=len, default=[])


def crossroads(all_points):
    found = [next((point for point in all_points if re.search(pattern, point[2])), None) for pattern in CROSSROADS]
    return [point for point in found if point]


def sample(all_points, wanted):
    """Spread over all, besides the crossroads."""
    step = max(1, len(all_points) // max(wanted, 1))
    return sorted({*all_points[step // 2::step], *crossroads(all_points)}, key=all_points.index)


def kill_at(check, world, point):
    call, n, line = point
    what = f"killed at {call}() number {n} ({line.split(None, 1)[-1][:70]})"
    job, log = strace(world, world.new_id(), f"inject={call}:signal=SIGKILL:when={n}")
    check.that(f"{what}: it was", "killed by SIGKILL" in log)
    ran, breached = world.exists("ran"), world.exists("breach")
    check.that(f"{what}: nothing denied is done", not breached)
    check.that(f"{what}: the launcher fails, or the job runs", ran or job.status in (125, 137), f"status {job.status}: {job.err}")
    check.that(f"{what}: status 125 has one line", job.status != 125 or re.fullmatch(r"jobcage run: .+\n", job.err), job.err)
    check.that(f"{what}: status 125 and nothing ran", not (ran and job.status == 125))
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
    all_points = points(world)
    check.equal("every crossroads is found", len(crossroads(all_points)), len(CROSSROADS))
    for point in sample(all_points, wanted):
        what, victim = kill_at(check, world, point)
        sweep(check, world, what, victim)


def cold(check, world, is_soak):
    """With nothing loaded: what is killed is also the loading, and the removal. Each costs two loads."""
    chosen = points(world) if is_soak else [("rename", 1, "of the pins")]
    check.that("there is something to kill", chosen)
    for point in chosen:
        what, victim = kill_at(check, world, point)
        sweep(check, world, what, victim)
    check.that("the last job takes the pins along", not os.path.exists(traces.PIN_ROOT))
