# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The attacker's server of the demo: takes whatever arrives, and says what that was.

Without somebody who listens, "connection refused" would pass for "blocked". It listens where
poisoned.py connects to, on addresses for documentation that add_addresses() gives to the
loopback device of a private network namespace.
"""

import contextlib
import selectors
import socket
import subprocess
import threading

import poisoned

# A mapped address reaches an IPv4 listener; a datagram socket is told by its type.
LISTENERS = [
    ("tcp4", socket.AF_INET, socket.SOCK_STREAM, poisoned.TCP4),
    ("tcp6", socket.AF_INET6, socket.SOCK_STREAM, poisoned.TCP6),
    ("udp4", socket.AF_INET, socket.SOCK_DGRAM, poisoned.UDP4),
    (
        "mapped",
        socket.AF_INET,
        socket.SOCK_STREAM,
        (poisoned.TCP_MAPPED[0].removeprefix("::ffff:"), poisoned.TCP_MAPPED[1]),
    ),
]


def add_addresses():
    """Brings loopback up with the addresses of LISTENERS; for a network namespace of its own."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for host in sorted({address[0] for _, _, _, address in LISTENERS}):
        if ":" in host:
            command = ["ip", "-6", "address", "replace", f"{host}/128", "dev", "lo", "nodad"]
        else:
            command = ["ip", "address", "replace", f"{host}/32", "dev", "lo"]
        subprocess.run(command, check=True)


class Sink:
    """Listens in a thread from start() on; arrivals() says what came since the last call of it."""

    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._arrivals = []
        self._lock = threading.Lock()

    def start(self):
        for name, family, kind, address in LISTENERS:
            listener = socket.socket(family, kind)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            if kind == socket.SOCK_STREAM:
                listener.listen()
            self._selector.register(listener, selectors.EVENT_READ, (name, kind))
        threading.Thread(target=self._serve, daemon=True).start()

    def arrivals(self):
        with self._lock:
            arrived, self._arrivals = self._arrivals, []
        return arrived

    def _serve(self):
        while True:
            for key, _ in self._selector.select():
                name, kind = key.data
                take = self._take_connection if kind == socket.SOCK_STREAM else self._take_datagram
                take(name, key.fileobj)

    def _take_connection(self, name, listener):
        peer, address = listener.accept()
        # Noted before anything is read: a connection that carries nothing has also got through.
        self._note(name, address)
        with peer, contextlib.suppress(OSError):
            peer.settimeout(poisoned.TIMEOUT_S)
            while peer.recv(4096):
                pass

    def _take_datagram(self, name, listener):
        _, address = listener.recvfrom(65536)
        self._note(name, address)

    def _note(self, name, address):
        with self._lock:
            self._arrivals.append({"listener": name, "peer": address[0]})
