# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who would hear of it: sockets on every address and port that an act names, and the tokens that came in."""
import contextlib
import os
import selectors
import socket
import subprocess
import threading
import time

from cases import LISTENING, PORTS, SOCKETS_OF_OTHERS, UNIX_ABSTRACT, UNIX_PLACES

TCP_FASTOPEN_BOTH = 3
VSOCK_PORT = 7001
UNIX_KINDS = {'stream': socket.SOCK_STREAM, 'datagram': socket.SOCK_DGRAM}


def prepare_network():
    """Addresses of this host that no rule names, fast open without a cookie first, ping sockets, VSOCK to itself."""
    for address in ('192.0.2.1/32', '2001:db8::1/128'):
        subprocess.run(['ip', 'address', 'replace', address, 'dev', 'lo'], check=True)
    with open('/proc/sys/net/ipv4/tcp_fastopen', 'w') as file:
        file.write(f'{TCP_FASTOPEN_BOTH}\n')
    with open('/proc/sys/net/ipv4/ping_group_range', 'w') as file:
        file.write('0 2147483647\n')
    for place in UNIX_PLACES:
        os.makedirs(place, exist_ok=True)
    subprocess.run(['modprobe', '-a', 'vsock_loopback'], check=False, stderr=subprocess.DEVNULL)


class Listeners:
    def __init__(self):
        self.tokens = []
        self.selector = selectors.DefaultSelector()
        for ip in LISTENING:
            for port in PORTS:
                self.listen(ip, port)
        for place in UNIX_PLACES:
            for name, kind in UNIX_KINDS.items():
                self.listen_unix(f'{place}/{name}', kind)
        for name, kind in UNIX_KINDS.items():
            self.listen_unix(f'{UNIX_ABSTRACT}-{name}'.replace('@', '\0'), kind)
        self.listen_vsock()
        self.lend_sockets()
        threading.Thread(target=self.serve, daemon=True).start()

    def listen(self, ip, port):
        family = socket.AF_INET6 if ':' in ip else socket.AF_INET
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(family, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((ip, port))
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
                sock.listen(64)
            self.add(sock, self.accept if kind == socket.SOCK_STREAM else self.receive)

    def listen_unix(self, name, kind):
        with contextlib.suppress(OSError, ValueError):
            os.unlink(name)
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.bind(name)
        if kind == socket.SOCK_STREAM:
            sock.listen(64)
        self.add(sock, self.accept if kind == socket.SOCK_STREAM else self.receive)

    def lend_sockets(self):
        """An accomplice: whoever connects and says which kind is sent a socket of that kind."""
        with contextlib.suppress(OSError):
            os.unlink(SOCKETS_OF_OTHERS)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(SOCKETS_OF_OTHERS)
        sock.listen(8)
        self.add(sock, self.lend)

    def lend(self, sock):
        connection, _ = sock.accept()
        kind = connection.recv(64).decode()
        lent = self.make_lent(kind)
        socket.send_fds(connection, [b'.'], [lent.fileno()])
        connection.close()
        lent.close()

    def make_lent(self, kind):
        if kind == 'pair':
            lent, kept = socket.socketpair()
            self.add(kept, self.receive)
            return lent
        if kind.startswith('/'):
            lent = socket.socket(socket.AF_UNIX)
            lent.connect(kind)
            return lent
        family = socket.AF_INET6 if kind.endswith('6') else socket.AF_INET
        lent = socket.socket(family, socket.SOCK_DGRAM if kind.startswith('udp') else socket.SOCK_STREAM)
        if kind == 'listener':
            lent.bind(('127.0.0.1', 0))
            lent.listen()
        else:
            lent.connect(('2001:db8::1' if family == socket.AF_INET6 else '192.0.2.1', PORTS[0]))
        return lent

    def listen_vsock(self):
        """A kernel without VSOCK has no case that needs it."""
        try:
            sock = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
            sock.bind((socket.VMADDR_CID_ANY, VSOCK_PORT))
        except OSError:
            return
        sock.listen(8)
        self.add(sock, self.accept)

    def add(self, sock, handler):
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ, handler)

    def accept(self, sock):
        connection, _ = sock.accept()
        self.add(connection, self.receive)

    def receive(self, sock):
        data = sock.recv(4096)
        if data:
            self.tokens.append(data.decode())
        elif sock.type == socket.SOCK_STREAM:
            self.selector.unregister(sock)
            sock.close()

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                try:
                    key.data(key.fileobj)
                except OSError:
                    pass  # a connection that was cut

    def take(self, expected, patience=5):
        """The tokens since the last call. Waits for those that must come; the rest is given the same time as they took."""
        until = time.monotonic() + patience
        while not expected <= set(self.tokens) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.2)
        tokens, self.tokens = set(self.tokens), []
        return tokens
