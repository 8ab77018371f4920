# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The control socket, spoken by hand: so that what no jobcage would send is sent."""
import array
import contextlib
import json
import os
import socket

from harness import WAIT_S
from house import SOCKET

PACKET_MAX = 16 * 1024
CLOSED = "closed"
OWN = 900  # the number of a pidfd of whoever asks


def name_myself():
    """Has a pidfd of this very process under the number OWN."""
    fd = os.pidfd_open(os.getpid())
    os.dup2(fd, OWN)
    os.close(fd)


class Client:
    """One connection."""

    def __init__(self, timeout=WAIT_S):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        self.sock.connect(SOCKET)
        self.is_barred = False

    def send(self, data, rights=()):
        """As it is. rights: descriptors to go with it, which no jobcage sends."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", rights))] if rights else []
        try:
            self.sock.sendmsg([data if isinstance(data, bytes) else json.dumps(data).encode()], ancillary)
        except PermissionError:  # since Linux 6.16 by the kernel
            if not rights:
                raise
            self.is_barred = True

    def receive(self):
        """The answer, behind what says that others are before it; or CLOSED."""
        answer = self.take()
        while "waiting" in answer:
            answer = self.take()
        return answer

    def take(self):
        if self.is_barred:
            return {"ok": False, "errno": "EBADMSG"}
        try:
            data, ancillary, _, _ = self.sock.recvmsg(PACKET_MAX, socket.CMSG_SPACE(16))
        except ConnectionError:
            return CLOSED
        for _, _, fds in ancillary:
            for fd in array.array("i", fds):
                os.close(fd)
        return json.loads(data) if data else CLOSED

    def ask(self, op, pidfd=OWN, **members):
        """A request as it should be, and its answer."""
        if pidfd == OWN:
            name_myself()
        try:
            self.send({"version": 1, "op": op, "pidfd": pidfd} | members)
        except ConnectionError:
            return CLOSED
        return self.receive()

    def close(self):
        self.sock.close()


def child(user, call):
    """Forks; the child becomes the user (None: stays who it is) and calls. Returns (pid, descriptor that its result can be read from as JSON)."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    status = 1
    with contextlib.suppress(BaseException):
        os.close(read)
        if user:
            user.become()
        try:
            result = call()
        except Exception as error:
            result = f"{type(error).__name__}: {error}"
        os.write(write, json.dumps(result).encode())
        status = 0
    os._exit(status)


def result_of(pid, fd):
    """Waits for the child. None: it was killed, or ended without a word."""
    with os.fdopen(fd, "rb") as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else None


def as_user(user, call):
    return result_of(*child(user, call))


def answer_to(user, data, rights=()):
    """What the daemon says to one message of the user."""
    def talk():
        client = Client()
        name_myself()
        client.send(data, rights)
        return client.receive()
    return as_user(user, talk)


def error_of(answer):
    """Its errno's name; 'ok'; or what came instead of an answer."""
    if isinstance(answer, dict):
        return "ok" if answer.get("ok") else answer.get("errno")
    return answer
