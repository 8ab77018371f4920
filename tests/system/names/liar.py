# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A resolver whose answers are forged, broken or too large, as the first label of the name that is asked for says; then the truth
for "good" only.

"rotate" and "fill" are no lies: each question is answered with the next addresses of 500, or of 6,000.

usage: liar.py ADDRESS
"""
import ipaddress
import itertools
import socket
import struct
import sys

AT_ONCE = 25  # addresses of an answer
MANY = {'rotate': ('192.0.2.1', 500), 'fill': ('192.1.0.0', 6000)}
turns = {label: itertools.count() for label in MANY}
TRUTH, LIE, SECOND_LIE = (socket.inet_aton(f'198.51.100.{i}') for i in (20, 13, 14))


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


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((sys.argv[1], 53))
    while True:
        question, peer = sock.recvfrom(4096)
        for message in answers(question):
            sock.sendto(message, peer)


main()
