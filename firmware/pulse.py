"""K1's drive: pulses that a PIO state machine emits only while the control loop feeds it (SR-14).

A level on the pin, high or low, holds nothing: the relay's driver is fed through capacitors.
"""

import rp2
from machine import Pin

TYPE_CHECKING = False
if TYPE_CHECKING:  # the assembler's names, which asm_pio defines while it runs the program
    from rp2.asm_pio import *

PULSE_HZ = 8000
CYCLES_PER_PULSE = 16
PULSES_PER_WORD = 8  # 1 ms: one word a control tick
WORDS_AHEAD = 2  # queued, so that a late tick leaves no gap


@rp2.asm_pio(sideset_init=rp2.PIO.OUT_LOW)
def burst() -> None:
    """One word, one burst; starved, it waits at the top with the pin low.

    Only four bits of the word count: whatever is written, a word lasts 16 pulses (2 ms) at most.
    """
    wrap_target()
    pull(block).side(0)
    out(x, 4).side(0)
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

    def drive(self, on: int) -> None:
        """Keep the pulses going for another tick, or end them now. Called once a tick."""
        if not on:
            self._on = False
            self._machine.active(0)
            return
        if not self._on:
            self._on = True
            self._machine.restart()
            self._machine.active(1)
        while self._machine.tx_fifo() < WORDS_AHEAD:
            self._machine.put(PULSES_PER_WORD - 1)
