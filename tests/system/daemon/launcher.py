# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Launchers that bring more than can be looked at."""
import os
import resource
import threading
import time

from hostile import CLONE_FILES, run, unshare
from house import ALICE, BOB
from protocol import Client, as_user, child, error_of, result_of

TABLES, DESCRIPTORS = 8, 100000


def with_descriptors(house, cnt, tables):
    """Its own table has so many descriptors, and that of each of its threads."""
    def launch():
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS + 1000, DESCRIPTORS + 1000))
        ALICE.become()
        for fd in range(1000, 1000 + cnt):
            os.dup2(0, fd)
        go, ready = threading.Event(), threading.Barrier(tables + 1)

        def other():
            unshare(CLONE_FILES)
            ready.wait()
            go.wait()

        threads = [threading.Thread(target=other) for _ in range(tables)]
        for thread in threads:
            thread.start()
        ready.wait()
        house.touch("many-ready")
        answer = run(Client(), house)
        go.set()
        return [error_of(answer), answer.get("error", "")]

    return child(None, launch)


def many_descriptors(check, house):
    """As many as limits let a user have, in each of its threads: nobody waits until all are looked at, and the daemon's memory does not grow."""
    house.daemon.forget_peak()
    before, worst = house.daemon.peak_kib(), 0
    pid, fd = with_descriptors(house, DESCRIPTORS, TABLES)
    house.appears("many-ready")
    for _ in range(5):
        start = time.monotonic()
        check.equal("another user asks", error_of(as_user(BOB, lambda: Client().ask("jobs"))), "ok")
        worst = max(worst, time.monotonic() - start)
    answer = result_of(pid, fd)
    check.equal("more than a job needs", answer[0], "E2BIG")
    check.matches("and why", answer[1], r"more than \d+ descriptors open")
    check.that("the other one waited for a self-test at most", worst < 10, f"{worst:.1f} s")
    check.that("the daemon's memory did not grow", house.daemon.peak_kib() - before < 16 * 1024, house.daemon.peak_kib() - before)
    os.unlink(f"{house.out}/many-ready")
    check.equal("some hundred", result_of(*with_descriptors(house, 300, 1))[0], "ok")
    os.unlink(f"{house.out}/many-ready")
    house.settles(check, "very many descriptors")
