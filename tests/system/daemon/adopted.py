# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
A job whose daemon is killed is the next one's as it was the first one's: what is shown of it, its time, its id. And what is left of
jobs that are gone, names, ids, labels, is taken for none.
"""
import contextlib
import ctypes
import hashlib
import json
import os
import re
import socket
import struct
import subprocess
import time

from attach import CGROUP, Crowd, cgroup, enter, rmdir
from harness import wait_for, wait_for_equal
from hostile import CLONE_NEWNS, CLONE_NEWUSER, unshare
from house import ALICE, BOB
from protocol import Client, child, error_of, result_of
import sabotage
from toil import ATTEMPTS, Toil
import traces

MOVED = "record", "kinds", "adopted", "sinks", "denied", "would_deny"  # of a status: what goes on, or begins with the daemon


def asked(house, pid, job_id):
    """What the owner is answered: status, whois, and the job's line in the list."""
    status = json.loads(house.ask("status", "--json", job_id, user=ALICE).stdout)
    whois = json.loads(house.ask("whois", "--json", str(pid), user=ALICE).stdout)
    listed = json.loads(house.ask("jobs", "--json", user=ALICE).stdout)
    return [{key: value for key, value in one.items() if key not in MOVED} for one in (status, whois, *listed)]


def shown(check, house):
    """status, whois, jobs, reload and kill know a job that was adopted as they knew it before; its self-test too."""
    job = house.start("sleep", "1000", user=ALICE)
    untested = house.start("sleep", "1000", options=["--no-self-test"])
    check.that("they run", wait_for(lambda: house.running(job) and house.running(untested)))
    before = asked(house, job.process.pid, job.id)
    check.that("its self-test was passed", before[0]["self_test"]["passed"] and before[0]["self_test"]["refused"] > 20, before[0]["self_test"])
    house.daemon.restart()
    check.equal("the same is answered after kill -9", asked(house, job.process.pid, job.id), before)
    check.that("but that it was adopted", house.status(job.id)["adopted"])
    check.matches("status, in words", house.ask("status", job.id, user=ALICE).stdout, r"^self-test +passed: \d+ acts refused")
    check.equal("of one that was not tested", house.status(untested.id)["self_test"], None)
    check.matches("in words", house.ask("status", untested.id).stdout, r"^self-test +none: it was switched off$")
    check.equal("another user is answered nothing", [house.ask(*words, user=BOB).returncode for words in
                                                     (("status", job.id), ("whois", str(job.process.pid)), ("kill", job.id))], [1, 1, 1])
    check.equal("reload", house.ask("reload", job.id).stdout, "0 jobs obey new rules, 1 is unchanged\n")
    check.equal("kill, by its owner", house.ask("kill", job.id, user=ALICE).returncode, 0)
    check.equal("it is killed", (job.finish().status, house.record(job)[-1]["message"].count("killed by request")), (137, 1))
    check.that("as one that was adopted", job.end()["adopted"])
    check.equal("the start event has the self-test that status showed", house.record(job)[0]["unmapped"]["jobcage"]["self_test"], before[0]["self_test"])
    untested.process.kill()
    untested.finish()
    house.settles(check, "adopted, shown")


def runtime(check, house):
    """limits.runtime counts from the job's start, whoever looks after it, and while nobody does."""
    house.policy("few", limits={"runtime": "4s"})
    for what, away_s in (("killed and back at once", 0), ("back when its time has passed", 5)):
        start = time.monotonic()
        job = house.start("sleep", "1000", user=ALICE, policy="few")
        check.that(f"{what}: it runs", wait_for(lambda one=job: house.running(one)))
        house.daemon.kill()
        time.sleep(away_s)
        check.equal(f"{what}: nobody kills it meanwhile", job.process.poll(), None)
        house.daemon.start()
        back = time.monotonic()
        check.equal(f"{what}: it is killed", job.finish().status, 137)
        took, since = time.monotonic() - start, time.monotonic() - back
        check.that(f"{what}: when its time is over, or at once", took > 3.9 and (since < 2.5 if away_s else took < 7), (took, since))
        check.matches(f"{what}: the record says so", house.record(job)[-1]["message"], "limits.runtime")
        check.that(f"{what}: it was adopted", job.end()["adopted"])
    house.settles(check, "adopted, runtime")


