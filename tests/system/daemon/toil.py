# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Jobs that keep attempting what is denied and using what is allowed, and keep an exact account of it; see toil.c."""
import mmap
import os
import struct
import subprocess

from cage import PROJECT, is_decision
from harness import wait_for

TOIL = os.environ.get("JOBCAGE_TOIL", f"{PROJECT}/build/tests/toil")
SIZE = 72
PHASE, ATTEMPTS, BREACHES, USES, REFUSALS, THREADS, ROUNDS, WRONG, UNFORKED = range(0, SIZE, 8)
DENIED_PEERS = ("192.0.2.1", "2001:db8::1")  # no policy of the tests has a rule for them


class Account:
    """What one toil does, whoever started it: self.process."""

    def __init__(self, house, name, threads, uses, program=TOIL):
        self.program = program
        self.file = f"{house.out}/{name}.account"
        house.write(self.file, "\0" * SIZE)
        os.chmod(self.file, 0o666)
        with open(self.file, "r+b") as stream:
            self.map = mmap.mmap(stream.fileno(), SIZE)
        self.threads = threads
        self.forbidden = [f"write:{house.digits}/a", f"read:{house.patients}/p", f"exec:{house.denied_program}",
                          *(f"connect:{peer}" for peer in DENIED_PEERS)]
        self.allowed = [f"write:{self.file}", f"read:{house.digits}/a", "exec:/usr/bin/true", *uses]

    def command(self, period_ms):
        return [self.program, self.file, str(period_ms), str(self.threads), *self.forbidden, "--", *self.allowed]

    def __getitem__(self, at):
        return struct.unpack_from("Q", self.map, at)[0]

    def set_phase(self, phase):
        """0 rest, 1 toil, 2 end."""
        struct.pack_into("Q", self.map, PHASE, phase)

    def goes(self):
        """Waits until it runs, and lets it toil."""
        is_up = wait_for(lambda: self[THREADS] == self.threads or self.process.poll() is not None)
        self.set_phase(1)
        return is_up and self.process.poll() is None

    def end(self):
        self.set_phase(2)

    def attempts_on(self, more=1):
        """Waits for so many rounds more: the first of them may have begun before."""
        before = self[ROUNDS]
        return wait_for(lambda: self[ROUNDS] >= before + more)

    def wrong(self):
        """The acts that were let or refused against the policy."""
        return [act for i, act in enumerate([*self.forbidden, "--", *self.allowed]) if self[WRONG] >> i & 1]

    def judge(self, check, what):
        """It was let do what it may, and nothing else."""
        check.equal(f"{what}: attempts that succeeded, allowed acts and forks that were refused",
                    (self[BREACHES], self[REFUSALS], self[UNFORKED], self.wrong()), (0, 0, 0, []))
        check.that(f"{what}: there were some of both", self[ATTEMPTS] and self[USES])


class Toil(Account):
    """One that is a job from its start."""

    def __init__(self, house, period_ms=20, threads=1, uses=(), program=TOIL, **how):
        job_id = how.pop("job_id", None) or house.new_id()
        super().__init__(house, job_id, threads, uses, program)
        self.job = house.start(*self.command(period_ms), job_id=job_id, **how)
        self.process = self.job.process

    def goes(self):
        """What refuses it is said."""
        goes = super().goes()
        if self.process.poll() is not None:
            print(f"not started: {self.job.id}: {self.job.err}", flush=True)
        return goes

    def rest(self):
        """Until it is told otherwise; and all that it has attempted is in its record."""
        self.set_phase(0)
        return wait_for(lambda: sum(event["count"] for event in self.job.events() if is_decision(event)) == self[ATTEMPTS])


class Stranger(Account):
    """One that is no job, yet."""

    def __init__(self, house, name, period_ms=20, threads=1):
        super().__init__(house, name, threads, ())
        self.process = subprocess.Popen(self.command(period_ms))
