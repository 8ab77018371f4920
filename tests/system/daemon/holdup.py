# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Clients that have the kernel wait: for a TCP peer, for a server of files, for a frozen cgroup. Nobody else waits with them."""
import contextlib
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

from deadfs import DeadFs
from harness import wait_for
from house import ALICE, BOB, EVERYBODY, ROOT, User
from protocol import OWN, Client, as_user, child, error_of, name_myself, result_of
import traces

PARENT = f"{traces.CGROUP_ROOT}/jobcage-test-owner"


def others_are_served(check, house, what, within=5):
    """A question, a job, a kill and an alert of others."""
    start = time.monotonic()
    check.equal(f"{what}: another user asks", error_of(as_user(BOB, lambda: Client().ask("jobs"))), "ok")
    check.equal(f"{what}: and runs a job", house.shell("exit 5", user=BOB, policy="team").status, 5)
    check.equal(f"{what}: root asks", house.ask("status", "keeper").returncode, 0)
    took = time.monotonic() - start
    check.that(f"{what}: without waiting", took < within, f"{took:.1f} s")


def threads_of(house):
    return len(os.listdir(f"/proc/{house.daemon.pid}/task"))


@contextlib.contextmanager
def acting(check, house, user, act):
    """The user's process acts; it stays as it is while the caller looks, and gives its result in the end."""
    seen, go = f"{house.out}/{house.new_id()}", f"{house.out}/{house.new_id()}"

    def talk():
        result = act()
        with open(seen, "w", encoding="ascii"):
            pass
        wait_for(lambda: os.path.exists(go))
        return result if isinstance(result, (str, list, bool)) else None
    results = []
    pid, fd = child(user, talk)
    try:
        check.that("the client has acted", wait_for(lambda: os.path.exists(seen), 30))
        yield results
    finally:
        house.write(go, "")
        results.append(result_of(pid, fd))


def lingering_socket(kept):
    """TCP, with more to send than its peer takes: who closes it last waits for that."""
    listener = socket.create_server(("127.0.0.1", 0))
    sock = socket.create_connection(listener.getsockname())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(1 << 16))
    kept += [listener, listener.accept()[0]]
    return sock.detach()


def drop(fd, is_lingering):
    """If nobody has taken it, the last one is this."""
    with socket.socket(fileno=fd) as sock:
        if not is_lingering:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def lingering(check, house):
    """Sent to the daemon, and closed by the sender: the kernel closes them in the daemon."""
    def act():
        kept = []
        for i in range(12):
            client = Client()
            name_myself()
            for _ in range(1 + i % 3):
                fd = lingering_socket(kept)
                client.send({"version": 1, "op": "jobs", "pidfd": OWN}, [fd])
                drop(fd, is_lingering=not client.is_barred)
            kept.append(client)
        act.kept = kept
        return "sent"

    before = threads_of(house)
    with contextlib.ExitStack() as stack:
        # Else it may be the client's own close() that is the last one, and waits.
        with house.daemon.stopped():
            results = stack.enter_context(acting(check, house, ALICE, act))
        others_are_served(check, house, "while sockets linger")
        since = time.monotonic()
        gone = wait_for(lambda: threads_of(house) <= before, 30)
        check.that("who waits for them is interrupted in time", gone, f"{threads_of(house)} threads, {time.monotonic() - since:.0f} s")
    check.equal("they were sent", results, ["sent"])
    house.settles(check, "lingering sockets")


def files_of_dead_server(check, house, fs):
    """Named as whatever a request can name, and sent along."""
    house.policy("env", environment={"private": ["/tmp"], "scratch": "/var/tmp"})

    def act():
        fd = os.open(fs.file, os.O_RDWR)
        folder = os.open(fs.path, os.O_RDONLY)
        digest = hashlib.sha256(Client().ask("run", policy="env")["policy_text"].encode()).hexdigest()
        name_myself()
        with open(f"{house.out}/opened", "w", encoding="ascii"):
            pass
        wait_for(lambda: house.exists("dead"))
        answers = []
        for members, rights in (({"body": fd}, []), ({"pidfd": fd}, []), ({"op": "run", "policy": "env", "environment_of": digest, "scratch": folder}, []),
                                ({"op": "jobs"}, [fd, folder])):
            client = Client()
            client.send({"version": 1, "pidfd": OWN} | members, rights)
            answers.append(error_of(client.receive()))
        return answers

    def kill_it():
        check.that("the client has its files", house.appears("opened"))
        fs.die()
        house.touch("dead")

    pid, fd = child(ALICE, act)
    kill_it()
    others_are_served(check, house, "with files of a dead server")
    check.equal("answers: body, pidfd, scratch, sent along", result_of_file(house, pid, fd, fs), ["EBADMSG", "EINVAL", "EPERM", "EBADMSG"])


def result_of_file(house, pid, fd, fs):
    """The client's own end needs the server: it closes its files."""
    with os.fdopen(fd, "rb") as stream:
        text = stream.read1()
    fs.revive()
    os.waitpid(pid, 0)
    for name in ("opened", "dead"):
        os.unlink(f"{house.out}/{name}")
    return json.loads(text)


