# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
kill -9 of the daemon at each of its system calls that change something, while it starts a job, ends one, and replaces rules.

killpoint lists the calls of an undisturbed one first. Two witnesses toil through all of it: what they attempt is never let, and every
attempt is in their record. After each kill the next daemon has to set right whatever was half done.
"""
import os
import re
import subprocess

from cage import PROJECT
from harness import wait_for
from house import ALICE, ROOT
from toil import ATTEMPTS, BREACHES, Toil

KILLPOINT = os.environ.get("JOBCAGE_KILLPOINT", f"{PROJECT}/build/tests/killpoint")

# Where one thing is done and what belongs to it is not: hit in every run, whatever the sample.
CROSSROADS = {
    "launch": [
        r"linkat .*/proc/self/fd",  # the job's file is there, and nothing else of it
        r"mkdir .*jobcage-v",       # the rules are there, and no cgroup
        r"mkdir .*canary",          # all is there, and not tested
        r"wait4",                   # the canary's acts are in the ring and the counters
        r"cgroup\.procs",           # the launcher has its label, but not its cgroup
        r"futex",                   # all is in force, and the launcher does not know it
    ],
    "reload": [
        r"linkat .*/proc/self/fd",  # the new rules are there, and the job's file does not name them
        r"rename .*",               # one of the two policies is to go
        r"futex",                   # all is done, and nobody knows it
    ],
    "finish": [
        r"cgroup\.kill",            # the end is written, and the job is still there
        r"rmdir .*jobcage-v",
        r"unlink .*progress",       # all but the job's files is gone
        r"unlink .*json",
    ],
}


class Watched:
    """The daemon's calls, from here on; it is killed at the one of that number, of all or of those that hold the text."""

    def __init__(self, house, number=0, *text):
        self.log = f"{house.log}/killpoint"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([KILLPOINT, str(house.daemon.pid), str(number), *text], stdout=log)
        wait_for(lambda: self.lines(0))

    def lines(self, first=1):
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            return stream.read().splitlines()[first:]

    def end(self):
        self.process.kill()
        self.process.wait()
        return self.lines()


class Scenario:
    """One of the daemon's doings. prepare() before it is watched, act() under watch, judge() when the next daemon runs."""

    def __init__(self, house):
        self.house, self.cnt = house, 0

    def victim(self):
        self.cnt += 1
        return f"v-{self.name}-{self.cnt}"


class Launch(Scenario):
    name = "launch"
    script = "echo x 2>/dev/null >>$DIGITS/a && echo breach; echo ran"

    def prepare(self):
        pass

    def act(self):
        self.job = self.house.shell(self.script, job_id=self.victim(), user=ALICE)

    def judge(self, check, what):
        ran = self.job.out == "ran\n"
        check.that(f"{what}: it ran obeying, or did not run", ran or self.job.out == "", self.job.out)
        check.equal(f"{what}: status", self.job.status, 0 if ran else 125)
        check.that(f"{what}: status 125 has one line", ran or re.fullmatch(r"jobcage run: .+\n", self.job.err), self.job.err)
        gone(check, what, self.job)
        if ran:
            self.house.accounted(check, what, self.job, 1)
        else:
            paired(check, what, self.job)


class Finish(Scenario):
    name = "finish"

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

    def __init__(self, house):
        super().__init__(house)
        self.version, self.digest = 0, None
        self.write()
        self.toil = Toil(house, period_ms=200, job_id="v-reload", policy="turning")
        self.toil.goes()

    def write(self):
        self.version += 1
        self.house.policy("turning", rules=[{"id": f"turn-{self.version % 2}", "path": "/usr/share", "access": "read"}])

    def prepare(self):
        self.write()

    def act(self):
        self.house.ask("reload", "v-reload")

    def judge(self, check, what):
        check.that(f"{what}: the job goes on", self.toil.attempts_on())
        check.equal(f"{what}: nothing denied is done", self.toil[BREACHES], 0)
        check.equal(f"{what}: a reload after it", self.house.ask("reload", "v-reload").returncode, 0)
        digest = (self.house.status("v-reload") or {}).get("digest")
        check.that(f"{what}: the job obeys the other policy than before", digest and digest != self.digest, digest)
        self.digest = digest

    def close(self, check):
        self.toil.end()
        self.toil.job.finish()
        self.toil.judge(check, "the job of all reloads")
        events = self.house.record(self.toil.job)
        changes = [event["unmapped"]["jobcage"] for event in events if event["metadata"]["event_code"] == "job_policy"]
        check.that("the changes are told", changes)
        check.equal("each from what the one before came to",
                    [change["old_digest"] for change in changes[1:]], [change["new_digest"] for change in changes[:-1]])
        end = self.toil.job.end()
        check.equal("the job of all reloads: attempts, denied", sum(end.get("denied", {}).values()), self.toil[ATTEMPTS])


