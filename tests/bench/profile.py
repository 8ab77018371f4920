# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Where the start of one job spends its instructions: each thread's own code, its system calls, and its waits. The
daemon's threads and the kernel's are in it, with what they do of themselves in the second that is looked at.

The kernel's own trace says when each system call begins and ends and who has the processor. Its clock is set to count the
processor's cycles, which here are instructions. Writing the trace costs a few hundred instructions per line, which are in
the figures.
"""
import collections
import re

import jobs
from world import say

TRACING = "/sys/kernel/tracing"
EVENTS = ("raw_syscalls/sys_enter", "raw_syscalls/sys_exit", "sched/sched_switch", "sched/sched_process_fork",
          "sched/sched_process_exec", "exceptions/page_fault_user")
LINE = re.compile(r"^ *(?P<comm>.*)-(?P<pid>\d+) +\[\d+\] \S+ +(?P<at>\d+): (?P<event>\w+): ?(?P<rest>.*)$")
# asm/unistd_64.h, bpf.h
NUMBERS = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
CALLS = 16
# What has fewer instructions is not shown.
SMALL = 5000
BPF_COMMANDS = {0: "map_create", 1: "lookup", 2: "update", 3: "delete", 4: "next_key", 5: "prog_load", 6: "obj_pin", 7: "obj_get",
                8: "prog_attach", 13: "prog_by_id", 15: "info_by_fd", 18: "btf_load", 28: "link_create", 33: "iter_create"}


def tracing(name, text):
    with open(f"{TRACING}/{name}", "w", encoding="utf-8") as stream:
        stream.write(text)


def syscall_names():
    with open(NUMBERS, encoding="utf-8") as stream:
        return {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", stream.read())}


class Process:
    def __init__(self, comm):
        self.comm = comm
        self.call = None      # the system call it is in
        self.since = None     # when it last changed between its own code, a call and being without the processor
        self.forget()

    def forget(self):
        """What it has spent so far."""
        self.own = self.kernel = self.waits = self.faults = 0
        self.calls = collections.defaultdict(lambda: [0, 0, 0])  # name: how often, instructions, waits

    def spend(self, now, *, waiting=False):
        """What passed since the last change belongs to the call it was in, or to its own code."""
        passed = now - self.since if self.since is not None else 0
        self.since = now
        if waiting:
            self.waits += passed
        elif self.call:
            self.kernel += passed
        else:
            self.own += passed
        if self.call:
            self.calls[self.call][2 if waiting else 1] += passed

    def lines(self):
        yield (f"{self.comm}: own code {self.own:,} instructions, system calls {self.kernel:,}, "
               f"{self.faults} page faults; waited {self.waits / 1e6:.1f} ms")
        for name, (cnt, instructions, waits) in sorted(self.calls.items(), key=lambda call: -sum(call[1][1:]))[:CALLS]:
            yield f"    {name:18} {cnt:4} times {instructions:10,} instructions, waited {waits / 1e6:5.1f} ms"


class Trace:
    """Lines of the trace since the starter's last fork, summed up by process."""

    def __init__(self, lines, starter):
        self.names, self.starter = syscall_names(), starter
        self.processes = {}
        for line in lines:
            match = LINE.match(line)
            if match:
                self.add(match)

    def process(self, pid, comm):
        return self.processes.setdefault(pid, Process(comm))

    def add(self, match):
        now, rest = int(match["at"]), match["rest"]
        process = self.process(int(match["pid"]), match["comm"])
        if match["event"] == "sys_enter":
            process.spend(now)
            process.call = self.call_name(rest)
            process.calls[process.call][0] += 1
        elif match["event"] == "sys_exit":
            process.spend(now)
            process.call = None
        elif match["event"] == "sched_switch":
            process.spend(now)
            come = re.search(r"next_comm=(.*) next_pid=(\d+)", rest)
            self.process(int(come[2]), come[1]).spend(now, waiting=True)
        elif match["event"] == "sched_process_fork":
            child = re.search(r"child_comm=(.*) child_pid=(\d+)", rest)
            self.processes[int(child[2])] = Process(child[1])
            if match["comm"] == self.starter:
                self.begin(now)
        elif match["event"] == "page_fault_user":
            process.faults += 1
        process.comm = match["comm"]

    def call_name(self, rest):
        number, arguments = re.match(r"NR (-?\d+) \((.*)\)", rest).groups()
        name = self.names.get(int(number), number)
        if name == "bpf":
            command = int(arguments.split(",")[0], 16)
            name = f"bpf {BPF_COMMANDS.get(command, command)}"
        return name

    def begin(self, now):
        """A new run: what was spent before is another's."""
        for process in self.processes.values():
            process.since = now if process.since is not None else None
            process.forget()

    def spenders(self):
        """All that have spent something, but for the starter and the processor's idle task."""
        return [process for process in self.processes.values()
                if process.own + process.kernel >= SMALL and process.comm not in (self.starter, "<idle>")]


def record(world, starter, *command):
    """The trace of a few runs of a command."""
    for name, text in (("tracing_on", "0"), ("buffer_size_kb", "32768"), ("trace_clock", "x86-tsc"), ("trace", "")):
        tracing(name, text)
    for event in EVENTS:
        tracing(f"events/{event}/enable", "1")
    tracing("tracing_on", "1")
    world.run(f"/bench/{starter}", "1", "1000", *command)
    tracing("tracing_on", "0")
    for event in EVENTS:
        tracing(f"events/{event}/enable", "0")
    with open(f"{TRACING}/trace", encoding="utf-8", errors="replace") as stream:
        return Trace(stream, starter)


def profile(world, result):
    """Each process of a job that starts and ends at once, when the programs are loaded."""
    jobs.write_site(world)
    policy = jobs.write_policy(world, "profile")
    form = jobs.forms(world)[-1]
    with form.ready(policy):
        say("profile of a start")
        trace = record(world, "spawns", *form.launch(policy), "/usr/bin/true")
    lines = [line for process in trace.spenders() for line in process.lines()]
    result.detail("profile", [f"start and end of true, {form.name}:", *lines])
