# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A job's end reaches its record, whatever happens to the daemon that owes it; and the ways a daemon ends that nobody wished for."""
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time

import attach
from cage import Record
from harness import wait_for
from house import ALICE, SOCKET
from scheduler import rmdir_fails
from toil import ATTEMPTS, Toil
import traces

OOM = f"{traces.CGROUP_ROOT}/daemon-oom"


# --- the last event ---------------------------------------------------------------------------------------------

@contextlib.contextmanager
def held(house):
    """Another writer has the log: what the daemon writes waits in its memory."""
    with open(house.site_alerts, "rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def cgroup_of(house, job):
    with open(f"/proc/{job.process.pid}/cgroup", encoding="ascii") as stream:
        return f"{traces.CGROUP_ROOT}{stream.read().strip().split(':')[2]}"


def is_populated(cgroup):
    with open(f"{cgroup}/cgroup.events", encoding="ascii") as stream:
        return "populated 1" in stream.read()


def state_of(job):
    return os.path.exists(f"{traces.STATE_JOBS}/{job.id}.json")


def end_held(house, what):
    """A job that is denied once, and whose end cannot be written yet."""
    ready, go = f"{what}-ready", f"{house.out}/{what}-go"
    job = house.start_shell(f"echo x 2>/dev/null >>$DIGITS/a; touch $OUT/{ready}; until test -e {go}; do sleep 0.05; done", user=ALICE)
    house.appears(ready)
    wait_for(lambda: len(job.events()) == 2)
    return job, cgroup_of(house, job), ready, go


def owed(check, house):
    """The last event waits for a log that is held: the job's files stay until it is written, whoever writes it."""
    for what, end in (("goes on", None), ("killed", house.daemon.kill), ("stopped", house.daemon.stop)):
        job, cgroup, ready, go = end_held(house, what.split()[0])
        with held(house):
            house.write(go, "")
            job.finish()
            check.that(f"{what}: the cgroup is gone all the same", wait_for(lambda: not os.path.exists(cgroup), 20))
            time.sleep(0.5)
            check.equal(f"{what}: the files stay, the end is not written", (state_of(job), job.end()), (True, {}))
            if end:
                end()
        if end:
            house.daemon.start()
        check.that(f"{what}: the files go in the end", wait_for(lambda: not state_of(job), 20))
        house.accounted(check, f"{what}, the log held", job, 1)
        os.unlink(go)
        os.unlink(f"{house.out}/{ready}")
    house.settles(check, "ends that are owed")


def owed_attached(check, house):
    """A cgroup that was attached is the job's no more when it was empty once: who comes into it while the end waits is free."""
    record = Record("owed", house.site_alerts)
    with attach.cgroup():
        with subprocess.Popen(["sh", "-c", "read line; (echo x >>$0); read line", f"{house.digits}/a"], stdin=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, bufsize=1) as first:
            attach.enter(first.pid)
            attached = house.ask("attach", "--cgroup", attach.CGROUP, "--policy", "plain", "--job", record.id)
            check.equal("attach", attached.returncode, 0)
            first.stdin.write("go\n")
            check.that("what is in it is denied", wait_for(lambda: len(record.events()) == 2))
            with held(house):
                first.communicate("go\n")
                wait_for(lambda: not is_populated(attach.CGROUP))
                time.sleep(1)
                with attach.waiting_in(house, attach.CGROUP) as comes_free:
                    check.that("the end waits", record.id in house.job_ids() and not record.end())
                    check.equal("who comes then is free", comes_free(), True)
        check.that("the job ends", wait_for(lambda: record.id not in house.job_ids()))
    house.accounted(check, "attached, the log held", record, 1)
    house.settles(check, "an end that is owed, attached")


# --- killed for memory ------------------------------------------------------------------------------------------

def put(name, value):
    with open(f"{OOM}/{name}", "w", encoding="ascii") as stream:
        stream.write(value)


def oom_kills():
    with open(f"{OOM}/memory.events", encoding="ascii") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("oom_kill "))


@contextlib.contextmanager
def small_home(house):
    """The daemon, and the memory of the tables it makes, in a cgroup of its own."""
    house.write(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "+memory")
    os.mkdir(OOM)
    try:
        house.daemon.kill()
        house.daemon.start(lambda: put("cgroup.procs", "0"))
        yield
    finally:
        house.daemon.restart()
        wait_for(lambda: not rmdir_fails(OOM))
        house.write(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "-memory")


