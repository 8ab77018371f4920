# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Root in a job is just a user: every capability of the kernel's list, by an operation that needs it.

powers.py does them outside, where each must work; in a job whose policy extends rules/base.json, where only what base.json names may;
in the same job in audit mode, which tells of them; and in a job that is granted them all, where it is the ceiling alone that was lifted.
"""
import contextlib
import json
import os
import subprocess
import sys

from cage import PROJECT
from harness import wait_for
from powers import POWERS

HERE = os.path.dirname(os.path.abspath(__file__))
REFUSED = ("EPERM", "EACCES", "DROPPED")
# The operation asks for something that is not there, after it has asked for the capability.
OUTSIDE = {"CAP_SYS_MODULE": "ENOENT", "CAP_SYS_BOOT": "EINVAL", "CAP_BPF": "ENOENT"}
# Refused under every policy, by a hook of its own.
NEVER = ["CAP_BPF"]
# The kernel asks for it first and then for CAP_DAC_OVERRIDE, which is granted: no record is made, because mostly nothing comes of it.
SILENT = ["CAP_DAC_READ_SEARCH"]
# The kernel goes on to a second one, which is in the record too.
ALSO = {"CAP_NET_RAW": "CAP_NET_ADMIN", "CAP_SYSLOG": "CAP_SYS_ADMIN", "CAP_PERFMON": "CAP_SYS_ADMIN", "CAP_BPF": "CAP_SYS_ADMIN",
        "CAP_CHECKPOINT_RESTORE": "CAP_SYS_ADMIN"}
NAMES = [f"CAP_{name}" for name, act in POWERS if act]


def granted_by_base():
    with open(f"{PROJECT}/rules/base.json", encoding="utf-8") as stream:
        return json.load(stream)["capabilities"]


@contextlib.contextmanager
def place(world):
    """A folder on ext4, which has flags and attributes on every kernel; below no other job's rules, whose monitors would keep it busy."""
    image, folder = f"{world.root}/image", f"{world.root}/disk"
    subprocess.run(["truncate", "-s", "16M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
    os.mkdir(folder)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    os.chmod(folder, 0o755)
    theirs = world.write(f"{folder}/theirs", "theirs\n")
    os.chmod(theirs, 0o200)
    os.chown(theirs, 1, 1)
    try:
        yield folder
    finally:
        wait_for(lambda: not subprocess.run(["umount", "-q", folder], stderr=subprocess.DEVNULL, check=False).returncode, 30)


def answers(text):
    return dict(line.split(" ", 1) for line in text.splitlines())


def outside(check, folder):
    done = subprocess.run([sys.executable, f"{HERE}/powers.py", folder], stdout=subprocess.PIPE, text=True, check=False)
    found = answers(done.stdout)
    for name in NAMES:
        check.equal(f"{name} outside", found.get(name), OUTSIDE.get(name, "OK"))


def policy(world, name, **sections):
    return world.write_json(f"{world.policies}/{name}.json", {
        "version": 1, "name": name, "extends": [f"{PROJECT}/rules/base.json"], "exec": {"allow": [HERE]},
        "filesystem": {"rules": [{"id": "disk", "path": f"{world.root}/disk", "access": "write"}]},
        # So that it is the capability that is asked for.
        "sockets": ["netlink"]} | sections)


def inside(check, world, name, folder, **sections):
    """What the job was answered, and the capabilities in its record."""
    job = world.start(sys.executable, f"{HERE}/powers.py", folder, policy=policy(world, name, **sections)).finish()
    check.equal(f"{name}: exit status", (job.status, job.err), (0, ""))
    wait_for(job.end, 20)
    events = [event for event in job.events() if not event["metadata"]["event_code"].startswith("job_")]
    told = [event for event in events if event["metadata"]["event_code"] == "guard_capability"]
    check.equal(f"{name}: the rule of each", {event["firewall_rule"]["uid"] for event in told} - {"capabilities.default"}, set())
    others = [event for event in events if event["metadata"]["event_code"] not in ("guard_capability", "guard_bpf")]
    check.equal(f"{name}: nothing else is refused", [event["message"] for event in others], [])
    check.equal(f"{name}: the record is complete", job.end().get("complete"), True)
    return answers(job.out), {event["kernel"]["name"] for event in told}


def expected_record(names):
    return {name for name in names if name not in SILENT}


def typical(check, world, folder, base):
    found, told = inside(check, world, "typical", folder)
    for name in NAMES:
        if name in base:
            check.equal(f"{name} is granted", found.get(name), "OK")
        else:
            check.that(f"{name} is refused", found.get(name) in REFUSED, found.get(name))
        print(f"      {name:24} {'granted' if name in base else 'refused':8} {found.get(name)}")
    refused = [name for name in NAMES if name not in base]
    # Linux 6.4 and later ask bpf's own hook first.
    check.equal("the record has them all", expected_record(refused) - told - set(NEVER), set())
    check.equal("and no others", told - set(refused) - {ALSO[name] for name in refused if name in ALSO}, set())


def audit(check, world, folder, base):
    found, told = inside(check, world, "watched", folder, mode="audit")
    for name in NAMES:
        check.equal(f"{name} works in audit mode", found.get(name), OUTSIDE.get(name, "OK"))
    check.equal("the record has what would be refused", expected_record(name for name in NAMES if name not in base) - told - set(NEVER), set())


def everything(check, world, folder):
    found, told = inside(check, world, "everything", folder, capabilities=[f"CAP_{name}" for name, _ in POWERS])
    for name in NAMES:
        check.equal(f"{name} works where all are granted", found.get(name), "EACCES" if name in NEVER else OUTSIDE.get(name, "OK"))
    check.equal("nothing is in the record", told, set())


ENTER = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
space = os.open(sys.argv[1], os.O_RDONLY)
print(errno.errorcode[ctypes.get_errno()] if libc.setns(space, 0x10000000) else "OK")
"""


@contextlib.contextmanager
def namespace_of_other(world, user):
    """A user namespace that a process of that user has made outside any job, by a path."""
    spot = world.write(f"{world.root}/space-of-{user}", "")
    maker = subprocess.Popen(["setpriv", "--reuid", user, "--clear-groups", "unshare", "--user", "sh", "-c", "echo; exec sleep 1000"],
                             stdout=subprocess.PIPE)
    maker.stdout.readline()
    subprocess.run(["mount", "--bind", f"/proc/{maker.pid}/ns/user", spot], check=True)
    try:
        yield spot
    finally:
        maker.kill()
        maker.wait()
        subprocess.run(["umount", spot], check=True)


def namespaces_of_others(check, world):
    """Who may not make a user namespace does not enter one either, for root has all capabilities in all of them, and others in their own."""
    for user in ("root", "nobody"):
        with namespace_of_other(world, "nobody") as spot:
            enter = ["setpriv", "--reuid", user, "--clear-groups", sys.executable, "-c", ENTER, spot]
            done = subprocess.run(enter, stdout=subprocess.PIPE, text=True, check=False)
            check.equal(f"{user} enters it outside", done.stdout, "OK\n")
            granted = {"capabilities": ["CAP_SETUID", "CAP_SETGID"]}
            job = world.start(*enter, policy=world.policy(f"closed-{user}", **granted)).finish()
            check.equal(f"{user} does not enter it in a job", (job.out, job.err), ("EPERM\n", ""))
            wait_for(job.end, 20)
            told = [event["kernel"]["name"] for event in job.events() if event["metadata"]["event_code"] == "guard_capability"]
            check.equal(f"{user}: the record has it", told, ["CAP_SYS_ADMIN"])
            job = world.start(*enter, policy=world.policy(f"open-{user}", user_namespaces=True, **granted)).finish()
            check.equal(f"{user} enters it where user namespaces are allowed", (job.out, job.err), ("OK\n", ""))
            wait_for(job.end, 20)
    world.settles(check, "user namespaces of others")


SETID = """
import os, sys
os.umask(0)
def by_mode(name): os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o755)); os.chmod(name, 0o4755)
def by_group(name): os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o755)); os.chmod(name, 0o2755)
def by_creation(name): os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o4755))
def by_node(name): os.mknod(name, 0o104755)
def nameless(name): return os.open(os.path.dirname(name), os.O_TMPFILE | os.O_WRONLY, 0o4755)
def of_folder(name): os.mkdir(name); os.chmod(name, 0o2775)
for act in by_mode, by_group, by_creation, by_node, nameless, of_folder:
    name = f"{sys.argv[1]}/{act.__name__}"
    try:
        made = act(name) or name
        print(act.__name__, oct(os.stat(made).st_mode & 0o7777))
    except PermissionError:
        print(act.__name__, "EACCES")
