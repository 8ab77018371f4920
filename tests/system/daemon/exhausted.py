# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Nothing is left of something: the daemon refuses clearly, leaves nothing half made, and those that run are not touched."""
import contextlib
import os
import re
import resource
import struct
import subprocess
import time

from attach import CGROUP, cgroup, waiting_in
from endings import OOM, oom_kills, put, small_home
from harness import wait_for
from house import ALICE, ROOT
import sabotage
from scheduler import PARENT, enter, parent_cgroup
from toil import ATTEMPTS, Toil
import traces

# Of jobs and policies, see bpf/abi: where an entry begins to say that it is taken, and what says that it is nobody's that the
# controller knows: a generation without a policy; a mode.
SLOTS = {"job": (8, struct.pack("II", 1, 0xffffffff)), "policy": (0, struct.pack("I", 1))}


def places_of(kind, values):
    """Where in the kernel's own table each slot begins to say that it is taken."""
    return range(SLOTS[kind][0], len(values), sabotage.TABLES[kind].size)


def slots_in_use():
    found = {}
    for kind in SLOTS:
        with sabotage.table(kind) as values:
            found[kind] = sum(any(values[place:place + 4]) for place in places_of(kind, values))
    return found


@contextlib.contextmanager
def witness(check, house, what):
    """A job toils meanwhile; in the end nothing is left of all that was refused, in the kernel's tables and in the daemon neither."""
    daemon, fds, in_use = house.daemon.pid, house.daemon.fd_cnt(), slots_in_use()
    toil = Toil(house, user=ROOT)
    check.that(f"{what}: a job toils", toil.goes())
    yield
    toil.end()
    toil.job.finish()
    toil.judge(check, what)
    house.accounted(check, what, toil.job, toil[ATTEMPTS])
    house.settles(check, what)
    # One of a job before may have been about to be freed.
    check.that(f"{what}: no more slots are in use than before", wait_for(lambda: all(cnt <= in_use[kind] for kind, cnt in slots_in_use().items()), 30),
               f"{slots_in_use()}, not {in_use}")
    if house.daemon.pid == daemon:
        check.that(f"{what}: the daemon keeps no descriptor", wait_for(lambda: house.daemon.fd_cnt() <= fds, 30), f"{house.daemon.fd_cnt()}, not {fds}")


def refused_or_ran(check, what, job):
    """Either as a whole."""
    ran = job.out == "ran\n"
    check.equal(f"{what}: status", job.status, 0 if ran else 125)
    check.that(f"{what}: it ran, or one line says why not", ran or (job.out == "" and job.err.count("\n") == 1), job.out + job.err)
    return ran


def jobs(check, house):
    """limits.jobs and limits.jobs_per_user: of the site."""
    with witness(check, house, "jobs"):
        for limit, user in (("jobs", ROOT), ("jobs_per_user", ALICE)):
            cnt = len(house.job_ids()) + 1 if limit == "jobs" else 1
            house.put_site(limits={limit: cnt})
            check.equal(f"{limit}: reload", house.ask("reload").returncode, 0)
            last = house.start("sleep", "1000", user=user)
            wait_for(lambda: house.running(last))
            more = house.shell("echo ran", user=user)
            check.equal(f"{limit}: one more", (more.status, more.out), (125, ""))
            check.matches(f"{limit}: says so", more.err, rf"\Ajobcage run: .*limits\.{limit}\b.*\n\Z")
            last.process.kill()
            last.process.wait()
            house.record(last)
            check.equal(f"{limit}: then there is room again", house.shell("exit 3", user=user).status, 3)
        house.put_site()
        house.ask("reload")


def descriptors(check, house):
    """The daemon may open so many files more."""
    limits = resource.prlimit(house.daemon.pid, resource.RLIMIT_NOFILE)
    results = []
    with witness(check, house, "descriptors"):
        for more in range(0, 40, 3):
            resource.prlimit(house.daemon.pid, resource.RLIMIT_NOFILE, (house.daemon.fd_cnt() + more, limits[1]))
            job = house.start_shell("echo ran", user=ALICE)
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.process.wait(2)
            resource.prlimit(house.daemon.pid, resource.RLIMIT_NOFILE, limits)
            results.append(refused_or_ran(check, f"{more} descriptors more", job.finish()))
        check.that("some are refused", not all(results), results)
        check.equal("with all, it runs", house.shell("exit 3", user=ALICE).status, 3)


