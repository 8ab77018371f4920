#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Judges the evidence that run_in_place collected, and shows it on the terminal or as JSON.

Every attempt of the poisoned dependency must have succeeded in the control and failed in the
cage, with the error that a denial gives, with nothing arrived and nothing changed, and with
exactly one alert that names the right rule. The training itself must not have suffered. Exit
status 0 only when all of it is so.
"""

import argparse
import errno
import ipaddress
import json
import os
import re
import sys
from collections import namedtuple
from pathlib import Path

sys.dont_write_bytecode = True

from run_in_place import is_job_end, read_json_lines  # noqa: E402 (the line above must come first)

ACCURACY_WANTED = 0.95
LOG_LINES = 10
FILE, PROCESS, NETWORK = 1001, 1007, 4001  # OCSF class_uid
ACTION_DENIED = 2  # OCSF action_id
DENIALS = {errno.errorcode[errno.EPERM], errno.errorcode[errno.EACCES]}

# What an attempt must leave in the alerts: its class, what it was at, and the rule that stopped it.
Attempt = namedtuple("Attempt", "words shown class_uid target rule")


def at_file(words, name, rule):
    return Attempt(words, name, FILE, f"/srv/jobcage-demo/datasets/{name}", rule)


def at_host(words, shown, target):
    return Attempt(words, shown, NETWORK, target, "egress.default")


def at_program(words, shown, target, rule):
    return Attempt(words, shown, PROCESS, target, rule)


SHELL = os.path.realpath("/bin/sh")
ATTEMPTS = {
    "overwrite": at_file("overwrite a training file", "digits/train.csv", "dataset:digits"),
    "add": at_file("add a training file", "digits/extra.csv", "dataset:digits"),
    "delete": at_file("delete the test images", "digits/test.csv", "dataset:digits"),
    "read": at_file("read another dataset", "patients/records.csv", "dataset:patients"),
    "tcp4": at_host("connect over IPv4", "192.0.2.10:443", "tcp 192.0.2.10 443"),
    "tcp6": at_host("connect over IPv6", "[2001:db8::10]:443", "tcp 2001:db8::10 443"),
    "udp4": at_host("send a datagram", "192.0.2.10:4444", "udp 192.0.2.10 4444"),
    "mapped": at_host("connect, mapped address", "[::ffff:192.0.2.11]:443", "tcp 192.0.2.11 443"),
    "shell": at_program("start a shell", "/bin/sh", SHELL, "python-only"),
    "copy": at_program(
        "run a copied program", "/tmp/.../id", "/tmp/jobcage-demo-*/id", "exec.default"
    ),
}

Check = namedtuple("Check", "name passed detail")


def address_text(address):
    """An address as the rules see it: a mapped one is IPv4."""
    parsed = ipaddress.ip_address(address)
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def alert_target(alert):
    """What an alert is about, in the form of Attempt.target; None if no attempt is like it."""
    class_uid = alert.get("class_uid")
    try:
        if class_uid == FILE:
            return alert["file"]["path"]
        if class_uid == PROCESS:
            return alert["process"]["file"]["path"]
        if class_uid == NETWORK:
            endpoint = alert["dst_endpoint"]
            protocol = alert["connection_info"]["protocol_name"]
            return f"{protocol} {address_text(endpoint['ip'])} {endpoint['port']}"
    except KeyError:  # a path or an address that could not be had
        pass
    return None


def is_about(alert, attempt):
    pattern = re.escape(attempt.target).replace(re.escape("*"), "[^/]*")
    target = alert_target(alert)
    return (
        alert.get("class_uid") == attempt.class_uid
        and target is not None
        and bool(re.fullmatch(pattern, target))
    )


def alert_rule(alert):
    return alert.get("firewall_rule", {}).get("uid")


class Case:
    """The evidence, with what the judgement and the account both need of it."""

    def __init__(self, folder):
        evidence = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
        self.folder = folder
        self.kernel = evidence["kernel"]
        self.job = evidence["job"]
        self.control = evidence["control"]
        self.alerts = read_json_lines(folder / "alerts.jsonl")
        self.denials = [alert for alert in self.alerts if alert.get("action_id") == ACTION_DENIED]
        self.alerts_of = {
            name: [alert for alert in self.denials if is_about(alert, attempt)]
            for name, attempt in ATTEMPTS.items()
        }

    @staticmethod
    def results(part):
        return {line.get("attempt"): line.get("result") for line in part["attempts"]}

    @property
    def accuracy(self):
        return (self.job["result"] or {}).get("accuracy")

    @property
    def unexplained(self):
        explained = [id(alert) for alerts in self.alerts_of.values() for alert in alerts]
        return [alert for alert in self.denials if id(alert) not in explained]

    @property
    def end(self):
        """The final event, or None."""
        ends = [alert for alert in self.alerts if is_job_end(alert)]
        return ends[0] if len(ends) == 1 else None


def list_words(words):
    return ", ".join(words) if words else "none"


def check_training(case):
    accuracy = case.accuracy
    yield Check(
        "the training exits 0", case.job["status"] == 0, f"status {case.job['status']}; see job.log"
    )
    yield Check(
        "accuracy",
        accuracy is not None and accuracy >= ACCURACY_WANTED,
        f"{accuracy}; at least {ACCURACY_WANTED} is wanted",
    )
    yield Check(
        "the checkpoint is written",
        bool(case.job["checkpoint_bytes"]),
        "no checkpoint.pt in the output",
    )


def check_control(case):
    """Whatever fails here says nothing of jobcage: the machine stood in the way, not the cage."""
    results = case.results(case.control)
    failed = [
        f"{name}: {results.get(name)}" for name in ATTEMPTS if results.get(name) != "succeeded"
    ]
    yield Check("every attempt succeeds without jobcage", not failed, list_words(failed))
    expected = {name for name, attempt in ATTEMPTS.items() if attempt.class_uid == NETWORK}
    arrived = {arrival["listener"] for arrival in case.control["arrivals"]}
    yield Check(
        "every connection arrives without jobcage", arrived == expected, list_words(sorted(arrived))
    )
    before, after = case.control["datasets_before"], case.control["datasets_after"]
    changed = sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )
    yield Check(
        "the dataset changes without jobcage",
        changed == ["digits/extra.csv", "digits/test.csv", "digits/train.csv"],
        list_words(changed),
    )


def check_cage(case):
    results = case.results(case.job)
    passed = [
        f"{name}: {results.get(name)}" for name in ATTEMPTS if results.get(name) not in DENIALS
    ]
    yield Check("every attempt is denied in the cage", not passed, list_words(passed))
    arrived = [arrival["listener"] for arrival in case.job["arrivals"]]
    yield Check("nothing arrives from the cage", not arrived, list_words(arrived))
    yield Check(
        "the datasets are unchanged",
        case.job["datasets_before"] == case.job["datasets_after"],
        "see datasets_before and datasets_after in evidence.json",
    )


def check_alerts(case):
    for name, attempt in ATTEMPTS.items():
        alerts = case.alerts_of[name]
        rules = [str(alert_rule(alert)) for alert in alerts]
        once = len(alerts) == 1 and alerts[0].get("count", 1) == 1
        yield Check(
            f"one alert for '{name}', of {attempt.rule}",
            once and rules == [attempt.rule],
            f"{len(alerts)} alerts, of {list_words(rules)}",
        )
    surplus = [alert.get("message", "?") for alert in case.unexplained]
    yield Check("no alert but those", not surplus, "; ".join(surplus))


def check_end(case):
    complete = (case.end or {}).get("unmapped", {}).get("jobcage", {}).get("complete")
    broken = [alert["not_json"] for alert in case.alerts if "not_json" in alert]
    yield Check("every line of the record is JSON", not broken, "; ".join(broken))
    yield Check("one final event, complete", complete is True, f"complete: {complete}")
    yield Check(
        "nothing is left behind", not case.job["left_behind"], list_words(case.job["left_behind"])
    )


def judge(case):
    return [
        check
        for part in (check_training, check_control, check_cage, check_alerts, check_end)
        for check in part(case)
    ]


class Account:
    """The account for people. Colours only where somebody looks."""

    def __init__(self, case, checks, place, is_terminal):
        self.case = case
        self.checks = checks
        self.place = place
        self.is_terminal = is_terminal

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.is_terminal else text

    def bold(self, text):
        return self.paint("1", text)

    def good(self, is_good, text):
        return self.paint("32" if is_good else "1;31", text)

    def passed(self, name):
        return all(check.passed for check in self.checks if check.name == name)

    def fact(self, title, is_good, text):
        print(f"  {title:<12}{self.good(is_good, text)}")

    def show(self):
        title = self.bold("A real training run in a cage")
        print(f"\n{title}  (Linux {self.case.kernel}, {self.place})\n")
        self.show_training()
        if self.case.job["attempts"]:
            self.show_attempts()
            self.show_traces()
            self.show_first_alert()
        self.show_verdict()

    def show_training(self):
        result = self.case.job["result"]
        if result is None:
            self.show_failed_training()
            return
        right = f"{result['accuracy']:.1%} of {result['test_images']} unseen digits named rightly"
        self.fact(
            "Training",
            self.passed("accuracy"),
            right + f", {result['epochs']} epochs, {result['seconds']} s",
        )
        if self.case.job["checkpoint_bytes"]:
            self.fact(
                "Checkpoint",
                True,
                f"{self.case.folder}/checkpoint.pt, {self.case.job['checkpoint_bytes']:,} bytes",
            )

    def show_failed_training(self):
        log = self.case.folder / "job.log"
        self.fact(
            "Training", False, f"failed with status {self.case.job['status']}. The end of {log}:"
        )
        if log.exists():
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            print("\n".join("    " + line for line in lines[-LOG_LINES:]))

    def show_attempts(self):
        control, cage = self.case.results(self.case.control), self.case.results(self.case.job)
        title = (
            f"  {'Its poisoned dependency tried to':<50}{'without':<10}{'in the cage':<18}by rule"
        )
        print("\n" + self.bold(title))
        for name, attempt in ATTEMPTS.items():
            outside = "done" if control.get(name) == "succeeded" else str(control.get(name))
            caged = str(cage.get(name, "not tried"))
            caged_shown = f"blocked ({caged})" if caged in DENIALS else caged
            alerts = self.case.alerts_of[name]
            rule = str(alert_rule(alerts[0])) if alerts else "no alert"
            print(
                f"  {attempt.words:<26}{attempt.shown:<24}"
                + self.good(outside == "done", f"{outside:<9}")
                + " "
                + self.good(caged in DENIALS, f"{caged_shown:<17}")
                + " "
                + self.good(rule == attempt.rule, rule)
            )
        print()

    def show_traces(self):
        case, job = self.case, self.case.job
        unchanged = self.passed("the datasets are unchanged")
        file_cnt = sum("directory" not in text for text in job["datasets_before"].values())
        self.fact(
            "Datasets",
            unchanged,
            f"SHA-256, owner and mode of {file_cnt} files "
            + ("unchanged" if unchanged else "CHANGED"),
        )
        arrived = len(job["arrivals"])
        self.fact("Network", not arrived, f"{arrived or 'nothing'} arrived at the listeners")
        complete = self.passed("one final event, complete")
        self.fact(
            "Alerts",
            complete and not case.unexplained,
            f"{len(case.denials)} denials, record "
            + ("complete: " if complete else "NOT complete: ")
            + f"{case.folder}/alerts.jsonl",
        )
        left = job["left_behind"]
        self.fact(
            "Left behind",
            not left,
            list_words(left) if left else "nothing: no process, cgroup, pin, mount or state",
        )

    def show_first_alert(self):
        if self.case.denials:
            print("\n" + self.bold("  The first alert in full"))
            text = json.dumps(self.case.denials[0], indent=2, ensure_ascii=False)
            print("\n".join("  " + line for line in text.splitlines()))

    def show_verdict(self):
        failed = [check for check in self.checks if not check.passed]
        if not self.case.job["attempts"]:  # one cause, of which the rest follows
            failed = [check for check in check_training(self.case) if not check.passed]
        print()
        for check in failed:
            print(self.good(False, f"  FAILED: {check.name} ({check.detail})"))
        failed_cnt = sum(not check.passed for check in self.checks)
        print(
            "  "
            + self.good(
                not failed,
                self.bold(f"{len(self.checks) - failed_cnt} checks passed, {failed_cnt} failed"),
            )
        )


def show_json(case, checks, place):
    attempts = {
        name: {
            "target": attempt.shown,
            "control": case.results(case.control).get(name),
            "cage": case.results(case.job).get(name),
            "rules": [alert_rule(alert) for alert in case.alerts_of[name]],
        }
        for name, attempt in ATTEMPTS.items()
    }
    print(
        json.dumps(
            {
                "passed": all(check.passed for check in checks),
                "kernel": case.kernel,
                "place": place,
                "training": case.job["result"],
                "attempts": attempts,
                "alerts": {"file": str(case.folder / "alerts.jsonl"), "denials": len(case.denials)},
                "checks": [
                    check._asdict() | ({"detail": ""} if check.passed else {}) for check in checks
                ],
            },
            indent=2,
        )
    )


def main():
    parser = argparse.ArgumentParser(description="Judge the evidence of a demo run.")
    parser.add_argument("folder", type=Path, help="what run_in_place --out wrote")
    parser.add_argument("--place", default="here", help="where it ran, for people")
    parser.add_argument("--json", action="store_true", help="the judgement as JSON")
    arguments = parser.parse_args()
    case = Case(arguments.folder)
    checks = judge(case)
    if arguments.json:
        show_json(case, checks, arguments.place)
    else:
        Account(
            case, checks, arguments.place, sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        ).show()
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
