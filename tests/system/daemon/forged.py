# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Requests that no jobcage sends: each is refused or its connection closed, and the daemon is what it was before."""
import json
import os
import socket
import struct
import subprocess
import time

from harness import wait_for
from house import ALICE, CAROL
from protocol import CLOSED, OWN, PACKET_MAX, Client, answer_to, as_user, child, error_of, name_myself, result_of

BODY = {"version": 1, "pidfd": OWN}
JOBS = BODY | {"op": "jobs"}


def padded(size):
    """A sound request of so many bytes."""
    text = json.dumps(JOBS | {"pad": ""})
    return json.dumps(JOBS | {"pad": "x" * (size - len(text))}).encode()


def memfd(content, size=None):
    fd = os.memfd_create("body")
    os.write(fd, content)
    if size is not None:
        os.ftruncate(fd, size)
    return fd


def malformed(check, house):
    nested = b'{"version": 1, "op": "jobs", "x": ' + b"[" * 8000 + b"]" * 8000 + b"}"
    rows = [
        # what, message, its answer
        ("sound", JOBS, "ok"),
        ("sound, and as large as may be", padded(PACKET_MAX), "ok"),
        ("a byte too large", padded(PACKET_MAX + 1), "EBADMSG"),
        ("100,000 bytes", padded(100000), "EBADMSG"),
        ("no JSON", b"\xde\xad\xbe\xef" * 8, "EBADMSG"),
        ("truncated", json.dumps(JOBS).encode()[:-3], "EBADMSG"),
        ("two objects", json.dumps(JOBS).encode() * 2, "EBADMSG"),
        ("a list", [JOBS], "EBADMSG"),
        ("a number", b"1", "EBADMSG"),
        ("nested 8,000 deep", nested, "EBADMSG"),
        ("a key twice", b'{"version": 1, "op": "jobs", "op": "teardown"}', "EBADMSG"),
        ("not UTF-8", b'{"version": 1, "op": "jobs", "x": "\xff\xfe"}', "EBADMSG"),
        ("a NUL in a string", b'{"version": 1, "op": "jobs\\u0000teardown"}', "EBADMSG"),
        ("an unpaired surrogate", b'{"version": 1, "op": "jobs", "x": "\\ud800"}', "EBADMSG"),
        ("a number without end", b'{"version": 1, "op": "jobs", "x": ' + b"9" * 4000 + b"}", "EBADMSG"),
        ("no version", {"op": "jobs"}, "EPROTONOSUPPORT"),
        ("version 2", {"version": 2, "op": "jobs"}, "EPROTONOSUPPORT"),
        ("version as a text", {"version": "1", "op": "jobs"}, "EPROTONOSUPPORT"),
        ("no operation", BODY, "ENOSYS"),
        ("an unknown operation", BODY | {"op": "reboot"}, "ENOSYS"),
        ("an operation that is no text", BODY | {"op": ["jobs"]}, "ENOSYS"),
        ("a policy that is no text", BODY | {"op": "run", "policy": 7}, "EINVAL"),
        ("a policy outside the folder", BODY | {"op": "run", "policy": "digits-/../../x"}, "EPERM"),
        ("a job id outside the folder", BODY | {"op": "run", "policy": "plain", "job": "../x"}, "EINVAL"),
        ("a command that is no text", BODY | {"op": "status", "job": {"a": 1}}, "EINVAL"),
        ("a process id below zero", BODY | {"op": "whois", "pid": -1}, "ESRCH"),
        ("a process id beyond all", BODY | {"op": "whois", "pid": 2**62}, "ESRCH"),
    ]
    before = house.daemon.fd_cnt()
    for what, message, answer in rows:
        check.equal(f"{what}", error_of(answer_to(ALICE, message)), answer)
    check.that("the daemon lives", house.daemon.is_alive())
    check.that("and holds no descriptor more", wait_for(lambda: house.daemon.fd_cnt() == before), f"{house.daemon.fd_cnt()}, not {before}")
    house.settles(check, "malformed requests")