def state_of(job):
    return os.path.exists(f"/run/jobcage/jobs/{job.id}.json")


def gone(check, what, job):
    """The next daemon leaves nothing of a job that is over."""
    check.that(f"{what}: nothing of the job is left", wait_for(lambda: not state_of(job), 25))


def paired(check, what, job):
    codes = [event["metadata"]["event_code"] for event in job.events() if event["metadata"]["event_code"] != "finding"]
    check.that(f"{what}: its record has one start and one end, or none", codes in ([], ["job_start", "job_end"]), codes)


def points_of(scenario, house):
    """What the daemon does, undisturbed. The first run is not the one to look at: it makes what later ones share."""
    for _ in range(2):
        scenario.prepare()
        watched = Watched(house)
        scenario.act()
        lines = watched.end()
    return lines


def sample(lines, name, wanted):
    """The crossroads, and others spread over all; what the daemon writes of the toilers meanwhile is none of its doing."""
    chosen = {next((i for i, line in enumerate(lines) if re.search(pattern, line)), None) for pattern in CROSSROADS[name]} - {None}
    others = [i for i, line in enumerate(lines) if '"message":"toil' not in line]
    step = max(1, len(others) // max(wanted - len(chosen), 1))
    return sorted(chosen.union(others[step // 2::step]))


def kill_at(check, house, scenario, lines, at):
    # What is written of the toilers comes anywhere between: the third unlink stays the third.
    name = lines[at].split()[1] + " "
    scenario.prepare()
    watched = Watched(house, sum(name in line for line in lines[:at + 1]), name)
    scenario.act()
    # The calls are not the same each time: then it was killed at none.
    killed = wait_for(lambda: not house.daemon.is_alive(), 1)
    seen = watched.end()
    what = f"{scenario.name}, killed at {seen[-1] if killed else None}, meant was {lines[at]}"
    if killed:
        house.daemon.process.wait()
        house.daemon.start()
    failed = check.failed
    scenario.judge(check, what)
    if check.failed > failed:
        print(f"#    the daemon has said: {house.daemon.errors()[-1000:]}", flush=True)
    return bool(killed)


def sweep(check, house, scenario, wanted):
    lines = points_of(scenario, house)
    with open(f"{house.log}/points-{scenario.name}", "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines))
    for pattern in CROSSROADS[scenario.name]:
        check.that(f"{scenario.name}: {pattern} is one of its calls", any(re.search(pattern, line) for line in lines))
    chosen = sample(lines, scenario.name, wanted)
    killed = sum(kill_at(check, house, scenario, lines, at) for at in chosen)
    print(f"#    {scenario.name}: killed at {killed} of {len(chosen)} points, of {len(lines)} that there are", flush=True)
    return killed


def killed(check, house, wanted):
    """wanted: points of each doing."""
    witnesses = [Toil(house, period_ms=200, user=user, job_id=f"witness-{user.name}") for user in (ALICE, ROOT)]
    check.that("the witnesses toil", all([witness.goes() for witness in witnesses]))
    reload = Reload(house)
    cnt = sum(sweep(check, house, scenario, wanted) for scenario in (Launch(house), Finish(house), reload))
    check.that("the daemon was killed often enough", cnt >= min(40, 3 * wanted - 6), cnt)
    reload.close(check)
    for witness in witnesses:
        witness.end()
        witness.job.finish()
        witness.judge(check, witness.job.id)
        house.accounted(check, witness.job.id, witness.job, witness[ATTEMPTS])
    house.settles(check, "kills")
