#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A job that spends: spender.py PROTOCOL SOCKETS BYTES SIZE ADDRESS PORT prints {"sent", "errors", "late"}.

So many sockets at once, each of which sends so many bytes in pieces of so many. "late" is what a connection and a datagram are
answered when all have stopped, and how long that took. TCP connects first, all of them, and waits for the peer's answer to its end,
so that what was sent has arrived; where it stops, as long as PATIENCE_S. What is left then is spent by small datagrams.
"""
import collections
import contextlib
import errno
import json
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True

from ways import disconnect  # noqa: E402

PATIENCE_S = 8


def stream(family, address, count, size, together):
    sent = 0
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(address)
        together.wait(PATIENCE_S * 4)
        while sent < count:
            sent += sock.send(b'x' * min(size, count - sent))
        with contextlib.suppress(OSError):  # what was reset meanwhile; recv() says so
            sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
    return sent


def datagrams(family, address, count, size, _):
    sent = 0
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for _ in range(count // size):
            try:
                sent += sock.sendto(b'x' * size, address)
            except PermissionError:
                pass
    return sent


def turned(family, address, count, size, _):
    """By a socket whose peer was one of the process's own before."""
    sent = 0
    with socket.create_server(('127.0.0.1', 0)) as own, socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(own.getsockname())
        sock.send(b'x')
        disconnect(sock)
        sock.connect(address)
        while sent < count:
            sent += sock.send(b'x' * min(size, count - sent))
    return sent


def fill(family, address):
    """Until not even the smallest fits."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for size in (1000, 100, 10, 1):
            try:
                while True:
                    sock.sendto(b'x' * size, address)
            except PermissionError:
                pass


def name_of(error):
    return 'TIMEOUT' if isinstance(error, TimeoutError) else errno.errorcode[error.errno]


class Spender:
    def __init__(self, protocol, sockets, count, size, address, port):
        self.family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.address = (address, port)
        self.send = {'tcp': stream, 'udp': datagrams, 'turned': turned}[protocol]
        self.words = (self.family, self.address, count, size, threading.Barrier(sockets))
        self.sent, self.errors, self.lock = 0, collections.Counter(), threading.Lock()

    def run(self):
        sent, error = 0, None
        try:
            sent = self.send(*self.words)
        except OSError as caught:
            error = name_of(caught)
        with self.lock:
            self.sent += sent
            if error:
                self.errors[error] += 1

    def late(self):
        """Connections and datagrams that are refused are refused at once."""
        answers, start = [], time.monotonic()
        for kind, protocol in ((socket.SOCK_STREAM, 'tcp'), (socket.SOCK_DGRAM, 'udp')):
            with socket.socket(self.family, kind) as sock:
                sock.settimeout(PATIENCE_S)
                try:
                    sock.connect(self.address)
                    if protocol == 'udp':
                        sock.send(b'x' * 1400)
                    answers.append('OK')
                except OSError as error:
                    answers.append(name_of(error))
        return [*answers, time.monotonic() - start]


def main():
    protocol, sockets, count, size, address, port = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5], int(sys.argv[6])
    spender = Spender(protocol, sockets, count, size, address, port)
    threads = [threading.Thread(target=spender.run) for _ in range(sockets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if protocol == 'tcp' and spender.errors:
        fill(spender.family, spender.address)
    print(json.dumps({'sent': spender.sent, 'errors': spender.errors, 'late': spender.late()}))


main()
