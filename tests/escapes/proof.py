# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Testing the tester: hooks are taken away while a job runs, and the suite must notice that their attempts succeed."""
import glob
import io
import os

from harness import Check, wait_for
import attempts
import catalogue
import crew
import row

# An attempt of each family that is about hooks, and those that refuse it.
PROOFS = {
    'F01 mkdir': ['file_path_mkdir'], 'X01 execve': ['exec_bprm_check', 'exec_mmap_file'], 'X02 memfd': ['exec_bprm_check', 'exec_mmap_file'],
    'X03 mprotect': ['exec_file_mprotect'], 'X04 make-set-user-id': ['file_path_chmod'], 'X05 vm-write': ['guard_ptrace_access_check'],
    'X06 root': ['file_file_open'], 'X07 docker': ['unix_unix_stream_connect'], 'X08 sethostname': ['guard_capable'], 'X08 map-create': ['guard_bpf'],
    'X09 kill': ['guard_task_kill'], 'X10 fork-bomb': ['file_file_open'],
}


def complaints(cage, world, shell, names, policy):
    """What the suite says of the attempts now."""
    said = io.StringIO()
    noticed = Check(said)
    table = [one for one in catalogue.table() if one.name in names and one.policy == policy]
    attempts.try_closed(noticed, cage, world, shell, table, 'root')
    return said.getvalue()


def run(check, cage, world):
    """The last section: from here on, no job is whole."""
    shells = {policy: crew.Job(cage, f'proof-{policy}', 'root', policy=cage.policies[policy]).shell() for policy in (row.OPEN_HANDED, row.TYPICAL)}

    def all_complaints():
        return ''.join(complaints(cage, world, shell, PROOFS, policy) for policy, shell in shells.items())

    def is_seen(name, said):
        return f'{name} fails in a job' in said

    check.equal('with its hook, nothing to complain of', all_complaints(), '')
    for hook in {hook for hooks in PROOFS.values() for hook in hooks}:
        pins = glob.glob(f'/sys/fs/bpf/jobcage/*/link_{hook}')
        check.equal(f'links of {hook}', len(pins), 1)
        for pin in pins:
            os.unlink(pin)
    # A link is let go after a grace period.
    said = ''

    def are_all_seen():
        nonlocal said
        said = all_complaints()
        return all(is_seen(name, said) for name in PROOFS)

    wait_for(are_all_seen, 30)
    for name in PROOFS:
        check.that(f'without its hook, {name} is seen to succeed', is_seen(name, said))
    check.matches('and the dataset to have changed', said, 'F01 mkdir changes nothing')
    check.matches('and an accomplice to have felt it', said, 'X05 vm-write is not felt outside')
    check.matches('and a daemon', said, 'X07 docker is not felt outside')
    for shell in shells.values():
        shell.close()
