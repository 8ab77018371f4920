# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
kill -9 of the daemon at each of its system calls that killpoint lists, in each of its doings; SIGSTOP at some.

Those of an undisturbed one are listed first. Two witnesses toil through all of it: what they attempt is never let, and every
attempt is in their record. After each kill the next daemon has to set right whatever was half done.
"""
import concurrent.futures
import os
import re
import signal
import time

from doings import Adoption, Attach, Environment, Finish, Kill, Launch, Reload, Renewal
from harness import wait_for
from house import ALICE, ROOT
from toil import ATTEMPTS, Toil
from watched import Watched

# Of each: how many points are tried, where not all are.
DOINGS = {Launch: 10, Environment: 9, Attach: 6, Finish: 9, Kill: 2, Reload: 9, Renewal: 4, Adoption: 5}


def points_of(check, scenario, house):
    """What the daemon does, undisturbed. The first run is not the one to look at: it makes what later ones share."""
    for _ in range(2):
        scenario.prepare()
        watched = Watched(house)
        scenario.act()
        lines = watched.end()
        scenario.judge(check, f"{scenario.name}, undisturbed")
    return lines


def sample(lines, crossroads, wanted):
    """
    The crossroads, and others spread over all, as number and pattern. What the daemon writes of the toilers meanwhile is none of its
    doing, and a lock on the file around each of these lines would be most of what there is.
    """
    others = [i for i, line in enumerate(lines) if not re.search(r'"message":"toil|^\d+ flock ', line)]
    step = max(1, len(others) // max(wanted - len(crossroads), 1))
    return [*map(point_of, crossroads), *(nth(lines, at) for at in others[step // 2::step])]


def point_of(crossroad):
    return crossroad if isinstance(crossroad, tuple) else (1, crossroad)


def nth(lines, at):
    """What is written of the toilers comes anywhere between: the third unlink stays the third."""
    names = [line.split()[1] for line in lines]
    return names[:at + 1].count(names[at]), f"^{names[at]} "


def kill_at(check, house, scenario, *point):
    scenario.prepare()
    watched = Watched(house, *point)
    scenario.act()
    is_crossroad = point in map(point_of, scenario.crossroads)
    # The other calls are not the same each time: then it was killed at none.
    killed = wait_for(lambda: not house.daemon.is_alive(), 20 if is_crossroad else 1)
    seen = watched.end()
    what = f"{scenario.name}, killed at {seen[-1] if killed else None}, meant was {point}"
    if killed:
        house.daemon.process.wait()
        house.daemon.start()
    failed = check.failed
    if is_crossroad:
        check.that(f"{what}: it comes there", killed)
    scenario.judge(check, what)
    if check.failed > failed:
        print(f"#    the daemon has said: {house.daemon.errors()[-1000:]}", flush=True)
    return bool(killed)


def sweep(check, house, scenario, wanted):
    lines = points_of(check, scenario, house)
    with open(f"{house.log}/points-{scenario.name}", "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines))
    chosen = sample(lines, scenario.crossroads, wanted)
    killed = sum(kill_at(check, house, scenario, *point) for point in chosen)
    print(f"#    {scenario.name}: killed at {killed} of {len(chosen)} points, of {len(lines)} that there are", flush=True)
    check.that("the daemon was killed at most of them", killed * 3 >= len(chosen) * 2, killed)


def killed(check, house, doing, wanted):
    """wanted: points of it."""
    scenario = doing(house)
    witnesses = [Toil(house, period_ms=200, user=user, job_id=f"witness-{scenario.name}-{user.name}") for user in (ALICE, ROOT)]
    check.that("the witnesses toil", all([witness.goes() for witness in witnesses]))
    sweep(check, house, scenario, wanted)
    scenario.close(check)
    for witness in witnesses:
        witness.end()
        witness.job.finish()
        witness.judge(check, witness.job.id)
        house.accounted(check, witness.job.id, witness.job, witness[ATTEMPTS])
    house.settles(check, f"kills in {scenario.name}")


class StoppedLaunch(Launch):
    """Its jobs have ids of their own, as the records of those that were killed are still there."""
    name = "stopped-launch"


def wake(house):
    stopped = wait_for(lambda: house.daemon.state() == "T", 20)
    time.sleep(2)
    os.kill(house.daemon.pid, signal.SIGCONT)
    return stopped


def stopped(check, house):
    """It stands still for a moment in the middle of a launch: the job starts all the same, or not at all."""
    scenario = StoppedLaunch(house)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for number, pattern in map(point_of, scenario.crossroads):
            watched = Watched(house, number, pattern, "stop")
            waker = pool.submit(wake, house)
            scenario.act()
            what = f"stopped at {pattern}"
            check.that(f"{what}: it was", waker.result())
            watched.end()
            scenario.judge(check, what)
    house.settles(check, "stopped in launches")
