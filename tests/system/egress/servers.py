# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""N16, N9: who listens, in a job."""
import json
import os
import select
import socket
import subprocess
import time

from network import NEIGHBOUR_PORT, OPEN_PORT, OTHER_PORT, RING_PORT, SHARED_PORT
from rings import PROGRAM
from ways import PATIENCE_S, attempt


def listen(version, kind, port):
    sock = socket.socket(socket.AF_INET6 if version == '6' else socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if port == SHARED_PORT:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if version == '6':
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(('', port))
    sock.setblocking(False)
    if kind == socket.SOCK_STREAM:
        sock.listen(32)
    return sock


def serve_one(sock, port):
    """Who came, and what he said: [kind, port, peer, words]. Everybody gets an answer."""
    if sock.type == socket.SOCK_DGRAM:
        data, peer = sock.recvfrom(64)
        sock.sendto(b'answer', peer)
        return ['udp', port, peer[0], data.decode()]
    connection, peer = sock.accept()
    with connection:
        connection.settimeout(PATIENCE_S)
        data = connection.recv(64)
        connection.sendall(b'answer')
    return ['tcp', port, peer[0], data.decode()]


def serve(ports, seconds, tell):
    """Tells of each who came."""
    listening = {listen(version, kind, port): port for version in '46' for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
                 for port in ports}
    print('ready', flush=True)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for sock in select.select(listening, [], [], left)[0]:
            try:
                tell(serve_one(sock, listening[sock]))
            except (BlockingIOError, TimeoutError, ConnectionError):
                pass
    for sock in listening:
        sock.close()


@attempt
def n16_listen():
    """On the ports that a rule opens to a peer and on others, one of them shared with somebody outside; by io_uring, too."""
    ring = subprocess.Popen([PROGRAM, 'plain', 'accept', '0.0.0.0', str(RING_PORT), '-'], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.DEVNULL)
    heard = []
    serve((OPEN_PORT, OTHER_PORT, SHARED_PORT), float(os.environ.get('LISTEN_S', '4')), heard.append)
    ring.kill()
    said = ring.communicate()[0].split()
    return heard + ([['ring', RING_PORT, '-', said[0]]] if said else [])


@attempt
def n9_serve():
    """What another job offers."""
    serve((NEIGHBOUR_PORT,), 10 ** 6, lambda row: print(json.dumps(row), flush=True))
