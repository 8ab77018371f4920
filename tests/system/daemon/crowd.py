# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Very many clients at once, and clients that vanish."""
import collections
import contextlib
import os
import random
import resource
import select
import signal
import time

from harness import wait_for
from house import ALICE, DAVE, EVERYBODY, User
from protocol import CLOSED, OWN, Client, as_user, child, error_of, name_myself, result_of

# What 1,000 clients may cost the daemon: each has a thread, and touches some pages of its stack.
RSS_KIB = 24 * 1024

OF_ONE_USER, OF_ALL = 128, 1024


@contextlib.contextmanager
def acting_as(uid):
    """This process, for the moment: who connects is told by the effective user id, who sends by the real one."""
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def connect(uid, cnt):
    with acting_as(uid):
        return [Client() for _ in range(cnt)]


def raise_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, hard), hard))


def one_user(check, house):
    """One user cannot take all places."""
    clients = connect(EVERYBODY[0], OF_ONE_USER)
    with acting_as(EVERYBODY[0]):
        more = [Client() for _ in range(300)]
    check.equal("beyond his places a user is told so", {error_of(client.receive()) for client in more}, {"EBUSY"})
    check.equal("and closed", {client.receive() for client in more}, {CLOSED})
    with acting_as(EVERYBODY[0]):
        check.equal("those he has are served", {error_of(clients[i].ask("jobs")) for i in (0, OF_ONE_USER - 1)}, {"ok"})
    check.equal("so are others", error_of(as_user(ALICE, lambda: Client().ask("jobs"))), "ok")
    for client in clients + more:
        client.close()


def thousand(check, house, rounds):
    """1,000 clients of nine users, all connected, all asking at once."""
    raise_limit()
    rss, fds = house.daemon.rss_kib(), house.daemon.fd_cnt()
    for i in range(rounds):
        what = f"round {i + 1}: " * (rounds > 1)
        clients = [(uid, client) for uid in EVERYBODY for client in connect(uid, 111)] + [(0, client) for client in connect(0, 1)]
        check.equal(f"{what}so many are connected", len(clients), 1000)
        ask_all(check, what, clients)
        grown = house.daemon.rss_kib() - rss
        check.that(f"{what}the daemon's memory is bounded", grown < RSS_KIB, f"{grown} KiB more")
        start = time.monotonic()
        check.equal(f"{what}a user runs a job meanwhile", house.shell("exit 6", user=ALICE).status, 6)
        check.that(f"{what}in no time", time.monotonic() - start < 10, f"{time.monotonic() - start:.1f} s")
        if i == 0:
            full(check, house)
        for _, client in clients:
            client.close()
    check.that("nothing of them is held", wait_for(lambda: house.daemon.fd_cnt() <= fds), f"{house.daemon.fd_cnt()}, not {fds}")
    print(f"#    {rounds} x 1,000 clients: {house.daemon.rss_kib() - rss} KiB more resident", flush=True)
    house.settles(check, "1,000 clients")


def ask_all(check, what, clients):
    """All requests are sent before an answer is read."""
    name_myself()
    start = time.monotonic()
    for uid, client in clients:
        with acting_as(uid):
            client.send({"version": 1, "op": "jobs", "pidfd": OWN})
    answers = [error_of(client.receive()) for _, client in clients]
    check.equal(f"{what}all are answered", (answers.count("ok"), len(answers)), (1000, 1000))
    check.that(f"{what}soon", time.monotonic() - start < 9, f"{time.monotonic() - start:.1f} s")


def full(check, house):
    """Every place taken: users are told, root is let in."""
    rest = connect(ALICE.uid, OF_ALL - 1000)
    refused = as_user(DAVE, lambda: error_of(Client().receive()))
    check.equal("no place left for a user", refused, "EBUSY")
    check.equal("root is not locked out", house.ask("jobs").returncode, 0)
    for client in rest:
        client.close()


def flock(cnt):
    """So many clients of one process; all have asked before an answer is read. What they were answered."""
    raise_limit()
    name_myself()
    clients = []
    for _ in range(cnt):
        clients.append(Client(timeout=None))  # who finds the daemon's backlog full waits
        with contextlib.suppress(ConnectionError):  # it may have said why before it hung up
            clients[-1].send({"version": 1, "op": "jobs", "pidfd": OWN})
    return [error_of(client.receive()) for client in clients]


def root_meanwhile(house, crowd):
    """root asks until the crowd has its answers: exit statuses, the longest wait in s, the daemon's most memory in KiB."""
    statuses, longest, most = collections.Counter(), 0, 0
    while any(not select.select([fd], [], [], 0)[0] for _, fd in crowd):
        start = time.monotonic()
        statuses[house.ask("jobs").returncode] += 1
        longest = max(longest, time.monotonic() - start)
        most = max(most, house.daemon.rss_kib())
        time.sleep(0.05)
    return statuses, longest, most


def many_thousand(check, house, cnt):
    """More than there are places, and than the kernel lets wait to be accepted: each is served or told, in time, root among them."""
    rss, fds, start = house.daemon.rss_kib(), house.daemon.fd_cnt(), time.monotonic()
    crowd = [child(User(f"crowd{uid}", uid), lambda: flock(cnt // len(EVERYBODY))) for uid in EVERYBODY]
    statuses, longest, most = root_meanwhile(house, crowd)
    took = time.monotonic() - start
    answers = collections.Counter(answer for pid, fd in crowd for answer in result_of(pid, fd))
    check.equal("each is served or told", sum(answers[word] for word in ("ok", "EBUSY")), cnt // len(EVERYBODY) * len(EVERYBODY))
    check.equal("and nothing else", set(answers), {"ok", "EBUSY"})
    check.that("as many as there are places are served", answers["ok"] >= OF_ALL - 32, answers)
    check.that("root is served all the time", set(statuses) == {0}, statuses)
    check.that("and long before a command gives up", longest < 30, f"{longest:.1f} s")
    check.that("the daemon's memory is bounded", most - rss < RSS_KIB, f"{most - rss} KiB more")
    check.that("nothing of them is held", wait_for(lambda: house.daemon.fd_cnt() <= fds), f"{house.daemon.fd_cnt()}, not {fds}")
    check.equal("then a user runs a job", house.shell("exit 6", user=ALICE).status, 6)
    print(f"#    {cnt} clients in {took:.1f} s: {dict(answers)}; {statuses.total()} requests of root's meanwhile, the longest {longest:.1f} s; "
          f"{most - rss} KiB more resident", flush=True)
    house.settles(check, "many thousand clients")


def vanishing(check, house, cnt):
    """Clients that are killed between their request and the command: whatever was made for them goes."""
    chance = random.Random(3)
    pauses = [0, 0.005] + [chance.random() * 0.4 for _ in range(cnt - 2)]
    for i, pause in enumerate(pauses):
        pid, fd = child(User("crowd", EVERYBODY[i % 9]), lambda n=i: Client().ask("run", policy="plain", job=f"vanish{n}") and signal.pause())
        time.sleep(pause)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
    check.that("the jobs of vanished clients end", wait_for(lambda: house.job_ids() == ["keeper"], 30), house.job_ids())
    house.settles(check, "vanished clients")
    starts = ends = 0
    with open(house.site_alerts, encoding="utf-8") as stream:
        for line in stream:
            starts += '"vanish' in line and '"job_start"' in line
            ends += '"vanish' in line and '"job_end"' in line
    check.that("each that was started has its end", starts == ends and starts, f"{starts} starts, {ends} ends")
