# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
kill -9 at every system call that matters, of the launcher and of the monitor, from the first to the last.

With the programs loaded by another job, a point costs two seconds and all of them can be tried (--soak). Loading and removing the programs
themselves takes half a minute a point: of what happens only then, a sample is tried.

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

# Where one thing is done and what belongs to it is not: hit in every run, whatever the sample. The call is the one that a
# pattern's end is in; what may stand before it is earlier calls.
CROSSROADS = [
    r"O_TMPFILE.*?\n.*?bpf\(",  # the state file is there, the job's slot still looks free
    r'map_name="roots"',       # the job's slot is taken, its policy's still looks free
    r"cgroup\.procs",          # the first process has its label, but not its cgroup
    r"sendto\(",               # all is in force, and the launcher does not know it
    r"write\(.*job_end",       # all is known of the end, and nothing is written
    r"cgroup\.kill",           # the end is written, and the job is still there
    r"BPF_MAP_DELETE_ELEM",    # the slots are half free again
    r"unlink\(.*\.json",       # all but the job's files is gone
    r"unlink\(.*\.progress",   # the job's own file is gone, but not those beside it
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
    how = ["-e", inject] if inject else ["--seccomp-bpf", "-s", "4096"]
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
    text = "\n".join(line for _, _, line in all_points)
    found = [re.search(pattern, text, re.DOTALL if r"\n" in pattern else 0) for pattern in CROSSROADS]
    return [all_points[text.count("\n", 0, match.end())] for match in found if match]


def spread(all_points, wanted):
    """That many of them, evenly."""
    return [all_points[(2 * i + 1) * len(all_points) // (2 * wanted)] for i in range(wanted)]


def only_cold(all_points):
    """What is done only when nothing is loaded: until the pins have their name, and from the end of the job's files on."""
    named = next(i for i, point in enumerate(all_points) if point[0] == "rename")
    removed = next(i for i, point in enumerate(all_points) if re.search(r"unlink\(.*\.progress", point[2]))
    return all_points[:named + 1] + all_points[removed + 1:]


def kill_at(check, world, point, is_certain):
    """Returns what was done, the job, and whether it was killed there."""
    call, n, line = point
    what = f"killed at {call}() number {n} ({line.split(None, 1)[-1][:70]})"
    # How often a monitor looks around before its end depends on the clock: a run may end without that call.
    for _ in range(3):
        job, log = strace(world, world.new_id(), f"inject={call}:signal=SIGKILL:when={n}")
        if was_killed := "killed by SIGKILL" in log:
            break
    check.that(f"{what}: it was", was_killed or not is_certain)
    ran, breached = world.exists("ran"), world.exists("breach")
    check.that(f"{what}: nothing denied is done", not breached)
    check.that(f"{what}: the launcher fails, or the job runs", ran or job.status in (125, 137), f"status {job.status}: {job.err}")
    check.that(f"{what}: status 125 has one line", job.status != 125 or re.fullmatch(r"jobcage run: .+\n", job.err), job.err)
    check.that(f"{what}: status 125 and nothing ran", not (ran and job.status == 125))
    return what, job, was_killed


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


def kill_and_sweep(check, world, chosen, certain):
    """certain: those that every run comes to. A point that hangs is a failure, and the others are still tried."""
    killed = 0
    for point in chosen:
        try:
            what, victim, was_killed = kill_at(check, world, point, point in certain)
            sweep(check, world, what, victim)
            killed += was_killed
        except subprocess.TimeoutExpired:
            check.that(f"killed at {point[0]}() number {point[1]}: all ends in time", False)
    check.that("killed at most of the points", killed * 10 >= len(chosen) * 9, f"{killed} of {len(chosen)}")


def warm(check, world, is_soak):
    """With the programs loaded: from launch to end."""
    # Makes the ring that the slot keeps for its next jobs: so all runs from here on make the same calls.
    world.shell("true")
    world.settles(check, "the first run")
    all_points = points(world)
    check.equal("every crossroads is found", len(crossroads(all_points)), len(CROSSROADS))
    certain = crossroads(all_points)
    sample = {*spread(all_points, 6), *certain}
    kill_and_sweep(check, world, all_points if is_soak else sorted(sample, key=all_points.index), certain)


def cold(check, world, is_soak):
    """With nothing loaded: what is killed is also the loading, and the removal."""
    chosen = [("rename", 1, "of the pins")]
    if is_soak:
        all_points = only_cold(points(world))
        check.that("the loading is seen call by call", len(all_points) > 100, len(all_points))
        chosen += spread(all_points, 20)
    kill_and_sweep(check, world, chosen, chosen[:1])
    check.that("the last job takes the pins along", not os.path.exists(traces.PIN_ROOT))
