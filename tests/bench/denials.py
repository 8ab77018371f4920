# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What one denial costs, from the attempt to its line in a file (P6)."""
import contextlib
import json
import os
import statistics
import tempfile

import jobs
from start import Spawns, LONG_MS
from world import ROOT, Failed

LOG = "/var/log/jobcage/alerts.jsonl"

# So many records a ring holds, whoever reads it: no run may lose one, for the lost ones are cheaper.
DENIALS = 300
# A job makes few attempts, and jobs differ by some percent: so the mean of several.
JOBS = 10
# The same call where no job is: of a user to whom the folder's mode refuses it.
CALLS, NOBODY = "50000", "65534"


@contextlib.contextmanager
def refusing_folder():
    """On tmpfs and under a path of the same shape everywhere, so that the call is the same."""
    with tempfile.TemporaryDirectory(prefix="jobcage-bench-", dir="/dev/shm") as folder:
        os.chmod(folder, 0o755)
        yield folder


def refused_call(world):
    """Its instructions in the machine; lines.py has its time."""
    with refusing_folder() as folder:
        return world.numbers("/bench/denials", CALLS, folder, NOBODY)[0]


def whole_records():
    """Whether every job has said at its end that nothing is missing; and how many of them there were."""
    with open(ROOT + LOG, encoding="utf-8") as stream:
        ends = [event for event in map(json.loads, stream) if event["metadata"].get("event_code") == "job_end"]
    if not ends or not all(end["unmapped"]["jobcage"]["complete"] for end in ends):
        raise Failed("records were lost: fewer denials, or a quicker reader")
    return len(ends)


def denials(world, result):
    jobs.write_site(world)
    policy = jobs.write_policy(world, "denials")
    call = refused_call(world)
    measure = Spawns(world)
    form = jobs.forms(world)[-1]
    command = (*form.launch(policy), "/bench/denials")
    with form.ready(policy):
        own = statistics.mean(world.numbers(*command, str(DENIALS), "/data/set")[0] for _ in range(JOBS))
        none = measure("a job without denials", JOBS, LONG_MS, *command, "0", "/data/set")[0]
        some = measure("a job with denials", JOBS, LONG_MS, *command, str(DENIALS), "/data/set")[0]
    cost = (some - none) / DENIALS
    # Where the processor has instructions for it, as this virtual one has not, a hash takes a tenth of that.
    stages = dict(line.split()[:2] for line in world.run("/bench/lines", "/tmp", "2000").splitlines())
    result.row("P6", "a creation that its folder's mode refuses, in no job", call, "instructions")
    result.row("P6", "one denial: the attempt, with its record", own, "instructions")
    result.row("P6", "one denial: from the attempt to its line in a file", cost, "instructions")
    result.row("P6", "  of that its SHA-256", float(stages["hash"]) * 1000, "instructions")
    result.detail("denials", {"stages": stages, "call": call, "own": own, "whole": cost, "jobs": whole_records()})
