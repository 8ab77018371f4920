#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The job's part of a plot with somebody outside: plot.py WHAT WORD...

Where it has to wait for the other it writes its process id, and reads a line. In the end it prints in JSON what came of it.
"""
import collections
import ctypes
import errno
import json
import os
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True

from ways import call  # noqa: E402

TCP_ULP, IPPROTO_MAX = 31, 263
AT_FDCWD, RENAME_EXCHANGE = -100, 2
LOCALHOST = '127.0.0.1'
PATIENCE_S = 3


def answer(function, *args):
    """OK, or the error by its name."""
    try:
        function(*args)
    except OSError as error:
        return errno.errorcode.get(error.errno, 'timeout')
    return 'OK'


def ready():
    print(os.getpid(), flush=True)
    sys.stdin.readline()


def moved(seconds, ip, port):
    """Makes a socket and sends, again and again, while its process is moved to and fro."""
    found, until = collections.Counter(), time.monotonic() + float(seconds)
    ready()
    while time.monotonic() < until:
        try:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        except PermissionError:
            found['not made'] += 1
            continue
        with sock:
            found[answer(sock.sendto, b'moved', (ip, int(port)))] += 1
    return found


def sharing(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((LOCALHOST, int(port)))
    return sock


def send_from_many(port):
    """From so many ports that the kernel would choose each of those who share it."""
    found = collections.Counter()
    for _ in range(32):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            found[answer(sock.sendto, b'shared', (LOCALHOST, int(port)))] += 1
    return found


def shared(port):
    """To its own port: alone, and when another shares it, whose program chooses."""
    with sharing(port):
        alone = send_from_many(port)
        ready()
        return {'alone': alone, 'chosen': send_from_many(port)}


def closed(own_port, port):
    """From where the other's connection was, to its end."""
    with socket.socket() as sock:
        sock.settimeout(PATIENCE_S)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((LOCALHOST, int(own_port)))
        return answer(sock.connect, (LOCALHOST, int(port)))


def overheard(sock, token):
    until = time.monotonic() + PATIENCE_S
    sock.settimeout(0.1)
    while time.monotonic() < until:
        try:
            if token in sock.recv(65536):
                return True
        except TimeoutError:
            pass
    return False


def raw_in(token):
    """A raw socket gets a copy of all the machine's TCP."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as sock:
        return overheard(sock, token.encode())


def segment(token, source, target):
    """TCP without SYN, from port to port of the loopback."""
    tcp = struct.pack('!HHIIBBHHH', source, target, 1, 1, 5 << 4, 0x18, 8192, 0, 0) + token.encode()
    local = socket.inet_aton(LOCALHOST)
    return struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0, local, local) + tcp


def raw_out(token, port):
    """Into a connection of its own, and then into one of others, by the same socket; the second is of the highest number that there is."""
    said = []
    for protocol in (socket.IPPROTO_RAW, IPPROTO_MAX - 1):
        with socket.create_server((LOCALHOST, 0)) as own, socket.create_connection(own.getsockname()) as mine, \
                socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as sock:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
            source = mine.getsockname()[1]
            said.append([answer(sock.sendto, segment(text, source, to), (LOCALHOST, 0))
                         for text, to in (('into its own', own.getsockname()[1]), (token, int(port)))])
    return said


def smc(ip, port):
    """An SMC socket made out of a TCP socket."""
    with socket.socket() as sock:
        sock.settimeout(PATIENCE_S)
        made = answer(sock.setsockopt, socket.IPPROTO_TCP, TCP_ULP, b'smc')
        return made, answer(sock.connect, (ip, int(port)))


def connect_unix(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)


def renamed(folder):
    """A socket of others to where a rule opens it: by itself, in its directory, in exchange for another name."""
    there, libc = f'{folder}/there', ctypes.CDLL(None, use_errno=True)
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(f'{there}/own')

    def exchange():
        call(libc.renameat2, AT_FDCWD, f'{there}/own'.encode(), AT_FDCWD, f'{folder}/here/socket'.encode(), RENAME_EXCHANGE)

    return {'socket': answer(os.rename, f'{folder}/here/socket', f'{there}/socket'),
            'directory': answer(os.rename, f'{folder}/here', f'{there}/here'),
            'exchange': answer(exchange),
            'connect': answer(connect_unix, f'{there}/socket'),
            'file': answer(os.rename, f'{folder}/file', f'{there}/file'),
            'within': answer(os.rename, f'{there}/open', f'{there}/opened'),
            'opened': answer(connect_unix, f'{there}/opened'),
            'away': answer(os.rename, f'{there}/opened', f'{folder}/away'),
            'own': answer(os.rename, f'{there}/own', f'{there}/mine'),
            'back': answer(os.rename, f'{folder}/away', f'{there}/opened')}


PLOTS = {function.__name__: function for function in (moved, shared, closed, raw_in, raw_out, smc, renamed)}

if __name__ == '__main__':
    print(json.dumps(PLOTS[sys.argv[1]](*sys.argv[2:])), flush=True)
