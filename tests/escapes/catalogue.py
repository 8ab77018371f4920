# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The table of attempts: who makes them, where, and what the record must say. The programs' own lists are held against it."""
import containment
from row import DEFAULT, DEVICE, KERNEL_FILE, LINKED, MOUNT, NODE, NOT_HERE, OUTSIDE, OVERLAY, PROTECTED, ROOT, Row, rows


def writes():
    yield from rows('f01_write', 'sealed', '''open-write open-rdwr open-append open-trunc openat2 create create-read truncate
        ftruncate mkdir mknod mkfifo socket symlink unlink rmdir''')
    yield from rows('f01_write', 'sealed', 'mknod-device', who=(ROOT,))
    # The nameless inode is made, then opened, which is refused, then gone.
    yield from rows('f01_write', 'sealed', 'tmpfile', stirs=True)
    yield from rows('f02_rename', 'shared', '''within into over out folder-out exchange-within exchange-into exchange-out whiteout
        whiteout-out''')
    yield from rows('f02_rename', 'shared', 'root root-out root-exchange parent parent-exchange',
                    rules=('dataset:shared', PROTECTED))
    yield from rows('f03_link', 'shared', 'out out-symlink out-fd in')
    yield from rows('f03_link', 'shared', 'old-write old-trunc old-truncate old-chmod old-utimes old-setxattr old-map', rules=(LINKED,))
    yield from rows('f03_link', 'shared', 'old-chown', who=(ROOT,), rules=(LINKED,))
    yield from rows('f03_link', 'shared', 'old-unlink', rules=(LINKED,))
    yield from rows('f03_link', 'shared', 'out-closed old-read', rules=('dataset:closed',), changes=False)
    yield from rows('f04_symlink', 'sealed', '''via inner through dotdot create-by-link new-link self-root thread-root proc-cwd
        reopen-read reopen-path''')


def mounts():
    # Each begins with a mount, which is refused whatever it is to lead to.
    yield from rows('f05_mount', 'sealed', 'bind rbind open-tree move-mount pivot-root namespace-bind', who=(ROOT,),
                    rules=('dataset:sealed', MOUNT))
    yield from rows('f05_mount', 'sealed', 'chroot', who=(ROOT,))
    yield from rows('f05_mount', 'sealed', 'user-bind user-pivot-root', rules=('dataset:sealed', MOUNT))
    yield from rows('f05_mount', 'sealed', 'user-chroot')
    yield from rows('f05_mount', 'sealed', 'cover cover-bind remount remount-superblock mount-setattr propagation umount',
                    who=(ROOT,), changes=False, rules=(MOUNT,))
    yield from rows('f06_overlay', 'shared', 'upper work', who=(ROOT,), rules=(MOUNT, OVERLAY))
    yield from rows('f06_overlay', 'shared', 'user-upper', rules=(MOUNT, OVERLAY, DEFAULT))
    yield from rows('f06_overlay', 'shared', 'over', who=(ROOT,), changes=False, rules=(MOUNT, OVERLAY))
    yield from rows('f06_overlay', 'shared', 'lower', who=(ROOT,), changes=False, rules=(MOUNT, OVERLAY))
    yield from rows('f06_overlay', 'shared', 'user-lower', changes=False, rules=(MOUNT, OVERLAY, DEFAULT))


DEEP = '/'.join(['deep'] + 69 * ['d'])
LONG = '/'.join(['long'] + 15 * ['n' * 250])
NAMES = {
    'deep': f'{DEEP}/f',
    'wide': 'w' * 255,
    'no-encoding': b'\xff\xfe-\x80\xc3'.decode(errors='surrogateescape'),
    'control': 'new\nline "quote" \x1b[31m \x7f back\\slash \t$(reboot)',
    'unicode': 'übung-数据-\u202etxt.exe',
}


def as_in_alert(name):
    """A name as docs/alerts.md says that it stands in an event."""
    def shown(char):
        return char.isprintable() and char not in '\\\u202e' and not 0xdc80 <= ord(char) <= 0xdcff
    return ''.join(char if shown(char) else ''.join(f'\\x{byte:02x}' for byte in char.encode(errors='surrogateescape'))
                   for char in name)


def names():
    for label, name in NAMES.items():
        for attempt in ('write', 'unlink'):
            yield Row('f07_names', attempt, 'names', rules=('dataset:names',), extra=name, label=f'{attempt}-{label}',
                      path=as_in_alert(name))
    yield Row('f07_names', 'write-relative', 'names', rules=('dataset:names',), extra=LONG, label='write-long', path='/f')


def attributes():
    yield from rows('f08_attributes', 'sealed', '''chmod fchmod fchmodat2 chown fchownat utimensat utimensat-link futimens setxattr
        setxattr-replace setxattr-folder fsetxattr setxattrat removexattr fremovexattr removexattrat acl acl-default acl-remove setflags
        fssetxattr setversion file-setattr''')
    yield from rows('f08_attributes', 'sealed', 'setxattr-trusted setxattr-security', who=(ROOT,))
    yield from rows('f08_attributes', 'sealed', 'setflags-immutable setfslabel freeze', who=(ROOT,), changes=False)


