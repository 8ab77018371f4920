#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""drive.py FILE: runs each [name, command] of the JSON file by the shell; prints {name: [status, output, seconds]}."""
import json
import subprocess
import sys
import time

PATIENCE_S = 60


def run(command):
    start = time.monotonic()
    try:
        done = subprocess.run(['sh', '-c', command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PATIENCE_S, check=False)
        return done.returncode, done.stdout.decode(errors='replace'), time.monotonic() - start
    except subprocess.TimeoutExpired as error:
        return 'hangs', (error.stdout or b'').decode(errors='replace'), PATIENCE_S


with open(sys.argv[1], encoding='utf-8') as stream:
    print(json.dumps({name: run(command) for name, command in json.load(stream)}))
