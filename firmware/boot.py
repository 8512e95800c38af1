"""Runs first: outputs off. Then, in operation, all that can fail, before USB is there (SR-19).

MicroPython (1.23 and later) starts USB when this script has ended. What goes wrong here ends in a
chip reset with the outputs off, and no host ever sees a port. The script depends on no other file,
so that none that is missing or damaged can let it pass: its numbers are those of pins.py.

The key switch is read here, once. In maintenance nothing is loaded, and so main.py runs nothing;
turning the key back resets the chip, which closes the prompt.
"""

import binascii
import gc
import hashlib
import time

import machine
from machine import Pin

OUTPUTS = (16, 17, 18)  # K1, K2, WATCHDOG
KEY = 7
KEY_MS = 20  # closed for so long, it is in maintenance; open at any moment, it is not
MAIN = b"6166aeed2d538fb4250de2e570196fdcdf8a6fb8b1089c304d0ab2a264cc0ac7"


def in_maintenance(key: Pin) -> bool:
    """Whether the key switch is."""
    for _ in range(KEY_MS):
        if not key.value():
            return False
        time.sleep_ms(1)
    return True


def load() -> None:
    """Everything that the controller needs, if main.py is what will start it."""
    with open("main.py", "rb") as file:
        if binascii.hexlify(hashlib.sha256(file.read()).digest()) != MAIN:
            raise ValueError("main.py is damaged")
    # What compiling leaves is collected at once, or the modules would lie all over the heap, and
    # every later collection would take half as long again.
    gc.threshold(8192)
    import attest
    import controller  # noqa: F401  main.py looks whether it is there

    attest.measure()
    gc.threshold(-1)


try:
    for gpio in OUTPUTS:
        Pin(gpio, Pin.OUT, value=0)
    key = Pin(KEY, Pin.IN, Pin.PULL_DOWN)
    if in_maintenance(key):
        key.irq(lambda _: machine.reset(), Pin.IRQ_FALLING)
    else:
        load()
except BaseException:
    machine.reset()
