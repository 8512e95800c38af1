"""Stand-in for MicroPython's `rp2` on the Pico: the one PIO program that drives K1, as a model.

Models what `firmware/pulse.py` relies on: a word is a burst of (its low four bits + 1) pulses,
bursts follow each other, a starved machine is silent, an inactive one too.
"""

import world

FIFO_WORDS = 4
CYCLES_PER_PULSE = 16


class PIO:
    OUT_LOW = 0


def asm_pio(**settings):
    return lambda program: program


class StateMachine:
    def __init__(self, id, program, freq, sideset_base=None):
        self._pulse_us = 1000000 * CYCLES_PER_PULSE // freq
        self._active = False
        self._ends = []  # when each word that was put is done

    def active(self, on):
        if bool(on) == self._active:
            return
        self._active = bool(on)
        self._ends = []
        world.world.plant.pulses(world.world.plant.now)

    def restart(self):
        self._ends = []

    def tx_fifo(self):
        """Words waiting: all that are not done, less the one that is being sent."""
        now = world.world.plant.now
        self._ends = [end for end in self._ends if end > now]
        return max(0, len(self._ends) - 1)

    def put(self, word):
        if not self._active or self.tx_fifo() >= FIFO_WORDS:
            return  # the chip would wait for room; the firmware asks before it puts
        begin = self._ends[-1] if self._ends else world.world.plant.now
        self._ends.append(begin + ((word & 0xF) + 1) * self._pulse_us)
        world.world.plant.pulses(self._ends[-1])
