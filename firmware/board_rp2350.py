"""The hardware of a Raspberry Pi Pico 2: the Pico's, but for what its chip, the RP2350, does else.

Pins, PIO, watchdog and flash are used as on the Pico. Its inputs cannot rely on the pull-downs of
the chip (erratum E9); the circuit has its own at every one of them (hardware/).
"""

import decide
import machine
from board import Board

CHIP_RESET = 0x4010002C  # of POWMAN, RP2350 datasheet 6.4
HAD_BOR = 1 << 17  # the last reset was a brown-out of the core


class BoardRP2350(Board):
    """The controller board with a Pico 2."""

    def set_clock(self) -> None:
        """MicroPython has set it: 150 MHz."""

    def boot_cause(self) -> int:
        """As on the Pico; this chip tells a brown-out from power-up (SR-09)."""
        cause = super().boot_cause()
        if cause == decide.POWER_UP and machine.mem32[CHIP_RESET] & HAD_BOR:
            return decide.BROWN_OUT
        return cause
