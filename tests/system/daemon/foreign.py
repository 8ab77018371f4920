# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A build that lays out its tables otherwise: it leaves what runs under the old programs alone, or ends it, whole."""
import contextlib
import os

from cycles import count, layout, rebuilt
from harness import wait_for, wait_for_equal
from holdup import PARENT, move, owned_cgroups
from house import ALICE, Daemon
from teardown import asked, crew, done
from toil import ATTEMPTS, Toil
import traces

CANNOT_READ = r"jobs run under the programs of a jobcage whose tables this one cannot read.*'jobcage daemon --teardown'"


def other_build(house):
    return rebuilt(house, "stranger", layout(), b"f" * len(layout()))


def refused(check, house, binary, what):
    """Its daemon does not start, and says what to do."""
    before = len(house.daemon.errors())
    foreign = Daemon(house, binary).launch()
    with contextlib.suppress(Exception):
        foreign.process.wait(30)
    check.equal(f"{what}: a build of another layout is refused", foreign.process.poll(), 1)
    check.matches(f"{what}: and says what to do", foreign.errors()[before:], rf"^jobcage daemon: {CANNOT_READ}")
    if foreign.is_alive():
        foreign.kill()


def pids_in(cgroup):
    with open(f"{cgroup}/cgroup.procs", encoding="ascii") as stream:
        return [int(line) for line in stream]


@contextlib.contextmanager
def keeper_aside():
    """The keeper's cgroup is empty; it goes back in the end, if it is still there."""
    home = f"{traces.CGROUP_ROOT}/jobcage-keeper"
    pids = pids_in(home)
    for pid in pids:
        move(pid, "aside")
    yield
    if os.path.exists(home):
        for pid in pids:
            with open(f"{home}/cgroup.procs", "w", encoding="ascii") as stream:
                stream.write(str(pid))


def moved_out(check, house):
    """No cgroup of the old build's jobs has a process any more, but the jobs go on elsewhere: they stay under its programs."""
    other = other_build(house)
    with owned_cgroups(), keeper_aside():
        toil = Toil(house, preexec_fn=lambda: move(os.getpid(), "jobs"))
        check.that("a job toils", toil.goes())
        move(toil.job.process.pid, "aside")
        check.equal("SIGTERM: exit status", house.daemon.stop(), 0)
        # What it had forked before may still be in it.
        check.equal("its cgroup is empty", wait_for_equal(lambda: pids_in(f"{PARENT}/jobs/jobcage-{toil.job.id}"), []), [])
        refused(check, house, other, "moved out")
        alone = house.ask("run", "--policy", house.policy("plain"), "--", "true", binary=other)
        check.equal("and cannot run a job alone", alone.returncode, 125)
        check.that("the job toils on", toil.attempts_on(10))
        house.daemon.start()
        check.equal("its own build has it", toil.job.id in house.job_ids(), True)
        toil.end()
        toil.job.finish()
        toil.judge(check, "moved out")
        house.accounted(check, "moved out", toil.job, toil[ATTEMPTS])
    house.settles(check, "moved out")


def without_account(job):
    return count(job, "End without an account")


def torn_down(check, house):
    """The old build's daemon is gone; the new one's --teardown ends all of its jobs, wherever they went."""
    other = other_build(house)
    with crew(check, house, "other layout") as there:
        check.equal("SIGTERM: exit status", house.daemon.stop(), 0)
        refused(check, house, other, "before")
        check.that("the jobs go on", there.toil.attempts_on(3))
        done(check, "other layout", asked(house, other))
        there.is_killed(check, "other layout")
        there.toil.judge(check, "other layout")
        for job in there.jobs:
            check.equal(f"{job.id}: the record says so, last and once", (without_account(job), job.events()[-1]["metadata"]["event_code"]),
                        (1, "finding"))
            numbers = [event["metadata"]["sequence"] for event in job.events()]
            check.equal(f"{job.id}: lines are numbered from 1 without gap or repeat", numbers, [*range(1, len(numbers) + 1)])


def ended(check, house):
    """They ended while nobody looked: the new build clears away what is left, and starts."""
    other = other_build(house)
    with house.to_the_last():
        job = house.start("sleep", "1000", user=ALICE)
        check.that("a job runs", wait_for(lambda: house.running(job)))
        house.daemon.stop()
        for one in (job, house.keeper_job):
            one.process.kill()
            one.process.wait()
        house.daemon = Daemon(house, other).start()
        check.equal("it says in the record what is lost", without_account(job), 1)
        check.equal("it starts jobs", house.shell("exit 3", user=ALICE).status, 3)
        check.equal("it stops", house.daemon.stop(), 0)
        house.daemon = Daemon(house)
        house.settles(check, "ended before")
