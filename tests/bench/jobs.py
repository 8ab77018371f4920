# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Jobs as they are started to be measured: each way to start one, and the policies they are under."""
import contextlib
import glob
import os
import subprocess

from world import ROOT, Failed, wait_for

JOBCAGE = "/usr/bin/jobcage"
STATE_JOBS = "/run/jobcage/jobs"
ALERTS = "/run/bench-alerts.jsonl"


class Embedded:
    """No daemon: each job has a monitor process, and the programs are loaded by the first job."""
    name = "embedded"

    def __init__(self, world):
        self.world = world

    def launch(self, policy):
        return (JOBCAGE, "run", "--policy", policy, "--alerts", ALERTS, "--")

    @contextlib.contextmanager
    def ready(self, policy):
        """The programs stay loaded inside: a job that sleeps keeps them."""
        with job(self.world, self, policy):
            yield

    def controllers(self):
        return [pid for pid in pids() if comm(pid) == "jobcage-monitor"]


class Daemon:
    """A daemon, which loads the programs once and looks after every job."""
    name = "daemon"

    def __init__(self, world):
        self.world = world
        self.process = None

    @staticmethod
    def is_there(world):
        with world.start(JOBCAGE, "daemon", "--help", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            return process.wait() == 0

    def launch(self, policy):
        return (JOBCAGE, "run", "--policy", policy, "--")

    @contextlib.contextmanager
    def ready(self, _policy):
        self.process = self.world.start(JOBCAGE, "daemon")
        wait_for("the daemon's socket", lambda: os.path.exists("/run/jobcage/control.sock"))
        try:
            yield
        finally:
            self.process.terminate()
            self.process.wait()

    def controllers(self):
        return [self.process.pid]


def forms(world):
    """The ways to start a job that this build has; the last is the one that a platform would use."""
    return [Embedded(world)] + ([Daemon(world)] if Daemon.is_there(world) else [])


# --- processes ---

def pids():
    return [int(path.split("/")[2]) for path in glob.glob("/proc/[0-9]*")]


def comm(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8") as stream:
        return stream.read().strip()
    return ""


def state_files():
    return glob.glob(f"{STATE_JOBS}/*.json")


def is_running(process):
    """Has the command taken the launcher's place?"""
    if process.poll() is not None:
        raise Failed(f"a job ended with status {process.returncode} before it began")
    return comm(process.pid) == "sleep"


@contextlib.contextmanager
def job(world, form, policy, cnt=1):
    """Jobs that sleep, and are gone with all they left when the block ends."""
    before = len(state_files())
    processes = []
    try:
        for _ in range(cnt):
            processes.append(world.start(*form.launch(policy), "/usr/bin/sleep", "1000000"))
            wait_for("a job's start", lambda: is_running(processes[-1]))
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
        wait_for("the jobs' end", lambda: len(state_files()) <= before and
                 (before or not os.path.exists("/sys/fs/bpf/jobcage") or form.name == "daemon"))


# --- policies ---

def write_policy(world, name, rules=(), egress=()):
    """A policy that may read everything, write only what a shell needs, and run everything."""
    return world.write(f"/etc/bench/{name}.json", {
        "version": 1, "name": name,
        "datasets": [{"name": "set", "access": "read"}],
        "filesystem": {"default": "read", "rules": [{"path": "/dev/null", "access": "write"}, *rules]},
        "exec": {"default": "allow"},
        "egress": {"default": "deny", "allow": list(egress)}})


def write_site(world):
    os.makedirs(f"{ROOT}/data/set", exist_ok=True)
    return world.write("/etc/jobcage/site.json", {"version": 1, "datasets": [{"name": "set", "path": "/data/set"}]})
