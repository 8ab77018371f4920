# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Rules that change under running jobs: by reload, and because a rule's path leads elsewhere."""
import contextlib
import os
import subprocess
import time

from harness import wait_for
from house import ALICE, ROOT
from toil import ATTEMPTS, BREACHES, REFUSALS, TOIL, Toil

# The daemon looks where rules lead every 10 s, and half a second after the mount table has changed; and the machine is slow.
LOOK_S, LOOK_AT_MOUNTS_S = 10 + 4, 0.5 + 4

# Peers that every version of the policy below has a rule for.
ALLOWED_PEERS = ("198.51.100.1", "2001:db8:1::1")


def versioned(house, number):
    """Policies that allow and deny the same of what toil does, by different rules for files, programs and the network."""
    is_odd = number % 2
    udp = {"protocol": "udp", "ports": [9]}
    house.policy(
        "turning", rules=[{"id": f"turn-{number % 7}", "path": "/usr/share", "access": "read"}],
        exec={"default": "deny", "allow": [TOIL, "/usr/bin", "/usr/lib"]} if is_odd else
             {"default": "allow", "deny": [house.denied_program]},
        egress={"default": "deny", "allow": [
            {"id": "peers", "cidr": "198.51.100.0/24" if is_odd else "198.51.0.0/16"} | udp,
            {"id": "peers6", "cidr": "2001:db8:1::/48" if is_odd else "2001:db8:1::/64"} | udp,
            {"id": f"turn-{number % 7}-peer", "cidr": f"203.0.113.{number % 7}/32"} | udp]})


@contextlib.contextmanager
def allowed_peers():
    """Acts that lead to them; they are this machine."""
    routes = [["-6"] * (":" in peer) + ["route", "%s", "local", peer, "dev", "lo"] for peer in ALLOWED_PEERS]

    def change(what):
        for route in routes:
            subprocess.run(["ip", *(word.replace("%s", what) for word in route)], check=True)

    change("add")
    try:
        yield [f"connect:{peer}" for peer in ALLOWED_PEERS]
    finally:
        change("del")


def changes(job):
    return [event["unmapped"]["jobcage"] for event in job.events() if event["metadata"]["event_code"] == "job_policy"]


def swaps(check, house, cnt):
    """Two threads attempt what each of the policies denies, and use what each allows, as fast as can be told."""
    with allowed_peers() as uses:
        swap_under(check, house, cnt, uses)
    house.settles(check, "swaps")


def swap_under(check, house, cnt, uses):
    versioned(house, 0)
    toil = Toil(house, period_ms=2, threads=2, policy="turning", uses=uses)
    other = Toil(house, period_ms=20, user=ALICE)
    check.that("they toil", toil.goes() and other.goes())
    digests = [house.status(toil.job.id)["digest"]]
    failed = 0
    for number in range(1, cnt + 1):
        versioned(house, number)
        failed += house.ask("reload").returncode != 0
        if number <= 3:
            digests.append(house.status(toil.job.id)["digest"])
    check.equal("reloads that failed", failed, 0)
    check.equal("each makes another policy of it", len(set(digests)), 4)
    attempts = toil[ATTEMPTS] + other[ATTEMPTS]
    for one in (toil, other):
        one.end()
        one.job.finish()
        one.judge(check, one.job.id)
        house.accounted(check, one.job.id, one.job, one[ATTEMPTS])
    told = changes(toil.job)
    check.equal("every swap is an event", len(told), cnt)
    check.equal("with both digests", [(change["old_digest"], change["new_digest"]) for change in told[:3]], [*zip(digests, digests[1:])])
    check.equal("the policy that stayed has none", changes(other.job), [])
    check.that("the rules that denied are named by their policy", policies_of_denials(toil.job) <= {d["new_digest"] for d in told} | {digests[0]})
    print(f"#    {cnt} swaps, {attempts} attempts meanwhile", flush=True)


def policies_of_denials(job):
    """By their digests."""
    return {event["policy"]["uid"] if "uid" in event.get("policy", {}) else event["policy"].get("version", "")
            for event in job.events() if "firewall_rule" in event}