def descriptors():
    yield from rows('f09_descriptor', 'sealed', 'received-write received-map received-path', accomplice=True)
    # A job may not look into a process outside at all.
    yield from rows('f09_descriptor', 'sealed', 'pidfd-getfd proc-fd', rules=('dataset:sealed', OUTSIDE), accomplice=True)
    yield from rows('f09_descriptor', 'sealed', 'received-read received-list', rules=('dataset:closed',), changes=False,
                    accomplice=True)
    yield from rows('f10_data', 'reflink', '''mmap mprotect madvise pwritev2 splice vmsplice sendfile copy-file-range clone punch zero
        grow collapse''')
    yield from rows('f10_data', 'reflink', 'dedupe', changes=False, rules=('builtin:indirect-ioctl',))
    yield from rows('f11_uring', 'sealed', '''openat openat-worker openat-polled openat-polled-worker openat2 registered personality
        unlinkat unlinkat-polled renameat linkat symlinkat mkdirat setxattr fsetxattr fallocate''')
    yield from rows('f11_uring', 'sealed', 'ftruncate', absent=(*NOT_HERE, 'EINVAL'))
    yield from rows('f11_uring', 'sealed', 'ring-of-other', changes=False, accomplice=True, rules=('builtin:foreign-ring',),
                    absent=(*NOT_HERE, 'EPROTO'))
    yield from rows('f12_handle', 'shared', 'write-cold', who=(ROOT,), cold=True,
                    rules=('dataset:shared', 'builtin:disconnected'))
    yield from rows('f12_handle', 'shared', 'write-warm', who=(ROOT,))
    yield from rows('f12_handle', 'shared', 'read-closed-cold', who=(ROOT,), cold=True, changes=False,
                    rules=('dataset:closed', 'builtin:disconnected'))


def devices():
    how = {'changes': False, 'extra': '{device}'}
    yield from rows('f13_device', 'sealed', 'raw-write', rules=(DEFAULT, 'dataset:sealed'), **how)
    yield from rows('f13_device', 'sealed', 'raw-read', rules=(DEVICE,), **how)
    yield from rows('f13_device', 'sealed', 'blkroset loop-read-only', rules=(DEVICE,), who=(ROOT,), **how)
    yield from rows('f13_device', 'sealed', 'mknod', rules=(NODE,), who=(ROOT,), **how)
    yield from rows('f13_device', 'sealed', 'loop', rules=(DEFAULT, 'dataset:sealed'), who=(ROOT,), **how)
    yield from rows('f13_device', 'sealed', 'memory-node', rules=(NODE,), who=(ROOT,), **how)
    yield from rows('f13_device', 'sealed', 'device-mapper memory', rules=(DEFAULT,), who=(ROOT,), **how)
    yield from rows('f13_device', 'sealed', 'mount', who=(ROOT,), extra='{device}', rules=(MOUNT,))
    yield from rows('f13_device', 'sealed', 'nvme', rules=(DEFAULT,), who=(ROOT,), absent=('ENOENT',), **how)


def reads():
    how = {'changes': False, 'rules': ('dataset:closed',)}
    yield from rows('f14_read', 'shared', '''open via dotdot openat reopen list list-cwd mmap io-uring exec script interpreter inotify
        getxattr readlink''', **how)
    yield from rows('f14_read', 'shared', 'rename', **how)
    yield from rows('f14_read', 'shared', 'chroot', who=(ROOT,), **how)
    yield from rows('f14_read', 'shared', 'user-bind', **how | {'rules': ('dataset:closed', MOUNT)})
    yield from rows('f14_read', 'shared', 'bind', who=(ROOT,), **how | {'rules': ('dataset:closed', MOUNT)})
    yield from rows('f17_deputy', 'shared', 'fifo folder', accomplice=True, **how)
    yield from rows('f17_deputy', 'shared', 'socket abstract-socket', accomplice=True, changes=False, rules=('unix.default',))


def kernel():
    how = {'changes': False}
    yield from rows('f18_kernel', 'sealed', 'swapon', who=(ROOT,), **how)
    yield from rows('f18_kernel', 'sealed', 'acct', who=(ROOT,))
    yield from rows('f18_kernel', 'sealed', 'core')
    yield from rows('f18_kernel', 'sealed', 'quotactl', who=(ROOT,), extra='{device}', **how)
    yield from rows('f18_kernel', 'sealed', 'core-pattern modprobe', who=(ROOT,), rules=(DEFAULT, KERNEL_FILE), **how)
    yield from rows('f18_kernel', 'sealed', 'uevent-helper', who=(ROOT,), rules=(DEFAULT, KERNEL_FILE), absent=('ENOENT',), **how)
    yield from rows('f18_kernel', 'sealed', 'binfmt-misc', who=(ROOT,), rules=(DEFAULT, KERNEL_FILE, MOUNT), **how)


def table():
    for part in (writes, mounts, names, attributes, descriptors, devices, reads, kernel):
        yield from part()
    yield from containment.table()


# In the programs' lists, but not in this table: what the runner does itself, in ways of its own.
ELSEWHERE = {('f09_descriptor', 'inherited-write'), ('f09_descriptor', 'inherited-folder'), ('f09_descriptor', 'received-link'),
             ('f12_handle', 'save'),
             *(('f03_link', name) for name in ('old-unlinked', 'old-unlinked-chmod', 'old-relinked', 'old-replaced')),
             ('f15_race', 'link'), ('f15_race', 'folder'), ('f15_race', 'closed'), ('f15_race', 'unlinked'), ('f15_race', 'replaced')}

# Attempts that succeed in a job today, and why. One that is refused after all fails the suite until it is taken from here.
DEPUTY = 'who does what others ask for in a place where the job may write is outside the cage'
OPEN = {
    'F05 mount-setattr': 'no hook is asked; only a capability could be refused',
    'F03 old-read': 'a second name from before the job is another place',
    'F03 old-unlink': 'names go away as ever, and with them one of the count and the time of change',
    **dict.fromkeys((f'F17 {name}' for name in ('fifo', 'folder')), DEPUTY),
    **containment.OPEN,
}
