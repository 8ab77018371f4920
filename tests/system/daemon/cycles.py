# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The daemon ends, again and again, by every means; the jobs toil on under their rules."""
import contextlib
import os
import random
import time

from house import ALICE, ROOT, Daemon
from toil import ATTEMPTS, Toil
import traces


@contextlib.contextmanager
def toiling(check, house, cnt, period_ms=40):
    """Jobs that toil; at the end each is judged and its account compared with its record."""
    jobs = [Toil(house, period_ms=period_ms, user=ALICE if i % 2 else ROOT) for i in range(cnt)]
    check.that("the jobs toil", all([job.goes() for job in jobs]))
    yield jobs
    for toil in jobs:
        toil.end()
    for toil in jobs:
        toil.job.finish()
        toil.judge(check, toil.job.id)
        house.accounted(check, toil.job.id, toil.job, toil[ATTEMPTS])
    lost = sum(toil.job.end().get("lost", 0) for toil in jobs)
    print(f"#    {cnt} jobs: {sum(toil[ATTEMPTS] for toil in jobs)} attempts, 0 of them to succeed; "
          f"{lost} counted as lost, the others events", flush=True)


def cycles(check, house, kills, cnt):
    """Killed at any moment, also before it is ready; sometimes nobody is there for a while."""
    chance = random.Random(7)
    with toiling(check, house, cnt) as jobs:
        for _ in range(kills):
            house.daemon.kill()
            if chance.random() < 0.2:
                time.sleep(chance.random())
            house.daemon.launch()
            time.sleep(chance.random() * 1.2)
        house.daemon.restart()
        check.that("all jobs attempt to the end", all([toil.attempts_on() for toil in jobs]))
        check.equal("the daemon has them all", len(house.job_ids()), cnt + 1)
    house.settles(check, "cycles")


def stopped(check, house, is_patient):
    """SIGSTOP: what runs obeys; what is asked for does not run before the daemon answers."""
    toil = Toil(house, user=ALICE)
    toil.goes()
    with house.daemon.stopped():
        waits, given_up = (house.start_shell("touch $OUT/stop-ran; exit 3", user=user) for user in (ALICE, ROOT))
        check.that("a job that runs toils on", toil.attempts_on(10))
        time.sleep(1.5)
        given_up.process.kill()
        given_up.process.wait()
        check.equal("nothing starts", (waits.process.poll(), house.exists("stop-ran")), (None, False))
        if is_patient:
            check.equal("what waits gives up in the end", waits.finish().status, 125)
            check.matches("and says so", waits.err, r"\Ajobcage run: the daemon has not answered for 60 s; its log may say why\n\Z")
    if not is_patient:
        check.equal("what has waited runs", (waits.finish().status, house.exists("stop-ran")), (3, True))
    toil.end()
    toil.job.finish()
    toil.judge(check, "SIGSTOP")
    house.accounted(check, "SIGSTOP", toil.job, toil[ATTEMPTS])
    for name in ("stop-ran",) * house.exists("stop-ran"):
        os.unlink(f"{house.out}/{name}")
    house.settles(check, "SIGSTOP")


