# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""F3, hard links: what a job does with its own, and that no name which comes or goes opens a dataset's file."""
import os

from capabilities import CAPABILITIES
from row import LINKED, ROOT, USER
import crew
import places

ATTEMPTS = {'old-write': 'f03_link', 'old-unlinked': 'f03_link', 'old-unlinked-chmod': 'f03_link', 'old-relinked': 'f03_link',
            'old-replaced': 'f03_link', 'received-link': 'f09_descriptor'}
# Each by name, as a job's own files are used: a lock, a checkpoint and the latest of them, a temporary file that gets its name late.
OWN = {
    'both names are written to': 'echo a >own && ln own other && echo b >>other && echo c >>own && cat own | wc -l',
    'the second name is cut, dated and closed to others': 'truncate -s 2 other && touch other && chmod 600 other && stat -c %s own',
    'the first goes, the second is written to': 'rm own && echo d >>other && stat -c %s other',
    'a third is made of the second': 'ln other third && echo e >>third && stat -c %s other',
    'one takes the place of another': 'echo a >new && ln -f new third && mv -f third other && echo b >>new && stat -c %s new',
    'the old one can be removed': 'rm old-link && echo gone',
}
ANSWERS = ('3', '2', '4', '6', '4', 'gone')


def content(place):
    """Names come and go, and with them the count and the time of change: all else."""
    return {path: (seen[:3], seen[4:7], seen[8:]) for path, seen in place.picture().items()}


def run(check, cage, world):
    for user in (USER, ROOT):
        try_old(check, cage, world, user)
        try_own(check, cage, world, user)
    try_inherited(check, cage, world)


def write_policy(cage, place, *writable):
    return cage.write('links', {
        'version': 1, 'name': 'links', 'exec': {'default': 'allow'}, 'datasets': [{'name': 'shared', 'access': 'read'}],
        'filesystem': {'default': 'read', 'rules': [{'id': os.path.basename(path), 'path': path, 'access': 'write'}
                                                    for path in ('/dev/null', place.out, *writable)]},
        'unix': {'allow': [{'id': 'accomplice', 'path': place.out}]}, 'capabilities': CAPABILITIES})


def ask(cage, place, shell, attempt, user):
    with crew.Accomplice(cage.programs, place, user):
        return shell.ask(f'{cage.programs}/{ATTEMPTS[attempt]}', attempt, *place.words())


def try_old(check, cage, world, user):
    place, answers = world.all['shared'], {}
    shell = crew.Shell([], user)
    for attempt in ATTEMPTS:
        world.make('shared', user)
        before = content(place)
        answer = ask(cage, place, shell, attempt, user)
        check.that(f'{attempt} by {user} succeeds in no job', answer.is_won and content(place) != before, str(answer))
    shell.close()
    job = crew.Job(cage, f'links-{user}', user, policy=write_policy(cage, place))
    shell = job.shell()
    for attempt in ATTEMPTS:
        world.make('shared', user)
        before = content(place)
        answers[attempt] = ask(cage, place, shell, attempt, user)
        check.that(f'{attempt} by {user} fails in a job', not answers[attempt].is_won and answers[attempt].pid > 0, str(answers[attempt]))
        check.that(f'{attempt} by {user} changes nothing', content(place) == before)
    shell.close()
    events = job.events()
    for attempt, answer in answers.items():
        rules = {event['firewall_rule']['uid'] for event in crew.decisions_of(events, answer.pid)}
        check.equal(f'{attempt} by {user}: the rule', rules, {LINKED})


def try_inherited(check, cage, world):
    """What the launcher brings along, as its output."""
    place = world.all['shared']
    world.make('shared', ROOT)
    for name, wanted in (('old-link', 125), ('f', 0)):
        with open(f'{place.out}/{name}', 'ab') as file:
            status, said = crew.Job(cage, f'links-{name}', 'root').run('true', stdin=file)
        check.equal(f'{name} open for writing at the launch', status, wanted)
        check.equal(f'{name} open for writing at the launch: the reason is said', 'hard link' in said, wanted != 0)


def try_own(check, cage, world, user):
    place = world.all['shared']
    world.make('shared', user)
    elsewhere = f'{places.BASE}/elsewhere'
    os.makedirs(elsewhere)
    places.run('mount', '-t', 'tmpfs', 'escapes', elsewhere)
    places.write(f'{elsewhere}/f')
    os.link(f'{elsewhere}/f', f'{elsewhere}/old-link')
    places.give_away(elsewhere, user)
    job = crew.Job(cage, f'own-links-{user}', user, policy=write_policy(cage, place, elsewhere))
    shell = job.shell()
    for (what, act), answer in zip(OWN.items(), ANSWERS):
        check.equal(f'own links of {user}: {what}', shell.text('sh', '-c', f'cd {place.out} && {act} 2>&1').strip(), answer)
    check.equal(f'an old link of {user} where there is no dataset',
                shell.text('sh', '-c', f'echo a >{elsewhere}/old-link && cat {elsewhere}/f'), 'a\n')
    shell.close()
    check.equal(f'own links of {user}: nothing is denied', [event['message'] for event in job.events() if 'firewall_rule' in event], [])
    places.run('umount', elsewhere)
    os.rmdir(elsewhere)
