# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a job does with names: each part named on the command line, and what came of it, as JSON.

usage: client.py PART...
       client.py serve FOLDER
"""
from concurrent.futures import ThreadPoolExecutor
import errno
import ipaddress
import itertools
import json
import os
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
from world import (FORGED_PORT, LIAR, LIE, METADATA, NOBODY6, OTHER, OTHER_PORT, PORT, PRIVATE, PRIVATE_LISTED, RESOLVER, RESOLVER6, SECOND_LIE, STORE4, STORE6, STUB,  # noqa: E402
                   TRUTH, UNLISTED_RESOLVER)

A, NULL, TXT, AAAA, SRV, HTTPS, ANY = 1, 10, 16, 28, 33, 65, 255
UDP_SEGMENT, SO_ZEROCOPY, MSG_ZEROCOPY, MSG_FASTOPEN = 103, 60, 0x4000000, 0x20000000


def outcome(act, *args):
    try:
        return act(*args)
    except TimeoutError:
        return 'TIMEOUT'
    except socket.gaierror as error:
        return f'gai {error.errno}'
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def get(address, port=PORT):
    with socket.create_connection((address, port), 10) as sock:
        sock.sendall(b'GET / HTTP/1.0\r\n\r\n')
        return 'ok' if sock.recv(4096).startswith(b'HTTP/1.1 200') else 'bad'


def resolve(name, family=socket.AF_INET):
    return sorted({row[4][0] for row in socket.getaddrinfo(name, PORT, family, socket.SOCK_STREAM)})


def fetch(name, family=socket.AF_INET):
    """As programs do: resolve, and connect to what came, at the first try."""
    return get(resolve(name, family)[0])


def timed(act, *args):
    start = time.monotonic()
    result = outcome(act, *args)
    return [result, time.monotonic() - start < 5]


def name_of(text):
    return b''.join(bytes([len(label)]) + label for label in text.encode().split(b'.')) + b'\0'


def question(name, kind=A, flags=0x0100, cls=1, extra=0, count=1):
    return struct.pack('>6H', 0x4a21, flags, count, 0, 0, extra) + (name_of(name) + struct.pack('>HH', kind, cls)) * count


def opt(options=b'', version=0, flags=0):
    return b'\0' + struct.pack('>HHBBHH', 41, 1232, 0, version, flags, len(options)) + options


COOKIE, SUBNET = struct.pack('>HH', 10, 8) + b'cookie!!', struct.pack('>HHHBB', 8, 7, 1, 24, 0) + b'\1\2\3'


def ask(message, resolver=RESOLVER, port=53, options=(), seconds=2, flags=0):
    """'answer', 'silence' or the error."""
    with socket.socket(socket.AF_INET6 if ':' in resolver else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for option in options:
            sock.setsockopt(*option)
        sock.settimeout(seconds)
        sock.sendto(message, flags, (resolver, port))
        try:
            return 'answer' if sock.recv(65536)[:2] == message[:2] else 'another'
        except TimeoutError:
            return 'silence'


def cork(message):
    """A question in two parts, that the kernel puts together."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.connect((RESOLVER, 53))
        sock.send(message[:20], socket.MSG_MORE)
        sock.send(message[20:])
        return outcome(lambda: 'answer' if sock.recv(4096)[:2] == message[:2] else 'another')


def framed(message):
    return struct.pack('>H', len(message)) + message


def receive(sock, size):
    came = b''
    while len(came) < size:
        came += sock.recv(size - len(came)) or b'\0' * size
    return came


def answers(sock, messages):
    """'answer' or 'another' for each, in their order."""
    came = [receive(sock, struct.unpack('>H', receive(sock, 2))[0]) for _ in messages]
    return ['answer' if answer[:2] == message[:2] else 'another' for answer, message in zip(came, messages)]