def dead_servers(check, house):
    """A rule's path whose server is away: for a job that is to start, and for one that runs."""
    with DeadFs(f"{house.root}/served") as fs:
        files_of_dead_server(check, house, fs)
        house.policy("short", [{"id": "served", "path": fs.file, "access": "read"}])
        running = house.start("sleep", "1000", user=ALICE, policy="short")
        check.that("with its server there, the job runs", wait_for(lambda: house.running(running)))
        fs.die()
        waiting = house.start("true", user=ALICE, policy="short")
        for what in ("a path that is looked up", "later"):
            others_are_served(check, house, what)
            time.sleep(2)
        check.equal("a job that needs it is refused", waiting.finish().status, 125)
        check.matches("and told why", waiting.err, r"a path that the policy names does not answer")
        told = wait_for(lambda: any("has not answered" in event["message"] for event in running.events()), 30)
        check.that("the record of the one that runs says so", told)
        others_are_served(check, house, "while a running job's path does not answer")
        check.equal("it can be killed", house.ask("kill", running.id, user=ALICE).returncode, 0)
        check.equal("and is", running.finish().status, 137)
        fs.revive()
    house.settles(check, "dead servers")


def dying_servers(check, house):
    """The server goes away in the middle of a look at a running job's paths: after so many walks."""
    with DeadFs(f"{house.root}/served") as fs:
        house.policy("short", [{"id": "served", "path": fs.file, "access": "read"}])
        running = house.start("sleep", "1000", user=ALICE, policy="short")
        check.that("the job runs", wait_for(lambda: house.running(running)))
        for walks in range(1, 5):
            fs.die_after(walks)
            with mounted(f"{house.root}/news"):  # has the daemon look
                wait_for(lambda: stopped(fs.pid), 5)
            others_are_served(check, house, f"{walks} walks were answered")
            fs.revive()
        check.equal("it can be killed", house.ask("kill", running.id, user=ALICE).returncode, 0)
        check.equal("and is", running.finish().status, 137)
    house.settles(check, "dying servers")


def stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
        return stream.read().rpartition(")")[2].split()[0] == "T"


@contextlib.contextmanager
def mounted(path):
    os.mkdir(path)
    subprocess.run(["mount", "-t", "tmpfs", "none", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)
        os.rmdir(path)


def raised(check, house):
    """Between request and label the client executes a program that gives it other rights."""
    helper = f"{house.root}/helper"
    os.makedirs(helper, exist_ok=True)
    rows = [("set-user-ID", 0o4755, None), ("set-group-ID", 0o2755, None), ("with a capability", 0o755, struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)),
            ("without any right", 0o755, None)]
    for what, mode, capability in rows:
        program = f"{helper}/{mode:o}-{bool(capability)}"
        with open("/bin/sleep", "rb") as source, open(program, "wb") as target:
            target.write(source.read())
        os.chmod(program, mode)
        if capability:
            os.setxattr(program, "security.capability", capability)
        job_id = house.new_id()

        def act(name=program, job=job_id):
            client = Client()
            name_myself()
            client.send({"version": 1, "op": "run", "policy": "plain", "job": job, "pidfd": OWN})
            os.execv(name, [name, "1000"])

        with house.daemon.stopped():
            pid, fd = child(ALICE, act)
            check.that(f"a program {what}: it is there before the daemon looks", wait_for(lambda: os.readlink(f"/proc/{pid}/exe") == program))
        is_plain = not capability and mode == 0o755
        check.equal(f"a program {what}: is a job", bool(wait_for(lambda: house.ask("whois", str(pid)).returncode == 0, 8 if is_plain else 3)), is_plain)
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as stream:
            check.equal(f"a program {what}: in the job's cgroup", f"jobcage-{job_id}" in stream.read(), is_plain)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)
    house.settles(check, "raised clients")


def executing(check, house):
    """
    A client is held inside execve(), by the close of a file whose server is away: the program was judged when the client was in no
    job, and gives it its rights last.
    """
    program, opened, away = f"{house.root}/held-program", f"{house.out}/opened", f"{house.out}/away"
    shutil.copy("/bin/sleep", program)
    os.chmod(program, 0o4755)
    job_id = house.new_id()
    with DeadFs(f"{house.root}/served") as fs:
        def act():
            os.open(fs.file, os.O_RDONLY)
            house.touch("opened")
            wait_for(lambda: os.path.exists(away))
            name_myself()
            client = Client()
            client.sock.set_inheritable(True)
            client.send({"version": 1, "op": "run", "policy": "plain", "job": job_id, "pidfd": OWN})
            os.execv(program, [program, "1000"])

        pid, fd = child(ALICE, act)
        check.that("it holds the file", wait_for(lambda: os.path.exists(opened)))
        fs.die()
        house.write(away, "")
        check.that("it comes into no job", not wait_for(lambda: house.ask("whois", str(pid)).returncode == 0, 5))
        fs.revive()
        check.that("it executes the program", wait_for(lambda: os.readlink(f"/proc/{pid}/exe") == program))
        check.equal("in no job", house.ask("whois", str(pid)).returncode, 1)
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as stream:
            check.that("and in no job's cgroup", f"jobcage-{job_id}" not in stream.read())
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)
    for path in (program, opened, away):
        os.unlink(path)
    house.settles(check, "executing clients")


