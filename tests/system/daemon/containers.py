# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Jobs in containers: `podman run` (crun), and `unshare`d by root and by a user. Each is attached under one policy, and makes the same
attempts as a plain job: the same verdicts, by the same rules."""
import contextlib
import os
import shutil
import socket
import subprocess

from attach import CGROUP, cgroup, enter
from cage import PROJECT, Record, is_decision
from harness import wait_for
from house import ALICE
import traces

PODMAN = ["podman", "--root", "/run/podman-root", "--runroot", "/run/podman-run", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
          "--runtime", "crun", "--events-backend", "file"]
NAME = "jobcage-contained"
ALLOWED, REFUSED = "OK", "refused"
ROOT_IN_JOB = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_CHROOT"]
UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts", "--ipc", "--cgroup"]


def family(pid):
    """The process, and its children's children."""
    yield pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
        children = stream.read().split()
    for child in children:
        yield from family(int(child))


class Shape:
    """A process that makes attempts, in namespaces of its own or in none."""

    user = "root"

    def __init__(self, house, act):
        self.house, self.act = house, act

    def command(self):
        return [self.act]

    def popen(self):
        return {}

    @contextlib.contextmanager
    def started(self):
        with cgroup(), subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd="/",
                                        **self.popen()) as self.process:
            self.ask("here", "open_read", "/usr/bin/true")
            self.settle()
            yield self
            self.process.stdin.close()
            self.process.wait()

    def settle(self):
        """Into the cgroup, with what comes of it."""
        for pid in family(self.process.pid):
            enter(pid)

    def cgroup(self):
        return CGROUP

    def ask(self, *words):
        self.process.stdin.write(" ".join(["x", *words]) + "\n")
        answer = self.process.stdout.readline().split()
        return answer[1] if len(answer) > 1 else "nothing"


class Unshared(Shape):
    def command(self):
        return [*UNSHARE, self.act]


class OfUser(Shape):
    """With a user namespace: root there, a user outside."""
    user = ALICE.name

    def command(self):
        return [*UNSHARE, "--user", "--map-root-user", self.act]

    def popen(self):
        return ALICE.popen()


class Podman(Shape):
    """A container of the machine's own /usr, with the job's places in it, as privileged as podman can make it."""

    def command(self):
        root = f"{self.house.root}/container"
        for name in ("usr", "proc", "dev", "sys", "tmp", "etc", "run", self.house.root[1:]):
            os.makedirs(f"{root}/{name}", exist_ok=True)
        for name in ("bin", "lib", "lib64"):
            if not os.path.lexists(f"{root}/{name}"):
                os.symlink(f"usr/{name}", f"{root}/{name}")
        return [*PODMAN, "run", "--interactive", "--rm", "--name", NAME, "--privileged", "--network", "host", "--volume", "/usr:/usr",
                "--volume", f"{self.house.root}:{self.house.root}", "--rootfs", root, self.act]

    def settle(self):
        """It has a cgroup of its own."""
        pid = subprocess.run([*PODMAN, "inspect", "--format", "{{.State.Pid}}", NAME], capture_output=True, text=True, check=True).stdout.strip()
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as stream:
            self.path = traces.CGROUP_ROOT + stream.read().strip().removeprefix("0::")

    def cgroup(self):
        return self.path


