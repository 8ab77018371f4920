# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The part of the table that is about programs and containment: X1 to X10."""
from row import DEFAULT, KERNEL_FILE, MOUNT, NOT_HERE, OUTSIDE, ROOT, SILENT, TYPICAL, UNLABELLED, USER, rows

UNLISTED, NAMELESS = 'exec.default', 'builtin:nameless-exec'
CAPABILITY, USER_NAMESPACE = 'capabilities.default', 'user_namespaces.default'
UNIX, BPF, OWN_FILES, SET_ID = 'unix.default', 'builtin:bpf', 'builtin:own-files', 'builtin:set-id-program'
OBJECT, QUEUE = 'builtin:outside-object', 'builtin:message-queue'


def programs():
    how = {'changes': False, 'policy': TYPICAL, 'rules': (UNLISTED,), 'extra': '{listed}'}
    yield from rows('x01_exec', 'caged', '''execve execveat execveat-fd proc-root symlink hard-link copy replaced script interpreter
        interpreter-chain binfmt-misc binfmt-misc-open''', **how)
    yield from rows('x01_exec', 'caged', 'listed', **how | {'rules': ()})
    yield from rows('x02_nameless', 'caged', 'memfd memfd-path tmpfile deleted', **how | {'rules': (NAMELESS,)})
    yield from rows('x02_nameless', 'caged', 'descriptor dev-shm', **how)
    yield from rows('x02_nameless', 'caged', 'exe-of-other', accomplice=True, **how | {'rules': (OUTSIDE,)})
    yield from rows('x03_code', 'caged', '''loader dlopen preload mmap mmap-shared mmap-exec-only mmap-writable mmap-dev-shm mprotect
        mprotect-shared mprotect-copied pkey-mprotect personality personality-mprotect''', **how)
    yield from rows('x03_code', 'caged', 'dlopen-memfd mmap-memfd shmat', **how | {'rules': (NAMELESS,)})
    yield from rows('x03_code', 'caged', 'dlopen-listed memory', **how | {'rules': ()})


def privileged_programs():
    how = {'changes': False, 'policy': TYPICAL, 'extra': '{listed}'}
    yield from rows('x04_privileged', 'caged', 'set-user-id file-capability', who=(USER,), rules=(CAPABILITY,), **how)
    yield from rows('x04_privileged', 'caged', 'no-new-privs', rules=(UNLISTED,), **how)
    yield from rows('x04_privileged', 'caged', 'make-set-user-id make-set-group-id', rules=(SET_ID,), **how)
    yield from rows('x04_privileged', 'caged', 'make-capable', who=(ROOT,), rules=(CAPABILITY,), **how)


def processes():
    how = {'changes': False, 'rules': (OUTSIDE,)}
    other = how | {'accomplice': True}
    yield from rows('x05_process', 'caged', 'ptrace-attach ptrace-seize vm-read proc-mem-open proc-maps proc-environ kcmp', **other)
    yield from rows('x05_process', 'caged', 'madvise', who=(ROOT,), **other)
    yield from rows('x05_process', 'caged', '''ptrace-poke vm-write kill tgkill sigqueue pidfd-signal nice limit affinity
        io-priority''', felt='accomplice', **other)
    yield from rows('x05_process', 'caged', 'proc-mem oom-score', felt='accomplice', **other | {'rules': (DEFAULT, KERNEL_FILE)})
    yield from rows('x05_process', 'caged', 'own-child', **how | {'rules': ()})
    for attempt in 'ptrace-attach ptrace-seize proc-mem-open proc-maps proc-environ kcmp kill tgkill sigqueue pidfd-signal'.split():
        yield from rows('x05_process', 'caged', attempt, who=(ROOT,), extra='{controller}', label=f'controller-{attempt}', **how)


def leaving():
    how = {'changes': False, 'who': (ROOT,), 'extra': '{sibling}', 'rules': (DEFAULT, KERNEL_FILE)}
    yield from rows('x06_leave', 'caged', 'sibling parent root by-child nested freeze limit', **how)
    yield from rows('x06_leave', 'caged', 'kill', felt='cgroups', **how)
    yield from rows('x06_leave', 'caged', 'remove', felt='cgroups', **how | {'extra': '{empty}'})
    # To reach the accomplice is allowed there.
    yield from rows('x06_leave', 'sealed', 'received', accomplice=True, **how)
    yield from rows('x06_leave', 'caged', 'clone-into', **how | {'rules': (UNLABELLED,)})
    yield from rows('x06_leave', 'caged', 'namespace', **how | {'rules': (MOUNT,)})
    yield from rows('x06_leave', 'caged', 'user-namespace', changes=False, policy=TYPICAL, rules=(USER_NAMESPACE,))
    yield from rows('x06_leave', 'caged', 'daemon', changes=False, rules=('dataset:closed',))


