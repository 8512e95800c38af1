"""K1's drive: pulses that a PIO state machine emits only while the control loop feeds it (SR-14).

A level on the pin, high or low, holds nothing: the relay's driver is fed through capacitors.
"""

import micropython
import rp2
from machine import Pin

TYPE_CHECKING = False
if TYPE_CHECKING:  # the assembler's names, which asm_pio defines while it runs the program
    from rp2.asm_pio import *

PULSE_HZ = 8000
CYCLES_PER_PULSE = 16
FIFO_WORDS = 4
PULSES_PER_WORD = 8  # 1 ms: one word a control tick
WORDS_AHEAD = 2  # queued, so that a late tick leaves no gap

# Instructions that are executed by hand while the state machine is off (RP2040 datasheet 3.4).
PULL = 0x8080  # pull(noblock).side(0): takes one word out of the queue
PIN_LOW = 0xA042  # nop().side(0)
PIN_HIGH = 0xB042  # nop().side(1)


@rp2.asm_pio(sideset_init=rp2.PIO.OUT_LOW, out_shiftdir=rp2.PIO.SHIFT_RIGHT)
def burst() -> None:
    """One word, one burst; starved, it waits at the top with the pin low.

    Only the three lowest bits of the word count: whatever is written, a word lasts 8 pulses (1 ms)
    at most.
    """
    wrap_target()
    pull(block).side(0)
    out(x, 3).side(0)
    label("pulse")
    nop().side(1)[7]
    jmp(x_dec, "pulse").side(0)[7]
    wrap()


class PulseChannel:
    """Feeds the state machine, or stops it."""

    def __init__(self, gpio: int) -> None:
        self._machine = rp2.StateMachine(
            0, burst, freq=PULSE_HZ * CYCLES_PER_PULSE, sideset_base=Pin(gpio, Pin.OUT, value=0)
        )
        self._on = False

    @micropython.native
    def off(self) -> None:
        """End the pulses now, with the pin low. Safe in an interrupt."""
        self._on = False
        self._machine.active(0)
        self._machine.exec(PIN_LOW)

    def level(self) -> None:
        """The pin high, without a pulse from tick to tick (SR-13)."""
        self._on = False
        self._machine.active(0)
        self._machine.exec(PIN_HIGH)

    def starve(self) -> None:
        """Switched on and not fed (SR-13)."""
        if not self._on:
            self._start()

    @micropython.native
    def pulse(self) -> None:
        """Keep the pulses going for another tick. Called once a tick."""
        if not self._on:
            self._start()
        while self._machine.tx_fifo() < WORDS_AHEAD:
            self._machine.put(PULSES_PER_WORD - 1)

    @micropython.native
    def _start(self) -> None:
        self.off()
        for _ in range(FIFO_WORDS):  # what was left there when it went off
            self._machine.exec(PULL)
        self._on = True
        self._machine.restart()
        self._machine.active(1)
