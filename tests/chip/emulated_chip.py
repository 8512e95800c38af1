"""A whole RP2040 in rp2040py: flash, pins, USB serial, watchdog, and a clock of its own.

Time is the emulator's: cycles of a chip at 200 MHz, without the flash's stalls. It moves only in
`run`.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rp2040py import GPIOPinState
from rp2040py.boards import BOARDS, resolve_layout
from rp2040py.clock.simulation_clock import SimulationClock
from rp2040py.device import BaseDevice, ResetCause
from rp2040py.peripherals.peripheral import UnimplementedPeripheral
from rp2040py.rp2040 import RP2040

BOARD = BOARDS["pico"]
LAYOUT = resolve_layout(BOARD, "micropython")
SERIAL_ROOM = 512  # bytes that the emulated host controller holds for the chip
RING_OSCILLATOR = 0x40060  # the emulator's key for 0x40060000
RANDOM_BIT = 0x1C
CLOCK_HZ = 200_000_000  # board.py sets it
Watcher = Callable[[float, int], None]


class Clock(SimulationClock):
    """What the chip's peripherals and the bench take for the time.

    The emulator lets 8 ns pass with each cycle, whatever clock the firmware sets. This one shows
    them as the 5 ns that they are at 200 MHz, from power-up on: the time until the firmware sets
    its clock is shown too short.
    """

    SHOWN = 125_000_000 / CLOCK_HZ

    @property
    def nanos(self) -> float:
        """Since power-up."""
        return float(super().nanos) * self.SHOWN

    @property
    def micros(self) -> float:
        """The same in microseconds."""
        return self.nanos / 1000

    def link_alarm(self, nanos: float, alarm: object) -> object:
        """Set an alarm for so long from now."""
        return super().link_alarm(nanos / self.SHOWN, alarm)


@dataclass(frozen=True)
class Reset:
    """The chip was reset at `us`."""

    us: float
    cause: ResetCause


class _Device(BaseDevice):
    """Tells of every reset."""

    on_reset: Callable[[ResetCause], None] | None = None

    def hard_reset(self, *, cause: ResetCause = ResetCause.RUN_PIN) -> None:
        super().hard_reset(cause=cause)
        if self.on_reset:
            self.on_reset(cause)


class RingOscillator(UnimplementedPeripheral):
    """Its random bit, from which MicroPython makes `os.urandom`; the emulator has none."""

    _random = random.Random(1)

    def read_uint32(self, offset: int) -> int:
        if offset == RANDOM_BIT:
            return self._random.getrandbits(1)
        return int(super().read_uint32(offset))


class Chip:
    """One chip with a UF2 image and, if given, a file system in its flash. Close it when done."""

    def __init__(self, uf2: Path, filesystem: bytes | None = None) -> None:
        spec = replace(BOARD, image=uf2, layout=LAYOUT, mcu=lambda _: RP2040(Clock()))
        self._device = _Device(board=spec)
        self._device.on_reset = self._was_reset
        self.mcu = self._device.mcu
        self.mcu.peripherals[RING_OSCILLATOR] = RingOscillator(self.mcu, "ROSC_BASE")
        if filesystem is not None:
            self.filesystem = filesystem
        self._simulator = self._device.simulator
        self._loop = asyncio.new_event_loop()
        self._watchers: dict[int, list[Watcher]] = {}
        self._received = bytearray()
        self._to_send = bytearray()
        self._error: BaseException | None = None
        self._levels: dict[int, int] = {}
        self.resets: list[Reset] = []
        self.cdc = self._device.cdc
        self.cdc.on_serial_data = self._received.extend
        self.every(100, self._send)
        self.mcu.leave_reset()

    def __enter__(self) -> "Chip":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        self._simulator.stop()
        self._loop.close()

    # --- time

    @property
    def us(self) -> float:
        """Emulated microseconds since power-up."""
        return float(self.mcu.clock.nanos) / 1000

    @property
    def now(self) -> float:
        """The same in seconds."""
        return self.us / 1e6

    def run(self, ms: float) -> None:
        """Let so much emulated time go by; raises what a callback raised."""
        self.after(ms * 1000, self._simulator.stop)
        self._loop.run_until_complete(self._simulator.execute())
        if self._error:
            error, self._error = self._error, None
            raise error

    def run_until(self, condition: Callable[[], object], ms: float, step_ms: float = 1) -> bool:
        """Run until the condition holds, for `ms` at most; whether it came to hold."""
        end = self.us + ms * 1000
        while not condition():
            if self.us >= end:
                return False
            self.run(step_ms)
        return True

    def after(self, us: float, act: Callable[[], object]) -> None:
        """Call `act` in so many microseconds of emulated time."""
        self.mcu.clock.create_alarm(lambda: self._guarded(act)).schedule(us * 1000)

    def every(self, us: float, act: Callable[[], object]) -> None:
        """Call `act` again and again."""

        def again() -> None:
            alarm.schedule(us * 1000)
            self._guarded(act)

        alarm = self.mcu.clock.create_alarm(again)
        alarm.schedule(us * 1000)

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:  # it must not pass through the emulator
            self._error = self._error or error
            self._simulator.stop()

    # --- pins

    def level(self, gpio: int) -> int:
        """1 where the chip drives the pin high; 0 where it drives it low, or not."""
        return 1 if self.mcu.gpio[gpio].value == GPIOPinState.HIGH else 0

    def drive(self, gpio: int, level: int) -> None:
        """What is wired to an input pin: a closed contact is high, an open one low."""
        self.mcu.gpio[gpio].set_input_value(bool(level))

    def watch(self, gpio: int, watcher: Watcher) -> None:
        """Call `watcher(us, level)` whenever the chip changes an output.

        A level that an instruction sets by hand in a state machine that is off is seen by `level`
        and by no watcher: the emulator tells of it only when the state machine runs again.
        """
        if gpio not in self._watchers:
            self._watchers[gpio] = []
            self._levels[gpio] = self.level(gpio)
            self.mcu.gpio[gpio].add_listener(lambda state, before: self._tell(gpio))
        self._watchers[gpio].append(watcher)

    def _tell(self, gpio: int) -> None:
        level = self.level(gpio)
        if level != self._levels[gpio]:
            self._levels[gpio] = level
            for watcher in self._watchers[gpio]:
                self._guarded(lambda watcher=watcher: watcher(self.us, level))

    def _was_reset(self, cause: ResetCause) -> None:
        self.resets.append(Reset(self.us, cause))
        self._to_send.clear()  # the port is gone
        for gpio in self._watchers:  # the emulator tells of no level that a reset ends
            self._tell(gpio)

    # --- serial

    def read(self) -> bytes:
        """What the chip has sent over USB since the last call."""
        data = bytes(self._received)
        self._received.clear()
        return data

    def write(self, data: bytes) -> None:
        """Send over USB, as fast as the chip takes it."""
        self._to_send += data

    @property
    def unsent(self) -> int:
        """Bytes that the chip has not taken."""
        return len(self._to_send) + int(self.cdc.tx_fifo.item_count)

    def _send(self) -> None:
        room = min(SERIAL_ROOM - self.cdc.tx_fifo.item_count, len(self._to_send))
        for byte in self._to_send[:room]:
            self.cdc.send_serial_byte(byte)
        del self._to_send[:room]

    # --- flash

    @property
    def filesystem(self) -> bytes:
        """The part of the flash that holds the file system."""
        start, size = LAYOUT.fs_start, LAYOUT.fs_blocksize * LAYOUT.fs_blockcount
        return bytes(self.mcu.flash[start : start + size])

    @filesystem.setter
    def filesystem(self, image: bytes) -> None:
        start, size = LAYOUT.fs_start, LAYOUT.fs_blocksize * LAYOUT.fs_blockcount
        if len(image) != size:
            raise ValueError(f"a file system of {len(image)} bytes, for {size}")
        self.mcu.flash[start : start + size] = image
