# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The file trees that the cases play on: made anew for each run, and compared afterwards."""
import os
import re
import shutil
import stat
import subprocess

from cases import PLAIN, QUOTA, QUOTA_OUT, ROOT, TMPFS

TREES = ('ds', 'closed', 'out')
FUSE = os.makedev(10, 229)
DEPTH = 300  # more than the kernel programs walk
PROGRAM = '/usr/bin/true'
BPFTOOL = next((path for path in ('/usr/sbin/bpftool', '/usr/local/sbin/bpftool') if os.path.exists(path)), 'bpftool')


def run(*words):
    subprocess.run(words, check=True)


def mount_tmpfs(path):
    os.makedirs(path, exist_ok=True)
    if not os.path.ismount(path):
        run('mount', '-t', 'tmpfs', '-o', 'mode=0755', 'hooks', path)


def mount_with_quotas(path):
    image = f'{path}.image'
    os.makedirs(path, exist_ok=True)
    if os.path.ismount(path):
        return
    run('truncate', '-s', '16M', image)
    run('mkfs.ext4', '-q', '-O', 'quota', '-E', 'quotatype=usrquota,lazy_itable_init=0,lazy_journal_init=0', image)
    run('mount', '-o', 'loop,usrquota', image, path)


def mount_all():
    """The trees and their bind mounts. They stay: jobs that run hold on to their identity."""
    mount_tmpfs(TMPFS)
    mount_tmpfs(PLAIN)
    for path in (QUOTA, QUOTA_OUT):
        mount_with_quotas(path)
    for world in (TMPFS, ROOT):
        for tree in TREES:
            source, target = f'{world}/{tree}', f'{world}/bind/{tree}'
            os.makedirs(source, exist_ok=True)
            os.makedirs(target, exist_ok=True)
            if not os.path.ismount(target):
                run('mount', '--bind', source, target)


def write(path, text='data\n', mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as file:
        file.write(text)
    os.chmod(path, mode)


def copy_program(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(PROGRAM, path)


def make_node(path, device):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.lexists(path):
        os.mknod(path, stat.S_IFCHR | 0o666, device)


def make_fixed():
    """What every case may use and none alters."""
    run('modprobe', '-a', 'fuse')
    make_node(f'{TMPFS}/nodes/fuse', FUSE)
    make_node(f'{TMPFS}/nodes/latency', os.stat('/dev/cpu_dma_latency').st_rdev)
    write(f'{PLAIN}/f')
    write(f'{TMPFS}/unnamed')
    copy_program(f'{TMPFS}/bin/tool')
    copy_program(f'{TMPFS}/bin/closed')
    copy_program(f'{TMPFS}/out/interpreter/tool')
    for name, interpreter in (('script', PROGRAM), ('script-of-unlisted', f'{TMPFS}/out/interpreter/tool'),
                              ('chain', f'{TMPFS}/bin/script'), ('chain-to-unlisted', f'{TMPFS}/bin/script-of-unlisted')):
        write(f'{TMPFS}/bin/{name}', f'#!{interpreter}\n', 0o755)


def make_deep(folder):
    """A file in each of some folders, one inside the other, deeper than a path may be long."""
    os.mkdir(folder)
    at = os.open(folder, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir('d', dir_fd=at)
        below = os.open('d', os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
        os.close(os.open('f', os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


def make_object(path, case):
    """The name says what it is; what is not known here is what the act is to make."""
    folder, name = os.path.split(path)
    target = case.folders[case.folders.index(folder) - 1] if folder in case.folders else None  # {t} stands before its {o}
    makers = {
        'f': lambda: write(path), 'g': lambda: write(path, 'other data\n'),
        'd': lambda: os.makedirs(path), 'keep2': lambda: os.makedirs(path),
        'fuse': lambda: make_node(path, FUSE),
        'keep': lambda: write(f'{path}/f'),
        'l': lambda: os.symlink('f', path),
        'tool': lambda: copy_program(path), 'true': lambda: copy_program(path),
        'script': lambda: write(path, f'#!{PROGRAM}\n', 0o755),
        'via-tool': lambda: (copy_program(f'{folder}/tool'), os.symlink('tool', path)),
        'via-bin': lambda: os.symlink(f'{TMPFS}/bin/tool', path),
        'via': lambda: (write(f'{target}/f'), os.symlink(f'{target}/f', path)),
        'deep': lambda: make_deep(path),
    }
    if name in makers and not os.path.lexists(path):
        makers[name]()


def objects_of(case):
    """The paths in a case's lines and rules, by their real names."""
    for line in (case.denied, case.allowed):
        words = line.split()
        if ' open_at ' in line:
            yield f'{words[2]}/{words[3]}'
        if ' open_in_chroot ' in line:
            yield words[2] + words[3]
        for word in words:
            word = re.sub(r'^/proc/self/root', '', word)
            yield word.replace('/bind/', '/')
    for _, path, _ in case.rules:
        yield path


def make(cases):
    """Everything as the cases want to find it."""
    for case in cases:
        for folder in case.folders:
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
    for case in cases:
        for path in sorted(objects_of(case), key=len):
            if path.startswith(case.folders or ('\0',)):
                make_object(path, case)


def picture_of(path):
    """All of one object that an act could have changed."""
    st = os.lstat(path)
    content = None
    if stat.S_ISLNK(st.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(st.st_mode):
        with open(path, 'rb') as file:
            content = file.read()
    xattrs = [(name, os.getxattr(path, name, follow_symlinks=False)) for name in os.listxattr(path, follow_symlinks=False)]
    return (xattrs, st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_size, st.st_rdev, st.st_mtime_ns, st.st_ino, content)


def picture(folders):
    """Names, attributes and content of everything below the folders."""
    seen = {}
    for folder in folders:
        seen[folder] = picture_of(folder)
        for at, dirs, files in os.walk(folder):
            for name in dirs + files:
                seen[os.path.join(at, name)] = picture_of(os.path.join(at, name))
    return seen