def out_of_memory(check, house):
    """The kernel kills the daemon; jobs that it started go on, and so do the processes they start while there is no memory."""
    forks = "for i in $(seq 40); do (echo x >>$DIGITS/a) 2>/dev/null && echo breach; done; echo done"
    with small_home(house):
        toil = Toil(house, user=ALICE)
        check.that("a job toils", toil.goes())
        forker = house.start_shell(f"touch $OUT/oom-ready; until test -e $OUT/oom-go; do sleep 0.05; done; {forks}", user=ALICE)
        house.appears("oom-ready")
        put("memory.max", "64K")
        check.equal("the daemon is killed", house.daemon.process.wait(60), -signal.SIGKILL)
        check.that("for its memory", oom_kills() > 0)
        check.that("the job toils on", toil.attempts_on(10))
        house.touch("oom-go")
        check.equal("so do processes that are started now", forker.finish().out, "done\n")
        refused = house.shell("echo ran", user=ALICE)
        check.equal("nothing starts without the daemon", (refused.status, refused.out), (125, ""))
        put("memory.max", "max")
        house.daemon.start(lambda: put("cgroup.procs", "0"))
        check.equal("the next one starts jobs", house.shell("exit 6", user=ALICE).status, 6)
        toil.end()
        toil.job.finish()
        toil.judge(check, "out of memory")
        house.accounted(check, "out of memory", toil.job, toil[ATTEMPTS])
        house.accounted(check, "forks without memory", forker, 40)
    for name in ("oom-ready", "oom-go"):
        os.unlink(f"{house.out}/{name}")
    house.settles(check, "out of memory")


# --- stopped, and seen to be ------------------------------------------------------------------------------------

def pings(daemon, seconds):
    """How often the daemon says that it is alive."""
    cnt, deadline = 0, time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        daemon.notify.settimeout(left)
        with contextlib.suppress(socket.timeout):
            cnt += b"WATCHDOG=1" in daemon.notify.recv(256)
    return cnt


def watchdog(check, house):
    """What is stopped does not say that it is alive, so its manager can kill it. A flood meanwhile is counted to the last."""
    house.daemon.kill()
    house.daemon.start(env={"WATCHDOG_USEC": "1200000"})
    check.that("alive: it says so", pings(house.daemon, 3) >= 2)
    toil = Toil(house, period_ms=0, user=ALICE)
    check.that("a job toils", toil.goes())
    with house.daemon.stopped():
        pings(house.daemon, 0.5)
        check.equal("stopped: it says nothing", pings(house.daemon, 2), 0)
    check.that("it says so again", pings(house.daemon, 5) >= 1)
    toil.end()
    toil.job.finish()
    toil.judge(check, "stopped")
    house.accounted(check, "stopped", toil.job, toil[ATTEMPTS])
    print(f"#    {toil[ATTEMPTS]} attempts, {toil.job.end().get('lost')} counted as lost", flush=True)
    house.daemon.restart()
    house.settles(check, "watchdog")


# --- two, and what is left of one -------------------------------------------------------------------------------

def second(check, house):
    """One daemon at a time; and what a dead one has left keeps nobody from its place."""
    job = house.start("sleep", "1000", user=ALICE)
    wait_for(lambda: house.running(job))
    other = subprocess.run([house.jobcage, "daemon"], capture_output=True, text=True, check=False, timeout=60, cwd="/")
    check.equal("a second one: exit status", other.returncode, 1)
    check.matches("and says who is there", other.stderr, rf"^jobcage daemon: a daemon runs already: process {house.daemon.pid} holds ")
    check.equal("the first goes on", (house.daemon.is_alive(), house.shell("exit 3", user=ALICE).status), (True, 3))
    house.daemon.kill()
    for path, text in ((f"{traces.STATE_JOBS}/half.policy", "{"), (f"{traces.STATE_JOBS}/half.progress", ""),
                       ("/run/jobcage/controller.lock", f"{os.getpid()}\n")):
        house.write(path, text)
    os.unlink(SOCKET)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
        stale.bind(SOCKET)
    house.daemon.start()
    check.equal("stale socket, lock and files: it has the job", job.id in house.job_ids(), True)
    check.equal("and starts new ones", house.shell("exit 4", user=ALICE).status, 4)
    check.equal("files of no job are gone", [name for name in os.listdir(traces.STATE_JOBS) if name.startswith("half")], [])
    job.process.kill()
    job.process.wait()
    house.record(job)
    house.settles(check, "two daemons")