def bodies(check, house):
    """Messages whose body is in a descriptor."""
    text = json.dumps(JOBS).encode()

    def by_body(make, user=ALICE):
        def talk():
            client = Client()
            name_myself()
            client.send(BODY | {"body": make()})
            return client.receive()
        return error_of(as_user(user, talk))

    def pipe():
        read, write = os.pipe()
        os.write(write, text)
        return read

    rows = [
        ("a sound body", lambda: memfd(text), "ok"),
        ("a number that is no descriptor", lambda: 99, "EBADMSG"),
        ("a number below zero", lambda: -1, "EBADMSG"),
        ("a number beyond all", lambda: 2**40, "EBADMSG"),
        ("no number", lambda: "memfd", "EBADMSG"),
        ("an empty body", lambda: memfd(b""), "EBADMSG"),
        ("a body of 64 KiB and a byte", lambda: memfd(text, 64 * 1024 + 1), "EMSGSIZE"),
        ("a body of a TiB", lambda: memfd(text, 2**40), "EMSGSIZE"),
        ("a pipe as body", pipe, "EBADMSG"),
        ("a folder as body", lambda: os.open("/", os.O_RDONLY), "EBADMSG"),
        ("a file as body", lambda: os.open("/etc/passwd", os.O_RDONLY), "EBADMSG"),
        ("a file in /dev/shm as body", lambda: os.open("/dev/shm/body", os.O_RDWR | os.O_CREAT), "EBADMSG"),
        ("a pidfd as body", lambda: os.pidfd_open(os.getpid()), "EBADMSG"),
        ("a body that names a body", lambda: memfd(json.dumps(BODY | {"body": 3}).encode()), "ENOSYS"),
        ("a body of another version", lambda: memfd(b'{"version": 2}'), "EPROTONOSUPPORT"),
    ]
    before = house.daemon.fd_cnt()
    for what, make, answer in rows:
        check.equal(what, by_body(make), answer)
    def policy(size):
        return json.dumps(JOBS | {"op": "run", "policy_text": "[" * size}).encode()

    for user, most in ((ALICE, 64 * 1024), (CAROL, 1024 * 1024)):
        room = most - len(policy(0))
        check.equal(f"{user.name}: as much as may be", by_body(lambda n=room: memfd(policy(n)), user), "EPERM" if user is ALICE else "EINVAL")
        check.equal(f"{user.name}: a byte more", by_body(lambda n=room: memfd(policy(n + 1)), user), "EMSGSIZE")
    def huge():
        body = memfd(b"[" * (64 << 20))
        name_myself()
        clients = [Client() for _ in range(8)]
        for client in clients:
            client.send(BODY | {"body": body})
        return [error_of(client.receive()) for client in clients]

    values = json.dumps(JOBS | {"x": [0] * 250}).encode(), json.dumps(JOBS | {"x": [{}] * 15000}).encode()
    check.equal("a body of 250 values", by_body(lambda: memfd(values[0])), "ok")
    check.equal("a body of 15,000 values", by_body(lambda: memfd(values[1])), "EBADMSG")
    check.equal("a packet of 4,000 values", error_of(answer_to(ALICE, JOBS | {"x": [{}] * 4000})), "EBADMSG")
    crowded(check, house)
    rss = house.daemon.rss_kib()
    check.equal("8 bodies of 64 MiB at once", set(as_user(CAROL, huge)), {"EMSGSIZE"})
    grown = house.daemon.rss_kib() - rss
    check.that("bodies of 64 MiB are not taken into memory", grown < 4096, f"{grown} KiB more")
    check.that("no descriptor is kept", wait_for(lambda: house.daemon.fd_cnt() == before), f"{house.daemon.fd_cnt()}, not {before}")
    house.settles(check, "bodies")


