# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""F16: datasets on the file systems that clusters use: what a rule names must be what the hooks see, on each of them."""
import os
import time

from capabilities import CAPABILITIES
import crew
import places

BASE = '/srv/escapes-fs'
BTRFS = ('mkfs.btrfs', '-q')
TWINS = ('twin-ds', 'twin-closed', 'twin-out')

# (program, attempt, rule) of what must be refused, before and after the file system is mounted with other options.
DENIED = [('f01_write', 'open-write', '{name}-ds'), ('f01_write', 'create', '{name}-ds'), ('f01_write', 'unlink', '{name}-ds'),
          ('f01_write', 'truncate', '{name}-ds'), ('f02_rename', 'out', '{name}-ds'), ('f08_attributes', 'chmod', '{name}-ds'),
          ('f14_read', 'open', '{name}-closed'), ('f14_read', 'list', '{name}-closed')]
# A rename from one subvolume to another is none that btrfs does.
IMPOSSIBLE = {('btrfs', 'out')}
REMOUNTED = [('f01_write', 'open-write', '{name}-ds'), ('f14_read', 'open', '{name}-closed')]


def make_ext4(root):
    places.mount_image('fs-ext4', root, places.EXT4, 'noatime', 32 << 20)


def make_xfs(root):
    places.mount_image('fs-xfs', root, places.XFS, 'noatime', 320 << 20)


def make_btrfs(root):
    """Each folder is a subvolume: their roots have the same inode number."""
    places.mount_image('fs-btrfs', root, BTRFS, 'noatime', 128 << 20)
    for name in ('ds', 'closed', 'out'):
        places.run('btrfs', '-q', 'subvolume', 'create', f'{root}/{name}')
    make_twins(root)


def make_twins(root):
    """Three subvolumes, and a snapshot of one, in which the same numbers stand for other files."""
    for name in TWINS:
        places.run('btrfs', '-q', 'subvolume', 'create', f'{root}/{name}')
        os.mkdir(f'{root}/{name}/in')
        for file in 'fp':
            places.write(f'{root}/{name}/in/{file}')
    places.run('btrfs', '-q', 'subvolume', 'snapshot', f'{root}/twin-ds', f'{root}/out/snapshot')


def make_tmpfs(root):
    places.run('mount', '-t', 'tmpfs', 'escapes', root)


def make_overlay(root):
    """One where everything comes from below, and copy-up makes it anew."""
    layers = f'{BASE}/overlay-layers'
    os.makedirs(layers)
    places.run('mount', '-t', 'tmpfs', 'escapes', layers)
    for name in ('lower', 'upper', 'work'):
        os.makedirs(f'{layers}/{name}')
    fill(f'{layers}/lower')
    places.run('mount', '-t', 'overlay', '-o', f'lowerdir={layers}/lower,upperdir={layers}/upper,workdir={layers}/work', 'overlay', root)


def make_nfs(root):
    """Served by this very machine, version 4 alone: that needs no port mapper."""
    export = f'{BASE}/nfs-export'
    os.makedirs(export)
    places.mount_image('fs-nfs', export, places.EXT4, 'noatime', 32 << 20)
    places.run('modprobe', 'nfsd')
    if not os.path.ismount('/proc/fs/nfsd'):
        places.run('mount', '-t', 'nfsd', 'nfsd', '/proc/fs/nfsd')
    os.makedirs('/run/rpc_pipefs', exist_ok=True)
    os.makedirs('/var/lib/nfs/v4recovery', exist_ok=True)
    places.run('exportfs', '-o', 'rw,no_root_squash,insecure,no_subtree_check,fsid=0', f'127.0.0.1:{export}')
    places.run('rpc.mountd', '--no-nfs-version', '3')
    for name in ('nfsv4leasetime', 'nfsv4gracetime'):
        with open(f'/proc/fs/nfsd/{name}', 'w', encoding='ascii') as file:
            file.write('10')
    places.run('rpc.nfsd', '--no-udp', '--no-nfs-version', '3', '--host', '127.0.0.1', '2')
    places.run('mount', '-t', 'nfs4', '-o', 'noac', '127.0.0.1:/', root)


