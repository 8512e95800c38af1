"""The decision, wired to a plant in which nothing is wrong except what a test asks for.

Limits are written out here and in the tests, not taken from the code under test.
"""

from redbutton.firmware import decide
from redbutton.firmware.decide import (
    CONTACT_A,
    CONTACT_B,
    LINK_KEY,
    MIRROR_1,
    MIRROR_2,
    POWER_UP,
    RESET_PRESSED,
    STOP_CATEGORY_1,
    SUPPLY,
)

FRESH = 2  # age in ms of the challenge that a healthy host answers
SETTLE_MS = 50
WELL = CONTACT_A | CONTACT_B | SUPPLY | LINK_KEY
MIRRORS = MIRROR_1 | MIRROR_2
BUTTON = CONTACT_A | CONTACT_B


class Rig:
    """One `Decide`; both mirror contacts follow the outputs at once."""

    def __init__(self, **settings: int) -> None:
        arguments = {"heartbeat_timeout": 100, "stop_delay": 0, "boot_cause": POWER_UP}
        self.decide = decide.Decide(**{**arguments, **settings})
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
        healthy = WELL if self.outputs else WELL | MIRRORS
        self.outputs = self.decide.step(elapsed, healthy & ~opened | closed, heartbeat)
        return self.outputs

    def wait(self, ms: int, *, opened: int = 0, closed: int = 0, heartbeat: int = FRESH) -> None:
        """Ticks of one ms."""
        for _ in range(ms):
            self.tick(opened=opened, closed=closed, heartbeat=heartbeat)

    def press(self, ms: int) -> None:
        """Hold the reset button for `ms` and let it go; its release has settled at the end."""
        self.wait(ms, closed=RESET_PRESSED)
        self.wait(SETTLE_MS)


def names(causes: int) -> set[str]:
    """The names of a bit mask over CAUSES."""
    return {name for bit, (name, _) in enumerate(decide.CAUSES) if causes >> bit & 1}


def stopped(**settings: int) -> Rig:
    """Powered up, host alive, reset button at rest: a reset would act."""
    rig = Rig(**settings)
    rig.wait(60)
    assert rig.state == "STOPPED" and not rig.present
    return rig


def about_to_run(**settings: int) -> Rig:
    """One tick before the release of the reset button acts."""
    rig = stopped(**settings)
    rig.wait(200, closed=RESET_PRESSED)
    rig.wait(SETTLE_MS - 1)
    assert rig.state == "STOPPED"
    return rig


def running(**settings: int) -> Rig:
    """Energised."""
    rig = about_to_run(**settings)
    rig.tick()
    assert rig.state == "RUN"
    return rig


def stopping(stop_delay: int = 300, **settings: int) -> Rig:
    """In the tick that took a request for a stop of category 1."""
    rig = running(stop_delay=stop_delay, **settings)
    rig.tick(closed=STOP_CATEGORY_1)
    assert rig.state == "STOPPING"
    return rig


def locked_out(**settings: int) -> Rig:
    """Locked out by contacts that disagreed, and agree again."""
    rig = running(**settings)
    rig.wait(101, opened=CONTACT_A)
    rig.tick()
    assert rig.state == "LOCKOUT"
    return rig


IN_STATE = {"STOPPED": stopped, "RUN": running, "STOPPING": stopping, "LOCKOUT": locked_out}
