# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Testing the tester: that each denial is its own hook's, and that a wrong expectation is noticed.

A job is kept waiting. One hook after the other is denied once more, detached, and tried again: now the act must go
through. "Allowed, denied, allowed again": were another part of the kernel behind the denial, it would stay.
"""
import contextlib
import glob
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import cases as table
import jobs
import objects
import world
from cases import Case, TMPFS, places
from harness import wait_for
from hook_names import BESIDE_TRACING, FAILED_FORKS, FORGETTING, OPTIONAL
from keeper import Actor, Cgroup

PINS = '/sys/fs/bpf/jobcage'
DETACH_PATIENCE = 30  # seconds; a link is let go after a grace period

# program: (tree, line, answer while attached, answer without)
HOOKS = {
    'file_path_mknod': ('ds', 'here mknod_fifo {t}/new', 'EACCES', 'OK'),
    'file_path_mkdir': ('ds', 'here mkdir {t}/new', 'EACCES', 'OK'),
    'file_path_symlink': ('ds', 'here symlink x {t}/new', 'EACCES', 'OK'),
    'file_path_link': ('ds', 'here link {o}/f {t}/new', 'EACCES', 'OK'),
    'file_path_unlink': ('ds', 'here unlink {t}/f', 'EACCES', 'OK'),
    'file_path_rmdir': ('ds', 'here rmdir {t}/d', 'EACCES', 'OK'),
    'file_path_rename': ('ds', 'here rename {t}/f {t}/new', 'EACCES', 'OK'),
    'file_path_truncate': ('ds', 'here truncate {t}/f', 'EACCES', 'OK'),
    'file_path_chmod': ('ds', 'here chmod {t}/f', 'EACCES', 'OK'),
    'file_path_chown': ('ds', 'here chown {t}/f', 'EACCES', 'OK'),
    'file_path_chroot': ('closed', 'here chroot {t}', 'EACCES', 'OK'),
    'guard_capable': ('out', 'here capability', 'EPERM', 'OK'),
    'guard_userns_create': ('out', 'here user_namespace', 'EACCES', 'OK'),
    'guard_ptrace_access_check': ('out', 'here read_exe 1', 'EACCES', 'OK'),
    'guard_perf_event_alloc': ('out', 'here count_events 1', 'EACCES', 'OK'),
    'guard_task_kill': ('out', 'here signal 1', 'EACCES', 'OK'),
    'guard_task_setnice': ('out', 'here set_nice 1', 'EACCES', 'OK'),
    'guard_task_setioprio': ('out', 'here set_io_priority 1', 'EACCES', 'OK'),
    'guard_task_setscheduler': ('out', 'here set_scheduler 1', 'EACCES', 'OK'),
    'guard_task_setrlimit': ('out', 'here set_limit 1', 'EACCES', 'OK'),
    'guard_bpf': ('out', 'here bpf', 'EACCES', 'OK'),
    'guard_file_fcntl': ('out', 'here signal_by_owner 1', 'EACCES', 'OK'),
    'key_key_alloc': ('out', 'here request_key', 'EACCES', 'OK'),
    'ipc_ipc_permission': ('out', 'here use_segment {segment}', 'EACCES', 'OK'),
    'ipc_shm_shmctl': ('out', 'here remove_segment {segment}', 'EACCES', 'OK'),
    'ipc_sem_semctl': ('out', 'here remove_semaphores {semaphores}', 'EACCES', 'OK'),
    'ipc_msg_queue_msgctl': ('out', 'here remove_queue {queue}', 'EACCES', 'OK'),
    'key_key_permission': ('out', 'here read_key {key}', 'EPERM', 'OK'),
    'exec_mmap_file': ('out', 'here map {o}/tool', 'EACCES', 'OK'),
    'exec_file_mprotect': ('out', 'here map_late {o}/tool', 'EACCES', 'OK'),
    'exec_bprm_check': ('out', 'here exec {o}/tool', 'EACCES', 'OK'),
    'attr_setattr': ('ds', 'here utimes {t}/f', 'EACCES', 'OK'),
    'attr_setxattr': ('ds', 'here setxattr {t}/f', 'EACCES', 'OK'),
    'attr_removexattr': ('ds', 'here removexattr {t}/f', 'EACCES', 'OK'),
    'attr_getxattr': ('closed', 'here getxattr {t}/f', 'EACCES', 'OK'),
    'attr_readlink': ('closed', 'here readlink {t}/l', 'EACCES', 'OK'),
    'attr_path_notify': ('closed', 'here watch {t}/f', 'EACCES', 'OK'),
    'attr_set_acl': ('ds', 'here set_acl {t}/f', 'EACCES', 'OK'),
    'attr_remove_acl': ('ds', 'here remove_acl {t}/f', 'EACCES', 'OK'),
    'attr_file_setattr': ('ds', 'here file_setattr {t}/f', 'EACCES', 'OK'),
    'attr_file_ioctl': ('ds', 'here set_flags {t}/f', 'EACCES', 'OK'),
    'attr_ioctl_compat': ('ds', 'here set_flags_32 {t}/f', 'EACCES', 'OK'),
    'attr_quotactl': ('out', 'here sync_quotas', 'EACCES', 'OK'),
    'mount_umount': ('out', 'here umount_root', 'EACCES', 'OK'),
    'mount_sb_mount': ('out', 'here mount_bind {o}/keep {o}/keep2', 'EACCES', 'OK'),
    'mount_kern_mount': ('out', 'here new_fs tmpfs', 'EACCES', 'OK'),
    'mount_remount': ('out', 'here reconfigure /proc', 'EACCES', 'OK'),
    'mount_move_mount': ('out', 'here attach_tree {o}/keep {o}/keep2', 'EACCES', 'OK'),
    'mount_pivotroot': ('out', 'here pivot {o}/d', 'EACCES', 'OK'),
    'sock_socket_post_create': ('out', 'left udp 192.0.2.1 7001 {token}', 'EACCES', 'OK'),
    # Opened by an outsider, who then enters.
    'file_file_truncate': ('ds', 'held truncate_held', 'EACCES', 'OK'),
    'receive_file_receive': ('ds', 'held receive_held', 'EACCES', 'OK'),
    # An outsider that enters; behind it, a child of the job would still be labelled by its cgroup.
    'enter_cgroup_move_task': ('ds', 'crew open_write {t}/f', 'EACCES', 'OK'),
    # From here on children are outsiders.
    'task_task_alloc': ('ds', 'fork open_write {t}/f', 'EACCES', 'OK'),
    'file_file_open': ('closed', 'here open_read {t}/f', 'EACCES', 'OK'),
    'unix_unix_stream_connect': ('out', f'here unix_stream {table.UNIX_ABSTRACT}-stream {{token}}', 'EACCES', 'OK'),
    'unix_unix_may_send': ('out', f'here unix_datagram {table.UNIX_ABSTRACT}-datagram {{token}}', 'EACCES', 'OK'),
    'sock_socket_create': ('out', 'here socket 16 3 15', 'EACCES', 'OK'),
    # The cgroup's program still stands behind it.
    'sock_socket_connect': ('out', 'here tcp 192.0.2.1 7001 {token}', 'EACCES', 'EPERM'),
}
# Without it the job's own is held for somebody else's. Proved with the hook that then refuses.
NOTING = {'ipc_addid': ('out', 'here own_segment', 'OK', 'EACCES')}
# attach type: line; socket_connect is gone by then, and the program that sees packets.
CGROUP_PROGRAMS = {
    'cgroup_inet4_connect': 'here tcp 127.0.0.2 7001 {token}',
    'cgroup_inet6_connect': 'here tcp_fast_open 2001:db8::1 7001 {token}',
    'cgroup_udp4_sendmsg': 'here udp 127.0.0.2 7001 {token}',
    'cgroup_udp6_sendmsg': 'here udp 2001:db8::1 7001 {token}',
}

# What stops at the packet when nothing before it does: (line, answer). TCP tries again until it gives up.
PACKETS = {
    'udp4': ('here udp 127.0.0.2 7001 {token}', 'EPERM'),
    'udp6': ('here udp 2001:db8::1 7001 {token}', 'EPERM'),
    'tcp': ('here tcp 192.0.2.1 7001 {token}', 'ECONNABORTED'),
}

# What may be wrong with an expectation: (name, what is put in place of the truth).
WRONG = [
    ('nothing', lambda case, alert: {}),
    ('errno', lambda case, alert: {'errno': 'EPERM'}),
    ('rule', lambda case, alert: {'alerts': (replace(alert, rule='dataset:other'),)}),
    ('event', lambda case, alert: {'alerts': (replace(alert, event='file_chmod'),)}),
    ('path', lambda case, alert: {'alerts': (replace(alert, path='/elsewhere'),)}),
    ('allowed', lambda case, alert: {'allowed': case.denied}),
    ('changed', lambda case, alert: {'denied': case.allowed, 'guarded': case.folders[2:], 'errno': 'OK', 'alerts': ()}),
    ('count', lambda case, alert: {'alerts': (alert, alert)}),
]


def broken_cases():
    """One case, with one expectation wrong each time. The last shifts the record, so it comes last."""
    for how, wrong in WRONG:
        row = (f'expect-{how}', 'here unlink {t}/f', 'file_unlink', '{t}/f')
        case = table.file_case(TMPFS, row, 'ds', 'dataset:ds', 'out', (6, 1))
        yield replace(case, **wrong(case, case.alerts[0]))


def prove_runner(report, scratch):
    """This very program, run on wrong expectations: it must complain of each, and of no other, and exit with 1."""
    report.say('wrong expectations')
    runner = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'run')
    done = subprocess.run([sys.executable, runner, '--part', 'broken', '--scratch', f'{scratch}/broken'],
                          stdout=subprocess.PIPE, text=True)
    failed = {line.split('-')[-1].split('/')[0] for line in done.stdout.splitlines() if line.startswith('FAIL ') and '-' in line}
    report.check('a failure is the exit status', [] if done.returncode == 1 else [f'it is {done.returncode}'])
    for how, _ in WRONG:
        is_right = (how in failed) == (how != 'nothing')
        report.check(f'a wrong expectation is noticed: {how}', [] if is_right else done.stdout.splitlines())


def case_of(name, tree, line, words=None):
    here = places(TMPFS, tree, f'prove-{name}') | (words or {})
    return Case(here['token'], line.format(**here), folders=(here['t'], here['o']))


def ask_entering(job, case):
    """An outsider with threads, moved into the job's cgroup; and a child that an outsider has there."""
    cgroup = jobs.cgroup_of(job.process.pid)
    entered, parent = Actor(), Actor(born=cgroup)
    entered.ask('crew open_path /')
    Cgroup(os.path.basename(cgroup), os.path.dirname(cgroup)).enter(entered.pid)
    answers = {entered.ask(case.denied), parent.ask(case.denied.replace('crew', 'born'))}
    entered.close()
    parent.close()
    return answers.pop() if len(answers) == 1 else str(sorted(answers))


