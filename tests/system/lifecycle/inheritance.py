# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The launcher becomes the command: the job's first process is what it would have been without jobcage."""
import os
import pty
import re
import resource
import signal
import subprocess

# Run twice, in a job and out of it: the output must be the same.
PROBE = r"""
env | sort; pwd; umask; ulimit -a; id
grep -E '^(Sig|Cap|NoNewPrivs|Seccomp:)' /proc/$$/status
cat /proc/$$/oom_score_adj; cut -d' ' -f5,6,7,8,18,19 /proc/$$/stat
ls /proc/$$/fd; readlink /proc/$$/fd/0; cat; echo to-stderr >&2
"""

# pid, process group, session, terminal, foreground process group; and that the terminal's settings can be read.
TTY_PROBE = 'test -t 0 -a -t 1 -a -t 2 && stty size >/dev/null && cut -d" " -f1,5,6,7,8 /proc/$$/stat; echo ready; exec sleep 1000'


def odd_surroundings():
    """What a scheduler may have set up before it starts a job."""
    os.umask(0o027)
    os.nice(3)
    resource.setrlimit(resource.RLIMIT_NOFILE, (321, 654))
    resource.setrlimit(resource.RLIMIT_CORE, (4096, 8192))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])


def same_process(check, world):
    job = world.start_shell('echo $$; exec cat /proc/self/stat').finish()
    pid = str(job.process.pid)
    check.equal("the shell's $! is the command's $$", job.out.split()[0], pid)
    world.whole(check, "same process", job)
    check.equal("the start event has it too", str(job.events()[0]["actor"]["process"]["pid"]), pid)


def surroundings(check, world):
    text = world.write(f"{world.root}/stdin", "from standard input\n")
    env = os.environ | {"ODD": "a b\nc", "EMPTY": ""}
    how = {"env": env, "preexec_fn": odd_surroundings, "cwd": world.out}
    with open(text, "rb") as stdin:
        outside = subprocess.run(["sh", "-c", PROBE], stdin=stdin, capture_output=True, check=False, **how)
    with open(text, "rb") as stdin:
        job = world.start("sh", "-c", PROBE, stdin=stdin, **how).finish()
    check.equal("the probe tells something", outside.returncode, 0)
    for ours, theirs in zip(job.out.splitlines(), outside.stdout.decode().splitlines()):
        check.equal(f"in a job as outside: {theirs.split(' ')[0]}", ours, theirs)
    check.equal("standard output has no more", len(job.out.splitlines()), len(outside.stdout.splitlines()))
    check.equal("standard error has no more", job.err, outside.stderr.decode())
    world.whole(check, "odd surroundings", job)


def user(check, world):
    job = world.shell('id -u; id -g; id -G; echo "$HOME $USER $LOGNAME"; echo x >$OUT/nobody; grep ^Cap /proc/self/status',
                      options=["--user", "nobody"])
    lines = job.out.splitlines()
    check.equal("--user nobody: status", job.status, 0)
    check.equal("--user nobody: ids, groups, HOME, USER, LOGNAME", lines[:4],
                ["65534", "65534", "65534", "/nonexistent nobody nobody"])
    check.equal("--user nobody: capabilities in force and to be had", [line.split()[1].strip("0") for line in lines[5:7]], ["", ""])
    world.whole(check, "--user nobody", job)
    check.equal("--user nobody: in the start event", job.events()[0]["actor"]["user"]["name"], "nobody")


def terminal(check, world):
    pid, master = pty.fork()
    if pid == 0:
        job = world.new_id()
        os.execv(world.jobcage, [world.jobcage, "run", "--policy", world.policy(), "--site", world.site, "--alerts",
                                 f"{world.alerts}/{job}-tty.jsonl", "--", "sh", "-c", TTY_PROBE])
    text = b""
    while b"ready" not in text:
        text += os.read(master, 4096)
    found = re.search(rb"^(\d+) (\d+) (\d+) (-?\d+) (-?\d+)\r?$", text, re.MULTILINE)
    if check.that("terminal: kept on 0, 1 and 2", found, text.decode(errors="replace")):
        ids = [int(field) for field in found.groups()]
        check.equal("terminal: process, group, session and foreground group are one", (ids[0], ids[1], ids[2], ids[4]), (pid,) * 4)
        check.that("terminal: it is the controlling one", ids[3] > 0)
    os.write(master, b"\x03")
    check.equal("terminal: ^C reaches the job", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -signal.SIGINT)
    os.close(master)
    world.settles(check, "terminal")


