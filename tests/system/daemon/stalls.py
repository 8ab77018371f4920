# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Clients that stall in the middle of a launch: between two of its steps, or stopped while the daemon is about them."""
import contextlib
import os
import random
import signal
import time

from harness import wait_for
from hostile import CLONE_NEWNS, CLONE_NEWUSER, may_write, unshare
from house import ALICE, BOB
from protocol import CLOSED, OWN, Client, child, error_of, name_myself, result_of

# So many that the daemon's look at them takes some milliseconds.
FILES = 400


@contextlib.contextmanager
def served_meanwhile(check, house, what):
    """Others are."""
    start = time.monotonic()
    yield
    check.equal(f"{what}: another user's job runs", house.shell("exit 5", user=BOB, policy="team").status, 5)
    check.that(f"{what}: without waiting", time.monotonic() - start < 8, f"{time.monotonic() - start:.1f} s")


def nothing_is_held(check, house, what, fds):
    check.that(f"{what}: no descriptor is held in the end", wait_for(lambda: house.daemon.fd_cnt() <= fds, 30), f"{house.daemon.fd_cnt()}, not {fds}")
    check.that(f"{what}: no job is", wait_for(lambda: house.job_ids() == ["keeper"], 30), house.job_ids())
    house.settles(check, what)


def between_steps(check, house):
    """It has been told to make the environment, or has its ids mapped, and says no more."""
    fds = house.daemon.fd_cnt()
    house.policy("env", environment={"private": ["/tmp"], "scratch": "/var/tmp"})

    def hangs(client, *said):
        start = time.monotonic()
        return [*said, client.receive(), time.monotonic() - start]

    def told():
        client = Client(timeout=30)
        return hangs(client, client.ask("run", policy="env", job="half-told").get("step"))

    def mapped():
        client = Client(timeout=30)
        client.ask("run", policy="env", job="half-mapped")
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        return hangs(client, error_of(client.ask("map_ids")))

    rows = [("told to make the environment", told, "environment"), ("its ids mapped", mapped, "ok")]
    with served_meanwhile(check, house, "between steps"):
        clients = [child(ALICE, launch) for _, launch, _ in rows]
        time.sleep(0.5)
    for (what, _, step), client in zip(rows, clients):
        said, end, took = result_of(*client)
        check.equal(f"{what}: step, end", (said, end), (step, CLOSED))
        check.that(f"{what}: after 10 s", 8 < took < 20, f"{took:.1f} s")
    nothing_is_held(check, house, "between steps", fds)


def stopped(check, house, cnt):
    """
    It is stopped at any moment from its request to the answer, so that the daemon labels it, moves it and looks at its many
    descriptors while it is; the answer stays unread. It is killed as it is, or goes on, and is under the policy then.
    """
    chance, path, fds = random.Random(7), f"{house.digits}/a", house.daemon.fd_cnt()

    def launch(number):
        files = [os.open(path, os.O_RDONLY) for _ in range(FILES)]
        name_myself()
        client = Client()
        client.send({"version": 1, "op": "run", "pidfd": OWN, "policy": "plain", "job": f"stopped{number}"})
        return [error_of(client.receive()), may_write(path), len(files)]

    def stop(number):
        pid, fd = child(ALICE, lambda: launch(number))
        time.sleep(chance.random() * undisturbed)
        os.kill(pid, signal.SIGSTOP)
        return pid, fd

    start = time.monotonic()
    check.equal("who is not stopped is under the policy", result_of(*child(ALICE, lambda: launch("not"))), ["ok", False, FILES])
    undisturbed = time.monotonic() - start
    with served_meanwhile(check, house, "stopped"):
        clients = [stop(number) for number in range(cnt)]
        time.sleep(0.5)
        started = [job for job in house.job_ids() if job.startswith("stopped")]
    for pid, _ in clients[::2]:
        os.kill(pid, signal.SIGKILL)
    killed, under = [result_of(*client) for client in clients[::2]], ["ok", False, FILES]
    check.that("who is killed as it is says nothing, unless it had ended before", None in killed and all(said in (None, under) for said in killed), killed)
    for pid, _ in clients[1::2]:
        os.kill(pid, signal.SIGCONT)
    check.equal("who goes on is under the policy", [result_of(*client) for client in clients[1::2]], [under] * len(clients[1::2]))
    check.that("some were in force while they were stopped", started)
    print(f"#    {len(started)} of {cnt} were in force while they were stopped", flush=True)
    nothing_is_held(check, house, "stopped", fds)
