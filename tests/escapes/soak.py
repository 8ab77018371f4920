# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What takes minutes: the kernel's own tests in a job that may do everything, stress-ng at a dataset, and X10 with many more processes."""
import fnmatch
import os
import re
import shutil
import subprocess

from capabilities import CAPABILITIES
import crew

# (suite, command); each a program of the kernel's tree that tests/escapes/kselftest has built.
KERNEL_TESTS = [
    ('openat2', './openat2_test'), ('openat2', './resolve_test'), ('openat2', './rename_attack_test'),
    ('mount_setattr', './mount_setattr_test'), ('splice', './default_file_splice_read.sh'), ('splice', './short_splice_read.sh'),
    ('memfd', './memfd_test'), ('exec', './execveat'), ('exec', './non-regular'), ('exec', './recursion-depth'),
    ('exec', './null-argv'), ('exec', './load_address.0x1000'), ('exec', './load_address.0x200000'), ('exec', './load_address.0x1000000'),
    ('exec', './binfmt_script.py'), ('memfd', './run_hugetlbfs_test.sh'),
    *(('pidfd', f'./pidfd_{name}') for name in ('fdinfo_test', 'open_test', 'poll_test 200', 'wait', 'getfd_test', 'setns_test', 'test')),
    *(('cgroup', f'./test_{name}') for name in ('core', 'freezer', 'kill', 'cpu', 'kmem', 'memcontrol')),
    ('seccomp', './seccomp_bpf'),
    *(('net/af_unix', f'./{name}') for name in ('diag_uid', 'test_unix_oob', 'unix_connect')),
    *(('net', f'./{name}') for name in ('socket', 'reuseport_bpf_cpu', 'reuseport_dualstack', 'reuseaddr_conflict', 'tun', 'tap', 'so_netns_cookie',
                                        'sk_bind_sendto_listen', 'sk_connect_zero_addr')),
    *(('net', f'./in_netns.sh ./{name}') for name in ('psock_fanout', 'psock_tpacket', 'txring_overwrite')),
    *(('net', f'./{name}.sh') for name in ('udpgso', 'psock_snd', 'ip_defrag', 'ipv6_flowlabel', 'cmsg_so_mark', 'cmsg_ipv6',
                                           'reuseport_addr_any', 'reuseaddr_ports_exhausted', 'bind_bhash', 'tcp_fastopen_backup_key',
                                           'route_localnet', 'unicast_extensions', 'icmp', 'txtimestamp', 'so_txtime', 'msg_zerocopy')),
    ('landlock', './base_test'), ('landlock', './fs_test'), ('landlock', './ptrace_test'),
]
DEVICES = ['gpu', 'rdma', 'kvm', 'fuse']
SOCKETS = ['ping', 'mptcp', 'sctp', 'dccp', 'udplite', 'smc', 'raw', 'packet', 'netlink', 'vsock', 'xdp', 'alg', 'rds', 'tipc']
SUITES = 'build/kselftest/tools/testing/selftests'
# One test makes processes until their numbers come round.
PID_MAX, PIDS = '/proc/sys/kernel/pid_max', '4096'
TEST_SECONDS = 900  # on a machine that is busy
# They go on for as long as they may; the last only where urgent bytes of Unix sockets are read as newer kernels have it.
RACES = {'./rename_attack_test': 60, './test_unix_oob': 20}
# What no policy can permit, and what they say of it.
REFUSED = {'./in_netns.sh ./psock_fanout': 'bpf: Permission denied'}
STRESS_SECONDS = 2  # for each stressor
STORMS = {'fork-bomb': 2000, 'exit-race': 2000, 'kill-race': 200, 'vfork': 2000, 'clone-vm': 2000, 'clone-all': 2000, 'clone-parent': 2000,
          'threads': 10000, 'thread-race': 2000}


def no_datasets(cage):
    """A site of which a policy may permit all."""
    return cage.write('no-datasets', {'version': 1})


def permissive(cage):
    """All that a policy can permit."""
    return cage.write('permissive', {'version': 1, 'name': 'permissive',
                                     'filesystem': {'default': 'write', 'rules': [{'id': 'all', 'path': '/', 'access': 'write'}]},
                                     'devices': DEVICES, 'sockets': SOCKETS,
                                     'exec': {'default': 'allow'}, 'egress': {'default': 'allow'}, 'ingress': {'default': 'allow'},
                                     'unix': {'default': 'allow'}, 'mounts': 'allow',
                                     'capabilities': [*CAPABILITIES, 'CAP_SYS_RESOURCE', 'CAP_PERFMON'], 'user_namespaces': True})


