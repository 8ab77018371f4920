#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs the demo on the kernel it is on, and collects the evidence. tools/quickstart starts it.

First the control: the attempts of poisoned.py without jobcage, as the same user on the same
files and addresses. They must all succeed, or the demo would prove nothing. Then, on fresh
datasets, the training in its cage. What was seen goes to evidence.json in the directory of
--out, with alerts.jsonl, job.log and checkpoint.pt beside it; judge.py says whether it is good.

Everything happens in a network namespace of its own, whose only device is loopback: no packet of
this demo can leave the machine. It tells its steps as lines "step: TEXT".
"""

import argparse
import json
import os
import platform
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import make_datasets  # noqa: E402 (the line above must come first)
import sink  # noqa: E402

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
PYTHON = "/usr/bin/python3"

DEMO = Path("/srv/jobcage-demo")
# Only a directory that holds this file is the demo's to remove.
MARKER = DEMO / ".made-by-jobcage-quickstart"
OUTPUT = DEMO / "output"
ALERTS = DEMO / "alerts.jsonl"
JOB_LOG = DEMO / "job.log"

JOB = "quickstart"
USER = "nobody"
# The monitor writes the final event after the command has gone; an emulated processor is slow.
SETTLE_S = 30
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def step(text):
    print(f"step: {text}", flush=True)


def fail(text):
    sys.exit(f"run_in_place: {text}")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Run the demo on this kernel and collect the evidence."
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=os.environ.get("JOBCAGE_OUT", "."),
        help="directory for the evidence (default $JOBCAGE_OUT, else here)",
    )
    parser.add_argument(
        "--jobcage", type=Path, default=PROJECT / "build/jobcage", help="the program to show"
    )
    parser.add_argument(
        "--own-network", action="store_true", help="this is the private network namespace already"
    )
    return parser.parse_args()


def enter_own_network():
    """Starts this program again in a network namespace with nothing in it."""
    unshare = shutil.which("unshare") or fail("no unshare; run: apt-get install util-linux")
    os.execv(unshare, ["unshare", "--net", "--", PYTHON, __file__, "--own-network", *sys.argv[1:]])


def make_demo_folder(user):
    remove_demo_folder()
    DEMO.mkdir(mode=0o755)
    MARKER.touch()
    (DEMO / "job").mkdir(mode=0o755)
    for name in ("train.py", "poisoned.py"):
        shutil.copyfile(HERE / name, DEMO / "job" / name)
    OUTPUT.mkdir(mode=0o755)
    os.chown(OUTPUT, user.pw_uid, user.pw_gid)


def remove_demo_folder():
    if DEMO.exists() and not MARKER.exists():
        fail(f"{DEMO} exists and was not made by this demo; move it away first")
    if DEMO.exists():
        shutil.rmtree(DEMO)


def read_json_lines(path):
    """The objects of a JSON lines file, if there is one; what is not JSON becomes an object too."""
    if not path.exists():
        return []
    objects = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            objects.append(json.loads(line))
        except json.JSONDecodeError as error:
            objects.append({"not_json": line, "error": str(error)})
    return objects


def fresh_datasets(user):
    make_datasets.make_datasets(DEMO / "datasets", user.pw_uid, user.pw_gid)
    return make_datasets.fingerprint(DEMO / "datasets")


def run_control(user, server):
    """The attempts without a cage."""
    before = fresh_datasets(user)
    report = OUTPUT / "control.jsonl"
    command = [PYTHON, DEMO / "job/poisoned.py", report]
    done = subprocess.run(
        command,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        env=ENVIRONMENT,
        cwd="/",
        check=False,
    )
    after = make_datasets.fingerprint(DEMO / "datasets")
    return {
        "status": done.returncode,
        "attempts": read_json_lines(report),
        "arrivals": server.arrivals(),
        "datasets_before": before,
        "datasets_after": after,
    }


def job_command(jobcage):
    return [
        jobcage,
        "run",
        "--policy",
        PROJECT / "rules/digits-train.json",
        "--site",
        HERE / "site.json",
        "--job",
        JOB,
        "--user",
        USER,
        "--alerts",
        ALERTS,
        "--",
        PYTHON,
        DEMO / "job/train.py",
        "--dataset",
        DEMO / "datasets/digits",
        "--output",
        OUTPUT,
    ]


def is_job_end(alert):
    """The last event of a job: of OCSF's class for jobs, and not its start."""
    return alert.get("class_uid") == 1006 and alert.get("activity_id") != 6


