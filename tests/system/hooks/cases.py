# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The table: what is attempted, what the kernel must answer, and what the alert must say.

Each case has an act that a job must be denied, and as a rule its allowed sibling: the same act where the policy
grants it. Lines are those of tests/bpf/act.c without the name. In them and in paths:

    {w}  the file system it plays on; {t}  the case's own folder in the tree that is judged; {o}  a second folder
    of its own, always writable; {b}  {t} by a bind mount; {r}  {t} less {w}; {token}  the case's name

The objects that a line names (f, g: files; d: folder; l: symlink; tool: program; ...) are made anew for each run;
see world.py.
"""
import dataclasses
from dataclasses import dataclass

from capabilities import CAPABILITIES

TMPFS, ROOT, PLAIN = '/srv/hooks', '/srv/hooks-root', '/srv/hooks-plain'
# File systems that have quotas; the policy names the second.
QUOTA, QUOTA_OUT = '/srv/hooks-quota', '/srv/hooks-quota-out'
CHANGING = ('create', 'mknod', 'mkdir', 'symlink', 'link', 'unlink', 'rmdir', 'rename', 'truncate', 'chmod', 'chown', 'utimes', 'setxattr')
NOT_HERE = ('EPROTONOSUPPORT', 'ESOCKTNOSUPPORT', 'EAFNOSUPPORT', 'ENOSYS', 'EOPNOTSUPP')


@dataclass(frozen=True)
class Alert:
    event: str       # metadata.event_code
    rule: str        # firewall_rule.uid
    path: str = ''   # of the file that the event is about; '*' stands for anything
    path2: str = ''  # file_result.path
    ip: str = ''
    port: int = 0
    family: str = ''  # dst_endpoint.name where there is no address
    kernel: str = ''  # kernel.name

    @property
    def kind(self):
        if self.event.startswith('guard_'):
            return 'guard'
        return 'network' if self.event.startswith('net_') else 'exec' if self.event.startswith('exec') else 'file'


@dataclass(frozen=True)
class Case:
    name: str
    denied: str                  # a line, or '' if the case is only about what is allowed
    allowed: str = ''
    errno: str = 'EACCES'
    alerts: tuple = ()           # in enforce mode
    audit: tuple = None          # in audit mode, where an act goes on to further hooks; None: the same
    changes: bool = False        # the act leaves its mark on a file system
    guarded: tuple = ()          # folders that a denied act must leave as they are
    folders: tuple = ()          # the case's own folders
    arrives: bool = False        # the listener hears of it
    rules: tuple = ()            # file rules that only this case needs: (id, path, access)
    needs: str = ''              # what the kernel must have for it; the case is skipped if the answer outside is NOT_HERE

    def in_audit(self):
        return self.alerts if self.audit is None else self.audit


# --- files -----------------------------------------------------------------------------------------------------

# Denied below a dataset granted "read", allowed where "write" is granted: (name, line, event, path, path2).
WRITES = [
    ('open-write', 'here open_write {t}/f', 'file_open_write', '{t}/f'),
    ('open-rdwr', 'here open_rdwr {t}/f', 'file_open_write', '{t}/f'),
    ('open-append', 'here open_append {t}/f', 'file_open_write', '{t}/f'),
    ('open-trunc', 'here open_trunc {t}/f', 'file_open_write', '{t}/f'),
    ('open-rewrite', 'here open_rewrite {t}/f', 'file_open_write', '{t}/f'),
    ('open-at', 'here open_at {t} f', 'file_open_write', '{t}/f'),
    ('open-reopen', 'here reopen {t}/f', 'file_open_write', '{t}/f'),
    ('open-symlink', 'here open_write {o}/via', 'file_open_write', '{t}/f'),
    ('open-proc-root', 'here open_write /proc/self/root{t}/f', 'file_open_write', '{t}/f'),
    ('open-bind-mount', 'here open_write {b}/f', 'file_open_write', '{b}/f'),
    ('open-handle', 'here open_by_handle {t}/f {w}', 'file_open_write', '{t}/f'),
    ('open-in-chroot', 'here open_in_chroot {w} {r}/f', 'file_open_write', '{t}/f'),
    ('open-tmpfile', 'here open_tmpfile {t}', 'file_open_write', '*'),
    ('open-uring', 'here uring_open_write sync {t}/f', 'file_open_write', '{t}/f'),
    ('open-uring-worker', 'here uring_open_write async {t}/f', 'file_open_write', '{t}/f'),
    ('open-fork', 'fork open_write {t}/f', 'file_open_write', '{t}/f'),
    ('open-thread', 'thread open_write {t}/f', 'file_open_write', '{t}/f'),
    ('open-vfork', 'vfork open_write {t}/f', 'file_open_write', '{t}/f'),
    ('open-clone-vm', 'clonevm open_write {t}/f', 'file_open_write', '{t}/f'),
    ('open-daemon', 'daemon open_write {t}/f', 'file_open_write', '{t}/f'),
    ('open-left-cgroup', 'left open_write {t}/f', 'file_open_write', '{t}/f'),
    ('creat', 'here creat {t}/new', 'file_create', '{t}/new'),
    ('creat-read', 'here creat_read {t}/new', 'file_create', '{t}/new'),
    ('mknod-file', 'here mknod_file {t}/new', 'file_create', '{t}/new'),
    ('mknod-fifo', 'here mknod_fifo {t}/new', 'file_mknod', '{t}/new'),
    ('mknod-device', 'here mknod_chr {t}/new', 'file_mknod', '{t}/new'),
    ('mknod-socket', 'here mknod_sock {t}/new', 'file_mknod', '{t}/new'),
    ('bind-unix', 'here bind_unix {t}/new', 'file_mknod', '{t}/new'),
    ('mkdir', 'here mkdir {t}/new', 'file_mkdir', '{t}/new'),
    ('symlink', 'here symlink /etc/passwd {t}/new', 'file_symlink', '{t}/new'),
    ('link-in', 'here link {o}/f {t}/new', 'file_link', '{o}/f', '{t}/new'),
    ('link-out', 'here link {t}/f {o}/new', 'file_link', '{t}/f', '{o}/new'),
    ('link-fd', 'here link_fd {t}/f {o}/new', 'file_link', '{t}/f', '{o}/new'),
    ('link-tmpfile', 'here link_tmpfile {o} {t}/new', 'file_link', '*', '{t}/new'),
    ('unlink', 'here unlink {t}/f', 'file_unlink', '{t}/f'),
    ('unlink-symlink', 'here unlink {t}/l', 'file_unlink', '{t}/l'),
    ('unlink-uring', 'here uring_unlink async {t}/f', 'file_unlink', '{t}/f'),
    ('unlink-daemon', 'daemon unlink {t}/f', 'file_unlink', '{t}/f'),
    ('unlink-left-cgroup', 'left unlink {t}/f', 'file_unlink', '{t}/f'),
    ('rmdir', 'here rmdir {t}/d', 'file_rmdir', '{t}/d'),
    ('rename-within', 'here rename {t}/f {t}/new', 'file_rename', '{t}/f', '{t}/new'),
    ('rename-in', 'here rename {o}/f {t}/new', 'file_rename', '{o}/f', '{t}/new'),
    ('rename-out', 'here rename {t}/f {o}/new', 'file_rename', '{t}/f', '{o}/new'),
    ('rename-over', 'here rename {o}/f {t}/f', 'file_rename', '{o}/f', '{t}/f'),
    ('rename-folder', 'here rename {t}/d {t}/new', 'file_rename', '{t}/d', '{t}/new'),
    ('rename-noreplace', 'here rename_noreplace {o}/f {t}/new', 'file_rename', '{o}/f', '{t}/new'),
    ('rename-whiteout', 'here whiteout {t}/f {t}/new', 'file_rename', '{t}/f', '{t}/new'),
    ('exchange-within', 'here exchange {t}/f {t}/g', 'file_rename', '{t}/f', '{t}/g'),
    ('exchange-in', 'here exchange {o}/f {t}/g', 'file_rename', '{o}/f', '{t}/g'),
    ('exchange-out', 'here exchange {t}/f {o}/g', 'file_rename', '{t}/f', '{o}/g'),
    ('truncate', 'here truncate {t}/f', 'file_truncate', '{t}/f'),
    ('chmod', 'here chmod {t}/f', 'file_chmod', '{t}/f'),
    ('chmod-folder', 'here chmod {t}/d', 'file_chmod', '{t}/d'),
    ('fchmod', 'here fchmod {t}/f', 'file_chmod', '{t}/f'),
    ('fchmodat', 'here fchmodat {t}/f', 'file_chmod', '{t}/f'),
    ('chown', 'here chown {t}/f', 'file_chown', '{t}/f'),
    ('lchown', 'here lchown {t}/l', 'file_chown', '{t}/l'),
    ('chown-by-path-fd', 'here chown_empty_path {t}/f', 'file_chown', '{t}/f'),
    ('fchown', 'here fchown {t}/f', 'file_chown', '{t}/f'),
    ('utimes', 'here utimes {t}/f', 'file_utimes', '{t}/f'),
    ('utimes-folder', 'here utimes {t}/d', 'file_utimes', '{t}/d'),
    ('futimes', 'here futimes {t}/f', 'file_utimes', '{t}/f'),
    # By children: who has used io_uring is not believed to act for an overlay.
    ('setxattr', 'fork setxattr {t}/f', 'file_setxattr', '{t}/f'),
    ('setxattr-link', 'fork lsetxattr {t}/l', 'file_setxattr', '{t}/l'),
    ('fsetxattr', 'fork fsetxattr {t}/f', 'file_setxattr', '{t}/f'),
    ('removexattr', 'fork removexattr {t}/f', 'file_removexattr', '{t}/f'),
    ('acl-set', 'fork set_acl {t}/f', 'file_acl', '{t}/f'),
    ('acl-remove', 'fork remove_acl {t}/f', 'file_acl', '{t}/f'),
    ('ioctl-flags', 'here set_flags {t}/f', 'file_ioctl', '{t}/f'),
    ('ioctl-flags-32', 'here set_flags_32 {t}/f', 'file_ioctl', '{t}/f'),
    ('ioctl-unknown', 'here unknown_ioctl {t}/f', 'file_ioctl', '{t}/f'),
    ('file-setattr', 'here file_setattr {t}/f', 'file_setattr', '{t}/f'),
]

# Denied below a dataset that was not granted, allowed below one granted "read".
READS = [
    ('read-file', 'here open_read {t}/f', 'file_open_read', '{t}/f'),
    ('read-listing', 'here list {t}', 'file_open_read', '{t}'),
    ('read-symlink', 'here open_read {o}/via', 'file_open_read', '{t}/f'),
    ('read-bind-mount', 'here open_read {b}/f', 'file_open_read', '{b}/f'),
    ('read-daemon', 'daemon open_read {t}/f', 'file_open_read', '{t}/f'),
    ('chroot', 'here chroot {t}', 'file_chroot', '{t}'),
    ('getxattr', 'fork getxattr {t}/f', 'file_getxattr', '{t}/f'),
    ('readlink', 'here readlink {t}/l', 'file_readlink', '{t}/l'),
    ('watch', 'here watch {t}', 'file_watch', '{t}'),
    ('watch-file', 'here watch {t}/f', 'file_watch', '{t}/f'),
]

# What the file system under "/" may not have: an overlay, in the VM, has no handles, whiteouts or, once, O_TMPFILE.
TMPFS_ONLY = {'open-handle', 'open-tmpfile', 'link-tmpfile', 'rename-whiteout', 'file-setattr'}
NEEDS = {'file-setattr': 'file_setattr()'}
TRUNCATING = {'open-trunc', 'open-rewrite'}


def places(world, tree, name):
    """The words that lines and paths of a case are made of."""
    return {'w': world, 't': f'{world}/{tree}/{name}', 'o': f'{world}/out/{name}.own', 'r': f'/{tree}/{name}',
            'b': f'{world}/bind/{tree}/{name}', 'token': name}


def file_case(world, row, tree, rule, allowed_tree, release):
    base, line, event, path, *path2 = row
    name = base if world == TMPFS else f'{base}.root'
    here, there = places(world, tree, name), places(world, allowed_tree, f'{name}.allowed')
    event = event_in(event, base, release)
    alert = Alert(event, rule, path.format(**here), path2[0].format(**here) if path2 else '')
    return Case(name, line.format(**here), line.format(**there), alerts=(alert,),
                audit=audit_alerts(base, alert, release),
                changes=event.removeprefix('file_') in CHANGING or base in TRUNCATING,
                guarded=(here['t'], here['o']), folders=(here['t'], here['o'], there['t'], there['o']), needs=NEEDS.get(base, ''))


def event_in(event, base, release):
    """Before 6.2 an access control list is an extended attribute like any other."""
    if event == 'file_acl' and release < (6, 2):
        return 'file_setxattr' if base == 'acl-set' else 'file_removexattr'
    return event


def audit_alerts(base, alert, release):
    """An act that one hook lets through meets the next one, which would deny it too."""
    opened = dataclasses.replace(alert, event='file_open_write')
    if base == 'creat':
        return (alert, opened)
    # An open that truncates is a truncation too.
    if base in TRUNCATING:
        return (alert, dataclasses.replace(alert, event='file_truncate'))
    if base == 'ioctl-flags' and release >= (6, 17):
        return (alert, dataclasses.replace(alert, event='file_setattr'))
    return None


def tree_cases(release):
    for world, suffix in ((TMPFS, ''), (ROOT, '-root')):
        for row in WRITES:
            if world == TMPFS or row[0] not in TMPFS_ONLY:
                yield file_case(world, row, 'ds', f'dataset:ds{suffix}', 'out', release)
        for row in READS:
            yield file_case(world, row, 'closed', f'dataset:closed{suffix}', 'ds', release)


def own_case(name, denied, allowed, event, rule, path, path2='', rules=(), folders=('{o}',), audit=None):
    """A case that plays in its own folder, on rules of its own."""
    here = places(TMPFS, 'out', name)
    fill = lambda text: text.format(**here)
    alert = Alert(event, rule, fill(path), fill(path2))
    rules = tuple((rule_id, fill(rule_path), access) for rule_id, rule_path, access in rules)
    folders = tuple(map(fill, folders))
    return Case(name, fill(denied), fill(allowed), alerts=(alert,), rules=rules, guarded=folders, folders=folders,
                changes='open' not in event, audit=audit)


def mount_cases():
    """A job mounts nothing, by whatever call."""
    def mount_case(name, line, event, path, path2=''):
        here = places(TMPFS, 'out', name)
        alert = Alert(event, 'mounts', path.format(**here), path2.format(**here))
        return Case(name, line.format(**here), alerts=(alert,), folders=(here['o'],))

    new_fs = Alert('file_mount', 'mounts', '*')
    tmpfs = mount_case('mount-tmpfs', 'here mount_tmpfs {o}/d', 'file_mount', '{o}/d')
    unmount = Alert('file_umount', 'mounts', f'{TMPFS}/out/mount-tmpfs.own/d')
    yield dataclasses.replace(tmpfs, audit=(tmpfs.alerts[0], new_fs, unmount))
    bind = mount_case('mount-bind', 'here mount_bind {o}/keep {o}/keep2', 'file_mount', '{o}/keep2')
    yield dataclasses.replace(bind, audit=(bind.alerts[0], Alert('file_umount', 'mounts', f'{TMPFS}/out/mount-bind.own/keep2')))
    yield mount_case('mount-new-fs', 'here new_fs tmpfs', 'file_mount', '*')
    yield mount_case('mount-reconfigure', 'here reconfigure /proc', 'file_remount', '/proc')
    tree = mount_case('mount-move', 'here attach_tree {o}/keep {o}/keep2', 'file_move_mount', '*', '{o}/keep2')
    yield dataclasses.replace(tree, audit=(tree.alerts[0], Alert('file_umount', 'mounts', f'{TMPFS}/out/mount-move.own/keep2')))
    yield mount_case('umount', 'here umount_root', 'file_umount', '/')
    yield mount_case('pivot-root', 'here pivot {o}/d', 'file_pivot_root', '{o}/d')


def descriptor_cases():
    """What was not granted is not received either; what alters nothing is nobody's business."""
    ring = Case('receive-ring', 'here receive_ring', alerts=(Alert('file_receive_read', 'builtin:foreign-ring', '*'),))
    yield dataclasses.replace(ring, alerts=(dataclasses.replace(ring.alerts[0], event='file_receive_write'),))
    here = places(TMPFS, 'ds', 'dedupe')
    yield Case('dedupe', f'here dedupe {here["t"]}/f', folders=(here['t'],),
               alerts=(Alert('file_ioctl', 'builtin:indirect-ioctl', f'{here["t"]}/f'),))
    yield Case('type-ahead', 'here type_ahead', alerts=(Alert('file_ioctl', 'builtin:terminal-input', '*'),))
    yield Case('device', 'here open_read /dev/cpu_dma_latency', 'here open_read /dev/zero',
               alerts=(Alert('file_open_read', 'builtin:devices', '/dev/cpu_dma_latency'),))
    yield from device_cases()
    for act in ('receive_read', 'receive_path', 'get_flags', 'ask_terminal'):
        here = places(TMPFS, 'ds', f'only-{act}')
        yield Case(f'only-{act}', '', f'here {act} {here["t"]}/f', folders=(here['t'],))


