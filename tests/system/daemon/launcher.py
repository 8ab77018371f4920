# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Launchers that bring more than can be looked at, share with a process outside what they have, or were moved in by a daemon that died then."""
import contextlib
import ctypes
import mmap
import os
import resource
import signal
import threading
import time

from harness import WAIT_S, wait_for
from hostile import CLONE_FILES, run, unshare
from house import ALICE, BOB
from kills import Watched
from protocol import Client, as_user, child, error_of, result_of
from stranger import in_cgroup_of, slow_move
import traces

SYS_CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
TABLES, DESCRIPTORS = 8, 100000

_libc = ctypes.CDLL(None, use_errno=True)


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


def clone_with_files(act):
    """Forks a process that has the table of descriptors in common with this one."""
    pid = _libc.syscall(SYS_CLONE, CLONE_FILES | signal.SIGCHLD, 0, 0, 0, 0)
    if not pid:
        act()
        os._exit(0)
    return pid


def shared_table(check, house):
    """A process outside has the launcher's table of descriptors, and would open in it what the job may not. One that is in the job may have it."""
    path = f"{house.digits}/a"

    def launch():
        shared = mmap.mmap(-1, mmap.PAGESIZE)

        def open_for_it():
            wait_for(lambda: shared[0])
            if shared[0] == 1:
                shared[1] = os.open(path, os.O_WRONLY | os.O_APPEND)

        pid = clone_with_files(open_for_it)
        answer, wrote = run(Client(), house), None
        shared[0] = 1 if answer.get("ok") else 2
        os.waitpid(pid, 0)
        if shared[1]:
            wrote = os.write(shared[1], b"breach")
        return [error_of(answer), answer.get("error", ""), wrote]

    answer = as_user(ALICE, launch)
    check.equal("answer, what was written", (answer[0], answer[2]), ("EPERM", None))
    check.that("and why", "shares its table of descriptors" in answer[1], answer[1])

    def after():
        answer = error_of(run(Client(), house))
        return [answer, os.waitpid(clone_with_files(lambda: None), 0)[1]]

    check.equal("one that the job itself makes", as_user(ALICE, after), ["ok", 0])
    house.unharmed(check, "a table that is shared")
    house.settles(check, "a table that is shared")


@contextlib.contextmanager
def killed_before_move(house, job, pid):
    """As it is about to write the launcher's number into that cgroup's file, as the canary's before."""
    watched = Watched(house, 2, r"cgroup\.procs")
    yield
    wait_for(lambda: not house.daemon.is_alive(), 20)
    watched.end()


@contextlib.contextmanager
def killed_after_move(house, job, pid):
    """When that is written."""
    with slow_move(house, f"{traces.CGROUP_ROOT}/jobcage-{job}", 3, "delay_exit"):
        yield
        wait_for(lambda: in_cgroup_of(job, pid()), 20)
        house.daemon.kill()


def not_looked_at(check, house):
    """
    The daemon dies when the launcher has its label, or is in the job's cgroup, and nobody has looked at what it holds: it does not
    become the job, whatever it does when its answer does not come.
    """
    other = house.start("sleep", "1000", user=ALICE)
    wait_for(lambda: house.running(other))
    for what, killed in (("labelled", killed_before_move), ("moved", killed_after_move)):
        def launch(job):
            fd = os.open(f"{house.digits}/a", os.O_WRONLY | os.O_APPEND)
            answer = Client().ask("run", policy="plain", job=job, command="hostile")
            wait_for(lambda: house.exists("adopted"))
            time.sleep(1)
            return [answer, os.write(fd, b"breach")]

        job = house.new_id()
        with killed(house, job, lambda: pid):
            pid, fd = child(ALICE, lambda one=job: launch(one))
        check.that(f"{what}: the daemon is dead, the launcher lives", not house.daemon.is_alive() and os.readlink(f"/proc/{pid}/exe"))
        check.equal(f"{what}: is in the job's cgroup", in_cgroup_of(job, pid), what == "moved")
        house.daemon.process.wait(WAIT_S)
        house.daemon.start()
        house.touch("adopted")
        check.equal(f"{what}: it is killed", result_of(pid, fd), None)
        os.unlink(f"{house.out}/adopted")
        check.that(f"{what}: no job is left of it", wait_for(lambda: house.job_ids() == sorted(["keeper", other.id])), house.job_ids())
    check.that("the other job goes on", house.running(other))
    other.process.kill()
    other.finish()
    house.record(other)
    house.unharmed(check, "not looked at")
    house.settles(check, "not looked at")
