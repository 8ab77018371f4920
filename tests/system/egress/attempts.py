#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ways to send something somewhere, one function each: attempts.py NAME... prints a JSON object of NAME: answer.

The answer is OK, or the name of the errno. Where data can be sent, it is the attempt's name, so that whoever gets it can
tell. Done by a job, and by a process in none. Addresses are those of network.py; what each must come to is in expected.py.
"""
import ctypes
import errno
import json
import os
import socket
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import kinds  # noqa: E402
import local  # noqa: E402
import rings  # noqa: E402
import servers  # noqa: E402,F401
from network import (ALLOWED, FORBIDDEN, GROUP4, GROUP6, LINK, LINK6, LINK_LOCAL, METADATA4, METADATA6, NAT64,  # noqa: E402
                     OPEN_PORT, OTHER_PORT, OUTSIDE_PORT, PRIVATE4, PRIVATE6, SIX_TO_FOUR, TCP_PORT, UDP_PORT)
from ways import ATTEMPTS, LIBC, attempt, both_versions, call, disconnect, make, option, register, tcp, udp  # noqa: E402

IP_OPTIONS, IPV6_RTHDR, IP_TRANSPARENT, IPV6_TRANSPARENT = 4, 57, 19, 75
IP_PKTINFO, IPV6_PKTINFO = 8, 50
SO_BINDTODEVICE, SO_MARK = 25, 36
TCP_FASTOPEN_CONNECT, MSG_FASTOPEN = 30, 0x20000000
CLONE_NEWNET = 0x40000000


# --- N1: addresses, ports and protocols ---
for version in '46':
    good, bad = ALLOWED[version], FORBIDDEN[version]
    for kind, how, closed in (('tcp', tcp, UDP_PORT), ('udp', udp, TCP_PORT)):
        register(f'n1_{kind}{version}_allowed', how, good, OPEN_PORT)
        register(f'n1_{kind}{version}_address', how, bad, OPEN_PORT)
        register(f'n1_{kind}{version}_port', how, good, OTHER_PORT)
        register(f'n1_{kind}{version}_protocol', how, good, closed)

# --- N2: other names for the same, and everybody ---
register('n2_mapped_tcp', tcp, f'::ffff:{FORBIDDEN["4"]}', OPEN_PORT)
register('n2_mapped_udp', udp, f'::ffff:{FORBIDDEN["4"]}', OPEN_PORT)
for label, address in (('6to4', SIX_TO_FOUR), ('nat64', NAT64), ('link_local', f'{LINK_LOCAL}%forbidden')):
    register(f'n2_{label}_tcp', tcp, address, OPEN_PORT)
    register(f'n2_{label}_udp', udp, address, OPEN_PORT)
BROADCAST = option(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
register('n2_broadcast', udp, FORBIDDEN['4'].rsplit('.', 1)[0] + '.255', OPEN_PORT, prepare=BROADCAST)


@attempt
def n2_broadcast_all():
    with make('255.255.255.255', socket.SOCK_DGRAM) as sock:
        BROADCAST(sock)
        sock.bind((LINK['forbidden'], 0))  # which says by what device
        sock.sendto(b'n2_broadcast_all', ('255.255.255.255', OPEN_PORT))


register('n2_multicast', udp, GROUP4, OPEN_PORT,
         prepare=lambda sock: sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LINK['forbidden'])))
register('n2_multicast6', udp, f'{GROUP6}%forbidden', OPEN_PORT)

# --- N10: what must not follow from anything ---
for label, address in (('metadata4', METADATA4), ('metadata6', METADATA6), ('private', PRIVATE4), ('private6', PRIVATE6)):
    register(f'n10_{label}', tcp, address, OPEN_PORT)
    register(f'n10_{label}_udp', udp, address, OPEN_PORT)


# --- N3: fast open ---
@both_versions
def n3_fast_open(name, version):
    with make(FORBIDDEN[version], socket.SOCK_STREAM) as sock:
        sock.setblocking(True)
        sock.sendto(name.encode(), MSG_FASTOPEN, (FORBIDDEN[version], OPEN_PORT))


@both_versions
def n3_fast_open_message(name, version):
    with make(FORBIDDEN[version], socket.SOCK_STREAM) as sock:
        sock.setblocking(True)
        sock.sendmsg([name.encode()], [], MSG_FASTOPEN, (FORBIDDEN[version], OPEN_PORT))


@both_versions
def n3_fast_open_connect(name, version):
    tcp(name, FORBIDDEN[version], OPEN_PORT, prepare=option(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1))


# --- N5: datagrams that carry an address ---
@both_versions
def n5_connected_elsewhere(name, version):
    with make(ALLOWED[version], socket.SOCK_DGRAM) as sock:
        sock.connect((ALLOWED[version], OPEN_PORT))
        sock.sendto(name.encode(), (FORBIDDEN[version], OPEN_PORT))


@both_versions
def n5_reconnected(name, version):
    with make(ALLOWED[version], socket.SOCK_DGRAM) as sock:
        sock.connect((ALLOWED[version], OPEN_PORT))
        disconnect(sock)
        sock.connect((FORBIDDEN[version], OPEN_PORT))
        sock.send(name.encode())


def packet_info(version):
    """Where from, and by what device."""
    if version == '4':
        addresses = socket.inet_aton(LINK['forbidden']), socket.inet_aton(FORBIDDEN['4'])
        return socket.IPPROTO_IP, IP_PKTINFO, struct.pack('=i4s4s', 0, *addresses)
    device = socket.if_nametoindex('forbidden')
    return socket.IPPROTO_IPV6, IPV6_PKTINFO, socket.inet_pton(socket.AF_INET6, LINK6['forbidden']) + struct.pack('=i', device)


@both_versions
def n5_pktinfo(name, version):
    with make(FORBIDDEN[version], socket.SOCK_DGRAM) as sock:
        sock.sendmsg([name.encode()], [packet_info(version)], 0, (FORBIDDEN[version], OPEN_PORT))


class Message(ctypes.Structure):
    """struct mmsghdr"""
    _fields_ = [('name', ctypes.c_void_p), ('name_len', ctypes.c_uint), ('parts', ctypes.c_void_p), ('part_cnt', ctypes.c_size_t),
                ('control', ctypes.c_void_p), ('control_len', ctypes.c_size_t), ('flags', ctypes.c_int), ('sent', ctypes.c_uint)]


def raw_address(version, address, port):
    if version == '4':
        return struct.pack('=H', socket.AF_INET) + struct.pack('!H', port) + socket.inet_aton(address) + bytes(8)
    return (struct.pack('=H', socket.AF_INET6) + struct.pack('!HI', port, 0) + socket.inet_pton(socket.AF_INET6, address) +
            bytes(4))


@both_versions
def n5_many_messages(name, version):
    """sendmmsg() to the forbidden machine and then to the allowed one: the first ends the call."""
    data = ctypes.create_string_buffer(name.encode())
    part = struct.pack('=QQ', ctypes.addressof(data), len(name))
    part = ctypes.create_string_buffer(part, len(part))
    addresses = [raw_address(version, where[version], OPEN_PORT) for where in (FORBIDDEN, ALLOWED)]
    buffers = [ctypes.create_string_buffer(address, len(address)) for address in addresses]
    messages = (Message * 2)(*((ctypes.addressof(buffer), len(buffer), ctypes.addressof(part), 1) for buffer in buffers))
    with make(FORBIDDEN[version], socket.SOCK_DGRAM) as sock:
        call(LIBC.sendmmsg, sock.fileno(), messages, 2, 0)


# --- N8: led elsewhere ---
def source_route(ip):
    """Loose source routing by way of an address, as an IP option."""
    return b'\x83\x07\x04' + socket.inet_aton(ip) + b'\0'


register('n8_source_route', udp, ALLOWED['4'], OPEN_PORT,
         prepare=lambda sock: sock.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, source_route(FORBIDDEN['4'])))
register('n8_routing_header', udp, ALLOWED['6'], OPEN_PORT,
         prepare=option(socket.IPPROTO_IPV6, IPV6_RTHDR,
                        b'\0\2\2\1\0\0\0\0' + socket.inet_pton(socket.AF_INET6, FORBIDDEN['6'])))
for version in '46':
    register(f'n8_mark{version}', tcp, FORBIDDEN[version], OPEN_PORT, prepare=option(socket.SOL_SOCKET, SO_MARK, 7))
    register(f'n8_device{version}', tcp, FORBIDDEN[version], OPEN_PORT,
             prepare=option(socket.SOL_SOCKET, SO_BINDTODEVICE, b'forbidden\0'))


@both_versions
def n8_transparent(name, version):
    """From an address of nobody's."""
    where = {'4': (socket.IPPROTO_IP, IP_TRANSPARENT, '10.9.2.99'), '6': (socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 'fd09:2::99')}
    level, number, source = where[version]
    with make(FORBIDDEN[version], socket.SOCK_DGRAM) as sock:
        sock.setsockopt(level, number, 1)
        sock.bind((source, 0))
        sock.sendto(name.encode(), (FORBIDDEN[version], OPEN_PORT))


