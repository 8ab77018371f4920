#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The ears of a machine: prints, whenever a line comes in, what has arrived since: {"tokens": [...], "packets": N}.

Packets are those of IPv4 and IPv6 that came to this machine, less what machines tell each other of themselves
(neighbour discovery, group membership).
"""
import contextlib
import json
import selectors
import socket
import struct
import sys

PORTS = (8001, 8002, 8003, 8004)
PROTOCOL_SCTP = 132
ETH_P_ALL, PACKET_OUTGOING = 3, 4
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86dd
NEIGHBOURS = set(range(130, 138)) | {143}  # of ICMPv6


def is_chatter(protocol, data):
    if protocol == ETH_P_IP:
        return data[9] == socket.IPPROTO_IGMP
    if data[6] == 0:  # hop-by-hop: membership reports
        return data[40] == socket.IPPROTO_ICMPV6 and data[48] in NEIGHBOURS
    return data[6] == socket.IPPROTO_ICMPV6 and data[40] in NEIGHBOURS


class Peer:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.tokens, self.packets = [], []
        for family, any_address in ((socket.AF_INET, ''), (socket.AF_INET6, '::')):
            for port in PORTS:
                self.listen(family, any_address, port)
            self.listen_sctp(family, any_address)
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.add(raw, self.look)
        self.selector.register(sys.stdin, selectors.EVENT_READ, self.answer)

    def listen(self, family, address, port):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(family, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, port))
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
                sock.listen(64)
            elif family == socket.AF_INET:
                group = socket.inet_aton('224.0.0.77') + socket.inet_aton('0.0.0.0')
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            else:
                group = socket.inet_pton(socket.AF_INET6, 'ff02::77') + struct.pack('=i', socket.if_nametoindex('eth0'))
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
            self.add(sock, self.accept if kind == socket.SOCK_STREAM else self.receive)

    def listen_sctp(self, family, address):
        with contextlib.suppress(OSError):
            sock = socket.socket(family, socket.SOCK_STREAM, PROTOCOL_SCTP)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address, PORTS[0]))
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
            self.tokens.append(data.decode(errors='replace'))
        elif sock.type == socket.SOCK_STREAM:
            self.selector.unregister(sock)
            sock.close()

    def look(self, sock):
        data, (_, protocol, kind, *_) = sock.recvfrom(65536)
        if protocol in (ETH_P_IP, ETH_P_IPV6) and kind != PACKET_OUTGOING and not is_chatter(protocol, data):
            self.packets.append(data[:64].hex())

    def answer(self, stream):
        if not stream.readline():
            sys.exit(0)
        print(json.dumps({'tokens': self.tokens, 'packets': self.packets}), flush=True)
        self.tokens, self.packets = [], []

    def serve(self):
        print('ready', flush=True)
        while True:
            for key, _ in self.selector.select():
                try:
                    key.data(key.fileobj)
                except OSError:
                    pass  # a connection that was cut


Peer().serve()
