"""Stand-in for MicroPython's `machine` on the Pico: pins wired to the plant."""

import pins
import world
from umachine import *

PWRON_RESET = 1
WDT_RESET = 3

_INPUTS = {
    pins.CONTACT_A: "contact_a",
    pins.CONTACT_B: "contact_b",
    pins.MIRROR_1: "mirror_1",
    pins.MIRROR_2: "mirror_2",
    pins.RESET: "reset",
    pins.KEY: "key",
    pins.SUPPLY: "supply",
}
_LAMPS = {
    pins.LAMP_RED: "lamp_red",
    pins.LAMP_GREEN: "lamp_green",
    pins.BUZZER: "buzzer",
}
GPIO_IN = 0xD0000004
_cause = PWRON_RESET


class Pin:
    """A GPIO. K1's is driven by its state machine, see rp2.py."""

    IN = 0
    OUT = 1
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_FALLING = 4
    IRQ_RISING = 8

    def __init__(self, gpio, mode=IN, pull=None, *, value=None):
        self.gpio = gpio
        self._level = 0
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return world.world.plant.sense(_INPUTS[self.gpio])
        level = 1 if level else 0
        plant = world.world.plant
        if self.gpio == pins.K2:
            plant.k2(level)
        elif self.gpio == pins.WATCHDOG and level and not self._level:
            plant.feed()
        elif self.gpio in _LAMPS:
            plant.lamp(_LAMPS[self.gpio], level)
        self._level = level
        return None

    def irq(self, handler=None, trigger=IRQ_FALLING, hard=False):
        """Only falling edges are modelled. As on the chip, a handler that raises is removed."""
        name = _INPUTS[self.gpio]

        def fall():
            try:
                handler(self)
            except Exception:
                world.world.falling.pop(name, None)

        if name not in world.world.lost:
            world.world.falling[name] = fall
        return Interrupt(name, trigger)


class Interrupt:
    """What `Pin.irq` returns."""

    def __init__(self, name, trigger):
        self._name = name
        self._trigger = trigger

    def trigger(self):
        """The edges that still call the handler: none once it was removed."""
        return self._trigger if self._name in world.world.falling else 0


class _Registers:
    """The registers of the chip that the firmware reads and writes itself."""

    def __init__(self):
        self.values = {}  # of those that nothing stands behind

    def __getitem__(self, address):
        if address != GPIO_IN:
            return self.values[address]
        plant = world.world.plant
        levels = 0
        for gpio, name in _INPUTS.items():
            levels |= plant.sense(name) << gpio
        return levels

    def __setitem__(self, address, value):
        self.values[address] = value


mem32 = _Registers()


def freq(hz):
    """Time passes as the world says, whatever the chip's clock does."""


def disable_irq():
    """Interrupts come between ticks only, see world.py."""
    return True


def enable_irq(state):
    pass


class WDT:
    """The chip's watchdog."""

    def __init__(self, id=0, timeout=5000):
        self._timeout = timeout * 1000
        self.feed()

    def feed(self):
        world.world.watchdog_due = world.world.plant.now + world.world.lasts(self._timeout)


def reset():
    if world.world.over:
        world.world.end()
    raise world.world.thrown or world.ChipReset(world.world.resetting or "reset")


def reset_cause():
    return _cause


def unique_id():
    """In real time another one: there the chip's clock stands still while the computer is too
    busy, and the host must know that before it takes it for a wrong one."""
    return b"VIRTUAL1" if world.world.realtime else b"LOCKSTEP"
