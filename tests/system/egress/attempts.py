#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ways to send something somewhere, one function each: attempts.py NAME... prints a JSON object of NAME: answer.

The answer is OK, or the name of the errno. Where data can be sent, it is the attempt's name, so that whoever gets it can
tell. Done by a job, and by a process in none. Addresses are those of network.py.
"""
import ctypes
import errno
import json
import os
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from network import (ALLOWED4, ALLOWED6, FORBIDDEN4, FORBIDDEN6, LINK, METADATA4, METADATA6, OPEN_PORT, OTHER_PORT,  # noqa: E402
                     OUTSIDE_PORT, PRIVATE4)

PATIENCE_S = 3
IP_OPTIONS, IPV6_RTHDR = 4, 57
SO_BINDTODEVICE, SO_MARK = 25, 36
TCP_FASTOPEN_CONNECT, MSG_FASTOPEN = 30, 0x20000000
PROTOCOL_MPTCP, PROTOCOL_UDPLITE = 262, 136
ATTEMPTS = {}


def attempt(function):
    ATTEMPTS[function.__name__] = function
    return function


def family_of(ip):
    return socket.AF_INET6 if ':' in ip else socket.AF_INET


def make(ip, kind, protocol=0):
    sock = socket.socket(family_of(ip), kind, protocol)
    sock.settimeout(PATIENCE_S)
    return sock


def tcp(name, ip, port, protocol=0, prepare=lambda sock: None):
    with make(ip, socket.SOCK_STREAM, protocol) as sock:
        prepare(sock)
        sock.connect((ip, port))
        sock.sendall(name.encode())


def udp(name, ip, port, protocol=0, prepare=lambda sock: None):
    with make(ip, socket.SOCK_DGRAM, protocol) as sock:
        prepare(sock)
        sock.sendto(name.encode(), (ip, port))


def option(level, number, value):
    return lambda sock: sock.setsockopt(level, number, value)


def register(name, how, *args, **more):
    ATTEMPTS[name] = lambda: how(name, *args, **more)


# --- N1, N2, N10: addresses, ports and protocols ---
for version, good, bad in (('4', ALLOWED4, FORBIDDEN4), ('6', ALLOWED6, FORBIDDEN6)):
    for kind, how in (('tcp', tcp), ('udp', udp)):
        register(f'n1_{kind}{version}_allowed', how, good, OPEN_PORT)
        register(f'n1_{kind}{version}_address', how, bad, OPEN_PORT)
        register(f'n1_{kind}{version}_port', how, good, OTHER_PORT)
register('n2_mapped_tcp', tcp, f'::ffff:{FORBIDDEN4}', OPEN_PORT)
register('n2_mapped_udp', udp, f'::ffff:{FORBIDDEN4}', OPEN_PORT)
register('n2_broadcast', udp, FORBIDDEN4.rsplit('.', 1)[0] + '.255', OPEN_PORT,
         prepare=option(socket.SOL_SOCKET, socket.SO_BROADCAST, 1))
register('n2_multicast', udp, '224.0.0.77', OPEN_PORT,
         prepare=lambda sock: sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LINK['forbidden'])))
register('n10_metadata4', tcp, METADATA4, OPEN_PORT)
register('n10_metadata6', tcp, METADATA6, OPEN_PORT)
register('n10_private', tcp, PRIVATE4, OPEN_PORT)


# --- N3: fast open ---
@attempt
def n3_fast_open():
    with make(FORBIDDEN4, socket.SOCK_STREAM) as sock:
        sock.setblocking(True)
        sock.sendto(b'n3_fast_open', MSG_FASTOPEN, (FORBIDDEN4, OPEN_PORT))


@attempt
def n3_fast_open_connect():
    tcp('n3_fast_open_connect', FORBIDDEN6, OPEN_PORT,
        prepare=option(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1))


# --- N4: other protocols. The policy of the second job names mptcp, udplite, ping and raw ---
register('n4_mptcp', tcp, FORBIDDEN4, OPEN_PORT, protocol=PROTOCOL_MPTCP)
register('n4_udplite', udp, FORBIDDEN4, OPEN_PORT, protocol=PROTOCOL_UDPLITE)


def icmp(ip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as sock:
        sock.sendto(b'\x08\0\0\0\0\0\0\1', (ip, 0))


ATTEMPTS['n4_ping'] = lambda: icmp(FORBIDDEN4)
ATTEMPTS['n4_ping_allowed'] = lambda: icmp(ALLOWED4)


def raw_udp(name, ip, port, options=b'', fragment=0):
    """A datagram with a header of its own making."""
    data = struct.pack('!HHHH', 40000, port, 8 + len(name), 0) + name.encode()
    words = 5 + len(options) // 4
    header = struct.pack('!BBHHHBBH4s4s', 0x40 | words, 0, 0, 0, fragment, 64, socket.IPPROTO_UDP, 0, b'\0' * 4,
                         socket.inet_aton(ip))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        sock.sendto(header + options + data, (ip, 0))


register('n4_raw', raw_udp, FORBIDDEN4, OPEN_PORT)
register('n4_raw_allowed', raw_udp, ALLOWED4, OPEN_PORT)
register('n4_raw_port', raw_udp, ALLOWED4, OTHER_PORT)
register('n4_raw_fragment', raw_udp, ALLOWED4, OPEN_PORT, fragment=1)


# --- N5: datagrams that carry an address ---
@attempt
def n5_connected_elsewhere():
    with make(ALLOWED4, socket.SOCK_DGRAM) as sock:
        sock.connect((ALLOWED4, OPEN_PORT))
        sock.sendto(b'n5_connected_elsewhere', (FORBIDDEN4, OPEN_PORT))


@attempt
def n5_reconnected():
    libc = ctypes.CDLL(None, use_errno=True)
    with make(ALLOWED4, socket.SOCK_DGRAM) as sock:
        sock.connect((ALLOWED4, OPEN_PORT))
        libc.connect(sock.fileno(), ctypes.create_string_buffer(16), 16)  # AF_UNSPEC
        sock.connect((FORBIDDEN4, OPEN_PORT))
        sock.send(b'n5_reconnected')


@attempt
def n5_pktinfo():
    with make(FORBIDDEN4, socket.SOCK_DGRAM) as sock:
        info = struct.pack('=i4s4s', 0, socket.inet_aton(LINK['forbidden']), socket.inet_aton(FORBIDDEN4))
        sock.sendmsg([b'n5_pktinfo'], [(socket.IPPROTO_IP, 8, info)], 0, (FORBIDDEN4, OPEN_PORT))


# --- N8: led elsewhere ---
def source_route(ip):
    """Loose source routing by way of an address, as an IP option."""
    return b'\x83\x07\x04' + socket.inet_aton(ip) + b'\0'


register('n8_source_route', udp, ALLOWED4, OPEN_PORT,
         prepare=lambda sock: sock.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, source_route(FORBIDDEN4)))
register('n8_routing_header', udp, ALLOWED6, OPEN_PORT,
         prepare=option(socket.IPPROTO_IPV6, IPV6_RTHDR,
                        b'\0\2\2\1\0\0\0\0' + socket.inet_pton(socket.AF_INET6, FORBIDDEN6)))
register('n8_mark', tcp, FORBIDDEN4, OPEN_PORT, prepare=option(socket.SOL_SOCKET, SO_MARK, 7))
register('n8_device', tcp, FORBIDDEN4, OPEN_PORT, prepare=option(socket.SOL_SOCKET, SO_BINDTODEVICE, b'forbidden\0'))


# --- N9: the loopback ---
register('n9_outside_tcp', tcp, '127.0.0.1', OUTSIDE_PORT)
register('n9_outside_any', tcp, '0.0.0.0', OUTSIDE_PORT)
register('n9_outside_tcp6', tcp, '::1', OUTSIDE_PORT)
register('n9_outside_udp', udp, '127.0.0.1', OUTSIDE_PORT)
register('n9_outside_udp6', udp, '::1', OUTSIDE_PORT)
register('n9_machine_address', tcp, LINK['forbidden'], OUTSIDE_PORT)
register('n9_tied_to_device', tcp, '127.0.0.1', OUTSIDE_PORT + 1)


def own(name, ip, kind):
    """A server and a client of one process, and back."""
    with make(ip, kind) as server, make(ip, kind) as client:
        server.bind((ip, 0))
        target = server.getsockname()
        if kind == socket.SOCK_DGRAM:
            client.sendto(name.encode(), target)
            _, back = server.recvfrom(64)
            server.sendto(b'back', back)
            client.recv(64)
            return
        server.listen()
        client.connect(target)
        accepted, _ = server.accept()
        accepted.settimeout(PATIENCE_S)
        for _ in range(3):
            client.sendall(name.encode())
            accepted.recv(64)
            accepted.sendall(b'back')
            client.recv(64)
        accepted.close()


for label, ip in (('4', '127.0.0.1'), ('6', '::1'), ('_far', '127.9.9.9')):
    register(f'n9_own_tcp{label}', own, ip, socket.SOCK_STREAM)
    register(f'n9_own_udp{label}', own, ip, socket.SOCK_DGRAM)


@attempt
def n9_nobody():
    tcp('n9_nobody', '127.0.0.1', OUTSIDE_PORT + 2)


@attempt
def n9_nobody_there():
    """A listener on every address is none on that of another machine."""
    with make('127.0.0.1', socket.SOCK_STREAM) as server:
        server.bind(('', OPEN_PORT))
        server.listen()
        tcp('n9_nobody_there', FORBIDDEN4, OPEN_PORT)


# --- N16: inbound ---
@attempt
def n16_listen():
    """Listens on two ports, and tells who came: by the kind of server, [peer, what it said]."""
    heard = []
    servers = []
    for port in (OPEN_PORT, OTHER_PORT):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(socket.AF_INET, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(('', port))
            sock.setblocking(False)
            if kind == socket.SOCK_STREAM:
                sock.listen()
            servers.append((sock, kind, port))
    print('ready', flush=True)
    until = time.monotonic() + float(os.environ.get('LISTEN_S', '4'))
    while time.monotonic() < until:
        for sock, kind, port in servers:
            try:
                if kind == socket.SOCK_STREAM:
                    connection, peer = sock.accept()
                    connection.settimeout(PATIENCE_S)
                    heard.append(['tcp', port, peer[0], connection.recv(64).decode()])
                    connection.sendall(b'answer')
                    connection.close()
                else:
                    data, peer = sock.recvfrom(64)
                    heard.append(['udp', port, peer[0], data.decode()])
                    sock.sendto(b'answer', peer)
            except BlockingIOError:
                pass
        time.sleep(0.02)
    return heard


def answer(function):
    try:
        return function() or 'OK'
    except TimeoutError:
        return 'TIMEOUT'
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def main():
    print(json.dumps({name: answer(ATTEMPTS[name]) for name in sys.argv[1:]}))


if __name__ == '__main__':
    main()
