# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a job has sent under a budget is the job's: it outlives the daemon, and the policy that a rule of that id stood in."""
import glob
import os
import subprocess

from harness import read, wait_for
from house import BOB
import traces

NET, PORT, SIZE = "10.9.9", 80, 100
# Sends datagrams that are SIZE bytes of IP until as many were tried as the file says, and says in another how many were.
SENDER = """
import socket, sys, time
tried, sock = 0, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    with open(sys.argv[1]) as stream:
        wanted = int(stream.read() or 0)
    while tried < wanted:
        tried += 1
        try:
            sock.sendto(b"x" * (int(sys.argv[3]) - 28), (sys.argv[4], int(sys.argv[5])))
        except PermissionError:
            pass
        with open(sys.argv[2], "w") as stream:
            stream.write(str(tried))
    time.sleep(0.05)
"""


def add_device(name, address, enter=()):
    """Where packets go and nobody is. enter: a command for another network."""
    for words in (["link", "add", name, "type", "dummy"], ["address", "add", address, "dev", name], ["link", "set", name, "up"]):
        subprocess.run([*enter, "ip", *words], check=True)


def elements(name):
    """Of a pinned map."""
    pin = glob.glob(f"/sys/fs/bpf/jobcage/*/{name}")
    dump = subprocess.run([traces.BPFTOOL, "map", "dump", "pinned", *pin], capture_output=True, text=True, check=False).stdout
    return int(dump.rpartition("Found ")[2].split()[0]) if "Found " in dump else dump.count('"key"')


class Sender:
    def __init__(self, house):
        self.house, self.file, self.tried = house, f"{house.root}/wanted", house.write(f"{house.out}/tried", "0")
        self.ask_for(0)
        self.job = house.start("python3", "-c", SENDER, self.file, self.tried, str(SIZE), f"{NET}.7", str(PORT), policy="budgeted")

    def ask_for(self, wanted):
        with open(f"{self.file}.new", "w", encoding="ascii") as stream:
            stream.write(str(wanted))
        os.rename(f"{self.file}.new", self.file)

    def spent(self):
        """Of each budget: bytes, of how many, packets refused."""
        status = self.house.status(self.job.id) or {}
        return {budget["id"]: (budget["bytes"], budget["max_bytes"], budget["refused"]) for budget in status.get("budgets", [])}

    def sends(self, check, what, wanted, spent):
        self.ask_for(wanted)
        check.that(f"{what}: all were tried", wait_for(lambda: read(self.tried) == str(wanted)))
        check.equal(what, self.spent().get("bucket"), spent)


def put_policy(house, max_bytes, *others):
    """The rule's number changes with the others; its id does not."""
    rules = [{"id": name, "cidr": cidr, "protocol": "udp", "ports": [PORT], "max_bytes": f"{size}B"}
             for name, cidr, size in (*others, ("bucket", f"{NET}.0/24", max_bytes))]
    house.policy("budgeted", egress={"allow": rules})


def budgets(check, house):
    add_device("budgeted", f"{NET}.1/24")
    put_policy(house, 1050)
    sender = Sender(house)
    sender.sends(check, "sent", 4, (400, 1050, 0))
    check.matches("status, in words", house.ask("status", sender.job.id).stdout, r"^budgets +bucket: 400 bytes sent of 1050, 0 packets refused$")
    check.equal("another user is shown nothing", house.ask("status", sender.job.id, user=BOB).returncode, 1)
    house.daemon.restart()
    check.equal("the same after kill -9", sender.spent(), {"bucket": (400, 1050, 0), "limits.egress_bytes": (400, None, 0)})
    sender.sends(check, "and it goes on", 8, (800, 1050, 0))
    sender.sends(check, "to its end", 12, (1000, 1050, 2))
    put_policy(house, 2050, ("first", "10.0.0.0/16", 300))
    check.equal("reload", house.ask("reload", sender.job.id).stdout, "1 job obeys new rules, 0 are unchanged\n")
    check.equal("a larger one is not a new one", sender.spent().get("bucket"), (1000, 2050, 2))
    check.equal("one that is new is", sender.spent().get("first"), (0, 300, 0))
    sender.sends(check, "it opens", 30, (2000, 2050, 10))
    put_policy(house, 500)
    house.ask("reload", sender.job.id)
    # Where nothing at all may be sent the datagram is refused before it is a packet.
    sender.sends(check, "a smaller one closes", 35, (2000, 500, 10))
    sender.job.process.kill()
    sender.job.finish()
    ended(check, house, sender)


def ended(check, house, sender):
    house.record(sender.job)
    end = sender.job.end()
    check.equal("in the last event", {budget["id"]: (budget["bytes"], budget["refused"]) for budget in end["budgets"]},
                {"bucket": (2000, 10), "limits.egress_bytes": (2000, 0)})
    check.equal("where to", [(row["ip"], row["port"], row["protocol"], row["direction"], row["bytes"], row["packets"])
                             for row in end["destinations"]], [(f"{NET}.7", PORT, "udp", "out", 2000, 20)])
    check.equal("what was denied", end["denied"]["network"], 15)
    plain = house.start("true")
    plain.finish()
    house.record(plain)
    check.that("a job without a budget has no such thing", "budgets" not in plain.end() and "destinations" not in plain.end())
    house.settles(check, "budgets")
    for name in ("spent_by_job", "destination_by_job", "budget_by_rule"):
        check.equal(f"left in {name}", elements(name), 0)
