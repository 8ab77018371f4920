# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What it costs to start and end a job (P5), beside a plain process and the containers that are nearest."""
import json
import os
import shutil
import subprocess

import jobs
from world import REST_S, ROOT, libraries, say, settle

TRUE = "/usr/bin/true"
BUNDLE = "/tmp/bundle"

# After each run: long enough for what it leaves behind to be done, the kernel's deferred work too, and the monitor of
# a job to end.
SHORT_MS, LONG_MS = 200, 2000


def spawns(world, what, cnt, pause_ms, *command):
    """Means of (instructions, latency, waits) of one run of the command, in nanoseconds."""
    say(f"start and end: {what}")
    return world.numbers("/bench/spawns", str(cnt), str(pause_ms), *command)


class Spawns:
    """The same, without what the machine does of itself in the pauses."""

    def __init__(self, world):
        self.world = world
        self.idle = {pause_ms: spawns(world, "nothing", 100, pause_ms)[0] for pause_ms in (SHORT_MS, LONG_MS)}

    def __call__(self, what, cnt, pause_ms, *command):
        instructions, latency, waits = spawns(self.world, what, cnt, pause_ms, *command)
        return instructions - self.idle[pause_ms], latency, waits


def crun_command():
    """The bundle that `crun spec` proposes, with true and its libraries as the whole root."""
    for path in [TRUE, *libraries(TRUE)]:
        target = f"{ROOT}{BUNDLE}/rootfs{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(path, target)
    subprocess.run(["crun", "spec", "--bundle", ROOT + BUNDLE], check=True)
    with open(f"{ROOT}{BUNDLE}/config.json", "r+", encoding="utf-8") as stream:
        spec = json.load(stream)
        spec["process"] |= {"terminal": False, "args": [TRUE]}
        stream.seek(0)
        stream.truncate()
        json.dump(spec, stream)
    return ("/usr/bin/crun", "run", "--bundle", BUNDLE, "bench")


def measure_rivals(measure):
    return {
        "fork+exec": measure("a plain process", 200, SHORT_MS, TRUE),
        "bwrap": measure("bwrap", 20, SHORT_MS, "/usr/bin/bwrap", "--ro-bind", "/", "/", TRUE),
    }


def measure_jobs(world, measure, policy):
    """Each form of the launcher; the embedded one also with nothing loaded, as the first job of a machine meets it."""
    found = {"jobcage --help": measure("jobcage --help", 20, SHORT_MS, jobs.JOBCAGE, "--help")}
    for form in jobs.forms(world):
        if form.name == "embedded":
            found["embedded, first job"] = measure("the first job", 2, LONG_MS, *form.launch(policy), TRUE)
        with form.ready(policy):
            found[form.name] = measure(f"a job, {form.name}", 20, LONG_MS, *form.launch(policy), TRUE)
    return found


def starts(world, result):
    jobs.write_site(world)
    policy = jobs.write_policy(world, "start")
    measure = Spawns(world)
    rivals = measure_rivals(measure)
    ours = measure_jobs(world, measure, policy)
    settle(REST_S)
    again = measure("a plain process again", 200, SHORT_MS, TRUE)
    result.steady("fork+exec of true", rivals["fork+exec"][1], again[1])
    # Last, because it changes the machine: from the first cgroup with a memory controller on, every fork costs more.
    rivals["crun"] = measure("crun", 10, LONG_MS, *crun_command())
    for who, (instructions, latency, waits) in ours.items():
        goal = rivals["bwrap"][0] if who in ("embedded", "daemon") else None
        for what, column, figure, unit, limit in (("start and end of true", 0, instructions, "instructions", goal),
                                                  ("  from fork to end", 1, latency, "ns", None),
                                                  ("  of that waiting", 2, waits, "ns", None)):
            result.row("P5", f"{what}: {who}", figure, unit, limit,
                       **{name: numbers[column] for name, numbers in rivals.items()})
    result.detail("starts", rivals | ours)