# --- absence ----------------------------------------------------------------------------------------------------

ABSENCE = re.compile(r"for ([\d.]+) s no controller looked after the job; its rules stayed in force, (\d+) records waited, "
                     r"and (\d+) of all so far did not fit the ring")


def absences(job):
    """Of each: seconds, records that waited, records lost; as numbers."""
    texts = [ABSENCE.search(event["message"]) for event in job.events() if event.get("finding_info", {}).get("title") == "Controller was away"]
    return [(float(text[1]), int(text[2]), int(text[3])) for text in texts]


def is_told(house, toil):
    record = (house.status(toil.job.id) or {}).get("record", {})
    return record.get("decisions") == record.get("delivered", 0) + record.get("lost", 0) == toil[ATTEMPTS]


def toil_for(toil, seconds):
    """It toils for that long and comes to rest; how often it has attempted."""
    before = toil[ATTEMPTS]
    toil.set_phase(1)
    time.sleep(seconds)
    toil.set_phase(0)
    time.sleep(0.3)
    return toil[ATTEMPTS] - before


def absence(check, house):
    """What the next daemon says of the time without one: how long it was, and what the toil did meanwhile, to the last attempt."""
    toil = Toil(house, period_ms=2, user=ALICE)
    check.that("it toils", toil.goes() and toil.attempts_on(20))
    toil.set_phase(0)
    check.that("all is told before", wait_for(lambda: is_told(house, toil), 30))
    attempts = []
    for away_s in (0.5, 2):
        house.daemon.kill()
        since = time.monotonic()
        attempts.append(toil_for(toil, away_s))
        house.daemon.start()
        away = time.monotonic() - since
        found = wait_for(lambda cnt=len(attempts): absences(toil.job)[cnt - 1:], 30)
        check.equal(f"away for {away_s} s: records that waited, and lost ones", [one[1:] for one in found], [(attempts[-1], 0)])
        # It is noted once a second that somebody looks; and the job is adopted before the daemon says that it is ready.
        check.that(f"away for {away_s} s: for so long", found and away_s <= found[0][0] <= away + 1.5, (found, away))
        check.that(f"away for {away_s} s: all is told in the end", wait_for(lambda: is_told(house, toil), 30))
    toil.end()
    toil.job.finish()
    toil.judge(check, "absence")
    house.accounted(check, "absence", toil.job, toil[ATTEMPTS])
    print(f"#    away, s, records waiting, lost: {absences(toil.job)}", flush=True)
    house.settles(check, "absence")


# --- names and numbers ------------------------------------------------------------------------------------------

def reused_id(check, house):
    """An id is free when its job's last process is gone, also if that went without a daemon; and not before."""
    job = house.start("sleep", "1000", user=ALICE, job_id="twice")
    check.that("it runs", wait_for(lambda: house.running(job)))
    house.daemon.restart()
    second = house.start("true", user=ALICE, job_id="twice").finish()
    check.equal("the id of an adopted job that runs", (second.status, second.err), (125, 'jobcage run: a job with id "twice" is running\n'))
    house.daemon.kill()
    job.process.kill()
    job.finish()
    house.daemon.start()
    again = house.shell("echo x 2>/dev/null >>$DIGITS/a; exit 6", user=ALICE, job_id="twice")
    check.equal("of one that ended without a daemon", (again.status, again.err), (6, ""))
    ends = wait_for_equal(lambda: [event["unmapped"]["jobcage"]["denied"]["file"] for event in again.events()
                                   if event["metadata"]["event_code"] == "job_end"], [0, 1], 30)
    check.equal("each of the two has its own account", ends, [0, 1])
    starts = [event["metadata"]["sequence"] for event in again.events() if event["metadata"]["event_code"] == "job_start"]
    check.equal("and its own numbers", starts, [1, 1])
    house.settles(check, "an id that is used again")


@contextlib.contextmanager
def namesake(path):
    """Somebody else's cgroup in the place of a job's that is empty; with a process."""
    os.rmdir(path)
    os.mkdir(path)
    try:
        yield
    finally:
        wait_for(lambda: rmdir(path))


