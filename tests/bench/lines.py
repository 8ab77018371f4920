#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""P6, the part that needs no kernel: from ring records to chained lines in a file, in processor time of this machine.

Usage: lines.py RESULT

The best of several runs: whatever else the machine does can only add to a time.
"""
import os
import subprocess
import sys
import tempfile

from result import Result

RUNS = 5
RECORDS = 100000
LINES_PER_S = 200_000
STAGES = (("decode", "record checked"), ("event", "event as JSON"), ("file", "chained line in a file"))


def run(folder):
    """Nanoseconds a record, by stage; each has those before it in it."""
    output = subprocess.run(["build/bench/lines", folder, str(RECORDS)], check=True, capture_output=True, text=True).stdout
    return {words[0]: float(words[1]) * 1000 for words in map(str.split, output.splitlines())}


def main():
    result = Result(sys.argv[1], os.uname().release, "none")
    result.content["title"] = "This machine, processor time"
    with tempfile.TemporaryDirectory(prefix="jobcage-bench-", dir="/dev/shm") as folder:
        runs = [run(folder) for _ in range(RUNS)]
    best = {stage: min(figures[stage] for figures in runs) for stage in runs[0]}
    for stage, what in STAGES:
        result.row("P6", what, best[stage], "ns", 1e9 / LINES_PER_S if stage == "file" else None)
    result.detail("lines", {"runs": runs, "lines_per_s": round(1e9 / best["file"])})
    del result.content["failed"]
    result.write()


if __name__ == "__main__":
    main()
