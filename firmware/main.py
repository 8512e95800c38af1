"""Runs after boot.py. In operation: the controller, and a chip reset when it ends. In maintenance:
outputs off, and at the end of this script MicroPython offers its prompt (SR-16, SR-19).
"""

import micropython

micropython.kbd_intr(-1)  # first, or one 0x03 on the link would end the program

import sys  # noqa: E402
import time  # noqa: E402

import machine  # noqa: E402


def operate(_: object) -> None:
    """Never ends but by a chip reset, whatever is raised."""
    try:
        import controller

        controller.run()
    finally:
        machine.reset()


if "controller" in sys.modules:  # boot.py loaded it: the key switch is in operation
    # Inside a scheduled call MicroPython makes no other: not even the one that a host asks for by
    # a line speed of 1200 baud, to start the boot loader. USB is served by reading the port.
    micropython.schedule(operate, None)
    time.sleep_ms(10)  # where it is called
    machine.reset()  # unreached: `operate` never ends

import maintenance  # noqa: E402

maintenance.begin()