def ask_holding(job, case):
    """An outsider that has opened a file for writing, and is then moved into the job's cgroup."""
    cgroup = jobs.cgroup_of(job.process.pid)
    entered = Actor()
    world.write(f'{case.folders[0]}/f')
    entered.ask(f'here hold {case.folders[0]}/f')
    Cgroup(os.path.basename(cgroup), os.path.dirname(cgroup)).enter(entered.pid)
    answer = entered.ask(case.denied.replace('held', 'here', 1))
    entered.close()
    return answer


def ask(job, case):
    if case.denied.startswith('held'):
        return ask_holding(job, case)
    return ask_entering(job, case) if case.denied.startswith('crew') else job.ask(case.name, case.denied)


def poll(job, case, expected):
    """Asks until the answer is as expected: a detached program may still be called for a moment."""
    until = time.monotonic() + DETACH_PATIENCE
    while True:
        answer = ask(job, case)
        if answer == expected or time.monotonic() > until:
            return answer
        time.sleep(0.05)


def detach_hook(program):
    for pin in glob.glob(f'{PINS}/*/link_{program}'):
        os.unlink(pin)


def detach_cgroup_program(job, attach_type):
    """All of that type on the job's cgroup."""
    cgroup = jobs.cgroup_of(job.process.pid)
    listed = subprocess.run([world.BPFTOOL, '-j', 'cgroup', 'show', cgroup], check=True, stdout=subprocess.PIPE).stdout
    for program in json.loads(listed):
        if program['attach_type'] == attach_type:
            subprocess.run([world.BPFTOOL, 'cgroup', 'detach', cgroup, attach_type, 'id', str(program['id'])], check=True)


