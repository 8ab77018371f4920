# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The places of the attempts: datasets on file systems of their own, the adversary's own folders beside them, and how to see
whether anything changed: names, attributes, extended attributes and content of all that is there, and sectors written to the
device below."""
import functools
import glob
import hashlib
import os
import pwd
import shutil
import stat
import struct
import subprocess
import tempfile

import catalogue

BASE, IMAGES = '/srv/escapes', '/run/escapes-images'
BLOCK = 4096
EXT4 = ('mkfs.ext4', '-q', '-O', 'quota', '-E', 'quotatype=usrquota,lazy_itable_init=0,lazy_journal_init=0')
XFS = ('mkfs.xfs', '-q')
PROGRAM = '/usr/bin/true'
LIBRARY = glob.glob('/usr/lib/*/libresolv.so.2')[0]
# Of a function that returns 42.
CODE = bytes.fromhex({'x86_64': 'b82a000000c3', 'aarch64': '40058052c0035fd6'}[os.uname().machine])
# Version 2; (tag, permissions, id) of owner, one user, group, mask, others.
ACL = struct.pack('<I', 2) + b''.join(struct.pack('<HHi', *entry) for entry in (
    (1, 6, -1), (2, 7, 12345), (4, 6, -1), (16, 7, -1), (32, 6, -1)))


def run(*words, **how):
    return subprocess.run(words, check=True, **how)


def write(path, content=b'data\n', mode=0o666):
    with open(path, 'wb') as file:
        file.write(content)
    os.chmod(path, mode)


def mount_image(name, target, make, options, size):
    """A file system on a loop device of its own; the device."""
    os.makedirs(IMAGES, mode=0o700, exist_ok=True)
    os.makedirs(target, exist_ok=True)
    image = f'{IMAGES}/{name}'
    with open(image, 'wb') as file:
        file.truncate(size)
    run(*make, image, stdout=subprocess.DEVNULL)
    device = run('losetup', '--find', '--show', image, stdout=subprocess.PIPE, text=True).stdout.strip()
    run('mount', '-o', options, device, target)
    return device


class Place:
    """A dataset, and what is the adversary's own."""

    def __init__(self, name, dataset, out, closed, device=''):
        self.name, self.dataset, self.out, self.closed, self.device = name, dataset, out, closed, device

    def words(self):
        return [self.dataset, self.out, self.closed]

    def settle(self):
        """Writes all that is waiting to be, the journal's own blocks too, for a dataset that has its device to itself."""
        run('fsfreeze', '--freeze', self.dataset)
        run('fsfreeze', '--unfreeze', self.dataset)
        os.sync()

    def sectors(self):
        """Written to the device below, since it was made."""
        with open(f'/sys/block/{os.path.basename(self.device)}/stat', encoding='ascii') as file:
            return int(file.read().split()[6])

    def picture(self):
        return picture(self.dataset)


def picture_of(path):
    st = os.lstat(path)
    content = b''
    if stat.S_ISLNK(st.st_mode):
        content = os.readlink(os.fsencode(path))
    elif stat.S_ISREG(st.st_mode):
        with open(path, 'rb') as file:
            content = file.read()
    xattrs = sorted((name, os.getxattr(path, name, follow_symlinks=False))
                    for name in os.listxattr(path, follow_symlinks=False))
    return (st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_size, st.st_rdev, st.st_mtime_ns, st.st_ctime_ns, st.st_ino,
            hashlib.sha256(content).hexdigest(), xattrs)


def picture(folder):
    seen = {folder: picture_of(folder)}
    for at, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(at, name)
            seen[path] = picture_of(path)
    return seen


def differences(before, after):
    return [f'{path!r} was {before.get(path)}, is {after.get(path)}' for path in sorted(before.keys() | after.keys())
            if before.get(path) != after.get(path)]


# --- making ------------------------------------------------------------------------------------------------------

def empty(folder):
    """Without what is in it or on it, but the same folder: jobs hold on to its identity."""
    os.makedirs(folder, exist_ok=True)
    for name in os.listxattr(folder):
        os.removexattr(folder, name)
    for entry in os.scandir(folder):
        if entry.name == 'lost+found':
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def fill_dataset(ds):
    write(f'{ds}/f')
    write(f'{ds}/g', b'other data\n')
    os.makedirs(f'{ds}/d')
    os.makedirs(f'{ds}/empty')
    write(f'{ds}/d/in')
    write(f'{ds}/blocks', bytes(2 * BLOCK))
    write(f'{ds}/with-acl')
    os.symlink('f', f'{ds}/l')
    os.setxattr(f'{ds}/f', 'user.mark', b'mark')
    os.setxattr(f'{ds}/with-acl', 'system.posix_acl_access', ACL)


