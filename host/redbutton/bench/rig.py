"""Controller, plant, cable and host in lock-step virtual time, with hands for faults.

What is real: the firmware in its interpreter, and the host's session. What is modelled: the plant,
the cable, and when the host's process gets to run.
"""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redbutton.attestation import Expected, digest
from redbutton.bench.link import Line
from redbutton.session import Session
from redbutton.virtual.chain import TICK_US, Chain, firmware_on

# What the firmware writes: a folder in the place of a file, or the other way round, fails.
UNWRITABLE = ("lockout", "entries")
QUIET_MS = 50  # at most at once: a host that turns less often takes its clock for leaping
SWAP_MOST_MS = 300
UNREAD_MAX = 4096  # bytes that the system keeps for a host that does not read


class Rig(Chain):
    """A chain that faults can act on. `started_us`: when the scenario's time began."""

    def __init__(self, key: bytes, seed: int, **board: Any) -> None:
        self._key = key
        self._cable: dict[str, int] = {}
        self._host: dict[str, int] = {}
        self._up = Line(seed, self._cable)
        self._down = Line(seed + 1, self._cable)
        self._unread = b""
        self._swapping = random.Random(seed)
        self._stalled_ms = 0
        self._later_s = 0.0  # how far the host's clock has jumped
        self.started_us = 0
        super().__init__(key, seed=seed, **board)

    @property
    def ms(self) -> int:
        """Of the scenario."""
        return (self.board.now_us - self.started_us) // 1000

    def act(self, name: str, value: int, offset_us: int = 0) -> None:
        """A person, a fault or the host acts now: see `redbutton.bench.faults`. `offset_us`: so
        much later, for what acts on plant or chip."""
        kind, _, what = name.partition(":")
        if kind == "link":
            self._cable[what] = value
            if not value:
                del self._cable[what]
        elif kind == "host":
            self._act_on_host(what, value)
        elif kind == "board":
            self._act_on_board(what)
        elif kind == "after":
            after, _, name = what.partition(":")
            self.board.act(name, value, self.board.now_us + offset_us + int(after) * TICK_US)
        else:
            self.board.act(name, value, self.board.now_us + offset_us)

    def _act_on_board(self, what: str) -> None:
        if what == "power":
            self.board.power_cycle()
        elif what == "flash":
            for name in UNWRITABLE:
                _obstruct(self.board.flash / name)
        else:
            self.board.lose_interrupt(what)

    def _act_on_host(self, what: str, value: int) -> None:
        if what == "stop":
            self.request_stop(value)
        elif what == "clock":
            self._later_s += value / 1000
        elif what == "killed" and not value:
            files = firmware_on(self.board.flash)
            self.session = Session(self._key, expected=Expected(digest(files)), random=bytes)
            self._unread = b""
            self._host.pop(what, None)
            self._send(self.session.opened(self._now))
        else:
            self._host[what] = value

    @property
    def _now(self) -> float:
        return self.board.now + self._later_s

    def _send(self, data: bytes) -> None:
        if not self._runs or self._stalled_ms:
            data = b""
        if arrived := self._down.carry(data, self.board.now_us // 1000):
            self.board.write(arrived)

    def step(self, ms: int, on_tick: Callable[[], object] | None = None) -> None:
        """Let so many ticks go by, the host answering as far as it gets to run."""
        end_us = self.board.now_us + ms * TICK_US
        while (left := end_us - self.board.now_us) > 0:
            at_once = 1 if on_tick else min(self._quiet_ms(), left // TICK_US)
            if at_once > 1:
                self._arrive(self.board.listen(at_once))
            else:
                self._advance(TICK_US)
            if self._runs and self._gets_to_run():
                unread, self._unread = self._unread, b""
                self.events += self.session.receive(unread, self._now)
                self._send(self.session.answer(self._now, not self._host.get("hung")))
            else:
                self._send(b"")
            if on_tick:
                on_tick()

    @property
    def _runs(self) -> bool:
        return not (self._host.get("stopped") or self._host.get("killed"))

    def _gets_to_run(self) -> bool:
        """In this ms."""
        if self._stalled_ms:
            self._stalled_ms -= 1
            return False
        if self._swapping.randrange(1000) < self._host.get("swaps", 0):
            self._stalled_ms = self._swapping.randrange(SWAP_MOST_MS)
            return False
        return self.board.now_us // 1000 % max(1, self._host.get("period", 1)) == 0

    def _quiet_ms(self) -> int:
        """So long neither host nor cable does anything, unless the controller sends something:
        asking each of them in each ms takes longer than what the controller does in it."""
        starved = self._stalled_ms or {"period", "swaps"} & self._host.keys()
        if starved or not (self._up.quiet and self._down.quiet):
            return 1
        if not self._runs:
            return QUIET_MS
        if self._unread:
            return 1
        wait_s = self.session.due(self._now, not self._host.get("hung")) - self._now
        return max(1, int(min(QUIET_MS, wait_s * 1000 - 1)))

    def shift(self, us: int) -> None:
        """Let so much of a tick go by: from now on the host runs at another phase of it."""
        self._advance(us)

    def _advance(self, us: int) -> None:
        self._arrive(self.board.advance(us / 1000))

    def _arrive(self, sent: bytes) -> None:
        self.sent_by_board += sent
        arrived = self._up.carry(sent, self.board.now_us // 1000)
        self._unread = (self._unread + arrived)[-UNREAD_MAX:]


def _obstruct(path: Path) -> None:
    """Let every write to a path fail, whoever writes."""
    if path.is_dir():
        shutil.rmtree(path)
        path.touch()
    else:
        path.unlink(missing_ok=True)
        path.mkdir()
