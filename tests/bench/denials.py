# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What one denial costs, from the attempt to its line in a file (P6)."""
import json

import jobs
from start import Spawns, LONG_MS
from world import ROOT, Failed

LOG = "/var/log/jobcage/alerts.jsonl"

# So many records a ring holds, whoever reads it: no run may lose one, for the lost ones are cheaper.
DENIALS = 300
# Of the rate at which somebody who only counts could be told.
SHARE = 0.25


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
    measure = Spawns(world)
    form = jobs.forms(world)[-1]
    command = (*form.launch(policy), "/bench/denials")
    with form.ready(policy):
        own = world.numbers(*command, str(DENIALS), "/data/set")[0]
        none = measure("a job without denials", 10, LONG_MS, *command, "0", "/data/set")[0]
        some = measure("a job with denials", 10, LONG_MS, *command, str(DENIALS), "/data/set")[0]
    cost = (some - none) / DENIALS
    # Where the processor has instructions for it, as this virtual one has not, a hash takes a tenth of that.
    stages = dict(line.split()[:2] for line in world.run("/bench/lines", "/tmp", "2000").splitlines())
    result.row("P6", "one denial: the attempt, with its record", own, "instructions")
    result.row("P6", "one denial: from the attempt to its line in a file", cost, "instructions", own / SHARE)
    result.row("P6", "  of that its SHA-256", float(stages["hash"]) * 1000, "instructions")
    result.detail("denials", {"stages": stages, "own": own, "whole": cost, "share": own / cost, "jobs": whole_records()})
