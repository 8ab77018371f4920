# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a scheduler or a shell sees of a job: what it would see without jobcage."""
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time

from harness import WAIT_S, read, wait_for
from house import ALICE, ROOT
import traces

PARENT = f"{traces.CGROUP_ROOT}/slurm"


def statuses(check, house):
    plain = house.write(f"{house.out}/plain-file", "no program\n")
    os.chmod(plain, 0o644)
    rows = [
        ("success", ["true"], 0, r"\A\Z"),
        ("exit 7", ["sh", "-c", "exit 7"], 7, r"\A\Z"),
        ("SIGTERM", ["sh", "-c", "kill -TERM $$"], 143, r"\A\Z"),
        ("SIGKILL", ["sh", "-c", "kill -KILL $$"], 137, r"\A\Z"),
        ("no such command", ["no-such-command"], 127, r"\Ajobcage run: .*no-such-command.*No such file.*\n\Z"),
        ("not executable", [plain], 126, r"\Ajobcage run: .*plain-file.*Permission denied\n\Z"),
    ]
    for user in (ALICE, ROOT):
        for what, command, status, pattern in rows:
            job = house.start(*command, user=user).finish()
            check.equal(f"{user.name}: {what}: exit status", job.status, status)
            check.matches(f"{user.name}: {what}: standard error", job.err, pattern)
    missing = house.start("true", policy="missing").finish()
    check.equal("no such policy: exit status", missing.status, 125)
    check.matches("no such policy: says so", missing.err, r"\Ajobcage run: .*missing\.json.*\n\Z")
    house.policy("long", limits={"runtime": "1x"})
    bad = house.start("true", user=ALICE, policy="long").finish()
    check.equal("bad policy: exit status", bad.status, 125)
    check.matches("bad policy: file, line, column", bad.err, r"\Ajobcage run: .*long\.json:\d+:\d+: .*\n\Z")
    house.settles(check, "exit statuses")


def same_process(check, house):
    text = house.write(f"{house.root}/stdin", "from standard input\n")
    with open(text, "rb") as stdin:
        job = house.shell("echo $$ $PPID; cat; echo to-stderr >&2; ls /proc/$$/fd", user=ALICE, stdin=stdin)
    check.equal("process id, its parent's, standard input and the descriptors it has", job.out.split("\n"),
                [f"{job.process.pid} {os.getpid()}", "from standard input", "0", "1", "2", ""])
    check.equal("standard error", job.err, "to-stderr\n")
    fd = os.dup2(os.open("/dev/null", os.O_RDONLY), 9)
    for options, kept in (([], "0 1 2"), (["--keep-fd", "9"], "0 1 2 9")):
        job = house.shell("ls /proc/$$/fd", user=ALICE, pass_fds=[9], options=options)
        check.equal(f"descriptors with {options}", job.out.split(), kept.split())
    os.close(fd)
    house.settles(check, "same process")


def terminal(check, house):
    probe = 'test -t 0 -a -t 1 -a -t 2 && cut -d" " -f1,5,6,8 /proc/$$/stat; echo ready; exec sleep 1000'
    pid, master = pty.fork()
    if pid == 0:
        os.execv(house.jobcage, [house.jobcage, "run", "--policy", "plain", "--", "sh", "-c", probe])
    text = b""
    with contextlib.suppress(OSError):
        while b"ready" not in text:
            text += os.read(master, 4096)
    found = re.search(rb"^(\d+) (\d+) (\d+) (-?\d+)\r?$", text, re.MULTILINE)
    check.that("kept on 0, 1 and 2; process, group, session and foreground group are one",
               found and {int(field) for field in found.groups()} == {pid}, text.decode(errors="replace"))
    os.write(master, b"\x03")
    check.equal("^C reaches the job", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -signal.SIGINT)
    os.close(master)
    house.settles(check, "terminal")


class Shell:
    """An interactive bash on a terminal of its own."""

    def __init__(self):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve("/bin/bash", ["bash", "--norc", "--noediting", "-i"], os.environ | {"PS1": "", "TERM": "dumb"})
        self.text = ""

    def type(self, text):
        os.write(self.master, text.encode())

    def says(self, pattern):
        """Waits for it, and forgets what was before; or what was said instead."""
        deadline = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, self.text)) and time.monotonic() < deadline:
            if select.select([self.master], [], [], 1)[0]:
                self.text += os.read(self.master, 4096).decode(errors="replace")
        said, self.text = self.text, self.text[found.end():] if found else self.text
        return (True, "") if found else (False, said)

    def interrupt(self):
        """^C, once a job has the terminal: before that it is the shell's, and throws away what was typed."""
        wait_for(lambda: os.tcgetpgrp(self.master) != self.pid)
        self.type("\x03")

    def close(self):
        self.type("exit 0\n")
        os.waitpid(self.pid, 0)
        os.close(self.master)


