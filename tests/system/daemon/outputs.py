# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Directories that a rule has made for its job: by whom, whose, where not, and what becomes of them. See docs/outputs.md."""
import contextlib
import json
import os
import shutil
import stat

import attach
from harness import wait_for
from house import ALICE, BOB, CAROL, ML, ROOT
from protocol import Client, as_user
import traces

REFUSED = r'\Ajobcage run: .*\.json:\d+:\d+: rule "run": cannot make {}: {}.*\n\Z'
NOT_ROOTS = r'"{}" on the way to it is not root\'s'
BY_OTHERS = r'"{}" on the way to it may be written by others'


def of(path):
    """Owner, group and mode of a directory; else what it is."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) if stat.S_ISDIR(found.st_mode) else "no directory"


@contextlib.contextmanager
def runs(house, mode=0o755, owner=(0, 0), name="runs"):
    """The folder that the directories of runs are in."""
    path = f"{house.root}/{name}"
    os.mkdir(path)
    os.chown(path, *owner)
    os.chmod(path, mode)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def rule(path):
    return {"id": "run", "path": path, "access": "write", "create": True}


def policy(house, path, name="digits-run", more=(), **sections):
    house.policy(name, [rule(path), *more], **sections)
    return name


def own_text(rules):
    return json.dumps({
        "version": 1, "name": "own", "exec": {"default": "allow"},
        "filesystem": {"default": "read", "rules": [{"id": "null", "path": "/dev/null", "access": "write"}, *rules]}})


def by_the_site(check, house):
    """Root makes it, for whoever the job runs as."""
    rows = [(ALICE, [], (ALICE.uid, ALICE.gid)), (ROOT, [], (0, 0)), (ROOT, ["--user", "bob"], (BOB.uid, BOB.gid))]
    with runs(house, 0o2755, (0, ML)) as folder:
        for number, (user, options, owner) in enumerate(rows):
            path = f"{folder}/{number}"
            name = policy(house, path)
            script = f"echo made >{path}/f && cat {path}/f; (echo >{folder}/other) 2>/dev/null || echo denied"
            job = house.shell(script, user=user, policy=name, options=options)
            check.equal(f"{user.name} {options}: status, output, error", (job.status, job.out, job.err), (0, "made\ndenied\n", ""))
            check.equal(f"{user.name} {options}: whose it is, after the job", of(path), (*owner, 0o700))
            again = house.shell(f"cat {path}/f", user=user, policy=name, options=options)
            check.equal(f"{user.name} {options}: the next job finds it", (again.status, again.out), (0, "made\n"))
        name = policy(house, f"{folder}/shared")
        jobs = [house.start_shell(f"echo >>{folder}/shared/f && echo ran", user=ALICE, policy=name) for _ in range(8)]
        check.equal("eight at once", [(job.finish().status, job.out, job.err) for job in jobs], 8 * [(0, "ran\n", "")])
        os.mkdir(f"{folder}/theirs")
        os.chown(f"{folder}/theirs", BOB.uid, 0)
        os.chmod(f"{folder}/theirs", 0o751)
        job = house.shell("echo ran", user=ALICE, policy=policy(house, f"{folder}/theirs"))
        check.equal("what exists is left as it is", (job.out, of(f"{folder}/theirs")), ("ran\n", (BOB.uid, 0, 0o751)))
        job = house.shell(f"cd {folder}/env && pwd", user=ALICE, policy=policy(
            house, f"{folder}/env", environment={"private": ["/tmp"], "directory": f"{folder}/env"}))
        check.equal("with an environment", (job.out, job.err, of(f"{folder}/env")), (f"{folder}/env\n", "", (ALICE.uid, ALICE.gid, 0o700)))
    house.settles(check, "outputs of the site")


def refused(check, house, what, path, pattern, **how):
    """Nothing runs, and nothing is made."""
    before = of(path)
    job = house.shell("echo ran", user=ALICE, policy=policy(house, path, **how))
    check.equal(f"{what}: status, output", (job.status, job.out), (125, ""))
    check.matches(f"{what}: error", job.err, pattern)
    check.equal(f"{what}: what is there", of(path), before)


def places(check, house):
    """Where anybody but root has a say in what a name leads to, root makes nothing."""
    with runs(house) as good, runs(house, 0o755, (ALICE.uid, 0), "hers") as hers, runs(house, 0o777, name="open") as wide, \
            runs(house, 0o1777, name="sticky") as sticky, runs(house, 0o775, (0, ML), "team") as team:
        refused(check, house, "a folder of the user's", f"{hers}/run", REFUSED.format(f"{hers}/run", NOT_ROOTS.format("hers")))
        os.mkdir(f"{hers}/roots")
        refused(check, house, "in one", f"{hers}/roots/run", REFUSED.format(f"{hers}/roots/run", NOT_ROOTS.format("hers")))
        refused(check, house, "of all", f"{wide}/run", REFUSED.format(f"{wide}/run", BY_OTHERS.format("open")))
        refused(check, house, "of a group", f"{team}/run", REFUSED.format(f"{team}/run", BY_OTHERS.format("team")))
        refused(check, house, "of nobody's", f"{good}/none/run", REFUSED.format(f"{good}/none/run", "the directory that it is to be in does not exist"))
        os.symlink(good, f"{sticky}/hers")
        os.lchown(f"{sticky}/hers", ALICE.uid, 0)
        refused(check, house, "a link of the user's on the way", f"{sticky}/hers/run", REFUSED.format(f"{sticky}/hers/run", NOT_ROOTS.format("hers")))
        check.equal("and where it leads", of(f"{good}/run"), None)
        for target in (f"{good}/target", f"{good}/none"):
            os.makedirs(f"{good}/target", exist_ok=True)
            os.symlink(target, f"{good}/link")
            refused(check, house, f"a link to {target}", f"{good}/link", REFUSED.format(f"{good}/link", "there is a symbolic link"))
            os.unlink(f"{good}/link")
        check.equal("and nothing is made there", of(f"{good}/none"), None)
        house.write(f"{good}/file", "")
        refused(check, house, "a file", f"{good}/file", REFUSED.format(f"{good}/file", "there is something else than a directory"))
        os.mkdir(f"{good}/half", 0)
        refused(check, house, "what was half made", f"{good}/half", REFUSED.format(f"{good}/half", "a directory of mode 0"))
        os.symlink("../runs", f"{good}/roots")
        for path in (f"{good}/roots/run", f"{sticky}/run"):
            job = house.shell(f"echo ran >{path}/f; cat {path}/f", user=ALICE, policy=policy(house, path))
            check.equal(f"{path}: a place of root's", (job.out, job.err, of(path)), ("ran\n", "", (ALICE.uid, ALICE.gid, 0o700)))
    house.settles(check, "outputs in bad places")


def by_the_user(check, house):
    """For a policy that a user brings it is made by the user's own rights; the daemon, asked by hand, makes none."""
    with runs(house) as roots, runs(house, 0o755, (CAROL.uid, CAROL.gid), "hers") as hers:
        for where, refusal in ((hers, ""), (roots, "Permission denied")):
            path = f"{where}/run"
            file = house.write(f"{house.out}/own.json", own_text([rule(path)]))
            job = house.shell(f"echo made >{path}/f && cat {path}/f", user=CAROL, policy=file)
            check.equal(f"{where}: status, output", (job.status, job.out), (125, "") if refusal else (0, "made\n"))
            check.matches(f"{where}: error", job.err, REFUSED.format(path, refusal) if refusal else r"\A\Z")
            check.equal(f"{where}: what is there", of(path), None if refusal else (CAROL.uid, CAROL.gid, 0o700))
        for where in (hers, roots):
            text = own_text([rule(f"{where}/by-hand")])
            answer = as_user(CAROL, lambda: Client().ask("run", policy_text=text, job=house.new_id(), command="by hand"))
            check.equal(f"{where}: the daemon makes nothing", (answer["errno"], of(f"{where}/by-hand")), ("ENOENT", None))
        file = house.write(f"{house.out}/own.json", own_text(
            [rule(f"{hers}/failed"), {"id": "gone", "path": "/no/such", "access": "read"}]))
        job = house.shell("echo ran", user=CAROL, policy=file)
        check.equal("a start that fails leaves nothing", (job.status, of(f"{hers}/failed")), (125, None))
    house.settles(check, "outputs of users' own")