@contextlib.contextmanager
def listeners(house):
    """Of others: on the loopback, TCP and UDP at one port, and at a path."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_UNIX) as unix:
        udp.bind(tcp.getsockname())
        unix.bind(f"{house.root}/outside.sock")
        os.chmod(f"{house.root}/outside.sock", 0o777)
        unix.listen()
        yield str(tcp.getsockname()[1]), f"{house.root}/outside.sock"
    os.unlink(f"{house.root}/outside.sock")


def attempts(house, port, path):
    """(words for `act`, verdict)"""
    return [
        ("here open_read", f"{house.digits}/a", ALLOWED), ("here open_write", f"{house.digits}/a", REFUSED),
        ("here unlink", f"{house.digits}/a", REFUSED), ("here chmod", f"{house.digits}/a", REFUSED),
        ("here open_read", f"{house.patients}/p", REFUSED), ("here list", house.patients, REFUSED),
        ("fork creat", f"{house.out}/new", ALLOWED), ("thread unlink", f"{house.out}/new", ALLOWED),
        ("here link", f"{house.digits}/a {house.out}/link", REFUSED), ("here open_write", f"{house.root}/site.json", REFUSED),
        ("here exec", "/usr/bin/true", ALLOWED), ("here exec", f"{house.out}/unlisted", REFUSED), ("here exec_memfd", "/usr/bin/true", REFUSED),
        ("here map_late", f"{house.out}/unlisted", REFUSED), ("here map_memory", "", ALLOWED),
        ("fork tcp", f"127.0.0.1 {port} -", REFUSED), ("daemon udp", f"127.0.0.1 {port} -", REFUSED), ("here unix_stream", f"{path} word", REFUSED),
        ("here bpf", "", REFUSED), ("here user_namespace", "", REFUSED), ("here mount_tmpfs", house.out, REFUSED),
        ("here mknod_dev", f"{house.out}/node 10 232", REFUSED), ("here open_write", "/proc/sys/kernel/core_pattern", REFUSED),
        ("here signal_oneself", "", ALLOWED), ("crew open_write", f"{house.digits}/a", REFUSED),
    ]


def rules_of(events):
    """{what and by which rule}"""
    return {(event["metadata"]["event_code"], event["firewall_rule"]["uid"]) for event in events if is_decision(event) and "firewall_rule" in event}


def attempt_all(check, house, shape, what):
    """(verdicts, rules)"""
    job = Record(f"contained-{what}", house.site_alerts)
    with listeners(house) as (port, path), shape.started():
        asked = attempts(house, port, path)
        result = house.ask("attach", "--cgroup", shape.cgroup(), "--policy", "contained", "--job", job.id, "--user", shape.user)
        check.equal(f"{what}: attach", (result.returncode, result.stderr), (0, ""))
        answers = [shape.ask(*act.split(), *words.split()) for act, words, _ in asked]
    for (act, words, wanted), answer in zip(asked, answers):
        verdict = ALLOWED if answer == "OK" else REFUSED if answer in ("EACCES", "EPERM") else answer
        check.equal(f"{what}: {act} {words}", verdict, wanted)
    check.that(f"{what}: it ends", wait_for(lambda: job.id not in house.job_ids()))
    return answers, rules_of(job.events())


def entered(check, house, act):
    """Who enters a container from outside is of the job before it is in the container's namespaces, which takes a capability."""
    job, shape = Record("contained-entered", house.site_alerts), Podman(house, act)
    with shape.started():
        house.ask("attach", "--cgroup", shape.cgroup(), "--policy", "contained", "--job", job.id)
        # How it tells that is podman's own matter: conmon may be gone before it has passed crun's words on.
        done = subprocess.run([*PODMAN, "exec", NAME, "echo", "entered"], capture_output=True, text=True, check=False)
        check.equal("podman exec is refused", (done.returncode != 0, done.stdout), (True, ""))
    check.that("podman exec: it ends", wait_for(lambda: job.id not in house.job_ids()))
    check.equal("podman exec: by what rule", rules_of(job.events()), {("guard_capability", "capabilities.default")})


def same_verdicts(check, house):
    house.policy("contained", capabilities=ROOT_IN_JOB, exec={"default": "deny", "allow": ["/usr/bin", "/usr/lib", f"{house.root}/act"]})
    act = shutil.copy(f"{PROJECT}/build/tests/act", f"{house.root}/act")
    shutil.copy("/usr/bin/true", f"{house.out}/unlisted")
    found = {shape.__name__: attempt_all(check, house, shape(house, act), shape.__name__) for shape in (Shape, Unshared, Podman, OfUser)}
    for name in ("Unshared", "Podman"):
        check.equal(f"{name}: as the plain job", found[name][0], found["Shape"][0])
        check.equal(f"{name}: by the same rules", found[name][1], found["Shape"][1])
    # What takes a capability is refused to a user by the kernel, or in the user namespace by the rule behind it.
    check.that("OfUser: by no other rules", found["OfUser"][1] <= found["Shape"][1] | {("guard_denied", "mounts")}, found["OfUser"][1])
    check.that("the rules say what was meant to be", {"dataset:digits", "dataset:patients", "exec.default"} <= {rule for _, rule in found["Shape"][1]}, found["Shape"][1])
    entered(check, house, act)
    house.settles(check, "containers")
