# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""rsyslog as a real receiver: a Unix socket, UDP and TCP, each into a file of its own, one JSON message a line."""
import json
import os
import signal
import subprocess

from harness import WAIT_S, wait_for

CONFIG = """
global(workDirectory="{where}" maxMessageSize="64k")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
template(name="parsed" type="string" string="%app-name% %msgid% %syslogfacility-text% %msg%\\n")
input(type="imuxsock" Socket="{where}/log" UseSpecialParser="off" ruleset="unix" RateLimit.Interval="0")
input(type="imudp" address="127.0.0.1" port="5514" ruleset="udp" RateLimit.Interval="0")
input(type="imtcp" address="127.0.0.1" port="5601" ruleset="tcp" RateLimit.Interval="0")
input(type="imtcp" address="127.0.0.1" port="5602" ruleset="small" RateLimit.Interval="0")
ruleset(name="unix") {{ action(type="omfile" file="{where}/unix.log" template="parsed") }}
ruleset(name="udp") {{ action(type="omfile" file="{where}/udp.log" template="parsed") }}
ruleset(name="tcp") {{ action(type="omfile" file="{where}/tcp.log" template="parsed") }}
ruleset(name="small") {{ action(type="omfile" file="{where}/small.log" template="parsed") }}
"""


class Receiver:
    def __init__(self, where):
        self.where, self.process = where, None
        os.makedirs(where, exist_ok=True)
        self.config = f"{where}/rsyslog.conf"
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(CONFIG.format(where=where))

    def sinks(self):
        return [{"type": "syslog", "name": "unix", "address": f"unix:{self.where}/log"},
                {"type": "syslog", "name": "udp", "address": "udp:127.0.0.1:5514"},
                {"type": "syslog", "name": "tcp", "address": "tcp:127.0.0.1:5601"},
                {"type": "syslog", "name": "small", "address": "tcp:127.0.0.1:5602", "queue": "64KiB"}]

    def start(self):
        with open(f"{self.where}/errors", "ab") as errors:
            self.process = subprocess.Popen(["rsyslogd", "-n", "-f", self.config, "-i", f"{self.where}/pid"],
                                            stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        wait_for(lambda: os.path.exists(f"{self.where}/log") and " 0100007F:15E2 " in open("/proc/net/tcp", encoding="ascii").read(), 30)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(WAIT_S)

    def events(self, name):
        """What was received: (app, msgid, facility, event). A message that does not parse raises."""
        found = []
        try:
            with open(f"{self.where}/{name}.log", encoding="utf-8") as stream:
                for line in (line for line in stream if line.endswith("\n")):
                    app, msgid, facility, text = line.rstrip("\n").split(" ", 3)
                    found.append((app, msgid, facility, json.loads(text)))
        except FileNotFoundError:
            pass
        return found