@contextlib.contextmanager
def run_limited(option, value, total):
    """/run has room for so much. -n: mount itself writes nothing there."""
    remount = ["mount", "-n", "/run", "-o"]
    subprocess.run([*remount, f"remount,{option}={value}"], check=True)
    try:
        yield
    finally:
        subprocess.run([*remount, f"remount,{option}={total}"], check=True)


def run_full(check, house, what, option, room):
    """room() tells how much there is in all, how much is used, and how much to go on by."""
    results = []
    with witness(check, house, what):
        for more in range(6):
            total, used, step = room(os.statvfs("/run"))
            with run_limited(option, used + more * step, total):
                job = house.shell("echo ran", user=ALICE)
            results.append(refused_or_ran(check, f"{more} {what} left", job))
        check.that("some are refused", not all(results), results)
        check.equal("with room, it runs", house.shell("exit 3", user=ALICE).status, 3)


def space(check, house):
    """No page is left where the daemon keeps what it knows of jobs."""
    run_full(check, house, "pages", "size", lambda st: (st.f_blocks * st.f_frsize, (st.f_blocks - st.f_bfree) * st.f_frsize, 4096))


def inodes(check, house):
    """No file can be made there."""
    run_full(check, house, "files", "nr_inodes", lambda st: (st.f_files, st.f_files - st.f_ffree, 1))


# --- the kernel's tables ----------------------------------------------------------------------------------------

@contextlib.contextmanager
def slots_taken(kind):
    """All that are free."""
    taken = SLOTS[kind][1]
    with sabotage.table(kind) as values:
        was = {place: bytes(values[place:place + len(taken)]) for place in places_of(kind, values) if not any(values[place:place + 4])}
        for place in was:
            values[place:place + len(taken)] = taken
        try:
            yield len(was)
        finally:
            for place, content in was.items():
                values[place:place + len(taken)] = content


def slots(check, house):
    """16,383 jobs, 4,096 policies: as many as the kernel's tables hold."""
    rows = [("job", 16383, "plain", "no room for another job in the kernel (16383 at most)", 125),
            ("policy", 4096, "digits-a", "no room for another policy in the kernel (4096 at most)", 0)]
    with witness(check, house, "slots"):
        for kind, most, policy, says, status_of_same in rows:
            with slots_taken(kind) as cnt:
                check.that(f"{kind}: nearly all were free", most - 10 < cnt < most, cnt)
                job = house.shell("echo ran", user=ALICE, policy=policy)
                check.equal(f"{kind}: one more is refused", (job.status, job.out), (125, ""))
                check.matches(f"{kind}: says so", job.err, rf"\Ajobcage run: .*{re.escape(says)}.*\n\Z")
                same = house.shell("exit 0", user=ALICE)
                check.equal(f"{kind}: of a policy that is there", same.status, status_of_same)
                attach_refused(check, house, kind, policy)
            check.equal(f"{kind}: then there is room again", house.shell("exit 3", user=ALICE, policy=policy).status, 3)


def attach_refused(check, house, what, policy):
    """Who is in the cgroup stays free."""
    with cgroup(), waiting_in(house, CGROUP) as is_free:
        result = house.ask("attach", "--cgroup", CGROUP, "--policy", policy)
        check.equal(f"{what}: attach is refused, in one line", (result.returncode, result.stderr.count("\n")), (1, 1))
        check.that(f"{what}: what was to be attached is free", is_free())


# --- memory -----------------------------------------------------------------------------------------------------

def memory_used():
    with open(f"{OOM}/memory.current", encoding="ascii") as stream:
        return int(stream.read())


def revived(house):
    """Was the daemon killed for its memory? Then the next one takes over."""
    put("memory.max", "max")
    if house.daemon.is_alive():
        return False
    house.daemon.start(lambda: put("cgroup.procs", "0"))
    return True


def started_with(house, pages):
    """A job that waits at the gate, or the refusal of one; and was the daemon killed for it?"""
    before = oom_kills()
    put("memory.max", str(memory_used() + pages * 4096))
    job = house.start_shell("echo ran; read -r go <$OUT/gate", user=ALICE, policy="digits-a")
    wait_for(lambda: job.out or job.process.poll() is not None)
    killed = oom_kills() > before
    if killed:
        house.daemon.process.wait()
    return job, killed, revived(house)


