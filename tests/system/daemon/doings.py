# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
What the daemon does, in the middle of which it is killed: it starts jobs of each kind, ends and kills one, replaces rules, and takes
over from one that was killed.
"""
import os
import re
import shutil
import subprocess

from attach import CGROUP, enter, rmdir
from cage import Record
from harness import wait_for
from house import ALICE, ROOT
from limited import ALONE, OWN, lines_of
from toil import ATTEMPTS, BREACHES, REFUSALS, ROUNDS, TOIL, Stranger, Toil
import traces
from watched import die_at


def state_of(job):
    return os.path.exists(f"/run/jobcage/jobs/{job.id}.json")


def gone(check, what, job):
    """The next daemon leaves nothing of a job that is over."""
    check.that(f"{what}: nothing of the job is left", wait_for(lambda: not state_of(job), 25))


def paired(check, what, job):
    codes = [event["metadata"]["event_code"] for event in job.events() if event["metadata"]["event_code"] != "finding"]
    check.that(f"{what}: its record has one start and one end, or none", codes in ([], ["job_start", "job_end"]), codes)


class Scenario:
    """One of the daemon's doings. prepare() before it is watched, act() under watch, judge() when the next daemon runs."""
    name = None
    # Where one thing is done and what belongs to it is not, as killpoint reads it; the first such call is hit in every run.
    crossroads = []

    def __init__(self, house):
        self.house, self.cnt = house, 0

    def victim(self):
        self.cnt += 1
        return f"v-{self.name}-{self.cnt}"

    def close(self, check):
        """After the last of them."""


class Launch(Scenario):
    name = "launch"
    crossroads = [
        r"linkat .*/proc/self/fd",  # the job's file is there, and nothing else of it
        r"mkdir .*jobcage-v",       # the rules are there, and no cgroup
        r"mkdir .*canary",          # all is there, and not tested
        r"wait4",                   # the canary's acts are in the ring and the counters
        (2, r"cgroup\.procs"),      # the launcher has its label, but not its cgroup; the first is the canary's
        r"sendmsg",                 # all is in force, and the launcher does not know it
    ]
    how = {"user": ALICE}

    def prepare(self):
        pass

    def act(self):
        self.toil = Toil(self.house, threads=0, job_id=self.victim(), **self.how)
        self.toil.job.finish()

    def judge(self, check, what):
        toil, job = self.toil, self.toil.job
        ran = toil[ROUNDS] == 1
        check.equal(f"{what}: status", job.status, 0 if ran else 125)
        gone(check, what, job)
        if ran:
            toil.judge(check, what)
            self.house.accounted(check, what, job, toil[ATTEMPTS])
        else:
            check.that(f"{what}: status 125 has one line", re.fullmatch(r"jobcage run: .+\n", job.err), job.err)
            check.equal(f"{what}: it did not run", toil[ATTEMPTS], 0)
            paired(check, what, job)


class Environment(Launch):
    """In two steps, and alone in a cgroup above, whose children are limited for it."""
    name = "environment"
    crossroads = [
        r"uid_map",                 # the launcher is in a namespace of its own, as nobody
        r"sendto",                  # the canary waits for the word to begin
        r"fsetxattr",               # the launcher is in its cgroup, without its limit
        r"write .*\+pids",          # a mark says what was not done
        r"pids\.max",
        r"write .*-pids",           # the cgroup is gone, and the one above is not as it was
        r"fremovexattr",
    ]
    how = {"user": ROOT, "policy": "env", "wrap": ALONE}  # which makes it ALICE

    def __init__(self, house):
        super().__init__(house)
        house.policy("env", limits={"processes": 8, "scratch": "1MiB"},
                     environment={"private": ["/tmp"], "scratch": "/var/tmp"})
        house.write(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "+pids")
        os.mkdir(OWN)
        self.mounts = traces.mounts()
        # Where the project lies may be covered by the private folder.
        self.how = self.how | {"program": shutil.copy(TOIL, house.root)}

    def act(self):
        super().act()
        wait_for(lambda: not self.house.daemon.is_alive() or not state_of(self.toil.job), 3)

    def judge(self, check, what):
        super().judge(check, what)
        check.equal(f"{what}: the cgroup above is as it was", (lines_of("cgroup.subtree_control"), os.listxattr(OWN)), ([], []))
        check.equal(f"{what}: nothing is mounted", traces.mounts(), self.mounts)

    def close(self, check):
        check.that("the cgroup above goes", wait_for(lambda: rmdir(OWN), 20))
        self.house.write(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "-pids")


