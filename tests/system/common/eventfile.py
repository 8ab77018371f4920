# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading an alert file that is still being written."""
import glob
import json
import os
import re
import subprocess

from harness import wait_for

# What every line of a file ends with: its place in the chain.
END_OF_LINE = '"}}}'
JOB = re.compile('"correlation_uid":"([^"]*)"')
TAIL = 256  # a line's end tells it from every other line: its hash is in it


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


class Reader:
    """
    An alert file, whose lines are read and parsed once, however often one waits for another: a file of many jobs has thousands. Not
    a line that is half written, nor what a killed writer left of one.
    """

    def __init__(self, path):
        self.path = path
        self.file, self.offset, self.tail, self.jobs = None, 0, b"", {}

    def events(self, job_id):
        """Those of one job, in their order."""
        self.read_on()
        lines, events = self.jobs.get(job_id, ([], []))
        events += [event for event in map(json.loads, lines) if event["metadata"].get("correlation_uid") == job_id]
        lines.clear()
        return events[:]

    def read_on(self):
        try:
            with open(self.path, "rb") as stream:
                self.go_where_it_was(stream)
                text = stream.read()
        except FileNotFoundError:
            text, self.offset, self.tail, self.jobs = b"", 0, b"", {}
        whole = text[:text.rfind(b"\n") + 1]
        self.offset += len(whole)
        self.tail = (self.tail + whole[-TAIL:])[-TAIL:]
        for line in whole.decode().split("\n"):
            job = line.endswith(END_OF_LINE) and JOB.search(line)
            if job:
                self.jobs.setdefault(job[1], ([], []))[0].append(line)

    def go_where_it_was(self, stream):
        """At the beginning, if this is another file or its lines are others now."""
        stat = os.fstat(stream.fileno())
        stream.seek(max(self.offset - TAIL, 0))
        if (stat.st_dev, stat.st_ino) != self.file or stream.read(len(self.tail)) != self.tail:
            stream.seek(0)
            self.file, self.offset, self.tail, self.jobs = (stat.st_dev, stat.st_ino), 0, b"", {}


def record_until_end(path, seconds):
    """Every event of the one job whose file this is, once its end has been written."""
    def record():
        lines = whole_lines(path)
        return lines if lines and json.loads(lines[-1])["metadata"]["event_code"] == "job_end" else None

    lines = wait_for(record, seconds)
    if not lines:
        raise RuntimeError(f"{path} has no end")
    return [json.loads(line) for line in lines]
