# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A launcher that speaks the protocol itself and keeps what jobcage's own would have given up."""
import ctypes
import hashlib
import mmap
import os
import select
import shutil
import signal
import socket
import threading

from cage import DIGITS, PROJECT
from harness import WAIT_S, wait_for
from house import ALICE, ROOT
from protocol import OWN, Client, as_user, child, error_of, name_myself
from stranger import in_cgroup_of, slow_move, wait_for_canary
import traces

HANDRING = os.environ.get("JOBCAGE_HANDRING", f"{PROJECT}/build/tests/handring")
CLONE_FILES, CLONE_NEWNS, CLONE_NEWUSER = 0x400, 0x20000, 0x10000000
PR_SET_DUMPABLE = 4

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags):
    if _libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


def may_write(path):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
        return True
    except OSError:
        return False


def run(client, house, **members):
    return client.ask("run", policy="plain", job=house.new_id(), command="hostile", **members)


def threads(check, house):
    """A thread that was there before the policy is under it too, and so is what it starts."""
    path = f"{house.digits}/a"

    def launch():
        said, go = [], threading.Event()

        def other():
            said.append(may_write(path))
            go.wait()
            said.append(may_write(path))
            pid = os.fork()
            if not pid:
                os._exit(may_write(path))
            said.append(bool(os.waitpid(pid, 0)[1]))

        thread = threading.Thread(target=other)
        thread.start()
        wait_for(lambda: said)
        answer = error_of(run(Client(), house))
        go.set()
        thread.join()
        return [answer, may_write(path), *said]

    check.equal("answer, first thread, second one before and after, its child", as_user(ALICE, launch), ["ok", False, True, False, False])
    house.settles(check, "threads")


def asked_by_thread(check, house):
    """The message comes from a second thread: the process is its own all the same."""
    path = f"{house.digits}/a"

    def launch():
        answers = []
        thread = threading.Thread(target=lambda: answers.append([error_of(run(Client(), house)), may_write(path)]))
        thread.start()
        thread.join()
        return answers[0] + [may_write(path)]

    check.equal("answer, the thread that asked, the first one", as_user(ALICE, launch), ["ok", False, False])
    house.settles(check, "asked by a thread")


def descriptors(check, house):
    """What is open before the policy and would be a way round it."""
    digits, patients = f"{house.digits}/a", f"{house.patients}/p"

    def launch(make, **members):
        def talk():
            kept = make()
            answer = run(Client(), house, **members)
            return [error_of(answer), answer.get("error", ""), bool(kept)]
        return as_user(ALICE, talk)

    def connected():
        listener = socket.create_server(("127.0.0.1", 0))
        return [listener, socket.create_connection(listener.getsockname())]

    def mapped():
        with open(digits, "r+b") as stream:
            return mmap.mmap(stream.fileno(), 0)

    rows = [
        ("nothing", lambda: [True], "ok", ""),
        ("a dataset's file for reading", lambda: open(digits, "rb"), "ok", ""),
        ("a dataset's file for writing", lambda: open(digits, "r+b"), "EPERM", "dataset:digits"),
        ("a dataset's folder", lambda: [os.open(house.digits, os.O_RDONLY)], "ok", ""),
        ("a writable map of a dataset's file", mapped, "EPERM", "dataset:digits"),
        ("a file of a dataset not granted", lambda: open(patients, "rb"), "EPERM", "dataset:patients"),
        ("the folder of a dataset not granted, by O_PATH", lambda: [os.open(house.patients, os.O_PATH)], "EPERM", "dataset:patients"),
        ("a UNIX socket", socket.socketpair, "ok", ""),
        ("a TCP socket that is connected", connected, "EPERM", "network socket"),
        ("a TCP socket that is not", lambda: [socket.socket()], "EPERM", "network socket"),
        ("a UDP socket", lambda: [socket.socket(type=socket.SOCK_DGRAM)], "EPERM", "network socket"),
        ("an IPv6 socket", lambda: [socket.socket(socket.AF_INET6)], "EPERM", "network socket"),
    ]
    for what, make, answer, words in rows:
        got = launch(make) or [None, "", None]
        check.equal(f"keeps {what}", got[0], answer)
        check.that(f"keeps {what}: why", words in got[1], got[1])
    got = launch(lambda: open(digits, "r+b"), keep=[], inherit=[0, 1, 2])
    check.equal("claims not to keep what it keeps", got[0], "EPERM")
    house.unharmed(check, "descriptors")
    house.settles(check, "descriptors")


def hidden_descriptors(check, house):
    """A second thread has a file table of its own, with a writable descriptor of the dataset in it."""
    def launch():
        ready, go, wrote = threading.Event(), threading.Event(), []

        def other():
            unshare(CLONE_FILES)
            fd = os.open(f"{house.digits}/a", os.O_WRONLY | os.O_APPEND)
            ready.set()
            go.wait()
            try:
                wrote.append(os.write(fd, b"breach"))
            except OSError as error:
                wrote.append(error.strerror)

        thread = threading.Thread(target=other)
        thread.start()
        ready.wait()
        answer = error_of(run(Client(), house))
        # Refused, it is in no job and free to write: the thread waits, and ends with the process.
        if answer == "ok":
            go.set()
            thread.join()
        return [answer, wrote]

    check.equal("a descriptor in a second thread's own table: answer, what it wrote", as_user(ALICE, launch), ["EPERM", []])
    house.unharmed(check, "hidden descriptors")
    house.settles(check, "hidden descriptors")


