# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a job has learned is the job's: it outlives the daemon, and rules that come and go decide anew what it opens."""
import json
import os

from cage import PROJECT
from harness import WAIT_S, wait_for
from world import LIAR, OTHER, PORT, RESOLVER, STORE4, TRUTH

CLIENT = f'{PROJECT}/tests/system/names/client.py'
STORE, OTHER_NAME, LIES = 'store.example.test', 'other.example.test', '*.liar.test'
TTL_MIN, TTL_MAX, TURN_S = 60, 86400, 45  # of what is learned; for how long an answer may wait to be looked at


class Asker:
    """A job that does as it is told."""

    def __init__(self, house, policy):
        self.house, self.number = house, 0
        self.folder = f'{house.out}/{policy}'
        os.mkdir(self.folder)
        self.job = house.start('/usr/bin/python3', CLIENT, 'serve', self.folder, policy=policy)

    def does(self, *order):
        path = f'{self.folder}/{self.number}'
        with open(f'{path}.new', 'w', encoding='utf-8') as stream:
            json.dump(order, stream)
        os.rename(f'{path}.new', f'{path}.order')
        self.number += 1
        if not wait_for(lambda: os.path.exists(f'{path}.answer'), WAIT_S):
            return 'no answer'
        with open(f'{path}.answer', encoding='utf-8') as stream:
            return json.load(stream)

    def learned(self):
        status = self.house.status(self.job.id) or {'names': {'learned': []}}
        return {(row['ip'], row['domain']): row['seconds'] for row in status['names']['learned']}

    def end(self):
        self.job.process.kill()
        self.job.finish()
        self.house.record(self.job)
        return self.job.end()


def put_policy(house, name, *domains):
    egress = {'dns': {'resolvers': [RESOLVER, LIAR]}, 'allow': [{'domain': domain, 'ports': [PORT]} for domain in domains]}
    house.policy(name, egress=egress if domains else {}, capabilities=[])


def reload(check, house, asker, what):
    check.equal(what, house.ask('reload', asker.job.id).stdout, '1 job obeys new rules, 0 are unchanged\n')


def kept(check, world):
    """By the job, whoever looks after it."""
    house = world.house
    put_policy(house, 'kept', STORE, LIES)
    asker = Asker(house, 'kept')
    check.equal('before it asks', asker.does('get', STORE4), 'EACCES')
    check.equal('nothing is learned', asker.learned(), {})
    check.equal('a listed name', asker.does('fetch', STORE), 'ok')
    check.equal('what is learned', asker.learned().keys(), {(STORE4, STORE)})
    check.that('for how long, at a TTL of 5 s', TTL_MIN - TURN_S < asker.learned().get((STORE4, STORE), 0) <= TTL_MIN, asker.learned())
    check.matches('status, in words', house.ask('status', asker.job.id).stdout, rf'^names +{STORE4} by {STORE}, [0-9]+ s more$')
    house.daemon.restart()
    check.equal('the same after kill -9', asker.learned().keys(), {(STORE4, STORE)})
    check.equal('and it is open, without asking anew', asker.does('get', STORE4), 'ok')
    check.equal('names are learned as before', asker.does('fetch', STORE), 'ok')
    check.equal('an answer for ever', asker.does('ask', 'forever.liar.test', LIAR), 'answer')
    check.that('for how long it is learned', TTL_MAX - TURN_S < asker.learned().get((TRUTH, LIES), 0) <= TTL_MAX, asker.learned())
    check.equal('nothing is lost', asker.end().get('names_lost'), 0)


def replaced(check, world):
    """By rules that name less, nothing, and all of it again."""
    house = world.house
    put_policy(house, 'changing')
    asker = Asker(house, 'changing')
    check.equal('without names', asker.does('fetch', STORE), 'gai -3')
    put_policy(house, 'changing', STORE)
    reload(check, house, asker, 'the first resolver')
    check.equal('a name that is new', asker.does('fetch', STORE), 'ok')
    put_policy(house, 'changing', OTHER_NAME)
    reload(check, house, asker, 'another name')
    check.equal('what was learned is closed', asker.does('get', STORE4), 'EACCES')
    check.equal('its name is not asked for', asker.does('resolve', STORE), 'gai -3')
    check.equal('the other is open', asker.does('fetch', OTHER_NAME), 'ok')
    check.equal('whose it is', asker.learned().keys(), {(STORE4, None), (OTHER, OTHER_NAME)})
    put_policy(house, 'changing', STORE, OTHER_NAME)
    reload(check, house, asker, 'both')
    check.equal('open again, without asking anew', [asker.does('get', address) for address in (STORE4, OTHER)], ['ok', 'ok'])
    put_policy(house, 'changing')
    reload(check, house, asker, 'no names')
    check.equal('all is closed', [asker.does('get', address) for address in (STORE4, OTHER)], ['EACCES', 'EACCES'])
    check.equal('and nobody is asked', asker.does('resolve', STORE), 'gai -3')
    put_policy(house, 'changing', STORE)
    reload(check, house, asker, 'names once more')
    check.equal('a name', asker.does('fetch', STORE), 'ok')
    check.equal('and no other', asker.does('resolve', OTHER_NAME), 'gai -3')
    asker.end()
    house.settles(check, 'names')
