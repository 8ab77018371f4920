# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One attempt of the catalogue."""
from dataclasses import dataclass

ROOT, USER = 'root', 'nobody'
BOTH = (ROOT, USER)

# What a kernel answers that does not have it; the run outside says so, and then nothing is tested.
NOT_HERE = ('ENOSYS', 'EOPNOTSUPP', 'ENOTTY')
PROTECTED = 'builtin:protected-path'
DEFAULT = 'filesystem.default'
MOUNT, OVERLAY, OUTSIDE = 'mounts', 'builtin:overlay', 'builtin:outside-process'
KERNEL_FILE, DEVICE, NODE = 'builtin:kernel-files', 'builtin:devices', 'builtin:device-nodes'
LINKED = 'builtin:hard-link'

# Policies; see Cage in `run`. OPEN_HANDED grants every capability, and all programs may be run, so that it is other rules that are asked.
OPEN_HANDED, TYPICAL = 'open-handed', 'typical'
# In place of a rule: refused in passing, to who asks about everything; he does not find it, and nobody is told.
SILENT = 'silent'
# In place of a rule: it is no decision of the policy, but counted.
UNLABELLED = 'fork_failures'


@dataclass(frozen=True)
class Row:
    program: str
    attempt: str
    place: str
    who: tuple = BOTH
    rules: tuple = ()          # of which each alert must name one; none: it is allowed, in a job as outside
    changes: bool = True       # outside a job, it leaves its mark on the dataset
    extra: str = ''            # the program's last argument; what stands in braces, see Surroundings.words()
    absent: tuple = NOT_HERE
    label: str = ''            # in place of the attempt's name
    path: str = ''             # what file.path of the alert ends with
    accomplice: bool = False
    cold: bool = False         # the kernel forgets all names before
    stirs: bool = False        # the file system writes to its device before the kernel asks, and takes it back
    policy: str = OPEN_HANDED
    felt: str = ''             # by whom, outside the dataset, where it succeeds: a witness of Surroundings

    @property
    def name(self):
        return f'{self.program[:3].upper()} {self.label or self.attempt}'


def rows(program, place, names, **how):
    rules = (f'dataset:{place}',)
    return [Row(program, name, place, **({'rules': rules} | how)) for name in names.split()]