def reused_cgroup(check, house):
    """
    A job's cgroup is removed when it is empty, and another made of that name, while the daemon is away, or is held up: who is in that
    one is in no job, is not killed with the job, and keeps its cgroup.
    """
    house.write(f"{house.out}/allowed", "")
    for what, is_killed in (("killed", True), ("held up", False)):
        job = house.start("sleep", "1000")
        check.that(f"{what}: it runs", wait_for(lambda one=job: house.running(one)))
        path = f"{traces.CGROUP_ROOT}/jobcage-{job.id}"
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(contextlib.ExitStack())
            if is_killed:
                house.daemon.kill()
            else:
                held.enter_context(house.daemon.stopped())
            job.process.kill()
            job.process.wait()
            stack.enter_context(namesake(path))
            crowd = Crowd(house, 1, 1, "stay")
            for pid in crowd.pids:
                house.write(f"{path}/cgroup.procs", str(pid))
            held.close()
            if is_killed:
                house.daemon.start()
            check.that(f"{what}: the job ends", wait_for(lambda one=job: one.end() and not os.path.exists(f"{traces.STATE_JOBS}/{one.id}.json"), 20))
            check.equal(f"{what}: its reason", job.events()[-1]["message"].count("its last process is gone"), 1)
            check.equal(f"{what}: who is in the other cgroup is in no job", {house.ask("whois", str(pid)).returncode for pid in crowd.pids}, {1})
            with open(f"{path}/cgroup.procs", encoding="ascii") as stream:
                check.equal(f"{what}: and still there", sorted(map(int, stream.read().split())), sorted(crowd.pids))
            crowd.judge()
            time.sleep(0.5)
            attempts, wrong = crowd.end()
            # Every other attempt is of what a job may.
            check.that(f"{what}: it does what a job would be refused", wrong > attempts / 3, (attempts, wrong))
    house.settles(check, "a cgroup's name that is used again")


# --- labels -----------------------------------------------------------------------------------------------------

NOBODY = struct.pack("<II", 16000, 7)  # a label: slot and generation that no job has


def label_of(job_id):
    with open(f"{traces.STATE_JOBS}/{job_id}.json", encoding="utf-8") as stream:
        content = json.load(stream)
    return struct.pack("<II", content["slot"], content["generation"])


def plant(name, label):
    """For the cgroup's id, in that map."""
    fd = sabotage.obj_get(sabotage.pin(name))
    sabotage.map_call(sabotage.MAP_UPDATE_ELEM, fd, struct.pack("<Q", os.stat(CGROUP).st_ino), ctypes.create_string_buffer(label, len(label)))
    os.close(fd)


def planted(name):
    """What that map has for the cgroup's id, or None."""
    fd, value = sabotage.obj_get(sabotage.pin(name)), ctypes.create_string_buffer(8)
    found = sabotage.map_call(sabotage.MAP_LOOKUP_ELEM, fd, struct.pack("<Q", os.stat(CGROUP).st_ino), value)
    os.close(fd)
    return value.raw if found else None


def unplant(name):
    fd = sabotage.obj_get(sabotage.pin(name))
    sabotage.map_call(sabotage.MAP_DELETE_ELEM, fd, struct.pack("<Q", os.stat(CGROUP).st_ino))
    os.close(fd)


