# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The daemon under killpoint: its system calls are listed, and it is killed at one of them."""
import os
import subprocess

from cage import PROJECT
from harness import wait_for

KILLPOINT = os.environ.get("JOBCAGE_KILLPOINT", f"{PROJECT}/build/tests/killpoint")


class Watched:
    """The daemon's calls, from here on; it is killed at the one of that number, of all or of those that match the pattern."""

    def __init__(self, house, number=0, *pattern):
        self.log = f"{house.log}/killpoint"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([KILLPOINT, str(house.daemon.pid), str(number), *pattern], stdout=log)
        wait_for(lambda: self.lines(0))

    def lines(self, first=1):
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            return stream.read().splitlines()[first:]

    def end(self):
        self.process.kill()
        self.process.wait()
        return self.lines()


def die_at(house, number, pattern, act):
    """The daemon dies as it enters that call."""
    watched = Watched(house, number, pattern)
    act()
    died = wait_for(lambda: not house.daemon.is_alive(), 20)
    watched.end()
    house.daemon.process.wait(20)
    return died