# What is wrong, the file's bytes, what is said of it.
POLICIES = [
    ("a key twice", b'{"version": 1, "name": "digits-b",\n "name": "digits-b"}', r":2:\d+: .*duplicate"),
    ("a byte that is no UTF-8", b'{"version": 1, "name": "\xff"}', r":1:25: .*byte 0xff"),
    ("33 levels deep", b'{"version": ' + b"[" * 32 + b"]" * 32 + b"}", r":1:\d+: .*32 levels"),
    ("1 MiB of one text", b'{"version": 1, "name": "' + b"x" * (1 << 20) + b'"}', r":1:\d+: .*name"),
    ("1 MiB of one key", b'{"version": 1, "' + b"x" * (1 << 20) + b'": 1}', r":1:\d+: "),
    ("100,000 errors", b'{"version": 1, "filesystem": {"rules": [' + b"1," * 100000 + b"1]}}", r":1:\d+: "),
    ("nothing", b"", r"digits-b\.json"),
    ("65 MiB", b" " * (65 << 20), r"64 MiB"),
]


def policies(check, house):
    """Policies that are none, by their names: in the site's folder; and by their text, of a user who may bring his own."""
    path, line_max, rss = f"{house.policies}/digits-b.json", 2000, []
    fds = house.daemon.fd_cnt()

    def by_name(content):
        with open(path, "wb") as stream:
            stream.write(content)
        return house.shell("echo ran", user=ALICE, policy="digits-b")

    def by_text(content):
        client = Client()
        name_myself()
        client.send(BODY | {"body": memfd(json.dumps(BODY | {"op": "run", "policy_text": content.decode()}).encode())})
        return client.receive()

    for what, content, says in POLICIES:
        job = by_name(content)
        check.equal(f"{what}: refused, in one line", (job.status, job.out, job.err.count("\n")), (125, "", 1))
        check.matches(f"{what}: says what and where", job.err[:line_max], rf"\Ajobcage run: .*{says}")
        check.that(f"{what}: in few words", len(job.err) < line_max, len(job.err))
        if len(content) < 1 << 20 and b"\xff" not in content:
            check.equal(f"{what}: as a text", error_of(as_user(CAROL, lambda text=content: by_text(text))), "EINVAL")
    check.equal("a text that is no UTF-8", error_of(answer_to(
        CAROL, b'{"version": 1, "op": "run", "pidfd": 900, "policy_text": "{\xff}"}')), "EBADMSG")
    for _ in range(4):  # the allocator keeps some of what it had, once
        rss.append(house.daemon.rss_kib())
        for _, content, _ in POLICIES[3:6]:
            by_name(content)
    os.unlink(path)
    check.that("the daemon does not grow by them", rss[-1] - max(rss[:-1]) < 2048, rss)
    check.that("it keeps no descriptor", wait_for(lambda: house.daemon.fd_cnt() <= fds), f"{house.daemon.fd_cnt()}, not {fds}")
    check.equal("a sound policy is served", house.shell("exit 3", user=ALICE).status, 3)
    house.settles(check, "malformed policies")


def crowded(check, house):
    """Many bodies at once that take a multiple of their size when they are parsed: each is served, some at a time, or told that there are too many."""
    text = json.dumps(JOBS | {"op": "run", "policy_text": "[" + "{}," * 340000 + "{}]"}).encode()

    def at_once(cnt):
        body = memfd(text)
        name_myself()
        clients = [Client() for _ in range(cnt)]
        for client in clients:
            client.send(BODY | {"body": body})
        return [error_of(client.receive()) for client in clients]

    def peak(cnt):
        before = house.daemon.forget_peak()
        answers = set(as_user(CAROL, lambda: at_once(cnt)))
        check.that(f"{cnt} policies of a MiB: each is looked at, or told to come again", "EINVAL" in answers and answers <= {"EINVAL", "EBUSY"}, answers)
        return house.daemon.peak_kib() - before

    peak(2)  # what malloc() keeps is there from now on
    two, many = peak(2), peak(16)
    check.that("16 at once take no more memory than two, which one user may have", many < 2 * two + 100000, f"{two} and {many} KiB")