def prove_one(report, job, case, name, answers, detach):
    attached, detached = answers
    first = ask(job, case)
    detach()
    second = poll(job, case, detached)
    complaints = [f'with {name} it gave {first}, not {attached}'] if first != attached else []
    complaints += [f'without {name} it gave {second}, not {detached}'] if second != detached else []
    report.check(f'the denial is that of {name}', complaints)


def prove_hooks(report, scratch):
    """The listeners must be there."""
    report.say('each hook detached')
    outside = objects.Objects()
    chosen = {name: case_of(name, tree, line, outside.words()) for name, (tree, line, *_) in (HOOKS | NOTING).items()}
    chosen |= {name: case_of(name, 'out', line) for name, line in CGROUP_PROGRAMS.items()}
    world.make(chosen.values())
    job = jobs.Job('hooks-prove', table.policy([], jobs.ACT), table.site(), scratch)
    job.ask('ready', 'here open_path /')
    other = jobs.Job('hooks-prove-packets', table.policy([], jobs.ACT), table.site(), scratch)
    other.ask('ready', 'here open_path /')
    pinned = {os.path.basename(pin).removeprefix('link_') for pin in glob.glob(f'{PINS}/*/link_*')}
    absent = {name for name in OPTIONAL if name not in pinned}
    unproved = pinned ^ (set(HOOKS) - absent | set(NOTING) | set(FAILED_FORKS) | set(FORGETTING) | set(BESIDE_TRACING))
    report.check('every hook has its proof', [f'{name} has none' for name in sorted(unproved)])
    prove_forgetting(report, job)
    for name, (_, _, *answers) in NOTING.items():
        # By another job than the one of which things are still noted that are gone.
        prove_one(report, other, chosen[name], name, answers, lambda: detach_hook(name))
    for name, (_, _, *answers) in HOOKS.items():
        if name in absent:
            report.say(f'this kernel has no hook for {name}')
            continue
        prove_one(report, job, chosen[name], name, answers, lambda: detach_hook(name))
    detach_cgroup_program(job, 'cgroup_inet_egress')
    for name in CGROUP_PROGRAMS:
        prove_one(report, job, chosen[name], name, ('EPERM', 'OK'), lambda: detach_cgroup_program(job, name))
    prove_packets(report, other)
    outside.close()
    # The last one to end unloads the programs.
    for ended in (other, job):
        ended.close()
        ended.events()
    wait_for(lambda: not glob.glob(f'{PINS}/*'), 20)
    report.check('the programs are unloaded', glob.glob(f'{PINS}/*/link*'))


