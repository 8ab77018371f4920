# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`jobcage attach`: a cgroup that a scheduler made and filled becomes a job, at once and whole."""
import contextlib
import glob
import json
import os
import subprocess
import time

from cage import PROJECT, Record
from harness import WAIT_S, wait_for, wait_for_equal
from house import ALICE
from toil import ATTEMPTS, BREACHES, Stranger
import traces

CROWD = os.environ.get("JOBCAGE_CROWD", f"{PROJECT}/build/tests/crowd")
CGROUP = f"{traces.CGROUP_ROOT}/batch"
DEEP = 70


class Crowd:
    """
    See tests/bpf/crowd.c: until judge() anything may come out, from then on what is forbidden must be refused. It never rests, so it
    gives way to who does: behind 40 threads of its kind the daemon would wait for the processor most of the time.
    """

    def __init__(self, house, *shape):
        command = ["nice", "-n", "19", CROWD, *map(str, shape), f"{house.digits}/a", f"{house.out}/allowed"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pids = [int(word) for word in self.process.stdout.readline().split() if word.isdigit()]

    def judge(self):
        self.process.stdin.write("judge\n")

    def enter(self, at):
        """Also what they forked before and is alive is in it then: that would stay outside else."""
        for pid in self.pids:
            enter(pid, at)
        return wait_for(lambda: all(is_in(child, at) for child in self.children()))

    def children(self):
        found = []
        for path in (path for pid in self.pids for path in glob.glob(f"/proc/{pid}/task/*/children")):
            with contextlib.suppress(OSError), open(path, encoding="ascii") as stream:
                found += stream.read().split()
        return found

    def end(self):
        """Attempts, and those that came out wrong."""
        self.process.stdin.write("end\n")
        text = self.process.communicate(timeout=WAIT_S)[0]
        attempts, wrong = text.split()[-2:]
        return int(attempts), int(wrong)


def enter(pid, cgroup=CGROUP):
    with open(f"{cgroup}/cgroup.procs", "w", encoding="ascii") as stream:
        stream.write(str(pid))


@contextlib.contextmanager
def waiting_in(house, at):
    """A process in a cgroup; what is yielded tells whether it may fork, and write a file that a job may not."""
    with subprocess.Popen(["sh", "-c", 'read line; (echo >>"$0") && echo free', f"{house.log}/free"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        enter(process.pid, at)
        yield lambda: process.communicate("go\n", timeout=WAIT_S)[0] == "free\n"


def is_in(pid, at):
    """Also if it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cgroup", encoding="ascii") as stream:
        return stream.read().strip() == f"0::{at.removeprefix(traces.CGROUP_ROOT)}"
    return True


@contextlib.contextmanager
def cgroup(*below):
    for path in (CGROUP, *(f"{CGROUP}/{name}" for name in below)):
        os.mkdir(path)
    try:
        yield
    finally:
        for path in (*(f"{CGROUP}/{name}" for name in reversed(below)), CGROUP):
            wait_for(lambda at=path: rmdir(at))


def text_of(path):
    with open(path, encoding="ascii") as stream:
        return stream.read()


def rmdir(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def attached(check, house):
    """20 processes in it and below: some of one thread, some of many, some that fork without end."""
    house.write(f"{house.out}/allowed", "")
    with cgroup("step"):
        crowds = [Crowd(house, 12, 1, "stay"), Crowd(house, 4, 6, "stay"), Crowd(house, 4, 1, "fork")]
        pids = [pid for crowd in crowds for pid in crowd.pids]
        check.equal("so many processes", len(pids), 20)
        other = house.start("sleep", "1000", job_id="other-job", user=ALICE)
        wait_for(lambda: house.running(other))
        for i, pid in enumerate(pids):
            enter(pid, f"{CGROUP}/step" if i % 3 else CGROUP)
        enter(other.process.pid)
        result = house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch")
        for crowd in crowds:
            crowd.judge()
        check.equal("attach", (result.returncode, result.stdout, result.stderr), (0, "batch\n", ""))
        late = Crowd(house, 2, 2, "fork")
        check.that("those that come later enter", late.enter(f"{CGROUP}/step"))
        late.judge()
        time.sleep(1)
        check.equal("whois says so of all", {house.ask("whois", str(pid)).stdout.split()[0] for pid in (pids[0], pids[-1], late.pids[0])}, {"batch"})
        check.matches("a process of another job keeps its job", house.ask("whois", str(other.process.pid)).stdout, r"\Aother-job ")
        answer = house.ask("status", "--json", "batch")
        check.equal("status answers", (answer.returncode, answer.stderr), (0, ""))
        status = json.loads(answer.stdout)
        check.equal("the job's status", (status["attached"], status["cgroup"], status["uid"]), (True, CGROUP, 0))
        again = house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "again")
        check.that("a cgroup that is a job's is not another's", again.returncode == 1 or house.ask("kill", "again").returncode, again)
        total = 0
        for what, crowd in zip(("of one thread", "of many threads", "that fork", "that entered later"), [*crowds, late]):
            attempts, wrong = crowd.end()
            total += attempts
            check.that(f"those {what}: attempts", attempts, attempts)
            check.equal(f"those {what}: wrong verdicts", wrong, 0)
        house.ask("kill", "other-job")
        other.process.wait()
        wait_for(lambda: "batch" not in house.job_ids())
        check.equal("it ends when it is empty, and the cgroup stays", ("batch" in house.job_ids(), os.path.isdir(f"{CGROUP}/step")), (False, True))
        print(f"#    {total} attempts", flush=True)
        with waiting_in(house, CGROUP) as is_free:
            check.that("who enters after the end is free", is_free())
    house.settles(check, "attached")


def counted(check, house, cnt):
    """
    Two processes that attempt without rest. Their peers are refused before they are in the job, and none of that is told of in part:
    an attempt from before is neither an event nor counted, and every other is both.
    """
    for turn in range(cnt):
        job = Record(f"counted-{turn}", house.site_alerts)
        with cgroup():
            crowd = [Stranger(house, f"{job.id}-{i}", period_ms=0, threads=4) for i in range(2)]
            for toil in crowd:
                enter(toil.process.pid)
                check.that(f"turn {turn}: they toil", toil.goes())
            result = house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", job.id)
            check.equal(f"turn {turn}: attach", (result.returncode, result.stderr), (0, ""))
            free = sum(toil[BREACHES] for toil in crowd)
            for toil in crowd:
                toil.end()
                toil.process.wait()
            # Of those that were not yet in the job, peers' refusals may be counted.
            house.accounted(check, f"turn {turn}", job, sum(toil[ATTEMPTS] - toil[BREACHES] for toil in crowd), slack=free)
    house.settles(check, "attached and counted")


def restarted(check, house):
    """The daemon is killed while the cgroup is a job; who enters meanwhile is governed too."""
    house.write(f"{house.out}/allowed", "")
    with cgroup():
        first = Crowd(house, 1, 2, "stay")
        enter(first.pids[0])
        check.equal("attach", house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch").returncode, 0)
        house.daemon.kill()
        second = Crowd(house, 1, 2, "fork")
        check.that("those that come meanwhile enter", second.enter(CGROUP))
        for crowd in (first, second):
            crowd.judge()
        time.sleep(0.5)
        house.daemon.start()
        check.that("the next daemon has it", "batch" in house.job_ids())
        check.equal("wrong verdicts", [crowd.end()[1] for crowd in (first, second)], [0, 0])
        check.that("it ends", wait_for(lambda: "batch" not in house.job_ids()))
    house.settles(check, "attached, and the daemon killed")


def deep(check, house):
    """Whoever owns a cgroup nests others in it as he likes: rules reach down to the last."""
    levels = ["/".join("d" * depth) for depth in range(1, DEEP + 1)]
    depths = (0, 60, DEEP)
    with cgroup(*levels):
        with contextlib.ExitStack() as stack:
            inside = [stack.enter_context(waiting_in(house, "/".join([CGROUP, *"d" * depth]))) for depth in depths]
            outside = stack.enter_context(waiting_in(house, traces.CGROUP_ROOT))
            check.equal("attach", house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch").returncode, 0)
            late = [stack.enter_context(waiting_in(house, "/".join([CGROUP, *"d" * depth]))) for depth in depths]
            check.equal(f"free at depths {depths}", [is_free() for is_free in inside], [False] * 3)
            check.equal(f"who entered at depths {depths} later: free", [is_free() for is_free in late], [False] * 3)
            check.that("who is outside is free", outside())
        check.that("it ends", wait_for(lambda: "batch" not in house.job_ids()))
    house.settles(check, "a deep cgroup")


def failed(check, house):
    """The self-test cannot be made in a frozen cgroup. Who came in meanwhile is let go with the rest, and can be a job later."""
    with cgroup():
        house.write(f"{CGROUP}/cgroup.freeze", "1")
        with waiting_in(house, CGROUP) as was_free, subprocess.Popen(
                [house.jobcage, "attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch"], stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True) as attaching:
            check.that("the self-test is under way", wait_for(lambda: glob.glob(traces.CANARY_FOLDERS)))
            with waiting_in(house, CGROUP) as is_free:
                said = attaching.communicate(timeout=WAIT_S)[0]
                house.write(f"{CGROUP}/cgroup.freeze", "0")
                check.equal("attach fails", attaching.returncode, 1)
                check.that("and says why", "self-test" in said and said.count("\n") == 1, said)
                check.equal("free: who was in it, who came meanwhile", (was_free(), is_free()), (True, True))
        with waiting_in(house, CGROUP) as is_free:
            again = wait_for(lambda: not house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch").returncode)
            check.equal("attached when it is thawed, free", (again, is_free()), (True, False))
        check.that("it ends", wait_for(lambda: "batch" not in house.job_ids()))
    house.settles(check, "a failed attachment")


def made_anew(check, house):
    """The daemon was away while the job's cgroup went, and another got its name: that is no job, and its processes are not killed."""
    with cgroup():
        with waiting_in(house, CGROUP):
            check.equal("attach", house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch").returncode, 0)
            house.daemon.kill()
    with cgroup():
        with waiting_in(house, CGROUP) as is_free:
            house.daemon.start()
            check.that("the job is over", wait_for(lambda: "batch" not in house.job_ids(), 10))
            house.ask("kill", "batch")
            check.that("who is in the other cgroup lives, and is free", is_free())
    house.settles(check, "a cgroup of the same name")


def killed_before(check, house):
    """Some kernels kill who is born into a cgroup that was killed more often than his parent's, or less: the self-test's canary must live."""
    with cgroup():
        house.write(f"{CGROUP}/cgroup.kill", "1")
        with waiting_in(house, CGROUP) as is_free:
            result = house.ask("attach", "--cgroup", CGROUP, "--policy", "plain", "--job", "batch")
            check.equal("attach", (result.returncode, result.stdout, result.stderr), (0, "batch\n", ""))
            check.that("what is in it is governed", not is_free())
        check.that("it ends", wait_for(lambda: "batch" not in house.job_ids()))
        enter(house.daemon.pid)
        job = house.shell("echo x 2>/dev/null >>$DIGITS/a; exit 3", user=ALICE)
        check.equal("the daemon itself is in such a one: a job runs", (job.status, job.err), (3, ""))
        house.write(f"{traces.CGROUP_ROOT}/cgroup.procs", str(house.daemon.pid))
        house.accounted(check, "under it", job, 1)
    house.settles(check, "a cgroup that was killed before")


def limit_refused(check, house):
    """A limit that cannot hold, because a process is in the cgroup above: what is in the cgroup is left as it was."""
    house.policy("few", limits={"processes": 8})
    with cgroup("step"), waiting_in(house, CGROUP), waiting_in(house, f"{CGROUP}/step") as is_free:
        result = house.ask("attach", "--cgroup", f"{CGROUP}/step", "--policy", "few")
        check.equal("a limit that cannot hold: exit status", result.returncode, 1)
        check.that("a limit that cannot hold: says so", "limits.processes" in result.stderr, result.stderr)
        check.that("what is in the cgroup stays free", is_free())


def limited(check, house):
    """A scheduler's stricter limit stays; another one is what it was when the job is over, whatever numbers the policy had meanwhile."""
    switch = f"{traces.CGROUP_ROOT}/cgroup.subtree_control"
    was_on = "pids" in text_of(switch).split()
    house.write(switch, "+pids")
    for before, strictest in (("100", 100), ("max", 100), ("4", 4)):
        house.policy("few", limits={"processes": 8})
        with cgroup():
            house.write(f"{CGROUP}/pids.max", before)
            with waiting_in(house, CGROUP):
                result = house.ask("attach", "--cgroup", CGROUP, "--policy", "few", "--job", "batch")
                check.equal(f"{before}: attach", (result.returncode, result.stderr), (0, ""))
                check.equal(f"{before}: under the job", text_of(f"{CGROUP}/pids.max").strip(), str(min(8, strictest)))
                for max_now in (6, 16):
                    house.policy("few", limits={"processes": max_now})
                    check.equal(f"{before}: reload", house.ask("reload").returncode, 0)
                    check.equal(f"{before}: by the policy now", text_of(f"{CGROUP}/pids.max").strip(), str(min(max_now, strictest)))
            check.that(f"{before}: it ends", wait_for(lambda: "batch" not in house.job_ids()))
            check.equal(f"{before}: afterwards", (text_of(f"{CGROUP}/pids.max").strip(), os.listxattr(CGROUP)), (before, []))
    if not was_on:
        house.write(switch, "-pids")
    house.settles(check, "a limited cgroup")


def refusals(check, house):
    house.policy("env", environment={"private": ["/tmp"]})
    rows = [
        ("a cgroup that is not there", [f"{traces.CGROUP_ROOT}/none"], "none"),
        ("no cgroup but a folder", ["/srv"], "/srv"),
        ("the root cgroup, where the daemon is", [traces.CGROUP_ROOT], ""),
    ]
    for what, words, says in rows:
        result = house.ask("attach", "--policy", "plain", "--cgroup", *words)
        check.equal(f"{what}: exit status", result.returncode, 1)
        check.that(f"{what}: says so", says in result.stderr and result.stderr.count("\n") == 1, result.stderr)
    with cgroup():
        result = house.ask("attach", "--policy", "env", "--cgroup", CGROUP)
        check.equal("a policy with an environment: exit status", result.returncode, 1)
        result = house.ask("attach", "--policy", "plain", "--cgroup", CGROUP, user=ALICE)
        check.equal("an ordinary user: exit status", result.returncode, 1)
    limit_refused(check, house)
    check.equal("the daemon lives, and has the keeper alone", wait_for_equal(house.job_ids, ["keeper"]), ["keeper"])
    house.settles(check, "refused attachments")
