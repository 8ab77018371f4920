# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A hook that does not bite, as a user of the daemon meets it."""
import os

from harness import wait_for
from house import ALICE, BOB
from protocol import Client, as_user
import sabotage
import traces


def fails(check, house):
    """Refused in one line that names the hook, and so is the next; the record says it too. When the hook bites again, he starts at once."""
    sentence = "self-test: path_rename did not refuse "
    with sabotage.detached("file_path_rename", house):
        for user, policy in ((ALICE, "plain"), (BOB, "team"), (ALICE, "plain")):
            job = house.start("touch", f"{house.out}/started", user=user, policy=policy).finish()
            check.equal(f"{user.name}: exit status, nothing ran", (job.status, house.exists("started")), (125, False))
            check.matches(f"{user.name}: told which hook", job.err, rf"\Ajobcage run: {sentence}.*\n\Z")
            is_told(check, user.name, job)
        answer = as_user(ALICE, lambda: Client().ask("run", policy="plain", job="untrue"))
        check.equal("the daemon's answer", (answer["ok"], answer["errno"], answer["error"].startswith(sentence)), (False, "EKEYREJECTED", True))
        check.that("nothing of them is left", wait_for(lambda: not os.path.exists(f"{traces.STATE_JOBS}/untrue.json"), 10))
    check.equal("attached again", house.shell("exit 4", user=ALICE).status, 4)
    house.settles(check, "a self-test that fails")


def is_told(check, who, job):
    wait_for(job.end, 20)
    events = job.events()
    if not check.equal(f"{who}: the record", [event["metadata"]["event_code"] for event in events], ["job_start", "finding", "job_end"]):
        return
    self_test = events[0]["unmapped"]["jobcage"]["self_test"]
    failed = [attempt["hook"] for attempt in self_test["attempts"] if attempt["outcome"] == "not refused"]
    check.equal(f"{who}: the start event: passed, which was not refused", (self_test["passed"], failed), (False, ["path_rename"]))
    check.equal(f"{who}: the finding", (events[1]["finding_info"]["title"], f"jobcage run: {events[1]['message']}\n"), ("Self-test failed", job.err))
    check.matches(f"{who}: the end", events[2]["message"], "it was not started")