def flood(check, house, seconds):
    """A job that is denied more often than anyone can write down drowns nothing but its own alerts."""
    house.policy("short", limits={"runtime": f"{seconds}s"})
    log = f"{house.log}/flood.jsonl"
    flooder = Toil(house, period_ms=0, threads=2, alerts=log, policy="short")
    quiet = Toil(house, user=ALICE)
    check.that("they toil", flooder.goes() and quiet.goes())
    start = time.monotonic()
    for user in (ALICE, ROOT):
        check.equal(f"{user.name} runs a job meanwhile", house.shell("exit 5", user=user).status, 5)
    check.equal("and is told what runs", house.ask("status", quiet.job.id).returncode, 0)
    took = time.monotonic() - start
    check.that("without waiting for the flood's end", took < seconds and flooder.job.process.poll() is None, f"{took:.1f} s")
    check.equal("its time comes all the same", flooder.job.finish().status, 137)
    check.that("at once", time.monotonic() - start < seconds + 5, f"{time.monotonic() - start:.1f} s")
    quiet.end()
    quiet.job.finish()
    quiet.judge(check, "the quiet job")
    house.accounted(check, "the quiet job", quiet.job, quiet[ATTEMPTS])
    check.equal("the quiet job: none of its alerts is lost", quiet.job.end().get("lost"), 0)
    flooder.judge(check, "the flood")
    house.accounted(check, "the flood", flooder.job, flooder[ATTEMPTS], slack=2)
    print(f"#    {flooder[ATTEMPTS]} attempts in {seconds} s: {flooder.job.end().get('lost')} counted as lost, "
          f"{flooder.job.end().get('delivered')} events", flush=True)
    house.settles(check, "flood")


# --- other builds -----------------------------------------------------------------------------------------------

def rebuilt(house, name, old, new):
    """The same program but for one text in it, of the same length: what a build of another version or layout differs in."""
    with open(house.jobcage, "rb") as stream:
        program = stream.read()
    if old not in program:
        raise RuntimeError(f"{old} is not in the program")
    path = f"{house.root}/jobcage-{name}"
    with open(path, "wb") as stream:
        stream.write(program.replace(old, new))
    os.chmod(path, 0o755)
    return path


def layout():
    """What names the folder of the pins."""
    return os.listdir(traces.PIN_ROOT)[0].encode()


def version(house, binary=None):
    return house.ask("--version", binary=binary).stdout.split()[-1]


def version_in_events(job):
    return [event["metadata"]["product"]["version"] for event in job.events()]


def upgrade(check, house, cnt):
    """Stopped, and a build of another version started, under load; then one that cannot read the tables."""
    ours = version(house)
    theirs = "9" + ours[1:]
    newer = rebuilt(house, "newer", ours.encode() + b"\0", theirs.encode() + b"\0")
    check.equal("the newer build says so", version(house, newer), theirs)
    stranger = rebuilt(house, "stranger", layout(), b"f" * len(layout()))
    with toiling(check, house, cnt) as jobs:
        check.equal("SIGTERM: exit status", house.daemon.stop(), 0)
        check.that("jobs toil on without a daemon", all([toil.attempts_on() for toil in jobs]))
        foreign = Daemon(house, stranger).launch()
        foreign.process.wait(60)
        check.equal("a build of another layout is refused", foreign.process.returncode, 1)
        check.matches("and says what to do", foreign.errors(), r"^jobcage daemon: jobs run under .*whose tables this one cannot.*--teardown")
        alone = house.ask("run", "--policy", house.policy("plain"), "--", "true", binary=stranger)
        check.equal("and cannot run a job alone", alone.returncode, 125)
        check.that("jobs toil on", all([toil.attempts_on() for toil in jobs]))
        house.daemon = Daemon(house, newer).start()
        check.equal("the newer build has them all", len(house.job_ids()), cnt + 1)
        check.that("jobs toil on under it", all([toil.attempts_on(3) for toil in jobs]))
        run = house.shell("echo x 2>/dev/null >>$DIGITS/a; exit 8", user=ALICE)
        check.equal("it runs new ones", run.status, 8)
    told = version_in_events(jobs[0].job)
    check.equal("the first event is of the old build, the last of the new one", (told[0], told[-1]), (ours, theirs))
    check.equal("the absence is told once to each", [count(toil.job, "Controller was away") for toil in jobs], [1] * cnt)
    house.accounted(check, "of the newer build", run, 1)
    house.daemon.stop()
    house.daemon = Daemon(house).start()
    check.equal("and back again", house.shell("exit 2", user=ALICE).status, 2)
    house.settles(check, "upgrade")


def count(job, title):
    return sum(event.get("finding_info", {}).get("title") == title for event in job.events())
