# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`jobcage daemon --teardown`: whatever runs, and whoever looks after it, every job is killed and nothing is left. And what SIGHUP does."""
import contextlib
import os
import signal
import subprocess

from attach import CGROUP, cgroup, enter, waiting_in
from endings import held
from harness import wait_for
from holdup import move, owned_cgroups
from house import ALICE, BOB, DAVE, PERMISSIONS
from toil import ATTEMPTS, Toil

KILLED = "killed by request"


class Crew:
    """Jobs of two users; one that was attached; one that has left its cgroup and toils."""

    def __init__(self, check, house):
        self.house = house
        self.plain = [house.start("sleep", "1000", user=ALICE), house.start("sleep", "1000", user=BOB, policy="team")]
        self.toil = Toil(house, preexec_fn=lambda: move(os.getpid(), "jobs"))
        self.sleeper = subprocess.Popen(["sleep", "1000"])
        enter(self.sleeper.pid)
        attached = house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch")
        check.equal("one is attached", (attached.returncode, attached.stderr), (0, ""))
        check.that("one toils", self.toil.goes())
        check.that("the others run", wait_for(lambda: all(house.running(job) for job in self.plain)))
        move(self.toil.job.process.pid, "aside")
        self.jobs = [*self.plain, self.toil.job]

    def is_killed(self, check, what):
        check.equal(f"{what}: the jobs are killed", [job.finish().status for job in [*self.jobs, self.house.keeper_job]], [137] * 4)
        check.equal(f"{what}: so is what was attached", self.sleeper.wait(60), -9)

    def told(self, check, what):
        self.toil.judge(check, what)
        for job in self.jobs:
            self.house.accounted(check, f"{what}, {job.id}", job, self.toil[ATTEMPTS] if job is self.toil.job else 0, slack=1)
            check.matches(f"{what}, {job.id}: the record says why", self.house.record(job)[-1]["message"], KILLED)
        with open(self.house.site_alerts, encoding="utf-8") as stream:
            check.that(f"{what}: so does that of what was attached", any('"batch"' in line and KILLED in line for line in stream))


@contextlib.contextmanager
def crew(check, house, what):
    """All that is there is to be torn down by the caller."""
    with house.to_the_last():
        with owned_cgroups(), cgroup():
            yield Crew(check, house)
            with waiting_in(house, CGROUP) as is_free:
                check.that(f"{what}: who enters the cgroup that was attached is free", is_free())
        house.settles(check, what)


def asked(house, binary=None):
    return subprocess.Popen([binary or house.jobcage, "daemon", "--teardown"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, cwd="/")


def done(check, what, process):
    """What it said, and its exit status."""
    text = process.communicate(timeout=60)[0]
    check.equal(f"{what}: exit status, output", (process.returncode, text), (0, ""))


@contextlib.contextmanager
def half_way(check, house, what):
    """The daemon has killed the jobs, and waits until their last events are written: the log is the caller's until he is through."""
    with crew(check, house, what) as there:
        check.that("what toils has done all that it does", there.toil.attempts_on())
        check.that("it rests, and its record is whole", there.toil.rest())
        with held(house):
            process = asked(house)
            there.is_killed(check, what)
            yield
        done(check, what, process)
        there.told(check, what)


def served(check, house):
    """By the daemon, which starts nothing more."""
    daemon = house.daemon.process
    with half_way(check, house, "teardown"):
        late = house.shell("touch $OUT/late", user=ALICE)
        check.equal("a start meanwhile", (late.status, late.out, house.exists("late")), (125, "", False))
        check.matches("it is told why, in one line", late.err, r"\Ajobcage run: the daemon is stopping[^\n]*\n\Z")
        check.equal("the daemon waits for the log", daemon.poll(), None)
    check.equal("the daemon's exit status", daemon.wait(60), 0)


def killed(check, house):
    """The daemon is killed in the middle of it: who asked does the rest."""
    with half_way(check, house, "killed"):
        house.daemon.kill()


def alone(check, house):
    """No daemon runs. Who may not ask one may not do this either. A job that `jobcage run` looks after itself, with the orphans, is killed too."""
    with crew(check, house, "alone") as there:
        house.daemon.kill()
        refused = house.ask("daemon", "--teardown", user=ALICE)
        check.equal("a user: exit status", (refused.returncode, refused.stdout), (1, ""))
        check.matches("a user: is told so", refused.stderr, r"\Ajobcage daemon: no jobcage daemon listens [^\n]*\n\Z")
        check.that("the jobs go on", there.toil.attempts_on(3))
        own = house.start("sleep", "1000", alerts=f"{house.alerts}/own.jsonl")
        check.that("one that a monitor looks after runs", wait_for(lambda: house.running(own)))
        done(check, "alone", asked(house))
        there.is_killed(check, "alone")
        there.told(check, "alone")
        check.equal("so is the monitor's", own.finish().status, 137)
        check.matches("and its record says why", house.record(own)[-1]["message"], KILLED)


# --- reload -----------------------------------------------------------------------------------------------------

def hang_up(daemon):
    """SIGHUP; what the daemon tells its manager until it is ready again."""
    os.kill(daemon.pid, signal.SIGHUP)
    said = []
    while said[-1:] != [b"READY=1"]:
        said.append(daemon.notify.recv(256))
    return said


def hup(check, house):
    """SIGHUP has the site read again: who may run what follows. A site with an error changes nothing."""
    told = [b"RELOADING=1", b"READY=1"]

    def run():
        return house.shell("exit 4", user=DAVE).status
    check.equal("at first", run(), 125)
    house.put_site(permissions=[*PERMISSIONS, {"users": ["dave"], "policies": ["plain"]}])
    check.equal("permitted, but not read", run(), 125)
    check.equal("SIGHUP: what the manager is told", hang_up(house.daemon), told)
    check.equal("permitted", run(), 4)
    before = len(house.daemon.errors())
    house.write(house.site, '{"version": 1,\n "permissions": 1}')
    check.equal("an error in the site: what the manager is told", hang_up(house.daemon), told)
    check.matches("the log says where it is", house.daemon.errors()[before:], r"^/etc/jobcage/site\.json:2:\d+: ")
    check.equal("what was permitted is", (run(), house.shell("exit 3", user=ALICE).status), (4, 3))
    house.put_site()
    hang_up(house.daemon)
    check.equal("no longer permitted", (run(), house.shell("exit 3", user=ALICE).status), (125, 3))
    check.equal("SIGTERM: exit status", house.daemon.stop(), 0)
    check.equal("and what the manager is told", house.daemon.notify.recv(256), b"STOPPING=1")
    house.daemon.start()
    house.settles(check, "SIGHUP")