class Attach(Scenario):
    """Of a cgroup with two processes that toil and were free until then."""
    name = "attach"
    crossroads = [
        r"sendto",                  # the rules are there, and not tested
        r"cgroup\.freeze",          # they bite, and hold for nobody
        r"sendmsg",                 # all is in force, and nobody knows it
    ]

    def prepare(self):
        os.mkdir(CGROUP)
        job_id = self.victim()
        self.job = Record(job_id, self.house.site_alerts)
        self.crowd = [Stranger(self.house, f"{job_id}-{i}", period_ms=20, threads=2) for i in range(2)]
        for toil in self.crowd:
            enter(toil.process.pid)
            toil.goes()

    def act(self):
        self.is_promised = self.house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", self.job.id).returncode == 0

    def whois(self):
        return {self.house.ask("whois", str(toil.process.pid)).stdout.split(" ")[0] for toil in self.crowd}

    def judge(self, check, what):
        wait_for(lambda: not state_of(self.job) or self.job.id in self.house.job_ids(), 25)
        is_job = self.whois() == {self.job.id}
        check.that(f"{what}: it is a job, or was not promised", is_job or not self.is_promised)
        check.that(f"{what}: all of it, or nothing", is_job or self.whois() == {""}, self.whois())
        before = [toil[BREACHES] for toil in self.crowd]
        # Not frozen; the first round may have begun before.
        check.that(f"{what}: they go on", all([toil.attempts_on(9) for toil in self.crowd]))
        after = [toil[BREACHES] for toil in self.crowd]
        check.that(f"{what}: they obey, or are free", after == before if is_job else all(now > then for now, then in zip(after, before)),
                   (before, after))
        for toil in self.crowd:
            toil.end()
            toil.process.wait()
        gone(check, what, self.job)
        if is_job:
            check.equal(f"{what}: allowed acts that were refused", sum(toil[REFUSALS] for toil in self.crowd), 0)
            # The cgroup's programs refuse peers, with another errno, before its processes have the label.
            self.house.accounted(check, what, self.job, sum(toil[ATTEMPTS] - toil[BREACHES] for toil in self.crowd), slack=sum(after))
        else:
            paired(check, what, self.job)
        check.that(f"{what}: the cgroup is let go", wait_for(lambda: rmdir(CGROUP), 20))


class Kill(Scenario):
    name = "kill"
    crossroads = [
        r"cgroup\.kill",            # it is to be killed, and makes no more processes
        r"sendmsg",                 # it is dead, and nobody knows it
    ]

    def prepare(self):
        self.toil = Toil(self.house, period_ms=50, threads=2, job_id=self.victim(), user=ALICE)
        self.toil.goes()
        self.toil.attempts_on(3)

    def ask(self):
        return self.house.ask("kill", self.toil.job.id, user=ALICE).returncode == 0

    def is_over(self):
        return self.toil.process.poll() is not None

    def act(self):
        self.is_promised = self.ask()
        wait_for(lambda: not self.house.daemon.is_alive() or self.is_over() and not state_of(self.toil.job), 3)

    def judge(self, check, what):
        """It is dead, or toils on as before: then nobody has been told that it is dead."""
        before = self.toil[ROUNDS]
        # So many rounds take longer than the next daemon takes to look at all jobs.
        wait_for(lambda: self.is_over() or self.toil[ROUNDS] > before + 100, 30)
        if not self.is_over():
            check.that(f"{what}: it was not promised", not self.is_promised)
            check.that(f"{what}: the job goes on", self.toil.attempts_on(9))
            self.toil.judge(check, what)
            check.that(f"{what}: it can be killed", self.ask())
        check.equal(f"{what}: status", self.toil.job.finish().status, 137)
        gone(check, what, self.toil.job)
        check.equal(f"{what}: nothing denied was done", self.toil[BREACHES], 0)
        self.house.accounted(check, what, self.toil.job, self.toil[ATTEMPTS], slack=2)
        check.matches(f"{what}: the record says why", self.toil.job.events()[-1]["message"], "killed by request")


class Finish(Scenario):
    name = "finish"
    crossroads = [
        r"cgroup\.kill",            # the end is written, and the job is still there
        r"rmdir .*jobcage-v",
        r"unlink .*progress",       # all but the job's files is gone
        r"unlink .*json",
    ]

    def prepare(self):
        self.toil = Toil(self.house, period_ms=5, job_id=self.victim(), user=ALICE)
        self.toil.goes()
        self.toil.attempts_on(3)

    def act(self):
        self.toil.end()
        self.toil.job.finish()
        wait_for(lambda: not self.house.daemon.is_alive() or self.toil.job.end() and not state_of(self.toil.job), 3)

    def judge(self, check, what):
        gone(check, what, self.toil.job)
        self.toil.judge(check, what)
        self.house.accounted(check, what, self.toil.job, self.toil[ATTEMPTS])