def failed_starts(check, house):
    """What was made for a start that fails is removed: if its walk fails, or the controller refuses it."""
    gone = [{"id": "gone", "path": "/no/such", "access": "read"}]
    with runs(house) as folder:
        job = house.shell("echo ran", user=ALICE, policy=policy(house, f"{folder}/run", more=gone))
        check.equal("a path that leads nowhere", (job.status, of(f"{folder}/run")), (125, None))
        job = house.shell("echo ran", user=ALICE, policy=policy(house, f"{folder}/run"), job_id="taken", options=["--job", "keeper"])
        check.equal("an id in use", (job.status, of(f"{folder}/run")), (125, None))
        os.mkdir(f"{folder}/run")
        job = house.shell("echo ran", user=ALICE, policy=policy(house, f"{folder}/run", more=gone))
        check.equal("what was there before stays", (job.status, of(f"{folder}/run")), (125, (0, 0, 0o755)))
        os.rmdir(f"{folder}/run")
        job = house.shell("echo ran", user=ALICE, policy=policy(house, f"{folder}/run"))
        check.equal("and a start that succeeds", (job.status, of(f"{folder}/run")), (0, (ALICE.uid, ALICE.gid, 0o700)))
        job = house.start("no-such-command", user=ALICE, policy=policy(house, f"{folder}/job")).finish()
        check.equal("a job whose command is not found was one", (job.status, of(f"{folder}/job")), (127, (ALICE.uid, ALICE.gid, 0o700)))
    house.settles(check, "starts that fail")


