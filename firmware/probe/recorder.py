"""The probe's eyes: every change of the sense inputs with its time, without the processor.

A state machine samples all of them at once every microsecond, and counts; DMA puts what changed
into memory. So the resolution is 1 us, whatever the program does; after a change the next sample
is 2 us later. A second state machine makes a level out of K1's pulses, which would fill any
memory: high while its pin changes at least every 128 us (so it falls 128 us after the last edge).
"""

import array
import time

import harness
import machine
import rp2
from machine import Pin

TYPE_CHECKING = False
if TYPE_CHECKING:  # the assembler's names, which asm_pio defines while it runs the program
    from rp2.asm_pio import *

RECORDS = 2048
SAMPLE_HZ = 8_000_000  # eight cycles a sample
PULSES_HZ = 500_000
CLOCK_HZ = 125_000_000  # of which both are whole parts, in 256ths
MASK = 0xFFFFFFFF
DREQ_RX0 = 4  # of PIO0's first state machine (RP2040 datasheet 2.5.3.1)
GPIO_IN = 0xD0000004
FDEBUG = 0x50200008  # of PIO0, datasheet 3.7
RX_STALLED = 1  # a word was lost, because the queue was full


@rp2.asm_pio(in_shiftdir=rp2.PIO.SHIFT_LEFT, fifo_join=rp2.PIO.JOIN_RX)
def record() -> None:
    """Two words for each change: the levels, and a count that falls by one in eight cycles.

    x counts, y holds the levels of the last sample, at first none that could be.
    """
    mov(x, invert(null))
    mov(y, invert(null))
    wrap_target()
    label("sample")
    mov(osr, x)
    mov(isr, null)
    in_(pins, 12)
    mov(x, isr)
    jmp(x_not_y, "changed")
    mov(x, osr)
    jmp(x_dec, "sample")[1]
    jmp("sample")
    label("changed")
    mov(y, x)
    push(noblock)
    mov(isr, osr)
    push(noblock)
    mov(x, osr)
    jmp(x_dec, "second")
    label("second")
    jmp(x_dec, "sample")[4]
    wrap()


@rp2.asm_pio(sideset_init=rp2.PIO.OUT_LOW)
def pulses() -> None:
    """High from a rising edge on, while no level lasts for 64 cycles."""
    wrap_target()
    label("silent")
    wait(0, pin, 0).side(0)
    wait(1, pin, 0).side(0)
    label("risen")
    set(x, 31).side(1)
    label("high")
    jmp(pin, "still_high").side(1)
    jmp("fallen").side(1)
    label("still_high")
    jmp(x_dec, "high").side(1)
    jmp("silent").side(1)
    label("fallen")
    set(x, 31).side(1)
    label("low")
    jmp(pin, "risen").side(1)
    jmp(x_dec, "low").side(1)
    wrap()


class Recorder:
    """Records from `arm` on."""

    def __init__(self) -> None:
        machine.freq(CLOCK_HZ)
        self._words = array.array("I", bytes(8 * RECORDS))
        for gpio in range(harness.FIRST_SENSE, harness.FIRST_SENSE + harness.SENSED):
            Pin(gpio, Pin.IN, Pin.PULL_DOWN)
        raw = Pin(harness.K1, Pin.IN, Pin.PULL_DOWN)
        self._pulses = rp2.StateMachine(
            1,
            pulses,
            freq=PULSES_HZ,
            in_base=raw,
            jmp_pin=raw,
            sideset_base=Pin(harness.K1_PULSES, Pin.OUT, value=0),
        )
        self._pulses.active(1)
        self._record = rp2.StateMachine(
            0, record, freq=SAMPLE_HZ, in_base=Pin(harness.FIRST_SENSE)
        )
        self._dma = rp2.DMA()
        self._began = time.ticks_us()
        self.arm()

    def arm(self) -> None:
        """Forget what was recorded; time begins anew."""
        self._record.active(0)
        self._dma.active(0)
        while self._record.rx_fifo():
            self._record.get()
        machine.mem32[FDEBUG] = RX_STALLED
        self._record.restart()
        control = self._dma.pack_ctrl(size=2, inc_read=False, treq_sel=DREQ_RX0)
        self._dma.config(
            read=self._record,
            write=self._words,
            count=len(self._words),
            ctrl=control,
            trigger=True,
        )
        self._record.active(1)
        self._began = time.ticks_us()

    def now(self) -> int:
        """Time since `arm`, us; for eight minutes."""
        return time.ticks_diff(time.ticks_us(), self._began)

    @property
    def count(self) -> int:
        """How many changes were recorded. The first one is what was there at first."""
        left: int = self._dma.count  # type: ignore[attr-defined]  # the stubs do not know it
        return (len(self._words) - left) // 2

    @property
    def lost(self) -> bool:
        """Whether some could not be."""
        return bool(machine.mem32[FDEBUG] & RX_STALLED) or self.count == RECORDS

    def at(self, index: int) -> "tuple[int, int]":
        """Time and levels of one."""
        return MASK - self._words[2 * index + 1], self._words[2 * index]

    def levels(self) -> int:
        """Of all senses now."""
        return machine.mem32[GPIO_IN] >> harness.FIRST_SENSE & (1 << harness.SENSED) - 1
