# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Plots of a job with somebody outside, who may do what its user may: plot.py is the job's part, this is the other's."""
import contextlib
import ctypes
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

from network import ALLOWED4, FORBIDDEN4, OPEN_PORT, OUTSIDE_PORT, TCP_PORT

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = '/usr/bin/python3'
CGROUPS = '/sys/fs/cgroup'
LOCALHOST = '127.0.0.1'
SO_ATTACH_REUSEPORT_CBPF, BPF_RET = 51, 6
ETH_P_ALL = 3
MOVED_S = 8
SHARED_PORT, CLOSED_PORT = 8301, 8302
FOLDER = '/tmp/jobcage-plot'
TOKEN, OWN_TOKEN = 'overheard-by-nobody', b'into its own'


class Plot:
    """A job at a plot."""

    def __init__(self, world, make_job, rules, *words):
        self.job = make_job(world.scratch, rules['name'], rules, [str(word) for word in words], command=(PYTHON, f'{HERE}/plot.py'),
                            stdin=subprocess.PIPE)

    def pid(self):
        """When it is where it waits."""
        return self.job.process.stdout.readline().strip()

    def go_on(self):
        self.job.process.stdin.write('\n')
        self.job.process.stdin.flush()

    def end(self):
        """What it says; and by which rules it was refused what."""
        said, events = self.job.answers(), self.job.events()
        return said, {(event['metadata']['event_code'], event['firewall_rule']['uid']) for event in events if 'firewall_rule' in event}


# --- the cgroup ---

def cgroup_of(pid):
    with open(f'/proc/{pid}/cgroup', encoding='ascii') as stream:
        return CGROUPS + stream.read().strip().split('::', 1)[1]


def enter(cgroup, pid):
    with open(f'{cgroup}/cgroup.procs', 'w', encoding='ascii') as stream:
        stream.write(pid)


@contextlib.contextmanager
def another_cgroup():
    path = f'{CGROUPS}/elsewhere'
    os.makedirs(path, exist_ok=True)
    try:
        yield path
    finally:
        os.rmdir(path)


def moved(check, world, make_job, policy):
    """Its process is moved out of the job's cgroup and back while it makes sockets: each lies in the cgroup, or is not made."""
    plot = Plot(world, make_job, policy('plot-moved'), 'moved', MOVED_S, FORBIDDEN4, OPEN_PORT)
    world.heard()
    pid = plot.pid()
    home, moves = cgroup_of(pid), 0
    with another_cgroup() as elsewhere:
        plot.go_on()
        until = time.monotonic() + MOVED_S / 2
        while time.monotonic() < until:
            enter(elsewhere, pid)
            enter(home, pid)
            moves += 2
        said, rules = plot.end()
    print(f'moved {moves} times: {said}')
    check.equal('moved: what it was answered', set(said), {'not made', 'EPERM'})
    check.equal('moved: by which rules', rules, {('net_socket', 'builtin:left-cgroup'), ('net_sendmsg', 'egress.default')})
    tokens, packets = world.heard()
    check.equal('moved: nothing arrives', (tokens['forbidden'], packets), ([], []))


# --- ports and connections on the loopback ---

def received(receive, *args):
    """What comes; None: nothing does."""
    try:
        return receive(*args)
    except TimeoutError:
        return None


def give_all_to_second(sock):
    """Of those who share the port."""
    program = ctypes.create_string_buffer(struct.pack('HBBI', BPF_RET, 0, 0, 1), 8)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, struct.pack('@HP', 1, ctypes.addressof(program)))


def shared(check, world, make_job, policy):
    """A datagram to the job's own port would go to whom the program of another chooses, who shares it."""
    plot = Plot(world, make_job, policy('plot-shared'), 'shared', SHARED_PORT)
    plot.pid()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((LOCALHOST, SHARED_PORT))
        give_all_to_second(sock)
        plot.go_on()
        said, rules = plot.end()
        check.equal('shared: what comes', received(sock.recv, 64), None)
    check.equal('shared: alone and chosen', said, {'alone': {'OK': 32}, 'chosen': {'EPERM': 32}})
    check.equal('shared: by which rules', rules, {('net_sendmsg', 'egress.default')})


