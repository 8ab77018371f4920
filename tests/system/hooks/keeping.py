# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The kernel's side of a job: who belongs to it, what is its own to write, and what is replaced under it.

Each denial stands beside the same act allowed, before or elsewhere; prove.py takes the hook away that labels tasks by place.
"""
import glob
import os
import re
import shutil
import time
from contextlib import contextmanager

import cases as table
import world
from cases import TMPFS
from keeper import Actor, Cgroup, Crowd, Keeper, Refused

SCRATCH = '/srv/hooks-scratch'
EXT4 = '/srv/hooks-ext4'
PINS = '/sys/fs/bpf/jobcage'
FOLDER = 'keeping'
DENIED, ALLOWED = f'{TMPFS}/ds/{FOLDER}/f', f'{TMPFS}/out/{FOLDER}/f'
OPEN_DENIED, OPEN_ALLOWED = f'open_write {DENIED}', f'open_write {ALLOWED}'

CROWD_PROCESSES, CROWD_THREADS = 50, 2
ATTEMPTS_MIN = 200  # or the crowd proves nothing
PASSES_MAX = 4
SWAPS, REPUBLISHED = 1000, 25


def expect(what, got, wanted):
    return [] if got == wanted else [f'{what} is {got}, not {wanted}']


def policy(exec_default='deny', rules=()):
    content = table.policy([], '/usr/bin/true')
    content['exec'] = {'default': exec_default, 'allow': ['/usr'] if exec_default == 'deny' else []}
    content['filesystem']['rules'] += list(rules)
    return content


@contextmanager
def job(keeper, name, under='first', cgroup=None):
    """A job in a cgroup of its own."""
    group = cgroup or Cgroup(f'hooks-{name}')
    group.slot = keeper.ask('job', name, under, group.path)
    yield group
    group.remove()
    keeper.ask('end', name)


# --- scratch -------------------------------------------------------------------------------------------------

# What a default of "read" denies on a file system without rules, and a scratch allows: {s} is the case's folder there.
WRITES = {
    'open': 'open_write {s}/f', 'create': 'creat {s}/new', 'mknod': 'mknod_fifo {s}/new', 'mkdir': 'mkdir {s}/new',
    'symlink': 'symlink x {s}/new', 'link': 'link {s}/f {s}/new', 'unlink': 'unlink {s}/f', 'rmdir': 'rmdir {s}/d',
    'rename': 'rename {s}/f {s}/new', 'truncate': 'truncate {s}/f', 'chmod': 'chmod {s}/f', 'chown': 'chown {s}/f',
}


def make_scratch(name):
    folder = f'{SCRATCH}/{name}'
    os.makedirs(f'{folder}/d')
    world.write(f'{folder}/f')
    world.copy_program(f'{folder}/tool')
    return folder


def test_scratch(report, keeper):
    """Writable while it is the job's scratch, and only then; run from there is what may be run from anywhere."""
    world.mount_tmpfs(SCRATCH)
    actor = Actor()
    with job(keeper, 'scratch') as group:
        keeper.ask('admit', 'scratch', actor.pid)
        for how, line in WRITES.items():
            line = line.format(s=make_scratch(how))
            complaints = expect('without a scratch it', actor.ask(f'here {line}'), 'EACCES')
            keeper.ask('scratch', 'scratch', SCRATCH)
            complaints += expect('on the scratch it', actor.ask(f'here {line}'), 'OK')
            complaints += expect('a write elsewhere', actor.ask(f'here {OPEN_DENIED}'), 'EACCES')
            keeper.ask('scratch', 'scratch', 'none')
            report.check(f'scratch {how}', complaints)
        keeper.ask('scratch', 'scratch', SCRATCH)
        test_scratch_exec(report, keeper, actor)
        test_scratch_rules(report, keeper, actor)
        actor.close()


def test_scratch_exec(report, keeper, actor):
    folder = make_scratch('exec')
    complaints = expect('under a default of deny it', actor.ask(f'fork exec {folder}/tool'), 'EACCES')
    keeper.policy('runs', policy('allow'))
    keeper.ask('swap', 'scratch', 'runs', 'runs', 0)
    complaints += expect('under a default of allow it', actor.ask(f'fork exec {folder}/tool'), 'OK')
    complaints += expect('the scratch after the policy was replaced', actor.ask(f'here open_write {folder}/f'), 'OK')
    keeper.ask('swap', 'scratch', 'first', 'first', 0)
    keeper.ask('drop', 'runs')
    report.check('scratch exec', complaints)