def make_fuse(root):
    below = f'{BASE}/fuse-below'
    os.makedirs(below)
    places.run('modprobe', 'fuse')
    places.run('bindfs', below, root)


MAKERS = {'ext4': make_ext4, 'xfs': make_xfs, 'btrfs': make_btrfs, 'tmpfs': make_tmpfs, 'overlay': make_overlay, 'nfs': make_nfs,
          'fuse': make_fuse}


def fill(root):
    for name in ('ds', 'closed', 'out'):
        os.makedirs(f'{root}/{name}', exist_ok=True)
    os.makedirs(f'{root}/out/folder', exist_ok=True)
    places.write(f'{root}/ds/f')
    places.write(f'{root}/ds/g')
    places.write(f'{root}/closed/p', b'secret\n')


def policies(cage, names):
    """A site and a policy of all of them."""
    datasets = [{'name': f'{name}-{part}', 'path': f'{BASE}/{name}/{part}'} for name in names for part in ('ds', 'closed')]
    site = cage.write('fs-site', {'version': 1, 'datasets': datasets})
    policy = cage.write('fs-policy', {
        'version': 1, 'name': 'file-systems', 'datasets': [{'name': f'{name}-ds', 'access': 'read'} for name in names],
        'filesystem': {'default': 'read', 'rules': [{'id': 'null', 'path': '/dev/null', 'access': 'write'}] + [
            {'id': f'{name}-out', 'path': f'{BASE}/{name}/out', 'access': 'write'} for name in names]},
        'exec': {'default': 'allow'}, 'egress': {'default': 'deny'},
        'capabilities': CAPABILITIES})
    return site, policy


def words(cage, name, program, attempt):
    root = f'{BASE}/{name}'
    return [f'{cage.programs}/{program}', attempt, f'{root}/ds', f'{root}/out', f'{root}/closed']


def try_denied(check, cage, shell, name, acts, when):
    answers = []
    for program, attempt, rule in acts:
        answer = shell.ask(*words(cage, name, program, attempt))
        check.that(f'{name}: {attempt} is refused {when}', not answer.is_won and answer.pid > 0, str(answer))
        answers.append((f'{name}: {attempt} {when}', f'dataset:{rule.format(name=name)}', answer))
    return answers


def picture(root):
    """Without what a server or a layer below tells anew: times of access and of inode change, inode numbers."""
    return {path: seen[:7] + seen[9:10] for path, seen in places.picture(root).items()}


def remount(root):
    for option in ('ro', 'rw'):
        places.run('mount', '--internal-only', '-o', f'remount,{option}', root)


def possible(name):
    return [act for act in DENIED if (name, act[1]) not in IMPOSSIBLE]


def run_outside(check, cage, names):
    shell = crew.Shell([])
    for name in names:
        for program, attempt, _ in possible(name):
            fill(f'{BASE}/{name}')
            answer = shell.ask(*words(cage, name, program, attempt))
            check.that(f'{name}: {attempt} succeeds in no job', answer.is_won, str(answer))
        for folder in ('ds', 'out'):
            if os.path.exists(f'{BASE}/{name}/{folder}/new'):
                os.unlink(f'{BASE}/{name}/{folder}/new')
        fill(f'{BASE}/{name}')
    shell.close()


