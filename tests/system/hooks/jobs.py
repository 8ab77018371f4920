# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Running acts: in a job, in a job that waits for orders, and in none; and reading what was said of them."""
import json
import os
import subprocess

from eventfile import record_until_end

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
JOBCAGE = os.environ.get('JOBCAGE_BINARY', f'{PROJECT}/build/jobcage')
ACT = os.environ.get('JOBCAGE_ACT', f'{PROJECT}/build/tests/act')
CGROUPS = '/sys/fs/cgroup'
END_PATIENCE = 60  # seconds, of an emulated machine


def cgroup_of(pid):
    with open(f'/proc/{pid}/cgroup') as file:
        return CGROUPS + file.read().strip().split('::', 1)[1]


def run_outside(lines):
    """{name: result} of acts by a process in no job. It has a cgroup of its own, so that it can leave it as a job could."""
    cgroup = f'{CGROUPS}/hooks-outside'
    os.makedirs(cgroup, exist_ok=True)
    text = ''.join(f'{name} {line}\n' for name, line in lines)
    done = subprocess.run(['sh', '-c', f'echo 0 >{cgroup}/cgroup.procs && exec "$0"', ACT], input=text,
                          stdout=subprocess.PIPE, text=True, check=True)
    os.rmdir(cgroup)
    return {name: result for name, result, _ in (line.split(' ', 2) for line in done.stdout.splitlines())}


class Job:
    """A job that act runs in; it lives until close()."""

    def __init__(self, name, policy, site, scratch):
        self.name, self.alerts_file = name, f'{scratch}/{name}.jsonl'
        for what, content in (('policy', policy), ('site', site)):
            with open(f'{scratch}/{name}.{what}.json', 'w') as file:
                json.dump(content, file)
        self.process = subprocess.Popen(
            [JOBCAGE, 'run', '--policy', f'{scratch}/{name}.policy.json', '--site', f'{scratch}/{name}.site.json',
             '--job', name, '--alerts', self.alerts_file, '--', ACT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, name, line):
        """One act, now."""
        self.process.stdin.write(f'{name} {line}\n')
        answer = self.process.stdout.readline().split()
        if len(answer) < 3:
            raise RuntimeError(f'job {self.name} is gone; its status is {self.process.wait()}')
        return answer[1]

    def ask_all(self, lines):
        """{name: result} of many acts, one after the other."""
        return {name: self.ask(name, line) for name, line in lines}

    def close(self):
        self.process.communicate()
        return self.process.returncode

    def events(self):
        """Every line of the record, once the job's end has been written."""
        return record_until_end(self.alerts_file, END_PATIENCE)

