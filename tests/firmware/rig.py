"""The decision, wired to a plant in which nothing is wrong except what a test asks for.

Limits are written out here and in the tests, not taken from the code under test.
"""

from typing import Any

from redbutton.firmware import decide
from redbutton.firmware.decide import (
    CONTACT_A,
    CONTACT_B,
    INTERRUPTS,
    K1,
    K2,
    LINK_KEY,
    MIRROR_1,
    MIRROR_2,
    POWER_UP,
    RESET_PRESSED,
    STOP_CATEGORY_1,
    SUPPLY,
    WATCHDOG_STARVED,
)

FRESH = 2  # age in ms of the challenge that a healthy host answers
SETTLE_MS = 50
TEST_MS = 600  # more than the test before energising takes with the slowest relays
NEVER = 10**9
WELL = CONTACT_A | CONTACT_B | SUPPLY | LINK_KEY | INTERRUPTS
MIRRORS = MIRROR_1 | MIRROR_2
BUTTON = CONTACT_A | CONTACT_B


class Relay:
    """Main and mirror contacts are coupled: never closed both."""

    def __init__(self, pull_in_ms: int, drop_out_ms: int) -> None:
        self.pull_in_ms = pull_in_ms
        self.drop_out_ms = drop_out_ms
        self.pulled_in = False
        self._moving_ms = 0

    def run(self, elapsed: int, coil: bool) -> None:
        """The contacts move when the coil has been at it for long enough without a break."""
        if coil == self.pulled_in:
            self._moving_ms = 0
            return
        self._moving_ms += elapsed
        if self._moving_ms >= (self.pull_in_ms if coil else self.drop_out_ms):
            self.pulled_in = coil
            self._moving_ms = 0


class Plant:
    """Both relays as the outputs drive them. The arguments are what can be wrong with that.

    K1 hangs on pulses. K2 hangs on its pin and on its watchdog's latch, which a rising pin sets
    and a starved watchdog clears. A relay takes so many ms to pull in and to drop out; K2 does
    not move for the 4 ms that a pulse of the test can last in ticks that are in time.
    """

    def __init__(
        self,
        k1_ms: tuple[int, int] = (1, 1),
        k2_ms: tuple[int, int] = (5, 1),
        k1_pulls_in_on: int = K1,
        k2_needs_pin: bool = True,
        k2_needs_latch: bool = True,
        latch_needs_rising_pin: bool = True,
        mirror_1_moves_with: tuple[str, ...] = ("K1",),
        mirror_2_moves_with: tuple[str, ...] = ("K2",),
    ) -> None:
        self.k1 = Relay(*k1_ms)
        self.k2 = Relay(*k2_ms)
        self.k1_pulls_in_on = k1_pulls_in_on
        self.k2_needs_pin = k2_needs_pin
        self.k2_needs_latch = k2_needs_latch
        self.latch_needs_rising_pin = latch_needs_rising_pin
        self.mirror_1_moves_with = mirror_1_moves_with
        self.mirror_2_moves_with = mirror_2_moves_with
        self.outputs = 0
        self._latched = False

    def run(self, elapsed: int) -> None:
        """The time since the last tick goes by."""
        pin = bool(self.outputs & K2) or not self.k2_needs_pin
        latch = self._latched or not self.k2_needs_latch
        self.k1.run(elapsed, bool(self.outputs & self.k1_pulls_in_on))
        self.k2.run(elapsed, pin and latch)

    def drive(self, outputs: int) -> None:
        """What the tick has decided."""
        rises = outputs & K2 and not self.outputs & K2
        if outputs & WATCHDOG_STARVED:
            self._latched = False
        elif rises or (outputs & K2 and not self.latch_needs_rising_pin):
            self._latched = True
        self.outputs = outputs

    @property
    def load(self) -> bool:
        """Whether the load is energised: both relays in series have pulled in."""
        return self.k1.pulled_in and self.k2.pulled_in

    @property
    def mirrors(self) -> int:
        """The mirror contacts that are closed now."""
        pulled_in = {"K1": self.k1.pulled_in, "K2": self.k2.pulled_in}
        mirrors = 0
        if not any(pulled_in[name] for name in self.mirror_1_moves_with):
            mirrors |= MIRROR_1
        if not any(pulled_in[name] for name in self.mirror_2_moves_with):
            mirrors |= MIRROR_2
        return mirrors


