# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A machine as a site runs it: users and groups, a site file, policies by name, and the daemon that serves them."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess

from cage import World, is_decision
from harness import WAIT_S, wait_for
import traces

ETC = "/etc/jobcage"
SOCKET = "/run/jobcage/control.sock"
EVERYBODY = range(4101, 4110)  # users without a name of interest, for crowds


class User:
    def __init__(self, name, uid, gid=None, groups=()):
        self.name, self.uid, self.gid, self.groups = name, uid, gid or uid, list(groups)

    def popen(self):
        """For subprocess."""
        return {"user": self.uid, "group": self.gid, "extra_groups": self.groups}

    def become(self):
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)


ML, VISION = 5001, 5002
ALICE = User("alice", 4001)
BOB = User("bob", 4002, gid=ML)
ERIN = User("erin", 4003, groups=[ML])
CAROL = User("carol", 4004, groups=[VISION])
DAVE = User("dave", 4005)
ROOT = User("root", 0, gid=0)
NAMED = [ALICE, BOB, ERIN, CAROL, DAVE]

PERMISSIONS = [
    {"users": ["alice"], "policies": ["plain", "digits-*", "env", "short", "few", "long"]},
    {"groups": ["ml"], "policies": ["team"]},
    {"groups": [VISION], "own_policies": True},
    {"users": list(EVERYBODY), "policies": ["plain"]},
]


def make_users():
    """The machine's own files are lost with the virtual machine."""
    with open("/etc/passwd", encoding="utf-8") as stream:
        known = {line.split(":")[0] for line in stream}
    users = NAMED + [User(f"crowd{uid}", uid) for uid in EVERYBODY]
    with open("/etc/passwd", "a", encoding="utf-8") as stream:
        stream.writelines(f"{user.name}:x:{user.uid}:{user.gid}::/tmp:/bin/sh\n" for user in users if user.name not in known)
    with open("/etc/group", "a", encoding="utf-8") as stream:
        if "alice" not in known:
            stream.write(f"ml:x:{ML}:\nvision:x:{VISION}:\n")


