# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who may ask for what: an ordinary user may run what the site lets him, and see and end what is his own."""
import errno
import os
import time

from harness import wait_for, wait_for_equal
from house import ALICE, BOB, CAROL, DAVE, ERIN, ROOT
from protocol import Client, as_user, child, error_of, result_of
import traces

NOT_LET = r"\Ajobcage run: the site does not let you run policy \"{}\"; ask the platform's admin\n\Z"
NOT_OWN = r"\Ajobcage run: the site does not let you bring a policy of your own; name one of its policies\n\Z"


def rows(house):
    """User, what he asks for, and None if it runs, or all that standard error may say."""
    own = house.write_json(f"{house.out}/own.json", {
        "version": 1, "name": "own", "exec": {"default": "allow"},
        "filesystem": {"default": "read", "rules": [{"id": "null", "path": "/dev/null", "access": "write"}]}})
    secret = house.policy("secret")
    os.chmod(secret, 0o600)
    return [
        (ALICE, "plain", None),
        (ALICE, "digits-a", None),
        (ALICE, "team", NOT_LET.format("team")),
        (ALICE, "other", NOT_LET.format("other")),
        (ALICE, own, NOT_OWN),
        (BOB, "team", None),
        (BOB, "plain", NOT_LET.format("plain")),
        (ERIN, "team", None),
        (ERIN, "digits-a", NOT_LET.format("digits-a")),
        (CAROL, own, None),
        (CAROL, secret, r"\A.*secret\.json: error: .*Permission denied.*\n\Z"),
        (CAROL, "plain", NOT_LET.format("plain")),
        (DAVE, "plain", NOT_LET.format("plain")),
        (DAVE, own, NOT_OWN),
        (ALICE, "digits-*", r"\Ajobcage run: .*\n\Z"),
        (ALICE, "digits-none", r"\Ajobcage run: .*digits-none.*\n\Z"),
        (ALICE, "..", r"\Ajobcage run: .*\n\Z"),
        (ROOT, "team", None),
        (ROOT, own, None),
        (ROOT, secret, None),
    ]


def who_may_run(check, house):
    for user, policy, refusal in rows(house):
        what = f"{user.name} asks for {os.path.basename(policy)}"
        job = house.shell("id -u; echo x 2>/dev/null >>$DIGITS/a || echo denied", user=user, policy=policy)
        check.equal(f"{what}: status, output", (job.status, job.out), (125, "") if refusal else (0, f"{user.uid}\ndenied\n"))
        check.matches(f"{what}: standard error", job.err, refusal or r"\A\Z")
        if not refusal:
            house.accounted(check, what, job, 1)
    house.settles(check, "who may run what")


def from_within():
    """A job's question: the daemon's socket is a Unix socket of others."""
    try:
        return error_of(Client().ask("jobs"))
    except OSError as error:
        return errno.errorcode[error.errno]


def members_for_root(check, house):
    """What root may say in a request and others may not, said by hand; then the same without it."""
    file = house.policy("plain")

    def attempt(**members):
        def talk():
            client = Client()
            answer = client.ask("run", policy="plain", job=house.new_id(), command="by hand", **members)
            return error_of(answer), from_within()
        return as_user(ALICE, talk)

    check.equal("a user's request, and asking from within the job it became", attempt(), ["ok", "EACCES"])
    check.equal("a user names an alerts file", attempt(alerts=f"{house.out}/alerts")[0], "EPERM")
    check.equal("a user names a policy file", attempt(policy_file=file)[0], "EINVAL")
    check.that("and no alerts file is made", not house.exists("alerts"))
    for op in ("attach", "reload", "teardown"):
        check.equal(f"a user asks to {op}", error_of(as_user(ALICE, lambda name=op: Client().ask(name, cgroup="/sys/fs/cgroup"))), "EPERM")
    check.equal("only a file", error_of(as_user(ALICE, lambda: Client().ask("run", policy_file=file))), "EPERM")
    check.equal("nothing to run", error_of(as_user(ALICE, lambda: Client().ask("run"))), "EINVAL")
    house.settles(check, "members for root")


def users_own(check, house):
    """self_test and uid are not a user's to say."""
    def claim():
        client = Client()
        answer = client.ask("run", policy="plain", job="claim", command="claims to be root", uid=0, self_test=False)
        with open(f"{house.out}/claimed", "w", encoding="ascii"):
            pass
        wait_for(lambda: house.exists("claim-seen"))
        return answer
    pid, fd = child(ALICE, claim)
    check.that("a user claims another uid: it runs", house.appears("claimed"))
    status = house.status("claim") or {}
    check.equal("and stays its own, tested", (status.get("uid"), status.get("asked_by"), (status.get("self_test") or {}).get("passed")),
                (ALICE.uid, ALICE.uid, True))
    house.touch("claim-seen")
    check.equal("its answer", error_of(result_of(pid, fd)), "ok")
    house.settles(check, "a user's claims")


