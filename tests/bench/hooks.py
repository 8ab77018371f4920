# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What each open, read and connect costs more: P1 (outside of any job), P2 (files in a job), P3 (connect in a job), P4 (what an open connection
carries)."""
import contextlib
import os
import random
import subprocess

import jobs
from world import REST_S, ROOT, Failed, make_cgroup, release, say, settle

RULES = 100
DEPTHS = (2, 4, 11, 16)
CONNECTS = 20000
MESSAGES = 10000
PREFIXES = (100, 1000, 100000)
TARGET, PORT = "127.86.75.30", 9


def at_depth(top, depth):
    """A file so many components below the mount that top's first component is; the file's own name counts."""
    folders = [str(i) for i in range(depth - top.count("/"))]
    return "/".join([top, *folders, "f"])


class Files:
    """The files that are opened, and the same hundred rules for each who is to judge them."""

    def __init__(self, world):
        self.world = world
        self.paths = {"plain": at_depth("/plain", 11)} | {depth: at_depth("/data/set", depth) for depth in DEPTHS}
        for path in self.paths.values():
            world.write(path, "x")
        # The dataset is a rule, the policies that jobs.py writes have one of their own, and these.
        self.others = [f"/data/other/{i}" for i in range(RULES - 2)]
        for path in self.others:
            os.makedirs(ROOT + path, exist_ok=True)
        jobs.write_site(world)
        self.policy = jobs.write_policy(world, "hundred", [{"path": path, "access": "read"} for path in self.others])

    def measure(self, what, **how):
        """Instructions of an open and close of each file, and of one read, by the file's name here."""
        say(f"open, close, read: {what}")
        return {name: self.world.opens(path, **how) for name, path in self.paths.items()}

    def landlock(self):
        allowed = ["/data/set", "/plain", "/bench", *self.others[:RULES - 3]]
        return ("/bench/landlocked", self.world.write("/etc/bench/landlock", "\n".join(allowed) + "\n"))

    def load_apparmor(self):
        """The name of a loaded profile, or None where AppArmor is not in force. It sees paths as the namespace does."""
        if not os.path.exists("/sys/kernel/security/apparmor/profiles"):
            return None
        rules = [f"{path}/** r," for path in ["/data/set", "/plain", "/bench", *self.others[:RULES - 3]]]
        profile = "profile bench {\n" + "\n".join(rules) + "\n/bench/opens mr,\n}\n"
        done = subprocess.run(["apparmor_parser", "--replace", "--skip-cache"], input=profile, text=True,
                              capture_output=True, check=False)
        if done.returncode:
            raise Failed(f"apparmor_parser: {done.stderr}")
        return "bench"


def empty_kind(backend):
    return "lsm" if backend == "bpf" else "fmod_ret"


def measure_rivals(files, backend):
    empty = files.world.hold(empty_kind(backend))
    found = {"empty": files.measure("an empty program on the hook")}
    release(empty)
    found["landlock"] = files.measure("Landlock", before=files.landlock())
    profile = files.load_apparmor()
    if profile:
        found["apparmor"] = files.measure("AppArmor", confined=profile)
    return found


def report_files(result, found):
    """P1 and P2 in rows: all figures but the base itself are what is added to it."""
    def added(who, name, column=0):
        return found[who][name][column] - found["base"][name][column] if who in found else None

    result.row("P1", "open+close, depth 11, process in no job", added("outside", 11), "instructions",
               1.15 * added("empty", 11), empty_program=added("empty", 11))
    for name in found["base"]:
        empty = added("empty", name)
        result.row("P2", "open+close in a job, 100 rules, " +
                   ("superblock without rules" if name == "plain" else f"dataset file at depth {name}"),
                   added("inside", name), "instructions", (2.2 if name == "plain" else 3) * empty, empty_program=empty,
                   Landlock=added("landlock", name), AppArmor=added("apparmor", name))
    result.row("P2", "depth 16 against depth 2", added("inside", 16) / added("inside", 2), "x", 1.05,
               Landlock=added("landlock", 16) / added("landlock", 2))
    read = found["base"][11][1]
    result.row("P2", "read of an open file in a job", added("inside", 11, 1), "instructions", 0.002 * read)


def files_in_jobs(world, result):
    """P1 and P2, with the base taken at the beginning and at the end."""
    files = Files(world)
    form = jobs.forms(world)[-1]
    found = {"base": files.measure("base")}
    found |= measure_rivals(files, result.content["backend"])
    with form.ready(files.policy), jobs.job(world, form, files.policy):
        found["outside"] = files.measure("a process in no job, while a job runs")
        found["inside"] = files.measure("in a job", before=form.launch(files.policy))
    settle(REST_S)
    again = files.measure("base again")
    for name, (opening, _) in found["base"].items():
        result.steady(f"open+close, {name}", opening, again[name][0])
    report_files(result, found)
    result.detail("opens", found)


# --- connect ---

def prefixes(cnt):
    """So many networks of lengths 17 to 32 around the target, one of them its own; always the same."""
    chance = random.Random(1)
    nets = {(int.from_bytes(bytes(map(int, TARGET.split("."))), "big"), 32)}
    while len(nets) < cnt:
        length = chance.randint(17, 32)
        nets.add((127 << 24 | chance.getrandbits(24) >> (32 - length) << (32 - length), length))
    return [f"{net >> 24}.{net >> 16 & 255}.{net >> 8 & 255}.{net & 255}/{length}" for net, length in sorted(nets)]