def job_control(check, house):
    """^Z, bg, fg and ^C from a terminal, in one and in a pipeline."""
    shell, run = Shell(), f"{house.jobcage} run --policy plain --"
    steps = [
        ("it runs in the foreground", f"{run} sh -c 'echo u''p; while read line; do echo got:$line; done; exit 7'\n", r"up\r\n"),
        ("it reads the terminal", "one\n", r"got:one\r\n"),
        ("^Z stops it", "\x1a", r"\[1\]\+\s+Stopped"),
        ("with the status that the shell knows", "echo status=$?.\n", r"status=148\."),
        ("fg: it goes on", "fg\n", r"run --policy plain"),
        ("and has the terminal again", "two\n", r"got:two\r\n"),
        ("^D: its end", "\x04", r""),
        ("its status", "echo status=$?.\n", r"status=7\."),
        ("in a pipeline", f"{run} sh -c 'echo u''p; exec sleep 1000' | cat\n", r"up\r\n"),
        ("^Z stops both", "\x1a", r"\[1\]\+\s+Stopped"),
        ("bg: both go on", "bg; jobs\n", r"\[1\]\+\s+Running.*cat &\r\n"),
        ("fg again", "fg\n", r"sleep 1000"),
        ("^C ends both", "\x03", r""),
        ("with its status, as fg gives it", "echo status=$?.\n", r"status=130\."),
    ]
    for what, text, pattern in steps:
        shell.interrupt() if text == "\x03" else shell.type(text)
        if not check.that(what, *shell.says(pattern)):
            break
    shell.close()
    house.settles(check, "job control")


# Each is run twice, with and without jobcage before the commands: output and status must be the same.
SHELL = {
    "a pipeline": "$J sh -c 'echo a; echo b; exit 3' | $J sh -c 'cat; exit 4' | tail -n 1; echo ${PIPESTATUS[@]}",
    "a pipeline that is cut": "$J sh -c 'while echo x; do :; done' 2>/dev/null | head -n 2; echo ${PIPESTATUS[@]}",
    "substitution": "echo \"<$($J echo inner)>\"; ! $J false; echo $?",
    "setsid": "setsid --wait $J sh -c 'set -- $(cat /proc/$$/stat); test $$ = $6 && echo leader; exit 9'; echo $?",
    "nohup": "nohup $J sh -c 'kill -HUP $$; echo lives' 2>/dev/null; echo $?",
    "script": "script --quiet --return --command \"$J sh -c 'test -t 1 && echo on a terminal; exit 5'\" /dev/null </dev/null; echo $?",
    "timeout": "timeout --signal=INT 0.7 $J sleep 100; echo $?",
    "nice and a limit": "ulimit -n 99; nice -n 5 $J sh -c 'nice; ulimit -n'",
    "a trap": "$J sh -c 'trap \"echo caught; exit 3\" TERM; echo up >$OUT/trap; sleep 3 & wait' & p=$!\n"
              "until test -s $OUT/trap; do sleep 0.1; done; kill $p; wait $p; echo $?; rm $OUT/trap",
    "job control": "set -m; $J sh -c 'echo $$ >$OUT/pid; while :; do sleep 0.2; done' & until test -s $OUT/pid; do sleep 0.1; done\n"
                   "test $(cat $OUT/pid) = $! && echo same; kill -STOP %1; sleep 0.3; jobs %1 | cut -d' ' -f1-3\n"
                   "bg %1 >/dev/null; jobs %1 | cut -d' ' -f1-3; kill %1; wait %1; echo $?; rm $OUT/pid",
    "orphans": "$J sh -c 'sleep 0.3 & exit 2'; echo $?",
}


def like_without(check, house):
    prefix = f"{house.jobcage} run --policy plain --"
    for what, script in SHELL.items():
        results = []
        for words in ("", prefix):
            # Each in a session of its own, so that job control and signals are its own.
            result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=WAIT_S, cwd="/",
                                    stdin=subprocess.DEVNULL, env=os.environ | {"J": words, "OUT": house.out}, start_new_session=True)
            results.append((result.returncode, result.stdout, result.stderr))
        check.equal(f"{what}: as without jobcage", results[1], results[0])
        check.that(f"{what}: it says something", results[0][1])
    house.settles(check, "shells")


