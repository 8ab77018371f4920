# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""No false blocks: what jobs do all day, in no job and in one under rules/base.json with ordinary grants. Same results, and
nothing denied."""
import hashlib
import os
import subprocess

import crew
import places
import toolbox

BASE = '/srv/escapes-work'
DATA, OUT = f'{BASE}/data', f'{BASE}/out'
ENVIRONMENT = {'PATH': '/usr/bin:/bin', 'HOME': OUT, 'LANG': 'C.UTF-8', 'DATA': DATA, 'OUT': OUT, 'PYTHONDONTWRITEBYTECODE': '1',
               # Else git asks the name server who it is.
               'GIT_COMMITTER_NAME': 'x', 'GIT_COMMITTER_EMAIL': 'x@example.org'}

PROGRAM_C = '#include <stdio.h>\nint answer(void);\nint main(void) { printf("%d\\n", answer()); return 0; }\n'
MAKEFILE = 'all: program answer.so\nprogram: main.o answer.o\n\t$(CC) -o $@ $^\n%.so: %.c\n\t$(CC) -shared -fPIC -o $@ $<\n'

# What the script prints, and the names and contents it leaves in $OUT, are its results.
SCRIPTS = {
    'git and make': 'git clone -q "file://$DATA/tree.git" "$OUT/tree" && cd "$OUT/tree" && make -s -j2 && ./program && git status --short',
    'a library that was just compiled': '''
        python3 -c 'import ctypes, os; print(ctypes.CDLL(os.environ["OUT"] + "/tree/answer.so").answer())' ''',
    'virtual environment': '''
        python3 -m venv --without-pip "$OUT/venv" && "$OUT/venv/bin/python" -c 'import sys; print(sys.prefix)' ''',
    'cache': '''
        python3 - <<"END"
import fcntl, mmap, os, shutil, tempfile
from concurrent.futures import ProcessPoolExecutor
cache = tempfile.mkdtemp(prefix="kernel-cache-")
def build(number):
    path = f"{cache}/{number % 4}"
    with open(f"{cache}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
            file.write(b"x" * 8192)
        os.replace(file.name, path)
        os.chmod(path, 0o644)
        os.utime(path)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as bytes_:
        bytes_[0] = 65
        return len(bytes_)
with ProcessPoolExecutor(2) as pool:
    print(sum(pool.map(build, range(8))), sorted(os.listdir(cache)))
shutil.rmtree(cache)
END''',
    'sqlite': '''
        sqlite3 "$OUT/db" "pragma journal_mode=wal; create table t(a); insert into t values (1),(2); select sum(a) from t;" &&
        sqlite3 "$DATA/db" "select count(*) from t" ''',
    'tar': 'tar -C "$DATA" -czf "$OUT/data.tar.gz" files && mkdir "$OUT/x" && tar -C "$OUT/x" -xzf "$OUT/data.tar.gz" && ls "$OUT/x/files"',
    'rsync': 'rsync -a --delete "$DATA/files/" "$OUT/copy/" && rsync -ai --delete "$DATA/files/" "$OUT/copy/" && diff -r "$DATA/files" "$OUT/copy"',
    'its own processes in procfs': '''
        python3 - <<"END"
import threading
for name, text in (("oom_score_adj", "500"), (f"task/{threading.get_native_id()}/comm", "worker"), ("coredump_filter", "00000033")):
    with open(f"/proc/self/{name}", "r+") as file:
        file.write(text)
    with open(f"/proc/self/{name}") as file:
        print(file.read().strip() == text)
END''',
    'shared memory and pipes': '''
        python3 -c 'import multiprocessing as m, multiprocessing.shared_memory as s
b = s.SharedMemory(create=True, size=4096)
p = m.Process(target=b.buf.__setitem__, args=(0, 42)); p.start(); p.join()
print(b.buf[0]); b.close(); b.unlink()' ''',
}

def make_data():
    """A dataset: files, a database, and a repository with a C tree."""
    if os.path.isdir(DATA):
        return
    for path in (f'{DATA}/files', f'{DATA}/tools', OUT, f'{BASE}/source'):
        os.makedirs(path)
    for name, text in toolbox.FILES.items():
        places.write(f'{DATA}/tools/{name}', text.encode(), 0o644)
    for number in range(8):
        places.write(f'{DATA}/files/{number}', bytes([number]) * 1000, 0o644)
    for name, text in (('main.c', PROGRAM_C), ('answer.c', 'int answer(void);\nint answer(void) { return 42; }\n'),
                       ('Makefile', MAKEFILE), ('.gitignore', '*.o\n*.so\nprogram\n')):
        places.write(f'{BASE}/source/{name}', text.encode())
    git = ['git', '-C', f'{BASE}/source', '-c', 'user.name=x', '-c', 'user.email=x@example.org']
    for command in (['init', '-q'], ['add', '.'], ['commit', '-q', '-m', 'all']):
        places.run(*git, *command)
    places.run('git', 'clone', '-q', '--bare', f'{BASE}/source', f'{DATA}/tree.git')
    # git takes objects from nobody else's repository.
    places.give_away(f'{DATA}/tree.git', 'nobody')
    places.run('sqlite3', f'{DATA}/db', 'create table t(a); insert into t values (1);')


def fresh_out():
    places.empty(OUT)
    os.chown(OUT, *places.owner('nobody'))


def contents(folder):
    """Names, modes and contents; of what holds times (git's own files, databases, archives) the names."""
    found = {}
    for at, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(at, name)
            st = os.lstat(path)
            content = ''
            if os.path.isfile(path) and not os.path.islink(path) and '/.git/' not in path and not name.endswith(('.gz', 'db', '.pt')):
                with open(path, 'rb') as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            found[path] = (oct(st.st_mode), content)
    return found


MARK = '=== '
PATIENCE = 900  # seconds, of an emulated machine


def whole(scripts):
    """
    All of them in one script, which says after each with what status it ended. One that hangs is ended. nobody's own shell does
    not run.
    """
    for number, script in enumerate(scripts.values()):
        places.write(f'{DATA}/script-{number}', script.encode(), 0o644)
    return 'export SHELL=/bin/sh\n' + '\n'.join(f'timeout --kill-after 10 {PATIENCE} sh "$DATA/script-{number}" 2>&1; echo "{MARK}$?"' for number in range(len(scripts)))


def split(scripts, said):
    """{name: what it printed, and its status}"""
    results, lines = {}, iter(said.splitlines())
    for name in scripts:
        results[name] = []
        for line in lines:
            results[name].append(line)
            if line.startswith(MARK):
                break
    return results


def run_outside(scripts):
    fresh_out()
    done = subprocess.run(['sh', '-c', whole(scripts)], env=ENVIRONMENT, cwd=OUT, user='nobody', group='nogroup', extra_groups=[],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return split(scripts, done.stdout), contents(OUT)


def run_inside(cage, name, scripts):
    fresh_out()
    site = cage.write('work-site', {'version': 1, 'datasets': [{'name': 'work', 'path': DATA}]})
    policy = cage.write('work-policy', {
        'version': 1, 'name': 'work', 'extends': [f'{cage.rules}/base.json'], 'datasets': [{'name': 'work', 'access': 'read'}],
        'filesystem': {'rules': [{'id': 'out', 'path': OUT, 'access': 'write'}]}, 'exec': {'allow': [OUT]}})
    job = crew.Job(cage, name, 'nobody', site=site, policy=policy)
    _, said = job.run('sh', '-c', whole(scripts), env=ENVIRONMENT, cwd=OUT)
    return split(scripts, said), contents(OUT), job.events()


def compare(check, cage, job, scripts):
    make_data()
    wanted, left = run_outside(scripts)
    found, after, events = run_inside(cage, job, scripts)
    for name in scripts:
        check.equal(f'{name} works in no job', wanted[name][-1:], [f'{MARK}0'])
        check.equal(f'{name}: the same result in a job', found[name], wanted[name])
    check.equal('nothing is denied', [event['message'] for event in events if 'firewall_rule' in event], [])
    check.equal('the same files are left behind', [path for path in sorted(left.keys() | after.keys())
                                                   if left.get(path) != after.get(path)], [])


def run(check, cage):
    compare(check, cage, 'work', SCRIPTS)


def tools(check, cage):
    compare(check, cage, 'work-tools', toolbox.SCRIPTS)


def crowds(check, cage, is_soak):
    compare(check, cage, 'work-crowds', toolbox.CROWDS | (toolbox.SLOW if is_soak else {}))
