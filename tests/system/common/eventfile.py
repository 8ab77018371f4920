# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading an alert file that is still being written."""
import json
import os

from harness import wait_for


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