def stream(*writes, resolver=RESOLVER, flags=0, options=()):
    """What comes by TCP for the messages of these writes: lists of whole messages, or bytes as they are."""
    with socket.create_connection((resolver, 53), 10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))  # what is refused would be sent again for minutes
        for option in options:
            sock.setsockopt(*option)
        sock.settimeout(3)
        came = []
        for write in writes:
            sock.send(write if isinstance(write, bytes) else b''.join(map(framed, write)), flags)
            came += [] if isinstance(write, bytes) else answers(sock, write)
        return came


def fast(message):
    """As musl does: the connection is made by what is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 10, 0))
        sock.sendto(framed(message), MSG_FASTOPEN, (RESOLVER, 53))
        sock.settimeout(3)
        return answers(sock, [message])


def plain():
    """Allowed and denied by name, at the first try; addresses that were never an answer."""
    rows = {'unasked address': outcome(get, STORE4), 'unlisted name': timed(resolve, 'other.example.test'),
            'fetch': timed(fetch, 'store.example.test'), 'fetch 6': timed(fetch, 'store.example.test', socket.AF_INET6),
            'other port': outcome(get, STORE4, OTHER_PORT), 'unlisted address': outcome(get, OTHER),
            'case': outcome(fetch, 'STORE.Example.TEST.')}
    curl = subprocess.run(['/usr/bin/curl', '-s', '-m', '20', 'http://store.example.test/'], stdout=subprocess.PIPE, check=False)
    rows['curl'] = [curl.returncode, curl.stdout.decode()]
    rows['reverse'] = timed(resolve, 'reverse.test')
    rows['below the name'] = timed(resolve, 'a.store.example.test')
    rows['alias'] = outcome(fetch, 'alias.example.test')
    rows['what the alias led to'] = outcome(get, OTHER)
    rows['wild'] = [outcome(fetch, 'a.wild.test'), outcome(fetch, 'b.a.wild.test'), outcome(resolve, 'wild.test'),
                    outcome(resolve, 'notwild.test')]
    rows['many'] = [len(resolve('many.example.test')), outcome(get, resolve('many.example.test')[-1])]
    return rows


def questions():
    """What may be sent to a resolver, and what not."""
    store = 'store.example.test'
    rows = {'A': question(store), 'AAAA': question(store, AAAA), 'HTTPS': question(store, HTTPS), 'TXT': question(store, TXT),
            'NULL': question(store, NULL), 'SRV': question(store, SRV), 'ANY': question(store, ANY),
            'CHAOS': question(store, cls=3), 'two': question(store, count=2), 'behind': question(store) + b'x',
            'update': question(store, flags=0x2800), 'cookie': question(store, extra=1) + opt(COOKIE),
            'subnet': question(store, extra=1) + opt(SUBNET), 'plain opt': question(store, extra=1) + opt(flags=0x8000),
            'opt of version 1': question(store, extra=1) + opt(version=1), 'unlisted': question('secret.tunnel.test'),
            'unlisted TXT': question('secret.tunnel.test', TXT), 'root': question('')[:12] + b'\0\0\1\0\1', 'no DNS': b'hello resolver',
            'long': b'x' * 3000, 'empty': b''}
    rows = {what: outcome(ask, message) for what, message in rows.items()}
    rows['another resolver'] = outcome(ask, question(store), UNLISTED_RESOLVER)
    rows['another port'] = outcome(ask, question(store), RESOLVER, 5353)
    rows['corked'] = outcome(cork, question(store))
    rows['lent'] = outcome(ask, question(store), RESOLVER, 53, [(socket.SOL_SOCKET, SO_ZEROCOPY, 1)], 2, MSG_ZEROCOPY)
    rows['batch'] = outcome(ask, question(store) * 2, RESOLVER, 53, [(socket.SOL_UDP, UDP_SEGMENT, len(question(store)))])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(('0.0.0.0', 53))
        rows['from port 53'] = outcome(sock.sendto, b'x', ('127.0.0.1', 9999))
    return rows


def streams():
    """The same by TCP, for what does not fit a datagram."""
    store, secret = question('store.example.test'), question('secret.tunnel.test')
    rows = {'before': outcome(get, STORE4), 'A': outcome(stream, [store]), 'after': outcome(get, STORE4),
            'two at once': outcome(stream, [store, question('store.example.test', AAAA)]), 'one after the other': outcome(stream, [store], [store]),
            'fast open': [outcome(fast, store), outcome(fast, store)], 'truncated': len(outcome(resolve, 'large.example.test')),
            'its last address': outcome(get, '203.0.113.250')}
    dig = subprocess.run(['/usr/bin/dig', '+tcp', '+short', '+tries=1', f'@{RESOLVER}', 'store.example.test'], stdout=subprocess.PIPE, check=False)
    rows['dig'] = dig.stdout.decode().split()
    refused = {'unlisted': [[secret]], 'TXT': [[question('store.example.test', TXT)]], 'behind another': [[store, secret]],
               'bytes behind': [framed(store) + b'x', [store]], 'no DNS': [b'GET / HTTP/1.0\r\n\r\n', [store]],
               'after a refusal': [framed(secret), [store]], 'in parts': [framed(store)[:9], framed(store)[9:], [store]],
               'length alone': [framed(store)[:2], [store]], 'too many': [[store] * 5], 'empty': [b'\0\0', [store]]}
    with ThreadPoolExecutor(len(refused)) as pool:
        futures = {what: pool.submit(outcome, stream, *writes) for what, writes in refused.items()}
        rows |= {what: future.result() for what, future in futures.items()}
    rows['urgent'] = outcome(lambda: stream(framed(store), [store], flags=socket.MSG_OOB))
    rows['lent'] = outcome(lambda: stream([store], flags=MSG_ZEROCOPY, options=[(socket.SOL_SOCKET, SO_ZEROCOPY, 1)]))
    rows['elsewhere'] = outcome(lambda: stream([store], resolver=UNLISTED_RESOLVER))
    for label, address in (('whole', TRUTH), ('bytes', '198.51.100.21'), ('both', '198.51.100.22'), ('huge', LIE), ('id', LIE)):
        name = question(f'{label}.liar.test')
        rows[f'{label} of a liar'] = [outcome(lambda: stream([name], resolver=LIAR)), outcome(is_open, address)]
    return rows


def lies():
    """(what the job reads, whether the address is open), by the lie."""
    rows = {}
    for label in ('id', 'name', 'type', 'question', 'pointer', 'short', 'thousand', 'large', 'huge', 'failed'):
        rows[label] = [outcome(ask, question(f'{label}.liar.test'), LIAR), outcome(get, LIE)]
    rows['before the truth'] = outcome(get, TRUTH)
    rows['good'] = [outcome(ask, question('good.liar.test'), LIAR), outcome(get, TRUTH)]
    rows['loop'] = outcome(ask, question('loop.liar.test'), LIAR)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.sendto(question('twice.liar.test'), (LIAR, 53))
        rows['twice'] = [outcome(lambda: len(sock.recv(4096)) > 20), outcome(lambda: len(sock.recv(4096)) > 20), outcome(get, SECOND_LIE)]
    return rows


def rebinding():
    rows = {name: outcome(resolve, f'{name}.example.test') for name in ('rebind', 'meta', 'private', 'inside')}
    return rows | {'loopback': outcome(get, '127.0.0.1'), 'metadata': outcome(get, METADATA), 'private net': outcome(get, PRIVATE),
                   'listed as private': outcome(get, PRIVATE_LISTED)}


def expiry():
    """A connection goes on when the address is not an answer any more; a new one does not come about until it is asked for."""
    address = resolve('store.example.test')[0]
    with socket.create_connection((address, PORT), 10) as sock:
        time.sleep(63)
        rows = {'a new one': outcome(get, address)}
        sock.settimeout(10)
        sock.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        rows['the old one'] = outcome(lambda: sock.recv(4096)[:15].decode())
    return rows | {'asked anew': outcome(fetch, 'store.example.test')}


def six():
    """A resolver that is asked over IPv6."""
    store = 'store.example.test'
    return {'before': outcome(get, STORE4), 'unlisted': outcome(ask, question('secret.tunnel.test'), RESOLVER6),
            'TXT': outcome(ask, question(store, TXT), RESOLVER6), 'A': outcome(ask, question(store), RESOLVER6), 'after': outcome(get, STORE4),
            'AAAA': outcome(ask, question(store, AAAA), RESOLVER6), 'over IPv6': outcome(get, STORE6),
            'over IPv4': outcome(ask, question(store), RESOLVER)}


def forged():
    """An answer that did not come from where it says."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(('::', FORGED_PORT))
        sock.settimeout(2)
        message = question('forged.liar.test')
        sock.sendto(message, (NOBODY6, 53))
        return {'comes': outcome(lambda: sock.recv(4096)[:2] == message[:2]), 'its address': is_open(LIE)}