def device_cases():
    """The policy names the devices of FUSE. Where no rule is near, at a place that a rule closes, and as nodes that are made."""
    yield Case('device-named', f'here open_read {TMPFS}/nodes/latency', f'here open_rdwr {TMPFS}/nodes/fuse',
               alerts=(Alert('file_open_read', 'builtin:devices', f'{TMPFS}/nodes/latency'),))
    yield own_case('device-closed', 'here open_read {o}/keep/fuse', 'here open_rdwr {o}/fuse', 'file_open_read', 'device-closed',
                   '{o}/keep/fuse', rules=[('device-closed', '{o}/keep', 'none')])
    yield own_case('device-node', 'here mknod_dev {o}/new 10 232', 'here mknod_dev {o}/new2 10 229', 'file_mknod', 'builtin:device-nodes',
                   '{o}/new')
    # What a device may be told is open with it, but its node is not the job's to change.
    yield Case('device-mode', f'here chmod {TMPFS}/nodes/fuse', alerts=(Alert('file_chmod', 'filesystem.default', f'{TMPFS}/nodes/fuse'),))


def rule_cases():
    """Which rule is the nearest; and that rules' roots keep their place."""
    default = f'{PLAIN}/f'
    yield own_case('default-same-fs', 'here open_write {w}/unnamed', 'here open_read {w}/unnamed', 'file_open_write',
                   'filesystem.default', '{w}/unnamed')
    yield own_case('default-other-fs', f'here open_write {default}', f'here open_read {default}', 'file_open_write',
                   'filesystem.default', default)
    for how in ('sync', 'async'):
        case = own_case(f'default-uring-as-other-{how}', f'fork uring_setxattr_as_other {how} {{w}}/unnamed',
                        f'fork uring_setxattr_as_other {how} {{o}}/f', 'file_setxattr', 'filesystem.default', '{w}/unnamed')
        yield dataclasses.replace(case, changes=False)  # not in its own folder
    yield own_case('nearest-read-in-write', 'here open_write {o}/keep/f', 'here open_write {o}/f', 'file_open_write',
                   'nearest-read', '{o}/keep/f', rules=[('nearest-read', '{o}/keep', 'read')])
    yield own_case('nearest-none-in-write', 'here open_read {o}/keep/f', 'here open_read {o}/f', 'file_open_read',
                   'nearest-none', '{o}/keep/f', rules=[('nearest-none', '{o}/keep', 'none')])
    yield own_case('nearest-write-in-none', 'here open_read {o}/f', 'here open_write {o}/keep/f', 'file_open_read',
                   'nearest-outer', '{o}/f', rules=[('nearest-outer', '{o}', 'none'), ('nearest-inner', '{o}/keep', 'write')])
    yield own_case('rule-of-one-file', 'here open_write {o}/f', 'here open_write {o}/g', 'file_open_write', 'one-file',
                   '{o}/f', rules=[('one-file', '{o}/f', 'read')])
    yield own_case('move-root', 'here rename {o}/keep {o}/new', 'here rename {o}/d {o}/new2', 'file_rename',
                   'builtin:protected-path', '{o}/keep', '{o}/new', rules=[('move-root', '{o}/keep', 'write')])
    yield own_case('move-root-of-read', 'here rename {o}/keep {o}/new', 'here rename {o}/d {o}/new2', 'file_rename',
                   'move-read', '{o}/keep', '{o}/new', rules=[('move-read', '{o}/keep', 'read')])
    yield own_case('move-ancestor', 'here rename {o}/d {o}/new', 'here rename {o}/keep {o}/new2', 'file_rename',
                   'builtin:protected-path', '{o}/d', '{o}/new', rules=[('move-ancestor', '{o}/d/keep', 'read')])
    yield own_case('move-over-root', 'here rename {o}/f {o}/g', 'here rename {o}/f {o}/new', 'file_rename',
                   'builtin:protected-path', '{o}/f', '{o}/g', rules=[('move-over', '{o}/g', 'write')])
    yield own_case('exchange-ancestor', 'here exchange {o}/keep {o}/d', 'here exchange {o}/f {o}/g', 'file_rename',
                   'builtin:protected-path', '{o}/keep', '{o}/d', rules=[('exchange-ancestor', '{o}/d/keep', 'read')])
    yield own_case('remove-root', 'here rmdir {o}/keep2', 'here rmdir {o}/d', 'file_rmdir', 'builtin:protected-path',
                   '{o}/keep2', rules=[('remove-root', '{o}/keep2', 'write')])
    yield own_case('remove-root-file', 'here unlink {o}/f', 'here unlink {o}/g', 'file_unlink',
                   'builtin:protected-path', '{o}/f', rules=[('remove-root-file', '{o}/f', 'write')])
    yield own_case('too-deep', 'here open_deep {o}/deep 260', 'here open_deep {o}/deep 200', 'file_open_read',
                   'builtin:walk-limit', '{o}/deep/*/f')