def results(text):
    """The verdicts of a test in TAP, or in words; without times and addresses."""
    verdicts = re.findall(r'^#? *((?:not )?ok \d+.*|# Totals:.*|\w+: (?:PASS|FAIL|SKIP).*|\[\w+\].*)$', text, re.MULTILINE)
    return [re.sub(r'0x[0-9a-f]+|\b\d{3,}\b|/tmp/\S+', 'N', verdict) for verdict in verdicts]


def compare(check, what, outside, inside):
    """What a test says outside it says inside; where it fails outside, as far as it may be slow or lack something, nothing is known."""
    if outside[0] and not outside[1]:
        print(f'{what}: fails outside, nothing is known')
        return
    check.equal(f'{what}: the same exit status', inside[0], outside[0])
    check.equal(f'{what}: the same verdicts', [pair for pair in zip(outside[1], inside[1]) if pair[0] != pair[1]], [])
    check.equal(f'{what}: as many verdicts', len(inside[1]), len(outside[1]))


def kernel_tests(check, cage, only):
    tests = f'{cage.project}/{SUITES}'
    with open(PID_MAX, 'w', encoding='ascii') as file:
        file.write(PIDS)
    for suite, command in KERNEL_TESTS:
        if not fnmatch.fnmatchcase(f'{suite} {command}', only):
            continue
        if not os.path.exists(f'{tests}/{suite}/{command.split()[0]}'):
            check.that(f'{suite} {command} is built', False)
            continue
        words = ['timeout', str(RACES.get(command, TEST_SECONDS)), *command.split()]
        # A copy for each: some leave files behind.
        for where in ('outside', 'inside'):
            shutil.rmtree(f'/tmp/kselftest-{where}', ignore_errors=True)
            shutil.copytree(f'{tests}/{suite}', f'/tmp/kselftest-{where}/{suite}', symlinks=True)
        outside = subprocess.run(words, cwd=f'/tmp/kselftest-outside/{suite}', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 text=True, errors='replace', check=False)
        job = crew.Job(cage, f'kernel-{re.sub("[^a-z0-9]+", "-", f"{suite} {command}".lower())}', 'root', site=no_datasets(cage),
                       policy=permissive(cage))
        status, said = job.run(*words, cwd=f'/tmp/kselftest-inside/{suite}', errors='replace')
        print(f'{suite} {command}: status {status}, outside {outside.returncode}, {len(results(said))} verdicts', flush=True)
        if command in REFUSED:
            check.that(f'{suite} {command}: {REFUSED[command]}', REFUSED[command] in said and REFUSED[command] not in outside.stdout, said[-500:])
        else:
            compare(check, f'{suite} {command}', (outside.returncode, results(outside.stdout)), (status, results(said)))


def stress(check, cage, world):
    """Everything that stress-ng knows to do to files, at the dataset and beside it."""
    for user in ('nobody', 'root'):
        world.make('shared', user)
        place = world.all['shared']
        before = place.picture()
        for folder in (place.dataset, place.out):
            for kind in ('filesystem', 'io'):
                job = crew.Job(cage, f'stress-{user}-{kind}-{os.path.basename(folder)}', user)
                status, said = job.run('stress-ng', '--class', kind, '--sequential', '1', '--timeout', f'{STRESS_SECONDS}s',
                                       '--temp-path', folder, '--quiet', cwd=place.out)
                print(f'stress-ng {kind} at {folder} by {user}: status {status}, {len(said.splitlines())} lines', flush=True)
                end = job.events()[-1]['unmapped']['jobcage']
                check.that(f'stress-ng {kind} at {folder} by {user}: every decision is delivered or counted',
                           end['delivered'] + end['lost'] + end['malformed'] == end['decisions'], str(end))
        check.that(f'stress-ng by {user} leaves the dataset as it was', before == place.picture())


def storms(check, cage, world):
    """None of so many processes and threads is outside the job for a moment."""
    world.make('caged', 'nobody')
    for name, size in STORMS.items():
        job = crew.Job(cage, f'storm-{name}', 'nobody')
        _, said = job.run(f'{cage.programs}/x10_storm', name, *world.all['caged'].words(), str(size))
        check.that(f'storm {name}: none of {size} opens it', ' EACCES storm' in said, said)
        end = job.events()[-1]['unmapped']['jobcage']
        check.that(f'storm {name}: at least as many denials', end['denied']['file'] >= size, str(end))
        check.that(f'storm {name}: every decision is delivered or counted',
                   end['delivered'] + end['lost'] + end['malformed'] == end['decisions'], str(end))
        print(f'storm {name}: {size}, {end["denied"]["file"]} denials, {end["lost"]} records lost', flush=True)