@contextlib.contextmanager
def parent_cgroup(**limits):
    """A cgroup as a scheduler makes it."""
    with open(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "w", encoding="ascii") as stream:
        stream.write("+memory +pids")
    os.mkdir(PARENT)
    try:
        for name, value in limits.items():
            with open(f"{PARENT}/{name.replace('_', '.')}", "w", encoding="ascii") as stream:
                stream.write(value)
        yield
    finally:
        wait_for(lambda: not os.path.exists(PARENT) or not rmdir_fails(PARENT))
        with open(f"{traces.CGROUP_ROOT}/cgroup.subtree_control", "w", encoding="ascii") as stream:
            stream.write("-memory -pids")


def rmdir_fails(path):
    try:
        os.rmdir(path)
        return False
    except OSError:
        return True


# A step as a user's manager starts it, by `systemd-run --scope`: in a cgroup that is handed to the user.
STEP = f"{PARENT}/step"
AS_STEP = ["sh", "-c", f'echo $$ >{STEP}/cgroup.procs && exec setpriv --reuid {ALICE.uid} --regid {ALICE.gid} --clear-groups "$@"', "sh"]


def hand_over(path):
    for name in ("", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
        os.chown(f"{path}/{name}", ALICE.uid, ALICE.gid)


def delegated(check, house):
    """The user may move processes about in what is his: what he moves out of the job's cgroup is the job's all the same."""
    script = ("cut -d: -f3 /proc/self/cgroup; touch $OUT/step-ready; until test -e $OUT/step-go; do sleep 0.1; done\n"
              "(echo x >>$DIGITS/a) 2>/dev/null && echo breach; exit 6")
    with parent_cgroup(memory_max="64M", pids_max="40"):
        os.mkdir(STEP)
        hand_over(PARENT)
        hand_over(STEP)
        job = house.start_shell(script, wrap=AS_STEP)
        check.that("it runs", wait_for(lambda: house.exists("step-ready") or job.process.poll() is not None) and job.process.poll() is None,
                   job.err)
        move = f"mkdir {PARENT}/other && echo {job.process.pid} >{PARENT}/other/cgroup.procs"
        moved = subprocess.run(["sh", "-c", move], capture_output=True, text=True, check=False, **ALICE.popen())
        check.equal("its user moves it", (moved.returncode, moved.stderr), (0, ""))
        house.touch("step-go")
        check.equal("where it was, what it did, its status", (job.finish().out, job.status), (f"/slurm/step/jobcage-{job.id}\n", 6))
        house.accounted(check, "moved by its user", job, 1)
        for path in (f"{PARENT}/other", STEP):
            check.that(f"{path} can be removed", wait_for(lambda: not rmdir_fails(path)))
    for name in ("step-ready", "step-go"):
        os.unlink(f"{house.out}/{name}")
    house.settles(check, "a cgroup of the user's own")


def enter(pid=0):
    with open(f"{PARENT}/cgroup.procs", "w", encoding="ascii") as stream:
        stream.write(str(pid))


def scheduler_limits(check, house):
    """The job's cgroup is below the one that the scheduler limits."""
    forks = "i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done; echo all >&3; exit 0"
    with parent_cgroup(memory_max="64M", pids_max="12"):
        job = house.shell("cat /proc/self/cgroup; head -c 16M /dev/zero | tail -c 1M | wc -c", preexec_fn=enter)
        check.matches("below the scheduler's cgroup", job.out, rf"^0::/slurm/jobcage-{job.id}$")
        check.matches("little memory: granted", job.out, r"^1048576$")
        big = house.shell("head -c 300M /dev/zero | tail -c 300M | wc -c", preexec_fn=enter)
        check.that("much memory: the kernel kills", int(re.search(r"oom_kill (\d+)", read(f"{PARENT}/memory.events"))[1]) > 0)
        check.that("and it is not counted as done", "314572800" not in big.out, big.out)
        few = house.shell("for i in 1 2 3; do sleep 0.1 & done; wait; echo done", preexec_fn=enter)
        check.equal("few processes: granted", few.out, "done\n")
        many = house.shell(f"({forks}) 3>&1", preexec_fn=enter)
        check.that("many processes: refused", "all" not in many.out and re.search(r"fork", many.err), many.out + many.err)
        check.that("by the scheduler's limit", int(re.search(r"max (\d+)", read(f"{PARENT}/pids.events"))[1]) > 0)
        for ended in (job, big, few, many):
            house.record(ended)
        house.settles(check, "under a scheduler's limits")
