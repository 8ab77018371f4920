# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The machine around the cage, as X1 to X10 need it: listed programs, other cgroups, a pin, daemons and files of whoever runs work for
others; and what shows whether an attempt was felt there."""
import contextlib
import glob
import os
import shutil
import socket
import struct
import subprocess

import containment
import places
import sabotage
import traces

HOME, LISTED, HANDLER = (f'{places.BASE}/shared/{name}' for name in ('home', 'listed', 'handler'))
CGROUP = f'{traces.CGROUP_ROOT}/escapes'
SIBLING, EMPTY = f'{CGROUP}/sibling', f'{CGROUP}/empty'
BINFMT = '/proc/sys/fs/binfmt_misc'
# Where the machine's POSIX message queues are files.
QUEUES = '/dev/mqueue'
HOSTNAME = '/usr/bin/hostname'
# security.capability: revision 2, effective; CAP_SYS_ADMIN.
CAPABLE = struct.pack('<5I', 0x02000001, 1 << 21, 0, 0, 0)


def tell(path, text):
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def mount_queues():
    if not os.path.ismount(QUEUES):
        os.makedirs(QUEUES, exist_ok=True)
        places.run('mount', '-t', 'mqueue', 'mqueue', QUEUES)


def make_listed(out):
    """Programs that the typical policy lists."""
    os.makedirs(LISTED)
    for name, source in (('tool', places.PROGRAM), ('program.jobcage-x1', places.PROGRAM), ('program.jobcage-x1f', places.PROGRAM),
                         ('set-user-id', HOSTNAME), ('capable', HOSTNAME), ('library', places.LIBRARY)):
        shutil.copy(source, f'{LISTED}/{name}')
    os.chmod(f'{LISTED}/set-user-id', 0o4755)
    os.setxattr(f'{LISTED}/capable', 'security.capability', CAPABLE)
    os.symlink(glob.glob('/lib*/ld-linux-*.so.*')[0], f'{LISTED}/loader')
    places.write(f'{LISTED}/script', f'#!{out}/tool\n'.encode(), 0o755)
    places.write(f'{LISTED}/chain', f'#!{LISTED}/script\n'.encode(), 0o755)


def make_handlers():
    """Of files by the ends of their names: a program that is not listed. F: it is opened now."""
    shutil.copy(places.PROGRAM, HANDLER)
    subprocess.run(['modprobe', '-q', 'binfmt_misc'], check=False)  # it may be there without
    if not os.path.exists(f'{BINFMT}/register'):
        places.run('mount', '-t', 'binfmt_misc', 'binfmt_misc', BINFMT)
    for end, flag in (('jobcage-x1', ''), ('jobcage-x1f', 'F')):
        tell(f'{BINFMT}/register', f':{end}:E::{end}::{HANDLER}:{flag}')


class Cgroups:
    """One that is empty, and one with a process in it, beside those of the jobs."""

    def __init__(self):
        for path in (CGROUP, SIBLING, EMPTY):
            os.makedirs(path, exist_ok=True)
        tell(f'{CGROUP}/cgroup.procs', str(os.getpid()))
        self.member = None

    def prepare(self, _):
        os.makedirs(EMPTY, exist_ok=True)
        if not self.member or self.member.poll() is not None:
            self.member = subprocess.Popen(['sleep', '100000'])
            tell(f'{SIBLING}/cgroup.procs', str(self.member.pid))

    def look(self):
        return os.path.exists(EMPTY), self.member.poll()


class Pin:
    """One more of a map's, beside those of jobcage. An attempt may move it."""

    MOVED = '/sys/fs/bpf/jobcage-x8'

    def __init__(self):
        self.source = sabotage.pin('kernel_stats')
        self.path = f'{os.path.dirname(self.source)}/escapes'
        self.prepare('')

    def prepare(self, _):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.MOVED)
        if not os.path.exists(self.path):
            sabotage.copy_pin(self.source, self.path)

    def look(self):
        return os.path.exists(self.path)


class Runners:
    """Daemons that listen, and files that they read."""

    def __init__(self):
        self.heard = 0
        self.listeners = [self.listen(path, socket.SOCK_STREAM) for path in containment.STREAMS.values()]
        self.listeners += [self.listen(path, socket.SOCK_DGRAM) for path in containment.DATAGRAMS.values()]
        self.listeners += [socket.create_server(('127.0.0.1', int(port))) for port in containment.PORTS.values()]
        for listener in self.listeners:
            listener.setblocking(False)
        self.files = [path.format(home=HOME) for path in (containment.FILES | containment.FILES_OF_ROOT).values()]
        self.before = {path: self.content(path) for path in self.files}

    @staticmethod
    def listen(path, kind):
        path = path.format(home=HOME)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind(path)
        os.chmod(path, 0o666)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        return listener

    @staticmethod
    def content(path):
        if not os.path.exists(path):
            return None
        with open(path, 'rb') as file:
            return file.read()

    def prepare(self, user):
        """The files as they were, in a home of that user's."""
        for path in self.files:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if self.before[path] is not None:
                places.write(path, self.before[path], 0o644)
            elif os.path.exists(path):
                os.unlink(path)
        places.give_away(HOME, user)

    def look(self):
        for listener in self.listeners:
            with contextlib.suppress(BlockingIOError):
                while True:
                    if listener.type == socket.SOCK_DGRAM:
                        listener.recv(64)
                    else:
                        listener.accept()[0].close()
                    self.heard += 1
        return self.heard, {path: self.content(path) for path in self.files}


class Nobody:
    def prepare(self, user):
        pass

    def look(self):
        return None


class Surroundings:
    """Made when a job keeps the programs loaded."""

    def __init__(self, world, controller, cgroups):
        out = world.all['caged'].out
        os.makedirs(HOME)
        make_listed(out)
        make_handlers()
        self.witnesses = {'': Nobody(), 'cgroups': cgroups, 'pin': Pin(), 'runners': Runners()}
        fd = sabotage.obj_get(sabotage.pin('kernel_stats'))
        number = struct.unpack_from('<4xI', sabotage.info_of(fd))[0]
        os.close(fd)
        self.known = {'{home}': HOME, '{listed}': LISTED, '{sibling}': SIBLING, '{empty}': EMPTY, '{pin}': self.witnesses['pin'].path,
                      '{map}': str(number), '{controller}': str(controller)}

    def words(self, row, place):
        """The last word that the program gets, if any."""
        text = row.extra
        for name, value in ({'{device}': place.device} | self.known).items():
            text = text.replace(name, value)
        return [text] if text else []