def settle(traces_before):
    """Waits for the final event and until all of the job is gone; returns what is not, in time."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        left = sorted(traces() - traces_before)
        ended = any(is_job_end(alert) for alert in read_json_lines(ALERTS))
        if (ended and not left) or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def run_job(jobcage, user, server):
    """The training in its cage."""
    before = fresh_datasets(user)
    traces_before = traces()
    started = time.monotonic()
    with open(JOB_LOG, "wb") as log:
        done = subprocess.run(
            job_command(jobcage),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            cwd="/",
            check=False,
        )
    seconds = time.monotonic() - started
    step("Waiting for the final event")
    left_behind = settle(traces_before)
    result = OUTPUT / "result.json"
    checkpoint = OUTPUT / "checkpoint.pt"
    return {
        "status": done.returncode,
        "seconds": round(seconds, 1),
        "result": json.loads(result.read_text(encoding="utf-8")) if result.exists() else None,
        "checkpoint_bytes": checkpoint.stat().st_size if checkpoint.exists() else None,
        "attempts": read_json_lines(OUTPUT / "attempts.jsonl"),
        "arrivals": server.arrivals(),
        "datasets_before": before,
        "datasets_after": make_datasets.fingerprint(DEMO / "datasets"),
        "left_behind": left_behind,
    }


def traces():
    """What a job leaves on a machine while it runs, as words: to be compared before and after."""
    return cgroup_traces() | path_traces() | process_traces() | mount_traces()


def walk(top):
    """Everything below TOP. Folders may vanish meanwhile, which os.walk takes for empty ones."""
    for folder, folders, files in os.walk(top):
        yield from (os.path.join(folder, name) for name in folders + files)


def cgroup_traces():
    return {
        f"cgroup {path}"
        for path in walk("/sys/fs/cgroup")
        if os.path.basename(path).startswith("jobcage-")
    }


def path_traces():
    return {
        f"file {path}" for top in ("/sys/fs/bpf/jobcage", "/run/jobcage/jobs") for path in walk(top)
    }


def process_traces():
    """The job's own processes, and the monitor's."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (
                (folder / "cmdline")
                .read_bytes()
                .replace(b"\0", b" ")
                .decode(errors="replace")
                .strip()
            )
            name = (folder / "comm").read_text(encoding="utf-8").strip()
        except OSError:  # gone meanwhile
            continue
        if name.startswith("jobcage") or str(DEMO / "job") in words:
            found.add(f"process {folder.name} {words or name}")
    return found


def mount_traces():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return {"mount " + line.split()[4] for line in file}


def copy_out(folder):
    for path in (ALERTS, JOB_LOG, OUTPUT / "checkpoint.pt"):
        if path.exists():
            shutil.copyfile(path, folder / path.name)


def collect(arguments, user):
    """The whole demo; returns the evidence."""
    sink.add_addresses()
    server = sink.Sink()
    server.start()
    make_demo_folder(user)
    step("Control: the same attempts without jobcage")
    control = run_control(user, server)
    step("Training in its cage")
    job = run_job(arguments.jobcage, user, server)
    copy_out(arguments.out)
    return {"kernel": platform.release(), "job": job, "control": control}


def main():
    arguments = parse_arguments()
    if os.geteuid() != 0:
        fail("only root can start jobs")
    if not os.access(arguments.jobcage, os.X_OK):
        fail(f"no program {arguments.jobcage}; run: make")
    if not arguments.own_network:
        enter_own_network()
    arguments.out.mkdir(parents=True, exist_ok=True)
    # So that the folder goes, and the job is killed, also when somebody ends this.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        evidence = collect(arguments, pwd.getpwnam(USER))
    finally:
        remove_demo_folder()
    (arguments.out / "evidence.json").write_text(
        json.dumps(evidence, indent=2) + "\n", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
