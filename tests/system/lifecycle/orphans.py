# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""kill -9 of the monitor: the job stays enforced, and the next one to come finishes its record."""
import os

from harness import wait_for
import traces

# Waits for the file go, does as it is told, says did, and waits for stop.
PATIENT = r"""
until test -e $OUT/{0}go; do sleep 0.05; done
for i in 1 2 3; do echo x 2>/dev/null >>$DIGITS/a && touch $OUT/{0}breach; done
touch $OUT/{0}did
until test -e $OUT/{0}stop; do sleep 0.05; done
"""


def goes_on(check, world):
    """Killed, acts, adopted, adopter killed too, acts no more, adopted again."""
    job = world.start_shell("echo x 2>/dev/null >>$DIGITS/a;" + PATIENT.format("on-"))
    wait_for(lambda: len(job.events()) == 2)
    world.orphan(job)
    world.touch("on-go")
    check.that("the job goes on without a monitor", world.appears("on-did"))
    check.that("and stays enforced", not world.exists("on-breach"))
    world.unharmed(check, "no monitor")
    check.equal("no event meanwhile", len(job.events()), 2)
    helper = world.start("true").finish()
    check.equal("the next jobcage run: exit status", (helper.status, helper.err), (0, ""))
    wait_for(lambda: len(job.events()) == 6)
    check.equal("it delivers what happened meanwhile, and says that nobody looked", len(job.events()), 6)
    world.whole(check, "the next job's own record", helper)
    wait_for(lambda: traces.holder(helper.id) is None)
    world.orphan(job)
    second = world.start("true").finish()
    check.equal("after the adopter was killed too", second.status, 0)
    world.touch("on-stop")
    check.equal("its exit status is its own", job.finish().status, 0)
    world.whole(check, "adopted twice", job, 4, adopted=True)
    world.settles(check, "adopted jobs")


def ended_meanwhile(check, world):
    jobs = [world.start_shell(PATIENT.format(f"gone{i}-")) for i in range(2)]
    for i, job in enumerate(jobs):
        world.orphan(job)
        world.touch(f"gone{i}-go")
        world.touch(f"gone{i}-stop")
        check.equal("ended without a monitor: exit status", job.finish().status, 0)
    check.equal("ended without a monitor: the cgroups wait for the next run",
                [f"{traces.CGROUP_ROOT}/jobcage-{job.id}" in traces.cgroups() for job in jobs], [True] * 2)
    helper = world.shell("sleep 0.3; touch $OUT/helped")
    check.equal("the run that finishes them: exit status", (helper.status, helper.err, world.exists("helped")), (0, "", True))
    for job in jobs:
        world.whole(check, "ended without a monitor", job, 3, adopted=True)
    world.whole(check, "the run that finishes them", helper)
    world.settles(check, "jobs that ended without a monitor")


def alerts_gone(check, world):
    """The orphan's own alert file can no longer be opened, and one orphan more waits behind it."""
    folder = f"{world.root}/gone"
    os.mkdir(folder)
    first = world.start_shell(PATIENT.format("lost-"), alerts=f"{folder}/a.jsonl")
    world.orphan(first)
    os.rename(folder, f"{world.alerts}/moved")
    second = world.start_shell(PATIENT.format("lost-"))
    world.orphan(second)
    for name in ("lost-go", "lost-stop"):
        world.touch(name)
    helper = world.start("true").finish()
    check.equal("an orphan without its alert file: exit status of the next run", helper.status, 0)
    first.finish()
    second.finish()
    world.whole(check, "the orphan beside it", second, 3, adopted=True)
    first.alerts = "/var/log/jobcage/alerts.jsonl"
    wait_for(first.end)
    check.equal("an orphan without its alert file: the default one has the rest",
                (first.end().get("complete"), first.end().get("adopted")), (True, True))
    world.settles(check, "an orphan without its alert file")


def bad_state(check, world):
    """A state file that no jobcage wrote must not keep an orphan from being looked after."""
    job = world.start_shell(PATIENT.format("bad-"))
    world.orphan(job)
    planted = [world.write(f"{traces.STATE_JOBS}/{name}.json", "{}") for name in ("aaa", "zzz", "0")]
    world.touch("bad-go")
    world.touch("bad-stop")
    job.finish()
    helper = world.start("true").finish()
    check.equal("a state file that says nothing: exit status of the next run", helper.status, 0)
    world.whole(check, "the orphan beside it", job, 3, adopted=True)
    for path in planted:
        for file in (path, path.replace(".json", ".progress")):
            if os.path.exists(file):
                os.unlink(file)
    world.start("true").finish()
    world.settles(check, "a state file that says nothing")
