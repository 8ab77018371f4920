# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The world that jobs are started in: a site with two datasets, policies, and `jobcage run` itself."""
import contextlib
import copy
import glob
import itertools
import json
import os
import shutil
import subprocess
import tempfile

from capabilities import CAPABILITIES
from eventfile import Reader
from harness import WAIT_S, wait_for, wait_for_equal
import traces

PROJECT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
SECRET = "secret\n"
DIGITS = "0 1 2\n"


def is_decision(event):
    """Of a job's record: not about the job itself."""
    code = event["metadata"]["event_code"]
    return not code.startswith("job_") and code != "finding"


def command_line(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as stream:
        return stream.read()


class Record:
    """What is written of a job."""

    readers = {}

    def __init__(self, job_id, alerts):
        self.id, self.alerts = job_id, alerts

    def events(self):
        """The lines of this job, so far."""
        return self.readers.setdefault(self.alerts, Reader(self.alerts)).events(self.id)

    def end(self):
        """What job_end counts, or {}."""
        return next((event["unmapped"]["jobcage"] for event in self.events()
                     if event["metadata"]["event_code"] == "job_end"), {})


class Job(Record):
    """One `jobcage run`. Its output goes to files: a pipe would wait for the monitor as well."""

    def __init__(self, world, command, job_id=None, policy=None, options=(), alerts=None, wrap=(), **popen):
        job_id = job_id or world.new_id()
        super().__init__(job_id, alerts or world.alerts_of(job_id))
        self.world = world
        self.out_file, self.err_file = f"{world.log}/{self.id}.out", f"{world.log}/{self.id}.err"
        args = [*wrap, world.jobcage, "run", *world.launch_options(self, policy), "--job", self.id, *options, "--", *command]
        with open(self.out_file, "wb") as out, open(self.err_file, "wb") as err:
            popen = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, "cwd": world.root} | popen
            self.process = subprocess.Popen(args, **popen)

    def finish(self):
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        return self

    @property
    def status(self):
        """As a shell sees it."""
        code = self.process.returncode
        return 128 - code if code is not None and code < 0 else code

    @property
    def out(self):
        with open(self.out_file, encoding="utf-8", errors="replace") as stream:
            return stream.read()

    @property
    def err(self):
        with open(self.err_file, encoding="utf-8", errors="replace") as stream:
            return stream.read()