def test_scratch_rules(report, keeper, actor):
    """What a rule closes on that file system stays closed, and its root keeps its place."""
    folder = make_scratch('rules')
    keeper.policy('rules', policy(rules=[{'id': 'closed', 'path': f'{folder}/d', 'access': 'none'}]))
    keeper.ask('swap', 'scratch', 'rules', 'rules', 0)
    complaints = expect('listing a closed folder', actor.ask(f'here list {folder}/d'), 'EACCES')
    complaints += expect('removing it', actor.ask(f'here rmdir {folder}/d'), 'EACCES')
    complaints += expect('a write beside it', actor.ask(f'here open_write {folder}/f'), 'OK')
    keeper.ask('swap', 'scratch', 'first', 'first', 0)
    keeper.ask('drop', 'rules')
    report.check('scratch rules', complaints)


# --- who belongs to it ---------------------------------------------------------------------------------------

def complain_outside(actor, context):
    return (expect('outside, a write to the dataset', actor.ask(f'{context} {OPEN_DENIED}'), 'OK') +
            expect('outside, a write elsewhere', actor.ask(f'{context} {OPEN_ALLOWED}'), 'OK'))


def complain_inside(actor, context):
    return (expect('inside, a write to the dataset', actor.ask(f'{context} {OPEN_DENIED}'), 'EACCES') +
            expect('inside, a write elsewhere', actor.ask(f'{context} {OPEN_ALLOWED}'), 'OK'))


def test_entering(report, keeper):
    with job(keeper, 'entered') as group:
        below = Cgroup('below', group.path)
        for how, context, target in (('one thread', 'here', group), ('every thread', 'crew', group),
                                     ('a cgroup below', 'here', below)):
            actor = Actor()
            complaints = complain_outside(actor, context) + expect('the job', keeper.ask('whois', actor.pid), 'none')
            target.enter(actor.pid)
            complaints += complain_inside(actor, context) + complain_inside(actor, 'fork')
            complaints += expect('the job', keeper.ask('whois', actor.pid), 'entered')
            report.check(f'enter {how}', complaints)
            actor.close()
        for how, target in (('the cgroup', group), ('a cgroup below', below)):
            actor = Actor(born=target.path)
            complaints = complain_inside(actor, 'born') + complain_outside(actor, 'here') + complain_outside(actor, 'fork')
            report.check(f'born into {how}', complaints)
            actor.close()
        test_keeping_label(report, keeper)
        below.remove()


def test_keeping_label(report, keeper):
    """A task of one job that is moved into another's cgroup, or out of any, is the first one's still."""
    keeper.policy('open', policy(rules=[{'id': 'all', 'path': f'{TMPFS}/unruled', 'access': 'write'}]))
    actor = Actor()
    with job(keeper, 'other', 'open') as group, job(keeper, 'own') as own:
        keeper.ask('admit', 'own', actor.pid)
        group.enter(actor.pid)
        complaints = complain_inside(actor, 'here') + complain_inside(actor, 'fork')
        complaints += expect('in the other\'s cgroup the job', keeper.ask('whois', actor.pid), 'own')
        Cgroup('', os.path.dirname(group.path)).enter(actor.pid)
        complaints += complain_inside(actor, 'here') + expect('outside the job', keeper.ask('whois', actor.pid), 'own')
        actor.close()
    keeper.ask('drop', 'open')
    report.check('a label is kept', complaints)


def test_crowd(report, keeper):
    """A cgroup that is full when it becomes a job's: frozen, labelled until nobody is left, thawed."""
    group = Cgroup('hooks-crowd')
    crowd = Crowd(CROWD_PROCESSES, CROWD_THREADS, 'fork', DENIED, ALLOWED)
    crowd.enter(group)
    with job(keeper, 'crowd', cgroup=group):
        time.sleep(1)
        group.freeze(True)
        found = [int(keeper.ask('members', 'crowd'))]
        while found[-1] and len(found) < PASSES_MAX:
            found.append(int(keeper.ask('members', 'crowd')))
        crowd.begin()
        group.freeze(False)
        time.sleep(3)
        attempts, wrong = crowd.end()
        complaints = [] if found[0] >= CROWD_PROCESSES * CROWD_THREADS else [f'the first pass found {found[0]} tasks']
        complaints += expect('the last pass', found[-1], 0) + expect('wrong verdicts', wrong, 0)
        complaints += [] if attempts > ATTEMPTS_MIN else [f'only {attempts} attempts']
        report.say(f'crowd: {found[0]} tasks labelled, {attempts} attempts, {wrong} wrong')
        report.check('a full cgroup is labelled', complaints)


