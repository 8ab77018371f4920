# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What one user's doing must not do to others: who gets a dead launcher's number, and who starts a job while clients keep the daemon's memory busy."""
import contextlib
import glob
import json
import os
import signal
import struct
import subprocess
import time

from harness import WAIT_S, wait_for
from holdup import PARENT, move, owned_cgroups
from house import ALICE, BOB, CAROL
from protocol import OWN, Client, child, name_myself
import traces

CGROUP = f"{traces.CGROUP_ROOT}/jobcage-reused"
LOADS, JOBS = 4, 15


@contextlib.contextmanager
def slow_move(house, cgroup, seconds, when="delay_enter"):
    """
    So long the daemon is about to move a launcher into its cgroup, which is then still to be made; or, by delay_exit, has moved it.
    The first whom it moves there is the canary.
    """
    tracer = subprocess.Popen(["strace", "-f", "-q", "-p", str(house.daemon.pid), "-P", f"{cgroup}/cgroup.procs", "-e", "trace=write",
                               "-e", f"inject=write:{when}={seconds}000000:when=2", "-o", "/dev/null"])
    wait_for(lambda: "TracerPid:\t0\n" not in open(f"/proc/{house.daemon.pid}/status", encoding="ascii").read())
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()


def wait_for_canary():
    """Until one has come and gone: what is left is the launcher's label and its way into the cgroup. It does not rest, to be first."""
    deadline = time.monotonic() + WAIT_S
    for is_there in (True, False):
        while bool(glob.glob(traces.CANARY_FOLDERS)) != is_there and time.monotonic() < deadline:
            pass


def in_cgroup_of(job_id, pid):
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as stream:
        return f"jobcage-{job_id}" in stream.read()


def take_number(pid, command, out):
    """Starts the command until it has that number."""
    for _ in range(50):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as stream:
            stream.write(str(pid - 1))
        process = subprocess.Popen(command, stdout=out, stderr=out)
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    return None


def reused(check, house):
    """The launcher dies just before it is moved, and a stranger, who gets its number, is moved in its place: he stays in no job."""
    said = f"{house.log}/stranger"

    def launch():
        name_myself()
        Client().send({"version": 1, "op": "run", "policy": "plain", "job": "reused", "pidfd": OWN})
        wait_for(lambda: house.exists("die"))

    with slow_move(house, CGROUP, 6):
        pid, fd = child(ALICE, launch)
        wait_for_canary()
        check.that("the job's cgroup is made, and the launcher not in it", os.path.exists(CGROUP) and not in_cgroup_of("reused", pid))
        house.touch("die")
        os.waitpid(pid, 0)
        with open(said, "wb") as out:
            stranger = take_number(pid, ["sh", "-c", "while sleep 0.2; do cat /etc/hostname >/dev/null && echo fine || echo refused; done"], out)
        check.that("a stranger has the launcher's number", stranger)
        check.that("the job ends", wait_for(lambda: not os.path.exists(CGROUP), 30))
    os.close(fd)
    os.unlink(f"{house.out}/die")
    if stranger:
        time.sleep(2)
        check.that("the stranger lives", stranger.poll() is None)
        check.that("and is in no job", house.ask("whois", str(pid)).returncode != 0)
        stranger.kill()
        stranger.wait()
        with open(said, encoding="ascii") as stream:
            words = stream.read().split()
        check.that("and may what he could", words[-3:] == ["fine"] * 3, words[-3:])
    house.settles(check, "a number that is reused")


def give_label(process, slot, generation):
    """As job_by_task of bpf/abi/job.h has it."""
    pin = glob.glob(f"{traces.PIN_ROOT}/*/job_by_task")[0]
    fd = os.pidfd_open(process.pid)
    key, value = (struct.pack(form, *numbers).hex(" ").split() for form, numbers in (("i", [fd]), ("IIQII", [slot, generation, 0, 0, 0])))
    subprocess.run([traces.BPFTOOL, "map", "update", "pinned", pin, "key", "hex", *key, "value", "hex", *value], check=True, pass_fds=[fd])
    os.close(fd)


def old_label(check, house):
    """A process with the label of the job that had the slot before: the forks that it is refused stand in nobody's record."""
    for what, age, said in (("of the job before", 1, ""), ("of the job", 0, "forked\n")):
        job = house.start("sleep", "1000", user=ALICE)
        wait_for(lambda one=job: house.running(one))
        with open(f"{traces.STATE_JOBS}/{job.id}.json", encoding="utf-8") as stream:
            label = json.load(stream)
        with subprocess.Popen(["sh", "-c", "read line; (echo forked)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as other:
            give_label(other, label["slot"], label["generation"] - age)
            check.equal(f"who has the label {what}", other.communicate("go\n")[0], said)
        job.process.kill()
        job.finish()
        house.record(job)
        check.equal(f"label {what}: failed forks in the job's record", job.end().get("fork_failures"), 0)
    house.settles(check, "an old label")


HYDRA = """
import os, resource
resource.setrlimit(resource.RLIMIT_NPROC, (40, 40))
while True:
    try:
        if os.fork() == 0 or os.fork() == 0:
            continue
    except OSError:
        continue
    os._exit(0)
"""


def hydra(check, house):
    """Moved out of the job's cgroup, processes that fork and exit all the time: who is to be killed has another number already."""
    with owned_cgroups():
        job = house.start_shell("echo $$ >$OUT/child; until [ -e $OUT/moved ]; do sleep 0.1; done; exec python3 -c \"$HYDRA\"", user=ALICE,
                                env=os.environ | {"HYDRA": HYDRA})
        wait_for(lambda: house.exists("child") and os.path.getsize(f"{house.out}/child"))
        with open(f"{house.out}/child", encoding="ascii") as stream:
            move(int(stream.read()), "aside")
        house.touch("moved")
        members = f"{PARENT}/aside/cgroup.procs"
        check.that("it has heads", wait_for(lambda: len(open(members, encoding="ascii").readlines()) > 5, 30))
        check.equal("it is killed", house.ask("kill", job.id, user=ALICE).returncode, 0)
        check.that("and dies", wait_for(lambda: not open(members, encoding="ascii").read(), 10))
        job.finish()
        with contextlib.suppress(OSError):
            house.write(f"{PARENT}/aside/cgroup.kill", "1")
        for name in ("child", "moved"):
            os.unlink(f"{house.out}/{name}")
        wait_for(lambda: house.status(job.id) is None, 30)
    house.settles(check, "a hydra")


def busy(check, house):
    """Clients have the daemon allocate memory all the time: the canary, a copy of it, does not wait for a lock that one of its threads held."""
    # A policy is parsed whatever it has, and this one is refused then: a request itself may have few values.
    rules = [{"path": f"/usr/{i}", "access": "read"} for i in range(4200)]
    text = json.dumps({"version": 1, "name": "large", "filesystem": {"default": "read", "rules": rules}})
    body = json.dumps({"version": 1, "op": "run", "pidfd": OWN, "policy_text": text}).encode()

    def load():
        fd = os.memfd_create("body")
        os.write(fd, body)
        name_myself()
        while True:
            client = Client()
            for _ in range(16):
                client.send({"version": 1, "pidfd": OWN, "body": fd})
                client.receive()
            client.close()

    loads = [child(CAROL, load) for _ in range(LOADS)]
    try:
        time.sleep(1)
        results = [house.start("true", user=BOB, policy="team").finish() for _ in range(JOBS)]
    finally:
        for pid, fd in loads:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(fd)
    check.equal("another user's jobs", [(job.status, job.err) for job in results if job.status], [])
    house.settles(check, "busy memory")
