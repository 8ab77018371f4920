# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A connection that a change of policy closes is reset at once; what another rule opens goes on."""
import contextlib
import json
import os
import subprocess
import threading

from budgeted import add_device
from harness import WAIT_S, read, wait_for

ADDRESS, CLOSED, OPEN = "10.9.8.1", 8401, 8402
ELSEWHERE = "jobcage-resets"
# Sends a byte every now and then through each of its connections, and says how many, or what error ended it.
SENDER = """
import errno, json, os, socket, sys, time
said, socks = {}, {port: socket.create_connection((sys.argv[2], port)) for port in map(int, sys.argv[3:])}
while True:
    for port, sock in socks.items():
        if not isinstance(said.get(port, 0), int):
            continue
        try:
            sock.send(b"x")
            said[port] = said.get(port, 0) + 1
        except OSError as error:
            said[port] = errno.errorcode[error.errno]
    with open(sys.argv[1] + ".new", "w") as stream:
        json.dump(said, stream)
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(0.05)
"""
# The other end: takes what comes to a port until it is told to write something itself, and says how that ended.
RECEIVER = """
import select, socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
sock = listener.accept()[0]
while sys.stdin not in (ready := select.select([sock, sys.stdin], [], [])[0]):
    sock.recv(1000)
sock.send(b"x")
try:
    while sock.recv(1000):
        pass
    print("end", flush=True)
except ConnectionResetError:
    print("reset", flush=True)
"""


@contextlib.contextmanager
def network(is_own):
    """The address, in this network or in one of its own; how to come there."""
    enter = [] if is_own else ["ip", "netns", "exec", ELSEWHERE]
    if not is_own:
        subprocess.run(["ip", "netns", "add", ELSEWHERE], check=True)
    try:
        add_device("resets", f"{ADDRESS}/24", enter)
        subprocess.run([*enter, "ip", "link", "set", "lo", "up"], check=True)
        yield enter
    finally:
        subprocess.run([*enter, "ip", "link", "delete", "resets"], check=True)
        if not is_own:
            subprocess.run(["ip", "netns", "delete", ELSEWHERE], check=True)
            subprocess.run(["umount", "/run/netns"], check=False, stderr=subprocess.DEVNULL)  # somebody else may have some there


class Receiver:
    def __init__(self, enter, port):
        self.process = subprocess.Popen([*enter, "python3", "-c", RECEIVER, ADDRESS, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.lines = []
        threading.Thread(target=lambda: self.lines.extend(iter(self.read_line, "")), daemon=True).start()

    def read_line(self):
        return self.process.stdout.readline()

    def is_ready(self):
        return wait_for(lambda: self.lines)

    def write(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait()


def put_policy(house, *ports):
    house.policy("closing", egress={"allow": [{"id": f"port-{port}", "cidr": f"{ADDRESS}/32", "protocol": "tcp", "ports": [port]}
                                              for port in ports]})


def resets(check, house):
    for what, is_own in (("in this network", True), ("in another", False)):
        with network(is_own) as enter:
            closed_by_reload(check, house, what, enter)
    house.settles(check, "resets")


def closed_by_reload(check, house, what, enter):
    said = house.write(f"{house.out}/said", "{}")
    receivers = {port: Receiver(enter, port) for port in (CLOSED, OPEN)}
    check.that(f"{what}: the receivers are ready", all([receiver.is_ready() for receiver in receivers.values()]))
    put_policy(house, CLOSED, OPEN)

    def sent(port):
        return json.loads(read(said)).get(str(port), 0)

    job = house.start("python3", "-c", SENDER, said, ADDRESS, str(CLOSED), str(OPEN), policy="closing", wrap=enter)
    check.that(f"{what}: both are open", wait_for(lambda: sent(CLOSED) and sent(OPEN)), read(said))
    put_policy(house, OPEN)
    house.ask("reload", job.id)
    check.equal(f"{what}: the one that no rule opens any more", wait_for(lambda: isinstance(sent(CLOSED), str) and sent(CLOSED), WAIT_S / 2),
                "ECONNABORTED")
    # Not a packet leaves to it any more, so it is told when it sends something itself.
    receivers[CLOSED].write()
    check.that(f"{what}: the other end is told", wait_for(lambda: receivers[CLOSED].lines[1:] == ["reset\n"]), receivers[CLOSED].lines)
    before = sent(OPEN)
    check.that(f"{what}: the other goes on", wait_for(lambda: isinstance(sent(OPEN), int) and sent(OPEN) > before + 5), read(said))
    check.equal(f"{what}: and was not touched", receivers[OPEN].lines[1:], [])
    job.process.kill()
    job.finish()
    house.record(job)
    check.equal(f"{what}: it is counted", job.end().get("connections_cut"), 1)
    check.equal(f"{what}: what is told", {event["metadata"]["event_code"] for event in job.events()} & {"net_packet_out"}, {"net_packet_out"})
    for receiver in receivers.values():
        receiver.close()
    os.unlink(said)
