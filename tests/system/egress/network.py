# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Two other machines, as network namespaces: one that the policy names, and one that it does not.

Each hears whatever comes: by sockets on two ports, and by a look at every packet on its device.
"""
import json
import os
import subprocess
import sys
import time

ALLOWED4, ALLOWED6 = '10.9.1.2', 'fd09:1::2'
FORBIDDEN4, FORBIDDEN6 = '10.9.2.2', 'fd09:2::2'
LINK = {'allowed': '10.9.1.1', 'forbidden': '10.9.2.1'}
LINK6 = {'allowed': 'fd09:1::1', 'forbidden': 'fd09:2::1'}
METADATA4, METADATA6, PRIVATE4 = '169.254.169.254', 'fd00:ec2::254', '192.168.77.1'
OPEN_PORT, OTHER_PORT, OUTSIDE_PORT = 8001, 8002, 8100
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
    subprocess.run(['modprobe', 'veth'], check=False, stderr=subprocess.DEVNULL)
    ip('link', 'set', 'lo', 'up')
    make_machine('allowed', 1)
    make_machine('forbidden', 2)
    # What is said to be elsewhere is where it must not arrive.
    for address in (METADATA4, PRIVATE4):
        ip('route', 'add', f'{address}/32', 'via', FORBIDDEN4)
        ip('-n', 'forbidden', 'address', 'add', f'{address}/32', 'dev', 'eth0')
    ip('-6', 'route', 'add', f'{METADATA6}/128', 'via', FORBIDDEN6)
    ip('-n', 'forbidden', '-6', 'address', 'add', f'{METADATA6}/128', 'dev', 'eth0', 'nodad')
    for name, value in (('net/ipv4/tcp_fastopen', '3'), ('net/ipv4/ping_group_range', '0 2147483647')):
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
