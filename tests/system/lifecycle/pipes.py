# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""jobcage run in a shell: whatever waits for the job must not have to wait for ever."""
import os
import subprocess

PIPELINES = [
    # what, script for bash, output
    ("alerts into a pipeline", 'run --alerts - -- sh -c "exit 0" | grep -o "\\"event_code\\":\\"[a-z_]*\\""',
     '"event_code":"job_start"\n"event_code":"job_end"\n'),
    ("output into a pipeline", 'run --alerts $ALERTS -- echo hello | cat', "hello\n"),
    ("status of a pipeline", 'set -o pipefail; run --alerts $ALERTS -- sh -c "exit 7" | cat; echo $?', "7\n"),
    ("command substitution", 'x=$(run --alerts $ALERTS -- echo hello); echo "<$x>"', "<hello>\n"),
    ("both streams", 'x=$(run --alerts $ALERTS -- sh -c "echo a; echo b >&2" 2>&1); echo $x', "a b\n"),
    ("a reader that leaves", 'run --alerts - -- sh -c "exit 7" | true; echo ${PIPESTATUS[0]}', "7\n"),
    ("nohup", 'nohup $JOBCAGE run $COMMON --alerts $ALERTS -- echo hello 2>/dev/null', "hello\n"),
    ("setsid", 'setsid -w $JOBCAGE run $COMMON --alerts $ALERTS -- sh -c "exit 7"; echo $?', "7\n"),
    ("in the background", '$JOBCAGE run $COMMON --alerts $ALERTS -- sh -c "exit 7" & wait $!; echo $?', "7\n"),
    ("killed in the background", '$JOBCAGE run $COMMON --alerts $ALERTS -- sleep 1000 & sleep 1; kill $!; wait $!; echo $?', "143\n"),
]


def shell(world, script, seconds=60):
    """What bash says: its output, or why it has none."""
    env = os.environ | {"JOBCAGE": world.jobcage, "COMMON": f"--policy {world.policy()} --site {world.site}",
                        "ALERTS": f"{world.alerts}/pipes.jsonl"}
    process = subprocess.Popen(["bash", "-c", f"run() {{ $JOBCAGE run $COMMON \"$@\"; }}; {script}"], env=env, cwd=world.root,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        return process.communicate(timeout=seconds)[0].decode()
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        return "(still waiting)"


def pipelines(check, world):
    for what, script, output in PIPELINES:
        check.equal(what, shell(world, script), output)
    world.settles(check, "pipelines")


def adopted_in_pipeline(check, world):
    """Who writes its own job's alerts to standard output lets go of it with that job, also if it adopted another one."""
    job = world.start("sleep", "1000")
    world.orphan(job)
    check.equal("a pipeline ends although its monitor adopted a job that goes on",
                shell(world, "run --alerts - -- true | wc -l", 20), "2\n")
    job.process.kill()
    job.finish()
    world.whole(check, "adopted by a pipeline's monitor", job, adopted=True)
    world.settles(check, "pipeline with adoption")