def when_tested(act):
    """Another thread acts when the job's canary has gone."""
    def wait():
        wait_for_canary()
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def opened_meanwhile(check, house):
    """A second thread, with a file table of its own, opens the dataset when the launcher has its label and the thread not yet."""
    path, breach = f"{house.digits}/a", b"breach"

    def launch(job, flags):
        opened, go, used = threading.Event(), threading.Event(), []

        def open_and_wait():
            unshare(CLONE_FILES)
            fd = os.open(path, flags)
            opened.set()
            go.wait()
            used.append(os.write(fd, breach) if flags & os.O_WRONLY else len(os.read(fd, 100)))

        thread = when_tested(open_and_wait)
        client = Client()
        name_myself()
        client.send({"version": 1, "op": "run", "policy": "plain", "job": job, "command": "hostile", "pidfd": OWN})
        was_early = opened.wait(WAIT_S) and not select.select([client.sock], [], [], 0)[0]
        answer = error_of(client.receive())
        # Refused, it is in no job and free to write: the thread waits, and ends with the process.
        if answer == "ok":
            go.set()
            thread.join()
        return [was_early, answer, used, may_write(path)]

    for what, flags, want in (("writing", os.O_WRONLY | os.O_APPEND, ["EPERM", [], True]), ("reading", os.O_RDONLY, ["ok", [len(DIGITS)], False])):
        job = house.new_id()
        with slow_move(house, f"{traces.CGROUP_ROOT}/jobcage-{job}", 3):
            got = as_user(ALICE, lambda: launch(job, flags))
        check.equal(f"opened for {what} before the answer; the answer, what was done with it, is the launcher free", got, [True, *want])
    house.settles(check, "opened meanwhile")


def runs(pid, program):
    """While a thread executes it the process has none for a moment: that of its first thread is gone already."""
    try:
        return os.readlink(f"/proc/{pid}/exe") == program
    except FileNotFoundError:
        return False


def raised_meanwhile(check, house):
    """The same with a program: one that gives root's rights is not the job's first, whatever the policy says of it."""
    plain = shutil.copy("/bin/sleep", f"{house.root}/sleep-plain")
    raising = shutil.copy("/bin/sleep", f"{house.root}/sleep-raising")
    os.chmod(raising, 0o4755)
    for program, is_job in ((raising, False), (plain, True)):
        job = house.new_id()

        def launch(name=program, job_id=job):
            when_tested(lambda: os.execv(name, [name, "1000"]))
            Client().ask("run", policy="plain", job=job_id, command="hostile")
            threading.Event().wait()

        with slow_move(house, f"{traces.CGROUP_ROOT}/jobcage-{job}", 3):
            pid, fd = child(ALICE, launch)
            check.that(f"{program}: runs before the launcher is in the job", wait_for(lambda: runs(pid, program)) and not in_cgroup_of(job, pid))
            entered = wait_for(lambda: house.ask("whois", str(pid)).returncode == 0, 10 if is_job else 6)
        check.equal(f"{program}: is in the job", (bool(entered), in_cgroup_of(job, pid)), (is_job, is_job))
        check.that(f"{program}: lives", runs(pid, program))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
    house.settles(check, "raised meanwhile")


def rings(check, house):
    """An io_uring with a dataset's file and a connection in it, made before the job, does not come in. One that the job makes works."""
    digits, mine = f"{house.digits}/a", house.write(f"{house.out}/ring", "")
    os.chmod(mine, 0o666)
    listener = socket.create_server(("127.0.0.1", 0))
    before = [HANDRING, "make", digits, str(listener.getsockname()[1])]
    for user in (ALICE, ROOT):
        job = house.start(HANDRING, "use", user=user, wrap=before).finish()
        check.equal(f"{user.name}: a ring as standard input", (job.status, job.out), (125, ""))
        check.matches(f"{user.name}: and why not", job.err, r"descriptor 0 is an io_uring")
        with listener.accept()[0] as connection:
            connection.settimeout(10)
            check.equal(f"{user.name}: what the other end got", connection.recv(100), b"")
        house.unharmed(check, f"{user.name}: a ring as standard input")
        own = house.start(HANDRING, "own", mine, user=user).finish()
        check.equal(f"{user.name}: a ring of the job's own, with a file that it may write", (own.status, own.out, own.err), (0, "7\n", ""))
        own = house.start(HANDRING, "own", digits, user=user).finish()
        check.equal(f"{user.name}: and one that it may not", (own.status, own.out), (1, ""))
        house.record(own)
    os.unlink(mine)
    house.settles(check, "rings")


