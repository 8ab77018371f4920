# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A resolver whose answers are forged, broken or too large, as the first label of the name that is asked for says; then the truth
for "good" only.

"rotate" and "fill" are no lies: each question is answered with the next addresses of 500, or of 6,000.

usage: liar.py ADDRESS
       liar.py forge ADDRESS TARGET PORT
"""
import contextlib
import ipaddress
import itertools
import socket
import struct
import sys
import threading
import time

IPV6_FREEBIND = 78
AT_ONCE = 25  # addresses of an answer
MANY = {'rotate': ('192.0.2.1', 500), 'fill': ('192.1.0.0', 6000)}
turns = {label: itertools.count() for label in MANY}
TRUTH, LIE, SECOND_LIE, BYTES, BOTH = (socket.inet_aton(f'198.51.100.{i}') for i in (20, 13, 14, 21, 22))


def record(address, owner=b'\xc0\x0c', ttl=300, length=None):
    return owner + struct.pack('>HHIH', 1, 1, ttl, len(address) if length is None else length) + address


def name_of(text):
    return b''.join(bytes([len(label)]) + label for label in text.encode().split(b'.')) + b'\0'


def answer(question, records, number=None, name=None, kind=1, count=None, flags=0x8180):
    number = struct.unpack('>H', question[:2])[0] if number is None else number
    end = question.index(b'\0', 12) + 1
    return struct.pack('>6H', number, flags, 1, len(records) if count is None else count, 0, 0) + (
        name or question[12:end]) + struct.pack('>HH', kind, 1) + b''.join(records)


def addresses(label):
    """The next ones."""
    first, cnt = MANY[label]
    turn = next(turns[label])
    return [(ipaddress.IPv4Address(first) + (turn * AT_ONCE + i) % cnt).packed for i in range(AT_ONCE)]


def answers(question):
    """What is sent for it, in this order."""
    label = question[13:13 + question[12]].decode().lower()
    number = struct.unpack('>H', question[:2])[0]
    lie = [record(LIE)]
    if label in MANY:
        return [answer(question, [record(address) for address in addresses(label)])]
    return {
        'good': [answer(question, [record(TRUTH)])],
        'forever': [answer(question, [record(TRUTH, ttl=0x7fffffff)])],
        'id': [answer(question, lie, number=number ^ 1)],
        'name': [answer(question, lie, name=name_of('good.liar.test'))],
        'type': [answer(question, lie, kind=28)],
        'question': [answer(question, lie, flags=0x0100)],
        'failed': [answer(question, lie, flags=0x8183)],
        'twice': [answer(question, [record(TRUTH)]), answer(question, [record(SECOND_LIE)])],
        'short': [answer(question, [record(LIE), record(LIE)])[:-3]],
        'loop': [answer(question, [record(TRUTH, owner=b'\xc0\x1e'), record(TRUTH, owner=b'\xff\xff')])],
        'thousand': [answer(question, [record(TRUTH)] * 20, count=1000)],
        'large': [answer(question, lie * 400)],
        'huge': [answer(question, lie * 4000)],
        'pointer': [answer(question, lie, name=b'\xc0\x0c')],
    }.get(label, [])


def stream_answer(question):
    """(what is sent by TCP, in pieces of how many bytes)"""
    label = question[13:13 + question[12]].decode().lower()
    number = struct.unpack('>H', question[:2])[0]
    many = [record(socket.inet_aton('192.0.2.1'))] * 200
    message, piece = {
        'whole': (answer(question, many + [record(TRUTH)]), 65536),
        'bytes': (answer(question, [record(BYTES)]), 1),
        'both': (answer(question, many + [record(BOTH)]), 1000),
        'huge': (answer(question, [record(LIE)] * 400), 65536),
        'id': (answer(question, [record(LIE)], number=number ^ 1), 65536),
    }[label]
    return struct.pack('>H', len(message)) + message, piece


def serve_stream(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    question = sock.recv(4096)[2:]
    if question:
        text, piece = stream_answer(question)
        for at in range(0, len(text), piece):
            sock.sendall(text[at:at + piece])
        with contextlib.suppress(ConnectionResetError):
            sock.recv(4096)
    sock.close()


def serve_streams(address):
    listener = socket.create_server((address, 53))
    while True:
        threading.Thread(target=serve_stream, args=listener.accept()[:1], daemon=True).start()


def forge(address, target, port):
    """An answer that nobody was asked for, in the name of a resolver elsewhere."""
    question = struct.pack('>6H', 0x4a21, 0x0100, 1, 0, 0, 0) + name_of('forged.liar.test') + struct.pack('>HH', 1, 1)
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    sock.bind((address, 53))
    while True:
        sock.sendto(answer(question, [record(LIE)]), (target, int(port)))
        time.sleep(0.1)


def main():
    if sys.argv[1] == 'forge':
        forge(*sys.argv[2:])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((sys.argv[1], 53))
    threading.Thread(target=serve_streams, args=sys.argv[1:], daemon=True).start()
    while True:
        question, peer = sock.recvfrom(4096)
        for message in answers(question):
            sock.sendto(message, peer)


main()
