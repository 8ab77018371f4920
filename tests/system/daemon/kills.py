# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
kill -9 of the daemon at each of its system calls that killpoint lists, in each of its doings.

Those of an undisturbed one are listed first. Two witnesses toil through all of it: what they attempt is never let, and every
attempt is in their record. After each kill the next daemon has to set right whatever was half done.
"""
import re

from doings import Adoption, Attach, Environment, Finish, Kill, Launch, Reload, Renewal
from harness import wait_for
from house import ALICE, ROOT
from toil import ATTEMPTS, Toil
from watched import Watched

# Of each: how many points are tried, where not all are.
DOINGS = {Launch: 15, Environment: 10, Attach: 8, Finish: 15, Kill: 8, Reload: 15, Renewal: 8, Adoption: 8}


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
    """The crossroads, and others spread over all; what the daemon writes of the toilers meanwhile is none of its doing."""
    chosen = {next((i for i, line in enumerate(lines) if re.search(pattern, line)), None) for pattern in crossroads} - {None}
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
    lines = points_of(check, scenario, house)
    with open(f"{house.log}/points-{scenario.name}", "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines))
    for pattern in scenario.crossroads:
        check.that(f"{scenario.name}: {pattern} is one of its calls", any(re.search(pattern, line) for line in lines))
    chosen = sample(lines, scenario.crossroads, wanted)
    killed = sum(kill_at(check, house, scenario, lines, at) for at in chosen)
    print(f"#    {scenario.name}: killed at {killed} of {len(chosen)} points, of {len(lines)} that there are", flush=True)
    check.that("the daemon was killed at most of them", killed * 3 >= len(chosen) * 2, killed)


def killed(check, house, doing, wanted):
    """wanted: points of it."""
    witnesses = [Toil(house, period_ms=200, user=user, job_id=f"witness-{user.name}") for user in (ALICE, ROOT)]
    check.that("the witnesses toil", all([witness.goes() for witness in witnesses]))
    scenario = doing(house)
    sweep(check, house, scenario, wanted)
    scenario.close(check)
    for witness in witnesses:
        witness.end()
        witness.job.finish()
        witness.judge(check, witness.job.id)
        house.accounted(check, witness.job.id, witness.job, witness[ATTEMPTS])
    house.settles(check, f"kills in {scenario.name}")
