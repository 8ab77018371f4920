# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The record: in audit mode, and when more is denied than the ring holds."""
import os
import signal

from harness import wait_for
import traces

ATTEMPTS = 3000  # the ring has room for a third of it

# A failed redirection of a builtin: no process per attempt. Other names, because repeats are counted and do not need the ring.
FLOOD = rf"""
until test -e $OUT/flood; do sleep 0.05; done
i=0; while [ $i -lt {ATTEMPTS} ]; do echo x >>$DIGITS/$i; i=$((i+1)); done 2>/dev/null
touch $OUT/flooded
"""


def audit(check, world):
    """What would be denied is done, and said."""
    folder = f"{world.root}/audited"
    os.mkdir(folder)
    policy = world.policy("audit", mode="audit", exec={"default": "allow", "deny": [{"id": "no-id", "path": "/usr/bin/id"}]})
    job = world.shell(f"echo x >{folder}/a && mkdir {folder}/b && rm {folder}/a && id -u && echo done; exit 6", policy=policy)
    check.equal("audit: exit status and output", (job.status, job.out, job.err), (6, "0\ndone\n", ""))
    check.equal("audit: acts are done", os.listdir(folder), ["b"])
    decisions = job_decisions(job)
    end = job.end()
    check.equal("audit: nothing denied", sum(end["denied"].values()), 0)
    check.equal("audit: would-deny counted, each an event", (sum(end["would_deny"].values()), end["would_deny"]["exec"]),
                (len(decisions), 2))
    check.equal("audit: observed, detected, no alert", {(event["action_id"], event["disposition_id"], event["is_alert"],
                                                          event["policy"]["is_applied"]) for event in decisions},
                {(3, 15, False, False)})
    check.equal("audit: operations", [event["metadata"]["event_code"] for event in decisions],
                ["file_create", "file_open_write", "file_mkdir", "file_unlink", "exec", "exec_map"])
    check.that("audit: the record is complete", end["complete"])
    world.settles(check, "audit")


def job_decisions(job):
    wait_for(job.end)
    return [event for event in job.events() if not event["metadata"]["event_code"].startswith("job_")]


def loss(check, world):
    """The monitor is stopped: what does not fit the ring is counted, to the last one."""
    job = world.start_shell(FLOOD)
    wait_for(lambda: world.running(job))
    monitor = traces.holder(job.id)
    os.kill(monitor, signal.SIGSTOP)
    world.touch("flood")
    check.that("loss: the job does not wait for its monitor", world.appears("flooded"))
    os.kill(monitor, signal.SIGCONT)
    job.finish()
    decisions, end = job_decisions(job), job.end()
    last = job.events()[-1]
    check.that("loss: the ring was too small", end["lost"] > 0 and end["delivered"] > 100, end)
    check.equal("loss: delivered and lost are all there were", end["delivered"] + end["lost"], ATTEMPTS)
    check.equal("loss: delivered is what the file has", len(decisions), end["delivered"])
    check.equal("loss: counted in kernel", (end["denied"]["file"], end["decisions"], end["emitted"]),
                (ATTEMPTS, ATTEMPTS, end["delivered"]))
    check.equal("loss: the end says so", (end["complete"], last["severity_id"], last["status_id"], last["status_code"]),
                (False, 3, 2, "incomplete"))
    check.matches("loss: in words too", last["message"], rf"INCOMPLETE.*{ATTEMPTS} decisions.*{end['lost']} did not fit")
    check.equal("loss: lines are numbered without a gap", [event["metadata"]["sequence"] for event in job.events()],
                [*range(1, len(decisions) + 3)])
    records = [event["unmapped"]["jobcage"]["record"] for event in decisions]
    check.equal("loss: the first of a kind is there", records[:3], [1, 2, 3])
    world.settles(check, "loss")
    os.replace(job.alerts, job.alerts + ".long")
    with open(job.alerts + ".long", encoding="utf-8") as stream:
        lines = stream.readlines()
    world.write(job.alerts, "".join(lines[:20] + lines[-20:]))
