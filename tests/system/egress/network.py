# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Two other machines, as network namespaces: one that the policy names, and one that it does not.

Each hears whatever comes: by sockets on two ports, and by a look at every packet on its device.
"""
import json
import os
import socket
import subprocess
import sys
import time

ALLOWED4, ALLOWED6 = '10.9.1.2', 'fd09:1::2'
FORBIDDEN4, FORBIDDEN6 = '10.9.2.2', 'fd09:2::2'
ALLOWED, FORBIDDEN = {'4': ALLOWED4, '6': ALLOWED6}, {'4': FORBIDDEN4, '6': FORBIDDEN6}
FAMILY = {'4': socket.AF_INET, '6': socket.AF_INET6}
LINK = {'allowed': '10.9.1.1', 'forbidden': '10.9.2.1'}
LINK6 = {'allowed': 'fd09:1::1', 'forbidden': 'fd09:2::1'}
METADATA4, METADATA6, PRIVATE4, PRIVATE6 = '169.254.169.254', 'fd00:ec2::254', '192.168.77.1', 'fd77::1'
# Behind gateways these lead to the forbidden IPv4 address.
SIX_TO_FOUR, NAT64 = '2002:a09:202::1', '64:ff9b::a09:202'
LINK_LOCAL = 'fe80::2'
GROUP4, GROUP6 = '224.0.0.77', 'ff02::77'
# The policy opens the first, of the next two TCP of the one and UDP of the other, and not the last.
OPEN_PORT, OTHER_PORT, TCP_PORT, UDP_PORT = 8001, 8002, 8003, 8004
OUTSIDE_PORT, SHARED_PORT, RING_PORT, NEIGHBOUR_PORT = 8100, 8104, 8105, 8200
# Unix sockets of others: one that a rule opens, and whose owner sends sockets of its own; a daemon's.
LENDER, DAEMON = '/run/jobcage-lender', '/run/jobcage-test-daemon'
TUNNEL = '10.9.3'
MODULES = ('veth', 'tun', 'sctp', 'dccp_ipv4', 'dccp_ipv6', 'smc', 'rds', 'tipc', 'vsock_loopback', 'rdma_ucm', 'rdma_rxe')
HERE = os.path.dirname(os.path.abspath(__file__))


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def ip(*words):
    run('ip', *words)


def make_machine(name, number):
    """A namespace behind a pair of devices of its name."""
    ip('netns', 'add', name)
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    ip('address', 'add', f'{LINK[name]}/24', 'dev', name)
    ip('-6', 'address', 'add', f'{LINK6[name]}/64', 'dev', name, 'nodad')
    ip('link', 'set', name, 'up')
    for words in (('address', 'add', f'10.9.{number}.2/24', 'brd', '+', 'dev', 'eth0'),
                  ('-6', 'address', 'add', f'fd09:{number}::2/64', 'dev', 'eth0', 'nodad'),
                  ('link', 'set', 'eth0', 'up'), ('link', 'set', 'lo', 'up')):
        ip('-n', name, *words)
    ip('-n', name, 'route', 'add', 'default', 'via', LINK[name])


def prepare():
    # What a kernel does not have is no attempt there.
    for module in MODULES:
        subprocess.run(['modprobe', '-q', module], check=False)
    ip('link', 'set', 'lo', 'up')
    make_machine('allowed', 1)
    make_machine('forbidden', 2)
    subprocess.run(['rdma', 'link', 'add', 'rxe0', 'type', 'rxe', 'netdev', 'forbidden'], check=False, stderr=subprocess.DEVNULL)
    # What is said to be elsewhere is where it must not arrive.
    for address in (METADATA4, PRIVATE4):
        ip('route', 'add', f'{address}/32', 'via', FORBIDDEN4)
        ip('-n', 'forbidden', 'address', 'add', f'{address}/32', 'dev', 'eth0')
    for address in (METADATA6, PRIVATE6, SIX_TO_FOUR, NAT64):
        ip('-6', 'route', 'add', f'{address}/128', 'via', FORBIDDEN6)
        ip('-n', 'forbidden', '-6', 'address', 'add', f'{address}/128', 'dev', 'eth0', 'nodad')
    ip('-n', 'forbidden', '-6', 'address', 'add', f'{LINK_LOCAL}/64', 'dev', 'eth0', 'nodad')
    ip('-n', 'forbidden', '-6', 'route', 'add', 'default', 'via', LINK6['forbidden'])
    # So that what the job's machine is told to forward is forwarded: by a tunnel's end, by a source route.
    for name, value in (('net/ipv4/tcp_fastopen', '3'), ('net/ipv4/ping_group_range', '0 2147483647'), ('net/ipv4/ip_forward', '1')):
        with open(f'/proc/sys/{name}', 'w', encoding='ascii') as stream:
            stream.write(value)
    for name in ('allowed', 'forbidden'):
        # A route that a packet names is followed here, where the machine that forwards it is the adversary's.
        settings = [f'net/{family}/conf/{device}/accept_source_route' for family in ('ipv4', 'ipv6') for device in ('all', 'eth0')]
        for setting, value in [*((setting, '1') for setting in settings), ('net/ipv4/tcp_fastopen', '3')]:
            run('ip', 'netns', 'exec', name, 'sh', '-c', f'echo {value} >/proc/sys/{setting}')


class Machine:
    """What listens and looks in a namespace; heard() has the tokens and the packets since the last call."""

    def __init__(self, name):
        self.process = subprocess.Popen(['ip', 'netns', 'exec', name, sys.executable, f'{HERE}/peer.py'],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout.readline() == 'ready\n'

    def heard(self):
        time.sleep(0.2)
        self.process.stdin.write('\n')
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
