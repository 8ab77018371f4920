#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The kernel's word on destinations: agree.py FILE prints, for each [protocol, address, port] of the JSON file, 1 or 0.

1 if connect() was not denied, whatever came of it.
"""
import errno
import json
import socket
import sys

DENIED = {errno.EACCES, errno.EPERM}


def is_allowed(protocol, address, port):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if protocol == 'tcp' else socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        return sock.connect_ex((address, port)) not in DENIED


if __name__ == '__main__':
    with open(sys.argv[1], encoding='utf-8') as stream:
        print(json.dumps([int(is_allowed(*destination)) for destination in json.load(stream)]))