def findings(house, job):
    return [event for event in job.events() if event["metadata"]["event_code"] == "finding"]


def while_it_runs(check, house):
    """Nothing is made any more, and no link that is put there leads the rule elsewhere."""
    with runs(house, 0o1777) as folder:
        target = f"{house.root}/target"
        house.write(target, "target\n")
        os.chmod(target, 0o666)
        os.mkdir(f"{house.root}/elsewhere")
        os.chmod(f"{house.root}/elsewhere", 0o777)
        job = house.start_shell(f"echo >{folder}/run/f; while ! test -e $OUT/look; do sleep 0.2; done; "
                                f"(echo >{house.root}/elsewhere/f) 2>/dev/null && echo wrote || echo denied", user=ALICE,
                                policy=policy(house, f"{folder}/run"))
        check.that("it runs", wait_for(lambda: os.path.exists(f"{folder}/run/f")))
        policy(house, f"{folder}/run", more=[rule(f"{folder}/later") | {"id": "later"}])
        result = house.ask("reload", job.id)
        check.equal("reload makes nothing", (result.returncode != 0, of(f"{folder}/later")), (True, None))
        check.matches("it says so", result.stderr, rf'rule "later": {folder}/later: No such file')
        os.rename(f"{folder}/run", f"{folder}/away")
        check.that("the record says that it is gone", wait_for(lambda: any("leads nowhere" in e["message"] for e in findings(house, job)), 60))
        check.equal("it is not made again", of(f"{folder}/run"), None)
        os.symlink(f"{house.root}/elsewhere", f"{folder}/run")
        os.lchown(f"{folder}/run", ALICE.uid, ALICE.gid)
        before = len(findings(house, job))
        # The mount table changes, so that paths are looked at.
        os.system(f"mount -t tmpfs none {house.root}/elsewhere/ && umount {house.root}/elsewhere")
        wait_for(lambda: len(findings(house, job)) > before, 25)
        house.touch("look")
        check.equal("a link leads the rule nowhere", (job.finish().status, job.out), (0, "denied\n"))
        os.unlink(f"{house.out}/look")
        os.unlink(target)
        shutil.rmtree(f"{house.root}/elsewhere")
    house.settles(check, "outputs while the job runs")


def attached(check, house):
    """Whose it is, whoever attaches the cgroup must say."""
    with runs(house) as folder, attach.cgroup():
        name = policy(house, f"{folder}/run")
        words = ["attach", "--cgroup", attach.CGROUP, "--policy", name, "--job", "attached"]
        result = house.ask(*words)
        check.equal("without --user", (result.returncode, result.stdout, of(f"{folder}/run")), (1, "", None))
        check.matches("it says so", result.stderr, r"nobody has said which user the job runs as \(--user\)")
        with attach.waiting_in(house, attach.CGROUP) as is_free:
            result = house.ask(*words, "--user", "alice")
            check.equal("with --user", (result.returncode, result.stdout, result.stderr), (0, "attached\n", ""))
            check.equal("it is hers", of(f"{folder}/run"), (ALICE.uid, ALICE.gid, 0o700))
            check.equal("and the job, too", house.ask("status", "attached", user=ALICE).returncode, 0)
            check.that("it is under the policy", not is_free())
        wait_for(lambda: not os.path.exists(f"{traces.STATE_JOBS}/attached.json"))
    house.settles(check, "outputs of what is attached")