def errors(check, house):
    """A policy with an error: the old rules hold, and the answer says where the error is."""
    versioned(house, 0)
    toil = Toil(house, policy="turning")
    toil.goes()
    before = house.status(toil.job.id)["digest"]
    good = house.policy("turning")
    rows = [
        ("no JSON", lambda: house.write(good, "{"), r"turning\.json:\d+:\d+"),
        ("an unknown key", lambda: house.policy("turning", limitz={}), r"turning\.json:\d+:\d+: .*limitz"),
        ("a path that does not exist", lambda: house.policy("turning", rules=[{"id": "x", "path": "/no/such", "access": "read"}]), r"/no/such"),
        ("no file", lambda: os.unlink(good), r"turning\.json"),
        ("an environment", lambda: house.policy("turning", environment={"private": ["/tmp"]}), r"environment"),
    ]
    for what, spoil, pattern in rows:
        spoil()
        result = house.ask("reload")
        check.equal(f"{what}: exit status", result.returncode, 1)
        check.matches(f"{what}: says so", result.stderr, rf"\Ajobcage reload: .*{pattern}.*\n\Z")
        check.equal(f"{what}: the old rules hold", house.status(toil.job.id)["digest"], before)
        check.that(f"{what}: they bite", toil.attempts_on() and not toil[BREACHES] and not toil[REFUSALS])
    with open(house.site, encoding="utf-8") as stream:
        site = stream.read()
    house.write(house.site, "{")
    check.equal("a site file with an error: exit status", house.ask("reload").returncode, 1)
    house.write(house.site, site)
    versioned(house, 1)
    check.equal("set right", house.ask("reload", toil.job.id).returncode, 0)
    check.that("it obeys the new policy", house.status(toil.job.id)["digest"] != before)
    check.equal("reload of no job", house.ask("reload", "none").returncode, 1)
    toil.end()
    toil.job.finish()
    house.accounted(check, "errors", toil.job, toil[ATTEMPTS])
    check.equal("one change in all", len(changes(toil.job)), 1)
    house.settles(check, "errors in a policy")


def other_rules(check, house):
    """The new rules are what holds: what was denied is allowed, and the other way round; for the job's children too."""
    place = f"{house.root}/turn"
    os.mkdir(place)
    os.chmod(place, 0o777)

    def put(is_open):
        house.policy("turning", rules=[{"id": "turn", "path": place, "access": "write"}] if is_open else [])

    script = f"while :; do (echo x >{place}/f) 2>/dev/null && echo y >>$OUT/could || echo n >>$OUT/could; sleep 0.1; done"
    put(False)
    job = house.start_shell(script, policy="turning", user=ROOT)

    def says(word):
        size = len(could())
        return wait_for(lambda: could()[size + 2:].strip("\n").endswith(word) and word in could()[size + 2:])

    def could():
        with contextlib.suppress(FileNotFoundError), open(f"{house.out}/could", encoding="ascii") as stream:
            return stream.read()
        return ""

    check.that("denied at first", says("n"))
    for is_open, word in ((True, "y"), (False, "n"), (True, "y")):
        put(is_open)
        check.equal("reload", house.ask("reload", job.id).returncode, 0)
        size = len(could())
        wait_for(lambda before=size: len(could()) > before + 6)
        check.equal("after a reload" + " that opens" * is_open, set(could()[size + 2:].split()), {word})
    job.process.kill()
    job.process.wait()
    os.unlink(f"{house.out}/could")
    subprocess.run(["rm", "-r", place], check=True)
    house.settles(check, "other rules")


# --- roots ------------------------------------------------------------------------------------------------------

def findings(job, title="Root of a rule changed"):
    return [event["message"] for event in job.events() if event.get("finding_info", {}).get("title") == title]


def noticed(check, what, job, act, pattern, within_s):
    """What changes is told of in time."""
    before, start = len(findings(job)), time.monotonic()
    act()
    news = wait_for(lambda: findings(job)[before:], within_s + 10)
    took = time.monotonic() - start
    check.that(f"{what}: noticed within {within_s} s", news and took < within_s, f"{took:.1f} s")
    check.matches(f"{what}: told", " ".join(news or []), pattern)


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def umount(place):
    """Rules hold what is mounted open, until they have been resolved anew."""
    subprocess.run(["umount", "-l", place], check=True)


def replaced_roots(check, house):
    """A dataset's folder is replaced in three ways under a job; each is noticed, told, and the new one governed."""
    digits, old = house.digits, f"{house.root}/digits-old"
    toil = Toil(house, user=ALICE)
    check.that("it toils", toil.goes())

    def told(what, act, pattern, within_s=LOOK_AT_MOUNTS_S, is_met=True):
        """is_met: the rule refuses what is there now, before anything else does."""
        noticed(check, what, toil.job, act, pattern, within_s)
        breaches, goes_on = toil[BREACHES], toil.attempts_on(3)
        if is_met:
            check.that(f"{what}: what is there now is governed", goes_on and toil[BREACHES] == breaches, toil[BREACHES] - breaches)

    def fresh(path):
        os.makedirs(path, exist_ok=True)
        house.write(f"{path}/a", "0 1 2\n")
        os.chmod(f"{path}/a", 0o666)

    def moved():
        os.rename(digits, old)
        fresh(digits)

    def mounted():
        mount("-t", "tmpfs", "none", digits)
        fresh(digits)

    def writable():
        mount("-o", "remount,rw", digits)
        breaches = toil[BREACHES]
        toil.attempts_on(2)
        check.that("made writable: nothing is written before it is noticed either", toil[BREACHES] <= breaches + 1, toil[BREACHES] - breaches)

    told("another folder", moved, rf'{digits} \(rule "dataset:digits"\) leads to another file now: before inode \d+ .*now inode \d+', LOOK_S)
    told("a mount over it", mounted, r"leads to another file now.*the rules have been resolved anew")
    told("made read-only", lambda: mount("-o", "remount,ro", digits), r"was mounted read-only", is_met=False)
    told("made writable", writable, r"was mounted writable")
    told("unmounted", lambda: umount(digits), r"leads to another file now")
    told("gone", lambda: os.rename(digits, f"{house.root}/digits-away"), r"leads nowhere now.*every rule still holds for the file it was made for",
         LOOK_S, is_met=False)
    os.rename(f"{house.root}/digits-away", digits)
    subprocess.run(["rm", "-r", digits], check=True)
    os.rename(old, digits)
    wait_for(lambda: len(findings(toil.job)) > 6, LOOK_S + 5)
    new = house.shell("echo x 2>/dev/null >>$DIGITS/a || echo denied", user=ALICE)
    check.equal("a new job is governed by what is there", new.out, "denied\n")
    toil.end()
    toil.job.finish()
    check.that("but for what was not there the allowed was allowed all the time",
               all(act.endswith(f":{digits}/a") for act in toil.wrong()), toil.wrong())
    end = house.record(toil.job) and toil.job.end()
    check.that("what was let through before it was noticed is the difference, and no more",
               sum(end["denied"].values()) >= toil[ATTEMPTS] - toil[BREACHES], end["denied"])
    print(f"#    {toil[BREACHES]} of {toil[ATTEMPTS]} attempts met a folder that no rule knew yet, a read-only mount, or nothing", flush=True)
    house.settles(check, "replaced roots")


