# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Exit statuses, and refusals: status 125, one clear line, nothing started, nothing left."""
import os

NO_UTF8 = os.fsdecode(b"a\xff")
SMALL = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]


def statuses(check, world):
    plain = world.write(f"{world.out}/plain", "no program\n")
    deny_id = world.policy("deny-id", exec={"default": "allow", "deny": [{"id": "no-id", "path": "/usr/bin/id"}]})
    rows = [
        # what, command, policy, status, standard error
        ("success", ["true"], None, 0, r"\A\Z"),
        ("exit 7", ["sh", "-c", "exit 7"], None, 7, r"\A\Z"),
        ("SIGTERM", ["sh", "-c", "kill -TERM $$"], None, 143, r"\A\Z"),
        ("SIGKILL", ["sh", "-c", "kill -KILL $$"], None, 137, r"\A\Z"),
        ("no such command", ["no-such-command"], None, 127, r"\Ajobcage run: .*no-such-command.*No such file.*\n\Z"),
        ("no such file", ["/no/such"], None, 127, r"\Ajobcage run: .*/no/such.*No such file.*\n\Z"),
        ("not executable", [plain], None, 126, r"\Ajobcage run: .*plain.*Permission denied\n\Z"),
        ("a directory", ["/"], None, 126, r"\Ajobcage run: .*Permission denied\n\Z"),
        ("denied by its own policy", ["/usr/bin/id"], deny_id, 126, r"\Ajobcage run: .*id.*Permission denied\n\Z"),
    ]
    for what, command, policy, status, pattern in rows:
        job = world.start(*command, policy=policy).finish()
        check.equal(f"{what}: exit status", job.status, status)
        check.matches(f"{what}: standard error", job.err, pattern)
        world.whole(check, what, job, denied=int(what == "denied by its own policy"))
    check.equal("denied by its own policy: the event names the rule",
                job.events()[1]["firewall_rule"]["uid"], "no-id")
    world.settles(check, "commands that ended")


def bad_policy(world):
    return world.write(f"{world.policies}/bad.json", '{"version": 1,\n "name": "bad",\n "mode": "enforced",\n'
                       ' "filesystem": {"rules": [{"id": "x", "path": "relative", "acess": "read"}]}}\n')


def refusals(check, world, keeper):
    """Each row: what, what is asked for, all that standard error may say."""
    place = r"{}:\d+:\d+: "
    bad = bad_policy(world)
    unknown = world.policy("unknown", datasets=[{"name": "digitss", "access": "read"}])
    gone = world.policy("gone", rules=[{"id": "gone", "path": "/no/such/place", "access": "read"}])
    missing = f"{world.policies}/missing.json"
    says = r"\Ajobcage run: {}.*\n\Z"
    rows = [
        ("bad policy", {"policy": bad}, rf"\A({place.format(bad)}error: .+\n){{3,}}\Z"),
        ("missing policy", {"policy": missing}, rf"\A{missing}: error: .*\n\Z"),
        ("unknown dataset", {"policy": unknown}, rf"\A{place.format(unknown)}error: .*digitss.*\n\Z"),
        ("path that does not exist", {"policy": gone},
         rf'\Ajobcage run: {place.format(gone)}rule "gone": /no/such/place: No such file or directory\n\Z'),
        ("missing site", {"options": ["--site", "/no/such.json"]}, r"\A/no/such.json: error: .*\n\Z"),
        ("unprivileged user", {"wrap": SMALL}, says.format(".*for root")),
        ("unknown user", {"options": ["--user", "nobody-at-all"]}, says.format(".*no.* user")),
        ("user id that no integer holds", {"options": ["--user", str(2**32)]}, says.format(".*no.* user")),
        ("id that would leave the folder", {"job_id": "../x", "alerts": f"{world.alerts}/x"}, says.format("job id")),
        ("id with a blank", {"job_id": "a b"}, says.format("job id")),
        ("id too long", {"job_id": "x" * 65}, says.format("job id")),
        ("id that is no UTF-8", {"job_id": NO_UTF8, "alerts": f"{world.alerts}/x"}, says.format(r'"a\\xff" is no UTF-8')),
        ("policy name that is none", {"policy": NO_UTF8}, says.format("a policy's name is")),
        ("id in use", {"job_id": keeper.id, "alerts": f"{world.alerts}/twice.jsonl"}, says.format('.*"keeper" is running')),
        ("alerts into no folder", {"alerts": f"{world.root}/none/a.jsonl"}, says.format("cannot open .*none/a.jsonl")),
        ("alerts into a folder", {"alerts": world.out}, says.format(".*" + world.out)),
        ("alerts into a FIFO that nobody reads", {"alerts": fifo(world)}, says.format("nobody reads")),
        ("descriptor that is no number", {"options": ["--keep-fd", "x"]}, says.format("--keep-fd")),
    ]
    for what, how, pattern in rows:
        refused(check, world, what, how, pattern)


def fifo(world):
    os.mkfifo(f"{world.alerts}/fifo")
    return f"{world.alerts}/fifo"


def refused(check, world, what, how, pattern):
    """One launch that must not happen."""
    job = world.start("touch", f"{world.out}/started", **how).finish()
    check.equal(f"{what}: exit status", job.status, 125)
    check.matches(f"{what}: says so, and no more", job.err, pattern)
    if not check.that(f"{what}: nothing started", not world.exists("started")):
        os.unlink(f"{world.out}/started")
    world.settles(check, what)
    if os.path.isfile(job.alerts) and job.id != "keeper":
        check.equal(f"{what}: no job is said to have run", [event["metadata"]["event_code"] for event in job.events()], [])


def unfit(check, world):
    """A machine that cannot enforce: one clear line. Nothing is in force before."""
    caps = ["setpriv", "--bounding-set=-bpf,-sys_admin,-perfmon"]
    rows = [
        ("no right to bpf(2)", caps, r"\Ajobcage run: .+\n\Z"),
        ("no BPF file system", without("umount -l /sys/fs/bpf"), r"\Ajobcage run: /sys/fs/bpf is not a BPF.*mount -t bpf.*\n\Z"),
        ("no cgroup v2", without("umount -l /sys/fs/cgroup"), r"\Ajobcage run: .*cgroup v2 is not mounted; mount it.*\n\Z"),
        ("no BTF", without("mount -t tmpfs none /sys/kernel/btf"), r"\Ajobcage run: .*jobcage doctor.*\n\Z"),
    ]
    for what, wrap, pattern in rows:
        refused(check, world, what, {"wrap": wrap}, pattern)


def without(change):
    """A private view of the machine with this change."""
    return ["unshare", "--mount", "sh", "-c", change + ' && exec "$@"', "sh"]
