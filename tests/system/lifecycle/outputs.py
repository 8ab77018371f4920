# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Directories that a policy has made, where a monitor makes them."""
import os
import pwd
import shutil
import stat


def of(path):
    """Owner, group and mode; None: there is none."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def outputs(check, world):
    """Of whoever the command runs as; not where others can write; and gone if the start fails."""
    folder = f"{world.root}/runs"
    os.mkdir(folder)
    nobody = pwd.getpwnam("nobody")

    def policy(path, *more):
        return world.policy("creates", rules=[{"id": "run", "path": path, "access": "write", "create": True}, *more])

    for options, owner in (([], (0, 0)), (["--user", "nobody"], (nobody.pw_uid, nobody.pw_gid))):
        path = f"{folder}/{len(options)}"
        for time in ("first", "second"):
            job = world.shell(f"echo {time} >>{path}/f && tail -n 1 {path}/f; (echo >{folder}/f) 2>/dev/null || echo denied",
                              policy=policy(path), options=options)
            check.equal(f"{options} {time}: status, output, error", (job.status, job.out, job.err), (0, f"{time}\ndenied\n", ""))
            check.equal(f"{options} {time}: whose", of(path), (*owner, 0o700))
    job = world.shell("echo ran", policy=policy(f"{folder}/run", {"id": "gone", "path": "/no/such", "access": "read"}))
    check.equal("a start that fails", (job.status, job.out, of(f"{folder}/run")), (125, "", None))
    os.chmod(folder, 0o777)
    job = world.shell("echo ran", policy=policy(f"{folder}/run"))
    check.equal("where others can write", (job.status, job.out, of(f"{folder}/run")), (125, "", None))
    check.matches("it says why", job.err, r'\Ajobcage run: .*creates.json:\d+:\d+: rule "run": cannot make .*"runs" on the way to it may be written by others')
    shutil.rmtree(folder)
    world.settles(check, "outputs")