class World:
    def __init__(self, jobcage, where=None):
        self.root = tempfile.mkdtemp(prefix="jobcage-test-", dir=where)
        for name in ("out", "log", "alerts", "policies", "data", "digits", "patients"):
            setattr(self, name, f"{self.root}/{'data/' * (name in ('digits', 'patients'))}{name}")
            os.mkdir(getattr(self, name))
        os.chmod(self.root, 0o755)
        os.chmod(self.out, 0o1777)
        # A copy: the one that is tested does not change meanwhile, and nobody may come to its folder.
        self.jobcage = shutil.copy(jobcage, f"{self.root}/jobcage")
        self.write(f"{self.digits}/a", DIGITS)
        self.write(f"{self.patients}/p", SECRET)
        self.site = self.write_json(f"{self.root}/site.json", {
            "version": 1, "datasets": [{"name": name, "path": f"{self.data}/{name}"} for name in ("digits", "patients")]})
        self.pid, self.numbers = os.getpid(), itertools.count(1)
        self.baseline = self.snapshot()

    def new_id(self):
        """Unlike all others, also of other threads, or in a process that was forked to be another user."""
        number = next(self.numbers)
        return f"job{number}" if os.getpid() == self.pid else f"job{number}-{os.getpid()}"

    @staticmethod
    def snapshot():
        return traces.snapshot()

    def alerts_of(self, job_id):
        return f"{self.alerts}/{job_id}.jsonl"

    def launch_options(self, job, policy):
        """Of `jobcage run`, besides the job's own."""
        return ["--policy", policy or self.policy(), "--site", self.site, "--alerts", job.alerts]

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return path

    def write_json(self, path, content):
        return self.write(path, json.dumps(content, indent=1) + "\n")

    def policy(self, name="plain", rules=(), **sections):
        """A policy that lets the job write to out, read digits and run everything, changed by what is given."""
        content = {
            "version": 1, "name": name,
            "datasets": [{"name": "digits", "access": "read"}],
            "filesystem": {"default": "read", "rules": [
                {"id": "out", "path": self.out, "access": "write"},
                {"id": "null", "path": "/dev/null", "access": "write"},
                {"id": "tty", "path": "/dev/tty", "access": "write"},
                {"id": "pts", "path": "/dev/pts", "access": "write", "optional": True}]},
            "exec": {"default": "allow"}, "egress": {"default": "deny"}, "capabilities": CAPABILITIES}
        content = copy.deepcopy(content) | sections
        content["filesystem"]["rules"] += rules
        return self.write_json(f"{self.policies}/{name}.json", content)

    def start(self, *command, **how):
        return Job(self, command, **how)

    def shell(self, script, **how):
        """Runs a script for sh as a job, which finds the world's folders in OUT, DIGITS and PATIENTS."""
        return self.start_shell(script, **how).finish()

    def start_shell(self, script, **how):
        how["env"] = how.get("env", os.environ) | {"OUT": self.out, "DIGITS": self.digits, "PATIENTS": self.patients}
        return self.start("sh", "-c", script, **how)

    def exists(self, name):
        return os.path.exists(f"{self.out}/{name}")

    def appears(self, name):
        return wait_for(lambda: self.exists(name))

    def touch(self, name):
        self.write(f"{self.out}/{name}", "")

    # --- what must hold ---

    def settles(self, check, what):
        """Nothing of any job is left but what was there at the baseline; and the datasets are as they were."""
        left = wait_for_equal(lambda: traces.difference(self.baseline, self.snapshot()), "", 60)
        check.equal(f"{what}: nothing left behind", left, "")
        self.unharmed(check, what)

    def unharmed(self, check, what):
        found = {}
        for path in glob.glob(f"{self.data}/*/*"):
            with open(path, encoding="utf-8") as stream:
                found[path] = stream.read()
        check.equal(f"{what}: datasets unchanged", found,
                    {f"{self.digits}/a": DIGITS, f"{self.patients}/p": SECRET})

    @staticmethod
    def whole(check, what, job, denied=0, **counts):
        """The job's record: from start to end, numbered without gap or repeat, every denial in it."""
        wait_for(lambda: job.end() or not os.path.exists(f"{traces.STATE_JOBS}/{job.id}.json"), 20)
        events = job.events()
        numbers = [event["metadata"]["sequence"] for event in events]
        codes = [event["metadata"]["event_code"] for event in events]
        end = job.end()
        told = sum(event["count"] for event in events if is_decision(event))
        check.equal(f"{what}: lines are numbered from 1 without gap or repeat", numbers, [*range(1, len(numbers) + 1)])
        check.equal(f"{what}: start first, end last, each once",
                    (codes[:1], codes[-1:], [code for code in codes if code.startswith("job_")]),
                    (["job_start"], ["job_end"], ["job_start", "job_end"]))
        check.equal(f"{what}: as many denials as there were", (sum(end.get("denied", {"": -1}).values()), told),
                    (denied, denied))
        check.equal(f"{what}: the record is complete", end.get("complete"), True)
        for name, value in counts.items():
            check.equal(f"{what}: {name}", end.get(name), value)

    @contextlib.contextmanager
    def keeper(self):
        """A job that keeps the programs loaded, so that those inside start at once; they leave only what was there."""
        idle, job = self.baseline, self.start("sleep", "100000", job_id="keeper")
        wait_for(lambda: self.running(job) and traces.holder(job.id), 120)
        self.baseline = self.snapshot()
        try:
            yield job
        finally:
            job.process.kill()
            job.finish()
            self.baseline = idle

    @staticmethod
    def running(job):
        """Has the command taken the launcher's place? Popen() may return while the child is still this program."""
        with contextlib.suppress(OSError):
            return (command_line(job.process.pid) != command_line("self") and
                    "jobcage" not in os.path.basename(os.readlink(f"/proc/{job.process.pid}/exe")))
        return False

    def orphan(self, job):
        """Kills the monitor that has the running job in its care."""
        wait_for(lambda: self.running(job))
        pid = wait_for(lambda: traces.holder(job.id))
        os.kill(pid, 9)
        wait_for(lambda: pid not in traces.monitors())
        return pid
