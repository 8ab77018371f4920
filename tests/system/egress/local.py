# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""N6, N8, N9, N17: with the help of what else is on the machine: an accomplice, another job, a daemon, a tunnel."""
import fcntl
import os
import socket
import struct

from kinds import ip_packet, with_checksum
from network import DAEMON, FORBIDDEN, LENDER, NEIGHBOUR_PORT, OPEN_PORT, TUNNEL
from ways import PATIENCE_S, attempt, register, tcp, udp

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x891c, 0x8914, 1


def borrow(name, kind):
    """A socket that somebody else made, to send on. The kernel leaves out what it refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lender:
        lender.settimeout(PATIENCE_S)
        lender.connect(LENDER)
        lender.send(kind.encode())
        _, fds, flags, _ = socket.recv_fds(lender, 1, 1)
    if flags & socket.MSG_CTRUNC or not fds:
        raise PermissionError(13, 'left out')
    with socket.socket(fileno=fds[0]) as sock:
        sock.settimeout(PATIENCE_S)
        if kind.startswith('listener'):
            sock, _ = sock.accept()  # the listener is the lender's still
        sock.send(name.encode())


def unix(name, path, kind):
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.connect(path)
        sock.send(name.encode())


@attempt
def n8_tunnel():
    """What is written to a tunnel comes in as from a device of the machine's, and is forwarded."""
    with open('/dev/net/tun', 'r+b', buffering=0) as tunnel, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(tunnel, TUNSETIFF, struct.pack('16sH22x', b'escape', IFF_TUN | IFF_NO_PI))
        for request, address in ((SIOCSIFADDR, f'{TUNNEL}.1'), (SIOCSIFNETMASK, '255.255.255.0')):
            fcntl.ioctl(control, request, struct.pack('16sHH4s16x', b'escape', socket.AF_INET, 0, socket.inet_aton(address)))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack('16sH22x', b'escape', IFF_UP))
        tunnel.write(with_checksum(ip_packet('n8_tunnel', FORBIDDEN['4'], OPEN_PORT, source=f'{TUNNEL}.2')))


def register_all():
    for version in '46':
        for kind in ('tcp', 'udp'):
            register(f'n6_{kind}{version}', borrow, f'{kind}{version}')
        register(f'n6_listener{version}', borrow, f'listener{version}')
    register('n17_pair', borrow, 'pair')
    register('n17_connection', borrow, 'daemon')
    for label, path in (('daemon', DAEMON), ('abstract', '\0' + DAEMON)):
        register(f'n17_{label}', unix, path, socket.SOCK_STREAM)
        register(f'n17_{label}_datagram', unix, f'{path}-datagram', socket.SOCK_DGRAM)
    for label, ip in (('4', '127.0.0.1'), ('6', '::1')):
        register(f'n9_neighbour_tcp{label}', tcp, ip, NEIGHBOUR_PORT)
        register(f'n9_neighbour_udp{label}', udp, ip, NEIGHBOUR_PORT)
