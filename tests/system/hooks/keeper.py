# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Jobs without a controller: build/tests/keeper makes them, and act and crowd are the processes in them, or outside."""
import json
import os
import subprocess
import time

import jobs

KEEPER = os.environ.get('JOBCAGE_KEEPER', f'{jobs.PROJECT}/build/tests/keeper')
CROWD = os.environ.get('JOBCAGE_CROWD', f'{jobs.PROJECT}/build/tests/crowd')


class Refused(Exception):
    """What the keeper answered instead of ok."""


def wait_until(is_so):
    while not is_so():
        time.sleep(0.05)


class Keeper:
    """The kernel's side of some jobs. Everything it made goes with close()."""

    def __init__(self, site, scratch, binary=KEEPER):
        self.scratch = scratch
        self.site = self.write('site', site)
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.read()

    def write(self, name, content):
        path = f'{self.scratch}/keeper.{name}.json'
        with open(path, 'w') as file:
            json.dump(content, file)
        return path

    def read(self):
        word, _, rest = self.process.stdout.readline().strip().partition(' ')
        if word != 'ok':
            raise Refused(rest)
        return rest

    def ask(self, *words):
        self.process.stdin.write(' '.join(map(str, words)) + '\n')
        return self.read()

    def policy(self, name, content):
        return self.ask('policy', name, self.write(name, content), self.site)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Cgroup:
    """A cgroup of this name, until remove()."""

    def __init__(self, name, parent=jobs.CGROUPS):
        self.path = f'{parent}/{name}'
        os.makedirs(self.path, exist_ok=True)

    def write(self, file, text):
        with open(f'{self.path}/{file}', 'w') as f:
            f.write(str(text))

    def enter(self, pid):
        self.write('cgroup.procs', pid)

    def freeze(self, is_on):
        self.write('cgroup.freeze', int(is_on))
        wait_until(lambda: f'frozen {int(is_on)}' in self.read('cgroup.events'))

    def read(self, file):
        with open(f'{self.path}/{file}') as f:
            return f.read()

    def pids(self):
        return list(map(int, self.read('cgroup.procs').split()))

    def remove(self):
        self.write('cgroup.kill', 1)
        wait_until(lambda: 'populated 0' in self.read('cgroup.events'))
        os.rmdir(self.path)


class Actor:
    """act as an outsider, waiting for orders; born: the cgroup of its children in the context of that name."""

    def __init__(self, born=''):
        self.process = subprocess.Popen([jobs.ACT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        env={**os.environ, 'ACT_CGROUP': born})
        self.pid = self.process.pid
        # In a job it could not load libraries that the policy does not list.
        self.ask('here open_read /dev/null')

    def ask(self, line):
        """OK or the name of an errno."""
        self.process.stdin.write(f'- {line}\n')
        return self.process.stdout.readline().split()[1]

    def close(self):
        self.process.communicate()


class Crowd:
    """crowd, in a cgroup of its own: so it shows when what was born outside the job's is gone."""

    def __init__(self, processes, threads, how, forbidden, allowed):
        self.nursery = Cgroup('hooks-nursery')
        self.process = subprocess.Popen(
            ['sh', '-c', f'echo 0 >{self.nursery.path}/cgroup.procs && exec "$@"', 'sh', CROWD, str(processes), str(threads),
             how, forbidden, allowed], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pids = list(map(int, self.process.stdout.readline().split()))

    def enter(self, group):
        """All of them; the process that counts stays behind."""
        for pid in self.pids:
            group.enter(pid)
        wait_until(lambda: self.nursery.pids() == [self.process.pid])

    def begin(self):
        """From here on what they are let do is counted."""
        self.process.stdin.write('\n')

    def end(self):
        """(attempts, wrong ones) since begin()."""
        self.process.stdin.write('\n')
        result = tuple(map(int, self.process.stdout.readline().split()))
        self.process.wait()
        self.nursery.remove()
        return result