# Where somebody outside reads what he is to run: below a home that jobs may read; and of root.
FILES = {
    'authorized-keys': '{home}/.ssh/authorized_keys', 'bashrc': '{home}/.bashrc', 'profile': '{home}/.profile',
    'user-unit': '{home}/.config/systemd/user/x.service', 'autostart': '{home}/.config/autostart/x.desktop',
    'sitecustomize': '{home}/.local/lib/python3/site-packages/sitecustomize.py', 'git-config': '{home}/.gitconfig',
    'ssh-rc': '{home}/.ssh/rc', 'direnv': '{home}/.envrc',
}
FILES_OF_ROOT = {
    'crontab': '/var/spool/cron/crontabs/root', 'cron.d': '/etc/cron.d/jobcage-x7', 'at': '/var/spool/cron/atjobs/a0000101',
    'unit': '/etc/systemd/system/jobcage-x7.service', 'run-unit': '/run/systemd/system/jobcage-x7.service', 'preload': '/etc/ld.so.preload',
    'profile.d': '/etc/profile.d/jobcage-x7.sh', 'udev-rule': '/run/udev/rules.d/jobcage-x7.rules',
}
STREAMS = {
    'systemd': '/run/systemd/private', 'dbus': '/run/dbus/system_bus_socket', 'docker': '/run/docker.sock',
    'containerd': '/run/containerd/containerd.sock', 'podman': '/run/podman/podman.sock', 'munge': '/run/munge/munge.socket.2',
    'user-bus': '{home}/bus', 'ssh-agent': '{home}/agent',
}
DATAGRAMS = {'notify': '/run/systemd/notify'}
PORTS = {'ssh': '22', 'slurm': '6818'}


def runners():
    how = {'changes': False, 'policy': TYPICAL, 'felt': 'runners'}
    for label, path in FILES.items():
        yield from rows('x07_runner', 'caged', 'add-line', rules=(DEFAULT,), extra=path, label=label, **how)
    yield from rows('x07_runner', 'caged', 'move-in', rules=(DEFAULT,), extra=FILES['bashrc'], label='bashrc-moved-in', **how)
    for label, path in FILES_OF_ROOT.items():
        yield from rows('x07_runner', 'caged', 'add-line', who=(ROOT,), rules=(DEFAULT,), extra=path, label=label, **how)
    for label, path in STREAMS.items():
        yield from rows('x07_runner', 'caged', 'stream', rules=(UNIX,), extra=path, label=label, **how)
    for label, path in DATAGRAMS.items():
        yield from rows('x07_runner', 'caged', 'datagram', rules=(UNIX,), extra=path, label=label, **how)
    for label, port in PORTS.items():
        yield from rows('x07_runner', 'caged', 'loopback', rules=('egress.default',), extra=port, label=label, **how)


# Read, and written as it was.
SETTINGS = {
    'hostname-file': '/proc/sys/kernel/hostname', 'ptrace-scope': '/proc/sys/kernel/yama/ptrace_scope',
    'randomize': '/proc/sys/kernel/randomize_va_space', 'bpf-setting': '/proc/sys/kernel/unprivileged_bpf_disabled',
    'tracing': '/sys/kernel/tracing/tracing_on', 'module-setting': '/sys/module/printk/parameters/time',
}


def bpf():
    how = {'changes': False, 'who': (ROOT,)}
    # Before 6.4 the kernel asks for the capability first.
    called = how | {'rules': (BPF, CAPABILITY)}
    yield from rows('x08_bpf', 'caged', 'map-update', extra='{map}', **called)
    yield from rows('x08_bpf', 'caged', 'map-create link program program-load', **called)
    yield from rows('x08_bpf', 'caged', 'program-attach', extra='{sibling}', **called)
    yield from rows('x08_bpf', 'caged', 'pin-open', extra='{pin}', **called)
    how |= {'extra': '{pin}', 'rules': (OWN_FILES,)}
    yield from rows('x08_bpf', 'caged', 'pin-move unpin', felt='pin', **how)