# Tries to write in each place, and says whether it could.
WRITES = r"""
while :; do
    for place in below/in soon later free; do
        (echo x >$ROOMS/$place/f) 2>/dev/null && echo y >>$OUT/could-${place%%/*} || echo n >>$OUT/could-${place%%/*}
    done
    sleep 0.1
done
"""


def could(house, place):
    """What comes of the next three attempts."""
    said = []
    with open(f"{house.out}/could-{place}", encoding="ascii") as stream:
        stream.seek(0, os.SEEK_END)
        wait_for(lambda: said.extend(stream.read().split()) or len(said) > 3)
    return set(said[1:])


OPENS = 'for path in "$@"; do if (: <"$path"); then echo "open $path"; else echo "closed $path"; fi; done'


def mounted_namespace(check, house):
    """The file of a namespace, mounted where a rule says what it is, says nothing of the others."""
    place = f"{house.root}/namespaces"
    own, mounted = "/proc/self/ns/net", f"{place}/uts"
    os.makedirs(place)
    with open(mounted, "w", encoding="ascii"):
        mount("--bind", "/proc/self/ns/uts", mounted)
    for access, word in (("write", "open"), ("none", "closed")):
        house.policy(f"namespace-{access}", filesystem={"default": "read", "rules": [{"id": "place", "path": place, "access": access}]})
        job = house.start("sh", "-c", OPENS, "sh", own, mounted, policy=f"namespace-{access}").finish()
        check.equal(f"a namespace under {access}", job.out.splitlines(), [f"open {own}", f"{word} {mounted}"])
    umount(mounted)
    subprocess.run(["rm", "-r", place], check=True)
    house.settles(check, "mounted namespace")


def roots_that_come(check, house):
    """
    A file system mounted below a rule's root, and optional roots that appear, where the default lets the job write: each is
    governed soon, for a job that the daemon started and for one that it adopted.
    """
    rooms = f"{house.root}/rooms"
    for place in ("below/in", "free"):
        os.makedirs(f"{rooms}/{place}")
    house.policy("turning", filesystem={"default": "write", "rules": [
        {"id": place, "path": f"{rooms}/{place}", "access": "read", "optional": True} for place in ("below", "soon", "later")]})
    job = house.start("sh", "-c", WRITES, policy="turning", env=os.environ | {"ROOMS": rooms, "OUT": house.out})
    house.appears("could-free")

    def mounted():
        mount("-t", "tmpfs", "none", f"{rooms}/below/in")

    def governed(what, place):
        check.equal(f"{what}: what is there now is governed, and the rest is free", (could(house, place), could(house, "free")), ({"n"}, {"y"}))

    for whose, optional in (("started", "soon"), ("adopted", "later")):
        if whose == "adopted":
            house.daemon.restart()
            wait_for(lambda: job.id in house.job_ids())
            mounted()
            time.sleep(LOOK_AT_MOUNTS_S)
            governed("adopted, before the first look: a mount below", "below")
            umount(f"{rooms}/below/in")
            time.sleep(LOOK_AT_MOUNTS_S)
        noticed(check, f"{whose}: a mount below", job, mounted, rf'{rooms}/below \(rule "below"\) has another file system mounted below it',
                LOOK_AT_MOUNTS_S)
        governed(f"{whose}: a mount below", "below")
        noticed(check, f"{whose}: an optional root", job, lambda path=f"{rooms}/{optional}": os.mkdir(path),
                rf'{rooms}/{optional} \(rule "{optional}"\) exists now', LOOK_S)
        governed(f"{whose}: an optional root", optional)
        umount(f"{rooms}/below/in")
    house.ask("kill", job.id)
    house.record(job)
    subprocess.run(["rm", "-r", rooms], check=True)
    house.settles(check, "roots that come")
