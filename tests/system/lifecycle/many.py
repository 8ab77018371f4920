# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Several jobs at once: each under its own policy, with its own record; the programs are loaded once."""
import os

from harness import wait_for
import traces

# Each job may write to its own folder only, and tries its neighbour's too.
NEIGHBOURS = r"""
echo x >$OUT/{0}/own && echo own
echo x 2>/dev/null >>$OUT/{1}/foreign && echo foreign
touch $OUT/{0}/ready; until test -e $OUT/open; do sleep 0.2; done
echo x 2>/dev/null >>$OUT/{1}/foreign && echo foreign
exit {0}
"""


def own_policy(world, i):
    folder = f"{world.out}/{i}"
    os.makedirs(folder, exist_ok=True)
    return world.policy(f"own-{i}", filesystem={"default": "read", "rules": [
        {"id": f"own-{i}", "path": folder, "access": "write"}, {"id": "null", "path": "/dev/null", "access": "write"}]})


def at_once(check, world, cnt):
    for i in range(cnt):
        own_policy(world, i)
    jobs = [world.start_shell(NEIGHBOURS.format(i, (i + 1) % cnt), policy=own_policy(world, i)) for i in range(cnt)]
    ready = wait_for(lambda: all(world.exists(f"{i}/ready") for i in range(cnt)), 120)
    check.that(f"{cnt} jobs started at once: all run", ready, [job.err for job in jobs if job.err])
    check.that(f"{cnt} jobs: the programs are pinned", len(traces.pins()) > 10)
    check.equal(f"{cnt} jobs: no program is loaded twice", traces.bpf_ids("programs"), world.baseline["bpf programs"])
    world.touch("open")
    for i, job in enumerate(jobs):
        what = f"job {i} of {cnt}"
        check.equal(f"{what}: exit status, and what it could do", (job.finish().status, job.out), (i, "own\n"))
        world.whole(check, what, job, 2)
        denied = [(event["policy"]["name"], event["metadata"]["event_code"], event["file"].get("path"))
                  for event in job.events()[1:-1]]
        bare = [event for event in denied if event[2] is None]
        check.equal(f"{what}: events without a path are counted", len(bare), job.end()["without_path"])
        check.equal(f"{what}: its alerts are its own", [event for event in denied if event[2]],
                    [(f"own-{i}", "file_create", f"{world.out}/{(i + 1) % cnt}/foreign")] * (2 - len(bare)))
    os.unlink(f"{world.out}/open")
    for i in range(cnt):
        os.unlink(f"{world.out}/{i}/ready")
    world.settles(check, f"{cnt} jobs")


def one_file(check, world):
    """Jobs may share an alert file, which then has every line whole."""
    shared = f"{world.alerts}/shared.jsonl"
    script = "i=0; while [ $i -lt 40 ]; do echo x 2>/dev/null >>$DIGITS/a; i=$((i+1)); done"
    jobs = [world.start_shell(script, alerts=shared) for _ in range(3)]
    for job in jobs:
        check.equal("one alert file: exit status", job.finish().status, 0)
        world.whole(check, "one alert file", job, 40)
    world.settles(check, "one alert file")


# Each process tries to make a file where it may not, and to read what it may not, as fast as it can.
CROWD = r"""
i=0; while [ $i -lt 400 ]; do
	echo x >>$DIGITS/$$-$i; read -r line <$PATIENTS/p && echo $line >&3; i=$((i+1))
done 3>&1 2>/dev/null
"""


def crowd(check, world):
    """Many tasks on one processor, each in the middle of being denied when the next one comes: none gets through."""
    job = world.shell(f"for p in 1 2 3 4 5 6 7 8; do ({CROWD.replace('$$', '$p')}) & done; wait", wrap=["taskset", "-c", "0"])
    made = [name for name in os.listdir(world.digits) if name != "a"]
    check.equal("crowd: files made in a read-only dataset", len(made), 0)
    check.equal("crowd: secrets read", job.out, "")
    wait_for(job.end)
    check.equal("crowd: every attempt was denied", job.end().get("denied", {}).get("file"), 8 * 400 * 2)
    for name in made:
        os.unlink(f"{world.digits}/{name}")
    world.settles(check, "crowd")
    os.unlink(job.alerts)
