"""The hardware of a Raspberry Pi Pico: pins, pulse channel, chip watchdog, serial port, flash.

Decides nothing. What another chip does otherwise stands in a file of its own (`board_rp2350.py`).
"""

import errno
import os
import select
import sys

import decide
import indicate
import machine
import pins
from machine import Pin
from pulse import PulseChannel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Interrupt(Protocol):
        """What Pin.irq returns, which the stubs do not know for this chip."""

        def trigger(self) -> int:
            """The edges that call the handler now."""


WATCHDOG_MS = 400
FLASH_MS = 8000  # one write of a file: some sectors to erase, each at most 400 ms (W25Q16JV)
LOCKOUT_FILE = "lockout"


class Board:
    """The controller board."""

    def __init__(self) -> None:
        self._k1 = PulseChannel(pins.K1)
        self._k2 = Pin(pins.K2, Pin.OUT, value=0)
        self._feed = Pin(pins.WATCHDOG, Pin.OUT, value=0)
        self._lamps = (
            (indicate.RED, Pin(pins.LAMP_RED, Pin.OUT, value=0)),
            (indicate.GREEN, Pin(pins.LAMP_GREEN, Pin.OUT, value=0)),
            (indicate.BUZZER, Pin(pins.BUZZER, Pin.OUT, value=0)),
        )
        self._lit = 0
        self._sensed = (
            (decide.CONTACT_A, _input(pins.CONTACT_A)),
            (decide.CONTACT_B, _input(pins.CONTACT_B)),
            (decide.MIRROR_1, _input(pins.MIRROR_1)),
            (decide.MIRROR_2, _input(pins.MIRROR_2)),
            (decide.RESET_PRESSED, _input(pins.RESET)),
            (decide.KEY_MAINTENANCE, _input(pins.KEY)),
            (decide.SUPPLY, _input(pins.SUPPLY)),
        )
        self._openings_a = 0
        self._openings_b = 0
        self._seen_a = 0
        self._seen_b = 0
        self._irq_a = _on_opening(pins.CONTACT_A, self._contact_a_opened)
        self._irq_b = _on_opening(pins.CONTACT_B, self._contact_b_opened)
        self.port = Port()
        self._watchdog: machine.WDT | None = None
        # Whether the chip's watchdog, from its next feeding on, waits FLASH_MS for the one after:
        # for a tick that writes flash, with the outputs off.
        self.patient = True
        self._was_patient = True

    # The interrupt handlers must not allocate: one that raises is silently removed.

    def _contact_a_opened(self, _: Pin) -> None:
        self._openings_a = (self._openings_a + 1) & 0xFFFF
        self._k1.off()
        self._k2.value(0)

    def _contact_b_opened(self, _: Pin) -> None:
        self._openings_b = (self._openings_b + 1) & 0xFFFF
        self._k1.off()
        self._k2.value(0)

    def inputs(self) -> int:
        """What the contacts measure now, as bits of `decide`.

        A contact of the button that opened since the last call reads open, even if it has bounced
        shut again (SR-02).
        """
        openings_a = self._openings_a
        openings_b = self._openings_b
        bits = 0
        for bit, pin in self._sensed:
            if pin.value():
                bits |= bit
        if openings_a != self._seen_a:
            self._seen_a = openings_a
            bits &= ~decide.CONTACT_A
        if openings_b != self._seen_b:
            self._seen_b = openings_b
            bits &= ~decide.CONTACT_B
        # A handler that raised was removed, and its trigger with it.
        if self._irq_a.trigger() and self._irq_b.trigger():
            bits |= decide.INTERRUPTS
        return bits

    def drive(self, outputs: int) -> None:
        """Write both relay outputs. K1 must be driven again every tick, or it drops."""
        if outputs & decide.K1:
            self._k1.pulse()
        elif outputs & decide.K1_LEVEL:
            self._k1.level()
        elif outputs & decide.K1_STARVED:
            self._k1.starve()
        else:
            self._k1.off()
        self._k2.value(1 if outputs & decide.K2 else 0)
        new = self._openings_a != self._seen_a or self._openings_b != self._seen_b
        if new:  # unreached: silicon. Opened since `inputs`: the next tick will see it
            self._k1.off()
            self._k2.value(0)

    def show(self, lamps: int) -> None:
        """Stack light and buzzer, bits of `indicate`."""
        if lamps != self._lit:
            self._lit = lamps
            for bit, pin in self._lamps:
                pin.value(1 if lamps & bit else 0)

    def start_watchdog(self) -> None:
        """Before anything that could hang. The first ticks are waited for patiently."""
        self._watchdog = machine.WDT(timeout=FLASH_MS)

    def feed_watchdogs(self, outputs: int) -> None:
        """The chip's and K2's, after a control tick that ran every step, and nowhere else (SR-15).

        K2's wants a rising edge, and is starved where the test before energising asks for it.
        """
        if not outputs & decide.WATCHDOG_STARVED:
            self._feed.value(1)
            self._feed.value(0)
        if self._watchdog is None:  # unreached: only in maintenance, where no tick comes
            return
        if self.patient == self._was_patient:
            self._watchdog.feed()
        else:
            self._was_patient = self.patient
            self._watchdog = machine.WDT(timeout=FLASH_MS if self.patient else WATCHDOG_MS)

    def boot_cause(self) -> int:
        """Why the chip started, as a cause of `decide`.

        The RP2040 does not tell a brown-out from power-up: both are POWER_UP.
        """
        if machine.reset_cause() == machine.WDT_RESET:
            return decide.WATCHDOG_RESET
        return decide.POWER_UP

    def unique_id(self) -> bytes:
        """The eight bytes that are also the USB serial number."""
        return machine.unique_id()

    def random(self, size: int) -> bytes:
        """Bytes that nobody can foretell."""
        return os.urandom(size)

    def lockout(self) -> int:
        """Causes of the recorded lockout, 0 for none. A record that cannot be read is one too."""
        try:
            with open(LOCKOUT_FILE) as file:
                return int(file.read()) & decide.FAULTS or decide.INTERNAL
        except OSError as error:
            return 0 if error.errno == errno.ENOENT else decide.INTERNAL
        except ValueError:
            return decide.INTERNAL

    def record_lockout(self, causes: int) -> None:
        """Remember a lockout over power cycles. A flash that fails changes nothing else.

        On littlefs a loss of power leaves the old record, an empty one or the new one: each of
        them is a lockout.
        """
        try:
            with open(LOCKOUT_FILE, "w") as file:
                file.write(str(causes))
        except OSError:
            pass

    def clear_lockout(self) -> None:
        """Forget the recorded lockout. If flash fails, it comes back with the next power-up."""
        try:
            os.remove(LOCKOUT_FILE)
        except OSError:
            pass


