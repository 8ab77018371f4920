# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Very many jobs: at once, and one after another. Each is under its rules, none leaves anything, the daemon does not grow."""
import collections
import concurrent.futures
import json
import os
import time

from eventfile import END_OF_LINE, whole_lines
from harness import wait_for
from house import ALICE, EVERYBODY, ROOT, User

CROWD = [User(f"crowd{uid}", uid) for uid in EVERYBODY] + [ALICE, ROOT]

# Waits at the gate, then does what it may and attempts what it may not; its status tells.
AT_THE_GATE = r"""
read -r go <$OUT/gate
read -r digits <$DIGITS/a || exit 1
echo x 2>/dev/null >>$DIGITS/a && exit 2
read -r secret 2>/dev/null <$PATIENTS/p && exit 3
exit 7
"""

# What a job that runs may cost the daemon in resident KiB, see docs/controller.md: its ring, mapped twice, and pages beside it; and what is its own.
RINGS_KIB, OWN_KIB = 2 * 256 + 16, 16

# What the daemon may keep of a job that is gone, as its allocator does not give every page back at once.
KEPT_KIB = 1024


def at_once(check, house, cnt):
    gate, start = f"{house.out}/gate", time.monotonic()
    os.mkfifo(gate)
    os.chmod(gate, 0o644)
    fd = os.open(gate, os.O_RDWR)
    rss, anon, fds = house.daemon.rss_kib(), house.daemon.status_kib("RssAnon"), house.daemon.fd_cnt()
    jobs = [house.start_shell(AT_THE_GATE, user=CROWD[i % len(CROWD)]) for i in range(cnt)]
    wait_for(lambda: all(house.running(job) for job in jobs) or any(job.process.poll() is not None for job in jobs), 1800)
    alive = len(house.job_ids()) == cnt + 1 and all(house.running(job) for job in jobs)
    check.that(f"{cnt} jobs run at once", alive, collections.Counter(job.err for job in jobs).most_common(3))
    took, grown, own = time.monotonic() - start, house.daemon.rss_kib() - rss, house.daemon.status_kib("RssAnon") - anon
    check.that("each costs the daemon its ring, and little beside it", grown <= cnt * (RINGS_KIB + OWN_KIB) + KEPT_KIB and
               own <= cnt * OWN_KIB + KEPT_KIB, f"{grown} KiB more resident, {own} of them the daemon's own")
    check.equal("status knows the last one", house.status(jobs[-1].id)["job"], jobs[-1].id)
    os.write(fd, b"\n" * cnt)  # sh reads byte by byte: one for each
    check.equal("each did what it may and nothing else", collections.Counter(job.finish().status for job in jobs), {7: cnt})
    check.that("the daemon has seen them all end", wait_for(lambda: house.job_ids() == ["keeper"], 600), len(house.job_ids()))
    os.close(fd)
    os.unlink(gate)
    house.settles(check, f"{cnt} jobs")
    check.that("their descriptors are closed", wait_for(lambda: house.daemon.fd_cnt() <= fds), f"{house.daemon.fd_cnt()}, not {fds}")
    accounted(check, house, {job.id for job in jobs})
    check.that("their memory is given back", wait_for(lambda: house.daemon.status_kib("RssAnon") <= anon + KEPT_KIB, 30),
               f"{house.daemon.status_kib('RssAnon')} KiB, not {anon}")
    print(f"#    {cnt} jobs at once: {took / cnt * 1000:.0f} ms each to start; {grown} KiB more resident while they ran, {own} of them its own, "
          f"{house.daemon.rss_kib() - rss} KiB after", flush=True)


def accounted(check, house, ids):
    """Of each: its start, what it was denied, its end, complete."""
    codes, complete = collections.defaultdict(list), set()
    for line in whole_lines(house.site_alerts):
        if not line.endswith(END_OF_LINE):
            continue  # what a daemon left that was killed
        event = json.loads(line)
        job = event["metadata"].get("correlation_uid")
        if job in ids:
            codes[job].append(event["metadata"]["event_code"])
            complete |= {event["unmapped"]["jobcage"]["complete"]} if codes[job][-1] == "job_end" else set()
    check.equal("the record of each", collections.Counter(map(tuple, codes.values())),
                {("job_start", "file_open_write", "file_open_read", "job_end"): len(ids)})
    check.equal("each is complete", complete, {True})


def in_turn(check, house, cnt):
    """Four at a time. What the first tenth costs is what all of them cost."""
    def one(i):
        return house.shell("echo x 2>/dev/null >>$DIGITS/a && exit 2; exit 7", user=CROWD[i % len(CROWD)]).status

    marks, start = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for tenth in range(10):
            statuses = collections.Counter(pool.map(one, range(tenth * cnt // 10, (tenth + 1) * cnt // 10)))
            check.equal(f"tenth {tenth + 1}: each is refused what it may not do", statuses, {7: (tenth + 1) * cnt // 10 - tenth * cnt // 10})
            check.that(f"tenth {tenth + 1}: all have ended", wait_for(lambda: house.job_ids() == ["keeper"], 60))
            marks.append((house.daemon.rss_kib(), house.daemon.fd_cnt(), time.monotonic() - start))
    house.settles(check, f"{cnt} jobs in turn")
    check.that("the daemon's memory is flat", marks[-1][0] - marks[0][0] < KEPT_KIB, [mark[0] for mark in marks])
    check.equal("so are its descriptors", len({mark[1] for mark in marks}), 1)
    first, last = marks[0][2], marks[-1][2] - marks[-2][2]
    # A few jobs take so little time that any other work on the machine shows.
    check.that("the last start as fast as the first", last < first * 1.5 + 3, f"{first:.1f} s for the first tenth, {last:.1f} s for the last")
    print(f"#    {cnt} jobs in turn: {marks[-1][2] / cnt * 1000:.0f} ms each; resident {marks[0][0]} KiB after a tenth, {marks[-1][0]} KiB after all",
          flush=True)
