"""The host of a run in real time, in a process of its own: session, port, and what befalls them.

usage: python -m redbutton.bench.host PORT KEY_FILE SEED    (waits for `go`)

Lines in:   go | stop CATEGORY | link NAME VALUE | host NAME VALUE   (VALUE 0: no longer)
Lines out, JSON:
    {"ready": true}
    {"status": [monotonic s, boot, uptime ms, state, inputs, first cause, causes, present]}
    {"event": [monotonic s, boot, uptime ms, before, after, cause]}
    {"identity": {...}}   {"error": "..."}   {"lost": "..."}

A bench that kills or freezes this process with a signal kills or freezes a real host. Where it has
to go on reading what the controller measures, `host killed 1` and `host stopped 1` make it answer
nothing instead.
"""

import json
import os
import random
import secrets
import select
import struct
import sys
import time
from pathlib import Path

from redbutton import attestation, key
from redbutton.bench.link import Line
from redbutton.errors import LinkLost, PortInUse, PortMissing, RedbuttonError
from redbutton.firmware import wire
from redbutton.link import SerialLink
from redbutton.session import Fault, Hello, Session

TURN_S = 0.005
FAULTY_TURN_S = 0.001  # faults of the link are told in milliseconds
RETRY_S = 0.02
GO = b"go\n"
STATUS = ("boot", "uptime", "state", "inputs", "first", "causes", "present")
EVENT = ("boot", "uptime", "before", "after", "cause")
SWAP_MOST_MS = 300  # as in redbutton.bench.rig
UNREAD_MAX = 4096  # bytes that the system keeps for a host that does not read


class Host:
    """Answers the controller's challenges, as far as it can."""

    def __init__(self, port: str, key_file: Path, seed: int) -> None:
        self._port = port
        self._key = key.load(key_file)
        self._expected = attestation.expected(key_file)
        self._cable: dict[str, int] = {}
        self._own: dict[str, int] = {}
        self._up = Line(seed, self._cable)
        self._down = Line(seed + 1, self._cable)
        self._link: SerialLink | None = None
        self._reader = wire.LineReader()
        self._unread = b""
        self._swapping = random.Random(seed)
        self._still_until = 0.0
        self._later_s = 0.0
        self._answered = 0.0
        self._retry = 0.0
        self._session = self._new_session()

    def _new_session(self) -> Session:
        return Session(self._key, first_sequence=secrets.randbelow(65536), expected=self._expected)

    def run(self) -> None:
        """Until standard input ends."""
        lines = b""
        while True:
            handles = [0] if self._link is None else [0, self._link.fileno()]
            faulty = self._cable or self._own
            ready, _, _ = select.select(handles, [], [], FAULTY_TURN_S if faulty else TURN_S)
            if 0 in ready:
                data = os.read(0, 4096)
                if not data:
                    return
                *whole, lines = (lines + data).split(b"\n")
                for line in whole:
                    self._obey(line.decode().split())
            self._turn()

    def _obey(self, words: list[str]) -> None:
        match words:
            case ["stop", category]:
                self._write(self._session.stop(self._now, int(category)))
            case ["host", "clock", value]:
                self._later_s += int(value) / 1000
            case ["link", name, value]:
                _set(self._cable, name, int(value))
            case ["host", name, value]:
                if name == "killed" and value == "0":
                    self._session = self._new_session()
                    self._unread = b""
                    self._write(self._session.opened(self._now))
                _set(self._own, name, int(value))

    @property
    def _now(self) -> float:
        return time.monotonic() + self._later_s

    def _turn(self) -> None:
        now = time.monotonic()
        if self._link is None and now >= self._retry:
            self._open(now)
        sent = b""
        if self._link is not None:
            try:
                sent = self._link.read()
            except LinkLost as error:
                self._lose(error, now)
        self._observe(sent)
        self._unread += self._up.carry(sent, int(now * 1000))
        if self._own.get("killed") or self._own.get("stopped") or self._stands_still(now):
            self._unread = self._unread[-UNREAD_MAX:]
            self._write(b"")
        elif now - self._answered >= self._own.get("period", 0) / 1000:
            self._answered = now
            unread, self._unread = self._unread, b""
            for event in self._session.receive(unread, self._now):
                if isinstance(event, Hello):
                    _say(identity=event.identity.model_dump())
                elif isinstance(event, Fault):
                    _say(error=str(event.error))
            self._write(self._session.answer(self._now, not self._own.get("hung")))

    def _stands_still(self, now: float) -> bool:
        """While it swaps."""
        if self._swapping.randrange(1000) < self._own.get("swaps", 0):
            self._still_until = now + self._swapping.uniform(0, SWAP_MOST_MS / 1000)
        return now < self._still_until

    def _open(self, now: float) -> None:
        try:
            self._link = SerialLink(self._port)
        except (PortMissing, PortInUse):  # unplugged, or a host that was killed still lets go
            self._retry = now + RETRY_S
        else:
            self._write(self._session.opened(self._now))

    def _write(self, data: bytes) -> None:
        arrived = self._down.carry(data, int(time.monotonic() * 1000))
        if self._link is None or not arrived:
            return
        try:
            self._link.write(arrived)
        except LinkLost as error:
            self._lose(error, time.monotonic())

    def _lose(self, error: RedbuttonError, now: float) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None
        self._retry = now + RETRY_S
        _say(lost=str(error))

    def _observe(self, data: bytes) -> None:
        """Tell what the controller measures, whatever becomes of the session."""
        for byte in data:
            line = self._reader.push(byte)
            frame = wire.decode(line) if line else None
            if frame is None:
                continue
            _, kind, _, payload = frame
            if kind == wire.STATUS and len(payload) == struct.calcsize(wire.STATUS_LAYOUT):
                told = _named(wire.STATUS_FIELDS, wire.STATUS_LAYOUT, payload)
                _say(status=[time.monotonic(), *(told[name] for name in STATUS)])
            elif kind == wire.EVENT and len(payload) == struct.calcsize(wire.EVENT_LAYOUT):
                told = _named(wire.EVENT_FIELDS, wire.EVENT_LAYOUT, payload)
                _say(event=[time.monotonic(), *(told[name] for name in EVENT)])


def _named(fields: tuple[str, ...], layout: str, payload: bytes) -> dict[str, int]:
    return dict(zip(fields, struct.unpack(layout, payload), strict=True))


def _set(values: dict[str, int], name: str, value: int) -> None:
    if value:
        values[name] = value
    else:
        values.pop(name, None)


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    """Wait to be told to begin, with all that takes time done."""
    port, key_file, seed = sys.argv[1:4]
    try:
        host = Host(port, Path(key_file), int(seed))
        _say(ready=True)
        if os.read(0, len(GO)) == GO:
            host.run()
    except RedbuttonError as error:
        _say(error=str(error))
    except (BrokenPipeError, KeyboardInterrupt):
        pass


if __name__ == "__main__":
    main()