def programs():
    listed = subprocess.run([traces.BPFTOOL, "-j", "cgroup", "show", CGROUP], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(listed.strip() or "[]")


def becomes_job(check, house, what, pid):
    """attach succeeds, and its end leaves nothing."""
    result = house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch")
    check.equal(f"{what}: attached", (result.returncode, result.stderr), (0, ""))
    check.equal(f"{what}: whose label it has", planted("job_by_cgroup"), label_of("batch"))
    check.equal(f"{what}: who is in it is the job's", house.ask("whois", str(pid)).stdout.split()[:1], ["batch"])
    house.ask("kill", "batch")
    check.that(f"{what}: it ends", wait_for(lambda: "batch" not in house.job_ids()))
    check.equal(f"{what}: nothing is left at the cgroup", (planted("job_by_cgroup"), programs()), (None, []))


FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432
FSCONFIG_CMD_CREATE = 6


def tmpfs_of_own():
    """A descriptor of one that is mounted nowhere. Another process makes it, in namespaces of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        context = libc.syscall(FSOPEN, b"tmpfs", 0)
        libc.syscall(FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0)
        socket.send_fds(theirs, [b"x"], [libc.syscall(FSMOUNT, context, 0, 0)])
        os._exit(0)
    root = socket.recv_fds(ours, 1, 1)[1][0]
    os.waitpid(pid, 0)
    ours.close()
    theirs.close()
    return root


@contextlib.contextmanager
def mounted_with(dev, place):
    """The kernel gives numbers again that are free: so often a tmpfs is mounted until one has that number."""
    cnt = 0
    try:
        while os.stat(place).st_dev != dev and cnt < 50:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "none", place], check=True)
            cnt += 1
        yield os.stat(place).st_dev == dev
    finally:
        for _ in range(cnt):
            subprocess.run(["umount", place], check=True)


def lost_scratch(check, house):
    """Nobody but the daemon holds what a launcher sent as its scratch, and the daemon is killed: what is mounted next has its number, and is none of the job's."""
    house.policy("env", environment={"private": ["/tmp"], "scratch": "/var/tmp"})
    place, told = f"{house.root}/next", f"{house.out}/scratch-dev"
    os.makedirs(place, exist_ok=True)

    def launch():
        client, job = Client(), house.new_id()
        text = client.ask("run", policy="env", job=job).get("policy_text", "")
        root = tmpfs_of_own()
        answer = client.ask("run", policy="env", job=job, environment_of=hashlib.sha256(text.encode()).hexdigest(), scratch=root)
        house.write(told, str(os.fstat(root).st_dev))
        os.close(root)
        wait_for(lambda: house.exists("mounted"))
        try:
            os.close(os.open(f"{place}/breach", os.O_CREAT | os.O_WRONLY))
            return [error_of(answer), "breach"]
        except OSError as error:
            return [error_of(answer), error.strerror]

    honest = house.start_shell("until test -e $OUT/mounted; do sleep 0.05; done; echo fine >/var/tmp/x && echo fine >/tmp/x && cat /var/tmp/x", policy="env", user=ALICE)
    wait_for(lambda: house.running(honest))
    pid, fd = child(ALICE, launch)
    wait_for(lambda: os.path.exists(told) and os.path.getsize(told))
    house.daemon.restart()
    with open(told, encoding="ascii") as stream, mounted_with(int(stream.read()), place) as is_same:
        check.that("its number is another's", is_same)
        house.touch("mounted")
        check.equal("answer, what came of it", result_of(pid, fd), ["ok", "Permission denied"])
    check.equal("another job's scratch stays its own", (honest.finish().status, honest.out), (0, "fine\n"))
    for name in ("mounted", "scratch-dev"):
        os.unlink(f"{house.out}/{name}")
    house.settles(check, "a scratch that is gone")


def stale_labels(check, house):
    """
    A cgroup's id has a label already, or programs with one are attached to it. If no job has that label, it is cleared away, at the
    second try at the latest; a label of another job's is not touched.
    """
    with cgroup():
        for what in ("of nobody", "of another job", "programs of nobody"):
            with subprocess.Popen(["sleep", "1000"]) as sleeper:
                enter(sleeper.pid)
                if what == "programs of nobody":
                    subprocess.run([traces.BPFTOOL, "cgroup", "attach", CGROUP, "cgroup_inet4_connect", "pinned", sabotage.pin("egress_connect4"), "multi"],
                                   check=True)
                    plant("job_by_attach", NOBODY)
                else:
                    plant("job_by_cgroup", NOBODY if what == "of nobody" else label_of("keeper"))
                if what != "of nobody":
                    result = house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch")
                    check.equal(f"{what}: refused", (result.returncode, result.stdout, result.stderr.count("\n")), (1, "", 1))
                    check.equal(f"{what}: who is in it is in no job", house.ask("whois", str(sleeper.pid)).returncode, 1)
                    check.equal(f"{what}: nothing of it is left", (programs(), os.path.exists(f"{traces.STATE_JOBS}/batch.json")), ([], False))
                if what == "of another job":
                    check.equal(f"{what}: it is the other's still", planted("job_by_cgroup"), label_of("keeper"))
                    unplant("job_by_cgroup")
                becomes_job(check, house, what, sleeper.pid)
                check.equal(f"{what}: and killed with it", wait_for_equal(sleeper.poll, -9, 10), -9)
                sleeper.kill()
    house.settles(check, "stale labels")
