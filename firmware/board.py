"""The hardware: pins, pulse channel, chip watchdog, serial port, flash. Decides nothing."""

import os
import select
import sys

import decide
import machine
import pins
from machine import Pin
from pulse import PulseChannel

WATCHDOG_MS = 400
LOCKOUT_FILE = "lockout"


class Board:
    """The controller board."""

    def __init__(self) -> None:
        self._k1 = PulseChannel(pins.K1)
        self._k2 = Pin(pins.K2, Pin.OUT, value=0)
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
        for gpio, handler in (
            (pins.CONTACT_A, self._contact_a_opened),
            (pins.CONTACT_B, self._contact_b_opened),
        ):
            _input(gpio).irq(handler, Pin.IRQ_FALLING, hard=True)
        self.port = Port()
        self._watchdog: machine.WDT | None = None

    # The interrupt handlers must not allocate: one that raises is silently removed.

    def _contact_a_opened(self, _: Pin) -> None:
        self._openings_a = (self._openings_a + 1) & 0xFFFF
        self._k1.drive(0)
        self._k2.value(0)

    def _contact_b_opened(self, _: Pin) -> None:
        self._openings_b = (self._openings_b + 1) & 0xFFFF
        self._k1.drive(0)
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
        return bits

    def drive(self, outputs: int) -> None:
        """Write both relay outputs. K1 must be driven again every tick, or it drops."""
        self._k1.drive(outputs & decide.K1)
        self._k2.value(1 if outputs & decide.K2 else 0)
        if self._openings_a != self._seen_a or self._openings_b != self._seen_b:
            self._k1.drive(0)  # opened since `inputs`: the next tick will see it
            self._k2.value(0)

    def start_watchdog(self) -> None:
        """From now on `feed_watchdog` must come at least every WATCHDOG_MS."""
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def feed_watchdog(self) -> None:
        """After a control tick that ran every step, and nowhere else (SR-15)."""
        if self._watchdog is not None:
            self._watchdog.feed()

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
        except OSError:
            return 0 if LOCKOUT_FILE not in os.listdir() else decide.INTERNAL
        except ValueError:
            return decide.INTERNAL

    def record_lockout(self, causes: int) -> None:
        """Remember a lockout over power cycles. A flash that fails changes nothing else."""
        try:
            with open(LOCKOUT_FILE, "w") as file:
                file.write(str(causes))
        except OSError:
            pass

    def clear_lockout(self) -> None:
        """Forget the recorded lockout."""
        if LOCKOUT_FILE in os.listdir():
            os.remove(LOCKOUT_FILE)


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
            if event & select.POLLIN and self._in.readinto(self._byte):
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
