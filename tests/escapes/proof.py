# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Testing the tester: a hook is taken away while a job runs, and the suite must notice that the attempt succeeds."""
import glob
import io
import os

from harness import Check, wait_for
import attempts
import catalogue
import crew

ROW = next(row for row in catalogue.table() if row.name == 'F01 mkdir')
PINS = '/sys/fs/bpf/jobcage/*/link_file_path_mkdir'


def complaints(cage, world, shell):
    """What the suite says of the attempt now."""
    said = io.StringIO()
    noticed = Check(said)
    attempts.try_closed(noticed, cage, world, shell, [ROW], 'root')
    return said.getvalue() if noticed.failed else ''


def run(check, cage, world):
    """The last section: from here on, no job is whole."""
    shell = crew.Job(cage, 'proof', 'root').shell()
    check.equal('with its hook, nothing to complain of', complaints(cage, world, shell), '')
    for pin in glob.glob(PINS):
        os.unlink(pin)
    # A link is let go after a grace period.
    said = wait_for(lambda: complaints(cage, world, shell), 30)
    check.matches('without its hook, the attempt is seen to succeed', said, 'F01 mkdir fails in a job')
    check.matches('and the dataset to have changed', said, 'F01 mkdir changes nothing')
    shell.close()
