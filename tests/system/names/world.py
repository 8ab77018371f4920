# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Another machine, as a network namespace: web servers on several addresses (nginx), a resolver (dnsmasq) that writes down what
it is asked, and one that lies (liar.py).

The job's machine has no other way to a name.
"""
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SPACE, LINK4, LINK6 = 'names', '198.51.100.1', '2001:db8:1::1'
RESOLVER, LIAR, UNLISTED_RESOLVER = '198.51.100.2', '198.51.100.4', '198.51.100.3'
STUB, FORGED_PORT, NOBODY6 = '127.0.0.53', 5300, '2001:db8:1::99'
RESOLVER6, ROTATING = '2001:db8:1::2', '192.0.2.0/23'
STORE4, STORE6, OTHER, WILD, LIE, SECOND_LIE = ('198.51.100.10', '2001:db8:1::10', '198.51.100.11', '198.51.100.12',
                                                '198.51.100.13', '198.51.100.14')
PRIVATE, PRIVATE_LISTED, METADATA = '10.66.0.5', '10.66.0.6', '169.254.169.254'
TRUTH = '198.51.100.20'
PORT, OTHER_PORT = 80, 8080
RECORDS = [f'--host-record=store.example.test,{STORE4},{STORE6}', f'--host-record=other.example.test,{OTHER}',
           '--cname=alias.example.test,other.example.test', '--cname=reverse.test,store.example.test',
           f'--address=/wild.test/{WILD}', '--host-record=rebind.example.test,127.0.0.1', f'--host-record=meta.example.test,{METADATA}',
           f'--host-record=private.example.test,{PRIVATE}', f'--host-record=inside.example.test,{PRIVATE_LISTED}',
           *(f'--host-record=many.example.test,203.0.113.{i}' for i in range(1, 41)),
           *(f'--host-record=large.example.test,203.0.113.{i}' for i in range(101, 251)), '--txt-record=store.example.test,secret']
NGINX = '''daemon off; master_process off; error_log stderr crit; pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_timeout 300s; client_header_timeout 300s;
server {{ listen 80; listen [::]:80; listen 8080; location / {{ return 200 "store"; }} }} }}
'''


def ip(*words):
    subprocess.run(['ip', *words], check=True)


def prepare():
    ip('link', 'set', 'lo', 'up')
    ip('netns', 'add', SPACE)
    ip('link', 'add', 'names', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', SPACE)
    ip('address', 'add', f'{LINK4}/24', 'dev', 'names')
    ip('-6', 'address', 'add', f'{LINK6}/64', 'dev', 'names', 'nodad')
    ip('link', 'set', 'names', 'up')
    for address in (RESOLVER, LIAR, UNLISTED_RESOLVER, STORE4, OTHER, WILD, LIE, SECOND_LIE, TRUTH):
        ip('-n', SPACE, 'address', 'add', f'{address}/24', 'dev', 'eth0')
    for address in (PRIVATE, PRIVATE_LISTED, METADATA, *(f'203.0.113.{i}' for i in range(1, 41))):
        ip('-n', SPACE, 'address', 'add', f'{address}/32', 'dev', 'eth0')
        ip('route', 'add', f'{address}/32', 'dev', 'names')
    ip('-n', SPACE, 'address', 'add', '203.0.113.250/32', 'dev', 'eth0')
    ip('route', 'add', '203.0.113.250/32', 'dev', 'names')
    for address in (STORE6, RESOLVER6):
        ip('-n', SPACE, '-6', 'address', 'add', f'{address}/64', 'dev', 'eth0', 'nodad')
    ip('-n', SPACE, 'link', 'set', 'eth0', 'up')
    ip('-n', SPACE, 'link', 'set', 'lo', 'up')
    ip('-n', SPACE, 'route', 'add', 'local', ROTATING, 'dev', 'lo')
    ip('route', 'add', ROTATING, 'via', STORE4, 'dev', 'names')
    for path, text in (('/etc/resolv.conf', f'nameserver {RESOLVER}\nsearch .\noptions timeout:5 attempts:2 edns0\n'),
                       ('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n')):
        with open(path, 'w', encoding='ascii') as stream:
            stream.write(text)


class World:
    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        prepare()
        self.log, self.seen = f'{folder}/questions', 0
        with open(f'{folder}/nginx.conf', 'w', encoding='ascii') as stream:
            stream.write(NGINX.format(folder=folder))
        self.servers = [self.start('/usr/sbin/nginx', '-e', 'stderr', '-c', f'{folder}/nginx.conf'),
                        self.start('/usr/sbin/dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts',
                                   '--user=root', '--pid-file=', '--bind-interfaces', f'--listen-address={RESOLVER}', f'--listen-address={RESOLVER6}',
                                   f'--listen-address={UNLISTED_RESOLVER}', '--local-ttl=5', '--log-queries',
                                   f'--log-facility={self.log}', *RECORDS),
                        self.start(sys.executable, f'{HERE}/liar.py', LIAR)]
        self.wait()
        self.outsider = socket.create_server(('127.0.0.1', PORT))
        self.outsider.setblocking(False)

    def start(self, *words):
        return subprocess.Popen(['ip', 'netns', 'exec', SPACE, *words], stdin=subprocess.DEVNULL)

    @contextlib.contextmanager
    def here(self, *words):
        """A server on the job's own machine."""
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        try:
            yield
        finally:
            server.kill()
            server.wait()

    def wait(self):
        for _ in range(100):
            try:
                if socket.gethostbyname('store.example.test') == STORE4:
                    socket.create_connection((STORE4, PORT), 5).close()
                    return
            except OSError:
                time.sleep(0.3)
        raise SystemExit('the other machine does not answer')

    def asked(self):
        """The questions that the resolver has got since forget(): {(type, name)}."""
        with open(self.log, encoding='ascii', errors='replace') as stream:
            stream.seek(self.seen)
            words = [line.split() for line in stream if ': query[' in line]
        return {(line[line.index('from') - 2].split('[')[1].rstrip(']'), line[line.index('from') - 1]) for line in words}

    def calls(self):
        """How many have connected to the outsider since it was last asked for."""
        for cnt in itertools.count():
            try:
                self.outsider.accept()[0].close()
            except BlockingIOError:
                return cnt

    def forget(self):
        self.seen = os.path.getsize(self.log)

    def close(self):
        for server in self.servers:
            server.kill()
            server.wait()