# --- programs --------------------------------------------------------------------------------------------------

def exec_case(name, denied, allowed, rule, path, is_mapped=True):
    """In audit mode a program that runs is mapped, too; a script is not."""
    here = places(TMPFS, 'out', name)
    alert = Alert('exec', rule, path.format(**here))
    audit = (alert, dataclasses.replace(alert, event='exec_map')) if is_mapped else None
    return Case(name, denied.format(**here), allowed.format(**here), alerts=(alert,), folders=(here['o'],), audit=audit)


def exec_cases():
    listed = 'here exec {w}/bin/tool'
    yield exec_case('exec-unlisted', 'here exec {o}/tool', listed, 'exec.default', '{o}/tool')
    yield exec_case('exec-listed-name', 'here exec {o}/bin/true', 'here exec /usr/bin/true', 'exec.default', '{o}/bin/true')
    yield exec_case('exec-symlink', 'here exec {o}/via-tool', 'here exec {o}/via-bin', 'exec.default', '{o}/tool')
    yield exec_case('exec-deny-rule', 'here exec {w}/bin/closed', listed, 'no-closed', '{w}/bin/closed')
    yield exec_case('exec-fork', 'fork exec {o}/tool', 'fork exec {w}/bin/tool', 'exec.default', '{o}/tool')
    yield exec_case('exec-daemon', 'daemon exec {o}/tool', 'daemon exec {w}/bin/tool', 'exec.default', '{o}/tool')
    yield exec_case('exec-left-cgroup', 'left exec {o}/tool', 'left exec {w}/bin/tool', 'exec.default', '{o}/tool')
    yield exec_case('exec-memfd', 'here exec_memfd {w}/bin/tool', listed, 'builtin:nameless-exec', '*')
    yield exec_case('exec-deleted', 'here exec_deleted {o}/tool', listed, 'builtin:nameless-exec', '*')
    yield exec_case('exec-tmpfile', 'here exec_tmpfile {w}/bin/tool {o}', listed, 'builtin:nameless-exec', '*')
    yield exec_case('exec-script', 'here exec {o}/script', 'here exec {w}/bin/script', 'exec.default', '{o}/script', is_mapped=False)
    yield exec_case('exec-interpreter', 'here exec {w}/bin/script-of-unlisted', 'here exec {w}/bin/script', 'exec.default',
                    '{w}/out/interpreter/tool')
    yield exec_case('exec-chain', 'here exec {w}/bin/chain-to-unlisted', 'here exec {w}/bin/chain', 'exec.default',
                    '{w}/out/interpreter/tool')
    yield closed_exec_case()
    yield map_case('map', 'here map {o}/tool', 'here map {w}/bin/tool', 'exec.default', '{o}/tool')
    yield map_case('map-late', 'here map_late {o}/tool', 'here map_late {w}/bin/tool', 'exec.default', '{o}/tool')
    yield map_case('map-deny-rule', 'here map {w}/bin/closed', 'here map {w}/bin/tool', 'no-closed', '{w}/bin/closed')
    yield map_case('map-memfd', 'here map_memfd', 'here map_memory', 'builtin:nameless-exec', '*')


