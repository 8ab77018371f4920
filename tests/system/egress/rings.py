# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""N7: by io_uring; uring_net.c does it."""
import errno
import os
import subprocess

from network import FORBIDDEN, OPEN_PORT
from ways import register

PROGRAM = os.path.realpath(f'{os.path.dirname(os.path.abspath(__file__))}/../../../build/tests/uring_net')


def ring(name, how, what, ip):
    done = subprocess.run([PROGRAM, how, what, ip, str(OPEN_PORT), name], stdout=subprocess.PIPE, text=True, check=True)
    answer = done.stdout.split()[-1]
    if answer != 'OK':
        raise OSError(getattr(errno, answer), answer)


def register_all():
    for version in '46':
        for what, ways in (('socket', ('plain', 'polled')), ('connect', ('plain', 'worker', 'polled')), ('fast-open', ('worker',)),
                           ('sendmsg', ('plain', 'worker', 'polled')), ('send-zc', ('plain', 'polled'))):
            for how in ways:
                register(f'n7_{what.replace("-", "_")}{version}_{how}', ring, how, what, FORBIDDEN[version])