class Daemon:
    """`jobcage daemon`; it says by sd_notify when it is ready."""

    def __init__(self, house, binary=None):
        self.house, self.binary, self.process = house, binary or house.jobcage, None
        self.log = f"{house.log}/daemon.err"

    def launch(self, preexec_fn=None, env=(), wrap=(), stdin=subprocess.DEVNULL):
        """Without waiting. wrap: a command that executes it in the end, under the same process id."""
        self.house.daemon_cnt += 1
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"\0jobcage-test-{os.getpid()}-{self.house.new_id()}"
        self.notify.bind(name)
        self.notify.settimeout(WAIT_S * 2)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*wrap, self.binary, "daemon"], stdin=stdin, stdout=log, stderr=log, cwd="/",
                preexec_fn=preexec_fn, env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": "@" + name[1:]} | dict(env))
        return self

    def start(self, *how, **more):
        return self.launch(*how, **more).wait_until_ready()

    def wait_until_ready(self):
        while b"READY=1" not in (said := self.notify.recv(256)):
            if self.process.poll() is not None:
                raise RuntimeError(f"the daemon ended: {self.errors()[-300:]} {said}")
        return self

    @property
    def pid(self):
        return self.process.pid

    def state(self):
        """As in proc(5): "T" is stopped."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[0]

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def restart(self):
        if self.is_alive():
            self.kill()
        return self.start()

    @contextlib.contextmanager
    def stopped(self):
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def status_kib(self, name):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as stream:
            return next(int(line.split()[1]) for line in stream if line.startswith(f"{name}:"))

    def rss_kib(self):
        return self.status_kib("VmRSS")

    def forget_peak(self):
        """From now on peak_kib() counts. Returns what it is now."""
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as stream:
            stream.write("5")
        return self.rss_kib()

    def peak_kib(self):
        return self.status_kib("VmHWM")

    def fd_cnt(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def errors(self):
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            return stream.read()


class House(World):
    """Jobs go through the daemon. Their alerts are in the site's one file."""

    def __init__(self, jobcage):
        if not os.path.isdir("/run/vm"):
            raise SystemExit("this changes users and /etc/jobcage: run it in the virtual machine, by tools/vm")
        super().__init__(jobcage, "/srv")  # so that jobs may have a /tmp of their own
        make_users()
        os.makedirs(ETC, exist_ok=True)
        self.site_alerts = f"{self.alerts}/site.jsonl"
        self.site = f"{ETC}/site.json"
        self.put_site()
        self.denied_program = shutil.copy("/usr/bin/true", f"{self.root}/denied")
        for name in ("plain", "team", "digits-a", "other"):
            self.policy(name)
        # No permission bit may hide a hook that is missing.
        os.chmod(f"{self.digits}/a", 0o666)
        self.daemon_cnt = 0
        self.daemon = Daemon(self)
        self.keeper_job, self.nothing = None, self.baseline

    def put_site(self, permissions=None, **more):
        self.write_json(self.site, {
            "version": 1, "alerts": self.site_alerts, "policies": self.policies,
            "datasets": [{"name": name, "path": f"{self.data}/{name}"} for name in ("digits", "patients")],
            "permissions": PERMISSIONS if permissions is None else permissions} | more)

    def policy(self, name="plain", rules=(), **sections):
        """One that also denies a program, unless it says itself what may be executed."""
        return super().policy(name, rules, **({"exec": {"default": "allow", "deny": [self.denied_program]}} | sections))

    def alerts_of(self, job_id):
        return self.site_alerts

    def launch_options(self, job, policy):
        return ["--policy", policy or "plain"] + (["--alerts", job.alerts] if job.alerts != self.site_alerts else [])

    def start(self, *command, user=ROOT, **how):
        return super().start(*command, **(how | (user.popen() if user.uid else {})))

    def ask(self, *words, user=ROOT, binary=None):
        """One of the asking commands, to its end."""
        return subprocess.run([binary or self.jobcage, *words], capture_output=True, text=True, check=False, timeout=WAIT_S * 2,
                              stdin=subprocess.DEVNULL, cwd="/", **(user.popen() if user.uid else {}))

    def status(self, job_id):
        """None if there is no such job."""
        result = self.ask("status", "--json", job_id)
        return None if result.returncode else json.loads(result.stdout)

    def job_ids(self):
        return sorted(job["job"] for job in json.loads(self.ask("jobs", "--json").stdout))

    # --- what must hold ---

    @staticmethod
    def snapshot():
        """Maps are counted: a daemon that adopts a job has its rules resolved anew, in maps that take the place of the old ones."""
        found = traces.snapshot()
        return found | {"bpf maps": [*range(len(found["bpf maps"]))]}

    def rest(self):
        """From now on nothing may be left but what is there now."""
        self.baseline = self.snapshot()

    def begin(self):
        """The daemon runs, and a job beside it, so that the programs outlast the daemon's ends."""
        if not self.daemon.is_alive():
            self.daemon.start()
        self.keeper_job = self.start("sleep", "100000", job_id="keeper", policy="other")
        wait_for(lambda: self.running(self.keeper_job))
        self.rest()

    @contextlib.contextmanager
    def to_the_last(self):
        """The caller ends every job, the keeper too, and the daemon, so nothing at all may be left. Then they begin anew."""
        self.baseline = self.nothing
        try:
            yield
        finally:
            self.keeper_job.process.kill()
            self.keeper_job.process.wait()
            wait_for(lambda: not os.path.exists(f"{traces.STATE_JOBS}/keeper.json") or not self.daemon.is_alive())
            self.begin()

    @contextlib.contextmanager
    def served(self):
        """They run; in the end both are gone, and nothing may be left but what there was before."""
        self.nothing = self.baseline
        self.begin()
        try:
            yield
        finally:
            if not self.daemon.is_alive():
                self.daemon.start()
            self.keeper_job.process.kill()
            self.keeper_job.process.wait()
            wait_for(lambda: "keeper" not in self.job_ids())
            self.daemon.stop()
            self.baseline = self.nothing

    def record(self, job):
        """The job's lines, once it has ended."""
        wait_for(job.end, 30)
        return job.events()

    def accounted(self, check, what, job, attempts, slack=0):
        """
        What the job attempted is what its record says: each is an event or counted as lost; and the lines are numbered without gap.
        slack: attempts that may be missing from the account, because a job was killed in the middle of one.
        """
        events, end = self.record(job), job.end()
        codes = [event["metadata"]["event_code"] for event in events]
        denied = sum(end.get("denied", {}).values())
        told = sum(event["count"] for event in events if is_decision(event))
        check.that(f"{what}: every attempt was denied and counted", attempts <= denied <= attempts + slack,
                   f"{attempts} attempts, {denied} denied")
        check.equal(f"{what}: every denial is in an event's count or counted as lost", told + end.get("lost", -1), denied)
        check.equal(f"{what}: complete, if none is lost", end.get("complete"), end.get("lost") == 0)
        check.equal(f"{what}: lines are numbered from 1 without gap or repeat",
                    [event["metadata"]["sequence"] for event in events], [*range(1, len(events) + 1)])
        check.equal(f"{what}: one start, first, and one end, last", (codes[:1], codes[-1:], codes.count("job_start"), codes.count("job_end")),
                    (["job_start"], ["job_end"], 1, 1))
        self_test = events[0]["unmapped"]["jobcage"].get("self_test", {}) if events else {}
        check.equal(f"{what}: its self-test was passed, and something was refused", (self_test.get("passed"), self_test.get("refused", 0) > 0), (True, True))
