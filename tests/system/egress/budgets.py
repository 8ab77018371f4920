# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Budgets: what leaves is at most the budget, by the receiver's count and by that of the wire; and the kernel's count is the wire's.

The wire is the machine's end of a pair of devices, where every packet that goes out is seen, with what it is cut into (GSO).
"""
import json
import os
import socket
import struct
import subprocess
import threading
import time

from drain import PORT
from network import ALLOWED4, ALLOWED6

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = '/usr/bin/python3'
ETH_P_ALL, PACKET_OUTGOING, SOL_PACKET, PACKET_STATISTICS, PACKET_VNET_HDR = 3, 4, 263, 6, 15
SO_RCVBUFFORCE, WIRE_ROOM, HEAD, ETHERNET = 33, 64 << 20, 200, 14
VNET = struct.Struct('=BBHHHH')
QUIET_S = 1.5
TCP_SYN = 2
SOCKETS = 64


class Wire:
    """Adds up the IP bytes that go out to PORT on a device; bare: of these, of TCP packets that carry nothing."""

    def __init__(self, device):
        self.bytes, self.bare, self.last = 0, 0, 0.0
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, WIRE_ROOM)
        self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.sock.bind((device, ETH_P_ALL))
        self.sock.settimeout(0.2)
        self.is_done = False
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        buffer = bytearray(HEAD)
        while not self.is_done:
            try:
                length, _, _, (_, _, kind, *_) = self.sock.recvmsg_into([buffer], 0, socket.MSG_TRUNC)
            except TimeoutError:
                continue
            start = VNET.size + ETHERNET
            if kind == PACKET_OUTGOING and buffer[start - 2:start] in (b'\x08\x00', b'\x86\xdd'):
                self.add(bytes(buffer[start:]), length - start, VNET.unpack_from(buffer)[3])

    def add(self, packet, length, gso_size):
        is_v4 = packet[0] >> 4 == 4
        start, protocol = (20, packet[9]) if is_v4 else (40, packet[6])
        if protocol not in (socket.IPPROTO_TCP, socket.IPPROTO_UDP) or struct.unpack_from('!H', packet, start + 2)[0] != PORT:
            return
        headers = start + (8 if protocol == socket.IPPROTO_UDP else packet[start + 12] >> 4 << 2)
        segments = -(-(length - headers) // gso_size) if gso_size else 1
        self.bytes += length + (segments - 1) * headers
        if length == headers and not packet[start + 13] & TCP_SYN:
            self.bare += length
        self.last = time.monotonic()

    def close(self):
        """What went out, when nothing goes out any more; and that no packet was missed."""
        while time.monotonic() < self.last + QUIET_S:
            time.sleep(0.1)
        self.is_done = True
        self.thread.join()
        dropped = struct.unpack('=II', self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        self.sock.close()
        return self.bytes, self.bare, dropped


class Receiver:
    def __init__(self, enter=('ip', 'netns', 'exec', 'allowed')):
        self.process = subprocess.Popen([*enter, PYTHON, f'{HERE}/drain.py'],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout.readline() == 'ready\n'

    def taken(self):
        self.process.stdin.write('\n')
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def rule(name, address, protocol, max_bytes=None):
    net = f'{address}/{128 if ":" in address else 32}'
    return {'id': name, 'cidr': net, 'protocol': protocol, 'ports': [PORT]} | ({'max_bytes': f'{max_bytes}B'} if max_bytes else {})


class Spent:
    """One job that spends, and all that is known of it afterwards."""

    def __init__(self, make_job, scratch, name, rules, words):
        receiver, wire = Receiver(), Wire('allowed')
        job = make_job(scratch, name, rules, [str(word) for word in words], command=(PYTHON, f'{HERE}/spender.py'))
        self.said = job.answers()
        self.wire, self.bare, self.missed = wire.close()
        self.taken = receiver.taken()
        receiver.close()
        self.events = job.events()
        self.details = self.events[-1]['unmapped']['jobcage']
        self.budgets = {budget['id']: budget for budget in self.details.get('budgets', [])}
        self.destinations = self.details.get('destinations', [])
        self.spent = [event for event in self.events if event.get('firewall_rule', {}).get('type') == 'budget']

    def denied_by(self):
        """Acts by the rule whose budget was spent, and by what was attempted."""
        counts = {}
        for event in self.spent:
            key = event['firewall_rule']['uid'], event['metadata']['event_code']
            counts[key] = counts.get(key, 0) + event['count']
        return counts


def agrees(check, what, spent, total='limits.egress_bytes'):
    """
    The wire, the budgets and the destinations say the same. What acknowledges the end of a connection whose socket is gone already
    (TIME_WAIT) is the kernel's own and carries nothing: it is on the wire alone.
    """
    counted = spent.budgets[total]['bytes']
    check.equal(f'{what}: packets that were not seen', spent.missed, 0)
    check.that(f'{what}: the count is what went out', spent.wire - spent.bare <= counted <= spent.wire, (counted, spent.wire, spent.bare))
    check.equal(f'{what}: so are the destinations', sum(row['bytes'] for row in spent.destinations), counted)
    check.that(f'{what}: the record is complete', spent.details['complete'], spent.details)


def is_refused(check, what, spent, name, max_bytes):
    """At most the budget, all refusals told of, and what comes later fails at once."""
    budget, denied = spent.budgets[name], spent.denied_by()
    check.equal(f'{what}: max_bytes', budget['max_bytes'], max_bytes)
    check.that(f'{what}: within the budget', budget['bytes'] <= max_bytes, budget)
    check.equal(f'{what}: whose budget', {uid for uid, _ in denied}, {name})
    check.equal(f'{what}: packets refused', denied.get((name, 'net_packet_out'), 0), budget['refused'])
    check.equal(f'{what}: all refusals', sum(denied.values()), sum(spent.details['denied'].values()))
    check.that(f'{what}: at once', spent.said['late'][2] < 3, spent.said['late'])


def tcp(check, world, make_job, policy):
    """64 connections at once, of each family in turn, which want four times what they may send."""
    limit = 1 << 20
    for address in (ALLOWED4, ALLOWED6):
        name = f'budget-tcp{6 if ":" in address else 4}'
        rules = policy(name, egress={'allow': [rule('bucket', address, 'any', limit)]})
        spent = Spent(make_job, world.scratch, name, rules, ['tcp', SOCKETS, 4 * limit // SOCKETS, 16384, address, PORT])
        agrees(check, name, spent)
        is_refused(check, name, spent, 'bucket', limit)
        check.equal(f'{name}: of the rule and in all', spent.budgets['bucket']['bytes'], spent.budgets['limits.egress_bytes']['bytes'])
        check.that(f'{name}: the receiver got most of it, and no more', limit / 2 < spent.taken['tcp'] <= limit, spent.taken)
        check.equal(f'{name}: what a connection that cannot go on is answered', set(spent.said['errors']) - {'EACCES'}, {'ECONNABORTED'})
        check.equal(f'{name}: a later connection', spent.said['late'][0], 'EACCES')
        check.equal(f'{name}: connections', [row['connections'] for row in spent.destinations if row['protocol'] == 'tcp'], [SOCKETS])


def udp(check, world, make_job, policy):
    """Datagrams of one size: exactly as many as fit."""
    for address, headers in ((ALLOWED4, 28), (ALLOWED6, 48)):
        name, size, fit = f'budget-udp{6 if ":" in address else 4}', 1000, 194
        limit = fit * (size + headers) + 50
        rules = policy(name, egress={'allow': [rule('bucket', address, 'any', limit)]})
        spent = Spent(make_job, world.scratch, name, rules, ['udp', SOCKETS, 10 * size, size, address, PORT])
        agrees(check, name, spent)
        is_refused(check, name, spent, 'bucket', limit)
        check.equal(f'{name}: went', spent.budgets['bucket']['bytes'], fit * (size + headers))
        check.equal(f'{name}: sent', spent.said['sent'], fit * size)
        check.equal(f'{name}: arrived', spent.taken['datagrams'], fit)
        check.equal(f'{name}: refused', spent.budgets['bucket']['refused'], SOCKETS * 10 - fit + 1)
        check.equal(f'{name}: a later datagram', spent.said['late'][1], 'EPERM')


def within(check, world, make_job, policy):
    """Who stays within the budget gets everything, and no refusal."""
    each = 8192
    rules = policy('budget-within', egress={'allow': [rule('bucket', ALLOWED4, 'any', 2 << 20)]})
    spent = Spent(make_job, world.scratch, 'budget-within', rules, ['tcp', SOCKETS, each, 4096, ALLOWED4, PORT])
    agrees(check, 'within', spent)
    check.equal('within: errors', spent.said['errors'], {})
    check.equal('within: arrived', spent.taken['tcp'], SOCKETS * each)
    check.equal('within: denied', (spent.denied_by(), sum(spent.details['denied'].values())), ({}, 0))
    check.equal('within: late', spent.said['late'][:2], ['OK', 'OK'])


def in_all(check, world, make_job, policy):
    """limits.egress_bytes, whatever the rules: with rules, and where egress is open."""
    size, limit = 1000, 100000
    for name, egress in (('budget-all', {'allow': [rule('a', ALLOWED4, 'any'), rule('b', ALLOWED4, 'any')]}),
                         ('budget-open', {'default': 'allow'})):
        if name == 'budget-all':
            egress['allow'][1]['cidr'] = f'{ALLOWED6}/128'
        rules = policy(name, egress=egress, limits={'egress_bytes': f'{limit}B'})
        spent = Spent(make_job, world.scratch, name, rules, ['udp', SOCKETS, 4 * size, size, ALLOWED4, PORT])
        agrees(check, name, spent)
        is_refused(check, name, spent, 'limits.egress_bytes', limit)
        check.equal(f'{name}: arrived', spent.taken['datagrams'], limit // (size + 28))


def audit(check, world, make_job, policy):
    """In audit mode all of it goes, is counted, and told of."""
    size, limit = 1000, 20000
    rules = policy('budget-audit', mode='audit', egress={'allow': [rule('bucket', ALLOWED4, 'any', limit)]})
    spent = Spent(make_job, world.scratch, 'budget-audit', rules, ['udp', 8, 10 * size, size, ALLOWED4, PORT])
    agrees(check, 'audit', spent)
    check.equal('audit: arrived', spent.taken['datagrams'], 81)
    check.that('audit: more than the budget', spent.budgets['bucket']['bytes'] > limit, spent.budgets)
    check.equal('audit: whose budget', {uid for uid, _ in spent.denied_by()}, {'bucket'})
    check.equal('audit: denied', sum(spent.details['denied'].values()), 0)


def turned(check, world, make_job, policy):
    """A connection to a proxy on the loopback, by a socket that was connected to the job itself before: the budget holds."""
    limit, receiver = 3000, Receiver(enter=())
    rules = policy('budget-turned', egress={'allow': [rule('proxy', '127.0.0.1', 'tcp', limit)]})
    job = make_job(world.scratch, 'budget-turned', rules, ['turned', '1', str(64 << 20), '500', '127.0.0.1', str(PORT)],
                   command=(PYTHON, f'{HERE}/spender.py'))
    said, details = job.answers(), job.events()[-1]['unmapped']['jobcage']
    taken = receiver.taken()['tcp']
    receiver.close()
    budget = {row['id']: row for row in details['budgets']}['proxy']
    check.that('turned: something came, and no more than the budget', 0 < taken <= limit, taken)
    check.that('turned: the budget', budget['bytes'] <= limit and budget['refused'], budget)
    check.equal('turned: what the connection is answered', said['errors'], {'ECONNABORTED': 1})


def sections(make_job, policy):
    def bound(test):
        return lambda check, world: test(check, world, make_job, policy)
    return [(f'budget: {name}', bound(test)) for name, test in
            (('tcp', tcp), ('udp', udp), ('within', within), ('in all', in_all), ('audit', audit), ('turned', turned))]