def memory(check, house):
    """
    The daemon, and the tables it makes, may have so many pages more. It refuses; or is killed, and the next one tidies up. Those
    that have started go on, so that each needs a ring of its own.
    """
    results, kills, gate = [], 0, f"{house.out}/gate"
    os.mkfifo(gate)
    os.chmod(gate, 0o644)
    fd = os.open(gate, os.O_RDWR)
    with small_home(house), witness(check, house, "memory"):
        jobs_by_pages = {}
        for pages in range(0, 160, 10):
            jobs_by_pages[pages], killed, died = started_with(house, pages)
            check.equal(f"{pages} pages more: the daemon ends by nothing else", died, killed)
            kills += killed
        check.equal("with memory, it runs", house.shell("exit 3", user=ALICE).status, 3)
        os.write(fd, b"\n" * len(jobs_by_pages))  # sh reads byte by byte: one for each
        results = [refused_or_ran(check, f"{pages} pages more", job.finish()) for pages, job in jobs_by_pages.items()]
        check.that("some are refused", not all(results), results)
    os.close(fd)
    os.unlink(gate)
    print(f"#    {results.count(False)} refused, {results.count(True)} ran; the daemon killed {kills} times", flush=True)


def address_space(check, house):
    """The daemon's address space may grow by so much: here it is never killed, but refuses. Stacks of threads are kept and used again."""
    limits = resource.prlimit(house.daemon.pid, resource.RLIMIT_AS)
    results, pid = [], house.daemon.pid
    with witness(check, house, "address space"):
        for kib in range(0, 1600, 100):
            resource.prlimit(pid, resource.RLIMIT_AS, ((house.daemon.status_kib("VmSize") + kib) * 1024, limits[1]))
            job = house.shell("echo ran", user=ALICE, policy="digits-a")
            resource.prlimit(pid, resource.RLIMIT_AS, limits)
            results.append(refused_or_ran(check, f"{kib} KiB more", job))
        check.that("some are refused, some are not", len(set(results)) == 2, results)
        check.equal("with room, it runs", house.shell("exit 3", user=ALICE).status, 3)
        check.equal("by the same daemon", (house.daemon.is_alive(), house.daemon.pid), (True, pid))
    print(f"#    {results.count(False)} refused, {results.count(True)} ran", flush=True)


# --- processes --------------------------------------------------------------------------------------------------

def limit(name, value):
    with open(f"{PARENT}/{name}", "w", encoding="ascii") as stream:
        stream.write(value)


@contextlib.contextmanager
def daemon_limited(house):
    """To the one thread that it has."""
    with parent_cgroup():
        enter(house.daemon.pid)
        limit("pids.max", "1")
        try:
            yield
        finally:
            limit("pids.max", "max")
            house.write(f"{traces.CGROUP_ROOT}/cgroup.procs", str(house.daemon.pid))


def daemon_threads(check, house):
    """The daemon gets no thread for a client: he waits a while, and is told; or served if it gets one meanwhile."""
    with witness(check, house, "threads"):
        with daemon_limited(house):
            start = time.monotonic()
            told = house.shell("echo ran", user=ALICE)
            took = time.monotonic() - start
            check.equal("no thread: refused", (told.status, told.out), (125, ""))
            check.matches("no thread: says so", told.err, r"\Ajobcage run: .*no thread.*\n\Z")
            check.that("no thread: in time", took < 20, f"{took:.1f} s")
            waiting = house.start_shell("exit 3", user=ALICE)
            time.sleep(2)
            check.equal("no thread yet: it waits", waiting.process.poll(), None)
        check.equal("a thread in the end: it runs", waiting.finish().status, 3)
        check.equal("with threads, it runs", house.shell("exit 3", user=ALICE).status, 3)


def canary_processes(check, house):
    """The cgroup above the job's has room for the launcher and so many processes of the self-test."""
    results = []
    with witness(check, house, "processes"), parent_cgroup():
        for cnt in range(1, 6):
            limit("pids.max", str(cnt))
            job = house.shell("echo ran", preexec_fn=enter)
            results.append(refused_or_ran(check, f"{cnt} processes", job))
            if not results[-1]:
                check.matches(f"{cnt} processes: says why", job.err, r"Resource temporarily unavailable|pids\.max")
        check.equal("the first are refused, the last is not", (results[0], results[-1]), (False, True))


def cgroups(check, house):
    """Whoever has the cgroup above lets none be made below it."""
    with witness(check, house, "cgroups"), parent_cgroup():
        for name in ("cgroup.max.descendants", "cgroup.max.depth"):
            limit(name, "0")
            job = house.shell("echo ran", preexec_fn=enter)
            check.equal(f"{name}: refused", (job.status, job.out), (125, ""))
            check.matches(f"{name}: says so", job.err, rf"\Ajobcage run: .*{PARENT}.*{re.escape(name)}.*\n\Z")
            limit(name, "max")
            check.equal(f"{name}: then it runs", house.shell("exit 3", preexec_fn=enter).status, 3)