def test_crowd_moved(report, keeper):
    """Processes that fork all the time are moved into a job's cgroup: none of their children is left outside."""
    crowd = Crowd(CROWD_PROCESSES // 2, CROWD_THREADS, 'fork', DENIED, ALLOWED)
    with job(keeper, 'moved') as group:
        crowd.enter(group)
        crowd.begin()
        time.sleep(3)
        attempts, wrong = crowd.end()
        report.say(f'moved: {attempts} attempts, {wrong} wrong')
        report.check('processes that fork are moved', expect('wrong verdicts', wrong, 0) +
                     ([] if attempts > ATTEMPTS_MIN else [f'only {attempts} attempts']))


# --- replacement ---------------------------------------------------------------------------------------------

def test_replacement(report, keeper):
    """Two policies that agree on two files, swapped under threads that use these: no verdict may be wrong."""
    keeper.policy('second', policy('allow', [{'id': 'more', 'path': f'{TMPFS}/unruled', 'access': 'write'}]))
    crowd = Crowd(2, 1, 'stay', DENIED, ALLOWED)
    with job(keeper, 'swapped') as group:
        crowd.enter(group)
        crowd.begin()
        keeper.ask('swap', 'swapped', 'first', 'second', SWAPS)
        for i in range(REPUBLISHED):
            old, new = ('second', 'third') if i % 2 == 0 else ('third', 'second')
            keeper.policy(new, policy('allow'))
            keeper.ask('swap', 'swapped', new, new, 0)
            keeper.ask('drop', old)
        attempts, wrong = crowd.end()
        report.say(f'replacement: {SWAPS} swaps, {REPUBLISHED} slots withdrawn, {attempts} attempts, {wrong} wrong')
        report.check('replacement under load', expect('wrong verdicts', wrong, 0) +
                     ([] if attempts > ATTEMPTS_MIN else [f'only {attempts} attempts']))
        keeper.ask('swap', 'swapped', 'first', 'first', 0)
    keeper.ask('drop', 'third' if REPUBLISHED % 2 else 'second')


def test_refused_drop(report, keeper):
    with job(keeper, 'holder'):
        try:
            keeper.ask('drop', 'first')
            report.check('a slot in use is known', ['it was dropped'])
        except Refused:
            report.check('a slot in use is known', [])


# --- slots ---------------------------------------------------------------------------------------------------

def test_slots(report, keeper):
    """A slot's next job gets its ring, and nothing of what its last one left there."""
    actor = Actor()
    with job(keeper, 'before') as group:
        slot = group.slot
        keeper.ask('admit', 'before', actor.pid)
        for _ in range(5):
            actor.ask(f'here {OPEN_DENIED}')
        actor.close()
    actor = Actor()
    with job(keeper, 'after') as group:
        complaints = expect('the slot', group.slot, slot)
        complaints += expect('the new job\'s account', keeper.ask('stats', 'after'), '0 0 0')
        keeper.ask('admit', 'after', actor.pid)
        actor.ask(f'here {OPEN_DENIED}')
        complaints += expect('after one denial', keeper.ask('stats', 'after'), '1 0 1')
        keeper.ask('reset', 'after')
        complaints += expect('after the counters were reset', keeper.ask('stats', 'after'), '0 0 0')
        actor.ask(f'here {OPEN_DENIED}')
        complaints += expect('after another denial', keeper.ask('stats', 'after'), '1 0 1')
        actor.close()
    report.check('a slot is used again', complaints)
    start, end, grace = keeper.ask('time', 'first', 50).split()
    report.say(f'a job\'s start takes {start} us, its end {end} us, a grace period {grace} us')
    report.check('a start does not wait', [] if float(start) + float(end) < float(grace) / 2 else
                 [f'{start} and {end} us, and a grace period is {grace} us'])


def test_stale_label(report, keeper):
    """Who still has the label of a job that is gone is denied everything: the slot's next job, its rules and its account are not his."""
    keeper.policy('open', policy(rules=[{'id': 'all', 'path': TMPFS, 'access': 'write'}]))
    stale, fresh = Actor(), Actor()
    with job(keeper, 'gone') as group:
        slot = group.slot
        keeper.ask('admit', 'gone', stale.pid)
        complaints = complain_inside(stale, 'here')
        Cgroup('', os.path.dirname(group.path)).enter(stale.pid)
    with job(keeper, 'next', 'open') as group:
        complaints += expect('the slot', group.slot, slot) + expect('the job', keeper.ask('whois', stale.pid), 'stale')
        before = int(keeper.ask('kernel').split()[1])
        complaints += [f'{line} is {answer}' for line in (OPEN_ALLOWED, f'open_read {TMPFS}', f'mkdir {TMPFS}/out/new')
                       if (answer := stale.ask(f'here {line}')) != 'EACCES']
        complaints += expect('denied without a job', int(keeper.ask('kernel').split()[1]) - before, 3)
        complaints += expect('the next job\'s account', keeper.ask('stats', 'next'), '0 0 0')
        keeper.ask('admit', 'next', fresh.pid)
        complaints += expect('the same in the next job', fresh.ask(f'here {OPEN_ALLOWED}'), 'OK')
        fresh.close()
    stale.close()
    keeper.ask('drop', 'open')
    report.check('a label is no other job\'s', complaints)


# --- roots ---------------------------------------------------------------------------------------------------

def test_roots(report, keeper):
    base = f'{TMPFS}/out/roots'
    shutil.rmtree(base, ignore_errors=True)
    for name in ('kept', 'replaced', 'gone', 'mount', 'below/here'):
        os.makedirs(f'{base}/{name}')
    world.mount_tmpfs(f'{base}/mount')
    names = ('kept', 'replaced', 'gone', 'mount', 'below')
    rules = [{'id': name, 'path': f'{base}/{name}', 'access': 'read'} for name in names]
    keeper.policy('roots', policy(rules=rules + [{'id': 'absent', 'path': f'{base}/absent', 'access': 'none',
                                                  'optional': True}]))
    complaints = expect('before anything changed it', keeper.ask('roots', 'roots'), '')
    os.rename(f'{base}/replaced', f'{base}/old')
    os.makedirs(f'{base}/replaced')
    os.rmdir(f'{base}/gone')
    os.makedirs(f'{base}/absent')
    world.run('mount', '-o', 'remount,ro', f'{base}/mount')
    world.mount_tmpfs(f'{base}/below/here')
    inode = {name: os.stat(f'{base}/{name}').st_ino for name in ('replaced', 'old', 'absent')}
    found = dict(change.split(':', 1) for change in keeper.ask('roots', 'roots').split())
    wanted = {'replaced': f'replaced:0:{inode["old"]}:{inode["replaced"]}', 'absent': f'appeared:0:0:{inode["absent"]}',
              'mount': 'remounted:1:0:0', 'below': 'mount-below:0:0:0'}
    complaints += [] if re.fullmatch(r'gone:0:[1-9]\d*:0', found.pop('gone', '')) else ['what is gone is not told']
    complaints += expect('what changed', found, wanted)
    keeper.ask('drop', 'roots')
    for mount in ('mount', 'below/here'):
        world.run('umount', f'{base}/{mount}')
    report.check('roots are looked after', complaints)


# --- what is remembered of folders ---------------------------------------------------------------------------

def complain_place(actor, folder, wanted):
    """Twice: what was found at the first look is remembered for the second."""
    return [complaint for look in ('at first', 'then') for complaint in
            expect(f'{look}, a write below {folder}', actor.ask(f'here open_write {folder}/f'), wanted)]


def test_moved_folders(report, keeper):
    """Who may move folders does: what is in them is judged by where it is now, at once."""
    actor = Actor()
    with job(keeper, 'moved-folders'):
        keeper.ask('admit', 'moved-folders', actor.pid)
        for world_of, name in ((TMPFS, 'tmpfs'), (table.ROOT, 'root')):
            outside, inside = f'{world_of}/out/moving', f'{world_of}/ds/moving'
            for place in (outside, inside):
                shutil.rmtree(place, ignore_errors=True)
            world.write(f'{outside}/d/below/f')
            os.makedirs(inside)
            complaints = []
            for _ in range(3):
                complaints += complain_place(actor, f'{outside}/d/below', 'OK')
                os.rename(f'{outside}/d', f'{inside}/d')
                complaints += complain_place(actor, f'{inside}/d/below', 'EACCES')
                os.rename(f'{inside}/d', f'{outside}/d')
            complaints += complain_place(actor, f'{outside}/d/below', 'OK')
            report.check(f'a folder is moved ({name})', complaints)
    actor.close()


@contextmanager
def ext4():
    """A file system that gives a new folder the number of the last one that was removed."""
    image = '/tmp/hooks-ext4.img'
    with open(image, 'wb') as file:
        file.truncate(16 << 20)
    world.run('mkfs.ext4', '-q', image)
    os.makedirs(EXT4, exist_ok=True)
    world.run('mount', '-o', 'loop', image, EXT4)
    for name in ('open', 'closed'):
        os.mkdir(f'{EXT4}/{name}')
    yield
    world.run('umount', EXT4)
    os.unlink(image)


def test_removed_folders(report, keeper):
    """A folder that has a removed one's number is judged by its own place."""
    with ext4(), job(keeper, 'removed-folders'):
        keeper.policy('by-number', policy(rules=[{'id': name, 'path': f'{EXT4}/{name}', 'access': access}
                                                 for name, access in (('open', 'write'), ('closed', 'read'))]))
        keeper.ask('swap', 'removed-folders', 'by-number', 'by-number', 0)
        actor = Actor()
        keeper.ask('admit', 'removed-folders', actor.pid)
        complaints, numbers = [], set()
        for name, wanted in (('open', 'OK'), ('closed', 'EACCES')) * 3:
            folder = f'{EXT4}/{name}/d'
            world.write(f'{folder}/f')
            numbers.add(os.stat(folder).st_ino)
            complaints += complain_place(actor, folder, wanted)
            shutil.rmtree(folder)
        report.check('a number is given again', complaints + expect('the numbers of the folders', len(numbers), 1))
        actor.close()
        keeper.ask('swap', 'removed-folders', 'first', 'first', 0)
        keeper.ask('drop', 'by-number')


# --- pins ----------------------------------------------------------------------------------------------------

def test_pins(report, keeper):
    """Pins of the same layout are opened whoever made them; those of another are refused."""
    failures, denied, whose, programs = keeper.ask('kernel').split()
    complaints = expect('tasks not labelled', failures, '0') + expect('the build', whose, 'own')
    folder, = glob.glob(f'{PINS}/*')
    key, value = 'key 0 0 0 0'.split(), ' '.join(str(byte) for byte in b'0123456789abcdef'.ljust(64, b'\0')).split()
    world.run(world.BPFTOOL, 'map', 'update', 'pinned', f'{folder}/kernel_build', *key, 'value', *value)
    keeper.ask('again')
    complaints += expect('the build', keeper.ask('kernel').split()[2:], ['other', '0123456789abcdef'])
    report.check('pins of another build are used', complaints)
    os.rename(folder, f'{PINS}/fedcba9876543210')
    try:
        keeper.ask('again')
        complaints = ['it was opened']
    except Refused as refused:
        complaints = [] if 'fedcba9876543210' in str(refused) and '--teardown' in str(refused) else [str(refused)]
    os.rename(f'{PINS}/fedcba9876543210', folder)
    report.check('pins of another layout are refused', complaints)


def run(report, scratch):
    report.say('the kernel\'s side of a job')
    for path in (DENIED, ALLOWED, f'{TMPFS}/unruled/f'):
        world.write(path)
    keeper = Keeper(table.site(), scratch)
    keeper.policy('first', policy())
    for test in (test_scratch, test_entering, test_crowd, test_crowd_moved, test_replacement, test_refused_drop, test_slots,
                 test_stale_label, test_roots, test_moved_folders, test_removed_folders, test_pins):
        report.say(test.__name__)
        test(report, keeper)
    report.check('nothing is left', expect('the keeper\'s status', keeper.close(), 0) + glob.glob(f'{PINS}/*'))
