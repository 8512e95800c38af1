"""Stand-in for MicroPython's `rp2` on the Pico: the one PIO program that drives K1, as a model.

Models what `firmware/pulse.py` relies on: a word is a burst of (its low three bits + 1) pulses,
bursts follow each other, a starved machine is silent, an inactive one too; an instruction that is
executed by hand drains the queue or sets the pin.
"""

import world

FIFO_WORDS = 4
CYCLES_PER_PULSE = 16
PULL = 0x8080
PIN_LOW = 0xA042
PIN_HIGH = 0xB042


class PIO:
    OUT_LOW = 0
    SHIFT_LEFT = 0
    SHIFT_RIGHT = 1


def asm_pio(sideset_init, out_shiftdir=PIO.SHIFT_LEFT):
    """As on the chip, words are shifted out from the left unless the program says otherwise."""
    if out_shiftdir != PIO.SHIFT_RIGHT:
        raise ValueError("this model knows words that are shifted out to the right only")
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

    def exec(self, instruction):
        if instruction == PULL:
            self._ends = self._ends[:-1]
        elif instruction in (PIN_LOW, PIN_HIGH):
            world.world.plant.k1_level(1 if instruction == PIN_HIGH else 0)
        else:
            raise ValueError("an instruction that this model does not know")

    def tx_fifo(self):
        """Words waiting: all that are not done, less the one that is being sent."""
        now = world.world.plant.now
        self._ends = [end for end in self._ends if end > now]
        return max(0, len(self._ends) - 1)

    def put(self, word):
        if not self._active or self.tx_fifo() >= FIFO_WORDS:
            return  # the chip would wait for room; the firmware asks before it puts
        begin = self._ends[-1] if self._ends else world.world.plant.now
        self._ends.append(begin + world.world.lasts(((word & 7) + 1) * self._pulse_us))
        world.world.plant.pulses(self._ends[-1])