@functools.cache
def swap_space():
    """What mkswap makes."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(20 * BLOCK)
        run('mkswap', file.name, stdout=subprocess.DEVNULL)
        return file.read()


def fill_closed(closed):
    write(f'{closed}/p', b'secret\n')
    os.setxattr(f'{closed}/p', 'user.mark', b'mark')
    os.symlink('p', f'{closed}/l')
    shutil.copy(PROGRAM, f'{closed}/tool')
    write(f'{closed}/script', f'#!{PROGRAM}\n'.encode(), 0o755)


def fill_names(ds):
    for name in catalogue.NAMES.values():
        os.makedirs(os.path.dirname(f'{ds}/{name}'), exist_ok=True)
        write(f'{ds}/{name}')
    at = os.open(ds, os.O_RDONLY)
    for part in catalogue.LONG.split('/'):
        os.mkdir(part, dir_fd=at)
        below = os.open(part, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open('f', os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


def fill_out(place):
    out, ds, closed = place.out, place.dataset, place.closed
    for name in ('folder', 'mnt', 'upper', 'work'):
        os.makedirs(f'{out}/{name}')
    write(f'{out}/f', b'own data\n')
    write(f'{out}/folder/f')
    write(f'{out}/folder/p')
    write(f'{out}/blocks', bytes(range(256)) * (2 * BLOCK // 256))
    write(f'{out}/same-blocks', bytes(2 * BLOCK))
    write(f'{out}/script-of-closed', f'#!{closed}/tool\n'.encode(), 0o755)
    for name, target in (('via', f'{ds}/f'), ('via-folder', f'{ds}/d'), ('via-new', f'{ds}/new'), ('via-ds', ds),
                         ('via-closed', f'{closed}/p'), ('via-closed-folder', closed), ('slot', f'{out}/f')):
        os.symlink(target, f'{out}/{name}')
    if place.name == 'shared':
        os.link(f'{ds}/f', f'{out}/old-link')
        os.link(f'{closed}/p', f'{out}/old-link-closed')
    if place.name == 'caged':
        fill_programs(out)


def fill_programs(out):
    """That nobody has listed."""
    shutil.copy(PROGRAM, f'{out}/tool')
    shutil.copy(LIBRARY, f'{out}/library')
    write(f'{out}/code', CODE)
    write(f'{out}/script', b'#!/usr/bin/sh\n', 0o755)


def give_away(folder, user):
    """Everything there to the user: by file permissions he may do all."""
    ids = owner(user)
    os.chown(folder, *ids)
    os.chmod(folder, 0o777)
    for at, folders, files, handle in os.fwalk(folder):
        for name in folders + files:
            os.chown(name, *ids, dir_fd=handle, follow_symlinks=False)


class Places:
    def __init__(self, programs):
        self.programs = programs
        os.makedirs(BASE, exist_ok=True)
        shared, closed = f'{BASE}/shared', f'{BASE}/shared/tree/closed'
        device = mount_image('shared', shared, EXT4, 'noatime', 64 << 20)
        sealed = mount_image('sealed', f'{BASE}/sealed', EXT4, 'noatime,usrquota', 32 << 20)
        reflink = mount_image('reflink', f'{BASE}/reflink', XFS, 'noatime', 320 << 20)
        make = lambda name, ds, out, below: Place(name, ds, out, closed, below)
        self.all = {place.name: place for place in (
            make('shared', f'{shared}/tree/ds', f'{shared}/out/shared', device),
            make('sealed', f'{BASE}/sealed', f'{shared}/out/sealed', sealed),
            make('names', f'{shared}/tree/names', f'{shared}/out/names', device),
            make('caged', f'{shared}/tree/caged', f'{shared}/out/caged', device),
            make('reflink', f'{BASE}/reflink/ds', f'{BASE}/reflink/out', reflink))}
        self.closed = closed
        for node in (sealed, device):
            os.chmod(node, 0o666)

    def make(self, name, user):
        """One place as its attempts want to find it, for this user to do with as he likes."""
        place = self.all[name]
        for folder in (place.dataset, place.out, self.closed):
            empty(folder)
        fill_closed(self.closed)
        if name == 'names':
            fill_names(place.dataset)
        else:
            fill_dataset(place.dataset)
        fill_out(place)
        for folder in (place.dataset, place.out, self.closed):
            give_away(folder, user)
        for folder in (f'{BASE}/shared', f'{BASE}/shared/tree', f'{BASE}/shared/out'):
            os.chown(folder, *owner(user))
        if name == 'sealed':
            # As swapon wants it: without holes, for nobody else.
            write(f'{place.dataset}/swap', swap_space(), 0o600)
            os.chown(f'{place.dataset}/swap', *owner(user))

    def save_handles(self, place):
        run(f'{self.programs}/f12_handle', 'save', *place.words(), stdout=subprocess.DEVNULL)

    @staticmethod
    def forget_names():
        os.sync()
        with open('/proc/sys/vm/drop_caches', 'w', encoding='ascii') as file:
            file.write('2')

    def mend(self, name):
        """After an attempt that moved a folder which the places stand on."""
        tree, away = f'{BASE}/shared/tree', f'{BASE}/shared/elsewhere'
        if name == 'shared' and (os.path.exists(away) or not os.path.exists(f'{tree}/ds/g')):
            for path in (away, tree, f'{BASE}/shared/out'):
                shutil.rmtree(path, ignore_errors=True)


@functools.cache
def owner(user):
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid
