# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading an alert file that is still being written."""
import glob
import json
import os
import subprocess

from harness import wait_for


OCSF_CHECK = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../ocsf/check"))


def complain_ocsf(*patterns):
    """What is wrong with the lines of all these files, held against the schema; a sentence each. That there are none is wrong too."""
    files = [file for pattern in patterns for file in glob.glob(pattern) if os.path.isfile(file) and os.path.getsize(file)]
    if not files:
        return ["there are no alerts"]
    result = subprocess.run([OCSF_CHECK, *files], capture_output=True, text=True, check=False)
    return [] if result.returncode == 0 else [result.stdout[-500:] + result.stderr[-500:]]


def whole_lines(path):
    """The lines that are complete. Read in one go: a loop over the file would take the half line at its end for one
    line and, if the writer has gone on meanwhile, its other half for the next."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as stream:
        return stream.read().split("\n")[:-1]


def record_until_end(path, seconds):
    """Every event of the one job whose file this is, once its end has been written."""
    def record():
        events = [json.loads(line) for line in whole_lines(path)]
        return events if events and events[-1]["metadata"]["event_code"] == "job_end" else None

    events = wait_for(record, seconds)
    if not events:
        raise RuntimeError(f"{path} has no end")
    return events
