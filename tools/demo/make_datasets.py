#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Makes the demo's two datasets, and takes their fingerprint.

digits: the 1,797 real handwritten digits that python3-sklearn ships, as train.csv and test.csv.
patients: invented records, for an attempt at a dataset that the job was not granted.

Both belong to the user who runs the job: ownership and mode would let that user do everything,
so what stops the job is jobcage and nothing else.
"""

import gzip
import hashlib
import importlib.util
import os
import random
import shutil
import sys
from pathlib import Path

# Every fifth image is for the test: the digits come writer by writer, so each is in both parts.
TEST_EVERY = 5
PATIENT_CNT = 100


def find_digits():
    """The file of python3-sklearn that holds the digits; importing the package would take long."""
    package = importlib.util.find_spec("sklearn")
    if package is None:
        sys.exit("make_datasets: no sklearn for this Python; run: apt-get install python3-sklearn")
    file = Path(package.submodule_search_locations[0]) / "datasets/data/digits.csv.gz"
    if not file.is_file():
        sys.exit(
            f"make_datasets: {file} is missing; run: apt-get install --reinstall python3-sklearn"
        )
    return file


def digit_files():
    with gzip.open(find_digits(), "rt", encoding="ascii") as file:
        lines = file.read().splitlines(keepends=True)
    return {
        "train.csv": "".join(line for number, line in enumerate(lines) if number % TEST_EVERY),
        "test.csv": "".join(lines[::TEST_EVERY]),
    }


def patient_files():
    dice = random.Random(1)
    lines = ["patient,born,diagnosis\n"]
    for number in range(1, PATIENT_CNT + 1):
        diagnosis = f"{dice.choice('ABCDEFGHIJ')}{dice.randint(10, 99)}"
        lines.append(f"invented-{number:03},{dice.randint(1930, 2010)},{diagnosis}\n")
    return {"records.csv": "".join(lines)}


def make_dataset(folder, files, uid, gid):
    """FOLDER with exactly FILES (name: text) in it, all of them the user's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o755)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
        (folder / name).chmod(0o644)
        os.chown(folder / name, uid, gid)
    os.chown(folder, uid, gid)


def make_datasets(root, uid, gid):
    make_dataset(root / "digits", digit_files(), uid, gid)
    make_dataset(root / "patients", patient_files(), uid, gid)


def fingerprint(root):
    """{path: SHA-256, owner and mode} of every file and directory below ROOT."""
    prints = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
        prints[
            str(path.relative_to(root))
        ] = f"{digest} {status.st_uid}:{status.st_gid} {status.st_mode:o}"
    return prints


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: make_datasets.py DIRECTORY UID GID")
    make_datasets(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