def senders(check, house):
    """A request is of who sends it, by a pidfd of that very process."""
    def with_pidfd(make):
        return error_of(as_user(ALICE, lambda: Client().ask("jobs", pidfd=make())))

    def dead():
        process = subprocess.Popen(["true"])
        fd = os.pidfd_open(process.pid)
        process.wait()
        return fd

    check.equal("its own pidfd", with_pidfd(lambda: os.pidfd_open(os.getpid())), "ok")
    check.equal("no pidfd", error_of(answer_to(ALICE, {"version": 1, "op": "jobs"})), "EINVAL")
    check.equal("a number that is no descriptor", with_pidfd(lambda: 99), "EINVAL")
    check.equal("a number that leads elsewhere", with_pidfd(lambda: f"../../self/fdinfo/{OWN}"), "EINVAL")
    check.equal("a pidfd of init", with_pidfd(lambda: os.pidfd_open(1)), "EPERM")
    check.equal("a pidfd of the daemon", with_pidfd(lambda: os.pidfd_open(house.daemon.pid)), "EPERM")
    check.equal("a pidfd of a process that is gone", with_pidfd(dead), "EPERM")
    check.equal("no pidfd but a file", with_pidfd(lambda: os.open("/dev/null", os.O_RDONLY)), "EINVAL")
    check.equal("no pidfd but a file that has its line", with_pidfd(lambda: memfd(b"\nPid:\t1\n")), "EINVAL")
    check.equal("descriptors sent along", error_of(answer_to(ALICE, JOBS, [0])), "EBADMSG")
    check.equal("200 of them", error_of(answer_to(ALICE, JOBS, [0] * 200)), "EBADMSG")

    def other_process():
        """The connection is the parent's, the message its child's."""
        client = Client()
        return result_of(*child(None, lambda: client.ask("run", policy="plain", job="handed")))

    check.equal("a connection handed to another process", error_of(as_user(ALICE, other_process)), "EPERM")
    check.equal("of root, handed to a user", error_of(handed_by_root()), "EPERM")
    check.equal("credentials that are not the sender's", forged_credentials(), "PermissionError")
    house.settles(check, "senders")


def handed_by_root():
    """root connects, and lets a user ask."""
    client = Client()
    try:
        return result_of(*child(ALICE, lambda: client.ask("teardown")))
    finally:
        client.close()


def forged_credentials():
    """The kernel must refuse them already."""
    def talk():
        client = Client()
        client.sock.sendmsg([json.dumps(JOBS).encode()],
                            [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("3i", 1, 0, 0))])
        return client.receive()
    answer = as_user(ALICE, talk)
    return answer.split(":")[0] if isinstance(answer, str) else answer


def repeated(check, house):
    """On one connection: some requests, not any number."""
    def talk():
        client = Client()
        return [error_of(client.ask("jobs")) for _ in range(20)]
    answers = as_user(ALICE, talk)
    served = answers.index("EBUSY") if "EBUSY" in answers else 0
    check.that("one connection is good for some requests", served >= 3, answers)
    check.equal("then it is closed", set(answers[served + 1:]), {CLOSED})
    check.equal("another one is served", error_of(as_user(ALICE, lambda: Client().ask("jobs"))), "ok")


def stalled(check, house):
    """Clients that send nothing, or take no answer, are dropped in time; others are served meanwhile."""
    before = house.daemon.fd_cnt()
    silent = [Client(timeout=30) for _ in range(20)]
    deaf = Client(timeout=30)
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    name_myself()
    for _ in range(10):
        deaf.send(JOBS)
    start = time.monotonic()
    check.equal("others are served at once", error_of(as_user(ALICE, lambda: Client().ask("jobs"))), "ok")
    check.equal("and run", house.shell("exit 5", user=ALICE).status, 5)
    check.that("without waiting for them", time.monotonic() - start < 8, f"{time.monotonic() - start:.1f} s")
    check.equal("the silent ones are dropped", {client.receive() for client in silent}, {CLOSED})
    took = time.monotonic() - start
    check.that("after 10 s", 8 < took < 20, f"{took:.1f} s")
    deaf.close()
    check.that("nothing of them is held", wait_for(lambda: house.daemon.fd_cnt() <= before), f"{house.daemon.fd_cnt()}, not {before}")
    house.settles(check, "stalled clients")
