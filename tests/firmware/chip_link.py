"""In MicroPython: the controller's end of the link, told what to do by lines of JSON.

The port is a fake that hands out what it was fed; what the link decodes and signs is counted.
"""

import binascii
import gc
import json
import sys

import decide
import link as link_module
import wire

NOISE = 1103515245


class Port:
    """Hands out what it was fed; takes what is written, or refuses it."""

    def __init__(self):
        self.bytes = b""
        self.at = 0
        self.reads = 0
        self.takes = True
        self.written = []

    def read(self, into, most):
        count = min(most, len(self.bytes) - self.at)
        into[:count] = self.bytes[self.at : self.at + count]
        self.at += count
        self.reads += count
        return count

    def write(self, line):
        if self.takes:
            self.written.append(binascii.hexlify(line).decode())
        return self.takes

    @property
    def end(self):
        return len(self.written)

    def taken(self, end):
        self.read_by_host = end


counted = {"decoded": 0, "tags": 0}
real_decode = wire.decode
real_tag = wire.Signer.tag
real_witness = wire.Signer.witness


def decode(line):
    counted["decoded"] += 1
    return real_decode(line)


def tag(signer, sequence, nonce):
    counted["tags"] += 1
    return real_tag(signer, sequence, nonce)


def witness(signer, body):
    counted["tags"] += 1
    return real_witness(signer, body)


wire.decode = decode
wire.Signer.witness = witness
wire.Signer.tag = tag


class Bench:
    """One link on one port."""

    def __init__(self, key, witness_key=None):
        self.port = Port()
        self._made = 0
        self.link = link_module.Link(
            self.port,
            self._random,
            binascii.unhexlify(key) if key else None,
            binascii.unhexlify(witness_key) if witness_key else None,
        )
        self.link.boots = 7
        self.decision = decide.Decide(100, 0, decide.POWER_UP)

    def _random(self, size):
        """Different every time, and the same in every run."""
        self._made += 1
        return bytes((self._made * (i + 1) * 37 + i) & 0xFF for i in range(size - 1)) + bytes(
            [self._made & 0xFF]
        )

    def feed(self, hexadecimal):
        """More bytes for the port to hand out."""
        self.port.bytes = self.port.bytes[self.port.at :] + binascii.unhexlify(hexadecimal)
        self.port.at = 0

    def receive(self, now):
        """One tick."""
        counted["decoded"] = counted["tags"] = self.port.reads = 0
        request = self.link.receive(now)
        return {
            "request": request,
            "heartbeat": self.link.heartbeat,
            "bytes": self.port.reads,
            "decoded": counted["decoded"],
            "tags": counted["tags"],
            "left": len(self.port.bytes) - self.port.at + self.link._end - self.link._at,
        }

    def status(self, now):
        """Send a status; what the port took of it."""
        self.port.written = []
        self.link.send_status(now, self.decision, 0, 0, 0)
        return self.port.written

    def set_port(self, takes):
        """Whether the port takes what is written."""
        self.port.takes = takes

    def counters(self):
        """What the link says of itself."""
        link = self.link
        return {
            "echo": link.echo,
            "stop_requests": link.stop_requests,
            "heartbeats_taken": link.heartbeats_taken,
            "heartbeats_refused": link.heartbeats_refused,
            "refusal": link.refusal,
            "frames_malformed": link.frames_malformed,
            "hello_asked": link.hello_asked,
            "key_id": binascii.hexlify(link.key_id).decode(),
        }

    def witness(self):
        """What the link would send as a witness, if it was asked; then it is sent."""
        link = self.link
        asked, link.witness_asked = link.witness_asked, False
        return [asked, binascii.hexlify(link.witness).decode(), link.tagged]

    def hello_sent(self):
        """As the control loop does it."""
        self.link.hello_asked = False

    def flood(self, hexadecimal, ticks):
        """The same bytes over and over; the worst tick, and the memory after half and all."""
        given = binascii.unhexlify(hexadecimal)
        self.port.bytes = given
        worst = {"bytes": 0, "decoded": 0, "tags": 0}
        used = []
        for _ in range(2):
            for i in range(ticks // 2):
                if self.port.at > len(given) - 64:
                    self.port.at = 0
                if i % 10 == 0:
                    self.status(i)
                found = self.receive(i)
                for name, most in worst.items():
                    worst[name] = max(most, found[name])
            self.port.written = []
            found = None
            gc.collect()
            used.append(gc.mem_alloc())
        worst["grown"] = used[1] - used[0]
        return worst


bench = None
for line in sys.stdin:
    asked, arguments = json.loads(line)
    if asked == "new":
        bench = Bench(*arguments)
        answer = None
    else:
        answer = getattr(bench, asked)(*arguments)
    print(json.dumps(answer))
