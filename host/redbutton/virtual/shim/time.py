"""Stand-in for `time`: virtual time, which moves only while the firmware sleeps."""

import world
from utime import *


def ticks_us():
    return world.world.chip_now() & 0x3FFFFFFF


def ticks_ms():
    return world.world.chip_now() // 1000 & 0x3FFFFFFF


def ticks_add(ticks, delta):
    return ticks + delta & 0x3FFFFFFF


def ticks_diff(end, start):
    return (end - start + 0x20000000 & 0x3FFFFFFF) - 0x20000000


def sleep_us(microseconds):
    world.world.sleep(microseconds)


def sleep_ms(milliseconds):
    world.world.sleep(milliseconds * 1000)
