# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Nothing is left of something: the daemon refuses clearly, leaves nothing half made, and those that run are not touched."""
import contextlib
import os
import resource
import subprocess

from harness import wait_for
from house import ALICE, ROOT
from toil import ATTEMPTS, Toil


@contextlib.contextmanager
def witness(check, house, what):
    toil = Toil(house, user=ROOT)
    check.that(f"{what}: a job toils", toil.goes())
    yield
    toil.end()
    toil.job.finish()
    toil.judge(check, what)
    house.accounted(check, what, toil.job, toil[ATTEMPTS])
    house.settles(check, what)


def refused_or_ran(check, what, job):
    """Either as a whole."""
    ran = job.out == "ran\n"
    check.equal(f"{what}: status", job.status, 0 if ran else 125)
    check.that(f"{what}: it ran, or one line says why not", ran or (job.out == "" and job.err.count("\n") == 1), job.out + job.err)
    return ran


def jobs(check, house):
    """limits.jobs and limits.jobs_per_user: of the site."""
    with witness(check, house, "jobs"):
        for limit, user in (("jobs", ROOT), ("jobs_per_user", ALICE)):
            cnt = len(house.job_ids()) + 1 if limit == "jobs" else 1
            house.put_site(limits={limit: cnt})
            check.equal(f"{limit}: reload", house.ask("reload").returncode, 0)
            last = house.start("sleep", "1000", user=user)
            wait_for(lambda: house.running(last))
            more = house.shell("echo ran", user=user)
            check.equal(f"{limit}: one more", (more.status, more.out), (125, ""))
            check.matches(f"{limit}: says so", more.err, rf"\Ajobcage run: .*limits\.{limit}\b.*\n\Z")
            last.process.kill()
            last.process.wait()
            house.record(last)
            check.equal(f"{limit}: then there is room again", house.shell("exit 3", user=user).status, 3)
        house.put_site()
        house.ask("reload")


def descriptors(check, house):
    """The daemon may open so many files more."""
    limits = resource.prlimit(house.daemon.pid, resource.RLIMIT_NOFILE)
    results = []
    with witness(check, house, "descriptors"):
        for more in range(0, 40, 3):
            resource.prlimit(house.daemon.pid, resource.RLIMIT_NOFILE, (house.daemon.fd_cnt() + more, limits[1]))
            job = house.start_shell("echo ran", user=ALICE)
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.process.wait(2)
            resource.prlimit(house.daemon.pid, resource.RLIMIT_NOFILE, limits)
            results.append(refused_or_ran(check, f"{more} descriptors more", job.finish()))
        check.that("some are refused", not all(results), results)
        check.equal("with all, it runs", house.shell("exit 3", user=ALICE).status, 3)


def run_size(size):
    subprocess.run(["mount", "-o", f"remount,size={size}", "/run"], check=True)


def space(check, house):
    """No page is left where the daemon keeps what it knows of jobs."""
    st = os.statvfs("/run")
    total = st.f_blocks * st.f_frsize
    results = []
    with witness(check, house, "space"):
        for pages in range(6):
            st = os.statvfs("/run")
            used = (st.f_blocks - st.f_bfree) * st.f_frsize
            run_size(used + pages * 4096)
            try:
                job = house.shell("echo ran", user=ALICE)
            finally:
                run_size(total)
            results.append(refused_or_ran(check, f"{pages} pages left", job))
        check.that("some are refused", not all(results), results)
        check.equal("with space, it runs", house.shell("exit 3", user=ALICE).status, 3)
