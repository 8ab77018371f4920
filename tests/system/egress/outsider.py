# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who else is on the machine: a process that listens where a proxy or a daemon would, and that hands out sockets of its own."""
import contextlib
import os
import socket
import threading
import time

from network import DAEMON, FAMILY, FORBIDDEN, LENDER, OPEN_PORT, OUTSIDE_PORT, SHARED_PORT

SO_BINDTODEVICE = 25
LOCALHOST = {'4': '127.0.0.1', '6': '::1'}


class Outsider:
    def __init__(self):
        self.tokens = []
        for version in '46':
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                self.listen(FAMILY[version], kind, ('' if version == '4' else '::', OUTSIDE_PORT))
        # Not found without its device.
        self.listen(socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', OUTSIDE_PORT + 1), (SO_BINDTODEVICE, b'lo\0'))
        self.listen(socket.AF_INET, socket.SOCK_STREAM, ('', SHARED_PORT), (socket.SO_REUSEPORT, 1))
        for path in (DAEMON, '\0' + DAEMON):
            self.listen_unix(path, socket.SOCK_STREAM, self.serve)
            self.listen_unix(f'{path}-datagram', socket.SOCK_DGRAM, self.serve)
        # Made now, so that none of their packets comes later.
        self.connected = {f'{label}{version}': self.connect(version, kind) for version in '46'
                          for label, kind in (('tcp', socket.SOCK_STREAM), ('udp', socket.SOCK_DGRAM))}
        self.listen_unix(LENDER, socket.SOCK_STREAM, self.lend)

    def start(self, function, *args):
        threading.Thread(target=function, args=args, daemon=True).start()

    def hear(self, sock):
        said = sock.recv(64).decode()  # before it is looked where to put it
        self.tokens.append(said)
        return said

    def listen(self, family, kind, address, *options):
        sock = socket.socket(family, kind)
        for option in ((socket.SO_REUSEADDR, 1), *options):
            sock.setsockopt(socket.SOL_SOCKET, *option)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen(32)
        self.start(self.serve, sock, kind)

    def listen_unix(self, path, kind, serve):
        with contextlib.suppress(FileNotFoundError, ValueError):
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.bind(path)
        if not path.startswith('\0'):
            os.chmod(path, 0o666)
        if kind == socket.SOCK_STREAM:
            sock.listen(32)
        self.start(serve, sock, kind)

    def serve(self, sock, kind):
        while True:
            if kind == socket.SOCK_DGRAM:
                self.hear(sock)
                continue
            connection, _ = sock.accept()
            if sock.family != socket.AF_UNIX:
                self.tokens.append('connection')
            with contextlib.suppress(OSError):
                self.hear(connection)
                connection.send(b'answer')
            connection.close()

    def lend(self, sock, _):
        """Whoever connects and says which kind is sent a socket of that kind."""
        while True:
            connection, _ = sock.accept()
            with connection, self.make_lent(connection.recv(64).decode()) as lent:
                socket.send_fds(connection, [b'.'], [lent.fileno()])

    def connect(self, version, kind):
        sock = socket.socket(FAMILY[version], kind)
        sock.connect((FORBIDDEN[version], OPEN_PORT))
        return sock

    def make_lent(self, kind):
        if kind in self.connected:
            return self.connected[kind].dup()
        if kind == 'pair':
            lent, kept = socket.socketpair()
            self.start(self.hear_out, kept)
            return lent
        if kind == 'daemon':
            lent = socket.socket(socket.AF_UNIX)
            lent.connect(DAEMON)
            return lent
        version = kind[-1]
        lent = socket.create_server((LOCALHOST[version], 0), family=FAMILY[version])
        self.start(self.visit, FAMILY[version], lent.getsockname())
        return lent

    def hear_out(self, sock):
        with sock:
            while self.hear(sock):
                pass

    def visit(self, family, address):
        """Somebody who calls at a listener that was given away."""
        with contextlib.suppress(OSError), socket.socket(family) as sock:
            sock.settimeout(5)
            sock.connect(address)
            self.hear(sock)

    def heard(self):
        time.sleep(0.2)
        tokens, self.tokens = [token for token in self.tokens if token], []
        return tokens