"""
SETID_ACTS = {"by_mode": "0o4755", "by_group": "0o2755", "by_creation": "0o4755", "by_node": "0o4755", "nameless": "0o4755"}


def setid_programs(check, world):
    """A job leaves no program behind that runs as root for whoever starts it."""
    def tries(name, *options, **sections):
        out = f"{world.out}/{name}"
        os.mkdir(out)
        os.chmod(out, 0o777)
        return world.start(sys.executable, "-c", SETID, out, policy=world.policy(name, **sections), options=options).finish()

    folder = {"of_folder": "0o2775"}
    job = tries("setid", capabilities=[])
    check.equal("refused", (answers(job.out), job.err), (dict.fromkeys(SETID_ACTS, "EACCES") | folder, ""))
    wait_for(job.end, 20)
    told = [(event["firewall_rule"]["uid"], event.get("count", 1)) for event in job.events() if "firewall_rule" in event]
    check.equal("the record has them all", ({rule for rule, _ in told}, sum(count for _, count in told)), ({"builtin:set-id-program"}, len(SETID_ACTS)))
    job = tries("setid-granted", capabilities=["CAP_SETFCAP"])
    check.equal("granted", (answers(job.out), job.err), (SETID_ACTS | folder, ""))
    wait_for(job.end, 20)
    world.settles(check, "set-user-ID programs")


TELL = """
import sys
for path in sys.argv[1:]:
    try:
        with open(path, "w") as file:
            file.write("700")
        print("OK")
    except PermissionError:
        print("EACCES")
