#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""P6, the part that needs no kernel: from ring records to chained lines in a file, in processor time of this machine.

Usage: lines.py RESULT [RESULT-OF-A-VIRTUAL-MACHINE...]

The best of several runs: whatever else the machine does can only add to a time. The second thing that is timed here is a call
whose instructions were counted in the virtual machine: it says how long an attempt, counted there, takes here.
"""
import json
import os
import subprocess
import sys
import tempfile

from denials import CALLS, NOBODY, refusing_folder
from result import Result

RUNS = 5
RECORDS = 100000
LINES_PER_S = 200_000
# Of the rate of a consumer that only counts.
SHARE = 0.25
STAGES = (("decode", "record checked", None), ("event", "event as JSON", None), ("file", "chained line in a file", 1e9 / LINES_PER_S),
          ("call", "a creation that its folder's mode refuses, in no job", None))


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def run():
    """Nanoseconds a record, by stage, each of which has those before it in it; and of the call."""
    with tempfile.TemporaryDirectory(prefix="jobcage-bench-", dir="/dev/shm") as folder:
        output = output_of("build/bench/lines", folder, str(RECORDS))
    figures = {words[0]: float(words[1]) * 1000 for words in map(str.split, output.splitlines())}
    with refusing_folder() as folder:
        return figures | {"call": float(output_of("build/bench/denials", CALLS, folder, NOBODY))}


def against_attempts(result, machine, best):
    """What a core writes against what another core attempts, as long as that would take here; docs/bench.md says how it is converted."""
    counted = machine["details"].get("denials")
    if machine["rejected"] or "failed" in machine or not counted:
        return
    stages = {stage: float(us) * 1000 for stage, us in counted["stages"].items()}
    # Nanoseconds an instruction: of a call into the kernel, and of the controller's own code, which runs quicker.
    ns_of_call = best["call"] / counted["call"]
    ns_of_own_code = best["event"] / stages["event"]
    attempt = counted["own"] * ns_of_call
    # As little as a job can add to the call, and as much as the controller can need beside the line: to be woken and to read the ring.
    shortest = best["call"] + max(0, counted["own"] - counted["call"]) * ns_of_own_code
    longest = best["file"] + max(0, counted["whole"] - counted["own"] - stages["file"]) * ns_of_call
    result.row("P6", f"one attempt, converted from {machine['kernel']}", attempt, "ns")
    result.row("P6", "  lines against attempts of another core", attempt / best["file"], "x", SHARE, at_least=True)
    result.row("P6", "  the same, estimated to our disadvantage", shortest / longest, "x", SHARE, at_least=True)
    result.detail(f"attempt, {machine['kernel']}", {"ns_per_instruction": {"call": ns_of_call, "own_code": ns_of_own_code}, "attempt_ns": attempt,
                                                    "shortest_attempt_ns": shortest, "longest_line_ns": longest})


def main():
    result = Result(sys.argv[1], os.uname().release, "none")
    result.content["title"] = "This machine, processor time"
    runs = [run() for _ in range(RUNS)]
    best = {stage: min(figures[stage] for figures in runs) for stage in runs[0]}
    for stage, what, goal in STAGES:
        result.row("P6", what, best[stage], "ns", goal)
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as stream:
            against_attempts(result, json.load(stream), best)
    result.detail("lines", {"runs": runs, "lines_per_s": round(1e9 / best["file"])})
    del result.content["failed"]
    result.write()


if __name__ == "__main__":
    main()