def prove_forgetting(report, job):
    """What is noted of an object goes with it: with its program; without, it stays."""
    acts = {'key_key_free': ('here own_key', 'OK', contextlib.nullcontext()), 'ipc_rmid': ('here own_segment', 'OK', contextlib.nullcontext()),
            'ipc_addid_failed': ('here own_segment', 'ENOSPC', objects.no_more_segments())}
    for name, (line, wanted, trouble) in acts.items():
        case = case_of(name, 'out', line)
        with trouble:
            # It makes a keyring too, or comes to lie where one is noted that is gone: the first time.
            ask(job, case)
            before = objects.settled()
            attached, after = ask(job, case), objects.settled()
            detach_hook(name)
            until, detached = time.monotonic() + DETACH_PATIENCE, None
            while objects.settled() <= after and time.monotonic() < until:
                detached = ask(job, case)
        report.check(f'{name} forgets', [] if attached == wanted and after <= before else [f'it gave {attached}, {before} before, {after} after'])
        report.check(f'without {name} it is remembered', [] if detached == wanted and objects.settled() > after else [detached])


def prove_packets(report, job):
    """With nothing left but the program that sees packets; and then not even that."""
    chosen = {name: case_of(f'packet-{name}', 'out', line) for name, (line, _) in PACKETS.items()}
    for name in CGROUP_PROGRAMS:
        detach_cgroup_program(job, name)
    for name, (_, answer) in PACKETS.items():
        found = ask(job, chosen[name])
        report.check(f'the packet is refused ({name})', [] if found == answer else [f'it gave {found}, not {answer}'])
    detach_cgroup_program(job, 'cgroup_inet_egress')
    for name in PACKETS:
        found = ask(job, chosen[name])
        report.check(f'the packet goes out ({name})', [] if found == 'OK' else [f'it gave {found}, not OK'])