def try_job(check, cage, names, job_name):
    """All of it in one job."""
    site, policy = policies(cage, names)
    job = crew.Job(cage, job_name, 'root', site=site, policy=policy)
    shell, answers = job.shell(), []
    for name in names:
        root = f'{BASE}/{name}'
        before = picture(f'{root}/ds')
        check.equal(f'{name}: the dataset can be read', shell.text('cat', f'{root}/ds/f'), 'data\n')
        check.equal(f'{name}: what is granted can be written',
                    shell.text('sh', '-c', f'echo own >{root}/out/own && cat {root}/out/own'), 'own\n')
        answers += try_denied(check, cage, shell, name, possible(name), 'in a job')
        remount(root)
        check.equal(f'{name}: remounted, the dataset can be read', shell.text('cat', f'{root}/ds/f'), 'data\n')
        answers += try_denied(check, cage, shell, name, REMOUNTED, 'when remounted')
        check.equal(f'{name}: the dataset is as it was', picture(f'{root}/ds'), before)
    shell.close()
    events = job.events()
    for what, rule, answer in answers:
        rules = {event['firewall_rule']['uid'] for event in crew.decisions_of(events, answer.pid)}
        check.equal(f'{what}: the rule', rules, {rule})


def twin_policies(cage, root):
    """What is granted in one subvolume has the number of a directory of each dataset."""
    site = cage.write('twin-site', {'version': 1, 'datasets': [
        {'name': name, 'path': f'{root}/{name}'} for name in ('twin-ds', 'twin-closed')]})
    return site, cage.write('twin-policy', {
        'version': 1, 'name': 'twins', 'datasets': [{'name': 'twin-ds', 'access': 'read'}], 'exec': {'default': 'allow'},
        'capabilities': CAPABILITIES,
        'filesystem': {'default': 'read', 'rules': [{'id': 'in', 'path': f'{root}/twin-out/in', 'access': 'write'},
                                                    {'id': 'out', 'path': f'{root}/out', 'access': 'write'}]}})


def try_twins(check, cage, root):
    """Subvolumes of one file system: no rule is about what has the same number in another."""
    numbers = {os.stat(f'{root}/{name}/in').st_ino for name in (*TWINS, 'out/snapshot')}
    check.equal('btrfs: the numbers repeat in each subvolume', len(numbers), 1)
    site, policy = twin_policies(cage, root)
    job = crew.Job(cage, 'twins', 'root', site=site, policy=policy)
    shell = job.shell()

    def ask(program, attempt, ds, closed='twin-closed'):
        return shell.ask(f'{cage.programs}/{program}', attempt, f'{root}/{ds}/in', f'{root}/out', f'{root}/{closed}/in')

    answers = [('a dataset is not written to by another one\'s grant', 'dataset:twin-ds', ask('f01_write', 'open-write', 'twin-ds')),
               ('a closed dataset is not read by another one\'s grant', 'dataset:twin-closed', ask('f14_read', 'open', 'twin-ds'))]
    for what, _, answer in answers:
        check.that(f'btrfs: {what}', not answer.is_won and answer.pid > 0, str(answer))
    for what, answer in (('what is granted can be written', ask('f01_write', 'open-write', 'twin-out')),
                         ('a snapshot is the rules\' of its place', ask('f01_write', 'open-write', 'out/snapshot')),
                         ('a dataset can be read', ask('f14_read', 'open', 'twin-ds', 'twin-ds'))):
        check.that(f'btrfs: {what}', answer.is_won, str(answer))
    shell.close()
    events = job.events()
    for what, rule, answer in answers:
        rules = {event['firewall_rule']['uid'] for event in crew.decisions_of(events, answer.pid)}
        check.equal(f'btrfs: {what}: the rule', rules, {rule})


def run(check, cage):
    for name, make in MAKERS.items():
        os.makedirs(f'{BASE}/{name}')
        started = time.monotonic()
        make(f'{BASE}/{name}')
        fill(f'{BASE}/{name}')
        print(f'{name}: made in {time.monotonic() - started:.1f} s', flush=True)
    run_outside(check, cage, list(MAKERS))
    try_job(check, cage, list(MAKERS), 'file-systems')
    try_twins(check, cage, f'{BASE}/btrfs')