def machine():
    how = {'changes': False, 'who': (ROOT,), 'policy': TYPICAL, 'rules': (CAPABILITY,)}
    yield from rows('x08_machine', 'caged', '''perf-machine perf-kprobe init-module finit-module delete-module kexec kexec-file reboot iopl
        ioperm syslog settimeofday adjtimex sethostname setdomainname swapoff key-chown unshare-mount unshare-net unshare-pid unshare-ipc unshare-uts
        unshare-cgroup unshare-time''', **how)
    yield from rows('x08_machine', 'caged', 'unshare-user unshare-all', **how | {'who': (ROOT, USER), 'rules': (USER_NAMESPACE,)})
    for label, path in SETTINGS.items():
        yield from rows('x08_machine', 'caged', 'rewrite', label=label, extra=path, absent=(*NOT_HERE, 'ENOENT'),
                        **how | {'rules': (DEFAULT, KERNEL_FILE)})
    yield from rows('x08_machine', 'caged', 'write', label='sysrq', extra='/proc/sysrq-trigger', **how | {'rules': (DEFAULT, KERNEL_FILE)})
    yield from rows('x08_machine', 'caged', 'read', label='kernel-memory', extra='/proc/kcore', **how)
    yield from rows('x08_machine', 'caged', 'perf-process', accomplice=True, **how)
    # What a policy that grants them all leaves open.
    for program, attempt in (('f05_mount', 'mount-setattr'), ('f18_kernel', 'quotactl')):
        yield from rows(program, 'sealed', attempt, extra='{device}', label=f'{attempt}-typical', **how)
    # Also where every capability is granted.
    how = {'changes': False, 'who': (ROOT,), 'rules': (OUTSIDE,)}
    yield from rows('x08_machine', 'caged', 'setns-net setns-mount setns-pid setns-pidfd', **how)
    # The kernel asks for CAP_PERFMON, which it does not grant, and then for CAP_SYS_ADMIN, which it does.
    yield from rows('x08_machine', 'caged', 'perf-process', label='perf-process-granted', accomplice=True, **how | {'rules': (OUTSIDE, CAPABILITY)})
    how |= {'rules': (OBJECT,)}
    yield from rows('x08_machine', 'caged', 'key-of-other segment-of-other', accomplice=True, **how | {'who': (ROOT, USER)})
    yield from rows('x08_machine', 'caged', 'key-persistent', **how)


def objects():
    how = {'changes': False, 'accomplice': True, 'rules': (OBJECT,)}
    yield from rows('x08_object', 'caged', '''segment-by-key segment-by-number segment-lock segment-set segment-remove queue-by-key queue-receive
        queue-send queue-remove semaphore-add semaphore-get semaphore-set semaphore-remove key-link key-update key-permit key-put key-throw-away
        ring-link session-join session-put''', **how)
    yield from rows('x08_object', 'caged', 'key-put-first', **how | {'who': (ROOT,)})
    # To reach the accomplice is allowed there.
    yield from rows('x08_object', 'sealed', 'leave-segment leave-message leave-semaphore leave-key', **how)
    yield from rows('x08_object', 'sealed', 'leave-name', **how | {'rules': (SILENT,)})
    yield from rows('x08_object', 'caged', 'mq-receive mq-send', **how | {'policy': TYPICAL, 'rules': (DEFAULT, QUEUE)})
    how |= {'accomplice': False, 'rules': ()}
    yield from rows('x08_object', 'caged', 'own-objects own-keys', **how)
    for attempt in ('mq-receive', 'mq-send'):
        yield from rows('x08_object', 'caged', attempt, label=f'{attempt}-granted', **how | {'accomplice': True})


def entries():
    yield from rows('x09_entry', 'caged', 'open-write create unlink chmod truncate x32-open-write')
    how = {'changes': False}
    yield from rows('x09_entry', 'caged', 'open-closed x32-open-closed', rules=('dataset:closed',), **how)
    yield from rows('x09_entry', 'caged', 'execve mmap x32-execve', policy=TYPICAL, rules=(UNLISTED,), **how)
    yield from rows('x09_entry', 'caged', 'kill x32-kill', accomplice=True, felt='accomplice', rules=(OUTSIDE,), **how)
    yield from rows('x09_entry', 'caged', 'ptrace vm-write', accomplice=True, rules=(OUTSIDE,), **how)
    yield from rows('x09_entry', 'caged', 'unshare', policy=TYPICAL, rules=(USER_NAMESPACE,), **how)
    how |= {'who': (ROOT,)}
    yield from rows('x09_entry', 'caged', 'sethostname', policy=TYPICAL, rules=(CAPABILITY,), **how)
    yield from rows('x09_entry', 'caged', 'bpf', rules=(BPF, CAPABILITY), **how)
    yield from rows('x09_entry', 'caged', 'raw-socket', rules=('sockets.default',), **how)


def storms():
    how = {'changes': False, 'rules': ('dataset:closed',)}
    yield from rows('x10_storm', 'caged', 'fork-bomb exit-race vfork clone-vm clone-all clone-parent thread-race', extra='50', **how)
    yield from rows('x10_storm', 'caged', 'kill-race', extra='10', **how)
    yield from rows('x10_storm', 'caged', 'threads', extra='1000', **how)


def table():
    for part in (programs, privileged_programs, processes, leaving, runners, bpf, machine, objects, entries, storms):
        yield from part()


OPEN = {'X08 key-throw-away': 'the kernel asks for no more than leave to search'}
