# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Counts what holds and what does not. A check never raises: one failure must not hide the ones behind it."""
import re
import sys
import time

WAIT_S = 120  # for anything that happens in the end; an emulated machine on a busy host is slow


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def wait_for(condition, seconds=WAIT_S):
    """Polls until condition() is true; its last answer. It rests as long as it looks: what it waits for needs the machine too."""
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        answer, now = condition(), time.monotonic()
        if answer or now >= deadline:
            return answer
        time.sleep(min(max(now - asked, 0.02), 0.5))


def wait_for_equal(question, wanted, seconds=WAIT_S):
    """Polls until question() is what is wanted; its last answer."""
    answer = None

    def is_wanted():
        nonlocal answer
        answer = question()
        return answer == wanted

    wait_for(is_wanted, seconds)
    return answer


class Check:
    def __init__(self, out=sys.stdout):
        self.out = out
        self.passed = self.failed = 0
        self.section = ""

    def run(self, section, test, *args):
        """One section: its failures, then a line with its result."""
        self.section = section
        before, start = (self.passed, self.failed), time.monotonic()
        try:
            test(self, *args)
        except Exception as error:  # a test that breaks is a failure, and the others still run
            self.that("runs to its end", False, f"{type(error).__name__}: {error}")
        passed, failed = self.passed - before[0], self.failed - before[1]
        mark = "ok  " if passed and not failed else "FAIL"
        print(f"{mark} {section}: {passed} passed, {failed} failed ({time.monotonic() - start:.1f} s)",
              file=self.out, flush=True)

    def that(self, what, truth, detail=""):
        if truth:
            self.passed += 1
        else:
            self.failed += 1
            print(f"not ok: {self.section}: {what}" + (f": {detail}" if detail else ""), file=self.out, flush=True)
        return bool(truth)

    def equal(self, what, got, want):
        return self.that(what, got == want, f"got {got!r}, want {want!r}")

    def matches(self, what, text, pattern):
        return self.that(what, re.search(pattern, text, re.MULTILINE), f"{text!r} does not match {pattern!r}")

    def close(self):
        """The closing line. Returns the exit status: no check at all is a failure too."""
        print(f"{self.passed} passed, {self.failed} failed", file=self.out, flush=True)
        return 0 if self.passed and not self.failed else 1
