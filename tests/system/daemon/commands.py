# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What jobs, status, whois, kill and reload print, and the statuses they end with."""
import json
import os
import re

from harness import wait_for
from house import ALICE, ROOT, SOCKET

KEYS = {"job", "policy", "digest", "mode", "command", "user", "uid", "asked_by", "pid", "start_ms", "cgroup", "attached", "adopted"}
NO_UTF8 = os.fsdecode(b"a\xff")
MORE = {"denied", "would_deny", "record", "rules", "source", "alerts", "budgets", "runtime_ms", "backend", "self_test", "kinds", "names",
        "names_lost", "connections_cut"}


def usage(check, house):
    rows = [(["status"], 2, "an argument is missing"), (["status", "a", "b"], 2, "too many arguments"), (["jobs", "x"], 2, "too many arguments"),
            (["whois", "self"], 2, "no process id"), (["whois", "-1"], 2, "1"), (["kill"], 2, "an argument is missing"),
            (["kill", "--json", "x"], 2, "no option --json"), (["status", "--quiet", "x"], 2, "no option --quiet"), (["jobs", "--all"], 2, "all"),
            (["status", "none"], 1, 'no job "none"'), (["whois", "1"], 1, "in no job"), (["whois", "4194303"], 1, "no process"),
            (["reload", "none"], 1, 'no job "none"'), (["daemon", "--teardown", "--nonsense"], 2, "no option --nonsense"),
            (["daemon", "--teardown", "--site", "/x"], 2, "takes no --site"), (["attach", "--policy", "plain"], 2, "--cgroup"),
            (["policy"], 125, "policy explain"), (["policy", "chekc"], 125, "policy check"), (["polic"], 125, "unknown command 'polic'")]
    rows += [([*words, NO_UTF8], 1, "is no UTF-8") for words in (["status"], ["kill"], ["reload"], ["attach", "--cgroup", "/sys/fs/cgroup", "--policy"])]
    for words, status, text in rows:
        result = house.ask(*words)
        check.equal(f"{' '.join(words)}: exit status, and nothing on standard output", (result.returncode, result.stdout), (status, ""))
        lines = result.stderr.count("\n")
        check.that(f"{' '.join(words)}: says why, in one line", text in result.stderr and (lines == 1 or words[0] == "policy"), result.stderr)
    for words in (["jobs"], ["status", "none"], ["whois"], ["kill", "keeper"], ["reload"], ["daemon", "--teardown"]):
        result = house.ask(*words, "--help", user=ROOT)
        check.equal(f"{' '.join(words)} --help: on standard output, 0", (result.returncode, result.stderr, result.stdout.split()[:3]),
                    (0, "", ["Usage:", "jobcage", words[0]]))
    check.that("and nothing is done", house.daemon.is_alive() and "keeper" in house.job_ids())


def shown(check, house):
    one = house.start("sleep", "1000", user=ALICE, job_id="a")
    two = house.start("sleep", "1000", job_id="a-much-longer-name", policy="digits-a", user=ALICE)
    check.that("two jobs run", wait_for(lambda: house.running(one) and house.running(two)))
    table = house.ask("jobs", user=ALICE).stdout.split("\n")
    starts = [[match.start() for match in re.finditer(r"(?<!\S)(?:sleep 1000|\S+)", line)] for line in table[:3]]
    check.equal("jobs: a header, a line for each, and no more", (len(table), table[0].split(), table[3]),
                (4, ["JOB", "POLICY", "MODE", "USER", "PID", "AGE", "COMMAND"], ""))
    check.that("jobs: columns are aligned", all(starts[0][i] == row[i] for row in starts[1:] for i in (0, 1, 2, 3, 6)), table)
    check.equal("jobs --quiet", sorted(house.ask("jobs", "-q", user=ALICE).stdout.split()), ["a", "a-much-longer-name"])
    listed = json.loads(house.ask("jobs", "--json", user=ALICE).stdout)
    check.equal("jobs --json: its keys", [set(job) for job in listed], [KEYS, KEYS])
    status = json.loads(house.ask("status", "-j", "a", user=ALICE).stdout)
    check.equal("status --json: its keys", set(status), KEYS | MORE)
    whois = json.loads(house.ask("whois", "--json", str(one.process.pid), user=ALICE).stdout)
    check.equal("whois --json: the same as in the list", whois, next(job for job in listed if job["job"] == "a"))
    check.matches("whois", house.ask("whois", str(one.process.pid)).stdout, r"\Aa  policy plain \([0-9a-f]{12}\), user alice\n\Z")
    text = house.ask("status", "a", user=ALICE).stdout
    check.equal("status: a label before every line", [line for line in text.rstrip("\n").split("\n") if not re.match(r"[a-z -]{2,12} +\S", line)], [])
    check.equal("reload", house.ask("reload", "a").stdout, "0 jobs obey new rules, 1 is unchanged\n")
    refused = house.ask("reload", user=ALICE)
    check.equal("reload by a user", (refused.returncode, refused.stdout), (1, ""))
    killed = house.ask("kill", "a", "none", "a-much-longer-name", user=ALICE)
    check.equal("kill of three, of which one is none", (killed.returncode, killed.stdout, killed.stderr),
                (1, "", 'jobcage kill: there is no job "none"\n'))
    house.write(house.site, '{"version": 1,\n "alert": 1}')
    no_site = house.ask("alerts")
    house.put_site()
    check.equal("alerts, with an error in the site file: shows no other log", (no_site.returncode, no_site.stdout), (1, ""))
    check.matches("and says what is wrong", no_site.stderr, r"\Ajobcage alerts: /etc/jobcage/site\.json:2:\d+: .*'alert'.*\n\Z")
    check.equal("without one: the site's log", house.ask("alerts", "--json").returncode, 0)
    for what, how in (("id", {"job_id": NO_UTF8}), ("policy", {"policy": NO_UTF8}), ("alerts file", {"options": ["--alerts", NO_UTF8]})):
        refused = house.start("touch", f"{house.out}/started", **how).finish()
        check.equal(f"run with {what} that is no UTF-8: exit status", (refused.status, house.exists("started")), (125, False))
        check.matches(f"run with {what} that is no UTF-8: says so", refused.err, r'\Ajobcage run: ".*a\\xff" is no UTF-8.*\n\Z')
    check.equal("the others are killed", (one.finish().status, two.finish().status), (137, 137))
    house.settles(check, "commands")


def without_daemon(check, house):
    house.daemon.kill()
    check.that("killed, its socket is still there", os.path.exists(SOCKET))
    killed = house.ask("jobs")
    check.that("jobs, root, of a daemon that was killed: what the state files say", killed.returncode == 0 and "keeper" in killed.stdout,
               killed.stderr)
    house.daemon.start()
    house.daemon.stop()
    for words in (["jobs"], ["status", "keeper"], ["kill", "keeper"], ["whois", "1"], ["reload"]):
        for user in (ALICE, ROOT):
            result = house.ask(*words, user=user)
            if words == ["jobs"] and user is ROOT:
                check.that("jobs, root: what the state files say", result.returncode == 0 and "keeper" in result.stdout, result.stdout)
            else:
                check.equal(f"{words[0]}, {user.name}: exit status", (result.returncode, result.stdout), (1, ""))
                check.matches(f"{words[0]}, {user.name}: says so", result.stderr, r"no jobcage daemon listens.*root starts one")
    house.daemon.start()
