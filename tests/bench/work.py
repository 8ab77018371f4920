# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What ordinary work costs in a job (P8): starting programs, compiling, and a run that lives on system calls; beside AppArmor with as many rules."""
import glob
import os
import shutil
import subprocess

import jobs
from hooks import RULES
from start import TRUE
from world import REST_S, ROOT, Failed, libraries, say, settle

OUT, SOURCES = "/tmp/work", "/bench/tree"
# How often, and how many times each in itself.
RUNS = {"fork+exec+wait": 1000, "compile": 2, "system calls": 4}
GOALS = {"fork+exec+wait": 1.01, "compile": 1.005, "system calls": None}
TURNS = 2000


def copy(path):
    """With the libraries that it loads."""
    for each in [path, *libraries(path)]:
        if not os.path.exists(ROOT + each):
            os.makedirs(os.path.dirname(ROOT + each), exist_ok=True)
            shutil.copy(each, ROOT + each)


def copy_compiler(world):
    """The C compiler, this project's smallest folder as a tree to compile, and every header that it includes."""
    for name in ("cc1", "as"):
        found = subprocess.run(["gcc", f"-print-prog-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        copy(found if found.startswith("/") else shutil.which(found))
    for path in ("/usr/bin/gcc", "/usr/bin/sh"):
        copy(path)
    top = os.path.dirname(world.build)
    files = sorted(glob.glob(f"{top}/userspace/base/*.c"))
    flags = ["-O2", "-g", "-std=gnu11", "-D_GNU_SOURCE"]
    made = subprocess.run(["gcc", "-M", *flags, f"-I{top}/userspace", f"-I{top}/bpf", *files], capture_output=True, text=True, check=True).stdout
    for path in {word for word in made.replace("\\\n", " ").split() if not word.endswith(":")}:
        target = path.replace(top, SOURCES, 1) if path.startswith(top) else os.path.normpath(path)
        os.makedirs(os.path.dirname(ROOT + target), exist_ok=True)
        shutil.copy(path, ROOT + target)
    names = " ".join(file.replace(top, SOURCES, 1) for file in files)
    return world.write("/bench/compile", f'cd {OUT} && for file in {names}; do gcc {" ".join(flags)} -I{SOURCES}/userspace -I{SOURCES}/bpf -c "$file" || exit 1; done\n')


def load_apparmor(others):
    """The name of a loaded profile, or None where AppArmor is not in force."""
    if not os.path.exists("/sys/kernel/security/apparmor/profiles"):
        return None
    rules = ["/** rmix", f"{OUT}/** rw", "/tmp/** rw", "/dev/null rw", *(f"{path}/** r" for path in others[:RULES - 4])]
    done = subprocess.run(["apparmor_parser", "--replace", "--skip-cache"], input="profile work {\n" + ",\n".join(rules) + ",\n}\n", text=True,
                          capture_output=True, check=False)
    if done.returncode:
        raise Failed(f"apparmor_parser: {done.stderr}")
    return "work"


class Work:
    def __init__(self, world):
        self.world = world
        os.makedirs(ROOT + OUT)
        self.commands = {"fork+exec+wait": (TRUE,), "compile": ("/usr/bin/sh", copy_compiler(world)),
                         "system calls": ("/bench/calls", str(TURNS), OUT)}
        self.others = [f"/data/other/{i}" for i in range(RULES - 3)]
        for path in self.others:
            os.makedirs(ROOT + path, exist_ok=True)
        jobs.write_site(world)
        self.policy = jobs.write_policy(world, "work", [{"path": path, "access": "read"} for path in self.others] +
                                        [{"path": "/tmp", "access": "write"}])

    def measure(self, who, *before, **how):
        """Instructions of one run of each."""
        found = {}
        for what, command in self.commands.items():
            say(f"work: {what}, {who}")
            found[what] = self.world.numbers(*before, "/bench/spawns", str(RUNS[what]), "0", *command, **how)[0]
        return found


def work(world, result):
    measured = Work(world)
    form = jobs.forms(world)[-1]
    found = {"base": measured.measure("in no job")}
    with form.ready(measured.policy):
        found["job"] = measured.measure("in a job", *form.launch(measured.policy))
    settle(REST_S)
    profile = load_apparmor(measured.others)
    if profile:
        found["apparmor"] = measured.measure("under AppArmor", confined=profile)
    again = measured.measure("in no job again")
    for what, base in found["base"].items():
        result.steady(what, base, again[what])
        ratios = {who: numbers[what] / base for who, numbers in found.items()}
        result.row("P8", f"{what}: in a job against outside", ratios["job"], "ratio", GOALS[what], AppArmor=ratios.get("apparmor"))
    result.detail("work", found)
