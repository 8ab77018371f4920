# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What many jobs at once cost (P7): kernel memory for each, and P1 and P2 again; and the controller itself (P10)."""
import contextlib
import json
import os
import re
import subprocess
import time

import hooks
import jobs
from world import REST_S, make_cgroup, say, settle, wait_for

KIB = 1024
JOBS = {"embedded": (1, 100), "daemon": (1, 100, 1000)}
CYCLES = {"embedded": 20, "daemon": 200}
# What the kernel takes for itself. Its stacks are in VmallocUsed; a ring's pages are in none of them.
KERNEL_PARTS = ("Slab", "PageTables", "SecPageTables", "VmallocUsed", "Percpu")


# --- the kernel's memory ---

def kernel_memory():
    """Bytes, by part, when nothing is left that can be given back."""
    for _ in range(3):
        with open("/proc/sys/vm/drop_caches", "w", encoding="utf-8") as stream:
            stream.write("3")
        time.sleep(2)
    with open("/proc/meminfo", encoding="utf-8") as stream:
        sizes = {name: int(size) * KIB for name, size in re.findall(r"^(\w+): +(\d+) kB", stream.read(), re.M)}
    return {name: sizes.get(name, 0) for name in KERNEL_PARTS}


def slabs():
    """Bytes in use, by cache."""
    with open("/proc/slabinfo", encoding="utf-8") as stream:
        rows = [line.split() for line in stream if not line.startswith(("#", "slabinfo"))]
    return {row[0]: int(row[1]) * int(row[3]) for row in rows}


def map_memory():
    """Bytes of all BPF maps, by name, and how many there are of it."""
    shown = subprocess.run(["bpftool", "--json", "map", "show"], capture_output=True, text=True, check=True).stdout
    sums = {}
    for item in json.loads(shown):
        size, cnt = sums.get(item.get("name", ""), (0, 0))
        sums[item.get("name", "")] = (size + int(item.get("bytes_memlock", 0)), cnt + 1)
    return sums


def grown(before, after, cnt):
    """What each of cnt things has added, by part, largest first, without what adds nothing."""
    added = {name: (after[name] - before.get(name, 0)) / cnt for name in after}
    return dict(sorted(((name, round(size)) for name, size in added.items() if abs(size) >= 16),
                       key=lambda item: -abs(item[1])))


@contextlib.contextmanager
def bare_processes(world, cnt):
    """As many processes that sleep, each in a cgroup of its own, but under nobody's rules."""
    groups = [make_cgroup(f"bare-{i}") for i in range(cnt)]
    processes = [world.start("/usr/bin/sleep", "1000000", cgroup=group) for group in groups]
    wait_for("sleep", lambda: all(jobs.is_running(process) for process in processes))
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for group in groups:
            os.rmdir(group)


def memory_of(crowd, cnt, meanwhile=lambda: None):
    """What each member of a crowd adds to the kernel's memory, by part, and what meanwhile says while it is there."""
    before, slabs_before = kernel_memory(), slabs()
    with crowd:
        return grown(before, kernel_memory(), cnt), grown(slabs_before, slabs(), cnt), meanwhile()


def hooks_now(world, files, form):
    """Instructions of an open and close outside of any job and in one."""
    path = files.paths[11]
    return {"P1": world.opens(path)[0], "P2": world.opens(path, before=form.launch(files.policy))[0]}


def memory_per_job(world, result, form, files, cnt):
    """Returns what an open costs among so many jobs: they are there anyway."""
    say(f"kernel memory, open and close: {cnt} jobs")
    bare, bare_slabs, _ = memory_of(bare_processes(world, cnt), cnt)
    maps = {}

    @contextlib.contextmanager
    def crowd():
        before = map_memory()
        with jobs.job(world, form, files.policy, cnt):
            maps.update({name: round((size - before.get(name, (0, 0))[0]) / cnt)
                         for name, (size, _) in map_memory().items()})
            yield

    caged, caged_slabs, costs = memory_of(crowd(), cnt, lambda: hooks_now(world, files, form))
    added = sum(caged.values()) - sum(bare.values())
    own_maps = sum(size for name, size in maps.items() if name != "ring")
    result.row("P7", f"kernel memory of a job beside its ring, {form.name}, {cnt} jobs", added, "bytes",
               8 * KIB if form.name == "daemon" else None)
    result.row("P7", f"  of that in BPF maps of its own, {form.name}, {cnt} jobs", own_maps, "bytes")
    result.detail(f"memory of one of {cnt} jobs, {form.name}", {
        "bare process in a cgroup": bare, "job": caged, "maps": {name: size for name, size in maps.items() if size},
        "slabs beyond a bare process": grown(bare_slabs, caged_slabs, 1)})
    return costs


def many_jobs(world, result):
    files = hooks.Files(world)
    form = jobs.forms(world)[-1]
    base = world.opens(files.paths[11])[0]
    first = None
    with form.ready(files.policy):
        result.detail("maps shared by all jobs", map_memory())
        for cnt in JOBS[form.name]:
            costs = {name: cost - base for name, cost in memory_per_job(world, result, form, files, cnt).items()}
            first = first or costs
            for name, cost in costs.items():
                result.row("P7", f"{name} among {cnt} jobs against one", cost / first[name], "x", 1.05)
    settle(REST_S)
    result.steady("open+close, depth 11", base, world.opens(files.paths[11])[0])


# --- the controller ---

def resident(pid):
    """(VmRSS, RssAnon, Pss) in bytes."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as stream:
        status = dict(re.findall(r"^(\w+):\s+(\d+) kB", stream.read(), re.M))
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as stream:
        rollup = dict(re.findall(r"^(\w+): +(\d+) kB", stream.read(), re.M))
    return tuple(int(size) * KIB for size in (status["VmRSS"], status["RssAnon"], rollup["Pss"]))


def controller(world, result):
    """P10: resident memory before and after jobs have come and gone."""
    jobs.write_site(world)
    policy = jobs.write_policy(world, "cycles")
    for form in jobs.forms(world):
        with form.ready(policy):
            pid = form.controllers()[0]
            before = resident(pid)
            say(f"{CYCLES[form.name]} jobs, one after the other: {form.name}")
            world.run("/bench/spawns", str(CYCLES[form.name]), "100", *form.launch(policy), "/usr/bin/true")
            after = resident(pid)
        result.row("P10", f"controller's resident memory, {form.name}", before[0], "bytes", 8 * KIB * KIB)
        result.row("P10", f"  of that its own (anonymous), {form.name}", before[1], "bytes")
        result.row("P10", f"  grown after {CYCLES[form.name]} jobs, {form.name}", after[0] - before[0], "bytes",
                   0 if form.name == "daemon" else None)