@both_versions
def n8_namespace(name, version):
    """From within the network namespace of the forbidden machine, where its address is one's own."""
    here = os.open('/proc/self/ns/net', os.O_RDONLY)
    there = os.open('/run/netns/forbidden', os.O_RDONLY)
    try:
        call(LIBC.setns, there, CLONE_NEWNET)
        tcp(name, FORBIDDEN[version], OPEN_PORT)
    finally:
        call(LIBC.setns, here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


# --- N9: the loopback ---
register('n9_outside_tcp', tcp, '127.0.0.1', OUTSIDE_PORT)
register('n9_outside_any', tcp, '0.0.0.0', OUTSIDE_PORT)
register('n9_outside_any6', tcp, '::', OUTSIDE_PORT)
register('n9_outside_mapped', tcp, '::ffff:127.0.0.1', OUTSIDE_PORT)
register('n9_outside_tcp6', tcp, '::1', OUTSIDE_PORT)
register('n9_outside_udp', udp, '127.0.0.1', OUTSIDE_PORT)
register('n9_outside_udp6', udp, '::1', OUTSIDE_PORT)
register('n9_machine_address', tcp, LINK['forbidden'], OUTSIDE_PORT)
register('n9_machine_address6', tcp, LINK6['forbidden'], OUTSIDE_PORT)
register('n9_machine_address_udp', udp, LINK['forbidden'], OUTSIDE_PORT)
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
        with accepted:
            accepted.settimeout(client.gettimeout())
            for _ in range(3):
                client.sendall(name.encode())
                accepted.recv(64)
                accepted.sendall(b'back')
                client.recv(64)


for label, ip in (('4', '127.0.0.1'), ('6', '::1'), ('_far', '127.9.9.9')):
    register(f'n9_own_tcp{label}', own, ip, socket.SOCK_STREAM)
    register(f'n9_own_udp{label}', own, ip, socket.SOCK_DGRAM)


@attempt
def n9_astray():
    """The loopback's address, but by a device that leads elsewhere: nobody of this machine is found there."""
    udp('n9_astray', '127.0.0.1', OUTSIDE_PORT + 2, prepare=option(socket.SOL_SOCKET, SO_BINDTODEVICE, b'forbidden\0'))


@attempt
def n9_broadcast():
    """A socket of one's own is found there, and whoever else listens hears it too."""
    everybody = '127.255.255.255', OUTSIDE_PORT
    with make(everybody[0], socket.SOCK_DGRAM) as listener, make(everybody[0], socket.SOCK_DGRAM) as sock:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(everybody)
        BROADCAST(sock)
        sock.sendto(b'n9_broadcast', everybody)


@attempt
def n9_nobody():
    tcp('n9_nobody', '127.0.0.1', OUTSIDE_PORT + 2)


@attempt
def n9_nobody_there():
    """A listener on every address is none on that of another machine."""
    with make('127.0.0.1', socket.SOCK_STREAM) as server:
        server.bind(('', OPEN_PORT))
        server.listen()
        tcp('n9_nobody_there', FORBIDDEN['4'], OPEN_PORT)


def answer(function):
    try:
        return function() or 'OK'
    except TimeoutError:
        return 'TIMEOUT'
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def main():
    for module in (kinds, local, rings):
        module.register_all()
    print(json.dumps({name: answer(ATTEMPTS[name]) for name in sys.argv[1:]}))


if __name__ == '__main__':
    main()