"""


def processes_in_procfs(check, world):
    """A job tells its own processes what it likes, under a default of read, and no others, under a default of write."""
    maps = world.policy("maps", user_namespaces=True)
    done = world.shell("unshare --user --map-root-user id -u", policy=maps)
    check.equal("root in a user namespace of its own", (done.out, done.err), ("0\n", ""))
    other = subprocess.Popen(["sleep", "1000"])
    with open(f"/proc/{other.pid}/oom_score_adj", encoding="ascii") as stream:
        before = stream.read()
    for name, default in (("reads", "read"), ("writes", "write")):
        policy = world.policy(name, filesystem={"default": default, "rules": []})
        job = world.start(sys.executable, "-c", TELL, "/proc/self/oom_score_adj", "/proc/thread-self/oom_score_adj",
                          f"/proc/{other.pid}/oom_score_adj", policy=policy).finish()
        check.equal(f"{name}: its own, and another's", (job.out, job.err), ("OK\nOK\nEACCES\n", ""))
        wait_for(job.end, 20)
        told = {event["firewall_rule"]["uid"] for event in job.events() if "firewall_rule" in event}
        check.equal(f"{name}: the rule", told, {"filesystem.default" if default == "read" else "builtin:kernel-files"})
    with open(f"/proc/{other.pid}/oom_score_adj", encoding="ascii") as stream:
        check.equal("the other is as it was", stream.read(), before)
    other.kill()
    other.wait()
    world.settles(check, "processes in procfs")


@contextlib.contextmanager
def setting(path, value):
    with open(path, encoding="ascii") as stream:
        before = stream.read()
    with open(path, "w", encoding="ascii") as stream:
        stream.write(value)
    try:
        yield
    finally:
        with open(path, "w", encoding="ascii") as stream:
            stream.write(before)


def every_capability(check, world):
    base = granted_by_base()
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as stream:
        check.equal("all of this kernel's capabilities are here", len(POWERS), int(stream.read()) + 1)
    # Debian's 3 asks for CAP_SYS_ADMIN instead of CAP_PERFMON.
    with place(world) as folder, setting("/proc/sys/kernel/perf_event_paranoid", "2"):
        outside(check, folder)
        typical(check, world, folder, base)
        audit(check, world, folder, base)
        everything(check, world, folder)
    world.settles(check, "every capability")
