# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Jobs that keep attempting what is denied and using what is allowed, and keep an exact account of it; see toil.c."""
import mmap
import os
import struct

from cage import PROJECT, is_decision
from harness import wait_for

TOIL = os.environ.get("JOBCAGE_TOIL", f"{PROJECT}/build/tests/toil")
PHASE, ATTEMPTS, BREACHES, USES, REFUSALS, THREADS = range(0, 48, 8)


class Toil:
    def __init__(self, house, period_ms=20, threads=1, **how):
        job_id = how.pop("job_id", None) or house.new_id()
        self.account = f"{house.out}/{job_id}.account"
        house.write(self.account, "\0" * 48)
        os.chmod(self.account, 0o666)
        with open(self.account, "r+b") as stream:
            self.map = mmap.mmap(stream.fileno(), 48)
        self.threads = threads
        self.job = house.start(TOIL, self.account, str(period_ms), str(threads), f"{house.digits}/a", self.account, job_id=job_id, **how)

    def __getitem__(self, at):
        return struct.unpack_from("Q", self.map, at)[0]

    def goes(self):
        """Waits until it runs, and lets it toil. What refuses it is said."""
        is_up = wait_for(lambda: self[THREADS] == self.threads or self.job.process.poll() is not None)
        struct.pack_into("Q", self.map, PHASE, 1)
        if self.job.process.poll() is not None:
            print(f"not started: {self.job.id}: {self.job.err}", flush=True)
        return is_up and self.job.process.poll() is None

    def end(self):
        struct.pack_into("Q", self.map, PHASE, 2)

    def rest(self):
        """Until it is told otherwise; and all that it has attempted is in its record."""
        struct.pack_into("Q", self.map, PHASE, 0)
        return wait_for(lambda: sum(event["count"] for event in self.job.events() if is_decision(event)) == self[ATTEMPTS])

    def attempts_on(self, more=1):
        """Waits for so many attempts more."""
        before = self[ATTEMPTS]
        return wait_for(lambda: self[ATTEMPTS] >= before + more)

    def judge(self, check, what):
        """It was let do what it may, and nothing else."""
        check.equal(f"{what}: attempts that succeeded", self[BREACHES], 0)
        check.equal(f"{what}: allowed acts that were refused", self[REFUSALS], 0)
        check.that(f"{what}: there were some of both", self[ATTEMPTS] and self[USES])