class Reload(Scenario):
    """Two policies in turn, which both deny what the job attempts."""
    name = "reload"
    crossroads = [
        r"linkat .*/proc/self/fd",  # the new rules are there, and the job's file does not name them
        r"rename .*",               # one of the two policies is to go
        r'write .*"message":"([^t]|t[^o])',
        r"futex",                   # all is done, and nobody knows it
    ]

    def __init__(self, house):
        super().__init__(house)
        self.version, self.digest = 0, None
        self.write()
        self.toil = Toil(house, period_ms=200, job_id=f"v-{self.name}", policy=f"turning-{self.name}")
        self.toil.goes()

    def write(self):
        self.version += 1
        self.house.policy(f"turning-{self.name}", rules=[{"id": f"turn-{self.version % 2}", "path": "/usr/share", "access": "read"}])

    def prepare(self):
        self.write()

    def act(self):
        self.house.ask("reload", self.toil.job.id)

    def judge(self, check, what):
        check.that(f"{what}: the job goes on", self.toil.attempts_on())
        check.equal(f"{what}: nothing denied is done", self.toil[BREACHES], 0)
        check.equal(f"{what}: a reload after it", self.house.ask("reload", self.toil.job.id).returncode, 0)
        digest = (self.house.status(self.toil.job.id) or {}).get("digest")
        check.that(f"{what}: the job obeys the other policy than before", digest and digest != self.digest, digest)
        self.digest = digest

    def close(self, check):
        self.toil.end()
        self.toil.job.finish()
        self.toil.judge(check, f"{self.name}: the job of all")
        events = self.house.record(self.toil.job)
        changes = [event["unmapped"]["jobcage"] for event in events if event["metadata"]["event_code"] == "job_policy"]
        check.that(f"{self.name}: the changes are told", changes)
        check.equal(f"{self.name}: each from what the one before came to",
                    [change["old_digest"] for change in changes[1:]], [change["new_digest"] for change in changes[:-1]])
        end = self.toil.job.end()
        check.equal(f"{self.name}: attempts, denied", sum(end.get("denied", {}).values()), self.toil[ATTEMPTS])


class Adoption(Reload):
    """The daemon that is watched takes over from one that was killed in the middle of a reload; and a job has ended meanwhile."""
    name = "adoption"
    crossroads = [
        r"rename .*policy-next",    # the policy in force is not the one that the file names first
        r'write .*"message":"([^t]|t[^o])',
        r"unlink .*json",
    ]

    # What executes it when it is watched.
    gate = ("sh", "-c", 'read line; exec "$@" </dev/null', "sh")

    def prepare(self):
        self.ended = Toil(self.house, period_ms=20, job_id=self.victim(), user=ALICE)
        self.ended.goes()
        self.ended.attempts_on(3)
        self.ended.set_phase(0)
        self.write()
        die_at(self.house, 1, "rename .*policy-next", super().act)
        self.ended.end()
        self.ended.job.finish()
        self.house.daemon.launch(wrap=self.gate, stdin=subprocess.PIPE)

    def act(self):
        self.house.daemon.process.stdin.close()
        wait_for(lambda: not self.house.daemon.is_alive() or not state_of(self.ended.job), 20)
        if self.house.daemon.is_alive():
            self.house.ask("jobs")

    def judge(self, check, what):
        super().judge(check, what)
        gone(check, what, self.ended.job)
        self.ended.judge(check, what)
        self.house.accounted(check, what, self.ended.job, self.ended[ATTEMPTS])


class Renewal(Scenario):
    """A rule's root is replaced under a job, which may use what is there at last."""
    name = "renewal"
    crossroads = [
        r"bpf 2 ",                  # the rules are there again in part
        r'write .*"message":"/',    # the job obeys them, and that is not told of
    ]

    def __init__(self, house):
        super().__init__(house)
        self.place = f"{house.root}/place"
        self.make()
        house.policy("placed", rules=[{"id": "place", "path": self.place, "access": "write"}])
        self.toil = Toil(house, period_ms=100, job_id="v-renewal", policy="placed", uses=[f"write:{self.place}/a"])
        self.toil.goes()

    def make(self):
        os.mkdir(self.place)
        self.house.write(f"{self.place}/a", "")

    def uses_all(self):
        """The rules that hold are for the files that are there."""
        before = self.toil[REFUSALS]
        return self.toil.attempts_on(2) and self.toil[REFUSALS] == before

    def told(self):
        return sum("leads to another file" in event["message"] for event in self.toil.job.events())

    def prepare(self):
        self.before = self.told()
        self.old = f"{self.place}-{self.cnt}"
        self.cnt += 1

    def act(self):
        os.rename(self.place, self.old)
        self.make()
        # The daemon looks at once when the mount table has changed.
        subprocess.run(["mount", "-t", "tmpfs", "none", self.old], check=True)
        subprocess.run(["umount", self.old], check=True)
        wait_for(lambda: not self.house.daemon.is_alive() or self.uses_all() and self.told() > self.before, 10)

    def judge(self, check, what):
        check.that(f"{what}: what is there now is the job's to use", wait_for(self.uses_all, 20))
        check.equal(f"{what}: nothing denied is done", self.toil[BREACHES], 0)
        subprocess.run(["rm", "-r", self.old], check=True)

    def close(self, check):
        self.toil.end()
        self.toil.job.finish()
        self.house.accounted(check, "renewal", self.toil.job, self.toil[ATTEMPTS] + self.toil[REFUSALS])
        subprocess.run(["rm", "-r", self.place], check=True)


