"""Stand-in for `micropython`: run.py puts it into sys.modules, because a file cannot replace it.

Calls are scheduled by the interpreter's own scheduler, under its own lock. Of the chip's USB
driver only what follows is modelled: the interrupt character, and the call that a host schedules
by a line speed of 1200 baud (mp_usbd_cdc.c), see `World._touch`.
"""

import sys

import micropython
import world
from micropython import *


def kbd_intr(char):
    world.world.interrupt_char = char


def schedule(function, argument):
    micropython.schedule(_call, (function, argument))
    for _ in range(2):
        pass  # where the interpreter looks for calls


def _call(what):
    """As on the chip, what is raised is printed and forgotten; but for the end of the chip's life,
    which `World.sleep` raises again."""
    try:
        what[0](what[1])
    except BaseException as error:
        if isinstance(error, world.ChipReset) or world.world.over:
            world.world.thrown = error
        else:
            sys.print_exception(error)