def scratch(check, house):
    """A policy with an environment: only a tmpfs of the launcher's own may become what the job may write to."""
    house.policy("env", environment={"private": ["/tmp"], "scratch": "/var/tmp"})

    def launch(make):
        def talk():
            client = Client()
            first = client.ask("run", policy="env", job=house.new_id())
            digest = hashlib.sha256(first.get("policy_text", "").encode()).hexdigest()
            fds = make()
            again = client.ask("run", policy="env", job=house.new_id(), environment_of=digest, scratch=fds[0])
            return [first.get("step"), error_of(again)]
        return as_user(ALICE, talk)

    def own_tmpfs():
        """As a user may: in a user namespace of its own, which nobody maps."""
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        if _libc.mount(b"none", b"/mnt", b"tmpfs", 0, None):
            raise OSError(ctypes.get_errno(), "mount")
        return [os.open("/mnt", os.O_PATH)]

    def below_own():
        uid, gid = os.getuid(), os.getgid()
        _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or its files in /proc are root's
        own_tmpfs()
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
                stream.write(text)
        os.mkdir("/mnt/below")
        return [os.open("/mnt/below", os.O_PATH)]

    rows = [
        ("a tmpfs of its own", own_tmpfs, "ok"),
        ("a folder in it, which names the same file system", below_own, "ok"),
        ("the root", lambda: [os.open("/", os.O_PATH)], "EPERM"),
        ("everybody's /dev/shm", lambda: [os.open("/dev/shm", os.O_PATH)], "EPERM"),
        ("everybody's /tmp", lambda: [os.open("/tmp", os.O_PATH)], "EPERM"),
        ("the dataset", lambda: [os.open(house.digits, os.O_PATH)], "EPERM"),
        ("no folder but a memfd", lambda: [os.memfd_create("x")], "EPERM"),
        ("/proc", lambda: [os.open("/proc", os.O_PATH)], "EPERM"),
        ("a number that is no descriptor", lambda: [99], "EPERM"),
    ]
    for what, make, answer in rows:
        got = launch(make)
        check.equal(f"{what} as its scratch", got, ["environment", answer])
    wrong = as_user(ALICE, lambda: Client().ask("run", policy="env", environment_of="0" * 64).get("step"))
    check.equal("an environment of another policy", wrong, "environment")
    house.settles(check, "scratch")


def id_maps(check, house):
    """map_ids is for a user namespace that the sender has just made, and maps nobody but himself."""
    def plain():
        return error_of(Client().ask("map_ids"))

    def made():
        client = Client()
        unshare(CLONE_NEWUSER)
        answer = error_of(client.ask("map_ids"))
        with open("/proc/self/uid_map", encoding="ascii") as stream:
            return [answer, stream.read().split()]

    check.equal("without a namespace of his own", as_user(ALICE, plain), "EPERM")
    check.equal("with one", as_user(ALICE, made), ["ok", [str(ALICE.uid), str(ALICE.uid), "1"]])
    check.that("root has no use for it", plain() != "ok")


def planted(check, house):
    """Where the job may write it makes a link on a rule's way: the rule must not follow it, in this job or in the next."""
    home, vault, prize = f"{house.out}/home", f"{house.root}/vault", f"{house.root}/vault/inner/prize"
    for folder in (home, f"{vault}/inner"):
        os.makedirs(folder, exist_ok=True)
    os.chmod(home, 0o777)
    house.write(prize, "whole\n")
    os.chmod(prize, 0o666)
    cache = {"id": "cache", "path": f"{home}/cache", "access": "write", "optional": True}
    closed = {"id": "closed", "path": vault, "access": "read"}
    for what, default in (("a rule", "read"), ("filesystem.default", "write")):
        rules = [cache, closed]
        house.policy("short", **({"rules": rules} if default == "read" else {"filesystem": {"default": default, "rules": rules}}))
        job = house.start_shell(f"ln -s {vault}/inner {home}/cache; for i in $(seq 200); do echo breach > {prize} && break; sleep 0.1; done; true",
                                policy="short", user=ALICE)
        told = wait_for(lambda one=job: any("Root of a rule" in str(event) and "symbolic link" in str(event) for event in one.events()), 40)
        check.that(f"{what} lets the job make a link on a rule's way: that is told", told)
        job.process.kill()
        job.finish()
        with open(prize, encoding="ascii") as stream:
            check.equal(f"{what}: it opens nothing", stream.read(), "whole\n")
        after = house.shell("true", policy="short", user=ALICE)
        check.equal(f"{what}: the next job is refused", after.status, 125)
        check.matches(f"{what}: and told why", after.err, f"symbolic link .*{what if what != 'a rule' else 'out'}")
        os.unlink(f"{home}/cache")
    # What the machine itself links is no job's doing.
    house.policy("short", filesystem={"default": "write", "rules": [{"id": "bin", "path": "/bin", "access": "read"}]})
    check.equal("the machine's own links stay good", house.shell("true", policy="short", user=ALICE).status, 0)
    os.unlink(prize)
    house.settles(check, "planted links")
