# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Making attempts: outside any job, in a job, and with the accomplice; and reading what was said of them."""
import ctypes
import os
import shlex
import subprocess

from eventfile import record_until_end

LIBC = ctypes.CDLL(None)
IOPRIO_GET, IOPRIO_WHO_PROCESS = {'x86_64': 252, 'aarch64': 31}[os.uname().machine], 1
PATIENCE = 60  # seconds, of an emulated machine


class Answer:
    """What one attempt said: "PID RESULT CALL"."""

    def __init__(self, line):
        pid, self.result, self.call = (line.split(' ', 2) + ['', ''])[:3]
        self.pid = int(pid) if pid.isdigit() else -1
        if self.pid < 0:
            self.result, self.call = 'NOTHING', line

    is_felt = False  # by somebody outside

    @property
    def is_won(self):
        return self.result == 'OK'

    def __str__(self):
        return f'{self.result} from {self.call}'


class Shell:
    """A shell that makes one attempt after the other. Outside any job, or as a job."""

    def __init__(self, command, user=None):
        how = {'user': user, 'group': 'nogroup', 'extra_groups': []} if user not in (None, 'root') else {}
        self.process = subprocess.Popen([*command, 'sh'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd='/', **how)

    def ask(self, *words):
        """What the attempt answered."""
        said = self.text(*words)
        return Answer(said.splitlines()[0] if said else 'no answer')

    def text(self, *words):
        """All that the program printed."""
        line = shlex.join(words).encode(errors='surrogateescape')
        self.process.stdin.write(line + b' </dev/null; echo "end $?"\n')
        self.process.stdin.flush()
        said = ''
        while True:
            text = self.process.stdout.readline().decode(errors='replace')
            if not text:
                raise RuntimeError(f'the shell is gone, with status {self.process.wait()}')
            if text.startswith('end '):
                return said
            said += text

    def close(self):
        self.process.stdin.close()
        self.process.stdout.read()
        return self.process.wait()


class Job:
    """A job of that policy which runs a shell, or another command."""

    def __init__(self, cage, name, user, site=None, policy=None):
        self.name, self.alerts = name, f'{cage.scratch}/{name}.jsonl'
        self.words = [cage.jobcage, 'run', '--policy', policy or cage.policy, '--site', site or cage.site, '--job', name,
                      '--alerts', self.alerts, '--user', user]

    def shell(self):
        return Shell([*self.words, '--'])

    def run(self, *command, options=(), **popen):
        """One program; (status, what it said)."""
        done = subprocess.run([*self.words, *options, '--', *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, **popen)
        return done.returncode, done.stdout

    def events(self):
        """Every line of the record, once the job's end has been written."""
        return record_until_end(self.alerts, PATIENCE)


def decisions_of(events, pid):
    """Those about the process, its threads and its children."""
    def is_of(process):
        return pid in (process.get('pid'), process.get('parent_process', {}).get('pid'))
    return [event for event in events if 'firewall_rule' in event and is_of(event['actor']['process'])]


class Accomplice:
    """A process of the same user in no job."""

    def __init__(self, programs, place, user):
        for name in ('accomplice.sock', 'accomplice.fifo', 'accomplice.held', 'stolen', 'request'):
            if os.path.lexists(f'{place.out}/{name}'):
                os.unlink(f'{place.out}/{name}')
        self.held = f'{place.out}/accomplice.held'
        how = {'user': user, 'group': 'nogroup', 'extra_groups': []} if user != 'root' else {}
        self.process = subprocess.Popen([f'{programs}/accomplice', 'serve', *place.words()], stdout=subprocess.PIPE, **how)
        if self.process.stdout.readline() != b'ready\n':
            raise RuntimeError('the accomplice is not ready')

    def prepare(self, _):
        """A new one is as it was."""

    def look(self):
        """Its words, and what others may have set of it."""
        with open(self.held, encoding='ascii') as file:
            pid, _, address, _ = map(int, file.read().split())
        with open(f'/proc/{pid}/mem', 'rb') as memory:
            memory.seek(address)
            words = memory.read(16)
        return (words, self.told(pid, 'oom_score_adj'), self.told(pid, 'limits'), os.getpriority(os.PRIO_PROCESS, pid),
                os.sched_getaffinity(pid), LIBC.syscall(IOPRIO_GET, IOPRIO_WHO_PROCESS, pid))

    @staticmethod
    def told(pid, name):
        with open(f'/proc/{pid}/{name}', encoding='ascii') as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
