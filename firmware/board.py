"""The hardware of a Raspberry Pi Pico: pins, pulse channel, chip watchdog, serial port, flash.

Decides nothing. What another chip does otherwise stands in a file of its own (`board_rp2350.py`).
"""

import errno
import os
import select
import sys
import time

import decide
import indicate
import machine
import micropython
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
# The RP2040 is certified for 200 MHz at 1.15 V (Raspberry Pi's SDK 2.1.1, release notes). At the
# 125 MHz that MicroPython sets, a collection of garbage would make a tick late.
CLOCK_HZ = 200_000_000
VREG = 0x40064000
CORE_1V15 = 0xC1
# The levels of all pins, read at once (RP2040 datasheet 2.3.1.7, RP2350 datasheet 3.1.11). The
# inputs lie side by side, in the order in which `decide` numbers them.
GPIO_IN = 0xD0000004
FIRST_INPUT = pins.CONTACT_A
INPUTS = 0x7F


class Board:
    """The controller board."""

    def __init__(self) -> None:
        self.set_clock()  # before K1's pulses are made from it
        self._k1 = PulseChannel(pins.K1)
        self._k2 = Pin(pins.K2, Pin.OUT, value=0)
        self._feed = Pin(pins.WATCHDOG, Pin.OUT, value=0)
        self._lamps = (
            (indicate.RED, Pin(pins.LAMP_RED, Pin.OUT, value=0)),
            (indicate.GREEN, Pin(pins.LAMP_GREEN, Pin.OUT, value=0)),
            (indicate.BUZZER, Pin(pins.BUZZER, Pin.OUT, value=0)),
        )
        self._lit = 0
        for gpio in (pins.MIRROR_1, pins.MIRROR_2, pins.RESET, pins.KEY, pins.SUPPLY):
            _input(gpio)
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

    def set_clock(self) -> None:
        """Run as fast as the chip may. Times are counted by the crystal and do not change."""
        machine.mem32[VREG] = CORE_1V15
        time.sleep_ms(1)
        machine.freq(CLOCK_HZ)

    # The interrupt handlers must not allocate: one that raises is silently removed.

    @micropython.native
    def _contact_a_opened(self, _: Pin) -> None:
        self._openings_a = (self._openings_a + 1) & 0xFFFF
        self._k1.off()
        self._k2.value(0)

    @micropython.native
    def _contact_b_opened(self, _: Pin) -> None:
        self._openings_b = (self._openings_b + 1) & 0xFFFF
        self._k1.off()
        self._k2.value(0)

    @micropython.native
    def inputs(self) -> int:
        """What the contacts measure now, as bits of `decide`.

        A contact of the button that opened since the last call reads open, even if it has bounced
        shut again (SR-02).
        """
        openings_a = self._openings_a
        openings_b = self._openings_b
        bits = machine.mem32[GPIO_IN] >> FIRST_INPUT & INPUTS
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

    @micropython.native
    def drive(self, outputs: int) -> None:
        """Write both relay outputs. K1 must be driven again every tick, or it drops.

        The button's interrupts wait meanwhile, some 50 us: one in the middle of this would be
        undone by the rest of it.
        """
        state = machine.disable_irq()
        try:
            new = self._openings_a != self._seen_a or self._openings_b != self._seen_b
            if new:  # unreached: silicon. Opened since `inputs`: the next tick will see it
                outputs = 0
            if outputs & decide.K1:
                self._k1.pulse()
            elif outputs & decide.K1_LEVEL:
                self._k1.level()
            elif outputs & decide.K1_STARVED:
                self._k1.starve()
            else:
                self._k1.off()
            self._k2.value(1 if outputs & decide.K2 else 0)
        finally:
            machine.enable_irq(state)

    def show(self, lamps: int) -> None:
        """Stack light and buzzer, bits of `indicate`."""
        if lamps != self._lit:
            self._lit = lamps
            for bit, pin in self._lamps:
                pin.value(1 if lamps & bit else 0)

    def start_watchdog(self) -> None:
        """Before anything that could hang. The first ticks are waited for patiently."""
        self._watchdog = machine.WDT(timeout=FLASH_MS)

    @micropython.native
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
    """The serial port to the host. Never waits, neither to read nor to write.

    MicroPython can be asked whether it would take a byte, but not how many; a write of more than
    fits waits for half a second. So a line is sent whole if it fits for sure, into a buffer of
    BUFFER bytes of which the host has proven to have read the most. Else it is sent byte by byte.
    """

    BUFFER = 256  # MicroPython's own, CFG_TUD_CDC_TX_BUFSIZE
    SINGLE_MAX = 12  # bytes a tick
    QUEUE_MAX = 512
    COUNTER = 0x3FFFFFFF  # bytes since power-up: fits a small integer of the chip

    def __init__(self) -> None:
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._poll_out = select.poll()
        self._poll_out.register(sys.stdout, select.POLLOUT)
        self._byte = bytearray(1)
        self._lines: list[bytes] = []
        self._queued = 0
        self._begun = 0  # bytes of the first line that were sent one by one
        self._sent = 0
        self._room = 0  # how many bytes fit into the buffer for sure

    @micropython.native
    def read(self, into: bytearray, most: int) -> int:
        """Put what is there at the beginning of `into`, `most` bytes at most; how many."""
        byte = self._byte
        poll = self._poll.ipoll
        count = 0
        while count < most:
            there = 0
            for _ in poll(0):
                there = self._in.readinto(byte) or 0
            if not there:
                return count
            into[count] = byte[0]
            count += 1
        return count

    def write(self, line: bytes) -> bool:
        """Queue a whole line, or refuse it whole if the host is not taking what is queued."""
        if self._queued + len(line) > self.QUEUE_MAX:
            return False
        self._lines.append(line)
        self._queued += len(line)
        return True

    @property
    def idle(self) -> bool:
        """Whether nothing is queued."""
        return not self._queued

    @property
    def end(self) -> int:
        """How many bytes will have been sent, modulo 2**30, when nothing is queued any more."""
        return (self._sent + self._queued) & self.COUNTER

    def taken(self, end: int) -> None:
        """The host has read everything up to there: the buffer holds only what was sent since."""
        since = (self._sent - end) & self.COUNTER
        self._room = max(self.BUFFER - since, 0)

    @micropython.native
    def flush(self) -> None:
        """Send some of what is queued, as far as the host takes it. Called once a tick."""
        if not self._queued:
            return
        line = self._lines[0]
        left = len(line) - self._begun
        count = 0
        if left <= self._room and not self._begun:
            count = left
            self._out.write(line)  # fits, so all of it
        while count < left and count < self.SINGLE_MAX and self._takes():
            self._byte[0] = line[self._begun + count]
            self._out.write(self._byte)
            count += 1
        self._sent = (self._sent + count) & self.COUNTER
        self._queued -= count
        self._room = self._room - count if count < self._room else 0
        self._begun += count
        if count == left:
            self._begun = 0
            self._lines.pop(0)

    @micropython.native
    def _takes(self) -> bool:
        for _ in self._poll_out.ipoll(0):
            return True
        return False


def _input(gpio: int) -> Pin:
    return Pin(gpio, Pin.IN, Pin.PULL_DOWN)


def _on_opening(gpio: int, handler: "Callable[[Pin], None]") -> "Interrupt":
    """Call `handler` in a hard interrupt whenever the contact opens."""
    return _input(gpio).irq(handler, Pin.IRQ_FALLING, hard=True)  # type: ignore
