# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""F9, at the launch: descriptors that were open before there was a policy."""
import os
import subprocess

import crew

NUMBER = 99  # as in f09_descriptor.c


def open_at(number, path, flags):
    fd = os.open(path, flags)
    os.dup2(fd, number, inheritable=True)
    if fd != number:
        os.close(fd)


def run(check, cage, world):
    place = world.all['sealed']
    program = [f'{cage.programs}/f09_descriptor']
    world.make('sealed', 'nobody')
    write, folder = [*program, 'inherited-write', *place.words()], [*program, 'inherited-folder', *place.words()]

    open_at(NUMBER, f'{place.dataset}/f', os.O_RDWR)
    outside = subprocess.run(write, pass_fds=[NUMBER], stdout=subprocess.PIPE, text=True, check=True).stdout
    check.that('F09 inherited: succeeds in no job', ' OK ' in outside, outside)
    before = place.picture()
    _, said = crew.Job(cage, 'inherited', 'root').run(*write, pass_fds=[NUMBER])
    check.that('F09 inherited: the launcher has closed it', ' EBADF ' in said, said)
    status, said = crew.Job(cage, 'inherited-kept', 'root').run(*write, options=['--keep-fd', str(NUMBER)], pass_fds=[NUMBER])
    check.equal('F09 inherited and kept: the job does not start', status, 125)
    check.that('F09 inherited and kept: the reason is said', place.dataset in said, said)
    with open(f'{place.dataset}/f', 'ab') as file:
        status, said = crew.Job(cage, 'inherited-input', 'root').run(*write, stdin=file)
    check.equal('F09 as standard input: the job does not start', status, 125)
    os.close(NUMBER)

    open_at(NUMBER, place.dataset, os.O_RDONLY | os.O_DIRECTORY)
    job = crew.Job(cage, 'inherited-folder', 'root')
    _, said = job.run(*folder, options=['--keep-fd', str(NUMBER)], pass_fds=[NUMBER])
    check.that('F09 inherited folder: what is opened by it is judged', ' EACCES ' in said, said)
    rules = [event['firewall_rule']['uid'] for event in job.events() if 'firewall_rule' in event]
    check.equal('F09 inherited folder: the rule', rules, ['dataset:sealed'])
    check.that('F09 inherited: the dataset is as it was', before == place.picture())
    os.close(NUMBER)

    # A folder that the job may not list: no descriptor of it may come along either.
    open_at(NUMBER, world.closed, os.O_RDONLY | os.O_DIRECTORY)
    status, said = crew.Job(cage, 'inherited-closed', 'root').run('/usr/bin/true', options=['--keep-fd', str(NUMBER)],
                                                                 pass_fds=[NUMBER])
    check.equal('F09 inherited folder of a closed dataset: the job does not start', status, 125)
    os.close(NUMBER)
