# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""F15: a name that changes between the look and the open. In no job the race is won at once; in a job, never."""
import os
import re
import subprocess

from row import LINKED
import crew
import links

RACES = {'link': 'dataset:shared', 'folder': 'dataset:shared', 'closed': 'dataset:closed', 'unlinked': LINKED, 'replaced': LINKED}


def run(check, cage, world, seconds):
    place = world.all['shared']
    os.sched_setaffinity(0, range(os.cpu_count()))
    for name, rule in RACES.items():
        world.make('shared', 'nobody')
        words = [f'{cage.programs}/f15_race', name, *place.words(), str(seconds)]
        outside = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
        check.that(f'F15 {name} is won in no job', ' OK ' in outside, outside)
        world.make('shared', 'nobody')
        before = links.content(place)
        job = crew.Job(cage, f'race-{name}', 'nobody')
        _, said = job.run(*words)
        check.that(f'F15 {name} is not won in a job', ' EACCES race' in said, said)
        check.that(f'F15 {name}: the dataset is as it was', before == links.content(place))
        refused = int((re.search(r'(\d+) refused', said) or [0, -1])[1])
        print(f'race {name}: {" ".join(said.split())}')
        judge(check, name, rule, job.events(), refused)


def judge(check, name, rule, events, refused):
    end = events[-1]['unmapped']['jobcage']
    rules = {event['firewall_rule']['uid'] for event in events if 'firewall_rule' in event}
    check.equal(f'F15 {name}: the rule', rules, {rule})
    check.equal(f'F15 {name}: as many denials counted as there were', end['denied']['file'], refused)
    check.equal(f'F15 {name}: what did not fit the ring is counted', end['delivered'] + end['lost'], end['decisions'])
