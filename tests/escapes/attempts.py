# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The attempts of the catalogue: in no job, then in one."""
import contextlib
import fnmatch
import os
import subprocess

from harness import wait_for
import catalogue
import crew
import places
from row import SILENT, UNLABELLED


def chosen(pattern, share):
    """Rows whose name matches; share: "1/3" is every third of them from the first on."""
    number, of = map(int, share.split('/'))
    return [row for row in catalogue.table() if fnmatch.fnmatchcase(row.name, pattern)][number - 1::of]


def words_of(cage, world, row):
    place = world.all[row.place]
    return [f'{cage.programs}/{row.program}', row.attempt, *place.words(), *world.around.words(row, place)]


def try_it(cage, world, shell, row, user):
    """One attempt, with what it needs around it. The answer tells also whether the witness felt it."""
    place = world.all[row.place]
    if row.program == 'f12_handle':
        world.save_handles(place)
    if row.cold:
        world.forget_names()
    with crew.Accomplice(cage.programs, place, user) if row.accomplice else contextlib.nullcontext() as accomplice:
        witness = accomplice if row.felt == 'accomplice' else world.around.witnesses[row.felt]
        witness.prepare(user)
        before = witness.look()
        answer = shell.ask(*words_of(cage, world, row))
        # A signal takes a moment to arrive.
        answer.is_felt = wait_for(lambda: before != witness.look(), 0.5 if row.felt and answer.is_won else 0)
    return answer


# What leaves its own folder in a state that the next attempt cannot use.
LITTERING = ('f02_rename', 'f06_overlay')


def by_place(table):
    """So that a place is made as seldom as can be."""
    return sorted(table, key=lambda row: row.place)


class Fresh:
    """Makes a place when it is not as it was."""

    def __init__(self, world, user):
        self.world, self.user, self.before = world, user, {}

    def make(self, name):
        self.world.make(name, self.user)
        self.before = {name: self.world.all[name].picture()}
        return self.before[name]

    def need(self, name, is_used):
        """The picture of the place, made anew if something may have been done to it."""
        if is_used or name not in self.before:
            return self.make(name)
        return self.before[name]


def run_outside(check, cage, world, table, user):
    """The rows that work on this kernel."""
    shell, fresh, is_used, here = crew.Shell([], user), Fresh(world, user), True, []
    for row in by_place(table):
        before = fresh.need(row.place, is_used)
        answer = try_it(cage, world, shell, row, user)
        if answer.result in row.absent:
            print(f'not on this kernel: {row.name} by {user}: {answer}')
            is_used = False
            continue
        world.mend(row.place)
        is_changed = not os.path.exists(world.all[row.place].dataset) or before != world.all[row.place].picture()
        check.that(f'{row.name} succeeds in no job', answer.is_won, str(answer))
        if row.changes and answer.is_won:
            check.that(f'{row.name} leaves its mark in no job', is_changed)
        if row.felt and answer.is_won:
            check.that(f'{row.name} is felt in no job', answer.is_felt)
        here += [row] * answer.is_won
        is_used = is_changed or row.program in LITTERING or os.path.lexists(f'{world.all[row.place].out}/new')
    shell.close()
    return here


def judge_alerts(check, row, events, answer):
    found = crew.decisions_of(events, answer.pid)
    if row.rules in ((), (UNLABELLED,), (SILENT,)):
        check.equal(f'{row.name} is not in the record', [event['message'] for event in found], [])
        return
    rules = sorted({event['firewall_rule']['uid'] for event in found})
    check.that(f'{row.name} is in the record, by the right rule', found and set(rules) <= set(row.rules),
               f'rules {rules}, wanted {row.rules}, after {answer}')
    if row.path:
        paths = [event['file']['path'] for event in found if 'file' in event]
        check.that(f'{row.name}: the alert has the path', any(path.endswith(row.path) for path in paths),
                   f'{paths}, wanted {row.path!r}')