class Rig:
    """One `Decide`, and a plant of which nothing is wrong unless given."""

    def __init__(self, plant: "Plant | None" = None, **settings: int) -> None:
        arguments = {"heartbeat_timeout": 100, "stop_delay": 0, "boot_cause": POWER_UP}
        self.decide = decide.Decide(**{**arguments, **settings})
        self.plant = plant or Plant()
        self.outputs = 0

    @property
    def state(self) -> str:
        return decide.STATE_NAMES[self.decide.state]

    @property
    def first(self) -> "str | None":
        index = self.decide.first
        return None if index == decide.NO_CAUSE else decide.CAUSES[index][0]

    @property
    def tripped(self) -> "str | None":
        index = self.decide.tripped
        return None if index == decide.NO_CAUSE else decide.CAUSES[index][0]

    @property
    def causes(self) -> set[str]:
        return names(self.decide.causes)

    @property
    def present(self) -> set[str]:
        return names(self.decide.present)

    def tick(
        self, elapsed: int = 1, *, opened: int = 0, closed: int = 0, heartbeat: int = FRESH
    ) -> int:
        """One tick with the inputs `opened` cleared and `closed` set; the outputs."""
        self.plant.run(max(elapsed, 0))
        return self.step(elapsed, (WELL | self.plant.mirrors) & ~opened | closed, heartbeat)

    def step(self, elapsed: int, inputs: int, heartbeat: int) -> int:
        """One tick with these inputs, whatever the plant says; the outputs."""
        self.outputs = self.decide.step(elapsed, inputs, heartbeat)
        self.plant.drive(self.outputs)
        return self.outputs

    def wait(self, ms: int, *, opened: int = 0, closed: int = 0, heartbeat: int = FRESH) -> None:
        """Ticks of one ms."""
        for _ in range(ms):
            self.tick(opened=opened, closed=closed, heartbeat=heartbeat)

    def press(self, ms: int) -> None:
        """Hold the reset button for `ms` and let it go; its release has settled at the end."""
        self.wait(ms, closed=RESET_PRESSED)
        self.wait(SETTLE_MS)

    def reset(self) -> None:
        """A good press of the reset button, and the time that the test takes after it."""
        self.press(200)
        self.wait(TEST_MS)


def names(causes: int) -> set[str]:
    """The names of a bit mask over CAUSES."""
    return {name for bit, (name, _) in enumerate(decide.CAUSES) if causes >> bit & 1}


def stopped(**settings: Any) -> Rig:
    """Powered up, host alive, reset button at rest: a reset would act."""
    rig = Rig(**settings)
    rig.wait(60)
    assert rig.state == "STOPPED" and not rig.present
    return rig


def about_to_test(**settings: Any) -> Rig:
    """One tick before the release of the reset button acts."""
    rig = stopped(**settings)
    rig.wait(200, closed=RESET_PRESSED)
    rig.wait(SETTLE_MS - 1)
    assert rig.state == "STOPPED"
    return rig


def under_test(**settings: Any) -> Rig:
    """In the tick that took the reset."""
    rig = about_to_test(**settings)
    rig.tick()
    assert rig.state == "TESTING"
    return rig


def energised(**settings: Any) -> Rig:
    """In the tick that passed the test: the first of RUN, the mirror contacts still closed."""
    rig = under_test(**settings)
    for _ in range(TEST_MS):
        if rig.state != "TESTING":
            break
        rig.tick()
    assert rig.state == "RUN"
    return rig


def running(**settings: Any) -> Rig:
    """Energised, and the mirror contacts have followed."""
    rig = energised(**settings)
    rig.wait(max(rig.plant.k1.pull_in_ms, rig.plant.k2.pull_in_ms))
    return rig


def stopping(stop_delay: int = 300, **settings: Any) -> Rig:
    """In the tick that took a request for a stop of category 1."""
    rig = running(stop_delay=stop_delay, **settings)
    rig.tick(closed=STOP_CATEGORY_1)
    assert rig.state == "STOPPING"
    return rig


def locked_out(**settings: Any) -> Rig:
    """Locked out by contacts that disagreed, and agree again."""
    rig = running(**settings)
    rig.wait(101, opened=CONTACT_A)
    rig.tick()
    assert rig.state == "LOCKOUT"
    return rig


IN_STATE = {
    "STOPPED": stopped,
    "TESTING": under_test,
    "RUN": running,
    "STOPPING": stopping,
    "LOCKOUT": locked_out,
}
