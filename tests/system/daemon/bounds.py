# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the policies that a user brings may take of the daemon: rules, ranges of ports, attempts of the self-test, descriptors."""
import json
import os
import resource
import time

from harness import wait_for
from house import ALICE, CAROL

OWN_RULES_MAX = 4096
OPTIONAL_EXECS_MAX = 8


def own_policy(house, name, paths=(), **sections):
    """A policy of a user's own: with a rule for each path besides one."""
    rules = [{"id": "null", "path": "/dev/null", "access": "write"}] + [{"path": path, "access": "read"} for path in paths]
    return house.write_json(f"{house.out}/{name}.json", {
        "version": 1, "name": name, "exec": {"default": "allow"}, "filesystem": {"default": "read", "rules": rules}} | sections)


def many_files(house, cnt):
    folder = f"{house.out}/many"
    os.makedirs(folder, exist_ok=True)
    for i in range(cnt):
        house.write(f"{folder}/{i}", "")
    return [f"{folder}/{i}" for i in range(cnt)]


def rules(check, house):
    """How many rules a user may bring; root, and so the site, any number. Meanwhile the daemon answers others."""
    files = many_files(house, OWN_RULES_MAX + 1)
    most = own_policy(house, "most", files[:OWN_RULES_MAX - 1])
    more = own_policy(house, "more", files[:OWN_RULES_MAX])
    start = time.monotonic()
    check.equal("as many rules as a user may bring", house.shell("exit 3", user=CAROL, policy=most).status, 3)
    took = time.monotonic() - start
    check.that("and it does not take long", took < 15, f"{took:.1f} s")
    refused = house.shell("echo ran", user=CAROL, policy=more)
    check.equal("one more: refused", (refused.status, refused.out), (125, ""))
    check.matches("one more: says so", refused.err, rf"\Ajobcage run: .*{OWN_RULES_MAX + 1} rules.*\b{OWN_RULES_MAX}\b.*\n\Z")
    check.equal("root may", house.shell("exit 3", policy=more).status, 3)
    with open(more, encoding="utf-8") as stream:
        house.write_json(f"{house.policies}/digits-many.json", json.load(stream) | {"name": "digits-many"})
    check.equal("and the site's may be as large for everybody", house.shell("exit 3", user=ALICE, policy="digits-many").status, 3)
    house.settles(check, "rules")


def ports(check, house):
    """Ranges of ports count in every network that is within the one they were written for."""
    def policy(name, cnt, port_cnt):
        outer = {"id": "outer", "cidr": "10.0.0.0/8", "ports": [*range(1, 2 * port_cnt, 2)]}
        return own_policy(house, name, egress={"default": "deny", "allow": [outer] + [
            {"id": f"n{i}", "cidr": f"10.1.{i >> 8}.{i & 255}/32", "ports": [2]} for i in range(cnt)]})

    few, many = policy("few-ports", 100, 100), policy("many-ports", 500, 1000)
    check.equal("10,000 ranges", house.shell("exit 3", user=CAROL, policy=few).status, 3)
    refused = house.shell("echo ran", user=CAROL, policy=many)
    check.equal("500,000 ranges: refused", (refused.status, refused.out), (125, ""))
    check.matches("500,000 ranges: says so", refused.err, r"\Ajobcage run: .*ranges of ports.*\b65536\b.*\n\Z")
    check.equal("root may", house.shell("exit 3", policy=many).status, 3)
    house.settles(check, "ports")


def optional_programs(check, house):
    """Of the programs that may be absent some are tried, not all, whatever else there is."""
    half = OWN_RULES_MAX // 2 - 1
    absent = own_policy(house, "absent", exec={
        "default": "allow", "deny": [{"path": f"/usr/none/{i}", "optional": True} for i in range(half)],
        "allow": [{"path": f"/usr/other/{i}", "optional": True} for i in range(half)]})
    job = house.start("sleep", "1000", user=CAROL, policy=absent)
    check.that("2,000 programs that are not there: it runs", wait_for(lambda: house.running(job)))
    attempts = ((house.status(job.id) or {}).get("self_test") or {}).get("attempts", [])
    tried = [attempt for attempt in attempts if "/usr/none/" in attempt.get("target", "")]
    check.equal("some of them are tried, each to be run and to be mapped", len(tried), 2 * OPTIONAL_EXECS_MAX)
    job.process.kill()
    job.finish()
    house.settles(check, "optional programs")


def kept_descriptors(check, house):
    """What rules hold open as long as their job runs: a user's own take a share, and others can go on."""
    limits = resource.prlimit(house.daemon.pid, resource.RLIMIT_NOFILE)
    files = many_files(house, 1200)
    before, jobs, last = house.daemon.fd_cnt(), [], None
    resource.prlimit(house.daemon.pid, resource.RLIMIT_NOFILE, (8192, limits[1]))
    try:
        for i in range(6):
            last = house.start("sleep", "1000", user=CAROL, policy=own_policy(house, f"own{i}", files[200 * i:200 * (i + 1)]))
            if not wait_for(lambda: house.running(last) or last.process.poll() is not None) or last.process.poll() is not None:
                break
            jobs.append(last)
        refused = last.finish() if last.process.poll() is not None else None
        check.equal("a user's own policies, 200 paths each: two run", len(jobs), 2)
        check.equal("the third: refused", refused and (refused.status, refused.out), (125, ""))
        check.matches("the third: says so", refused.err if refused else "", r"\Ajobcage run: .*too many paths.*\b512\b.*\n\Z")
        held = house.daemon.fd_cnt() - before
        check.that("so many descriptors are held", 400 <= held < 600, held)
        check.equal("others run", house.shell("exit 3", user=ALICE).status, 3)
        check.equal("root brings 1,000 paths", house.shell("exit 3", policy=own_policy(house, "roots", files[:1000])).status, 3)
        jobs[0].process.kill()
        jobs[0].process.wait()
        house.record(jobs[0])
        again = house.shell("exit 3", user=CAROL, policy=f"{house.out}/own2.json")
        check.equal("when a job has ended there is room again", again.status, 3)
    finally:
        resource.prlimit(house.daemon.pid, resource.RLIMIT_NOFILE, limits)
        for job in jobs:
            job.process.kill()
            job.process.wait()
    house.settles(check, "kept descriptors")