def close_at_server(server):
    """A connection to the server whose other end is closed first, and so waits (TIME_WAIT); the port that it came from."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.connect(server.getsockname())
        accepted, _ = server.accept()
        accepted.close()
        sock.recv(1)
        return sock.getsockname()[1]


def is_waiting(port, other_port):
    """Of what is in /proc/net/tcp: state 06 is TIME_WAIT."""
    with open('/proc/net/tcp', encoding='ascii') as stream:
        rows = [line.split()[1:4] for line in stream]
    return [f'0100007F:{port:04X}', f'0100007F:{other_port:04X}', '06'] in rows


def closed(check, world, make_job, policy):
    """Where another's connection was just closed is no nobody's place: its listener would take the next from there."""
    with socket.create_server((LOCALHOST, CLOSED_PORT)) as server:
        server.settimeout(1)
        own_port = close_at_server(server)
        check.that('closed: it waits before', is_waiting(CLOSED_PORT, own_port))
        said, rules = Plot(world, make_job, policy('plot-closed'), 'closed', own_port, CLOSED_PORT).end()
        check.that('closed: it waits after', is_waiting(CLOSED_PORT, own_port))
        check.equal('closed: the answer', said, 'EPERM')
        check.equal('closed: who comes', received(server.accept), None)
    check.equal('closed: by which rules', rules, {('net_connect', 'egress.default')})


# --- raw sockets ---

@contextlib.contextmanager
def talk():
    """Two of this machine say the token to each other, again and again."""
    is_over = threading.Event()

    def say(sock):
        while not is_over.wait(0.05):
            sock.send(TOKEN.encode())

    with socket.create_server((LOCALHOST, 0)) as server, socket.create_connection(server.getsockname()) as sock:
        accepted, _ = server.accept()
        thread = threading.Thread(target=say, args=(sock,))
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
            accepted.close()


def raw_in(check, world, make_job, policy):
    with talk():
        said, rules = Plot(world, make_job, policy('plot-raw-in', sockets=['raw']), 'raw_in', TOKEN).end()
    check.equal('raw: what it overhears', said, False)
    check.equal('raw: by which rules it does not', rules, {('net_packet_in', 'ingress.default')})


def raw_out(check, world, make_job, policy):
    """What it sends into its own connection opens none of others."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as look:
        look.bind(('lo', ETH_P_ALL))
        look.settimeout(1)
        said, rules = Plot(world, make_job, policy('plot-raw-out', sockets=['raw']), 'raw_out', TOKEN, OUTSIDE_PORT).end()
        seen = b''.join(iter(lambda: received(look.recv, 65536), None))
    check.equal('raw: into its own, and into another', said, [['OK', 'EPERM']] * 2)
    check.equal('raw: by which rules', rules, {('net_packet_out', 'egress.default')})
    check.equal('raw: what is seen of both', (OWN_TOKEN in seen, TOKEN.encode() in seen), (True, False))


# --- other families ---

def smc(check, world, make_job, policy):
    """TCP_ULP makes an SMC socket of a TCP socket, to where TCP may go; as long as SMC is not named, it goes nowhere."""
    said, rules = Plot(world, make_job, policy('plot-smc'), 'smc', ALLOWED4, TCP_PORT).end()
    made, connected = said
    if made == 'OK':
        check.equal('smc: connect()', connected, 'EACCES')
        check.equal('smc: by which rules', rules, {('net_connect', 'sockets.default')})
    else:
        print(f'smc: not on this kernel ({made})')
        check.equal('smc: TCP as before', (connected, rules), ('OK', set()))


@contextlib.contextmanager
def folders(*names):
    for name in names:
        os.makedirs(f'{FOLDER}/{name}')
    try:
        yield
    finally:
        shutil.rmtree(FOLDER)


def renamed(check, world, make_job, policy):
    """Whoever listens at a Unix socket is not brought to where a rule opens them."""
    with folders('here', 'there'), open(f'{FOLDER}/file', 'w', encoding='ascii'), socket.socket(socket.AF_UNIX) as closed_one, socket.socket(socket.AF_UNIX) as open_one:
        for sock, path in ((closed_one, f'{FOLDER}/here/socket'), (open_one, f'{FOLDER}/there/open')):
            sock.bind(path)
            sock.listen()
        opening = policy('plot-renamed', unix={'allow': [f'{FOLDER}/there']},
                         filesystem={'rules': [{'id': 'plot', 'path': FOLDER, 'access': 'write'}]})
        said, rules = Plot(world, make_job, opening, 'renamed', FOLDER).end()
    refused = {'socket': 'EACCES', 'directory': 'EACCES', 'connect': 'ENOENT', 'exchange': 'EACCES'}
    check.equal('renamed', said, refused | dict.fromkeys(('file', 'within', 'opened', 'away', 'own'), 'OK') | {'back': 'EACCES'})
    check.equal('renamed: by which rules', rules, {('file_rename', 'builtin:moved-socket')})


def sections(make_job, policy):
    def bound(test):
        return lambda check, world: test(check, world, make_job, policy)
    return [(f'plot: {test.__name__}', bound(test)) for test in (moved, shared, closed, raw_in, raw_out, smc, renamed)]
