# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A real Slurm of one node, as Debian packages it, that runs users' steps: `srun jobcage run ...`."""
import contextlib
import os
import re
import shutil
import socket
import subprocess

from harness import WAIT_S, wait_for
from house import ALICE
import traces

DIR, CONF = "/var/tmp/slurm", "/etc/slurm"
ROOT = traces.CGROUP_ROOT

SLURM_CONF = """\
ClusterName=cage
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={dir}/ctld
SlurmdSpoolDir={dir}/d
SlurmctldPidFile={dir}/ctld.pid
SlurmdPidFile={dir}/d.pid
SlurmctldLogFile={dir}/ctld.log
SlurmdLogFile={dir}/d.log
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
ReturnToService=2
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1024 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
CGROUP_CONF = "CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes\nConstrainRAMSpace=yes\nConstrainCores=no\n"


class Cluster:
    """munged, slurmctld and slurmd, for as long as the test runs."""

    def __init__(self, house):
        self.house, self.processes = house, []
        host = socket.gethostname()
        for folder in (f"{DIR}/ctld", f"{DIR}/d", CONF, "/run/munge", f"{ROOT}/system.slice"):
            os.makedirs(folder, exist_ok=True)
        shutil.chown("/run/munge", "munge", "munge")
        house.write(f"{CONF}/slurm.conf", SLURM_CONF.format(dir=DIR, host=host, cpus=os.cpu_count()))
        house.write(f"{CONF}/cgroup.conf", CGROUP_CONF)
        with open("/etc/hosts", "a", encoding="ascii") as stream:
            stream.write(f"127.0.0.1 {host}\n")
        # It looks up its own addresses, and takes no machine for one on which there is none but the loopback's.
        for words in (["link", "set", "lo", "up"], ["address", "add", "192.0.2.77/32", "dev", "lo"]):
            subprocess.run(["ip", *words], check=False, stderr=subprocess.DEVNULL)
        for where in (ROOT, f"{ROOT}/system.slice"):
            house.write(f"{where}/cgroup.subtree_control", "+cpu +memory +pids")

    def start(self, *command):
        with open(f"{self.house.log}/{os.path.basename(command[0])}.err", "ab") as log:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"))

    def __enter__(self):
        self.start("setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "munged", "--foreground")
        if not wait_for(lambda: subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0, 30):
            raise RuntimeError(self.said("setpriv"))
        self.start("slurmctld", "-D")
        self.start("slurmd", "-D")
        if not wait_for(lambda: b"idle" in subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, check=False).stdout, 60):
            raise RuntimeError(self.said("slurmctld") + self.said("slurmd"))
        return self

    def said(self, name):
        with open(f"{self.house.log}/{name}.err", encoding="utf-8", errors="replace") as stream:
            return stream.read()[-1500:]

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()

    def srun(self, script, *options, caged=True, **popen):
        """A step of one task, of Alice."""
        command = [self.house.jobcage, "run", "--policy", "plain", "--"] * caged + ["sh", "-c", script]
        env = os.environ | {"OUT": self.house.out, "DIGITS": self.house.digits}
        return subprocess.Popen(["srun", "--quiet", "-n1", *options, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd="/", env=env, **(ALICE.popen() | popen))


def result(process):
    out, err = process.communicate(timeout=WAIT_S)
    return process.returncode, out, err


STEPS = {
    "a status": "echo out; echo err >&2; exit 7",
    "a signal": "kill -TERM $$",
    "its variables": "echo $SLURM_NTASKS $SLURM_PROCID $(pwd) $(id -u)",
    "limits": "ulimit -n; ulimit -u; nice",
}


def steps(check, house):
    """What srun shows of a step is the same with and without jobcage."""
    with Cluster(house) as cluster:
        for what, script in STEPS.items():
            with_it, without = result(cluster.srun(script)), result(cluster.srun(script, caged=False))
            check.equal(f"{what}: as without jobcage", [re.sub(r"\d+\.\d+|\S+ \S+:\S+", "", part) if isinstance(part, str) else part for part in with_it],
                        [re.sub(r"\d+\.\d+|\S+ \S+:\S+", "", part) if isinstance(part, str) else part for part in without])
        status, out, err = result(cluster.srun("cut -d: -f3 /proc/self/cgroup; cat $DIGITS/a; (echo x >>$DIGITS/a) 2>/dev/null || echo denied"))
        check.equal("the step is in its cage: status, standard error", (status, err), (0, ""))
        check.matches("the job's cgroup is below the step's, and the dataset whole", out,
                      r"\A/system\.slice/\S*slurmstepd\.scope/job_\d+/step_\S+/jobcage-\S+\n0 1 2\ndenied\n\Z")
        limited(check, house, cluster)
        cancelled(check, house, cluster)
        house.settles(check, "Slurm's steps")


def limited(check, house, cluster):
    """--mem binds in the cage."""
    status, out, _ = result(cluster.srun("head -c 16M /dev/zero | tail -c 1M | wc -c", "--mem=64M"))
    check.equal("little memory is granted", (status, out), (0, "1048576\n"))
    status, out, _ = result(cluster.srun("head -c 300M /dev/zero | tail -c 300M | wc -c", "--mem=64M"))
    check.that("more than --mem is not", "314572800" not in out, f"{status} {out}")


def cancelled(check, house, cluster):
    """scancel reaches the job as it would the bare command."""
    step = cluster.srun("trap 'echo caught; exit 3' USR1; echo up >$OUT/up; while :; do sleep 0.1; done", "--job-name=told")
    check.that("a step runs", house.appears("up"))
    subprocess.run(["scancel", "--signal=USR1", "--name=told"], check=True)
    check.equal("scancel --signal: the job's own handler runs", result(step)[:2], (3, "caught\n"))
    os.unlink(f"{house.out}/up")
    step = cluster.srun("trap '' TERM; setsid sleep 1000 & echo up >$OUT/up; while :; do sleep 0.1; done", "--job-name=ended")
    check.that("another one runs", house.appears("up"))
    subprocess.run(["scancel", "--name=ended"], check=True)
    check.that("scancel ends what ignores SIGTERM", result(step)[0] != 0)
    os.unlink(f"{house.out}/up")
    check.that("and no job of it is left", wait_for(lambda: house.job_ids() == ["keeper"], 30), house.job_ids())
