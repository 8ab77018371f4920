# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What listens on the other machines: the same servers on each, so that only a rule makes the difference."""
import os
import socket
import subprocess

from harness import wait_for

HTTP, HTTPS, SSH, RSYNC, IPERF, ECHO, DNS = 8080, 8443, 2222, 8730, 5201, 9000, 53
PAYLOAD, NAME, ANSWER = 'payload-of-the-peer', 'peer.test', '192.0.2.9'
START_S = 60

NGINX = '''
{first}daemon off; pid {own}/nginx.pid; error_log {own}/nginx.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; autoindex on; root {folder}/www; client_body_temp_path {own}/b; proxy_temp_path {own}/p;
  fastcgi_temp_path {own}/f; uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;
  {servers}
}}
'''
HTTP_SERVER = 'server {{ listen {port}; listen [::]:{port}; }}'
HTTPS_SERVER = '''server {{ listen {port} ssl; listen [::]:{port} ssl;
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; }}'''
SSHD = '''
Port 2222
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
'''
RSYNCD = '''
port = 8730
use chroot = no
uid = root
gid = root
[data]
path = {folder}/www
'''
UNBOUND = '''
server:
  interface: 0.0.0.0
  interface: ::0
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: {own}/unbound.pid
  use-syslog: no
  module-config: "iterator"
  local-zone: "test." static
  local-data: "peer.test. A 192.0.2.9"
'''


def run(*words, **how):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)


def write(path, text):
    with open(path, 'w', encoding='utf-8') as stream:
        stream.write(text)


def nginx(own, folder, servers, first=''):
    """Its configuration."""
    return NGINX.format(own=own, folder=folder, first=first, servers='\n  '.join(servers))


def prepare(folder):
    """What all share: a file, a repository, keys."""
    www = f'{folder}/www'
    os.makedirs(f'{folder}/source')
    os.makedirs(www)
    os.makedirs('/run/sshd', exist_ok=True)
    write(f'{www}/data', PAYLOAD + '\n')
    write(f'{folder}/source/data', PAYLOAD + '\n')
    git = ['git', '-C', f'{folder}/source', '-c', 'user.name=peer', '-c', 'user.email=peer@example.org']
    run('git', 'init', '-q', f'{folder}/source')
    run(*git, 'add', '.')
    run(*git, 'commit', '-q', '-m', 'data')
    run('git', 'clone', '-q', '--bare', f'{folder}/source', f'{www}/repo.git')
    run('git', '-C', f'{www}/repo.git', 'update-server-info')
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=peer',
        '-keyout', f'{folder}/key.pem', '-out', f'{folder}/cert.pem')
    for name in ('host_key', 'user_key'):
        run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', f'{folder}/{name}')


def answers(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class Peer:
    """The servers of one namespace."""

    def __init__(self, folder, name, address):
        own = f'{folder}/{name}'
        os.makedirs(own)
        for server, text in (('sshd', SSHD), ('rsyncd', RSYNCD), ('unbound', UNBOUND)):
            write(f'{own}/{server}.conf', text.format(folder=folder, own=own))
        write(f'{own}/nginx.conf', nginx(own, folder, [HTTP_SERVER.format(port=HTTP), HTTPS_SERVER.format(port=HTTPS, folder=folder)],
                                         'user root; '))
        commands = (['nginx', '-c', f'{own}/nginx.conf'], ['/usr/sbin/sshd', '-D', '-e', '-f', f'{own}/sshd.conf'],
                    ['rsync', '--daemon', '--no-detach', f'--config={own}/rsyncd.conf'], ['iperf3', '-s', '-p', str(IPERF)],
                    ['unbound', '-d', '-c', f'{own}/unbound.conf'],
                    ['socat', f'TCP6-LISTEN:{ECHO},fork,reuseaddr,ipv6only=0', f'SYSTEM:echo {PAYLOAD}'])
        with open(f'{own}/log', 'wb') as log:
            self.processes = [subprocess.Popen(['nsenter', f'--net=/run/netns/{name}', *command], stdin=subprocess.DEVNULL,
                                               stdout=log, stderr=log) for command in commands]
        for port in (HTTP, HTTPS, SSH, RSYNC, IPERF, ECHO, DNS):
            assert wait_for(lambda one=port: answers(address, one), START_S), f'nobody listens on {address} port {port}'

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