@contextlib.contextmanager
def owned_cgroups():
    """Two cgroups of whoever owns the one above: one to start jobs in, one to move them to."""
    os.mkdir(PARENT)
    for name in ("jobs", "aside"):
        os.mkdir(f"{PARENT}/{name}")
    try:
        yield
    finally:
        for path in (f"{PARENT}/jobs", f"{PARENT}/aside", PARENT):
            wait_for(lambda one=path: not os.path.exists(one) or rmdir(one))


def rmdir(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
        return True
    return False


def move(pid, where):
    with open(f"{PARENT}/{where}/cgroup.procs", "w", encoding="ascii") as stream:
        stream.write(str(pid))


def moved_out(check, house):
    """Who owns the cgroup above moves a job's processes out of the job's own: kill and limits.runtime still reach them."""
    house.policy("few", limits={"runtime": "3s"})
    with owned_cgroups():
        for what, policy in (("kill", "plain"), ("runtime", "few")):
            job = house.start_shell("sleep 1000 & echo $! >$OUT/child; sleep 1000", policy=policy, preexec_fn=lambda: move(os.getpid(), "jobs"))
            check.that(f"{what}: it runs", wait_for(lambda: house.exists("child") and house.running(job)))
            wait_for(lambda: os.path.getsize(f"{house.out}/child"))
            with open(f"{house.out}/child", encoding="ascii") as stream:
                pid = int(stream.read())
            for one in (job.process.pid, pid):
                move(one, "aside")
            if what == "kill":
                check.equal("kill: is done", house.ask("kill", job.id).returncode, 0)
            check.equal(f"{what}: the command is killed", job.finish().status, 137)
            check.that(f"{what}: and its child", wait_for(lambda one=pid: not os.path.exists(f"/proc/{one}"), 20))
            check.matches(f"{what}: the record says so", house.record(job)[-1]["message"],
                          "killed by request" if what == "kill" else "limits.runtime")
            os.unlink(f"{house.out}/child")
    house.settles(check, "moved out")


def frozen(check, house):
    """Who owns the cgroup above freezes it while the self-test is due: others wait once, not over and over."""
    user = User("crowd", EVERYBODY[7])

    def act():
        answer = Client(timeout=60).ask("run", policy="plain", job="frozen")
        return [error_of(answer), answer.get("error", "")]

    with owned_cgroups():
        with house.daemon.stopped():
            pid, fd = child(user, act)
            move(pid, "jobs")
            time.sleep(0.5)
            house.write(f"{PARENT}/jobs/cgroup.freeze", "1")
        others_are_served(check, house, "after a self-test that did not end", 20)
        house.write(f"{PARENT}/jobs/cgroup.freeze", "0")
        answer = result_of(pid, fd)
        check.equal("it is not started", answer[0], "ETIMEDOUT")
        again = house.start("true", user=user).finish()
        check.equal("nor is the next one of that user", again.status, 125)
        check.matches("who is told why", again.err, r"self-test.*did not come to its end.*wait (?:60|[345]\d) s")
        others_are_served(check, house, "meanwhile")
        check.equal("root runs what it likes", house.shell("exit 3", user=ROOT).status, 3)
    house.settles(check, "frozen cgroup")


@contextlib.contextmanager
def freezing(house, seconds):
    """The owner freezes the cgroup that long, and thaws it for a moment, over and over."""
    end = threading.Event()

    def go_on():
        while not end.is_set():
            house.write(f"{PARENT}/jobs/cgroup.freeze", "1")
            end.wait(seconds)
            house.write(f"{PARENT}/jobs/cgroup.freeze", "0")
            end.wait(0.3)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def in_turn(check, house):
    """
    One user has many starts waiting, each with a self-test that ends just in time. Another's start waits for one of them at most, and so
    does what he asks himself.
    """
    user = User("crowd", EVERYBODY[6])
    with owned_cgroups():
        with house.daemon.stopped():
            starts = [child(user, lambda: error_of(Client().ask("run", policy="plain", job=house.new_id()))) for _ in range(8)]
            for pid, _ in starts:
                move(pid, "jobs")
            time.sleep(1)
        with freezing(house, 3):
            time.sleep(0.5)
            start = time.monotonic()
            check.equal("another user's job", house.shell("exit 5", user=BOB, policy="team").status, 5)
            took = time.monotonic() - start
            check.that("waits for one at most", took < 10, f"{took:.1f} s")
            start = time.monotonic()
            check.equal("his own question", house.ask("jobs", user=user).returncode, 0)
            took = time.monotonic() - start
            check.that("waits for one at most, too", took < 10, f"{took:.1f} s")
        said = {result_of(*one) for one in starts}
        check.that("they are served too", said <= {"ok", "ETIMEDOUT", "EAGAIN"} and "ok" in said, said)
    house.settles(check, "in turn")
