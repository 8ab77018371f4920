#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Calls at the ports of servers.py: visitor.py NAME ADDRESS... prints [kind, port, address] of what answered, as JSON.

All at once; it waits for those who may yet answer. At the port that two share it calls often, so that it meets both.
"""
import json
import select
import socket
import sys
import time

from network import OPEN_PORT, OTHER_PORT, RING_PORT, SHARED_PORT

PATIENCE_S, SHARED_CALLS = 4, 16


def call(name, kind, ip, port):
    sock = socket.socket(socket.AF_INET6 if ':' in ip else socket.AF_INET, kind)
    sock.setblocking(False)
    sock.connect_ex((ip, port))
    if kind == socket.SOCK_DGRAM:
        sock.send(name.encode())
    return sock


def main():
    name, *addresses = sys.argv[1:]
    ports = [(kind, port) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) for port in (OPEN_PORT, OTHER_PORT)]
    ports += [(socket.SOCK_STREAM, RING_PORT)]
    if name == 'allowed':
        ports += [(socket.SOCK_STREAM, SHARED_PORT)] * SHARED_CALLS
    calls = {call(name, kind, ip, port): ('udp' if kind == socket.SOCK_DGRAM else 'tcp', port, ip)
             for ip in addresses for kind, port in ports}
    unsaid = {sock for sock, (kind, *_) in calls.items() if kind == 'tcp'}
    answered, until = set(), time.monotonic() + PATIENCE_S
    # At the ring's port only the first is served.
    while {port for _, port, _ in calls.values()} - {RING_PORT} and (left := until - time.monotonic()) > 0:
        readable, writable, _ = select.select(calls, unsaid, [], left)
        for sock in writable:
            unsaid.discard(sock)
            try:
                sock.send(name.encode())
            except OSError:
                pass  # nobody there
        for sock in readable:
            try:
                if sock.recv(64) == b'answer':
                    answered.add(calls[sock])
            except OSError:
                pass
            del calls[sock]
            unsaid.discard(sock)
    print(json.dumps(sorted(answered)))


main()