def map_case(name, denied, allowed, rule, path):
    here = places(TMPFS, 'out', name)
    return Case(name, denied.format(**here), allowed.format(**here), alerts=(Alert('exec_map', rule, path.format(**here)),),
                folders=(here['o'],))


def closed_exec_case():
    """Running a program opens it first, so a closed dataset answers before the list of programs does."""
    here = places(TMPFS, 'closed', 'exec-closed')
    alert = Alert('file_open_read', 'dataset:closed', f'{here["t"]}/tool')
    return Case('exec-closed', f'here exec {here["t"]}/tool', f'here exec {here["w"]}/bin/tool', alerts=(alert,),
                audit=(alert, *(Alert(event, 'exec.default', f'{here["t"]}/tool') for event in ('exec', 'exec_map'))), folders=(here['t'],))


# --- network ---------------------------------------------------------------------------------------------------

# The policy: 7001 by both, 7003 by TCP only, 7004 by UDP only, on these two. Listeners: everywhere, by both, 7001-7004.
LISTED, PORTS = ('127.0.0.1', '::1'), (7001, 7002, 7003, 7004)
LISTENING = ('127.0.0.1', '127.0.0.2', '192.0.2.1', '::1', '2001:db8::1')

# (name, line with {d} for the destination, the denied destination, the allowed one, address as judged if it is another)
CONNECTS = [
    ('tcp4-address', 'here tcp {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('tcp4-own-address', 'here tcp {d}', '192.0.2.1 7001', '127.0.0.1 7001'),
    ('tcp4-port', 'here tcp {d}', '127.0.0.1 7002', '127.0.0.1 7003'),
    ('tcp4-protocol', 'here tcp {d}', '127.0.0.1 7004', '127.0.0.1 7001'),
    ('tcp4-any', 'here tcp {d}', '0.0.0.0 7002', '0.0.0.0 7001', '127.0.0.1'),
    ('tcp6-address', 'here tcp {d}', '2001:db8::1 7001', '::1 7001'),
    ('tcp6-port', 'here tcp {d}', '::1 7002', '::1 7003'),
    ('tcp6-protocol', 'here tcp {d}', '::1 7004', '::1 7001'),
    ('tcp6-any', 'here tcp {d}', ':: 7002', ':: 7001', '::1'),
    ('tcp-mapped', 'here tcp {d}', '::ffff:127.0.0.2 7001', '::ffff:127.0.0.1 7001', '127.0.0.2'),
    ('tcp-mapped-any', 'here tcp {d}', '::ffff:0.0.0.0 7002', '::ffff:0.0.0.0 7001', '127.0.0.1'),
    ('tcp-fork', 'fork tcp {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('tcp-thread', 'thread tcp {d}', '2001:db8::1 7001', '::1 7001'),
    ('tcp-vfork', 'vfork tcp {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('tcp-daemon', 'daemon tcp {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('tcp-uring', 'here uring_connect sync {d}', '192.0.2.1 7001', '127.0.0.1 7001'),
    ('tcp-uring-worker', 'here uring_connect async {d}', '2001:db8::1 7001', '::1 7001'),
    ('udp4-connect', 'here udp_connect {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('udp4-connect-protocol', 'here udp_connect {d}', '127.0.0.1 7003', '127.0.0.1 7004'),
    ('udp6-connect', 'here udp_connect {d}', '2001:db8::1 7001', '::1 7001'),
    ('udp-mapped-connect', 'here udp_connect {d}', '::ffff:127.0.0.2 7001', '::ffff:127.0.0.1 7001', '127.0.0.2'),
]
# Connections from within sendto(): only the cgroup's programs see them.
FAST_OPENS = [
    ('fast-open4', 'here tcp_fast_open {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('fast-open4-port', 'here tcp_fast_open {d}', '127.0.0.1 7002', '127.0.0.1 7001'),
    ('fast-open6', 'here tcp_fast_open {d}', '2001:db8::1 7001', '::1 7001'),
    ('fast-open-mapped', 'here tcp_fast_open {d}', '::ffff:127.0.0.2 7001', '::ffff:127.0.0.1 7001', '127.0.0.2'),
]
DATAGRAMS = [
    ('udp4-address', 'here udp {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('udp4-port', 'here udp {d}', '127.0.0.1 7002', '127.0.0.1 7004'),
    ('udp4-protocol', 'here udp {d}', '127.0.0.1 7003', '127.0.0.1 7001'),
    ('udp4-any', 'here udp {d}', '0.0.0.0 7002', '0.0.0.0 7001', '127.0.0.1'),
    ('udp6-address', 'here udp {d}', '2001:db8::1 7001', '::1 7001'),
    ('udp6-port', 'here udp {d}', '::1 7002', '::1 7004'),
    ('udp6-any', 'here udp {d}', ':: 7002', ':: 7001', '::1'),
    ('udp-mapped', 'here udp {d}', '::ffff:127.0.0.2 7001', '::ffff:127.0.0.1 7001', '127.0.0.2'),
    ('udp-v4-on-v6', 'here udp_v4_on_v6 {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('udp-no-family', 'here udp_unspec {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('udp4-sendmsg', 'here udp_sendmsg {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
    ('udp6-sendmsg', 'here udp_sendmsg {d}', '2001:db8::1 7001', '::1 7001'),
    ('udp4-sendmmsg', 'here udp_sendmmsg 127.0.0.1 7001 {d}', '127.0.0.2 7001', '127.0.0.1 7004'),
    ('udp6-sendmmsg', 'here udp_sendmmsg ::1 7001 {d}', '2001:db8::1 7001', '::1 7004'),
    ('udp4-elsewhere', 'here udp_elsewhere 127.0.0.1 7001 {d}', '127.0.0.2 7001', '127.0.0.1 7004'),
    ('udp6-elsewhere', 'here udp_elsewhere ::1 7001 {d}', '2001:db8::1 7001', '::1 7004'),
    ('udp-uring', 'here uring_udp sync {d}', '192.0.2.1 7001', '127.0.0.1 7001'),
    ('udp-uring-worker', 'here uring_udp async {d}', '2001:db8::1 7001', '::1 7001'),
    ('udp-thread', 'thread udp {d}', '127.0.0.2 7001', '127.0.0.1 7001'),
]


def net_case(row, event, errno, rule='egress.default', **more):
    name, line, denied, allowed, *judged = row
    ip, port = denied.split()
    # Whose port it is on the loopback only the cgroup's programs know.
    if errno == 'EACCES' and (judged[0] if judged else ip).startswith(('127.', '::1')):
        errno = 'EPERM'
    alert = Alert(event, rule, ip=judged[0] if judged else ip, port=int(port))
    return Case(name, f'{line.format(d=denied)} {name}', f'{line.format(d=allowed)} {name}/allowed' if allowed else '',
                errno=errno, alerts=(alert,), arrives=True, **more)


def net_cases():
    for row in CONNECTS:
        case = net_case(row, 'net_connect', 'EACCES')
        # What is sent on a connected socket is judged anew if it goes to a mapped address.
        again = (case.alerts[0], dataclasses.replace(case.alerts[0], event='net_sendmsg'))
        yield dataclasses.replace(case, audit=again) if case.name == 'udp-mapped-connect' else case
    for row in FAST_OPENS:
        yield net_case(row, 'net_connect', 'EPERM')
    for row in DATAGRAMS:
        case = net_case(row, 'net_sendmsg', 'EPERM')
        # sendmmsg() keeps the error of a second message to itself, so the act asks once more.
        twice = 'sendmmsg' in case.name
        yield dataclasses.replace(case, alerts=2 * case.alerts, audit=case.alerts) if twice else case
    yield Case('tcp-left-cgroup', 'left tcp 127.0.0.2 7003 tcp-left-cgroup', arrives=True,
               alerts=(Alert('net_socket', 'builtin:left-cgroup', family='AF_INET'),),
               audit=(Alert('net_socket', 'builtin:left-cgroup', family='AF_INET'),
                      Alert('net_connect', 'egress.default', ip='127.0.0.2', port=7003)))
    # Of classes that the policy names: judged like the protocol that is on the wire.
    yield net_case(('mptcp', 'here mptcp {d}', '127.0.0.2 7001', '127.0.0.1 7003'), 'net_connect', 'EACCES', needs='MPTCP')
    yield net_case(('mptcp-fast-open', 'here mptcp_fast_open {d}', '127.0.0.2 7001', ''), 'net_connect', 'EPERM',
                   needs='MPTCP fast open')
    udplite = net_case(('udplite', 'here udplite {d}', '127.0.0.2 7001', '127.0.0.1 7001'), 'net_connect', 'EACCES',
                       needs='UDP-Lite')
    yield dataclasses.replace(udplite, arrives=False, errno='EACCES')
    yield Case('vsock', 'here vsock 1 7001 vsock', arrives=True, needs='AF_VSOCK',
               alerts=(Alert('net_socket', 'sockets.default', family='AF_VSOCK'),),
               audit=tuple(Alert(event, 'sockets.default', family='AF_VSOCK') for event in ('net_socket', 'net_connect')))
    yield from socket_cases()
    yield from unix_cases()
    yield from received_socket_cases()
    yield Case('disconnect', '', 'here disconnect 127.0.0.1 7001 -')
    yield Case('unix', '', 'here unix jobcage-hooks')
    yield Case('netlink', '', 'here netlink -')


# Sockets that are not made unless the policy names their class: (name, family, type, protocol, family's name).
SOCKETS = [
    ('raw', 2, 3, 1, 'AF_INET'), ('raw6', 10, 3, 58, 'AF_INET6'), ('hdrincl', 2, 3, 255, 'AF_INET'),
    ('packet', 17, 3, 0x300, 'AF_PACKET'), ('packet-old', 2, 10, 0x300, 'AF_PACKET'), ('sctp', 2, 1, 132, 'AF_INET'),
    ('sctp-many', 2, 5, 132, 'AF_INET'), ('dccp', 2, 6, 33, 'AF_INET'), ('smc', 43, 1, 0, 'AF_SMC'),
    ('netlink', 16, 3, 15, 'AF_NETLINK'), ('netlink-generic', 16, 3, 16, 'AF_NETLINK'), ('xdp', 44, 3, 0, 'AF_XDP'),
    ('alg', 38, 5, 0, 'AF_ALG'), ('rds', 21, 5, 0, 'AF_RDS'), ('tipc', 30, 5, 0, 'AF_TIPC'),
]


def socket_cases():
    for name, family, kind, protocol, family_name in SOCKETS:
        yield Case(f'socket-{name}', f'here socket {family} {kind} {protocol}', needs=f'such a socket ({name})',
                   alerts=(Alert('net_socket', 'sockets.default', family=family_name),))
    for how in ('sync', 'async'):
        yield Case(f'socket-uring-{how}', f'here uring_socket {how}', needs='sockets by io_uring',
                   alerts=(Alert('net_socket', 'sockets.default', family='AF_INET'),))
    # No policy can name it; whether the kernel has it or not.
    yield Case('socket-key', 'here socket 15 3 2', needs='AF_KEY',
               alerts=(Alert('net_socket', 'builtin:address-family', family='AF_KEY'),))
    yield Case('socket-ping', '', 'here socket 2 2 1')


# Where somebody outside listens, by streams and datagrams; the policy names the second place.
UNIX_PLACES = ('/tmp/jobcage-unix/closed', '/tmp/jobcage-unix/open')
UNIX_ABSTRACT = '@jobcage-unix'


def unix_cases():
    closed, opened = UNIX_PLACES
    for kind in ('stream', 'datagram'):
        name = f'unix-{kind}'
        # A datagram socket is asked about when it connects, and each time that it sends.
        times = 2 if kind == 'datagram' else 1
        by_path = Alert('net_unix', 'unix.default', family=f'{closed}/{kind}')
        abstract = Alert('net_unix', 'unix.default', family='AF_UNIX')
        yield Case(f'{name}-path', f'here unix_{kind} {closed}/{kind} {name}-path',
                   f'here unix_{kind} {opened}/{kind} {name}-path/allowed', alerts=(by_path,), audit=times * (by_path,),
                   arrives=True)
        yield Case(f'{name}-abstract', f'here unix_{kind} {UNIX_ABSTRACT}-{kind} {name}-abstract', alerts=(abstract,),
                   audit=times * (abstract,), arrives=True)


# Where somebody outside sends sockets of its own; see listeners.py.
SOCKETS_OF_OTHERS = f'{UNIX_PLACES[1]}/lender'


def received_socket_cases():
    """N6: of another process the job takes no socket, but a Unix one whose other end is open to it."""
    def case(name, kind, alert, allowed='', arrives=True):
        return Case(f'received-{name}', f'here take_socket {SOCKETS_OF_OTHERS} {kind} received-{name}',
                    allowed and f'{allowed} received-{name}/allowed', alerts=(alert,), arrives=arrives)

    for kind in ('tcp', 'udp', 'tcp6', 'udp6'):
        ip = '2001:db8::1' if kind.endswith('6') else '192.0.2.1'
        own = '::1' if kind.endswith('6') else '127.0.0.1'
        yield case(kind, kind, Alert('net_receive', 'builtin:foreign-socket', ip=ip, port=PORTS[0]), f'here take_own {own} 7001')
    yield case('listener', 'listener', Alert('net_receive', 'builtin:foreign-socket', family='AF_INET'), arrives=False)
    yield case('pair', 'pair', Alert('net_receive', 'unix.default', family='AF_UNIX'))
    closed, opened = (f'{place}/stream' for place in UNIX_PLACES)
    yield case('unix', closed, Alert('net_receive', 'unix.default', family=closed),
               f'here take_socket {SOCKETS_OF_OTHERS} {opened}')
    yield Case('received-own-pair', '', 'here take_own_pair -')


# --- containment -------------------------------------------------------------------------------------------------

# Acts on a process outside the job, which is PID 1: (name, line, event).
OUTSIDE = [
    ('read-exe', 'read_exe', 'guard_trace'), ('write-memory', 'write_memory', 'guard_trace'),
    ('take-descriptor', 'take_descriptor', 'guard_trace'), ('counters', 'count_events', 'guard_trace'), ('signal', 'signal', 'guard_signal'),
    ('signal-by-pidfd', 'signal_by_pidfd', 'guard_signal'), ('nice', 'set_nice', 'guard_control'),
    ('io-priority', 'set_io_priority', 'guard_control'), ('scheduler', 'set_scheduler', 'guard_control'),
    ('limit', 'set_limit', 'guard_control'),
]


def guard_cases():
    for name, act, event in OUTSIDE:
        # Refusals of tracing are EPERM except where /proc makes them EACCES.
        errno = {'write-memory': 'EPERM', 'take-descriptor': 'EPERM'}.get(name, 'EACCES')
        yield Case(f'outside-{name}', f'here {act} 1', errno=errno,
                   alerts=(Alert(event, 'builtin:outside-process', kernel='process 1'),))
    yield Case('capability', 'here capability', errno='EPERM',
               alerts=(Alert('guard_capability', 'capabilities.default', kernel='CAP_SYS_RESOURCE'),))
    yield Case('user-namespace', 'here user_namespace',
               alerts=(Alert('guard_user_namespace', 'user_namespaces.default', kernel='user namespace'),))
    yield Case('bpf', 'here bpf', alerts=(Alert('guard_bpf', 'builtin:bpf', kernel='bpf command 7'),))
    for way in ('owner', 'owner_ex', 'ioctl'):
        yield Case(f'signal-by-{way}', f'here signal_by_{way} 1',
                   alerts=(Alert('guard_signal', 'builtin:signal-owner', kernel='whom a descriptor signals'),))
    yield Case('signal-oneself', '', 'here signal_oneself')
    yield Case('counters-own', '', 'here count_own_events')
    yield Case('counters-granted', '', 'here count_events -1')
    yield Case('request-key', 'here request_key', alerts=(Alert('guard_key_request', 'builtin:kernel-helper', kernel='key request'),))


def quota_cases():
    """Setting them is a change of the file system as a whole; asking is nobody's business."""
    yield Case('quota-set', f'here set_quota {QUOTA}', f'here set_quota {QUOTA_OUT}',
               alerts=(Alert('file_quota', 'filesystem.default', QUOTA),))
    yield Case('quota-sync-all', 'here sync_quotas', f'here sync_quotas_of {QUOTA}',
               alerts=(Alert('guard_quota_sync', 'builtin:all-quotas', kernel='all quotas'),))
    yield Case('only-quota-get', '', f'here get_quota {QUOTA}')


def all_cases(release):
    """release: the kernel's, as (major, minor)."""
    return [*tree_cases(release), *rule_cases(), *mount_cases(), *descriptor_cases(), *exec_cases(), *net_cases(),
            *guard_cases(), *quota_cases()]


# --- policy ----------------------------------------------------------------------------------------------------

def site():
    return {'version': 1, 'datasets': [{'name': f'{tree}{suffix}', 'path': f'{world}/{tree}'}
                                       for world, suffix in ((TMPFS, ''), (ROOT, '-root')) for tree in ('ds', 'closed')]}


def egress_rules():
    for ip in LISTED:
        for protocol, ports in (('tcp', [7001, 7003]), ('udp', [7001, 7004])):
            yield {'id': f'{protocol}-{ip}', 'cidr': f'{ip}/{128 if ":" in ip else 32}', 'protocol': protocol, 'ports': ports}


def policy(cases, act, mode='enforce'):
    rules = [{'id': 'out', 'path': f'{TMPFS}/out', 'access': 'write'},
             {'id': 'out-root', 'path': f'{ROOT}/out', 'access': 'write'},
             {'id': 'cgroups', 'path': '/sys/fs/cgroup', 'access': 'write'},
             {'id': 'quota-out', 'path': QUOTA_OUT, 'access': 'write'},
             {'id': 'null', 'path': '/dev/null', 'access': 'write'},
             {'id': 'ptmx', 'path': '/dev/ptmx', 'access': 'write'}]
    rules += [{'id': rule_id, 'path': path, 'access': access} for case in cases for rule_id, path, access in case.rules]
    return {'version': 1, 'name': f'hooks-{mode}', 'mode': mode,
            'datasets': [{'name': 'ds', 'access': 'read'}, {'name': 'ds-root', 'access': 'read'}],
            'filesystem': {'default': 'read', 'rules': rules},
            'exec': {'allow': ['/usr', act, {'id': 'bin', 'path': f'{TMPFS}/bin'}],
                     'deny': [{'id': 'no-closed', 'path': f'{TMPFS}/bin/closed'}]},
            'capabilities': [*CAPABILITIES, 'CAP_PERFMON'], 'devices': ['fuse'],
            'egress': {'allow': list(egress_rules())}, 'sockets': ['mptcp', 'udplite', 'ping'],
            'unix': {'allow': [{'id': 'open-sockets', 'path': UNIX_PLACES[1]}]}}