class Port:
    """The serial port to the host. Never waits, neither to read nor to write."""

    WRITE_MAX = 24  # bytes a tick
    QUEUE_MAX = 256

    def __init__(self) -> None:
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._poll_out = select.poll()
        self._poll_out.register(sys.stdout, select.POLLOUT)
        self._byte = bytearray(1)
        self._out_byte = bytearray(1)
        self._queue = bytearray(self.QUEUE_MAX)
        self._head = 0
        self._queued = 0

    def read(self) -> int:
        """The next byte, or -1 if none is there."""
        for _, event in self._poll.ipoll(0):
            if event & select.POLLIN and self._in.readinto(self._byte):  # unreached: no host
                return self._byte[0]
        return -1

    def write(self, line: bytes) -> bool:
        """Queue a whole line, or refuse it whole if the host is not taking what is queued."""
        if self._queued + len(line) > self.QUEUE_MAX:
            return False
        end = self._head + self._queued
        for i in range(len(line)):
            self._queue[(end + i) % self.QUEUE_MAX] = line[i]
        self._queued += len(line)
        return True

    @property
    def idle(self) -> bool:
        """Whether nothing is queued."""
        return not self._queued

    def flush(self) -> None:
        """Send some of what is queued, as far as the host takes it. Called once a tick."""
        for _ in range(self.WRITE_MAX):
            if not self._queued or not self._writable():
                return
            self._out_byte[0] = self._queue[self._head]
            self._out.write(self._out_byte)
            self._head = (self._head + 1) % self.QUEUE_MAX
            self._queued -= 1

    def _writable(self) -> bool:
        for _, event in self._poll_out.ipoll(0):
            return bool(event & select.POLLOUT)
        return False


def _input(gpio: int) -> Pin:
    return Pin(gpio, Pin.IN, Pin.PULL_DOWN)


def _on_opening(gpio: int, handler: "Callable[[Pin], None]") -> "Interrupt":
    """Call `handler` in a hard interrupt whenever the contact opens."""
    return _input(gpio).irq(handler, Pin.IRQ_FALLING, hard=True)  # type: ignore