def others_jobs(check, house):
    """Alice's job, and one that root runs as her: she may ask of both, Bob of neither, root of all."""
    job = house.start("sleep", "1000", user=ALICE, job_id="hers")
    lent = house.start("sleep", "1000", options=["--user", "alice"], job_id="lent")
    wait_for(lambda: house.running(job) and house.running(lent))
    pid = str(job.process.pid)
    for user, sees in ((ALICE, True), (BOB, False), (ROOT, True)):
        for words in (["status", "hers"], ["status", "lent"], ["whois", pid]):
            result = house.ask(*words, user=user)
            what = f"{user.name}: {words[0]} {words[1] if words[0] == 'status' else 'of its process'}"
            check.equal(what, (result.returncode, "hers" in result.stdout or "lent" in result.stdout), (0, True) if sees else (1, False))
            if not sees:
                check.matches(f"{what}: what it is told", result.stderr, r"there is no job|is in no job")
        listed = house.ask("jobs", user=user).stdout
        check.equal(f"{user.name}: in the list", ("hers" in listed, "lent" in listed, "keeper" in listed), (sees, sees, user is ROOT))
    check.equal("whois of a process in no job", house.ask("whois", "1").returncode, 1)
    refused = house.ask("kill", "hers", user=BOB)
    check.equal("bob: kill", (refused.returncode, job.process.poll()), (1, None))
    for what, user in (("hers", ALICE), ("lent", ALICE)):
        check.equal(f"alice: kill {what}", house.ask("kill", what, user=user).returncode, 0)
    check.equal("they are killed", (job.finish().status, lent.finish().status), (137, 137))
    for ended in (job, lent):
        house.accounted(check, ended.id, ended, 0)
        check.matches(f"{ended.id}: why it ended", house.record(ended)[-1]["message"], "killed by request")
    house.settles(check, "jobs of others")


def job_asks(check, house):
    """A process in a job, with the command itself."""
    script = f"{house.jobcage} jobs; echo $?; {house.jobcage} run --policy plain -- echo inner; echo $?"
    for user in (ALICE, ROOT):
        job = house.shell(script, user=user)
        check.equal(f"{user.name}: from within a job", job.out, "1\n125\n")
        check.matches(f"{user.name}: it is told so", job.err, r"a process in a job cannot ask|Permission denied")
    # The daemon learns of a job's end a little after its launcher.
    check.equal("nothing of it is a job", wait_for_equal(house.job_ids, ["keeper"]), ["keeper"])
    house.settles(check, "a job that asks")


def ids(check, house):
    """A job's id is used again when the job is gone, not before."""
    job = house.start("sleep", "1000", job_id="same")
    wait_for(lambda: house.running(job))
    again = house.shell("echo ran", job_id="same", user=ALICE)
    check.equal("an id in use", (again.status, again.out), (125, ""))
    check.matches("it says so", again.err, r'\Ajobcage run: .*"same".*running.*\n\Z')
    check.equal("the job goes on", job.process.poll(), None)
    job.process.kill()
    job.process.wait()
    wait_for(lambda: not os.path.exists(f"{traces.STATE_JOBS}/same.json"))
    for _ in range(3):
        check.equal("an id that was used", house.shell("exit 4", job_id="same", user=ALICE).status, 4)
        wait_for(lambda: not os.path.exists(f"{traces.STATE_JOBS}/same.json"))
    job = house.start("sleep", "1000", job_id="same", user=ALICE)
    wait_for(lambda: house.running(job))
    with house.daemon.stopped():
        job.process.kill()
        job.process.wait()
        again = house.start("true", job_id="same", user=ALICE)
        time.sleep(0.5)
    check.equal("an id whose last process has just gone", again.finish().status, 0)
    wait_for(lambda: not os.path.exists(f"{traces.STATE_JOBS}/same.json"))
    for bad in ("../x", "a b", "", "x" * 65, ".x", "keeper"):
        check.equal(f"the id {bad[:10]!r}", house.shell("echo ran", user=ALICE, options=["--job", bad], job_id="bad-id").out, "")
    house.settles(check, "ids")