def stub():
    """A resolver on the loopback, as systemd-resolved is one."""
    store = question('store.example.test')
    return {'before': is_open(STORE4), 'unlisted': outcome(ask, question('secret.tunnel.test'), STUB), 'A': outcome(ask, store, STUB),
            'after': outcome(get, STORE4), 'by TCP': outcome(lambda: stream([store], resolver=STUB)), 'an outsider': outcome(get, '127.0.0.1'),
            'TXT': outcome(ask, question('store.example.test', TXT), STUB), 'who it asks itself': outcome(ask, store),
            'another of the loopback': outcome(ask, store, '127.0.0.1')}


def is_open(address):
    """Nothing is sent: a policy that refuses does so at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        return sock.connect_ex((str(address), PORT)) != errno.EACCES


def many(label, first, cnt, turns):
    """How many are open, of how many, after that many answers; and whether the last answer did arrive."""
    came = [outcome(ask, question(f'{label}.liar.test'), LIAR) for _ in range(turns)]
    return [sum(is_open(ipaddress.IPv4Address(first) + i) for i in range(cnt)), came[-1]]


def rotation():
    return {'some': many('rotate', '192.0.2.1', 500, 2), 'all': many('rotate', '192.0.2.1', 500, 18), 'first': outcome(get, '192.0.2.1'),
            'last': outcome(get, '192.0.3.244'), 'the next': is_open('192.0.3.245')}


def full():
    """More than a job has room for: what is open stays open, what does not fit is refused."""
    return {'open': many('fill', '192.1.0.0', 6000, 240), 'a name beside': outcome(ask, question('store.example.test')),
            'its address': outcome(get, STORE4)}


def serve(folder):
    """Does what the files N.order in the folder name, [what, arguments], one after the other; what came of it is in N.answer."""
    acts = {'get': get, 'fetch': fetch, 'resolve': resolve, 'ask': lambda name, resolver: ask(question(name), resolver)}
    for number in itertools.count():
        while not os.path.exists(f'{folder}/{number}.order'):
            time.sleep(0.05)
        with open(f'{folder}/{number}.order', encoding='utf-8') as stream:
            what, *arguments = json.load(stream)
        with open(f'{folder}/answer', 'w', encoding='utf-8') as stream:
            json.dump(outcome(acts[what], *arguments), stream)
        os.rename(f'{folder}/answer', f'{folder}/{number}.answer')


def main():
    if sys.argv[1] == 'serve':
        serve(sys.argv[2])
    parts = {'plain': plain, 'questions': questions, 'streams': streams, 'lies': lies, 'rebinding': rebinding, 'expiry': expiry, 'six': six,
             'rotation': rotation, 'full': full, 'forged': forged, 'stub': stub}
    print(json.dumps({part: parts[part]() for part in sys.argv[1:]}))


main()
