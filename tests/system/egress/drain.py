#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Takes all that comes to PORT, TCP and UDP; prints, whenever a line comes in, the payload since the last one and forgets it:
{"tcp": BYTES, "udp": BYTES, "datagrams": N}."""
import json
import selectors
import socket
import sys

PORT, ROOM = 8300, 16 << 20
SO_RCVBUFFORCE = 33  # linux/socket.h


class Drain:
    def __init__(self):
        self.selector, self.taken = selectors.DefaultSelector(), {}
        self.forget()
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(socket.AF_INET6, kind)  # and IPv4
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(('::', PORT))
            if kind == socket.SOCK_STREAM:
                sock.listen(256)
            else:
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
            self.selector.register(sock, selectors.EVENT_READ, self.accept if kind == socket.SOCK_STREAM else self.receive)
        self.selector.register(sys.stdin, selectors.EVENT_READ, self.answer)

    def forget(self):
        self.taken = {'tcp': 0, 'udp': 0, 'datagrams': 0}

    def accept(self, listener):
        self.selector.register(listener.accept()[0], selectors.EVENT_READ, self.read)

    def read(self, sock):
        try:
            data = sock.recv(1 << 20)
        except ConnectionError:
            data = b''
        self.taken['tcp'] += len(data)
        if not data:
            self.selector.unregister(sock)
            sock.close()

    def receive(self, sock):
        self.taken['udp'] += len(sock.recv(65536))
        self.taken['datagrams'] += 1

    def answer(self, _):
        if not sys.stdin.readline():
            sys.exit()
        print(json.dumps(self.taken), flush=True)
        self.forget()

    def run(self):
        print('ready', flush=True)
        while True:
            for key, _ in self.selector.select():
                key.data(key.fileobj)


if __name__ == '__main__':
    Drain().run()
