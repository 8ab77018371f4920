# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Descriptors that who touches them last waits for, for ever and unkillably: the daemon is never the one."""
import fcntl
import os
import resource
import select
import socket
import struct
import threading
import time

from deadfs import DeadFs
from harness import wait_for
from holdup import others_are_served, threads_of
from house import ALICE
from protocol import OWN, Client, child, error_of, name_myself, result_of

CLIENTS = 260  # more than one user is served, and told that they are too many
SWAPPED = 4000
FILE = 15000


def old_kernel():
    """Before 6.4 one mutex of the kernel's holds up every epoll of the machine, whoever waits."""
    return tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 4)


def is_free():
    """The lock of the one daemon that may run."""
    with open("/run/jobcage/controller.lock", "rb+") as stream:
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        return struct.unpack("hhqqi4x", fcntl.fcntl(stream, fcntl.F_OFD_GETLK, lock))[0] == fcntl.F_UNLCK


class Epoll:
    """Its mutex is held by a thread that waits for the dead server. It watches files, whose last close needs the mutex."""

    def __init__(self, house, fs, files=()):
        self.epoll = select.epoll()
        self.fd = os.open(fs.file, os.O_RDONLY)
        for file in files:
            self.epoll.register(file, select.EPOLLIN)
        house.touch("ready")
        wait_for(lambda: house.exists("dead"))
        threading.Thread(target=self.block, daemon=True).start()
        time.sleep(1)

    def block(self):
        self.epoll.register(self.fd, select.EPOLLIN)

    def fileno(self):
        return self.epoll.fileno()


def acting(check, house, fs, act):
    """Alice's process, which acts when the server is dead; waits until it has."""
    def talk():
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILE + 1, FILE + 1))
        result = act()
        house.touch("acted")
        wait_for(lambda: house.exists("go"))
        return result

    resource.setrlimit(resource.RLIMIT_NOFILE, (FILE + 1, max(FILE + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    pid, fd = child(ALICE, talk)
    check.that("the client has its files", house.appears("ready"))
    fs.die()
    house.touch("dead")
    return pid, fd


def finish(house, fs, pid, fd):
    fs.revive()
    house.touch("go")
    result = result_of(pid, fd)
    for name in ("ready", "dead", "acted", "go"):
        os.unlink(f"{house.out}/{name}")
    return result


def sent_along(check, house):
    """The last reference is in the daemon's socket: also of clients that are too many, and of those that were not accepted yet."""
    if old_kernel():
        check.that("this kernel is hung up without a daemon", True)
        return

    def act():
        pipes = [os.pipe() for _ in range(CLIENTS)]
        act.kept = [Epoll(house, fs, [pipe[0] for pipe in pipes])]
        for read, _ in pipes:
            client = Client()
            client.send({"version": 1, "op": "jobs", "pidfd": OWN}, [read])
            if not client.is_barred:  # else this close() would be the one that waits
                os.close(read)
            act.kept.append(client)
        return "sent"

    before = threads_of(house)
    with DeadFs(f"{house.root}/served") as fs:
        pid, fd = acting(check, house, fs, act)
        check.that("they are sent", house.appears("acted"))
        others_are_served(check, house, "with descriptors that nobody can drop")
        check.that("no thread waits for them", wait_for(lambda: threads_of(house) <= before, 30), f"{threads_of(house)} threads")
        killed = house.daemon.process
        killed.kill()
        # What it had not got rid of yet keeps it; its locks are free.
        check.that("a killed daemon has let go of its locks", wait_for(is_free, 30))
        house.daemon.start()
        others_are_served(check, house, "after a kill")
        check.equal("alice's process", finish(house, fs, pid, fd), "sent")
        killed.wait()
    house.settles(check, "descriptors that nobody can drop")


def named(check, house):
    """Named as the client's own pidfd: an epoll that nobody can ask what it watches."""
    if old_kernel():
        check.that("this kernel has no other way to tell a pidfd", True)
        return

    def act():
        epoll = Epoll(house, fs)
        name_myself()
        return error_of(Client().ask("jobs", pidfd=epoll.fileno()))

    before = threads_of(house)
    with DeadFs(f"{house.root}/served") as fs:
        pid, fd = acting(check, house, fs, act)
        check.that("it is answered", house.appears("acted"))
        check.that("no thread waits for it", wait_for(lambda: threads_of(house) <= before, 20), f"{threads_of(house)} threads")
        check.equal("with", finish(house, fs, pid, fd), "EINVAL")
    house.settles(check, "a pidfd that is none")


def swapped(check, house):
    """A socket among the launcher's descriptors becomes a file of the dead server's while they are looked at: closing a copy of it would wait."""
    def act():
        fd = os.open(fs.file, os.O_RDONLY)
        os.dup2(fd, FILE)
        pair = socket.socketpair()
        for number in range(1000, 1000 + SWAPPED):
            os.dup2(pair[0].fileno(), number)
        house.touch("ready")
        wait_for(lambda: house.exists("dead"))

        def swap():
            for number in range(999 + SWAPPED, 999, -1):
                os.dup2(FILE, number)
                time.sleep(0.0002)
        act.kept = threading.Thread(target=swap, daemon=True)
        name_myself()
        client = Client()
        act.kept.start()
        return error_of(client.ask("run", policy="plain"))

    with DeadFs(f"{house.root}/served") as fs:
        pid, fd = acting(check, house, fs, act)
        check.that("it is answered", house.appears("acted"))
        others_are_served(check, house, "after descriptors were swapped")
        finish(house, fs, pid, fd)
    house.settles(check, "swapped descriptors")
