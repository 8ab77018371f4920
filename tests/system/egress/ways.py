# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What attempts are made of, and the table of them."""
import ctypes
import os
import socket

PATIENCE_S = 3
LIBC = ctypes.CDLL(None, use_errno=True)
ATTEMPTS = {}


def attempt(function):
    """Under its own name."""
    ATTEMPTS[function.__name__] = function
    return function


def register(name, how, *args, **more):
    ATTEMPTS[name] = lambda: how(name, *args, **more)


def both_versions(function):
    """One for IPv4 and one for IPv6: the name with a 4 or 6 at its end."""
    for version in '46':
        register(f'{function.__name__}{version}', function, version)
    return function


def call(function, *args):
    """Of the C library: its result, or OSError."""
    result = function(*args)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def family_of(ip):
    return socket.AF_INET6 if ':' in ip else socket.AF_INET


def make(ip, kind, protocol=0):
    sock = socket.socket(family_of(ip), kind, protocol)
    sock.settimeout(PATIENCE_S)
    return sock


def end(ip, port):
    """Of an address with a device (fe80::1%eth0) the library would forget the device."""
    ip, _, device = ip.partition('%')
    return (ip, port, 0, socket.if_nametoindex(device)) if device else (ip, port)


def option(level, number, value):
    return lambda sock: sock.setsockopt(level, number, value)


def disconnect(sock):
    """Takes its peer from it (AF_UNSPEC)."""
    LIBC.connect(sock.fileno(), ctypes.create_string_buffer(16), 16)


def tcp(name, ip, port, protocol=0, prepare=lambda sock: None):
    with make(ip, socket.SOCK_STREAM, protocol) as sock:
        prepare(sock)
        sock.connect(end(ip, port))
        sock.sendall(name.encode())


def udp(name, ip, port, protocol=0, prepare=lambda sock: None):
    with make(ip, socket.SOCK_DGRAM, protocol) as sock:
        prepare(sock)
        sock.sendto(name.encode(), end(ip, port))
