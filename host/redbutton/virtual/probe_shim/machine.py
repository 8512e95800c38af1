"""Stand-in for MicroPython's `machine` on the probe: pins on two pipes to what is wired to them.

usage: micropython main.py MOVED SEEN    open file descriptors. Lines:
out, on MOVED:  GPIO LEVEL US    a pin of the probe was set, by this machine's monotonic clock
in, on SEEN:    US LEVELS        so the senses are from then on, as bits from FIRST_SENSE on
"""

import select
import sys

import utime
from umachine import *

GPIO_IN = 0xD0000004


class Wires:
    """Both pipes, and what was seen on them."""

    def __init__(self):
        self._out = open(int(sys.argv[1]), "wb", 0)
        self._in = open(int(sys.argv[2]), "rb", 0)
        self._poll = select.poll()
        self._poll.register(self._in, select.POLLIN)
        self.levels = 0
        self.began = utime.ticks_us()  # of the recorder
        self.changes = []  # (us since then, levels), not taken by its DMA yet

    def move(self, gpio, level):
        self._out.write(f"{gpio} {level} {utime.ticks_us()}\n".encode())

    def look(self):
        while self._poll.poll(0):
            line = self._in.readline()
            if not line:
                raise SystemExit(0)  # the harness is gone
            at, levels = line.split()
            self.levels = int(levels)
            after = utime.ticks_diff(int(at), self.began)
            self.changes.append((max(0, after), self.levels))
        return self.levels

    def arm(self):
        self.look()
        self.began = utime.ticks_us()
        self.changes = [(0, self.levels)]


wires = Wires()


class Pin:
    IN = 0
    OUT = 1
    PULL_DOWN = 2

    def __init__(self, gpio, mode=IN, pull=None, *, value=None):
        self._gpio = gpio
        self._level = 0
        if value is not None:
            self.value(value)

    def value(self, level):
        if level != self._level:
            self._level = level
            wires.move(self._gpio, level)


class _Registers:
    def __getitem__(self, address):
        return wires.look() if address == GPIO_IN else 0  # no word of the recorder is ever lost

    def __setitem__(self, address, value):
        pass


mem32 = _Registers()


class WDT:
    """The chip's watchdog bites if it is not fed; here nothing does."""

    def __init__(self, timeout):
        pass

    def feed(self):
        pass


def freq(hz):
    """Times are this machine's."""


def reset():
    raise SystemExit(1)


def unique_id():
    return b"VPROBE01"
