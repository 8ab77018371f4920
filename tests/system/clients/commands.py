# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What users run, against a peer: name, process that a denial names, command, what it prints where it works.

In commands {ip} is the peer's address, {host} the same as it stands in a URL, {folder} that of peers.py, {key} the user's for ssh,
and at {tmp} nothing is yet.
"""
from peers import ANSWER, DNS, ECHO, HTTP, HTTPS, IPERF, NAME, PAYLOAD, RSYNC, SSH

SSH_COMMAND = f'ssh -q -p {SSH} -i {{key}} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=15'
URL = f'http://{{host}}:{HTTP}'

CLIENTS = [
    ('curl', 'curl', f'curl -sS -m 20 {URL}/data', PAYLOAD),
    ('curl-tls', 'curl', f'curl -sS -k -m 20 https://{{host}}:{HTTPS}/data', PAYLOAD),
    ('wget', 'wget', f'wget -q -T 20 -t 1 -O - {URL}/data', PAYLOAD),
    ('git-http', 'git-remote-http', f'git clone -q {URL}/repo.git {{tmp}} && cat {{tmp}}/data', PAYLOAD),
    ('git-ssh', 'ssh', f'GIT_SSH_COMMAND="{SSH_COMMAND}" git clone -q ssh://root@{{host}}:{SSH}{{folder}}/www/repo.git {{tmp}} &&'
     ' cat {tmp}/data', PAYLOAD),
    ('rsync', 'rsync', f'rsync -q rsync://{{host}}:{RSYNC}/data/data {{tmp}} && cat {{tmp}}', PAYLOAD),
    ('rsync-ssh', 'ssh', f'rsync -q -e "{SSH_COMMAND}" root@{{host}}:{{folder}}/www/data {{tmp}} && cat {{tmp}}', PAYLOAD),
    ('rclone', 'rclone', 'rclone --config /dev/null --retries 1 --low-level-retries 1 --contimeout 15s cat :http:data'
     f' --http-url {URL}/', PAYLOAD),
    ('requests', 'python3', f'python3 -c "import requests; print(requests.get(\'{URL}/data\', timeout=20).text)"', PAYLOAD),
    ('openssl', 'openssl', f'openssl s_client -brief -connect {{host}}:{HTTPS} </dev/null 2>&1', 'CONNECTION ESTABLISHED'),
    ('ncat', 'ncat', f'ncat --recv-only -w 15 {{ip}} {ECHO}', PAYLOAD),
    ('socat', 'socat', f'socat -u TCP:{{host}}:{ECHO},connect-timeout=15 -', PAYLOAD),
    ('iperf3', 'iperf3', f'iperf3 -c {{ip}} -p {IPERF} -n 64K', 'iperf Done'),
    ('iperf3-udp', 'iperf3', f'iperf3 -u -c {{ip}} -p {IPERF} -n 16K', 'iperf Done'),
    ('nslookup', 'busybox', f'busybox nslookup {NAME} {{ip}} 2>&1', ANSWER),
]
# Of these, also over IPv6.
ALSO_IPV6 = {'curl', 'wget', 'git-ssh', 'requests', 'ncat', 'socat', 'iperf3'}

# As root. What counts is whether a packet comes, so none is waited for long.
ADVERSARIES = [
    ('nmap-connect', f'timeout 30 nmap -n -Pn -sT --unprivileged --max-retries 0 -p {HTTP} {{ip}}'),
    ('nmap-syn', f'timeout 30 nmap -n -Pn -sS --max-retries 0 -p {HTTP} {{ip}}'),
    ('nmap-udp', f'timeout 30 nmap -n -Pn -sU --max-retries 0 -p {DNS} {{ip}}'),
    ('hping3', f'timeout 5 hping3 -c 1 -S -p {HTTP} {{ip}}'),
    ('hping3-icmp', 'timeout 5 hping3 -c 1 -1 {ip}'),
    ('scapy', f'python3 -c "from scapy.all import *; send(IP(dst=\'{{ip}}\')/UDP(dport={ECHO})/b\'x\', verbose=0)"'),
    ('ptunnel', 'timeout 20 ptunnel -p {ip} -lp 7999 -da {ip} -dp 22 & tunnel=$!; '
                'until echo x | ncat --send-only 127.0.0.1 7999 || ! kill -0 $tunnel; do sleep 0.5; done; sleep 2; kill $tunnel; wait'),
]