def descriptors(check, world):
    """Which of the caller's descriptors the job gets."""
    numbers = []
    for target in (7, 8, 9):
        fd = os.open("/dev/null", os.O_RDONLY)
        numbers.append(os.dup2(fd, target))
        os.close(fd)
    job = world.shell("ls /proc/$$/fd", pass_fds=numbers, options=["--keep-fd", "8"])
    check.equal("descriptors: 0, 1, 2 and the one that is kept", job.out, "0\n1\n2\n8\n")
    world.whole(check, "descriptors", job)
    for fd in numbers:
        os.close(fd)


def closed(check, world):
    """Standard descriptors that are closed stay closed, and do not get in the launcher's way."""
    for fds in ([0], [1], [2], [0, 1, 2]):
        def close(which=tuple(fds)):
            for fd in which:
                os.close(fd)
        what = f"descriptors {fds} closed"
        job = world.shell("for fd in 0 1 2; do test -e /proc/$$/fd/$fd && open=\"$open $fd\"; done; echo $open >$OUT/fds; exit 7", preexec_fn=close)
        check.equal(f"{what}: exit status", job.status, 7)
        if job.status == 7:
            with open(f"{world.out}/fds", encoding="utf-8") as stream:
                check.equal(f"{what}: they stay so", [int(fd) for fd in stream.read().split()],
                            [fd for fd in range(3) if fd not in fds])
        world.whole(check, what, job)


def inherited(check, world):
    """A descriptor that is open before the policy must be no way round it."""
    log = f"{world.log}/elsewhere"
    rows = [
        # what, descriptor, opened how, rule that refuses it
        ("standard output writes to a read-only dataset", 1, f"{world.digits}/a", os.O_WRONLY | os.O_APPEND, "dataset:digits"),
        ("standard input is of a dataset not granted", 0, f"{world.patients}/p", os.O_RDONLY, "dataset:patients"),
        ("a kept one writes to a read-only dataset", 9, f"{world.digits}/a", os.O_RDWR, "dataset:digits"),
        ("a kept one is the folder of a dataset not granted", 9, world.patients, os.O_RDONLY, "dataset:patients"),
        ("standard input is of a dataset granted for reading", 0, f"{world.digits}/a", os.O_RDONLY, None),
        ("standard error is a log file elsewhere", 2, log, os.O_WRONLY | os.O_CREAT, None),
        ("a kept one is a log file elsewhere", 9, log, os.O_WRONLY | os.O_CREAT, None),
    ]
    for what, number, path, flags, rule in rows:
        fd = os.dup2(os.open(path, flags, 0o600), 50)
        name = {0: "stdin", 1: "stdout", 2: "stderr"}.get(number)
        how = {name: fd} if name else {"pass_fds": [50], "options": ["--keep-fd", "50"]}
        job = world.start("touch", f"{world.out}/started", **how).finish()
        os.close(fd)
        check.equal(f"{what}: exit status", job.status, 125 if rule else 0)
        check.equal(f"{what}: started", world.exists("started"), not rule)
        if rule:
            check.matches(f"{what}: names descriptor, path and rule", job.err,
                          rf'\Ajobcage run: .*descriptor {number if name else 50} is {path}, .*"{rule}".*\n\Z')
            check.that(f"{what}: no start is claimed without its end",
                       [event["metadata"]["event_code"] for event in job.events()] in ([], ["job_start", "job_end"]))
        else:
            os.unlink(f"{world.out}/started")
        world.settles(check, what)


def small_limits(check, world):
    """The job's limits bind the job, not the one that looks after it."""
    limits = [(resource.RLIMIT_NOFILE, 24), (resource.RLIMIT_FSIZE, 512), (resource.RLIMIT_CPU, 1)]
    for which, value in limits:
        what = f"resource limit {which} of {value}"
        job = world.shell("echo x 2>/dev/null >>$DIGITS/a; exit 7",
                          preexec_fn=lambda limit=(which, value): resource.setrlimit(limit[0], (limit[1], limit[1])))
        check.equal(f"{what}: exit status", (job.status, job.err), (7, ""))
        world.whole(check, what, job, denied=1)
    world.settles(check, "small limits")
