# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Rules that the daemon keeps in the kernel after their last job: never the wrong ones for the next job, and nothing is held by them."""
import os
import shutil
import subprocess
import time

from harness import wait_for

KEPT_S, KEPT_MAX = 60, 8

TRIES = "cat $DIGITS/a; echo x 2>/dev/null >>$DIGITS/a || echo denied; cat $PATIENTS/p 2>/dev/null || echo closed"
AS_RULED = "0 1 2\ndenied\nclosed\n"


def runs_as_ruled(check, house, what, policy="plain"):
    job = house.shell(TRIES, policy=policy)
    check.equal(f"{what}: what the job could do", (job.status, job.out, job.err), (0, AS_RULED, ""))
    wait_for(lambda: job.id not in house.job_ids())


def kept(check, house, is_patient):
    """By how many jobs ago it was, and what has become of its paths since."""
    fresh_start(check, house)
    runs_as_ruled(check, house, "the first job")
    check.equal("its rules are kept", house.policies_kept(), 1)
    runs_as_ruled(check, house, "the next one")
    check.equal("and used again", house.policies_kept(), 1)
    other_files(check, house)
    nothing_held(check, house)
    taken(check, house)
    for number in range(KEPT_MAX + 2):
        runs_as_ruled(check, house, f"policy {number}", policy=os.path.basename(house.policy(f"kept-{number}"))[:-5])
    check.equal("not too many are kept", house.policies_kept(), KEPT_MAX)
    house.daemon.restart()
    check.equal("a daemon that was killed has left none to its successor", house.policies_kept(), 0)
    house.settles(check, "after that")
    runs_as_ruled(check, house, "a job of the new daemon")
    if is_patient:
        time.sleep(KEPT_S + 5)
        check.equal("after a minute none is kept", house.policies_kept(), 0)
    house.settles(check, "rules that were kept")


def fresh_start(check, house):
    house.daemon.restart()
    check.equal("at first none is kept", house.policies_kept(), 0)


def other_files(check, house):
    """The folder that is closed is another one when the next job comes: that one is closed, and the other one is not."""
    patients, old = house.patients, f"{house.data}/patients-old"
    os.rename(patients, old)
    shutil.copytree(old, patients)
    runs_as_ruled(check, house, "another folder")
    check.equal("what no rule names any more is as open as the rest", house.shell(f"cat {old}/p").out, "secret\n")
    shutil.rmtree(patients)
    os.rename(old, patients)
    runs_as_ruled(check, house, "and back")


def nothing_held(check, house):
    """What was mounted on it can be unmounted."""
    subprocess.run(["mount", "-t", "tmpfs", "none", house.digits], check=True)
    subprocess.run(["sh", "-c", 'echo "0 1 2" >a && chmod 666 a'], cwd=house.digits, check=True)
    runs_as_ruled(check, house, "a file system of its own")
    result = subprocess.run(["umount", house.digits], capture_output=True, text=True, check=False)
    check.equal("it can be unmounted when the job has ended", (result.returncode, result.stderr), (0, ""))
    runs_as_ruled(check, house, "unmounted")


def taken(check, house):
    """Another controller withdraws what no job uses, and puts its own rules there."""
    before = house.policies_kept()
    policy = house.policy("taker", datasets=[{"name": "patients", "access": "read"}])
    alone = subprocess.Popen([house.jobcage, "run", "--no-daemon", "--policy", policy, "--alerts", f"{house.root}/taker.jsonl", "--",
                              "sh", "-c", f"sleep 5; cat {house.patients}/p"], stdout=subprocess.PIPE, text=True, cwd="/")
    wait_for(lambda: len(house.job_ids()) > 1 or alone.poll() is not None)
    check.that("there were some to take", before)
    runs_as_ruled(check, house, "beside another controller's job")
    check.equal("which has its own rules", (alone.communicate()[0], alone.returncode), ("secret\n", 0))
