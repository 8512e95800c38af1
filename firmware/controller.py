"""The control loop: one tick a millisecond, every tick the same steps in the same order."""

import gc
import struct
import sys
import time

import attest
import decide
import indicate
import journal
import micropython
import settings
import wire
from board import Board
from board_rp2350 import BoardRP2350
from link import STATUS_PERIOD_MS, UPTIME, Link

FIRMWARE_VERSION = (0, 1, 0)
TICK_US = 1000
HELLO_PERIOD_MS = 50  # of an attestation and of a witness too
COLLECT_LINES = 16  # taken and sent; each leaves 1 KB of garbage at most
COLLECT_LINES_MAX = 96
COLLECT_ROOM_MS = 5
JOURNAL_ROOM_MS = 4  # what a JOURNAL frame takes to be sent: the next status is not due before
QUIET_MS = 60  # so long nothing happens before flash is written: more than a reset takes to act


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
        )
        if self.decide.state != decide.LOCKOUT:
            board.clear_lockout()
        self.link = Link(board.port, board.random, self._settings.key, self._settings.witness_key)
        self.link.statement = struct.pack(
            wire.STATEMENT_LAYOUT,
            attest.measured,
            self.decide.heartbeat_timeout,
            self.decide.stop_delay,
            self._settings.name,
        )
        self._key = decide.LINK_KEY if self._settings.key is not None else 0
        self._ticks = time.ticks_ms()
        self._uptime = 0
        self._status_in = 0
        self._hello_in = 0
        self._attest_in = 0
        self._collected = False  # at the end of the last tick
        self._transitions = 0
        self._recorded = board.lockout()
        self._quiet = 0
        signer = wire.journal_signer(self._settings.key) if self._settings.key else None
        self.journal = journal.Journal(signer, self.link.boot)
        self.link.boots = self.journal.boot
        self._record(0, wire.POWERED_UP, board.inputs() | self._key)

    @micropython.native
    def tick(self) -> None:
        """One control tick."""
        elapsed = self._elapse()
        lines = self.link.lines
        before = self.decide.state
        requests = 0
        heartbeat = decide.NO_HEARTBEAT
        if self._collected:
            self._collected = False
        else:
            requests = self.link.receive(self._uptime)
            heartbeat = self.link.heartbeat
        inputs = self._board.inputs() | self._key | requests
        outputs = self.decide.step(elapsed, inputs, heartbeat)
        self._board.drive(outputs)
        self._report(before, inputs, outputs)
        self._board.show(indicate.lamps(self.decide.state, self._uptime))
        self._remember(inputs & ~requests)
        self._board.feed_watchdogs(outputs)
        self._collect(inputs, lines)

    def _elapse(self) -> int:
        """Let all clocks go on; ms since the last time."""
        ticks = time.ticks_ms()
        elapsed = time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        self._uptime = (self._uptime + elapsed) & UPTIME
        self._status_in -= elapsed
        self._hello_in -= elapsed
        self._attest_in -= elapsed
        if self._quiet < QUIET_MS:
            self._quiet += elapsed
        return elapsed

    def _collect(self, inputs: int, lines: int) -> None:
        """Collect garbage long before the heap is full, when the watchdogs have just been fed.

        It takes some 3 ms on the emulated chip, and the button's interrupts do not wait for it. So
        that the next tick is in time, this is done in a tick that took and sent no line, and when
        none is due to be sent in the next one, which takes none.
        """
        calm = self._quiet >= QUIET_MS or inputs & decide.RESET_PRESSED
        calm = calm and self._status_in >= COLLECT_ROOM_MS and not self.journal.unsealed
        calm = calm and self.link.lines == lines
        if self.link.lines >= (COLLECT_LINES if calm else COLLECT_LINES_MAX):
            self.link.lines = 0
            self._collected = True
            gc.collect()

    def _report(self, before: int, inputs: int, outputs: int) -> None:
        """Tell the host what happened, after it has happened (SR-21)."""
        changed = self.decide.state != before
        if changed:
            self._transitions = (self._transitions + 1) & 0xFFFF
            self._send_event(before, inputs)
            self._record(self._transitions, before, inputs)
            self._quiet = 0
        if changed or self._status_in <= 0:
            self._status_in = STATUS_PERIOD_MS
            fails = wire.JOURNAL_FAILS if self.journal.failing else 0
            self.link.send_status(
                self._uptime, self.decide, inputs | fails, outputs, self._transitions
            )
        elif self.link.hello_asked and self._hello_in <= 0 and self._send_hello():
            self.link.hello_asked = False
            self._hello_in = HELLO_PERIOD_MS  # asked for in a flood, it must not crowd out states
        elif self.link.attestation and self._attest_in <= 0 and self._send_attestation():
            self.link.attestation = b""
            self._attest_in = HELLO_PERIOD_MS
        elif self.link.witness_asked and self._attest_in <= 0 and self._send_witness():
            self.link.witness_asked = False
            self._attest_in = HELLO_PERIOD_MS
        elif self.link.journal_asked >= 0 and self._status_in >= JOURNAL_ROOM_MS:
            self._send_journal()
        self._board.port.flush()

    def _record(self, number: int, before: int, inputs: int) -> None:
        self.journal.record(
            number,
            self._uptime,
            before,
            self.decide.state,
            self.decide.tripped,
            self.decide.first,
            inputs,
            self.decide.causes,
        )

    def _remember(self, inputs: int) -> None:
        """Put a lockout, else one entry of the journal into flash, if there is something to put.

        Writing flash stops the whole chip for 50 to some 100 ms. So an entry is written only while
        the outputs are off, the contacts prove it, nothing moves, and the host has been told. What
        passed meanwhile is charged to what was seen before, all of it at rest: a contact that
        moved then is not taken for one that was wrong all the time. And it is a late tick, so
        that a press of the reset button that begins meanwhile is void.
        """
        at_rest = self._at_rest(inputs)
        if self.journal.unsealed and (at_rest or not self.link.tagged):
            self.journal.seal()  # but where time does not matter, at most one HMAC a tick
        faults = self.decide.causes & decide.FAULTS
        locked_out = self.decide.state == decide.LOCKOUT and faults != self._recorded
        if not locked_out and not (at_rest and self.journal.pending):
            self._board.patient = False
        elif not self._board.patient:
            self._board.patient = True  # the next tick writes
        elif locked_out:
            self._board.record_lockout(faults)
            self._recorded = faults
        else:
            self.journal.write(self._uptime)
            gc.collect()
            elapsed = max(self._elapse(), decide.TICK_LATE_MAX + 1)
            self.decide.step(elapsed, inputs, decide.NO_HEARTBEAT)

    def _at_rest(self, inputs: int) -> bool:
        if inputs & decide.RESET_PRESSED and not self.decide.present & decide.RESET_STUCK:
            self._quiet = 0  # a press that may act is not disturbed
        if self._quiet < QUIET_MS:
            return False
        if self.decide.state != decide.STOPPED:
            return self.decide.state == decide.LOCKOUT
        agree = (inputs & decide.CONTACT_A != 0) == (inputs & decide.CONTACT_B != 0)
        closed = inputs & decide.MIRROR_1 and inputs & decide.MIRROR_2
        return agree and (bool(closed) or not inputs & decide.SUPPLY)

    def _send_journal(self) -> None:
        """An entry that was asked for, if nothing else waits to be sent."""
        if self._board.port.idle:
            self.link.send(wire.JOURNAL, self.journal.answer(self.link.journal_asked))
            self.link.journal_asked = -1

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

    def _send_attestation(self) -> bool:
        return self.link.send(wire.ATTEST, self.link.attestation)

    def _send_witness(self) -> bool:
        return self.link.send(wire.WITNESS, self.link.witness)

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
    board = BoardRP2350() if "RP2350" in sys.implementation._machine else Board()
    board.start_watchdog()
    controller = Controller(board)
    due = time.ticks_us()
    while True:
        controller.tick()
        due = time.ticks_add(due, TICK_US)
        wait = time.ticks_diff(due, time.ticks_us())
        if wait > 0:
            time.sleep_us(wait)
        else:
            due = time.ticks_us()
