# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What recon.py finds, which looks for what deepce, amicontained and CDK look for: outside the machine lies open to it; under a typical policy
no way out is left; and under one that permits all that a policy can, what it finds is what it finds outside."""
import os
import subprocess
import sys

import crew
import row
import soak

HERE = os.path.dirname(os.path.abspath(__file__))
USERS = (row.USER, row.ROOT)

# Outside, root finds at least these: or the tool is blind.
SIGHTS = ['way out: write /proc/sys/kernel/core_pattern', 'way out: write /proc/sys/fs/binfmt_misc/register', 'way out: write /sys/fs/cgroup/cgroup.procs',
          'way out: write /etc/shadow', 'way out: read /proc/kcore', 'way out: device kmsg', 'way out: device loop0', 'way out: node mem',
          'way out: node disk', 'way out: socket /run/docker.sock', 'way out: socket /run/containerd/containerd.sock',
          'way out: socket /run/dbus/system_bus_socket', 'way out: socket /run/systemd/private', 'way out: socket /run/munge/munge.socket.2',
          'way out: port 22', 'way out: port 6818', 'way out: process 1 environ', 'way out: process 1 root directory', 'way out: process other cwd',
          'way out: process other SIGCONT', 'way out: enter 1 mount', 'new namespace user', 'new namespace net', 'call init_module']
# And whoever is nobody, of the process that is nobody's, too.
SIGHTS_OF_USER = ['way out: socket /run/docker.sock', 'way out: port 22', 'way out: process other environ', 'way out: process other cwd',
                  'way out: process other SIGCONT', 'new namespace user']
# No policy opens them: who is not of the job, nodes of any number, bpf(), the quotas of all file systems.
NEVER = ('way out: process ', 'way out: enter ', 'way out: node ', 'way out: write /proc/1/mem', 'call bpf', 'call ptrace', 'call kcmp', 'call quotactl')
REFUSALS = ('EACCES', 'EPERM')
# The kernel has nothing to give it to, or looks at what it was asked with first.
FOUND = {'call init_module': 'ENOEXEC'}


def found_by(words, **how):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **how)
    return answers(done.stdout)


def answers(text):
    """What: the answer."""
    return dict(line.rsplit(': ', 1) for line in text.splitlines() if ': ' in line)


def is_way_out(what, answer):
    return what.startswith('way out') and answer == 'OK'


def is_never(what):
    return what.startswith(NEVER)


def look_outside(check, user, command):
    how = {'user': user, 'group': 'nogroup', 'extra_groups': []} if user != row.ROOT else {}
    outside = found_by(command, **how)
    for what in SIGHTS if user == row.ROOT else SIGHTS_OF_USER:
        check.equal(f'{user} outside: {what}', outside.get(what), FOUND.get(what, 'OK'))
    print(f'{user} outside: {len(outside)} looks, {sum(is_way_out(*one) for one in outside.items())} ways out', flush=True)
    return outside


def look_inside(check, cage, user, policy, command):
    name, site, path = policy
    status, said = crew.Job(cage, f'recon-{name}-{user}', user, site=site, policy=path).run(*command, cwd='/')
    check.equal(f'{user}, {name}: exit status', (status, said if status else ''), (0, ''))
    found = answers(said)
    print(f'{user}, {name}: {len(found)} looks, {sum(is_way_out(*one) for one in found.items())} ways out', flush=True)
    return found


def is_as_outside(what, found, outside):
    return found == outside or (is_never(what) and found in REFUSALS)


def look(check, cage, user, command):
    outside = look_outside(check, user, command)
    typical = look_inside(check, cage, user, ('typical', cage.site, cage.policies[row.TYPICAL]), command)
    check.equal(f'{user}: as many looks', set(outside) ^ set(typical), set())
    check.equal(f'{user}, typical: ways out', [what for what, answer in typical.items() if is_way_out(what, answer)], [])
    permissive = look_inside(check, cage, user, ('permissive', soak.no_datasets(cage), soak.permissive(cage)), command)
    check.equal(f'{user}, permissive: other than outside',
                [(what, answer, outside.get(what)) for what, answer in permissive.items() if not is_as_outside(what, answer, outside.get(what))], [])
    check.equal(f'{user}, permissive: what no policy opens', [what for what, answer in permissive.items() if is_never(what) and answer == 'OK'], [])


def run(check, cage, world):
    for user in USERS:
        world.around.witnesses['runners'].prepare(user)
        how = {'user': user, 'group': 'nogroup', 'extra_groups': []} if user != row.ROOT else {}
        other = subprocess.Popen(['sleep', '1000'], **how)
        look(check, cage, user, [sys.executable, f'{HERE}/recon.py', str(other.pid)])
        other.kill()
        other.wait()
