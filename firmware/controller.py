"""The control loop: one tick a millisecond, every tick the same steps in the same order."""

import struct
import time

import decide
import settings
import wire
from board import Board
from link import STATUS_PERIOD_MS, UPTIME, Link

FIRMWARE_VERSION = (0, 1, 0)
TICK_US = 1000
HELLO_PERIOD_MS = 50


class Controller:
    """Ties decide, board and link together. Holds no rule."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._settings = settings.load()
        boot_cause = board.boot_cause()
        self._boot_cause = decide.lowest(boot_cause)
        self.decide = decide.Decide(
            self._settings.heartbeat_timeout,
            self._settings.stop_delay,
            boot_cause,
            board.lockout(),
            bool(board.inputs() & decide.KEY_MAINTENANCE),
        )
        if self.decide.state != decide.LOCKOUT:
            board.clear_lockout()
        self.link = Link(board.port, board.random, self._settings.key)
        self._key = decide.LINK_KEY if self._settings.key is not None else 0
        self._ticks = time.ticks_ms()
        self._uptime = 0
        self._status_in = 0
        self._hello_in = 0
        self._transitions = 0
        self._recorded = board.lockout()

    def tick(self) -> None:
        """One control tick."""
        ticks = time.ticks_ms()
        elapsed = time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        self._uptime = (self._uptime + elapsed) & UPTIME
        self._status_in -= elapsed
        self._hello_in -= elapsed
        before = self.decide.state
        requests = self.link.receive(self._uptime)
        inputs = self._board.inputs() | self._key | requests
        outputs = self.decide.step(elapsed, inputs, self.link.heartbeat)
        self._board.drive(outputs)
        self._report(before, inputs, outputs)
        self._board.feed_watchdog()

    def _report(self, before: int, inputs: int, outputs: int) -> None:
        """Tell the host what happened, after it has happened (SR-21)."""
        changed = self.decide.state != before
        if changed:
            self._transitions = (self._transitions + 1) & 0xFFFF
            self._send_event(before, inputs)
        if changed or self._status_in <= 0:
            self._status_in = STATUS_PERIOD_MS
            self.link.send_status(self._uptime, self.decide, inputs, outputs, self._transitions)
        elif self.link.hello_asked and self._hello_in <= 0 and self._send_hello():
            self.link.hello_asked = False
            self._hello_in = HELLO_PERIOD_MS  # asked for in a flood, it must not crowd out states
        self._board.port.flush()
        faults = self.decide.causes & decide.FAULTS
        if self.decide.state == decide.LOCKOUT and faults != self._recorded:
            self._board.record_lockout(faults)
            self._recorded = faults

    def _send_event(self, before: int, inputs: int) -> bool:
        return self.link.send(
            wire.EVENT,
            struct.pack(
                wire.EVENT_LAYOUT,
                self.link.boot,
                self._transitions,
                self._uptime,
                before,
                self.decide.state,
                self.decide.tripped,
                inputs,
                self.decide.causes,
            ),
        )

    def _send_hello(self) -> bool:
        return self.link.send(
            wire.HELLO,
            struct.pack(
                wire.HELLO_LAYOUT,
                self.link.boot,
                bytes(FIRMWARE_VERSION),
                self._board.unique_id(),
                self.link.key_id,
                self.decide.heartbeat_timeout,
                self.decide.stop_delay,
                self._boot_cause,
            ),
        )


def run() -> None:
    """Forever."""
    board = Board()
    controller = Controller(board)
    board.start_watchdog()
    due = time.ticks_us()
    while True:
        controller.tick()
        due = time.ticks_add(due, TICK_US)
        wait = time.ticks_diff(due, time.ticks_us())
        if wait > 0:
            time.sleep_us(wait)
        else:
            due = time.ticks_us()