def prefix_policy(world, cnt):
    rules = [{"id": f"n{i}", "cidr": cidr, "protocol": "any", "ports": [PORT]} for i, cidr in enumerate(prefixes(cnt))]
    return jobs.write_policy(world, f"prefixes-{cnt}", egress=rules)


def connect(world, what, *before, **how):
    say(f"UDP connect: {what}")
    return world.numbers(*before, "/bench/connects", str(CONNECTS), TARGET, str(PORT), **how)[0]


def connects_in_jobs(world, result):
    """P3: connect() of UDP. Each is in a cgroup of its own, as a job is."""
    jobs.write_site(world)
    cgroup = make_cgroup("bench")
    base = connect(world, "base", cgroup=cgroup)
    empty = world.hold(cgroup, "empty_connect4")
    rival = connect(world, "an empty connect4 program", cgroup=cgroup) - base
    release(empty)
    form, added = jobs.forms(world)[-1], {}
    with form.ready(prefix_policy(world, 1)):
        for cnt in PREFIXES:
            launch = form.launch(prefix_policy(world, cnt))
            added[cnt] = connect(world, f"in a job with {cnt} prefixes", *launch) - base
    settle(REST_S)
    result.steady("UDP connect", base, connect(world, "base again", cgroup=cgroup))
    os.rmdir(cgroup)
    for cnt in PREFIXES:
        result.row("P3", f"connect() of UDP in a job, {cnt} prefixes", added[cnt], "instructions",
                   3 * rival if cnt == 1000 else None, empty_program=rival)
    result.row("P3", "100000 prefixes against 100", added[100000] / added[100], "x", 1.5)


# --- packets ---

def talk(world, what, *before, **how):
    """(send and receive 1 KB, connect to close) over TCP."""
    say(f"TCP: {what}")
    return world.numbers(*before, "/bench/talks", str(MESSAGES), TARGET, str(PORT), **how)


@contextlib.contextmanager
def server(world):
    with world.start("/bench/talks", "serve", str(PORT), stdout=subprocess.PIPE) as process:
        if process.stdout.readline() != "ready\n":
            raise Failed("talks serve: not ready")
        try:
            yield
        finally:
            process.terminate()


@contextlib.contextmanager
def nftables(cgroup, cnt):
    """What an admin would write: for packets of a cgroup, out to a set of prefixes, in from it."""
    name = os.path.basename(cgroup)
    nets = ", ".join(prefixes(cnt))
    rules = "".join(f'''chain {hook} {{ type filter hook {hook} priority 0; policy accept;
        socket cgroupv2 level 1 "{name}" ip {way} != @nets drop
        }}\n''' for hook, way in (("output", "daddr"), ("input", "saddr")))
    text = f"table ip bench {{ set nets {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {nets} }} }}\n{rules} }}\n"
    done = subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise Failed(f"nft: {done.stderr[:500]}")
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "ip", "bench"], check=True)


def packets_in_jobs(world, result):
    """P4, and P3 for TCP: each in a cgroup of its own, the other end in none."""
    jobs.write_site(world)
    cgroup = make_cgroup("bench")
    found = {}
    with server(world):
        found["base"] = talk(world, "base", cgroup=cgroup)
        empty = world.hold(cgroup, "empty_egress", "empty_ingress")
        found["empty"] = talk(world, "empty programs on packets", cgroup=cgroup)
        release(empty)
        for cnt in PREFIXES:
            with nftables(cgroup, cnt):
                found[f"nftables {cnt}"] = talk(world, f"nftables with {cnt} prefixes", cgroup=cgroup)
        form = jobs.forms(world)[-1]
        with form.ready(prefix_policy(world, 1)):
            found["outside"] = talk(world, "a process in no job, while a job runs", cgroup=cgroup)
            for cnt in PREFIXES:
                found[f"job {cnt}"] = talk(world, f"in a job with {cnt} prefixes", *form.launch(prefix_policy(world, cnt)))
        settle(REST_S)
        again = talk(world, "base again", cgroup=cgroup)
    os.rmdir(cgroup)
    report_packets(result, found)
    for column, what in enumerate(("send and receive", "TCP connect to close")):
        result.steady(what, found["base"][column], again[column])
    result.detail("talks", found)


def report_packets(result, found):
    def added(who, column):
        return found[who][column] - found["base"][column]

    for cnt in PREFIXES:
        result.row("P4", f"send and receive 1 KB in a job, {cnt} prefixes", added(f"job {cnt}", 0), "instructions",
                   1.6 * added("empty", 0), empty_programs=added("empty", 0), nftables=added(f"nftables {cnt}", 0))
    result.row("P4", "send and receive 1 KB in no job, while a job runs", added("outside", 0), "instructions",
               0.002 * found["base"][0])
    for cnt in PREFIXES:
        result.row("P3", f"TCP connect to close in a job, {cnt} prefixes", added(f"job {cnt}", 1), "instructions",
                   added(f"nftables {cnt}", 1), nftables=added(f"nftables {cnt}", 1), empty_packets=added("empty", 1))
