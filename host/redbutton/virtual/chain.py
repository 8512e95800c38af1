"""The chain without ROS in lock-step: real firmware, modelled plant, host session."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from typing_extensions import Self

from redbutton import attestation
from redbutton.attestation import Expected
from redbutton.model import SafetyState
from redbutton.session import Event, Session
from redbutton.virtual.board import Change, LockStepBoard

TICK_US = 1000


class Chain:
    """Everything happens in virtual milliseconds. `alive` off: the host only watches."""

    def __init__(
        self,
        key: bytes,
        host_key: bytes | None = None,
        expected: Expected | None = None,
        **board: Any,
    ) -> None:
        """`expected`: what the controller must attest; None: what is on its flash now."""
        self.board = LockStepBoard(key, **board)
        self.session = Session(
            host_key or key,
            expected=expected or Expected(attestation.digest(firmware_on(self.board.flash))),
            random=bytes,
        )
        self.alive = True
        self.connected = True
        self.events: list[Event] = []
        self.sent_by_host: list[bytes] = []
        self.sent_by_board = bytearray()
        self.host_wrote = 0.0
        self._send(self.session.opened(self.board.now))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.board.close()

    def _send(self, data: bytes) -> None:
        if data and self.connected:
            self.sent_by_host.append(data)
            self.host_wrote = self.board.now
            self.board.write(data)

    def step(self, ms: int, on_tick: Callable[[], object] | None = None) -> None:
        """Let so many ticks go by, the host answering as it would."""
        for _ in range(ms):
            sent = self.board.advance(1)
            self.sent_by_board += sent
            if self.connected:
                self.events += self.session.receive(sent, self.board.now)
            self._send(self.session.answer(self.board.now, self.alive))
            if on_tick:
                on_tick()

    def press_reset(self, ms: int = 300) -> None:
        """A person presses the reset button for `ms` and waits until the test is over."""
        self.board.act("reset", 1)
        self.step(ms)
        self.board.act("reset", 0)
        self.step(560)

    def run(self) -> Self:
        """From power-up to RUN, with the load proven on."""
        self.step(100)
        self.press_reset()
        assert self.board.load, self.state.sentence()
        return self

    def request_stop(self, category: int = 0) -> None:
        """The host sends a stop request."""
        self._send(self.session.stop(self.board.now, category))

    @property
    def state(self) -> SafetyState:
        """What the host says of the controller now."""
        return self.session.state(self.board.now)

    def energised_since(self, us: int) -> list[Change]:
        """Every time that the load came on after a moment of virtual time."""
        return [
            change
            for change in self.board.changes
            if change.signal == "load" and change.value and change.at_us >= us
        ]


def firmware_on(flash: Path) -> dict[str, bytes]:
    """The files of the firmware in a folder that serves as flash."""
    return {file.name: file.read_bytes() for file in flash.glob("*.py")}
