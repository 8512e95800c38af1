"""Runs after boot.py: the control loop, and nothing but a chip reset when it ends."""

import micropython

micropython.kbd_intr(-1)  # first, or one 0x03 on the link would end the program

import machine  # noqa: E402

try:
    import controller

    controller.run()
finally:
    machine.reset()