def try_row(check, cage, world, shell, row, user):
    """One that must be refused: its answer."""
    place = world.all[row.place]
    before = place.picture()
    answer = try_it(cage, world, shell, row, user)
    after = place.picture()
    if row.rules:
        check.that(f'{row.name} fails in a job', not answer.is_won and answer.pid > 0, str(answer))
        check.that(f'{row.name} is not felt outside', not answer.is_felt)
    else:
        check.that(f'{row.name} succeeds in a job', answer.is_won, str(answer))
    if not check.that(f'{row.name} changes nothing', before == after, '; '.join(places.differences(before, after)[:3])):
        world.make(row.place, user)
    return row, answer


def try_closed(check, cage, world, shell, rows, user):
    """What must be refused: (row, answer) of each. The device of a dataset that is alone there must not have been written to."""
    answers = []
    for name in sorted({row.place for row in rows}):
        here = [row for row in rows if row.place == name]
        is_alone = name == 'sealed'
        world.make(name, user)
        if is_alone:
            world.all[name].settle()
        written = world.all[name].sectors()
        answers += [try_row(check, cage, world, shell, row, user) for row in here if not row.stirs]
        os.sync()
        if is_alone:
            check.equal(f'sectors written below {name}', world.all[name].sectors() - written, 0)
        answers += [try_row(check, cage, world, shell, row, user) for row in here if row.stirs]
    return answers


def try_open(check, cage, world, shell, rows, user):
    """What is known to succeed, or to leave its mark: that it still does."""
    for row in rows:
        before = Fresh(world, user).make(row.place)
        answer = try_it(cage, world, shell, row, user)
        print(f'open: {row.name} by {user}: {answer}: {catalogue.OPEN[row.name]}')
        check.that(f'{row.name} is open, as the catalogue has it', answer.is_won or before != world.all[row.place].picture(),
                   f'{answer}: take it from the list of open ones')


def run_in_job(check, cage, world, here, policy, user):
    for name in world.all:
        world.make(name, user)
    job = crew.Job(cage, f'escapes-{policy}-{user}', user, policy=cage.policies[policy])
    shell = job.shell()
    answers = try_closed(check, cage, world, shell, [row for row in here if row.name not in catalogue.OPEN], user)
    try_open(check, cage, world, shell, [row for row in by_place(here) if row.name in catalogue.OPEN], user)
    shell.close()
    events = job.events()
    for row, answer in answers:
        judge_alerts(check, row, events, answer)
    end = events[-1]['unmapped']['jobcage']
    decisions = sum(event['count'] for event in events if 'firewall_rule' in event)
    check.equal('the record is complete, and every denial in it',
                (end['complete'], sum(end['denied'].values())), (True, decisions))
    unlabelled = sum(row.rules == (UNLABELLED,) for row, _ in answers)
    check.that('what was born elsewhere is counted', end['fork_failures'] >= unlabelled, end['fork_failures'])


def run(check, cage, world, table, user):
    here = run_outside(check, cage, world, [row for row in table if user in row.who], user)
    for policy in sorted({row.policy for row in here}):
        run_in_job(check, cage, world, [row for row in here if row.policy == policy], policy, user)


def check_lists(check, cage):
    """Every attempt that a program has is made, and the other way round."""
    made = {(row.program, row.attempt) for row in catalogue.table()} | catalogue.ELSEWHERE
    has = set()
    for program in sorted(os.listdir(cage.programs)):
        if program[0] in 'fx':
            listed = subprocess.run([f'{cage.programs}/{program}', '--list'], stdout=subprocess.PIPE, text=True, check=True)
            has |= {(program, attempt) for attempt in listed.stdout.split()}
    check.equal('attempts without a row, or rows without an attempt', sorted(made ^ has), [])
    names = {row.name for row in catalogue.table()}
    check.equal('open ones that are no attempt', sorted(set(catalogue.OPEN) - names), [])
