"""Stand-in for `rp2` on the probe: what the recorder's program and its DMA leave in memory.

The programs themselves run in emulators of the PIO, in the tests.
"""

from machine import wires

MASK = 0xFFFFFFFF


class PIO:
    OUT_LOW = 0
    SHIFT_LEFT = 0
    JOIN_RX = 2


def asm_pio(**settings):
    return lambda program: program


class StateMachine:
    def __init__(self, number, program, **settings):
        self._number = number

    def active(self, on):
        if on and self._number == 0:
            wires.arm()

    def restart(self):
        pass

    def rx_fifo(self):
        return 0


class DMA:
    def __init__(self):
        self._words = []
        self._filled = 0

    def active(self, on):
        pass

    def pack_ctrl(self, **settings):
        return 0

    def config(self, read, write, count, ctrl, trigger):
        self._words = write
        self._filled = 0

    @property
    def count(self):
        """Words that are still to be written: each change takes two."""
        wires.look()
        for after, levels in wires.changes:
            if self._filled < len(self._words):
                self._words[self._filled] = levels
                self._words[self._filled + 1] = MASK - after
                self._filled += 2
        wires.changes = []
        return len(self._words) - self._filled
